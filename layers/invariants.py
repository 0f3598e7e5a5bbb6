"""What must hold of a layer's tables at any time, whatever was killed when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from layers.base import Layer
from layers.tables import SCHEMA, qualified, qualified_past


@dataclass(frozen=True)
class Violation:
    """A rule that does not hold: how many rows break it, and a feature of which one does."""

    layer: str
    rule: str
    count: int
    example: int


_RULES = {
    "held versions of a feature overlap in valid time": """
        SELECT feature_id FROM (
            SELECT feature_id, lower(valid_during) < lag(coalesce(upper(valid_during), 'infinity'))
                OVER (PARTITION BY feature_id ORDER BY valid_during) AS is_early
            FROM {held}
        ) v WHERE is_early""",
    "versions believed at once of a feature overlap in valid time": """
        SELECT p.feature_id FROM {past} p JOIN {all} o
            ON o.feature_id = p.feature_id AND o.recorded_during && p.recorded_during
            AND o.valid_during && p.valid_during
            AND (o.recorded_during, o.valid_during) <> (p.recorded_during, p.valid_during)""",
    "a period of time is empty or has no beginning": """
        SELECT feature_id FROM {all} v
        WHERE isempty(valid_during) OR isempty(recorded_during)
           OR lower_inf(valid_during) OR lower_inf(recorded_during)""",
    "a held version has an end in recorded time": """
        SELECT feature_id FROM {held} WHERE NOT upper_inf(recorded_during)""",
    "a version that is no longer believed has no end in recorded time": """
        SELECT feature_id FROM {past} WHERE upper_inf(recorded_during)""",
    "a natural key is held of two features without an end": """
        SELECT min(feature_id) FROM {held} WHERE upper_inf(valid_during)
        GROUP BY natural_key HAVING count(*) > 1""",
    "a version was recorded or closed by no published load": """
        SELECT v.feature_id FROM (
            SELECT feature_id, lower(recorded_during) AS at FROM {all} a
            UNION ALL SELECT feature_id, upper(recorded_during) FROM {past}
        ) v
        WHERE NOT EXISTS (
            SELECT FROM {schema}.loads l WHERE l.layer = '{layer}' AND l.recorded_at = v.at
              AND l.state IN ('published', 'purged'))""",
}


def violations(connection: Connection, layer: Layer) -> Iterator[Violation]:
    """The rules that a layer breaks; each looks through all of its versions.

    Args:
        connection: Of a role that reads the tables, such as the loader's.
    """
    held, past = qualified(layer), qualified_past(layer)
    columns = "feature_id, valid_during, recorded_during"
    words = {
        "held": held,
        "past": past,
        "all": f"(SELECT {columns} FROM {held} UNION ALL SELECT {columns} FROM {past})",
        "schema": SCHEMA,
        "layer": layer.name,
    }
    for rule, statement in _RULES.items():
        found = connection.execute(
            text(
                "SELECT count(*), min(feature_id) FROM "
                f"({statement.format(**words)}) broken (feature_id)"
            )
        ).one()
        if found[0]:
            yield Violation(layer.name, rule, found[0], found[1])

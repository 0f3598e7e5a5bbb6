"""Checks of a load of nodes against the segments that are held."""

from __future__ import annotations

from layers.registry import LAYERS
from layers.tables import qualified
from loaders.checks.tables import StagedTables

# Judged for the kinds of which any line is held: of the others the lines are yet to come.
_ORPHANS = """
    SELECT 'orphan_node' AS rule, s.row_number, s.natural_key, s.clearance,
           ST_X(s.geom) AS lon, ST_Y(s.geom) AS lat,
           jsonb_build_object('node', s.natural_key) AS details
    FROM (
        SELECT r.*, m.node IS NOT NULL AS is_met,
               bool_or(m.node IS NOT NULL) OVER (PARTITION BY r.kind) AS is_judged
        FROM {rows} r
        LEFT JOIN (
            SELECT h.{start} AS node FROM {segments} h
            WHERE upper_inf(h.valid_during) AND h.geom_3857 && {box}
            UNION
            SELECT h.{end} FROM {segments} h
            WHERE upper_inf(h.valid_during) AND h.geom_3857 && {box}
        ) m ON m.node = r.natural_key
    ) s
    WHERE NOT s.is_met AND s.is_judged"""


def check_nodes(tables: StagedTables) -> None:
    """Nodes that no line meets, where the lines of their kind are held."""
    for layer in LAYERS:
        ends = layer.end_nodes
        if ends is None or ends.layer != tables.layer.name:
            continue
        tables.check(
            f"nodes: without {layer.name}",
            _ORPHANS,
            start=ends.start,
            end=ends.end,
            segments=qualified(layer),
        )

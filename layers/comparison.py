"""How staged rows are compared with what is held: which features change, and over which period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layers.base import Layer
from layers.claims import Claim, RowRange
from layers.rewrite import BY_INDEX, Rewrite
from layers.tables import STAGING_SCHEMA

_OPEN = "upper_inf({}.valid_during)"


class Comparison:
    """Statements that fill the table of a rewrite from staged rows.

    Args:
        staged: Table of staged rows, with its schema.
        parameters: What the statements bind: is_dated, valid_from, valid_to and recorded_at.
    """

    def __init__(
        self,
        rewrite: Rewrite,
        layer: Layer,
        staged: str,
        claim: Claim,
        parameters: Mapping[str, Any],
    ) -> None:
        self._rewrite = rewrite
        self._layer = layer
        self._staged = staged
        self._claim = claim
        self._parameters = {**parameters, "ends": sorted(claim.ends)}
        self._held, self._past, self._changed = rewrite.held, rewrite.past, rewrite.changed

    def find_changed(self) -> None:
        """Find the known features that are not held as they are staged."""
        if self._claim.is_correction:
            self._run(self._corrected())
            return
        self._run(self._differing())
        self._run(self._returned())

    def find_vanished(self, set_aside_table: str | None) -> None:
        """Find the features that are held in the period and neither staged nor set aside."""
        claim = self._claim
        is_in_period = "h.valid_during && tstzrange(:valid_from, :valid_to)"
        cleared = "tstzrange(:valid_from, :valid_to)"
        if claim.is_correction and claim.valid_from is None:
            # Whatever is not in the file never was.
            is_in_period, cleared = _OPEN.format("h"), "h.valid_during"
        tables = [self._staged]
        if set_aside_table is not None:
            tables.append(f"{STAGING_SCHEMA}.{set_aside_table}")
        is_absent = " AND ".join(
            f"NOT EXISTS (SELECT FROM {table} s WHERE s.natural_key = h.natural_key)"
            for table in tables
        )
        self._run(
            f"""
            INSERT INTO {self._changed}
            SELECT DISTINCT ON (h.feature_id)
                   CAST(NULL AS bigint), h.feature_id, h.clearance, false, {cleared},
                   CAST(NULL AS tstzrange)
            FROM {self._held} h WHERE {is_in_period} AND {is_absent}"""
        )

    def find_ended(self) -> None:
        """Find the features of which the claim says that they end."""
        self._run(
            f"""
            INSERT INTO {self._changed}
            SELECT CAST(NULL AS bigint), h.feature_id, h.clearance, false,
                   tstzrange(:valid_from, NULL), CAST(NULL AS tstzrange)
            FROM {self._held} h
            WHERE {_OPEN.format("h")} AND h.natural_key = ANY(CAST(:ends AS text[]))"""
        )

    def value(self, name: str, replaced: str) -> str:
        """A column as it is to be held: what the row says, or what is held where it is silent.

        Args:
            replaced: Alias of the version that the row is laid upon.
        """
        ranges = self._claim.silent.get(name, ())
        if not ranges:
            return f"s.{name}"
        return f"CASE WHEN {_is_among(ranges)} THEN {replaced}.{name} ELSE s.{name} END"

    def _clearance(self, known: str, when: str = "true") -> str:
        """The clearance of a row: what is known of its feature where it does not say its class.

        A row of no class is restricted, but one that is silent of it leaves the class that is held.
        One whose geometry came from its end nodes keeps the level that it got with theirs.

        Args:
            known: The clearance of the feature, in SQL.
            when: Whether the row is laid upon a version from which it takes its class, in SQL.
        """
        rule, ends = self._layer.row_clearance, self._layer.end_nodes
        ranges = (
            self._claim.silent.get(self._layer.attribute[rule.attribute].column) if rule else ()
        )
        if not ranges:
            return "s.clearance"
        conditions = [_is_among(ranges), when]
        if ends is not None:
            conditions += [
                f"s.{self._layer.attribute[end].column} IS NULL" for end in (ends.start, ends.end)
            ]
        is_known = " AND ".join(f"({condition})" for condition in conditions)
        return f"CASE WHEN {is_known} THEN {known} ELSE s.clearance END"

    def join_replaced(self) -> str:
        """JOIN of ``b``, the last version closed for the change ``c``, where one is asked for."""
        if not self._claim.silent:
            return ""
        return f"""
            LEFT JOIN LATERAL (
                SELECT p.* FROM {self._past} p
                WHERE p.feature_id = c.feature_id AND upper(p.recorded_during) = :recorded_at
                ORDER BY lower(p.valid_during) DESC LIMIT 1
            ) b ON true"""

    def _differs(self) -> str:
        compared = [*self._rewrite.attributes, "geom"]
        said = ", ".join(self.value(name, "h") for name in compared)
        held = ", ".join(f"h.{name}" for name in compared)
        raises = f"{self._clearance('h.clearance')} > h.clearance"
        return f"(({said}) IS DISTINCT FROM ({held}) OR {raises})"

    def _differing(self) -> str:
        clearance = self._clearance("h.clearance")
        # Equal, but said to be true since before the open version begins.
        begins_earlier = (
            "(:is_dated AND s.valid_from IS NULL AND lower(h.valid_during) > :valid_from)"
        )
        return f"""
            INSERT INTO {self._changed}
            SELECT s.row_number, h.feature_id, greatest({clearance}, h.clearance),
                   {clearance} > h.clearance,
                   tstzrange(:valid_from, NULL), tstzrange(:valid_from, NULL)
            FROM {self._staged} s JOIN {self._held} h USING (natural_key)
            WHERE {_OPEN.format("h")} AND ({self._differs()} OR {begins_earlier})"""

    def _returned(self) -> str:
        """A feature that had vanished, or whose load was undone, keeps its feature_id.

        One of which nothing is held any more holds from its own date, as if it were new.
        """
        since = (
            "CASE WHEN bool_or(k.is_held) THEN :valid_from "
            "ELSE coalesce(s.valid_from, :valid_from) END"
        )
        return f"""
            INSERT INTO {self._changed}
            SELECT s.row_number, k.feature_id, greatest(s.clearance, max(k.clearance)),
                   s.clearance > max(k.clearance),
                   tstzrange({since}, NULL), tstzrange({since}, NULL)
            FROM {self._staged} s
            JOIN (SELECT natural_key, feature_id, clearance, true AS is_held FROM {self._held}
                  WHERE NOT upper_inf(valid_during)
                  UNION ALL
                  SELECT natural_key, feature_id, clearance, false FROM {self._past}) k
                USING (natural_key)
            WHERE NOT EXISTS (SELECT FROM {self._held} h
                              WHERE h.natural_key = s.natural_key AND {_OPEN.format("h")})
            GROUP BY s.row_number, k.feature_id, s.clearance, s.valid_from"""

    def _corrected(self) -> str:
        """Known features whose held versions are not yet what the rows say of the period."""
        branches = f"""
            SELECT v.feature_id, v.clearance, lower(v.valid_during) AS began
            FROM {self._held} v
            WHERE v.natural_key = s.natural_key AND {_OPEN.format("v")}
            UNION ALL
            SELECT v.feature_id, v.clearance, NULL FROM {self._held} v
            WHERE v.natural_key = s.natural_key AND NOT {_OPEN.format("v")}
            UNION ALL
            SELECT v.feature_id, v.clearance, NULL FROM {self._past} v
            WHERE v.natural_key = s.natural_key"""
        since = (
            "CASE WHEN :is_dated THEN :valid_from "
            "ELSE coalesce(s.valid_from, k.began, :recorded_at) END"
        )
        # Without an end the period reaches the open version, and the row takes its class from it.
        clearance = self._clearance(
            "k.clearance",
            "k.began IS NOT NULL AND CAST(:valid_to AS timestamptz) IS NULL",
        )
        # The row's own date moves the beginning of the version, forward too.
        cleared_from = f"CASE WHEN :is_dated THEN :valid_from ELSE least({since}, k.began) END"
        is_held = " OR ".join(
            f"""EXISTS (
                SELECT FROM {self._held} h
                WHERE h.natural_key = s.natural_key AND {which}
                  AND h.valid_during @> c.cleared AND NOT {self._differs()})"""
            for which in BY_INDEX.values()
        )
        return f"""
            INSERT INTO {self._changed}
            SELECT c.* FROM (
                SELECT s.row_number, k.feature_id, greatest({clearance}, k.clearance) AS clearance,
                       {clearance} > k.clearance AS raises,
                       tstzrange({cleared_from}, :valid_to) AS cleared,
                       tstzrange({since}, :valid_to) AS asserted
                FROM {self._staged} s
                CROSS JOIN LATERAL (
                    SELECT feature_id, max(clearance) AS clearance, max(began) AS began
                    FROM ({branches}) v GROUP BY feature_id ORDER BY feature_id LIMIT 1
                ) k
            ) c JOIN {self._staged} s USING (row_number)
            WHERE NOT (c.asserted = c.cleared AND ({is_held}))"""

    def _run(self, statement: str) -> None:
        self._rewrite.run(statement, self._parameters)


def _is_among(ranges: Sequence[RowRange]) -> str:
    """Whether a staged row ``s`` is in one of some ranges; numbers of rows are ours."""
    return " OR ".join(f"s.row_number BETWEEN {first:d} AND {last:d}" for first, last in ranges)

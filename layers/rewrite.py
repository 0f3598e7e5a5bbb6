"""How held versions are rewritten: what publications and their undoing have in common.

A rewrite is a table in schema ``staging`` with one row for each feature: ``cleared`` is the period
of valid time over which what is held of it is no longer believed. Versions that reach into it are
closed in recorded time and kept in ``<layer>_past``; their parts outside of it are held on as
versions of their own. All of this happens under the lock of the layer.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import OperationalError

from layers.base import Layer
from layers.errors import GeoserviceError, LoadInProgress
from layers.recorded import mark_publication
from layers.system_tables import loads
from layers.tables import STAGING_SCHEMA, column_names, qualified, qualified_past
from layers.touched import ALL_TIMES, COLUMNS, Touched

LOCK_TIMEOUT_S = 120
_LOCK_NOT_AVAILABLE = "55P03"

BY_INDEX = {"open": "upper_inf(h.valid_during)", "ended": "NOT upper_inf(h.valid_during)"}
"""The two kinds of held versions ``h``: each has its own indexes, by feature and by key."""


class OverlappingVersions(GeoserviceError):
    """A publication would have made two held versions of a feature overlap in valid time."""


def lock_layer(connection: Connection, layer_name: str) -> None:
    """Take a layer's lock until the transaction ends.

    Raises:
        LoadInProgress: another publication of the layer did not end in time.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
    try:
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('publish'), hashtext(:layer))"),
            {"layer": layer_name},
        )
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise LoadInProgress(layer_name) from error


def take_instant(connection: Connection, layer_name: str) -> datetime:
    """The recorded instant: the clock under the lock, always after the publication before."""
    mark_publication(connection, layer_name)
    last = select(func.max(loads.c.recorded_at)).where(
        loads.c.layer == layer_name, loads.c.recorded_at.is_not(None)
    )
    clock = func.clock_timestamp()
    after_last = last.scalar_subquery() + timedelta(microseconds=1)
    instant: datetime = connection.execute(select(func.greatest(clock, after_last))).scalar_one()
    return instant


class Rewrite:
    """The statements of one rewrite; identifiers come from the registry and the load only.

    Attributes:
        held: Table of held versions, with its schema.
        past: Table of versions no longer believed.
        changed: Table of the rewrite: row_number (of a staged row, or null), feature_id (unique),
            clearance, raises (whether that is higher than it was), cleared and asserted (the part
            of cleared over which the staged row is to hold, or null).
        touched: What the rewrite touches, as far as its own statements do.
        attributes: Columns of the layer's attributes.
        columns: Columns of a version that are written, in order.
    """

    def __init__(self, connection: Connection, layer: Layer, load_id: int) -> None:
        self._connection = connection
        self.held = qualified(layer)
        self.past = qualified_past(layer)
        self.changed = f"{STAGING_SCHEMA}.changed_{load_id}"
        self.touched = Touched(connection, load_id)
        self.attributes = tuple(column_names(layer))
        self._kept = (
            *("feature_id", "natural_key", "key_derived", *self.attributes),
            *("admin_code", "clearance", "load_id"),
        )
        self.columns = (*self._kept, "valid_during", "recorded_during", "geom")

    @property
    def column_list(self) -> str:
        """The columns of a version as they stand in an INSERT."""
        return ", ".join(self.columns)

    def run(self, statement: str, parameters: dict[str, Any]) -> int:
        """Run a statement and return how many rows it touched."""
        return self._connection.execute(text(statement), parameters).rowcount

    def kept(self, alias: str) -> str:
        """What a version keeps while its times change: everything but times and geometry."""
        return ", ".join(f"{alias}.{column}" for column in self._kept)

    def create_changed(self) -> None:
        """Make the tables of the rewrite."""
        columns = "row_number bigint, feature_id bigint, clearance smallint, raises boolean"
        self._connection.execute(
            text(
                f"CREATE UNLOGGED TABLE {self.changed} "
                f"({columns}, cleared tstzrange, asserted tstzrange)"
            )
        )
        self.touched.create()

    def drop_changed(self) -> None:
        """Drop the tables of the rewrite."""
        self._connection.execute(text(f"DROP TABLE {self.changed}"))
        self.touched.drop()

    def raise_clearances(self) -> None:
        """Today's classification decides for every instant: raising it moves all versions."""
        raises = f"SELECT EXISTS (SELECT FROM {self.changed} WHERE raises)"
        if not self._connection.execute(text(raises)).scalar_one():
            return
        of_raised = "c.raises AND v.feature_id = c.feature_id AND v.clearance < c.clearance"
        for table in (self.held, self.past):
            for statement in (
                f"INSERT INTO {self.touched.table} ({COLUMNS}) "
                f"SELECT v.feature_id, v.clearance, {ALL_TIMES}, v.geom_3857 "
                f"FROM {table} v, {self.changed} c WHERE {of_raised}",
                f"UPDATE {table} v SET clearance = c.clearance FROM {self.changed} c "
                f"WHERE {of_raised}",
            ):
                self._connection.execute(text(statement))

    def clear(self, recorded_at: datetime) -> None:
        """Close what reaches into the cleared periods and hold on what lies outside of them."""
        deleted = ", ".join(
            f"""gone_{name} AS (
                DELETE FROM {self.held} h USING {self.changed} c
                WHERE h.feature_id = c.feature_id AND {which} AND h.valid_during && c.cleared
                RETURNING h.*, c.cleared
            )"""
            for name, which in BY_INDEX.items()
        )
        gone = " UNION ALL ".join(f"SELECT * FROM gone_{name}" for name in BY_INDEX)
        parts = {
            "before": "g.valid_during * tstzrange(NULL, lower(g.cleared))",
            "after": "CASE WHEN upper_inf(g.cleared) THEN 'empty' "
            "ELSE g.valid_during * tstzrange(upper(g.cleared), NULL) END",
        }
        self.run(
            f"""
            WITH {deleted},
            gone AS ({gone}),
            closed AS (
                INSERT INTO {self.past} ({self.column_list})
                SELECT {self.kept("g")}, g.valid_during,
                       tstzrange(lower(g.recorded_during), :recorded_at), g.geom
                FROM gone g
            ),
            touched AS (
                INSERT INTO {self.touched.table} ({COLUMNS})
                SELECT g.feature_id, g.clearance, g.valid_during * g.cleared, g.geom_3857
                FROM gone g
            )
            INSERT INTO {self.held} ({self.column_list})
            SELECT {self.kept("g")}, p.part, tstzrange(:recorded_at, NULL), g.geom
            FROM gone g
            CROSS JOIN LATERAL (
                VALUES ({parts["before"]}), ({parts["after"]})
            ) p (part)
            WHERE NOT isempty(p.part)""",
            {"recorded_at": recorded_at},
        )

    def refuse_overlaps(self) -> None:
        """See that no two held versions of a rewritten feature overlap.

        Raises:
            OverlappingVersions: they do; the held versions were not what they must be.
        """
        branches = " UNION ALL ".join(
            f"SELECT h.feature_id, h.valid_during FROM {self.held} h "
            f"JOIN {self.changed} c USING (feature_id) WHERE {which}"
            for which in BY_INDEX.values()
        )
        overlapping = self._connection.execute(
            text(
                f"""
                SELECT feature_id FROM (
                    SELECT feature_id, lower(valid_during) < lag(
                        coalesce(upper(valid_during), 'infinity')
                    ) OVER (PARTITION BY feature_id ORDER BY valid_during) AS begins_too_early
                    FROM ({branches}) h
                ) v WHERE begins_too_early LIMIT 1"""
            )
        ).scalar()
        if overlapping is not None:
            message = f"held versions of feature {overlapping} would overlap; nothing was written"
            raise OverlappingVersions(message)

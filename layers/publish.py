"""The one way to write features: open and close versions in a single transaction.

Loads, edits and undo all call ``publish``; nothing else opens or closes a version. What a
publication says is: from ``valid_from`` on, these features are as staged. Versions that this
contradicts are closed in recorded time and kept in ``<layer>_past``; their part before
``valid_from`` stays held. Features that are staged as they are held are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import OperationalError

from layers.access import Clearance
from layers.base import Layer
from layers.drafts import Apart, adopt_draft, draft_name, fill_drafts
from layers.errors import GeoserviceError, LoadInProgress
from layers.system_tables import loads
from layers.tables import (
    FEATURE_ID_SEQUENCE,
    SCHEMA,
    STAGING_SCHEMA,
    column_names,
    qualified,
    qualified_past,
    row_clearances,
)
from layers.themes import require_current

LOCK_TIMEOUT_S = 120


class OverlappingVersions(GeoserviceError):
    """A publication would have made two held versions of a feature overlap in valid time."""


@dataclass(frozen=True)
class Publication:
    """What a publication did; ``recorded_at`` is its instant in recorded time."""

    recorded_at: datetime
    new: int
    changed: int
    unchanged: int


def publish(
    connection: Connection,
    layer: Layer,
    staged_table: str,
    *,
    load_id: int,
    valid_from: datetime | None = None,
    apart: Apart | None = None,
) -> Publication:
    """Write staged rows into a layer, inside the caller's open transaction.

    Args:
        connection: Of the loader role; committing it is the caller's.
        staged_table: Table in schema ``staging`` with row_number, natural_key (unique),
            key_derived, the attributes, admin_code, clearance, valid_from and geom.
        load_id: The row of ``loads`` that the versions will name.
        valid_from: Since when the rows are true; None means the recorded instant. A new feature
            with a date of its own (``Layer.valid_from``) holds from that date; without one, a held
            feature that is equal is moved back to an earlier instant, never forward.
        apart: Lets partitions that are empty be filled on other connections; the staged table
            must be committed then. None writes everything on this one.

    Raises:
        LoadInProgress: another publication of the layer did not end in time.
        LayerChanged: the layer is a theme that was edited or dropped since the rows were staged.
        OverlappingVersions: the held versions were not what they must be; nothing is written.
    """
    _lock(connection, layer)
    require_current(connection, layer)
    recorded_at = _take_instant(connection, layer)
    statements = _Statements(layer, staged_table, load_id)
    parameters = {
        "recorded_at": recorded_at,
        "is_dated": valid_from is not None,
        "valid_from": valid_from or recorded_at,
        "default_from": valid_from or recorded_at,
        "load_id": load_id,
    }

    def run(statement: str) -> int:
        return connection.execute(text(statement), parameters).rowcount

    staged = connection.execute(text(statements.count_staged)).scalar_one()
    run(statements.create_changed)
    run(statements.find_changed)
    run(statements.find_returned)
    filled = _fill_apart(connection, layer, statements, parameters, apart) if apart else {}
    parameters["filled"] = [int(clearance) for clearance in filled]
    new = sum(filled.values())
    if new < staged:
        new += run(statements.insert_new)
    changed = connection.execute(text(statements.count_changed)).scalar_one()
    if changed:
        run(statements.raise_held_clearance)
        run(statements.raise_past_clearance)
        run(statements.close_contradicted)
        run(statements.insert_changed)
        _refuse_overlaps(connection, statements)
    run(statements.drop_changed)
    # Last, because it keeps readers out until the transaction ends.
    _put_in_place(connection, layer, statements, load_id, sorted(filled))
    return Publication(recorded_at, new, changed, staged - new - changed)


def _fill_apart(
    connection: Connection,
    layer: Layer,
    statements: _Statements,
    parameters: Mapping[str, Any],
    apart: Apart,
) -> dict[Clearance, int]:
    """Fill the empty partitions to which many staged rows are new; how many rows each got."""
    load_id: int = parameters["load_id"]
    empty = [
        clearance
        for clearance in row_clearances(layer)
        if not connection.execute(text(statements.has_rows), {"clearance": clearance}).scalar_one()
    ]
    if not empty:
        return {}
    staged = connection.execute(text(statements.count_by_clearance)).all()
    filled = {
        Clearance(clearance): rows
        for clearance, rows, known in staged
        if clearance in empty and not known and rows >= apart.least_rows
    }
    if filled:
        fill_drafts(apart, layer, load_id, tuple(filled), statements.fill_draft, parameters)
    return filled


def _put_in_place(
    connection: Connection,
    layer: Layer,
    statements: _Statements,
    load_id: int,
    clearances: Sequence[Clearance],
) -> None:
    """Put drafts in the place of their partitions, or else their rows into these."""
    for clearance in clearances:
        if not adopt_draft(connection, layer, clearance, load_id):
            connection.execute(text(statements.insert_draft(draft_name(clearance, load_id))))


def _lock(connection: Connection, layer: Layer) -> None:
    """Take the layer's lock until the transaction ends."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
    try:
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('publish'), hashtext(:layer))"),
            {"layer": layer.name},
        )
    except OperationalError as error:
        raise LoadInProgress(layer.name) from error


def _take_instant(connection: Connection, layer: Layer) -> datetime:
    """The recorded instant: the clock under the lock, always after the publication before."""
    last = select(func.max(loads.c.recorded_at)).where(
        loads.c.layer == layer.name, loads.c.state == "published"
    )
    clock = func.clock_timestamp()
    after_last = last.scalar_subquery() + timedelta(microseconds=1)
    instant: datetime = connection.execute(select(func.greatest(clock, after_last))).scalar_one()
    return instant


def _refuse_overlaps(connection: Connection, statements: _Statements) -> None:
    overlapping = connection.execute(text(statements.overlapping)).scalar()
    if overlapping is not None:
        message = f"held versions of feature {overlapping} would overlap; nothing was written"
        raise OverlappingVersions(message)


class _Statements:
    """The statements of one publication; identifiers come from the registry and the load only."""

    def __init__(self, layer: Layer, staged_table: str, load_id: int) -> None:
        attributes = column_names(layer)
        held = qualified(layer)
        past = qualified_past(layer)
        staged = f"{STAGING_SCHEMA}.{staged_table}"
        changed = f"{STAGING_SCHEMA}.changed_{load_id}"
        columns = ", ".join(
            [
                *("feature_id", "natural_key", "key_derived", *attributes),
                *("admin_code", "clearance", "load_id"),
                *("valid_during", "recorded_during", "geom"),
            ]
        )
        values = ", ".join(f"s.{name}" for name in ("natural_key", "key_derived", *attributes))
        compared = [*attributes, "geom"]
        differs = (
            f"(({', '.join(f's.{c}' for c in compared)}) IS DISTINCT FROM "
            f"({', '.join(f'h.{c}' for c in compared)}) OR s.clearance > h.clearance)"
        )
        # Equal, but said to be true since before the open version begins.
        begins_earlier = (
            "(:is_dated AND s.valid_from IS NULL AND lower(h.valid_during) > :valid_from)"
        )
        known = ", ".join(f"g.{c}" for c in columns.split(", ")[:-3])

        self._held, self._columns = held, columns
        self.count_staged = f"SELECT count(*) FROM {staged}"
        self.create_changed = (
            f"CREATE UNLOGGED TABLE {changed} "
            "(row_number bigint, feature_id bigint, clearance smallint)"
        )
        self.find_changed = f"""
            INSERT INTO {changed}
            SELECT s.row_number, h.feature_id, greatest(s.clearance, h.clearance)
            FROM {staged} s JOIN {held} h USING (natural_key)
            WHERE upper_inf(h.valid_during) AND ({differs} OR {begins_earlier})"""
        # A feature that had vanished, or whose load was undone, keeps its feature_id.
        self.find_returned = f"""
            INSERT INTO {changed}
            SELECT s.row_number, k.feature_id, greatest(s.clearance, max(k.clearance))
            FROM {staged} s
            JOIN (SELECT natural_key, feature_id, clearance FROM {held}
                  WHERE NOT upper_inf(valid_during)
                  UNION ALL
                  SELECT natural_key, feature_id, clearance FROM {past}) k USING (natural_key)
            WHERE NOT EXISTS (SELECT FROM {held} h
                              WHERE h.natural_key = s.natural_key AND upper_inf(h.valid_during))
            GROUP BY s.row_number, k.feature_id, s.clearance"""
        new = f"""
            SELECT nextval('{SCHEMA}.{FEATURE_ID_SEQUENCE}'), {values},
                   s.admin_code, s.clearance, :load_id,
                   tstzrange(coalesce(s.valid_from, :default_from), NULL),
                   tstzrange(:recorded_at, NULL), s.geom
            FROM {staged} s"""
        self.insert_new = f"""
            INSERT INTO {held} ({columns}) {new}
            WHERE s.clearance <> ALL (CAST(:filled AS smallint[]))
              AND NOT EXISTS (SELECT FROM {held} h
                              WHERE h.natural_key = s.natural_key AND upper_inf(h.valid_during))
              AND NOT EXISTS (SELECT FROM {changed} c WHERE c.row_number = s.row_number)"""
        self.count_by_clearance = f"""
            SELECT s.clearance, count(*), count(k.natural_key)
            FROM {staged} s
            LEFT JOIN (SELECT natural_key FROM {held} UNION SELECT natural_key FROM {past}) k
                USING (natural_key)
            GROUP BY s.clearance"""
        self.has_rows = f"SELECT EXISTS (SELECT FROM {held} WHERE clearance = :clearance)"
        # Each part is a run of rows, so that neighbours in the file stay neighbours on disk.
        self.fill_draft = f"""
            INSERT INTO {{draft}} ({columns}) {new},
                 (SELECT min(row_number) AS first, max(row_number) + 1 AS last FROM {staged}) r
            WHERE s.clearance = :clearance
              AND (s.row_number - r.first) * :parts / (r.last - r.first) = :part"""
        self.count_changed = f"SELECT count(*) FROM {changed}"
        # Today's classification decides for every instant: raising it moves all versions.
        raise_clearance = """
            UPDATE {table} v SET clearance = c.clearance FROM {changed} c
            WHERE v.feature_id = c.feature_id AND v.clearance < c.clearance"""
        self.raise_held_clearance = raise_clearance.format(table=held, changed=changed)
        self.raise_past_clearance = raise_clearance.format(table=past, changed=changed)
        self.close_contradicted = f"""
            WITH gone AS (
                DELETE FROM {held} h USING {changed} c
                WHERE h.feature_id = c.feature_id
                  AND (upper_inf(h.valid_during) OR upper(h.valid_during) > :valid_from)
                RETURNING h.*
            ), kept AS (
                INSERT INTO {past} ({columns})
                SELECT {known}, g.valid_during,
                       tstzrange(lower(g.recorded_during), :recorded_at), g.geom
                FROM gone g
            )
            INSERT INTO {held} ({columns})
            SELECT {known}, tstzrange(lower(g.valid_during), :valid_from),
                   tstzrange(:recorded_at, NULL), g.geom
            FROM gone g WHERE lower(g.valid_during) < :valid_from"""
        self.insert_changed = f"""
            INSERT INTO {held} ({columns})
            SELECT c.feature_id, {values}, s.admin_code, c.clearance, :load_id,
                   tstzrange(:valid_from, NULL), tstzrange(:recorded_at, NULL), s.geom
            FROM {changed} c JOIN {staged} s USING (row_number)"""
        self.overlapping = f"""
            SELECT feature_id FROM (
                SELECT feature_id, lower(valid_during) < lag(
                    coalesce(upper(valid_during), 'infinity')
                ) OVER (PARTITION BY feature_id ORDER BY valid_during) AS begins_too_early
                FROM {held} WHERE feature_id IN (SELECT feature_id FROM {changed})
            ) v WHERE begins_too_early LIMIT 1"""
        self.drop_changed = f"DROP TABLE {changed}"

    def insert_draft(self, draft: str) -> str:
        """Insert the rows of a draft one by one, as it could not be put in its place."""
        return f"INSERT INTO {self._held} ({self._columns}) SELECT {self._columns} FROM {draft}"

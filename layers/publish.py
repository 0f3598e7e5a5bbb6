"""The one way to write features: open and close versions in a single transaction.

Loads and edits call ``publish``, and ``layers.undo`` takes one back; nothing else opens or closes a
version. What a publication says is in its ``Claim``: a change says that from ``valid_from`` on
these features are as staged, a correction says so of a period of the past. Features that are staged
as they are held are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from layers.access import Clearance
from layers.base import Layer
from layers.claims import Claim
from layers.comparison import Comparison
from layers.derived import keep_derived
from layers.drafts import Apart, adopt_draft, draft_name, fill_drafts
from layers.rewrite import BY_INDEX, Rewrite, lock_layer, take_instant
from layers.tables import FEATURE_ID_SEQUENCE, SCHEMA, STAGING_SCHEMA, row_clearances
from layers.themes import require_current


@dataclass(frozen=True)
class Publication:
    """What a publication did; ``recorded_at`` is its instant in recorded time."""

    recorded_at: datetime
    new: int
    changed: int
    unchanged: int
    vanished: int = 0


def publish(
    connection: Connection,
    layer: Layer,
    staged_table: str,
    *,
    load_id: int,
    claim: Claim | None = None,
    set_aside_table: str | None = None,
    apart: Apart | None = None,
) -> Publication:
    """Write staged rows into a layer, inside the caller's open transaction.

    Args:
        connection: Of the loader role; committing it is the caller's.
        staged_table: Table in schema ``staging`` with row_number, natural_key (unique),
            key_derived, the attributes, admin_code, clearance, valid_from and geom.
        load_id: The row of ``loads`` that the versions will name.
        claim: What the rows say of time; None is a change at the recorded instant.
        set_aside_table: Table in schema ``staging`` whose natural_key names features that the
            files hold too, so that they have not vanished.
        apart: Lets partitions that are empty be filled on other connections; the staged table
            must be committed then. None writes everything on this one.

    Raises:
        LoadInProgress: another publication of the layer did not end in time.
        LayerChanged: the layer is a theme that was edited or dropped since the rows were staged.
        OverlappingVersions: the held versions were not what they must be; nothing is written.
    """
    lock_layer(connection, layer.name)
    require_current(connection, layer)
    recorded_at = take_instant(connection, layer.name)
    rewrite = Rewrite(connection, layer, load_id)
    work = _Work(connection, layer, rewrite, staged_table, claim or Claim(), recorded_at, load_id)
    # First, because drafts leave the staged table, which nobody may be looking at then.
    filled = _close_staged_drafts(work, apart) if apart and apart.staged else {}
    staged = work.count_staged(tuple(filled)) + sum(filled.values())
    rewrite.create_changed()
    work.comparison.find_changed()
    if work.claim.is_complete:
        work.comparison.find_vanished(set_aside_table)
    elif work.claim.ends:
        work.comparison.find_ended()
    if apart and not apart.staged:
        filled = _fill_apart(work, apart)
    new = sum(filled.values())
    if new < staged:
        new += work.insert_new(tuple(filled))
    changed, vanished = work.count_changed()
    if changed or vanished:
        rewrite.raise_clearances()
        rewrite.clear(recorded_at)
        work.insert_changed()
        rewrite.refuse_overlaps()
    rewrite.touched.is_everything = bool(filled)
    rewrite.touched.drafts = {one: draft_name(one, load_id) for one in filled}
    keep_derived(connection, layer, rewrite.touched, recorded_at)
    rewrite.drop_changed()
    # Last, because it keeps readers out until the transaction ends.
    _put_in_place(work, sorted(filled))
    return Publication(recorded_at, new, changed, staged - new - changed, vanished)


def _close_staged_drafts(work: _Work, apart: Apart) -> dict[Clearance, int]:
    """Have the drafts that rows were staged in leave staging; how many rows each holds then.

    Only if the layer is still empty: then all rows are new.
    """
    if work.has_versions():
        return {}
    with apart.connect() as connection:
        staged = work.count_by_clearance(connection)
    filled = {clearance: rows for clearance, rows in staged.items() if rows >= apart.least_rows}
    if filled:
        fill = work.fill_draft_statement()
        fill_drafts(apart, work.layer, work.load_id, tuple(filled), fill, work.parameters)
    return filled


def _fill_apart(work: _Work, apart: Apart) -> dict[Clearance, int]:
    """Fill the empty partitions to which many staged rows are new; how many rows each got."""
    empty = [one for one in row_clearances(work.layer) if not work.has_rows(one)]
    if not empty:
        return {}
    filled = {
        clearance: new
        for clearance, new in work.new_by_clearance().items()
        if clearance in empty and new >= apart.least_rows
    }
    if filled:
        fill = work.fill_draft_statement()
        fill_drafts(apart, work.layer, work.load_id, tuple(filled), fill, work.parameters)
    return filled


def _put_in_place(work: _Work, clearances: Sequence[Clearance]) -> None:
    """Put drafts in the place of their partitions, or else their rows into these."""
    for clearance in clearances:
        if not adopt_draft(work.connection, work.layer, clearance, work.load_id):
            work.insert_draft(draft_name(clearance, work.load_id))


class _Work:
    """One publication under way; identifiers in its statements come from the registry and the load.

    Attributes:
        parameters: Values bound in its statements.
    """

    def __init__(
        self,
        connection: Connection,
        layer: Layer,
        rewrite: Rewrite,
        staged_table: str,
        claim: Claim,
        recorded_at: datetime,
        load_id: int,
    ) -> None:
        self.connection = connection
        self.layer = layer
        self.rewrite = rewrite
        self.claim = claim
        self.load_id = load_id
        self._staged = f"{STAGING_SCHEMA}.{staged_table}"
        self.parameters: dict[str, Any] = {
            "recorded_at": recorded_at,
            "load_id": load_id,
            **_period(claim, recorded_at),
        }
        self.comparison = Comparison(rewrite, layer, self._staged, claim, self.parameters)

    def count_staged(self, filled: Sequence[Clearance]) -> int:
        """How many rows are staged besides those of filled drafts."""
        statement = f"SELECT count(*) FROM {self._staged} s WHERE {_IS_LEFT}"
        return self._scalar(statement, _without(filled))

    def count_changed(self) -> tuple[int, int]:
        """How many features changed, and how many vanished."""
        counted = self.connection.execute(
            text(
                "SELECT count(*) FILTER (WHERE asserted IS NOT NULL), "
                f"count(*) FILTER (WHERE asserted IS NULL) FROM {self.rewrite.changed}"
            )
        ).one()
        return counted[0], counted[1]

    def count_by_clearance(self, connection: Connection) -> dict[Clearance, int]:
        """How many rows are staged of each clearance, asked for on another connection."""
        statement = f"SELECT clearance, count(*) FROM {self._staged} GROUP BY clearance"
        return {Clearance(row[0]): row[1] for row in connection.execute(text(statement))}

    def has_versions(self) -> bool:
        """Whether the layer has a version of anything, held or past."""
        held, past = self.rewrite.held, self.rewrite.past
        statement = f"SELECT EXISTS (SELECT FROM {held}) OR EXISTS (SELECT FROM {past})"
        return bool(self._scalar(statement))

    def has_rows(self, clearance: Clearance) -> bool:
        """Whether anything is held in a partition."""
        statement = f"SELECT EXISTS (SELECT FROM {self.rewrite.held} WHERE clearance = :clearance)"
        return bool(self._scalar(statement, {"clearance": int(clearance)}))

    def new_by_clearance(self) -> dict[Clearance, int]:
        """How many staged rows are new, for each clearance of which all are."""
        counted = self.connection.execute(
            text(
                f"""
                SELECT s.clearance, count(*), count(k.natural_key)
                FROM {self._staged} s
                LEFT JOIN (SELECT natural_key FROM {self.rewrite.held}
                           UNION SELECT natural_key FROM {self.rewrite.past}) k USING (natural_key)
                GROUP BY s.clearance"""
            )
        ).all()
        return {Clearance(clearance): rows for clearance, rows, known in counted if not known}

    def insert_new(self, filled: Sequence[Clearance]) -> int:
        """Insert the features that are not known, besides those of filled drafts."""
        held, past, changed = self.rewrite.held, self.rewrite.past, self.rewrite.changed
        # Each of the two kinds of held versions has its own index by key.
        known = [f"{held} h WHERE h.natural_key = s.natural_key AND {BY_INDEX['open']}"]
        if self.claim.is_correction:
            known += [
                f"{held} h WHERE h.natural_key = s.natural_key AND {BY_INDEX['ended']}",
                f"{past} p WHERE p.natural_key = s.natural_key",
            ]
        is_new = " AND ".join(f"NOT EXISTS (SELECT FROM {branch})" for branch in known)
        inserting = f"""
            INSERT INTO {held} ({self.rewrite.column_list}) {self._new_rows()}
            WHERE {_IS_LEFT} AND {is_new}
              AND NOT EXISTS (SELECT FROM {changed} c WHERE c.row_number = s.row_number)"""
        return self._run(self.rewrite.touched.noting(inserting), _without(filled))

    def fill_draft_statement(self) -> str:
        """INSERT of one part of the staged rows of a clearance into ``{draft}``.

        Each part is a run of rows, so that neighbours in the file stay neighbours on disk.
        """
        return f"""
            INSERT INTO {{draft}} ({self.rewrite.column_list}) {self._new_rows()},
                 (SELECT min(row_number) AS first, max(row_number) + 1 AS last
                  FROM {self._staged}) r
            WHERE s.clearance = :clearance
              AND (s.row_number - r.first) * :parts / (r.last - r.first) = :part"""

    def insert_draft(self, draft: str) -> None:
        """Insert the rows of a draft one by one, as it could not be put in its place."""
        columns = self.rewrite.column_list
        self._run(f"INSERT INTO {self.rewrite.held} ({columns}) SELECT {columns} FROM {draft}")

    def insert_changed(self) -> None:
        """Insert what is asserted of features that are known."""
        values = ", ".join(
            self.comparison.value(name, "b")
            for name in ("natural_key", "key_derived", *self.rewrite.attributes)
        )
        inserting = f"""
            INSERT INTO {self.rewrite.held} ({self.rewrite.column_list})
            SELECT c.feature_id, {values}, s.admin_code, c.clearance, :load_id,
                   c.asserted, tstzrange(:recorded_at, NULL), s.geom
            FROM {self.rewrite.changed} c JOIN {self._staged} s USING (row_number)
            {self.comparison.join_replaced()}"""
        self._run(self.rewrite.touched.noting(inserting))

    def _new_rows(self) -> str:
        values = ", ".join(
            f"s.{name}" for name in ("natural_key", "key_derived", *self.rewrite.attributes)
        )
        return f"""
            SELECT nextval('{SCHEMA}.{FEATURE_ID_SEQUENCE}'), {values},
                   s.admin_code, s.clearance, :load_id,
                   tstzrange(CASE WHEN :is_period THEN :valid_from
                                  ELSE coalesce(s.valid_from, :valid_from) END, :valid_to),
                   tstzrange(:recorded_at, NULL), s.geom
            FROM {self._staged} s"""

    def _run(self, statement: str, more: Mapping[str, Any] | None = None) -> int:
        return self.rewrite.run(statement, {**self.parameters, **(more or {})})

    def _scalar(self, statement: str, parameters: Mapping[str, Any] | None = None) -> int:
        value: int = self.connection.execute(text(statement), parameters or {}).scalar_one()
        return value


_IS_LEFT = "s.clearance <> ALL (CAST(:filled AS smallint[]))"
"""Whether a staged row ``s`` is of no filled draft."""


def _without(filled: Sequence[Clearance]) -> dict[str, Any]:
    return {"filled": [int(clearance) for clearance in filled]}


def _period(claim: Claim, recorded_at: datetime) -> dict[str, Any]:
    """The period of a claim as it is bound."""
    is_dated = claim.valid_from is not None
    return {
        "is_dated": is_dated,
        # A period that was named holds for features that are new as for the others.
        "is_period": is_dated and claim.is_correction,
        "valid_from": claim.valid_from or recorded_at,
        "valid_to": claim.valid_to,
    }

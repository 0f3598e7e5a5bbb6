"""Taking a load back: exactly the state before it, as a publication of its own.

Undoing closes what the load opened and holds again versions equal to those that it closed, so
every instant of valid time answers as before the load; ``as_recorded`` between the load and its
undoing still shows the load. Later loads stay where they touched other features. An undoing can be
undone like any other publication. A clearance that the load raised stays raised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, text

from layers.base import Layer
from layers.changes import published_load
from layers.derived import keep_derived
from layers.errors import CannotUndo
from layers.raster_undo import restore_raster
from layers.rasters import LAYER_NAME as RASTERS
from layers.registry import LAYERS, get_layer
from layers.rewrite import BY_INDEX, Rewrite, lock_layer, take_instant
from layers.system_tables import loads
from layers.tables import SCHEMA, STAGING_SCHEMA, qualified
from layers.themes import require_current
from layers.touched import COLUMNS, Touched

_NAMED_LOADS = 5


@dataclass(frozen=True)
class Undone:
    """What an undoing did.

    Attributes:
        load_id: Its own number in ``loads``.
        recorded_at: Its instant in recorded time.
        closed: Versions that are no longer believed.
        restored: Versions that are held again.
    """

    load_id: int
    recorded_at: datetime
    closed: int
    restored: int


def undo_load(connection: Connection, load_id: int) -> Undone:
    """Take a published load back, inside the caller's open transaction.

    Args:
        connection: Of the loader role; committing it is the caller's.

    Raises:
        LoadNotFound: there is no such load, or it was not published.
        CannotUndo: it changed nothing, is undone already, or what it wrote has been changed or is
            referred to since.
        LoadInProgress: another publication of the layer did not end in time.
        LayerChanged: the layer is a theme that was changed meanwhile.
    """
    load = published_load(connection, load_id)
    if load.layer == RASTERS:
        return _undo_raster(connection, load_id, load.recorded_at)
    layer = get_layer(load.layer)
    for name in _locked_together(layer):
        lock_layer(connection, name)
    require_current(connection, layer)
    _refuse_purged(connection, load_id)
    _refuse_undone(connection, load_id)
    number, recorded_at = _begin(connection, layer.name, load_id)
    work = _Undoing(connection, layer, load.recorded_at, number)
    work.find_touched()
    _refuse_what_stands_in_the_way(work, layer, load_id)
    closed, restored = work.restore(recorded_at)
    _refuse_dangling(work, layer, load_id)
    keep_derived(connection, layer, work.touched, recorded_at)
    work.clean_up()
    return _end(connection, Undone(number, recorded_at, closed, restored))


def _undo_raster(connection: Connection, load_id: int, loaded_at: datetime) -> Undone:
    lock_layer(connection, RASTERS)
    number, recorded_at = _begin(connection, RASTERS, load_id)
    closed, restored = restore_raster(connection, load_id, loaded_at, recorded_at)
    return _end(connection, Undone(number, recorded_at, closed, restored))


def _begin(connection: Connection, layer_name: str, load_id: int) -> tuple[int, datetime]:
    """The undoing's own row in ``loads``, under the lock: its number, and its recorded instant."""
    recorded_at = take_instant(connection, layer_name)
    number: int = connection.execute(
        insert(loads)
        .values(
            layer=layer_name,
            source={"files": []},
            state="published",
            recorded_at=recorded_at,
            undoes=load_id,
        )
        .returning(loads.c.load_id)
    ).scalar_one()
    return number, recorded_at


def _end(connection: Connection, undone: Undone) -> Undone:
    connection.execute(
        loads.update()
        .where(loads.c.load_id == undone.load_id)
        .values(counts={"closed": undone.closed, "restored": undone.restored})
    )
    return undone


def _locked_together(layer: Layer) -> list[str]:
    """The layer and those that refer to it, in the order in which everybody locks them."""
    return sorted([layer.name, *(other.name for other in _referring(layer))])


def _referring(layer: Layer) -> list[Layer]:
    return [other for other in LAYERS if other.end_nodes and other.end_nodes.layer == layer.name]


def _refuse_purged(connection: Connection, load_id: int) -> None:
    """See that what the undoing would hold again is still there."""
    purged = connection.execute(
        text(
            f"""
            WITH RECURSIVE undone AS (
                SELECT load_id, undoes, state FROM {SCHEMA}.loads WHERE load_id = :load_id
                UNION ALL
                SELECT l.load_id, l.undoes, l.state
                FROM {SCHEMA}.loads l JOIN undone u ON l.load_id = u.undoes
            )
            SELECT load_id FROM undone WHERE state = 'purged' LIMIT 1"""
        ),
        {"load_id": load_id},
    ).scalar()
    if purged is not None:
        raise CannotUndo(load_id, f"load {purged} has been purged, and nothing brings it back")


def _refuse_undone(connection: Connection, load_id: int) -> None:
    """See that the load is not undone, or that its undoing was undone."""
    undoings = connection.execute(
        text(
            f"""
            WITH RECURSIVE later AS (
                SELECT load_id, undoes FROM {SCHEMA}.loads WHERE undoes = :load_id
                UNION ALL
                SELECT l.load_id, l.undoes
                FROM {SCHEMA}.loads l JOIN later ON l.undoes = later.load_id
            )
            SELECT load_id, undoes FROM later ORDER BY load_id"""
        ),
        {"load_id": load_id},
    ).all()
    for row in _that_count(undoings):
        if row.undoes == load_id:
            raise CannotUndo(load_id, f"it was undone already, by load {row.load_id}")


def _that_count(publications: Sequence[Any]) -> list[Any]:
    """Of publications in their order, those that were not undone."""
    undone: set[int] = set()
    for row in reversed(publications):
        if row.undoes is not None and row.load_id not in undone:
            undone.add(row.undoes)
    return [row for row in publications if row.load_id not in undone]


def _refuse_what_stands_in_the_way(work: _Undoing, layer: Layer, load_id: int) -> None:
    if not work.count_touched():
        raise CannotUndo(load_id, "it changed nothing")
    differing = work.find_differing()
    if not differing:
        return
    all_since = work.publications_since_of_differing()
    numbers = {row.load_id for row in all_since}
    # One that is undone and its undoing leave nothing that could be undone first.
    since = [row for row in _that_count(all_since) if row.undoes not in numbers]
    named = ", ".join(str(row.load_id) for row in since[:_NAMED_LOADS])
    more = f" and {len(since) - _NAMED_LOADS} more" if len(since) > _NAMED_LOADS else ""
    reason = (
        f"{differing} of its features of {layer.name} have been changed since, by load "
        f"{named}{more}; undo the later ones first"
    )
    raise CannotUndo(load_id, reason, [row.load_id for row in since])


def _refuse_dangling(work: _Undoing, layer: Layer, load_id: int) -> None:
    for other in _referring(layer):
        count, example = work.references_to_gone(other)
        if count:
            such_as = f", such as {example}" if example is not None else ""
            reason = (
                f"{count} features of {other.name} end at features of {layer.name} that would be "
                f"gone{such_as}; undo their load first"
            )
            raise CannotUndo(load_id, reason)


class _Undoing:
    """Statements of one undoing; identifiers come from the registry and from numbers of ours."""

    def __init__(
        self, connection: Connection, layer: Layer, load_recorded_at: datetime, number: int
    ) -> None:
        self._connection = connection
        self._layer = layer
        self._rewrite = Rewrite(connection, layer, number)
        self._before = f"{STAGING_SCHEMA}.before_{number}"
        self._differing = f"{STAGING_SCHEMA}.differing_{number}"
        self._at = {"loaded_at": load_recorded_at}

    @property
    def touched(self) -> Touched:
        """The versions that the undoing opened and closed."""
        return self._rewrite.touched

    def find_touched(self) -> None:
        """Find the features that the load touched, and the versions that were held before it."""
        held, past, changed = self._rewrite.held, self._rewrite.past, self._rewrite.changed
        self._rewrite.create_changed()
        self._run(
            f"""
            INSERT INTO {changed} (feature_id)
            SELECT feature_id FROM {held} WHERE lower(recorded_during) = :loaded_at
            UNION
            SELECT feature_id FROM {past}
            WHERE lower(recorded_during) = :loaded_at OR upper(recorded_during) = :loaded_at"""
        )
        self._run(f"ANALYZE {changed}")
        self._run(
            f"""
            CREATE UNLOGGED TABLE {self._before} AS
            {
                self._believed(
                    "lower(h.recorded_during) < :loaded_at AND "
                    "(upper_inf(h.recorded_during) "
                    "OR upper(h.recorded_during) >= :loaded_at)"
                )
            }"""
        )

    def count_touched(self) -> int:
        """How many features the load touched."""
        return int(self._scalar(f"SELECT count(*) FROM {self._rewrite.changed}"))

    def find_differing(self) -> int:
        """Find the touched features that are no longer held as they were right after the load.

        Returns:
            How many there are.
        """
        after = self._compared(self._believed("h.recorded_during @> :loaded_at"))
        now = self._compared(self._believed("upper_inf(h.recorded_during)"))
        self._run(
            f"""
            CREATE UNLOGGED TABLE {self._differing} AS
            SELECT DISTINCT feature_id FROM (
                (({after}) EXCEPT ALL ({now})) UNION ALL (({now}) EXCEPT ALL ({after}))
            ) d"""
        )
        return int(self._scalar(f"SELECT count(*) FROM {self._differing}"))

    def publications_since_of_differing(self) -> Sequence[Any]:
        """Later publications that touched these features: load_id and undoes, oldest first."""
        held, past = self._rewrite.held, self._rewrite.past
        of_differing = f"JOIN {self._differing} d USING (feature_id)"
        opened = " UNION ".join(
            f"SELECT lower(h.recorded_during) FROM {held} h {of_differing} WHERE {which}"
            for which in BY_INDEX.values()
        )
        statement = f"""
            SELECT l.load_id, l.undoes FROM {SCHEMA}.loads l
            WHERE l.layer = :layer AND l.recorded_at IN (
                {opened}
                UNION SELECT lower(p.recorded_during) FROM {past} p {of_differing}
                UNION SELECT upper(p.recorded_during) FROM {past} p {of_differing}
            ) AND l.recorded_at > :loaded_at
            ORDER BY l.recorded_at"""
        parameters = {**self._at, "layer": self._layer.name}
        return self._connection.execute(text(statement), parameters).all()

    def restore(self, recorded_at: datetime) -> tuple[int, int]:
        """Hold what was held before; how many versions were closed, and how many are held again.

        What differs in nothing but the load that brought it is closed too: of a load that raised a
        clearance, nothing must stay held.
        """
        rewrite, before = self._rewrite, self._before
        content = (
            "natural_key",
            "key_derived",
            *rewrite.attributes,
            "admin_code",
            "load_id",
            "geom",
        )
        is_equal = (
            "b.feature_id = h.feature_id AND b.valid_during = h.valid_during AND "
            f"({', '.join(f'b.{c}' for c in content)}) IS NOT DISTINCT FROM "
            f"({', '.join(f'h.{c}' for c in content)})"
        )
        deleted = ", ".join(
            f"""gone_{name} AS (
                DELETE FROM {rewrite.held} h USING {rewrite.changed} c
                WHERE h.feature_id = c.feature_id AND {which}
                  AND NOT EXISTS (SELECT FROM {before} b WHERE {is_equal})
                RETURNING h.*
            )"""
            for name, which in BY_INDEX.items()
        )
        at = {"recorded_at": recorded_at}
        closed = rewrite.run(
            f"""
            WITH {deleted},
            gone AS (SELECT * FROM gone_open UNION ALL SELECT * FROM gone_ended),
            touched AS (
                INSERT INTO {rewrite.touched.table} ({COLUMNS}) SELECT {COLUMNS} FROM gone
            )
            INSERT INTO {rewrite.past} ({rewrite.column_list})
            SELECT {rewrite.kept("g")}, g.valid_during,
                   tstzrange(lower(g.recorded_during), :recorded_at), g.geom
            FROM gone g""",
            at,
        )
        restoring = f"""
            INSERT INTO {rewrite.held} ({rewrite.column_list})
            SELECT {rewrite.kept("b")}, b.valid_during, tstzrange(:recorded_at, NULL), b.geom
            FROM {before} b
            WHERE NOT EXISTS (SELECT FROM {rewrite.held} h
                              WHERE h.feature_id = b.feature_id
                                AND h.valid_during = b.valid_during)"""
        restored = rewrite.run(rewrite.touched.noting(restoring), at)
        rewrite.refuse_overlaps()
        return closed, restored

    def references_to_gone(self, other: Layer) -> tuple[int, str | None]:
        """How many features of another layer end at touched features that are held no more.

        The example is of no higher clearance than that layer: who may undo need not see the others.
        """
        ends = other.end_nodes
        assert ends is not None  # noqa: S101  # for mypy: only referring layers come here
        row = self._connection.execute(
            text(
                f"""
                WITH gone AS (
                    SELECT DISTINCT p.natural_key
                    FROM {self._rewrite.past} p JOIN {self._rewrite.changed} c USING (feature_id)
                    WHERE NOT EXISTS (SELECT FROM {self._rewrite.held} h
                                      WHERE h.natural_key = p.natural_key
                                        AND upper_inf(h.valid_during))
                      AND upper_inf(p.valid_during)
                )
                SELECT count(*), min(o.natural_key) FILTER (WHERE o.clearance <= :level)
                FROM {qualified(other)} o
                WHERE upper_inf(o.valid_during)
                  AND (o.{ends.start} IN (SELECT natural_key FROM gone)
                       OR o.{ends.end} IN (SELECT natural_key FROM gone))"""
            ),
            {"level": int(other.clearance)},
        ).one()
        return row[0], row[1]

    def clean_up(self) -> None:
        """Drop the tables of the undoing."""
        self._run(f"DROP TABLE {self._before}, {self._differing}")
        self._rewrite.drop_changed()

    def _believed(self, when: str) -> str:
        """Versions ``h`` of touched features that meet a condition."""
        columns = ", ".join(f"h.{column}" for column in self._rewrite.columns)
        parts = [(self._rewrite.held, which) for which in BY_INDEX.values()]
        return " UNION ALL ".join(
            f"SELECT {columns} FROM {table} h JOIN {self._rewrite.changed} c USING (feature_id) "
            f"WHERE {which} AND {when}"
            for table, which in [*parts, (self._rewrite.past, "true")]
        )

    def _compared(self, versions: str) -> str:
        """What two states of a feature are compared by: all but level, load and recorded time."""
        left_out = ("clearance", "load_id", "recorded_during")
        compared = ", ".join(f"v.{c}" for c in self._rewrite.columns if c not in left_out)
        return f"SELECT {compared} FROM ({versions}) v"

    def _run(self, statement: str) -> None:
        self._connection.execute(text(statement), self._at)

    def _scalar(self, statement: str) -> Any:
        return self._connection.execute(text(statement)).scalar_one()

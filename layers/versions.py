"""Which versions hold at an instant or in an interval: the one place that knows the time model.

Readers name the views of their role (``FROM pipelines``). A read is a UNION ALL of two branches, so
that the present does not pay for the past: versions without an end that have begun, and the few
that have an end. Each branch matches the partial indexes of ``layers.ddl``. A read of what was
believed at an earlier instant adds a branch over the versions that are no longer believed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    DateTime,
    Select,
    TableClause,
    and_,
    bindparam,
    func,
    select,
    table,
    union_all,
)
from sqlalchemy import column as sql_column
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.types import TypeEngine

from layers.access import Clearance
from layers.base import STORAGE_SRID, TILE_SRID, Layer
from layers.extent import TimeInterval
from layers.tables import past_name, sql_type
from layers.views import readable_columns

Condition = Callable[[TableClause], ColumnElement[bool]]
"""Makes a condition on one branch of a read."""

Columns = Callable[[TableClause], Sequence[ColumnElement[Any]]]
"""Makes the columns of one branch of a read."""


@lru_cache(maxsize=256)
def readable(layer: Layer, level: Clearance) -> TableClause:
    """The view of the held versions of a layer as a level sees them, by its plain name."""
    return _view(layer, level, layer.name)


@lru_cache(maxsize=256)
def readable_past(layer: Layer, level: Clearance) -> TableClause:
    """The view of the versions that are no longer believed, as ``readable``."""
    return _view(layer, level, past_name(layer))


def _view(layer: Layer, level: Clearance, name: str) -> TableClause:
    types: dict[str, TypeEngine[Any]] = {
        attribute.name: sql_type(attribute) for attribute in layer.attributes
    }
    types["valid_during"] = types["recorded_during"] = TSTZRANGE()
    types["geom"] = Geometry(srid=STORAGE_SRID)
    types["geom_3857"] = Geometry(srid=TILE_SRID)
    return table(
        name, *(sql_column(name, types.get(name)) for name in readable_columns(layer, level))
    )


def at_parameter() -> ColumnElement[datetime]:
    """The bound instant ``at`` that instant reads take; aware."""
    return bindparam("at", type_=DateTime(timezone=True))


def as_recorded_parameter() -> ColumnElement[datetime]:
    """The bound instant ``as_recorded`` that reads of earlier belief take; aware."""
    return bindparam("as_recorded", type_=DateTime(timezone=True))


@dataclass(frozen=True)
class Versions:
    """The versions of a layer that a read looks at.

    Attributes:
        layer: The layer.
        level: Of the reader.
        is_earlier_belief: Whether the read is of what was believed at the bound instant
            ``as_recorded``, and not of what is believed now.
    """

    layer: Layer
    level: Clearance
    is_earlier_belief: bool = False

    @property
    def held(self) -> TableClause:
        """The view of held versions."""
        return readable(self.layer, self.level)

    def select_at(
        self, columns: Columns, conditions: Sequence[Condition], *, first: int | None = None
    ) -> CompoundSelect[Any]:
        """Versions that hold at the bound instant ``at``.

        Args:
            columns: Makes the columns of one branch.
            conditions: Make conditions on one branch.
            first: Of each branch only so many, by feature_id and beginning: the first of the whole
                are among these, and each branch reads them from an index instead of sorting the
                layer.
        """
        at = at_parameter()

        def began(view: TableClause) -> ColumnElement[bool]:
            return func.lower(view.c.valid_during) <= at

        def holds(view: TableClause) -> ColumnElement[bool]:
            return view.c.valid_during.op("@>")(at)

        def holds_and_ends(view: TableClause) -> ColumnElement[bool]:
            if first is None:
                return holds(view)
            # Says nothing new, but is found in the index by feature, where a range is not.
            return and_(holds(view), func.upper(view.c.valid_during) > at, began(view))

        return self._branches(columns, conditions, (began, holds_and_ends, holds), first)

    def select_during(
        self,
        columns: Columns,
        conditions: Sequence[Condition],
        interval: TimeInterval,
        *,
        first: int | None = None,
    ) -> CompoundSelect[Any]:
        """Versions that hold in a part of a closed interval, otherwise as ``select_at``."""
        asked = Range(interval.start, interval.end, bounds="[]")

        def overlaps(view: TableClause) -> ColumnElement[bool]:
            return view.c.valid_during.op("&&")(bindparam("during", asked, type_=TSTZRANGE))

        return self._branches(columns, conditions, (overlaps, overlaps, overlaps), first)

    def _branches(
        self,
        columns: Columns,
        conditions: Sequence[Condition],
        times: tuple[Condition, Condition, Condition],
        first: int | None,
    ) -> CompoundSelect[Any]:
        """The branches of a read.

        Args:
            times: Of held versions without an end, of held versions with one, and of past versions,
                which may have an end or none.
        """
        when_open, when_ended, when_past = times

        def branch(view: TableClause, *when: Condition) -> Select[Any]:
            met = (condition(view) for condition in (*when, *conditions))
            rows = select(*columns(view)).where(and_(*met))
            if first is None:
                return rows
            return rows.order_by(view.c.feature_id, func.lower(view.c.valid_during)).limit(first)

        held = self.held
        if not self.is_earlier_belief:
            return union_all(branch(held, _is_open, when_open), branch(held, _is_ended, when_ended))
        past = readable_past(self.layer, self.level)
        return union_all(
            branch(held, _is_open, when_open, _was_recorded),
            branch(held, _is_ended, when_ended, _was_recorded),
            branch(past, when_past, _was_believed),
        )


def _is_open(view: TableClause) -> ColumnElement[bool]:
    return func.upper_inf(view.c.valid_during)


def _is_ended(view: TableClause) -> ColumnElement[bool]:
    return ~func.upper_inf(view.c.valid_during)


def _was_recorded(view: TableClause) -> ColumnElement[bool]:
    """What is held now was believed since it was recorded."""
    return func.lower(view.c.recorded_during) <= as_recorded_parameter()


def _was_believed(view: TableClause) -> ColumnElement[bool]:
    return view.c.recorded_during.op("@>")(as_recorded_parameter())

"""Which versions hold at an instant or in an interval: the one place that knows the time model.

Readers name the views of their role (``FROM pipelines``). A read is a UNION ALL of two branches, so
that the present does not pay for the past: versions without an end that have begun, and the few
that have an end. Each branch matches the partial indexes of ``layers.ddl``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from layers.tables import sql_type
from layers.views import readable_columns

Condition = Callable[[TableClause], ColumnElement[bool]]
"""Makes a condition on one branch of a read."""


@lru_cache(maxsize=256)
def readable(layer: Layer, level: Clearance) -> TableClause:
    """The view of a layer as a level sees it, by its plain name."""
    types: dict[str, TypeEngine[Any]] = {
        attribute.name: sql_type(attribute) for attribute in layer.attributes
    }
    types["valid_during"] = types["recorded_during"] = TSTZRANGE()
    types["geom"] = Geometry(srid=STORAGE_SRID)
    types["geom_3857"] = Geometry(srid=TILE_SRID)
    return table(
        layer.name, *(sql_column(name, types.get(name)) for name in readable_columns(layer, level))
    )


def at_parameter() -> ColumnElement[datetime]:
    """The bound instant ``at`` that instant reads take; aware."""
    return bindparam("at", type_=DateTime(timezone=True))


def select_at(
    view: TableClause,
    columns: Sequence[ColumnElement[Any]],
    conditions: Sequence[Condition],
    *,
    first: int | None = None,
) -> CompoundSelect[Any]:
    """Held versions that hold at the bound instant ``at``.

    Args:
        first: Of each branch only so many, by feature_id and beginning: the first of the whole are
            among these, and each branch reads them from an index instead of sorting the layer.
    """
    at = at_parameter()
    began = func.lower(view.c.valid_during) <= at
    holds = view.c.valid_during.op("@>")(at)
    return _two_branches(view, columns, conditions, (began, holds), first)


def select_during(
    view: TableClause,
    columns: Sequence[ColumnElement[Any]],
    conditions: Sequence[Condition],
    interval: TimeInterval,
    *,
    first: int | None = None,
) -> CompoundSelect[Any]:
    """Held versions that hold in a part of a closed interval; ``first`` as in ``select_at``."""
    asked = Range(interval.start, interval.end, bounds="[]")
    overlaps = view.c.valid_during.op("&&")(bindparam("during", asked, type_=TSTZRANGE))
    return _two_branches(view, columns, conditions, (overlaps, overlaps), first)


def _two_branches(
    view: TableClause,
    columns: Sequence[ColumnElement[Any]],
    conditions: Sequence[Condition],
    when: tuple[ColumnElement[bool], ColumnElement[bool]],
    first: int | None,
) -> CompoundSelect[Any]:
    def branch(*when: ColumnElement[bool]) -> Select[Any]:
        rows = select(*columns).where(and_(*when, *(make(view) for make in conditions)))
        if first is None:
            return rows
        return rows.order_by(view.c.feature_id, func.lower(view.c.valid_during)).limit(first)

    when_open, when_ended = when

    is_open = func.upper_inf(view.c.valid_during)
    return union_all(branch(is_open, when_open), branch(~is_open, when_ended))

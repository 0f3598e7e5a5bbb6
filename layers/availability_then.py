"""Facilities as they were, or as they were believed to be, with the figures of then.

The present is read from views that keep the newest figure at hand (``layers.availability``). Any
other instant is read from the versions of the facilities and from all that was ever observed: of
each candidate the newest figure observed until then, as it was known at ``as_recorded``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Double,
    Integer,
    Select,
    TableClause,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    table,
    text,
    true,
    tuple_,
    type_coerce,
)
from sqlalchemy import column as sql_column
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from layers.access import Clearance
from layers.base import TILE_SRID
from layers.facilities import LAYER as FACILITIES
from layers.facility_filters import AlongRoute, Area, Filters, bound_for_sqlalchemy
from layers.observations import AVAILABILITY
from layers.versions import Condition, Versions, as_recorded_parameter, at_parameter
from layers.views import FIGURES, LIVE_COLUMNS

_INSTANT = DateTime(timezone=True)
_SERIES = table(
    "series",
    sql_column("series_id", Integer),
    sql_column("feature_id", BigInteger),
    sql_column("property", Text),
    sql_column("resource_type", Text),
    sql_column("source", Text),
    sql_column("ttl_s", Integer),
)
_FIGURES = table(
    FIGURES,
    sql_column("series_id", Integer),
    sql_column("observed_at", _INSTANT),
    sql_column("received_at", _INSTANT),
    sql_column("available", Integer),
    sql_column("capacity", Integer),
    sql_column("status", Integer),
)


def search_then_statement(
    level: Clearance,
    filters: Filters,
    area: Area | None,
    *,
    has_place: bool,
    is_later_page: bool,
    is_earlier_belief: bool,
) -> str:
    """The search of the past as psycopg text; parameters and columns as those of the present.

    Around a place the nearest come first, and ``after_value`` and ``after_id`` are not bound: its
    pages are cut by geodesic metres. ``as_recorded`` is bound too where the read is of earlier
    belief.
    """

    def is_wanted(view: TableClause) -> ColumnElement[bool]:
        found = filters.conditions(bound_for_sqlalchemy, view.name)
        if area is not None:
            found.append(area.condition(bound_for_sqlalchemy, view.name))
        return and_(true(), *(text(one) for one in found))

    def sort_value(view: TableClause) -> ColumnElement[float]:
        if has_place:
            return view.c.geom_3857.op("<->", return_type=Double)(_place())
        if isinstance(area, AlongRoute):
            return type_coerce(text(area.order(bound_for_sqlalchemy, view.name)), Double)
        return _no_order(view)

    conditions = [_is_near, is_wanted] if has_place else [is_wanted]
    candidates = _candidates(level, conditions, sort_value, is_earlier_belief=is_earlier_belief)
    value, feature_id = (candidates.selected_columns[n] for n in ("sort_value", "feature_id"))
    if is_later_page and not has_place:
        last = (bindparam("after_value", type_=Double), bindparam("after_id", type_=BigInteger))
        candidates = candidates.where(tuple_(value, feature_id) > tuple_(*last))
    order = (value,) if has_place else (value, feature_id)
    return _with_figures(
        candidates.order_by(*order).limit(bindparam("wanted", type_=Integer)),
        is_earlier_belief=is_earlier_belief,
        by_resource=filters.resource_type is not None,
    )


def _place() -> ColumnElement[Any]:
    here_x, here_y = (bindparam(name, type_=Double) for name in ("here_x", "here_y"))
    srid: ColumnElement[int] = literal_column(str(TILE_SRID))
    return select(func.ST_SetSRID(func.ST_MakePoint(here_x, here_y), srid)).scalar_subquery()


def _is_near(view: TableClause) -> ColumnElement[bool]:
    reach = bindparam("reach", type_=Double)
    return view.c.geom_3857.op("@")(func.ST_Expand(_place(), reach))


def _no_order(_: TableClause) -> ColumnElement[float]:
    return literal_column("0.0::double precision", Double)


@lru_cache(maxsize=16)
def facility_then_statement(level: Clearance, *, is_earlier_belief: bool) -> str:
    """One facility at an instant; ``feature_id`` and ``at`` are bound, and ``as_recorded`` too."""

    def is_it(view: TableClause) -> ColumnElement[bool]:
        return view.c.feature_id == bindparam("feature_id", type_=BigInteger)

    candidates = _candidates(level, [is_it], _no_order, is_earlier_belief=is_earlier_belief)
    return _with_figures(candidates, is_earlier_belief=is_earlier_belief)


def _candidates(
    level: Clearance,
    conditions: Sequence[Condition],
    sort_value: Callable[[TableClause], ColumnElement[float]],
    *,
    is_earlier_belief: bool,
) -> Select[Any]:
    """Facilities that held at ``at``: feature_id, attributes, lon, lat and sort_value."""
    names = [attribute.name for attribute in FACILITIES.attributes_at(level)]

    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        return [
            view.c.feature_id,
            *(view.c[name] for name in names),
            func.ST_X(view.c.geom).label("lon"),
            func.ST_Y(view.c.geom).label("lat"),
            sort_value(view).label("sort_value"),
        ]

    versions = Versions(FACILITIES, level, is_earlier_belief=is_earlier_belief)
    return select(versions.select_at(columns, conditions).subquery("f"))


def _with_figures(
    facilities: Select[Any], *, is_earlier_belief: bool, by_resource: bool = False
) -> str:
    """The facilities with the figure of then, in the columns of the present's statements."""
    f = facilities.subquery("nearest")
    known = _FIGURES.c.received_at <= as_recorded_parameter() if is_earlier_belief else true()
    resource = bindparam("resource_type", type_=Text)
    is_of_resource = _SERIES.c.resource_type == resource if by_resource else true()
    figure = (
        select(
            *(_SERIES.c[name] if name in _SERIES.c else _FIGURES.c[name] for name in LIVE_COLUMNS)
        )
        .join_from(_SERIES, _FIGURES, _SERIES.c.series_id == _FIGURES.c.series_id)
        .where(
            _SERIES.c.feature_id == f.c.feature_id,
            _SERIES.c.property == literal_column(f"'{AVAILABILITY}'"),
            _FIGURES.c.observed_at <= at_parameter(),
            known,
            is_of_resource,
        )
        # Of a figure that was corrected, the one that was received last.
        .order_by(_FIGURES.c.observed_at.desc(), _FIGURES.c.received_at.desc())
        .limit(literal_column("1"))
        .lateral("live")
    )
    last = ("lon", "lat", "sort_value")
    plain = [column for column in f.c if column.name not in last]
    statement = (
        select(*plain, *figure.c, *(f.c[name] for name in last))
        .join_from(f, figure, true(), isouter=True)
        .order_by(f.c.sort_value, f.c.feature_id)
    )
    return str(statement.compile(dialect=psycopg_dialect()))  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy

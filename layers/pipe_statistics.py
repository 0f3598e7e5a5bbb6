"""How many pipes there are, how long and how old, by what they are and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    Select,
    TableClause,
    cast,
    extract,
    func,
    literal,
    select,
)
from sqlalchemy.types import Date

from layers.access import Clearance
from layers.pipelines import LAYER as PIPELINES
from layers.versions import Versions

_DAYS_OF_YEAR = 365.2425
_DISTRICT_DIGITS = 6
"""Of an administrative code, by GB/T 2260; what follows are street and community."""

GROUPINGS: Mapping[str, Callable[[TableClause], ColumnElement[Any]]] = {
    "kind": lambda view: view.c.kind,
    "material": lambda view: view.c.material,
    "district": lambda view: func.left(view.c.admin_code, _DISTRICT_DIGITS),
    "year": lambda view: cast(extract("year", view.c.installed_on), Integer),
}
"""By what pipes may be told apart: ``year`` is that in which they were installed."""

FIGURES = ("count", "length_m", "mean_age_years", "age_known_count")


def select_statistics(
    level: Clearance,
    by: Sequence[str],
    at: datetime,
    as_recorded: datetime | None,
    *,
    most: int,
) -> Select[Any]:
    """The statement of the figures, by group, groups of unknown last.

    Rows: the names of ``by``, then ``FIGURES``. Lengths are metres on the ellipsoid; the age is the
    mean of the pipes whose year of installation is known, years until ``at``.

    Args:
        by: Of ``GROUPINGS``.
        at: Of valid time, aware.
        as_recorded: Of recorded time, aware; None is what is believed now.
        most: Groups at most.
    """

    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        return [
            *(GROUPINGS[name](view).label(name) for name in by),
            func.ST_Length(func.geography(view.c.geom), type_=Double).label("length_m"),
            view.c.installed_on,
        ]

    instants = {"at": at} | ({} if as_recorded is None else {"as_recorded": as_recorded})
    read = Versions(PIPELINES, level, is_earlier_belief=as_recorded is not None)
    pipes = read.select_at(columns, []).params(**instants).subquery("pipes")
    groups = [pipes.c[name] for name in by]
    age_days = cast(literal(at.date(), Date) - pipes.c.installed_on, Double)
    return (
        select(
            *groups,
            func.count().label("count"),
            func.sum(pipes.c.length_m).label("length_m"),
            (func.avg(age_days) / _DAYS_OF_YEAR).label("mean_age_years"),
            func.count(pipes.c.installed_on).label("age_known_count"),
        )
        .group_by(*groups)
        .order_by(*(group.asc().nulls_last() for group in groups))
        .limit(most)
    )

"""Reading the catalogue of rasters: the version of each that holds at an instant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Select,
    TableClause,
    Text,
    any_,
    bindparam,
    cast,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from layers.errors import UnknownRaster
from layers.rasters import readable_rasters

_INSTANT = DateTime(timezone=True)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}|[1-9][0-9]{0,15}", re.ASCII)


def raster_names(said: str) -> tuple[str, ...]:
    """The parts of a path that names rasters, each by its name or its number.

    Raises:
        UnknownRaster: one is such that no raster can be called so.
    """
    return tuple(raster_name(name) for name in said.split(","))


def raster_name(said: str) -> str:
    """The part of a path that names one raster, by its name or its number.

    Raises:
        UnknownRaster: no raster can be called so.
    """
    if not _NAME.fullmatch(said):
        raise UnknownRaster(said)
    return said


def numbers_among(names: Sequence[str]) -> list[int]:
    """Those of some names that are numbers of rasters."""
    return [int(name) for name in names if name.isdigit()]


@lru_cache(maxsize=2)
def versions_by_name(*, is_earlier_belief: bool) -> str:
    """The statement of the versions of some rasters, as psycopg text.

    Parameters: ``names`` (texts), ``numbers`` (integers), ``at`` (aware instant of valid time) and,
    for a read of earlier belief, ``as_recorded`` (aware instant of recorded time).
    """
    view = readable_rasters()
    named = or_(
        view.c.name == any_(cast(bindparam("names"), ARRAY(Text))),
        view.c.raster_id == any_(cast(bindparam("numbers"), ARRAY(BigInteger))),
    )
    statement = select(view).where(named, *_holds(view, is_earlier_belief=is_earlier_belief))
    return str(statement.compile(dialect=psycopg_dialect()))  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy


def all_versions(at: datetime, as_recorded: datetime | None) -> Select[Any]:
    """The statement of all rasters that hold at an instant, by name."""
    view = readable_rasters()
    holds = _holds(view, is_earlier_belief=as_recorded is not None)
    statement = select(view).where(*holds).order_by(view.c.name)
    values = {"at": at} | ({} if as_recorded is None else {"as_recorded": as_recorded})
    return statement.params(**values)


def _holds(view: TableClause, *, is_earlier_belief: bool) -> list[ColumnElement[bool]]:
    valid = view.c.valid_during.op("@>")(bindparam("at", type_=_INSTANT))
    if is_earlier_belief:
        return [valid, view.c.recorded_during.op("@>")(bindparam("as_recorded", type_=_INSTANT))]
    return [valid, func.upper_inf(view.c.recorded_during)]

"""Taking a load of a raster back, by the rules by which ``layers.undo`` takes back other loads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from layers.errors import CannotUndo
from layers.rasters import LAYER_NAME, close_versions, hold_again, tell_caches
from layers.system_tables import loads, rasters

_NOT_COMPARED = ("version_id", "recorded_during", "clearance")
"""A clearance that was raised stays raised, so it makes no difference."""


def restore_raster(
    connection: Connection, load_id: int, loaded_at: datetime, recorded_at: datetime
) -> tuple[int, int]:
    """Hold again what was held before a load, under the lock of rasters.

    Args:
        loaded_at: Recorded instant of the load; each publication has one of its own.
        recorded_at: That of the undoing.

    Returns:
        How many versions were closed, and how many are held again.

    Raises:
        CannotUndo: the load changed nothing, is undone already, or the raster has changed since.
    """
    lower, upper = func.lower(rasters.c.recorded_during), func.upper(rasters.c.recorded_during)
    name: str | None = connection.execute(
        select(rasters.c.name).where(or_(lower == loaded_at, upper == loaded_at)).limit(1)
    ).scalar()
    if name is None:
        raise CannotUndo(load_id, "it changed nothing")
    after = _versions(connection, name, rasters.c.recorded_during.op("@>")(loaded_at))
    now = _versions(connection, name, func.upper_inf(rasters.c.recorded_during))
    if after.keys() != now.keys():
        _refuse(connection, load_id, name, loaded_at)
    was_held = or_(func.upper_inf(rasters.c.recorded_during), upper >= loaded_at)
    before = _versions(connection, name, lower < loaded_at, was_held)
    gone = [row.version_id for content, row in now.items() if content not in before]
    back = [row for content, row in before.items() if content not in now]
    close_versions(connection, rasters.c.version_id.in_(gone), recorded_at)
    for row in back:
        hold_again(connection, row, row.valid_during, recorded_at)
    tell_caches(connection)
    return len(gone), len(back)


def _versions(
    connection: Connection, name: str, *conditions: ColumnElement[bool]
) -> dict[tuple[str, ...], Row[Any]]:
    """Versions of a raster by all that they say; NaN, unequal to itself, goes by its word."""
    rows: Sequence[Row[Any]] = connection.execute(
        select(rasters).where(rasters.c.name == name, *conditions)
    ).all()
    compared = [c.name for c in rasters.c if c.name not in _NOT_COMPARED]
    return {tuple(str(row._mapping[column]) for column in compared): row for row in rows}


def _refuse(connection: Connection, load_id: int, name: str, loaded_at: datetime) -> None:
    lower, upper = func.lower(rasters.c.recorded_during), func.upper(rasters.c.recorded_during)
    instants = (
        select(lower)
        .where(rasters.c.name == name)
        .union(select(upper).where(rasters.c.name == name))
    )
    since = connection.execute(
        select(loads.c.load_id, loads.c.undoes)
        .where(loads.c.layer == LAYER_NAME, loads.c.recorded_at > loaded_at)
        .where(loads.c.recorded_at.in_(instants))
        .order_by(loads.c.recorded_at)
    ).all()
    undone = [row.load_id for row in since if row.undoes == load_id]
    if undone:
        raise CannotUndo(load_id, f"it was undone already, by load {undone[-1]}")
    named = ", ".join(str(row.load_id) for row in since)
    reason = f"raster {name} has been changed since, by load {named}; undo the later ones first"
    raise CannotUndo(load_id, reason, [row.load_id for row in since])

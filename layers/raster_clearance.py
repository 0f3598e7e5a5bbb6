"""Raising and lowering the clearance of a raster, for all its versions at once."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from layers.access import Clearance
from layers.errors import InvalidParameter, UnknownRaster
from layers.rasters import LAYER_NAME, tell_caches
from layers.rewrite import lock_layer, take_instant
from layers.system_tables import loads, rasters


def set_raster_clearance(
    connection: Connection, name: str, clearance: Clearance, reason: str
) -> Clearance:
    """Give a raster a clearance, inside the caller's open transaction.

    Today's classification decides for every instant, so past versions get it too. The history of
    loads says what was done and why.

    Args:
        connection: Of the loader role; committing it is the caller's.
        reason: Why; may be empty where nothing is lowered.

    Returns:
        The clearance that it had.

    Raises:
        UnknownRaster: there is none of that name.
        InvalidParameter: it would be lowered without a reason.
        LoadInProgress: a publication did not end in time.
    """
    lock_layer(connection, LAYER_NAME)
    held = connection.execute(
        select(rasters.c.clearance).where(rasters.c.name == name).limit(1)
    ).scalar()
    if held is None:
        raise UnknownRaster(name)
    before = Clearance(held)
    if clearance < before and not reason.strip():
        raise InvalidParameter("reason", reason, f"is needed to lower what is {before.label}")
    if clearance == before:
        return before
    connection.execute(
        update(rasters).where(rasters.c.name == name).values(clearance=int(clearance))
    )
    change = f"clearance of {name}: {before.label} to {clearance.label}"
    connection.execute(
        insert(loads).values(
            layer=LAYER_NAME,
            source={"files": [], "raster": name},
            state="published",
            recorded_at=take_instant(connection, LAYER_NAME),
            message=f"{change}; {reason.strip()}" if reason.strip() else change,
        )
    )
    tell_caches(connection)
    return before

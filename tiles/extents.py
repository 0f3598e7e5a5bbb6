"""How far layers reach, for the bounds of a TileJSON: nobody asks for tiles beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection

from layers.base import STORAGE_SRID, TILE_SRID, Layer
from layers.ddl import ENDED, OPEN
from layers.extent import BBox
from layers.overview_tables import EARTH_HALF_M

_EDGES = {
    # Of the box of a geometry, the edge of the world to which the outermost is nearest, and which
    # of the outermost of several branches is the outermost of all.
    "ST_XMin": ((-1, -1, -1, 1), "least"),
    "ST_YMin": ((-1, -1, 1, -1), "least"),
    "ST_XMax": ((1, -1, 1, 1), "greatest"),
    "ST_YMax": ((-1, 1, 1, 1), "greatest"),
}


async def read_extent(connection: AsyncConnection[Any], layers: Sequence[Layer]) -> BBox | None:
    """The box around all that is held of layers, at any instant of valid time; degrees.

    Args:
        connection: Logged in as a reader role, which sees no further than its level.

    Returns:
        None where there is nothing.
    """
    extent: BBox | None = None
    for layer in layers:
        cursor = await connection.execute(_statement(layer.name).encode(), prepare=True)
        row = await cursor.fetchone()
        if row is not None and None not in row:
            extent = BBox(*row).around(extent)
    return extent


@lru_cache(maxsize=256)
def _statement(view: str) -> str:
    """West, south, east and north of a view in one row: eight looks into indexes of places."""
    west, south, east, north = (_outermost(view, coordinate) for coordinate in _EDGES)
    return (
        f"WITH reach AS MATERIALIZED "
        f"(SELECT {_degrees(west, south)} AS low, {_degrees(east, north)} AS high) "
        "SELECT ST_X(low), ST_Y(low), ST_X(high), ST_Y(high) FROM reach"
    )


def _outermost(view: str, coordinate: str) -> str:
    corners, outermost = _EDGES[coordinate]
    line = ", ".join(f"{sign * EARTH_HALF_M!r}" for sign in corners)
    # Distances of boxes are what the index orders by; each branch has an index of its own.
    branches = ", ".join(
        f"(SELECT {coordinate}(geom_3857) FROM {view} WHERE {when} "
        f"ORDER BY geom_3857 <#> ST_MakeEnvelope({line}, {TILE_SRID}) LIMIT 1)"
        for when in (OPEN, ENDED)
    )
    return f"{outermost}({branches})"


def _degrees(x: str, y: str) -> str:
    return f"ST_Transform(ST_SetSRID(ST_MakePoint({x}, {y}), {TILE_SRID}), {STORAGE_SRID})"

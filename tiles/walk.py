"""Which tiles of an area can hold something: down the quadtree, past what is empty.

What touches a tile with its margin touches its parent with the parent's, which is twice as wide. So
below a tile that nothing touches there is nothing, at any zoom.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy import ColumnElement, Double, TableClause, bindparam, func, literal_column, select
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from layers.base import TILE_SRID
from layers.extent import BBox
from tiles.grids import EARTH_HALF_M, Box, Grid
from tiles.matrix import TileAddress
from tiles.query import TileQuery, timeless
from tiles.vector import TileOptions

_DIALECT = psycopg_dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy

_EARTH_M = EARTH_HALF_M / math.pi
_NEAR_POLE_DEG = 89.9
"""Mercator has no place for what lies beyond, and tables of it no feature."""

_REACH = ("west", "south", "east", "north")


@dataclass(frozen=True)
class TileRange:
    """The tiles of an area over some zooms.

    Attributes:
        bbox: Degrees; may cross the antimeridian.
        minzoom: First zoom.
        maxzoom: Last zoom.
    """

    grid: Grid
    bbox: BBox
    minzoom: int
    maxzoom: int

    def roots(self) -> list[TileAddress]:
        """The tiles of the grid's first zoom that touch the area."""
        z = self.grid.first_zoom
        columns, rows = self.grid.shape(z)
        return self.within(
            TileAddress(z, x, y, self.grid) for x in range(columns) for y in range(rows)
        )

    def children(self, address: TileAddress) -> list[TileAddress]:
        """The tiles of the next zoom within a tile that touch the area."""
        z, x, y = address.z + 1, 2 * address.x, 2 * address.y
        return self.within(
            TileAddress(z, x + right, y + down, self.grid) for down in (0, 1) for right in (0, 1)
        )

    def within(self, addresses: Iterator[TileAddress]) -> list[TileAddress]:
        """Those of some tiles that touch the area."""
        parts = self.bbox.parts()
        return [one for one in addresses if any(_overlap(lon_lat_box(one), p) for p in parts)]


def lon_lat_box(address: TileAddress) -> BBox:
    """The box of a tile in degrees."""
    west, south, east, north = address.box
    if address.grid.srid != TILE_SRID:
        return BBox(west, south, east, north)
    lon_west, lon_east = (x / EARTH_HALF_M * 180 for x in (west, east))
    lat_south, lat_north = (
        math.degrees(math.atan(math.sinh(y / _EARTH_M))) for y in (south, north)
    )
    return BBox(lon_west, lat_south, lon_east, lat_north)


def _overlap(a: BBox, b: BBox) -> bool:
    return a.west <= b.east and b.west <= a.east and a.south <= b.north and b.south <= a.north


def mercator_reach(address: TileAddress, margin: float) -> Box:
    """The box in Web Mercator that a tile reaches with its margin, metres.

    Args:
        margin: Share of the tile's width added on each side.
    """
    west, south, east, north = address.box
    more = margin * (east - west)
    west, south, east, north = west - more, south - more, east + more, north + more
    if address.grid.srid == TILE_SRID:
        return west, south, east, north
    return _metres_east(west), _metres_north(south), _metres_east(east), _metres_north(north)


def _metres_east(lon_deg: float) -> float:
    return lon_deg / 180 * EARTH_HALF_M


def _metres_north(lat_deg: float) -> float:
    lat = math.radians(max(-_NEAR_POLE_DEG, min(_NEAR_POLE_DEG, lat_deg)))
    return _EARTH_M * math.asinh(math.tan(lat))


@lru_cache(maxsize=256)
def _statement(query: TileQuery) -> tuple[str, dict[str, Any]]:
    ends: list[ColumnElement[float]] = [bindparam(name, type_=Double) for name in _REACH]
    reach = select(func.ST_MakeEnvelope(*ends, literal_column(str(TILE_SRID)))).scalar_subquery()

    def touches(view: TableClause) -> ColumnElement[bool]:
        return view.c.geom_3857.op("&&")(reach)

    conditions = [touches]
    if query.condition is not None:
        conditions.append(query.condition.condition)
    found = query.versions.select_at(lambda view: [view.c.feature_id], conditions)
    compiled = select(found.exists()).compile(dialect=_DIALECT)
    given = {name: value for name, value in compiled.params.items() if value is not None}
    return str(compiled), given


async def is_occupied(
    connection: AsyncConnection[Any],
    queries: Sequence[TileQuery],
    address: TileAddress,
    options: TileOptions,
) -> bool:
    """Whether a feature of any query touches a tile with its margin, by its box.

    The zooms of the layers do not matter: a tile below them has children that hold something.

    Args:
        connection: Logged in as the reader role of the queries' level, in autocommit.
    """
    reach = mercator_reach(address, options.buffer / options.extent)
    for query in queries:
        text, given = _statement(timeless(query))
        parameters = {**given, **dict(zip(_REACH, reach, strict=True)), "at": query.time.at}
        if query.time.as_recorded is not None:
            parameters["as_recorded"] = query.time.as_recorded
        cursor = await connection.execute(text, parameters, prepare=True)
        row = await cursor.fetchone()
        if row is not None and row[0]:
            return True
    return False

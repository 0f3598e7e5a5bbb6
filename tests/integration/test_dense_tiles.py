"""A dense place: no tile passes the bound of bytes, at any zoom, filter, grid or belief."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import mapbox_vector_tile
import pytest
from psycopg import AsyncConnection
from sqlalchemy import ColumnElement, TableClause, text

from layers.access import Clearance
from layers.generalising import MAX_TILE_BYTES
from layers.overviews import base_zoom_of
from layers.registry import get_layer
from layers.roles import Role
from tests.support import City, publish_rows, stage_rows
from tiles.grids import CGCS2000, WEB_MERCATOR, Grid
from tiles.matrix import TileAddress
from tiles.query import TileFilter, TileQuery, TileTime
from tiles.vector import RenderedLayer, TileOptions, render_layer

ACROSS = 200
WEST, SOUTH, STEP = 114.05, 22.56, 0.00008
"""The parcels lie in one tile at zoom 13, in both grids."""

LEVEL = Clearance.PUBLIC
COUNT = ACROSS * ACROSS


@dataclass(frozen=True)
class IsFarmland:
    """A filter that half of the parcels meet."""

    canonical: str = "land_use = '01'"

    def condition(self, view: TableClause) -> ColumnElement[bool]:
        """The condition on one branch."""
        return view.c.land_use == "01"


@pytest.fixture(scope="module", autouse=True)
def parcels(city: City) -> datetime:
    """A city block of very many parcels, two land uses by turns; the instant it was recorded."""
    statement = f"""
        INSERT INTO staging.load_{{}} (row_number, natural_key, key_derived, code, land_use,
                                       clearance, geom)
        SELECT n, 'P' || n, false, 'P' || n, CASE WHEN n % 2 = 0 THEN '01' ELSE '07' END, 0,
               ST_Multi(ST_MakeEnvelope({WEST} + x * {STEP}, {SOUTH} + y * {STEP},
                                        {WEST} + (x + 0.9) * {STEP},
                                        {SOUTH} + (y + 0.5 + (n % 7) * 0.05) * {STEP}, 4490))
        FROM (SELECT n, n % {ACROSS} AS x, n / {ACROSS} AS y
              FROM generate_series(0, {COUNT - 1}) n) s"""
    with city.address.connect(Role.LOADER) as connection:
        load_id = stage_rows(connection, "parcels", [])
        connection.execute(text(statement.format(load_id)))
        done = publish_rows(connection, "parcels", load_id=load_id)
        connection.commit()
    return done.recorded_at


def test_the_base_zoom_is_where_tiles_hold_what_they_show(city: City) -> None:
    with city.address.connect(Role.LOADER) as connection:
        base = base_zoom_of(connection, get_layer("parcels"), LEVEL)

    assert base in {15, 16}


@pytest.mark.parametrize("grid", [WEB_MERCATOR, CGCS2000], ids=lambda grid: grid.name)
@pytest.mark.parametrize("what", ["now", "filtered", "believed"])
def test_no_tile_passes_the_bound_and_all_features_are_accounted_for(
    city: City, parcels: datetime, grid: Grid, what: str
) -> None:
    condition: TileFilter | None = IsFarmland() if what == "filtered" else None
    as_recorded = parcels if what == "believed" else None
    time = TileTime(datetime.now(UTC), as_recorded)
    query = TileQuery(get_layer("parcels"), LEVEL, time, condition)
    there = COUNT // 2 if condition else COUNT
    for z in (2, 8, 13):
        [(shown, left_out, size)] = asyncio.run(_tiles(city, query, grid, z, z))

        assert size <= MAX_TILE_BYTES
        assert there == shown + left_out
        assert z < 13 or what == "now" or size > 100_000


def test_tiles_of_all_zooms_keep_to_the_bound(city: City) -> None:
    query = TileQuery(get_layer("parcels"), LEVEL, TileTime(datetime.now(UTC)))

    tiles = asyncio.run(_tiles(city, query, WEB_MERCATOR, 0, 18))

    assert max(size for _, _, size in tiles) <= MAX_TILE_BYTES
    assert [0, 0] == [left_out for _, left_out, _ in tiles[17:]]


async def _tiles(
    city: City, query: TileQuery, grid: Grid, first: int, last: int
) -> list[tuple[int, int, int]]:
    """Of the tile of each zoom in the middle: features shown, left out, and bytes."""
    url = city.address.libpq_url(Role.READ_PUBLIC)
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        tiles = [await _render(connection, query, grid, z) for z in range(first, last + 1)]
    return [(_count(tile), tile.left_out, len(tile.content)) for tile in tiles]


async def _render(
    connection: AsyncConnection[Any], query: TileQuery, grid: Grid, z: int
) -> RenderedLayer:
    lon, lat = WEST + ACROSS * STEP / 2, SOUTH + ACROSS * STEP / 2
    if grid is WEB_MERCATOR:
        tile = grid.matrix_set.tile(lon, lat, z)
        address = TileAddress(z, tile.x, tile.y)
    else:
        size = grid.tile_width / 2**z
        column, row = int((lon - grid.west) / size), int((grid.north - lat) / size)
        address = TileAddress(z, column, row, grid)
    return await render_layer(connection, query, address, TileOptions())


def _count(tile: RenderedLayer) -> int:
    decoded = mapbox_vector_tile.decode(tile.content) if tile.content else {}
    return len(decoded["parcels"]["features"]) if decoded else 0

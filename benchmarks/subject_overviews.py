"""Overviews: what making them costs, and the largest and slowest tile of each zoom."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from psycopg import AsyncConnection
from rich.console import Console
from sqlalchemy import Connection, text

from benchmark_city import BenchmarkCity
from layers.access import Clearance
from layers.base import Layer
from layers.overview_tables import FINEST_ZOOM, LADDER, cells_name, qualified_cells
from layers.overviews import base_zoom_of, rebuild
from layers.registry import get_layer
from layers.rewrite import lock_layer
from layers.roles import Role
from measured import new_table, number_text
from tiles.matrix import TileAddress
from tiles.query import TileQuery, TileTime
from tiles.vector import TileOptions, render_layer

LAYERS = ("pipelines", "parcels", "pipeline_nodes", "roads", "facilities")
LEVEL = Clearance.RESTRICTED
FULLEST = 4
"""Tiles of a zoom that are looked at: those with most features, so the largest is among them."""


@dataclass(frozen=True)
class _Zoom:
    """The fullest tiles of a zoom: their largest size, median time, and what they leave out."""

    largest_bytes: int
    milliseconds: float
    left_out: int


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Make every overview anew, then render the fullest tiles of every zoom."""
    costs = new_table(
        "Overviews made anew", "layer", "features", "rows", "cells", "base", "seconds"
    )
    zooms: dict[str, dict[int, _Zoom]] = {}
    for name in LAYERS:
        layer = get_layer(name)
        with city.address().connect(Role.LOADER) as connection:
            costs.add_row(name, *_make(connection, layer, repeats))
        zooms[name] = _measure(city, layer, repeats)
    console.print(costs)
    table = new_table(
        "The fullest tiles of each zoom: kB of the largest, ms at the median, left out",
        "zoom",
        *LAYERS,
    )
    for z in range(FINEST_ZOOM + 1):
        table.add_row(str(z), *(_cell(zooms[name][z]) for name in LAYERS))
    console.print(table)


def _cell(zoom: _Zoom) -> str:
    left_out = f", {zoom.left_out:,} out" if zoom.left_out else ""
    return f"{zoom.largest_bytes / 1000:,.0f} kB {zoom.milliseconds:.1f} ms{left_out}"


def _make(connection: Connection, layer: Layer, repeats: int) -> list[str]:
    seconds = []
    for _ in range(repeats):
        lock_layer(connection, layer.name)
        began = time.perf_counter()
        rebuild(connection, layer)
        seconds.append(time.perf_counter() - began)
        connection.commit()
        connection.execute(text("SELECT city.analyze_layer(:layer)"), {"layer": layer.name})
        connection.commit()
    counts = [
        connection.execute(text(statement)).scalar_one()
        for statement in (
            f"SELECT sum(present) FROM {qualified_cells(layer)} WHERE cell_zoom = {LADDER[-1]}",
            f"SELECT count(*) FROM {qualified_cells(layer).replace('_cells', '_overview')}"
            if layer.geometry_type.dimension
            else "SELECT 0",
            f"SELECT count(*) FROM {qualified_cells(layer)}",
        )
    ]
    base = base_zoom_of(connection, layer, LEVEL)
    return [*(f"{count or 0:,}" for count in counts), str(base), number_text(median(seconds))]


def _measure(city: BenchmarkCity, layer: Layer, repeats: int) -> dict[int, _Zoom]:
    with city.address().connect(Role.READ_RESTRICTED) as connection:
        fullest = {z: _fullest(connection, layer, z) for z in range(FINEST_ZOOM + 1)}

    async def measure() -> dict[int, _Zoom]:
        url = city.address().libpq_url(Role.READ_RESTRICTED)
        async with await AsyncConnection.connect(url, autocommit=True) as connection:
            # As the readers of the service are set up.
            await connection.execute("SET plan_cache_mode = force_generic_plan")
            return {
                z: await _measure_zoom(connection, layer, z, tiles, repeats)
                for z, tiles in fullest.items()
            }

    return asyncio.run(measure())


async def _measure_zoom(
    connection: AsyncConnection[Any],
    layer: Layer,
    z: int,
    tiles: list[tuple[int, int]],
    repeats: int,
) -> _Zoom:
    sizes, times, left_out = [0], [0.0], [0]
    for x, y in tiles:
        for _ in range(repeats + 1):
            began = time.perf_counter()
            query = TileQuery(layer, LEVEL, TileTime(datetime.now(UTC)))
            tile = await render_layer(connection, query, TileAddress(z, x, y), TileOptions())
            elapsed = time.perf_counter() - began
        sizes.append(len(tile.content))
        times.append(elapsed * 1000)
        left_out.append(tile.left_out)
    return _Zoom(max(sizes), median(times[1:] or [0.0]), max(left_out))


def _fullest(connection: Connection, layer: Layer, z: int) -> list[tuple[int, int]]:
    finer = min(step for step in LADDER if step >= z)
    found = connection.execute(
        text(
            f"SELECT cell >> {2 * (finer - z)} AS tile FROM {cells_name(layer)} "
            f"WHERE cell_zoom = {finer} GROUP BY 1 ORDER BY sum(present) DESC, 1 LIMIT {FULLEST}"
        )
    ).scalars()
    return [_address(tile) for tile in found]


def _address(tile: int) -> tuple[int, int]:
    """Column and row of a tile from its quadkey."""
    x = sum((tile >> 2 * bit & 1) << bit for bit in range(FINEST_ZOOM))
    y = sum((tile >> 2 * bit + 1 & 1) << bit for bit in range(FINEST_ZOOM))
    return x, y

"""Rendering many tiles: in this process, or in several, each with a connection of its own.

Nearly all of the time is spent in the database, which works for each connection in a process of its
own; so several processes help as far as it has processors.
"""

from __future__ import annotations

import asyncio
import gzip
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psycopg

from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from geoservice.theme_loading import refresh_themes
from geoservice.tile_files.request import TilesRequest, tile_options
from layers.errors import InvalidParameter
from layers.roles import reader_role
from tiles.archives import archive_order
from tiles.grids import WEB_MERCATOR
from tiles.matrix import TileAddress
from tiles.vector import render_tile
from tiles.walk import TileRange, is_occupied

BATCH = 64
"""Tiles that a process is given at once."""

APPLICATION_NAME = "geoservice-tiles"


@dataclass(frozen=True)
class BulkTile:
    """One tile of many.

    Attributes:
        is_occupied: Whether anything touches it, so that tiles below it may hold something.
        zipped: The gzipped tile; empty where it holds nothing, or was not wanted.
        byte_count: Of the tile before compression.
        left_out: How many features it does not show.
    """

    address: TileAddress
    is_occupied: bool
    zipped: bytes = b""
    byte_count: int = 0
    left_out: int = 0


class TileWorker:
    """Renders tiles on one connection; belongs to one process.

    Args:
        request: Which tiles; checked already.
    """

    def __init__(self, settings: Settings, request: TilesRequest) -> None:
        self._settings = settings
        self._queries = request.queries()
        self._range = request.tile_range()
        self._options = tile_options(settings)
        self._runner = asyncio.Runner()
        url = DatabaseAddress(settings.database).libpq_url(reader_role(request.level))
        self._connection: psycopg.AsyncConnection[Any] = self._runner.run(
            psycopg.AsyncConnection.connect(url, autocommit=True, application_name=APPLICATION_NAME)
        )

    def render(self, addresses: Sequence[TileAddress]) -> list[BulkTile]:
        """Tiles in the order of their addresses."""
        return self._runner.run(self._render(addresses))

    async def _render(self, addresses: Sequence[TileAddress]) -> list[BulkTile]:
        return [await self._tile(address) for address in addresses]

    async def _tile(self, address: TileAddress) -> BulkTile:
        if not await is_occupied(self._connection, self._queries, address, self._options):
            return BulkTile(address, is_occupied=False)
        if address.z < self._range.minzoom:
            return BulkTile(address, is_occupied=True)
        parts = await render_tile(self._connection, self._queries, address, self._options)
        content = b"".join(part.content for part in parts)
        level = self._settings.tiles.gzip_level
        zipped = gzip.compress(content, level, mtime=0) if content else b""
        left_out = sum(part.left_out for part in parts)
        return BulkTile(address, True, zipped, len(content), left_out)

    def close(self) -> None:
        """Give the connection back."""
        self._runner.run(self._connection.close())
        self._runner.close()


Render = Callable[[Sequence[TileAddress]], "Future[list[BulkTile]]"]

_worker: TileWorker | None = None
"""Of this process, where it is one of several."""


def _begin(settings: Settings, request: TilesRequest) -> None:
    global _worker  # a process of the pool works for one request
    refresh_themes(DatabaseAddress(settings.database))
    _worker = TileWorker(settings, request)


def _render_here(addresses: Sequence[TileAddress]) -> list[BulkTile]:
    if _worker is None:
        message = "the process was not begun"
        raise RuntimeError(message)
    return _worker.render(addresses)


@contextmanager
def rendering(settings: Settings, request: TilesRequest, processes: int) -> Iterator[Render]:
    """Something that renders batches of tiles, at most so many of them at once."""
    if processes == 1:
        worker = TileWorker(settings, request)
        try:
            yield lambda addresses: _done(worker.render(addresses))
        finally:
            worker.close()
        return
    # Spawned: a connection, a thread or a lock of this process is of no use in a copy of it.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (settings, request)) as pool:
        try:
            yield lambda addresses: pool.submit(_render_here, addresses)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _done(tiles: list[BulkTile]) -> Future[list[BulkTile]]:
    future: Future[list[BulkTile]] = Future()
    future.set_result(tiles)
    return future


Counted = Callable[[int, int], None]
"""Told how many tiles of a zoom there are to look at: zoom, tiles."""


def walk(
    tile_range: TileRange, render: Render, *, max_tiles: int, counted: Counted | None = None
) -> Iterator[BulkTile]:
    """All tiles of a range that hold something, and those above them on the way, zoom by zoom.

    Within a zoom they come in the order of PMTiles files.

    Args:
        max_tiles: Most tiles to look at.

    Raises:
        InvalidParameter: there are more.
    """
    level, looked_at = tile_range.roots(), 0
    for z in range(tile_range.grid.first_zoom, tile_range.maxzoom + 1):
        looked_at += len(level)
        if looked_at > max_tiles:
            reason = f"zoom {z} takes more than {max_tiles} tiles; ask for less, or allow more"
            raise InvalidParameter("max-tiles", max_tiles, reason)
        if counted is not None:
            counted(z, len(level))
        below: list[TileAddress] = []
        for tile in _in_turn(level, render):
            yield tile
            if tile.is_occupied and z < tile_range.maxzoom:
                below += tile_range.children(tile.address)
        level = sorted(below, key=_order)


def _order(address: TileAddress) -> tuple[int, int]:
    if address.grid is WEB_MERCATOR:
        return archive_order(address), 0
    return address.x, address.y


def _in_turn(addresses: Iterable[TileAddress], render: Render) -> Iterator[BulkTile]:
    """Tiles in the order of their addresses, while later ones are being rendered."""
    waiting: list[Future[list[BulkTile]]] = []
    for batch in _batches(addresses):
        waiting.append(render(batch))
        if len(waiting) > 32:
            yield from waiting.pop(0).result()
    for future in waiting:
        yield from future.result()


def _batches(addresses: Iterable[TileAddress]) -> Iterator[list[TileAddress]]:
    iterator = iter(addresses)
    while batch := list(islice(iterator, BATCH)):
        yield batch

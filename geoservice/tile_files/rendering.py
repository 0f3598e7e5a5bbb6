"""Rendering many tiles: in this process, or in several, each with a connection of its own.

Nearly all of the time is spent in the database, which works for each connection in a process of its
own; so several processes help as far as it has processors.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.util import Finalize
from typing import Protocol

from anyio.from_thread import start_blocking_portal

from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from geoservice.theme_loading import refresh_themes
from geoservice.tile_files.request import TilesRequest
from geoservice.tile_files.service import opened_tiles
from geoservice.tile_service import TileAsk
from layers.access import Access
from layers.errors import InvalidParameter
from tiles.archives import archive_order
from tiles.cache import gzipped
from tiles.grids import WEB_MERCATOR
from tiles.matrix import TileAddress
from tiles.walk import TileRange, is_occupied

BATCH = 64
"""Tiles that a process is given at once."""


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
    """Renders tiles as the service does; belongs to one process.

    It works in a thread of its own, where the cache is kept in step with the database meanwhile.

    Args:
        request: Which tiles; checked already.
        uses_cache: Whether tiles are taken from the cache of the host, and put there.
    """

    def __init__(self, settings: Settings, request: TilesRequest, *, uses_cache: bool) -> None:
        self._access = Access(request.level)
        self._queries = request.queries()
        # Tiles of the cache are of the present, whenever that is.
        self._is_now = uses_cache
        self._minzoom = request.tile_range().minzoom
        self._gzip_level = settings.tiles.gzip_level
        self._portal = ExitStack()
        portal = self._portal.enter_context(start_blocking_portal())
        opened = opened_tiles(settings, uses_cache=uses_cache)
        self._tiles = self._portal.enter_context(portal.wrap_async_context_manager(opened))
        self._call = portal.call

    def render(self, addresses: Sequence[TileAddress]) -> list[BulkTile]:
        """Tiles in the order of their addresses."""
        return self._call(self._render, addresses)

    async def _render(self, addresses: Sequence[TileAddress]) -> list[BulkTile]:
        return [await self._tile(address) for address in addresses]

    async def _tile(self, address: TileAddress) -> BulkTile:
        async with self._tiles.database.readers(self._access).connection() as connection:
            found = await is_occupied(connection, self._queries, address, self._tiles.options)
        if not found or address.z < self._minzoom:
            return BulkTile(address, is_occupied=found)
        ask = TileAsk(self._queries, address, self._is_now)
        tile = await self._tiles.service.answer(self._access, ask)
        zipped = tile.body
        if tile.body and not tile.is_gzipped:
            zipped = gzipped(tile.body, self._gzip_level)
        return BulkTile(address, True, zipped, tile.size, tile.left_out)

    def close(self) -> None:
        """Wait until everything is stored, and give the connections back."""
        self._portal.close()


Render = Callable[[Sequence[TileAddress]], "Future[list[BulkTile]]"]

_worker: TileWorker | None = None
"""Of this process, where it is one of several."""


def _begin(settings: Settings, request: TilesRequest, uses_cache: bool) -> None:
    global _worker  # a process of the pool works for one request
    refresh_themes(DatabaseAddress(settings.database))
    _worker = TileWorker(settings, request, uses_cache=uses_cache)
    # Processes of a pool end without what ``atexit`` knows of.
    Finalize(None, _worker.close, exitpriority=0)


def _render_here(addresses: Sequence[TileAddress]) -> list[BulkTile]:
    if _worker is None:
        message = "the process was not begun"
        raise RuntimeError(message)
    return _worker.render(addresses)


@contextmanager
def rendering(
    settings: Settings, request: TilesRequest, processes: int, *, uses_cache: bool = False
) -> Iterator[Render]:
    """Something that renders batches of tiles, at most so many of them at once."""
    if processes == 1:
        worker = TileWorker(settings, request, uses_cache=uses_cache)
        try:
            yield lambda addresses: _done(worker.render(addresses))
        finally:
            worker.close()
        return
    # Spawned: a connection, a thread or a lock of this process is of no use in a copy of it.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (settings, request, uses_cache)) as pool:
        try:
            yield lambda addresses: pool.submit(_render_here, addresses)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _done(tiles: list[BulkTile]) -> Future[list[BulkTile]]:
    future: Future[list[BulkTile]] = Future()
    future.set_result(tiles)
    return future


class WalkProgress(Protocol):
    """Is told how far a walk has come."""

    def begin(self, zoom: int, tiles: int) -> None:
        """So many tiles of a zoom are going to be looked at."""

    def advance(self) -> None:
        """One of them has been."""


class NoProgress:
    """Tells nobody."""

    def begin(self, zoom: int, tiles: int) -> None:
        """Nothing."""

    def advance(self) -> None:
        """Nothing."""


def walk(
    tile_range: TileRange, render: Render, *, max_tiles: int, progress: WalkProgress
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
        progress.begin(z, len(level))
        below: list[TileAddress] = []
        for tile in _in_turn(level, render):
            progress.advance()
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

"""Keeps the cache of this host in step with the database, and says until when it may be trusted.

Each worker hears of changes, applies those that no other worker of the host has applied yet, and
then takes a lease: until it ends, this worker may answer from the cache without asking. Whoever
changes something waits until every lease is of a time after the change (``confirmation``), so what
is reported done is seen by all. A worker that cannot reach the database loses its lease and renders
nothing it could be wrong about.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
import structlog

from geoservice.db import Database
from geoservice.tile_cache.hearing import LEASE_S, Hearing
from layers.errors import GeoserviceError, StoreUnavailable
from layers.roles import Role
from tiles.cache import SLOW_KEPT, CacheFolder, SlowRender, TileCache, TileLocks
from tiles.matrix import TileAddress
from tiles.query import TileQuery

log = structlog.get_logger(__name__)

EVERY_S = 0.5
"""How often a worker asks for changes when nobody notifies it, and renews its lease."""

_FAILURES = (psycopg.Error, OSError, GeoserviceError)


class CacheKeeper:
    """The cache of one worker, which shares it with the others of the host.

    Args:
        folder: None keeps no cache.
    """

    def __init__(self, database: Database, folder: CacheFolder | None) -> None:
        self._database = database
        self._folder = folder if folder and folder.max_bytes else None
        self._reader_id = uuid.uuid4()
        self._trusted_until = float("-inf")
        self._cache: TileCache | None = None
        self._locks: TileLocks | None = None
        self._counted: dict[str, int] = {}
        self._slow: list[SlowRender] = []
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._hearing: Hearing | None = None
        self._refreshing: asyncio.Task[None]

    @property
    def cache(self) -> TileCache | None:
        """The cache if it may be answered from and stored into now."""
        return self._cache if time.monotonic() < self._trusted_until else None

    @property
    def locks(self) -> TileLocks | None:
        """The locks of the tiles of this host."""
        return self._locks

    def count(self, name: str) -> None:
        """Count something that happened in this worker."""
        self._counted[name] = self._counted.get(name, 0) + 1

    def note_render(self, seconds: float, query: TileQuery, address: TileAddress) -> None:
        """Remember a rendering if it is among the slowest."""
        if len(self._slow) == SLOW_KEPT and seconds * 1e3 <= self._slow[-1].milliseconds:
            return
        place = (address.grid.name, address.z, address.x, address.y, int(query.level))
        self._slow.append(SlowRender(seconds * 1e3, query.layer.name, *place, time.time()))
        self._slow.sort(key=lambda one: -one.milliseconds)
        del self._slow[SLOW_KEPT:]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[CacheKeeper]:
        """Keep the cache until the context ends."""
        if self._folder is None:
            yield self
            return
        self._refreshing = asyncio.create_task(self.refresh())
        # A service starts without its cache rather than late.
        await asyncio.wait([self._refreshing], timeout=LEASE_S)
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            # What is being written is written before the cache is closed.
            await asyncio.wait([self._refreshing], timeout=LEASE_S)
            await self.close()

    async def refresh(self) -> None:
        """Hear of changes and renew the lease; where the database fails, the lease ends."""
        if self._folder is None:
            return
        try:
            asked_at = time.monotonic()
            hearing = await self._heard_on()
            cache = await self._opened(hearing, self._folder)
            has_lease = asked_at < self._trusted_until
            purged = await hearing.catch_up(cache, has_lease=has_lease)
        except Exception as error:
            # Whatever it is, it must not end the task: without a lease the database answers.
            self._trusted_until = float("-inf")
            is_known = isinstance(error, _FAILURES)
            log.warning(
                "cache of tiles not kept", error=type(error).__name__, exc_info=not is_known
            )
            await self._disconnect()
            return
        self._trusted_until = asked_at + LEASE_S
        self._counted["purged"] = self._counted.get("purged", 0) + purged
        with suppress(StoreUnavailable):
            await asyncio.to_thread(self._write_down, cache)

    async def close(self) -> None:
        """Give the lease up, and leave the cache whole on disk."""
        self._trusted_until = float("-inf")
        if self._hearing is not None:
            with suppress(*_FAILURES):
                await self._hearing.give_up_lease()
        await self._disconnect()
        if self._cache is not None:
            await asyncio.to_thread(self._cache.close)
        if self._locks is not None:
            self._locks.close()
        self._cache = self._locks = None

    async def _run(self) -> None:
        while True:
            await asyncio.wait([self._refreshing])
            try:
                if self._hearing is None:
                    await asyncio.sleep(EVERY_S)
                else:
                    await self._hearing.wait(EVERY_S)
            except _FAILURES:
                await self._disconnect()
            self._refreshing = asyncio.create_task(self.refresh())

    async def _heard_on(self) -> Hearing:
        if self._hearing is None:
            self._connection = await self._database.open_connection(Role.GATE)
            hearing = Hearing(self._connection, self._reader_id)
            await hearing.listen()
            self._hearing = hearing
        return self._hearing

    async def _opened(self, hearing: Hearing, folder: CacheFolder) -> TileCache:
        if self._cache is None:
            identity = await hearing.identity()
            cache = await asyncio.to_thread(TileCache, folder, identity)
            self._locks = TileLocks(folder.path / "locks")
            self._cache = cache
        return self._cache

    async def _disconnect(self) -> None:
        connection, self._connection, self._hearing = self._connection, None, None
        if connection is not None:
            await connection.close()

    def _write_down(self, cache: TileCache) -> None:
        counted = {name: count for name, count in self._counted.items() if count}
        self._counted = {}
        if counted:
            cache.count(counted)
        slow, self._slow = self._slow, []
        if slow:
            cache.remember_slow(slow)
        cache.restamp()

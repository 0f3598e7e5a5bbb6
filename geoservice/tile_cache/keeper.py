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
from layers.errors import GeoserviceError
from layers.roles import Role
from tiles.cache import CacheFolder, TileCache, TileLocks

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

    @asynccontextmanager
    async def running(self) -> AsyncIterator[CacheKeeper]:
        """Keep the cache until the context ends."""
        if self._folder is None:
            yield self
            return
        first_round = asyncio.Event()
        task = asyncio.create_task(self._run(self._folder, first_round))
        with suppress(TimeoutError):
            async with asyncio.timeout(LEASE_S):
                await first_round.wait()
        try:
            yield self
        finally:
            self._trusted_until = float("-inf")
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            if self._cache is not None:
                await asyncio.to_thread(self._cache.close)
            if self._locks is not None:
                self._locks.close()

    async def _run(self, folder: CacheFolder, first_round: asyncio.Event) -> None:
        """Go on for ever; where the database fails, the lease ends until it answers again."""
        while True:
            try:
                connection = await self._database.open_connection(Role.GATE)
                async with connection:
                    await self._keep(connection, folder, first_round)
            except _FAILURES as error:
                log.warning("cache of tiles not kept", error=type(error).__name__)
                first_round.set()
                await asyncio.sleep(EVERY_S)

    async def _keep(
        self,
        connection: psycopg.AsyncConnection[tuple[Any, ...]],
        folder: CacheFolder,
        first_round: asyncio.Event,
    ) -> None:
        hearing = Hearing(connection, self._reader_id)
        if self._cache is None:
            identity = await hearing.identity()
            self._cache = await asyncio.to_thread(TileCache, folder, identity)
            self._locks = TileLocks(folder.path / "locks")
        await hearing.listen()
        try:
            while True:
                asked_at = time.monotonic()
                self._counted["purged"] = self._counted.get("purged", 0) + await hearing.catch_up(
                    self._cache
                )
                self._trusted_until = asked_at + LEASE_S
                first_round.set()
                await asyncio.to_thread(self._write_down, self._cache)
                await hearing.wait(EVERY_S)
        finally:
            self._trusted_until = float("-inf")
            with suppress(*_FAILURES):
                await hearing.give_up_lease()

    def _write_down(self, cache: TileCache) -> None:
        counted = {name: count for name, count in self._counted.items() if count}
        self._counted = {}
        if counted:
            cache.count(counted)
        cache.restamp()

"""What a worker hears of changes of tiles, and the lease that it gets for having heard it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import psycopg
from psycopg.abc import Params

from layers.tables import SCHEMA
from layers.tile_changes import CHANNEL, KEPT_H
from tiles.cache import TileCache, TileChange
from tiles.cache.snapshots import first_under_way, next_transaction

LEASE_S = 3.0
"""How long a worker may answer from the cache after it has heard of all changes."""

_TOO_LONG_AWAY_S = (KEPT_H - 1) * 3600
"""Absence after which changes may have been forgotten, so that the cache begins anew."""

_MICROSECONDS: LiteralString = "CAST(extract(epoch FROM {}) * 1000000 AS bigint)"

_HEARD: LiteralString = (
    "SELECT CAST(pg_current_snapshot() AS text), c.layer, c.xid, c.clearance, "
    + _MICROSECONDS.format("lower(c.valid_during)")
    + ", "
    + _MICROSECONDS.format("upper(c.valid_during)")
    + ", c.first_zoom, c.last_zoom, CAST(c.shape AS bytea) "
    f"FROM (SELECT 1) one LEFT JOIN {SCHEMA}.tile_changes c "
    "ON c.xid >= %(lowest)s AND NOT pg_visible_in_snapshot("
    "CAST(CAST(c.xid AS text) AS xid8), CAST(%(reached)s AS pg_snapshot)) "
    "ORDER BY c.change_no"
)
"""Changes that a snapshot does not see, and the snapshot in which they are read."""

_INSTANTS: LiteralString = (
    f"SELECT layer, {_MICROSECONDS.format('instant')} FROM {SCHEMA}.layer_instants "
    "WHERE layer = ANY (%(layers)s) OR %(all)s ORDER BY layer, instant"
)

_RENEW: LiteralString = (
    f"INSERT INTO {SCHEMA}.tile_readers (reader_id, reached, lease_until) "
    "VALUES (%(reader)s, %(reached)s, clock_timestamp() + make_interval(secs => %(lease)s)) "
    "ON CONFLICT (reader_id) DO UPDATE "
    "SET reached = excluded.reached, lease_until = excluded.lease_until"
)

_GIVE_UP: LiteralString = (
    f"DELETE FROM {SCHEMA}.tile_readers "
    "WHERE reader_id = %(reader)s OR lease_until < clock_timestamp() - interval '1 minute'"
)


class Hearing:
    """One connection over which a worker hears of changes."""

    def __init__(
        self, connection: psycopg.AsyncConnection[tuple[Any, ...]], reader_id: UUID
    ) -> None:
        self._connection = connection
        self._reader_id = reader_id

    async def identity(self) -> str:
        """What tells this database, and this course of its history, from all others."""
        row = await self._one(
            "SELECT installation_id, (SELECT system_identifier FROM pg_control_system()), "
            f"(SELECT timeline_id FROM pg_control_checkpoint()) FROM {SCHEMA}.installation"
        )
        # A dump that is restored elsewhere keeps the installation, but not the server's number.
        return " ".join(str(part) for part in row)

    async def listen(self) -> None:
        """Have changes notified."""
        await self._connection.execute(f"LISTEN {CHANNEL}")

    async def wait(self, timeout_s: float) -> None:
        """Wait for a notification, but not longer than a time."""
        async for _ in self._connection.notifies(timeout=timeout_s, stop_after=1):
            pass

    async def catch_up(self, cache: TileCache, *, has_lease: bool) -> int:
        """Apply what was not heard of yet, and renew the lease; how many tiles were purged.

        Args:
            has_lease: Whether there is one that has not ended. Nobody waits for who has none, so
                what is done between hearing and the first lease must be heard of once more.
        """
        purged = await self._hear(cache)
        return purged if has_lease else purged + await self._hear(cache)

    async def _hear(self, cache: TileCache) -> int:
        while True:
            purged, reached = await self._apply(cache)
            if purged is not None:
                break
        await self._connection.execute(
            _RENEW, {"reader": self._reader_id, "reached": reached, "lease": LEASE_S}
        )
        return purged

    async def give_up_lease(self) -> None:
        """Keep nobody waiting for this worker; also takes away what others have left."""
        await self._connection.execute(_GIVE_UP, {"reader": self._reader_id})

    async def _apply(self, cache: TileCache) -> tuple[int | None, str]:
        before, reached_at = cache.reached()
        if before is None or time.time() - reached_at > _TOO_LONG_AWAY_S:
            return await self._begin_anew(cache, before)
        asked = {"reached": before, "lowest": first_under_way(before)}
        rows = await self._all(_HEARD, asked)
        reached: str = rows[0][0]
        if next_transaction(reached) < next_transaction(before):
            # The database is back at an earlier time, such as after a restore.
            return await self._begin_anew(cache, before)
        changes = [TileChange(*row[1:]) for row in rows if row[1] is not None]
        if not changes and time.time() - reached_at < _TOO_LONG_AWAY_S / 100:
            # Nothing to write: what the snapshot before does not see is asked for again.
            return 0, reached
        instants = await self._instants({change.layer for change in changes})
        return await asyncio.to_thread(cache.apply, before, reached, changes, instants), reached

    async def _begin_anew(self, cache: TileCache, before: str | None) -> tuple[int, str]:
        row = await self._one("SELECT CAST(pg_current_snapshot() AS text)")
        await asyncio.to_thread(cache.begin_anew, before, row[0], await self._instants(None))
        # Another worker may have begun at a later time; what lies between is asked for again.
        reached, _ = cache.reached()
        return 0, reached or row[0]

    async def _instants(self, layers: Iterable[str] | None) -> dict[str, bytes]:
        """All instants of some layers, or of all, packed as the cache has them."""
        asked = {"layers": list(layers or ()), "all": layers is None}
        found: dict[str, list[int]] = {name: [] for name in layers or ()}
        for layer, instant in await self._all(_INSTANTS, asked):
            found.setdefault(layer, []).append(instant)
        return {name: np.array(all_, dtype=np.int64).tobytes() for name, all_ in found.items()}

    async def _one(self, statement: LiteralString) -> tuple[Any, ...]:
        rows = await self._all(statement)
        return rows[0]

    async def _all(
        self, statement: LiteralString, parameters: Params | None = None
    ) -> list[tuple[Any, ...]]:
        return await (await self._connection.execute(statement, parameters)).fetchall()

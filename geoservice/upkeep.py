"""The tasks that one worker at a time does for all: whoever holds the lock leads.

The lock belongs to a connection, so it is free as soon as its worker is gone, however it went, and
another one leads within a second. What a task does is one transaction, so nothing is half done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from geoservice.db import Database, DatabaseAddress
from geoservice.hours import CityHours
from geoservice.push.webhooks import Webhooks
from geoservice.settings import Settings
from layers.alerts import judge
from layers.errors import GeoserviceError
from layers.event_reading import LAST_NO
from layers.events import OUTBOX_CHANNEL, RELAYED_AT_ONCE, relay
from layers.expiry import EXPIRED_AT_ONCE, expire
from layers.intake import kept_from
from layers.network_tables import outdated_for, rebuild
from layers.roles import Role
from layers.rollups import MADE_AT_ONCE, refresh
from layers.subscriptions import tidy

log = structlog.get_logger(__name__)

LOOK_S = 1.0
"""How often the outbox is looked at even if nobody says that something is in it."""

_TEND_S = 3_600
_PUSH_S = 0.5
_NETWORK_S = 10
_ALERTS_S = 2
_EXPIRY_S = 1
_AHEAD = (timedelta(0), timedelta(days=32), timedelta(days=62))
"""From any instant of the first of a month, these lie in that month and in the next two."""

_ROLLED_UP_WITHIN = timedelta(days=1)
"""A month goes so long after its figures are refused: what was taken last is rolled up by then."""

_LOCK = "SELECT pg_try_advisory_lock(hashtext('geoservice upkeep'))"
_FAILURES = (psycopg.Error, SQLAlchemyError, OSError, GeoserviceError)


class Upkeep:
    """Leads if nobody else does."""

    def __init__(self, database: Database, settings: Settings, hours: CityHours) -> None:
        self._database = database
        self._address = DatabaseAddress(settings.database)
        self._settings = settings
        self._webhooks = Webhooks(database, settings.push, hours)
        # The event up to which deliveries were queued by this worker.
        self._pushed = -1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Upkeep]:
        """Lead, or wait to, until the context ends."""
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def relay(self) -> None:
        """Number all that is in the outbox."""
        await self._until_done(relay, RELAYED_AT_ONCE)

    async def make_rollups(self) -> None:
        """Make all outdated rollups anew."""

        async def make(connection: Any) -> int:
            return await refresh(connection, self._settings.city.time_zone)

        await self._until_done(make, MADE_AT_ONCE)

    async def tend_months(self, now: datetime | None = None) -> None:
        """Make the partitions of this month and the next two, and drop those that are too old."""
        now = now or datetime.now(UTC)
        said = self._settings.observations
        async with self._database.write(Role.DESK) as connection:
            await tidy(connection)
        async with self._database.write(Role.INGEST) as connection:
            for ahead in _AHEAD:
                for kind in ("observation", "rollup"):
                    statement = f"SELECT city.ensure_{kind}_partition(:instant)"  # ours
                    await connection.execute(
                        text(statement), {"instant": now.replace(day=1) + ahead}
                    )
            for table, months in (
                ("observations", said.keep_months),
                ("observation_rollups_5", said.keep_fine_rollups_months),
            ):
                if months is not None:
                    oldest = kept_from(now - _ROLLED_UP_WITHIN, months)
                    await connection.execute(
                        text("SELECT city.drop_old_observations(:before, :table)"),
                        {"before": oldest, "table": table},
                    )
            await connection.execute(
                text("SELECT city.drop_old_events(:before)"),
                {"before": now - timedelta(hours=self._settings.push.keep_events_h)},
            )

    async def judge_alerts(self) -> None:
        """Raise and clear the alerts that the newest figures call for."""
        async with self._database.write(Role.INGEST) as connection:
            await judge(connection)

    async def tell_expiry(self) -> None:
        """Tell of the figures that have expired."""

        async def tell(connection: Any) -> int:
            return await expire(connection, datetime.now(UTC))

        await self._until_done(tell, EXPIRED_AT_ONCE)

    async def make_network(self) -> None:
        """Make the network of roads anew, if other roads were published."""
        await asyncio.to_thread(self._make_network)

    def _make_network(self) -> None:
        with self._address.connect(Role.LOADER) as connection:
            if outdated_for(connection) is not None:
                edges = rebuild(connection)
                connection.commit()
                log.info("network of roads made", edges=edges)

    async def push(self) -> None:
        """Queue what subscribers want of new events, and send what is due."""
        async with self._database.write(Role.DESK) as connection:
            last = (await connection.execute(text(LAST_NO))).scalar_one()
        if last != self._pushed:
            await self._webhooks.queue_new(last)
            self._pushed = last
        while await self._webhooks.send_due():
            pass

    async def _run(self) -> None:
        while True:
            try:
                connection = await self._database.open_connection(Role.INGEST)
                async with connection:
                    await self._lead(connection)
            except _FAILURES as error:
                log.warning("upkeep interrupted", error=type(error).__name__)
            await asyncio.sleep(LOOK_S)

    async def _lead(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        while not await _is_locked_by(connection):
            await asyncio.sleep(LOOK_S)
        log.info("leads the upkeep")
        await connection.execute(f"LISTEN {OUTBOX_CHANNEL}")
        others = [
            asyncio.create_task(_again_and_again(work, every_s))
            for work, every_s in (
                (self.make_rollups, self._settings.observations.rollup_every_s),
                (self.push, _PUSH_S),
                (self.make_network, _NETWORK_S),
                (self.judge_alerts, _ALERTS_S),
                (self.tell_expiry, _EXPIRY_S),
                (self.tend_months, _TEND_S),
            )
        ]
        try:
            while True:
                await self.relay()
                # Whoever has lost the connection has lost the lock: this raises.
                async for _ in connection.notifies(timeout=LOOK_S, stop_after=1):
                    pass
                await connection.execute("SELECT 1")
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def _until_done(self, work: Callable[[Any], Awaitable[int]], most: int) -> None:
        done = most
        while done >= most:
            async with self._database.write(Role.INGEST) as connection:
                done = await work(connection)


async def _is_locked_by(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> bool:
    row = await (await connection.execute(_LOCK)).fetchone()
    return bool(row and row[0])


async def _again_and_again(work: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        try:
            await work()
        except _FAILURES as error:
            log.warning("upkeep failed", task=work.__name__, error=type(error).__name__)
        await asyncio.sleep(every_s)

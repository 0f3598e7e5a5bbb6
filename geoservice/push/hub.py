"""Events read once for a worker and handed to all of its subscribers.

Of each level that somebody listens at the new events are read once, by the role of the level, and
put into the queues of those who want them. A queue is bounded: whoever does not keep up is cut off,
comes back with the number of the last event that arrived, and is given what it missed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, LiteralString, TypeVar

import psycopg
import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from geoservice.db import Database
from geoservice.push.wanted import Wanted
from layers.access import Access, Clearance
from layers.errors import GeoserviceError, ServiceBusy
from layers.event_reading import LAST_NO, OLDEST_NO, Event, read_events
from layers.events import EVENTS_CHANNEL
from layers.roles import Role

log = structlog.get_logger(__name__)

READ_AT_ONCE = 2_000
QUEUE_LENGTH = 2_000
LOOK_S = 1.0
"""How often events are looked for even if nobody says that there are any."""

_FAILURES = (psycopg.Error, SQLAlchemyError, OSError, GeoserviceError)

T = TypeVar("T")


class Subscriber(Generic[T]):
    """One queue of what somebody wants, in the form in which it is sent."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.is_cut = False
        self._waiting: deque[tuple[int, T]] = deque()
        self._something = asyncio.Event()

    def put(self, event_no: int, item: T) -> None:
        """Queue an item, or cut the subscriber off because it does not keep up."""
        if len(self._waiting) >= QUEUE_LENGTH:
            self.cut()
        if not self.is_cut:
            self._waiting.append((event_no, item))
            self._something.set()

    def cut(self) -> None:
        """Give nothing more to the subscriber."""
        self.is_cut = True
        self._waiting.clear()
        self._something.set()

    async def taken(self, timeout_s: float) -> list[tuple[int, T]]:
        """What waits, in order; nothing if nothing comes in time."""
        if not self._waiting and not self.is_cut:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._something.wait()
        self._something.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken


class _Level(Generic[T]):
    """The subscribers of one clearance, and the number up to which events were read for them."""

    def __init__(self, reached: int) -> None:
        self.reached = reached
        self.subscribers: set[Subscriber[T]] = set()


class EventHub(Generic[T]):
    """The events of one worker.

    Args:
        form: Makes of an event what is queued; once for each level, not for each subscriber.
        most: Subscribers at once.
    """

    def __init__(self, database: Database, form: Callable[[Event], T], most: int) -> None:
        self._database = database
        self._form = form
        self._most = most
        self._levels: dict[Clearance, _Level[T]] = {}
        self._somebody = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[EventHub[T]]:
        """Read events for subscribers until the context ends."""
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            for level in self._levels.values():
                for subscriber in level.subscribers:
                    subscriber.cut()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def refuse_if_full(self) -> None:
        """Turn away whoever would be one too many.

        Raises:
            ServiceBusy: as many as may be are subscribed.
        """
        if sum(len(level.subscribers) for level in self._levels.values()) >= self._most:
            message = "too many streams are open"
            raise ServiceBusy(message)

    @asynccontextmanager
    async def subscribed(self, access: Access, subscriber: Subscriber[T]) -> AsyncIterator[int]:
        """Give a subscriber the events of the caller's level, after the number that this gives."""
        if access.level not in self._levels:
            reached = await self._number(LAST_NO)
            self._levels.setdefault(access.level, _Level(reached))
        level = self._levels[access.level]
        level.subscribers.add(subscriber)
        self._somebody.set()
        try:
            yield level.reached
        finally:
            level.subscribers.discard(subscriber)
            if not level.subscribers and self._levels.get(access.level) is level:
                del self._levels[access.level]

    async def is_kept(self, after: int) -> bool:
        """Whether all events after a number can still be read."""
        return after + 1 >= await self._number(OLDEST_NO)

    async def missed(
        self, access: Access, wanted: Wanted, after: int, until: int
    ) -> AsyncIterator[tuple[int, T]]:
        """What is wanted of the events after one number and up to another one."""
        while after < until:
            events = await self._read(access.level, after)
            for event in events:
                if event.event_no <= until and wanted.holds(event):
                    yield event.event_no, self._form(event)
            if len(events) < READ_AT_ONCE:
                return
            after = events[-1].event_no

    async def _run(self) -> None:
        while True:
            await self._somebody.wait()
            try:
                async with await self._database.open_connection(Role.GATE) as connection:
                    await connection.execute(f"LISTEN {EVENTS_CHANNEL}")
                    await self._serve(connection)
            except _FAILURES as error:
                log.warning("events not read", error=type(error).__name__)
                await asyncio.sleep(LOOK_S)

    async def _serve(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        while self._levels:
            last = await _first(connection, LAST_NO)
            for clearance in list(self._levels):
                await self._hand_out(clearance, last)
            async for _ in connection.notifies(timeout=LOOK_S, stop_after=1):
                pass
        self._somebody.clear()

    async def _hand_out(self, clearance: Clearance, last: int) -> None:
        level = self._levels.get(clearance)
        while level is not None and level.reached < last:
            events = await self._read(clearance, level.reached)
            for event in events:
                self._give(level, event)
            if len(events) < READ_AT_ONCE:
                # What lies between and was not given, the level may not see.
                level.reached = max(level.reached, last)
                return
            # Whoever is to send what was queued gets its turn.
            await asyncio.sleep(0)

    def _give(self, level: _Level[T], event: Event) -> None:
        level.reached = event.event_no
        item: T | None = None
        for subscriber in level.subscribers:
            if subscriber.wanted.holds(event):
                item = item if item is not None else self._form(event)
                subscriber.put(event.event_no, item)

    async def _number(self, statement: str) -> int:
        async with self._database.write(Role.GATE) as connection:
            number: int = (await connection.execute(text(statement))).scalar_one()
        return number

    async def _read(self, level: Clearance, after: int) -> list[Event]:
        async with self._database.readers(Access(level)).connection() as connection:
            return await read_events(connection, level, after, READ_AT_ONCE)


async def _first(
    connection: psycopg.AsyncConnection[tuple[Any, ...]], statement: LiteralString
) -> int:
    row = await (await connection.execute(statement)).fetchone()
    return int(row[0]) if row else 0

"""Work that several requests wait for: done once, and broken off when nobody waits any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from starlette.types import Receive

_R = TypeVar("_R")

CLIENT_GONE = 499
"""For the log only, as nginx has it: there is nobody to answer to."""


class SharedWork(Generic[_R]):
    """What is under way, by the names of what is made."""

    def __init__(self) -> None:
        self._making: dict[Hashable, _Making[_R]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def is_under_way(self, name: Hashable) -> bool:
        """Whether somebody makes something already."""
        return name in self._making

    async def result(
        self, name: Hashable, make: Callable[[asyncio.Future[_R]], Awaitable[None]]
    ) -> _R:
        """What is made under a name, by whoever began it.

        Args:
            make: Sets the result of the future that it is given, and may go on after that. It is
                cancelled when nobody waits for the result any more.
        """
        making = self._making.get(name)
        if making is None:
            making = self._making[name] = _Making(make)
            self._tasks.add(making.task)
            making.task.add_done_callback(lambda task: self._ended(name, task))
        try:
            return await making.wait()
        finally:
            if making.is_abandoned():
                # Breaking off takes a while: whoever asks meanwhile must not be broken off too.
                self._forget(name, making.task)
                making.task.cancel()

    async def settled(self) -> None:
        """Wait until nothing is under way, nor being broken off."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, name: Hashable, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._forget(name, task)

    def _forget(self, name: Hashable, task: asyncio.Task[None]) -> None:
        making = self._making.get(name)
        if making is not None and making.task is task:
            del self._making[name]


class _Making(Generic[_R]):
    def __init__(self, make: Callable[[asyncio.Future[_R]], Awaitable[None]]) -> None:
        self.future: asyncio.Future[_R] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._run(make))
        self._waiters = 0

    async def wait(self) -> _R:
        self._waiters += 1
        try:
            return await asyncio.shield(self.future)
        finally:
            self._waiters -= 1

    def is_abandoned(self) -> bool:
        """Whether all who waited have gone before there was a result."""
        return not self._waiters and not self.future.done()

    async def _run(self, make: Callable[[asyncio.Future[_R]], Awaitable[None]]) -> None:
        try:
            await make(self.future)
        except BaseException as error:
            if not self.future.done():
                self.future.set_exception(error)
                self.future.exception()  # whoever waits gets it; if nobody does, nobody need know
            if not isinstance(error, Exception):
                raise


async def while_connected(receive: Receive, work: Awaitable[_R]) -> _R | None:
    """What comes of work for a request without a body; None if the client goes before that."""
    watch = _Watch(receive)
    try:
        return await work
    except asyncio.CancelledError:
        if not watch.is_gone:
            raise
        return None
    finally:
        await watch.end()


_WATCHED_AFTER_S = 0.02
"""Most work ends sooner, and need not pay for being watched."""


class _Watch:
    """Cancels the task that makes it once the client has gone."""

    def __init__(self, receive: Receive) -> None:
        self.is_gone = False
        self._receive = receive
        self._watched = asyncio.current_task()
        self._watching: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_WATCHED_AFTER_S, self._begin)

    def _begin(self) -> None:
        self._watching = asyncio.create_task(_gone(self._receive))
        self._watching.add_done_callback(self._ended)

    def _ended(self, watching: asyncio.Task[None]) -> None:
        if self._watched is None or watching.cancelled() or watching.exception():
            return
        self.is_gone = True
        self._watched.cancel()

    async def end(self) -> None:
        """Watch no longer; a cancellation that came of watching is over with this."""
        watched, self._watched = self._watched, None
        if watched is not None and self.is_gone:
            watched.uncancel()
        self._timer.cancel()
        if self._watching is not None and not self._watching.done():
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

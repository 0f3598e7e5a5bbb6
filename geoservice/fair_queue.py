"""Turns for work that is dear: so many at a time, and whoever asks for much waits behind others.

Whoever waits is served in the order of clients, one turn each, so a client that asks for a
thousand tiles delays another one by the turns that are under way, not by a thousand.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from layers.errors import ServiceBusy


class FairQueue:
    """Turns of one worker.

    Args:
        running: How many work at a time.
        waiting: How many may wait in all.
        waiting_per_client: How many of one client may wait.
    """

    def __init__(self, running: int, waiting: int, waiting_per_client: int) -> None:
        self._free = running
        self._most = waiting
        self._most_per_client = waiting_per_client
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._count = 0

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """One turn of a client, which is over when the block ends.

        Raises:
            ServiceBusy: too many wait already.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(client)
        try:
            yield
        finally:
            self._hand_on()

    async def _wait(self, client: str) -> None:
        own = self._waiting.get(client)
        if self._count >= self._most or (own and len(own) >= self._most_per_client):
            message = f"{self._count} requests are waiting"
            raise ServiceBusy(message)
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(given)
        self._count += 1
        try:
            await given
        except asyncio.CancelledError:
            if given.cancelled():
                self._forget(client, given)
            else:
                # The turn came just when nobody wanted it any more.
                self._hand_on()
            raise

    def _hand_on(self) -> None:
        """Give a turn that has become free to the next client that waits."""
        while self._waiting:
            client, own = self._waiting.popitem(last=False)
            given = own.popleft()
            self._count -= 1
            if own:
                self._waiting[client] = own
            if not given.cancelled():
                given.set_result(None)
                return
        self._free += 1

    def _forget(self, client: str, given: asyncio.Future[None]) -> None:
        own = self._waiting.get(client)
        if own is None or given not in own:
            return
        own.remove(given)
        self._count -= 1
        if not own:
            del self._waiting[client]

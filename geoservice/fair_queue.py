"""Turns for work that is dear: so many at a time, and whoever asks for much waits behind others.

Whoever waits is served in the order of clients, one turn each, so a client that asks for a
thousand tiles delays another one by the turns that are under way, not by a thousand. Work that
several clients wait for has a place in the row of each of them, and takes the first that comes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from layers.errors import ServiceBusy


class Party:
    """The clients for whom one piece of work is done, which takes one turn at a time.

    Attributes:
        clients: In the order in which they came.
        given: Done when the turn comes that the party waits for; None while it waits for none.
    """

    def __init__(self, client: str) -> None:
        self.clients = [client]
        self.given: asyncio.Future[None] | None = None


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
        self._waiting: OrderedDict[str, deque[Party]] = OrderedDict()
        self._count = 0

    @asynccontextmanager
    async def turn(self, party: Party) -> AsyncIterator[None]:
        """One turn of a party, which is over when the block ends.

        Raises:
            ServiceBusy: too many wait already, in all or of each client of the party.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(party)
        try:
            yield
        finally:
            self._hand_on()

    def join(self, party: Party, client: str) -> None:
        """Let a party that works or waits do so for one more client."""
        if client in party.clients:
            return
        party.clients.append(client)
        if party.given is not None and self._has_room(client):
            self._waiting.setdefault(client, deque()).append(party)

    async def _wait(self, party: Party) -> None:
        places = [client for client in party.clients if self._has_room(client)]
        if self._count >= self._most or not places:
            message = f"{self._count} renderings are waiting"
            raise ServiceBusy(message)
        given = party.given = asyncio.get_running_loop().create_future()
        for client in places:
            self._waiting.setdefault(client, deque()).append(party)
        self._count += 1
        try:
            await given
        except asyncio.CancelledError:
            if party.given is given:
                self._leave(party)
            elif not given.cancelled():
                # The turn came just when nobody wanted it any more.
                self._hand_on()
            raise

    def _has_room(self, client: str) -> bool:
        return len(self._waiting.get(client, ())) < self._most_per_client

    def _hand_on(self) -> None:
        """Give a turn that has become free to the next client that waits."""
        while self._waiting:
            client, own = next(iter(self._waiting.items()))
            self._waiting.move_to_end(client)
            given = self._leave(own[0])
            if given is not None and not given.cancelled():
                given.set_result(None)
                return
        self._free += 1

    def _leave(self, party: Party) -> asyncio.Future[None] | None:
        """Give up all places of a party that waits."""
        given, party.given = party.given, None
        self._count -= 1
        for client in party.clients:
            own = self._waiting.get(client)
            if own is not None and party in own:
                own.remove(party)
                if not own:
                    del self._waiting[client]
        return given

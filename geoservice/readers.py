"""Connections for the hot reads, as psycopg gives them: one small pool for each reader role.

SQLAlchemy's pool costs more than the statement of a small tile takes, so tiles and searches go
without it. A connection that died while it lay idle (the database was restarted) is noticed without
a round trip: nothing may come from the server unasked, so a socket with something to read is done
for. The request gets a new connection and never knows.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from layers.errors import DatabaseUnavailable

ReaderConnection = psycopg.AsyncConnection[tuple[Any, ...]]


class ReaderPool:
    """Connections in autocommit as one role, opened when first needed.

    Args:
        url: For libpq, with the role's name.
        size: Most connections.
        timeout_s: How long a request waits for a connection to become free.
        options: More of libpq's parameters, such as ``application_name``.
    """

    def __init__(
        self, url: str, *, size: int, timeout_s: float, options: Mapping[str, Any]
    ) -> None:
        self._url = url
        self._options = options
        self._timeout_s = timeout_s
        self._free = asyncio.Semaphore(size)
        # The last one given back goes out first: its statements are prepared, its caches warm.
        self._idle: list[ReaderConnection] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[ReaderConnection]:
        """A connection for one request.

        Raises:
            DatabaseUnavailable: none became free in time.
        """
        await self._wait_for_turn()
        try:
            connection = await self._idle_or_new()
            try:
                yield connection
            finally:
                await self._put_back(connection)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close what lies idle."""
        while self._idle:
            await self._idle.pop().close()

    async def _wait_for_turn(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._free.acquire()
        except TimeoutError as error:
            message = f"no connection became free in {self._timeout_s:g} s"
            raise DatabaseUnavailable(message) from error

    async def _idle_or_new(self) -> ReaderConnection:
        while self._idle:
            connection = self._idle.pop()
            if not is_stale(connection):
                return connection
            await connection.close()
        return await psycopg.AsyncConnection.connect(self._url, autocommit=True, **self._options)

    async def _put_back(self, connection: ReaderConnection) -> None:
        if connection.info.transaction_status is TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            await connection.close()


def is_stale(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether an idle connection was lost, told from its socket alone."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))

"""Answers written to the socket at once: the server writes the head and the content apart.

Two calls of the system, and two packets, are half of what sending a cached tile costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_JOINED_UP_TO_BYTES = 65_536
"""More is written on, so that a stream is held back by the socket and not gathered here."""


class JoinedWritesProtocol(HttpToolsProtocol):
    """The server's protocol, whose writes of one turn of the event loop go out together."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a connection."""
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport)))


class JoinedWrites:
    """A transport that writes what it was given when the event loop turns.

    All else is the transport's own. Nothing is written after what ends the connection.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Have bytes written after those given before."""
        if not self._parts:
            self._loop.call_soon(self._write)
        self._parts.append(data)
        self._size += len(data)
        if self._size > _JOINED_UP_TO_BYTES:
            self._write()

    def writelines(self, parts: Iterable[bytes]) -> None:
        """Have several parts written."""
        for part in parts:
            self.write(part)

    def close(self) -> None:
        """Close the connection once all is written."""
        self._write()
        self._transport.close()

    def _write(self) -> None:
        parts, self._parts, self._size = self._parts, [], 0
        if len(parts) == 1:
            self._transport.write(parts[0])
        elif parts:
            self._transport.writelines(parts)

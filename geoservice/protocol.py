"""The server's protocol: what is ready is answered at once, and written with its head.

Half of what a cached tile costs is the way into the application and out again: a task, a cycle and
a layer for each thing that it might need. So what is ready is answered as soon as the head of a
request was read. The other half is the socket: the server writes the head and the content apart,
and two calls of the system, and two packets, cost twice as much as one.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from geoservice.middleware import SECURITY_HEADERS
from geoservice.tile_answer import Header, TileAnswer

READY_ANSWERS = "ready_answers"
"""Under this name an application that has started gives its ``ReadyAnswers`` to the protocol."""

_JOINED_UP_TO_BYTES = 65_536
"""More is written on, so that a stream is held back by the socket and not gathered here."""


class ReadyAnswers(Protocol):
    """Knows what can be answered without waiting for anything."""

    def answer(self, path: str, query: bytes, headers: Sequence[Header]) -> TileAnswer | None:
        """The answer to a GET, or None where the application has to find it.

        Args:
            path: As it came; what is percent-encoded need not be known.
            headers: Names in small letters.
        """


class ServiceProtocol(HttpToolsProtocol):
    """Answers what is ready before a request reaches the application, and joins writes."""

    _is_answered = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a connection."""
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport)))

    def on_headers_complete(self) -> None:
        """Answer a request, or have it answered."""
        self._is_answered = self._answer_ready()
        if not self._is_answered:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body, unless nobody waits for it."""
        if not self._is_answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Tell the end of the body, unless nobody waits for it."""
        if not self._is_answered:
            super().on_message_complete()

    def _answer_ready(self) -> bool:
        ready: ReadyAnswers | None = self.app_state.get(READY_ANSWERS)
        if ready is None or self.parser.get_method() != b"GET" or not self._is_plain():
            return False
        path, _, query = self.url.partition(b"?")
        answer = ready.answer(path.decode("latin-1"), query, self.headers)
        if answer is None:
            return False
        identified = (b"x-request-id", uuid.uuid4().hex.encode())
        defaults = self.server_state.default_headers
        lines = [STATUS_LINE[answer.status]]
        for name, value in (*defaults, *answer.headers, identified, *SECURITY_HEADERS):
            # One line, as not every cache looks at a second one.
            lines += (name, b": ", value, b", Origin\r\n" if name == b"vary" else b"\r\n")
        lines += (b"\r\n", answer.body)
        self.transport.write(b"".join(lines))
        self.on_response_complete()
        return True

    def _is_plain(self) -> bool:
        """Whether nothing of the request or the connection needs the server's own care.

        What a page of another origin asks for, is left to those who know which origins may.
        """
        # There is none before the first request of a connection, whatever its type says.
        before = cast("RequestResponseCycle | None", self.cycle)
        return (
            (before is None or before.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
            and not self.transport.is_closing()
            and not self.expect_100_continue
            and self.limit_concurrency is None
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and b"origin" not in dict(self.headers)
        )


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

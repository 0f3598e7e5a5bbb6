"""Around every request, in plain ASGI: a request id, one log line, HEAD, bounds on the body."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from layers.errors import BodyTooLarge

log = structlog.get_logger("geoservice.request")

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
"""Of every answer."""


IS_HIT = "geoservice.is_hit"
"""Set in the scope of a request that was answered from a cache: such are counted, not logged."""

IS_HEAD = "geoservice.is_head"
"""Set in the scope of a request that was HEAD: a stream must not begin for it."""


class RequestContext:
    """Gives each request an id, carries it into logs and answers, and writes one line about it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope["geoservice.request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    *SECURITY_HEADERS,
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            if IS_HIT not in scope:
                log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    duration_ms=round((time.perf_counter() - started) * 1000, 1),
                )


class HeadAnswers:
    """Answers HEAD as GET without its content, which every resource must (RFC 9110, 9.1)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_content(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        as_get = {**scope, "method": "GET", IS_HEAD: True}
        await self._app(as_get, receive, send_without_content)


class BodyLimit:
    """Refuses bodies above a size, counted as they arrive.

    Args:
        uploads: Paths to which larger ones may be posted, with their bound.
    """

    def __init__(
        self, app: ASGIApp, max_body_bytes: int, uploads: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._uploads = uploads or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = 0
        most = self._max_body_bytes
        if scope["method"] == "POST":
            most = self._uploads.get(scope["path"], most)

        async def bounded_receive() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > most:
                    raise BodyTooLarge(most)
            return message

        await self._app(scope, bounded_receive, send)

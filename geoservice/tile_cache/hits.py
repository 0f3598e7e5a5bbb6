"""Answers from the cache ahead of the router, in plain ASGI: nothing is parsed that was before."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from geoservice.auth import Gate
from geoservice.middleware import IS_HIT
from geoservice.tile_answer import tile_answer
from geoservice.tile_service import TileService


class TileHits:
    """Answers requests for tiles that were asked for before and are cached; passes on all else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or not scope["path"].startswith("/tiles/")
        ):
            await self._app(scope, receive, send)
            return
        state = scope["app"].state
        gate: Gate = state.gate
        service: TileService = state.tiles
        headers = dict(scope["headers"])
        access = gate.known(headers.get(b"authorization"))
        if access is None:
            await self._app(scope, receive, send)
            return
        tile = service.hit(scope["path"], scope["query_string"], access)
        if tile is None:
            await self._app(scope, receive, send)
            return
        scope[IS_HIT] = True
        if b"if-none-match" in headers:
            # There may be more than one line of it, of which the dictionary has the last.
            lines = [value for name, value in scope["headers"] if name == b"if-none-match"]
            headers[b"if-none-match"] = b",".join(lines)
        answer = tile_answer(
            tile,
            access,
            accept_encoding=headers.get(b"accept-encoding", b"").decode("latin-1"),
            if_none_match=headers.get(b"if-none-match", b"").decode("latin-1"),
        )
        start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})

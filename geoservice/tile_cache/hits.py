"""Answers from the cache ahead of the router: nothing is parsed that was before."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from geoservice.auth import Gate
from geoservice.middleware import IS_HIT
from geoservice.tile_answer import Header, TileAnswer, tile_answer
from geoservice.tile_service import TileService

_PREFIX = "/tiles/"


class TileHits:
    """Knows the answers to requests for tiles that were asked for before and are cached."""

    def __init__(self, gate: Gate, service: TileService) -> None:
        self._gate = gate
        self._service = service

    def answer(self, path: str, query: bytes, headers: Sequence[Header]) -> TileAnswer | None:
        """The answer to a GET, or None where the router has to find it.

        Args:
            headers: Names in small letters.
        """
        if not path.startswith(_PREFIX):
            return None
        named = dict(headers)
        access = self._gate.known(named.get(b"authorization"))
        if access is None:
            return None
        tile = self._service.hit(path, query, access)
        if tile is None:
            return None
        if_none_match = named.get(b"if-none-match", b"")
        if if_none_match:
            # There may be more than one line of it, of which the dictionary has the last.
            lines = [value for name, value in headers if name == b"if-none-match"]
            if_none_match = b",".join(lines)
        return tile_answer(
            tile,
            access,
            accept_encoding=named.get(b"accept-encoding", b"").decode("latin-1"),
            if_none_match=if_none_match.decode("latin-1"),
        )


class AnswerHits:
    """Answers hits in plain ASGI, whatever server is before it; passes on all else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answer = self._answer(scope) if scope["type"] == "http" else None
        if answer is None:
            await self._app(scope, receive, send)
            return
        scope[IS_HIT] = True
        start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})

    @staticmethod
    def _answer(scope: Scope) -> TileAnswer | None:
        # There are no hits before the application has started.
        hits: TileHits | None = getattr(scope["app"].state, "hits", None)
        if hits is None or scope["method"] != "GET":
            return None
        return hits.answer(scope["path"], scope["query_string"], scope["headers"])

"""Answers from the cache ahead of the router: nothing is parsed that was before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from geoservice.auth import Gate
from geoservice.middleware import IS_HIT
from geoservice.tile_answer import Header, TileAnswer, TileForm, tile_answer
from layers.access import Access
from tiles.cache import CachedTile


class HitSource(Protocol):
    """Knows what it was asked for before, and has it where it is cached."""

    def hit(self, path: str, query: bytes, access: Access) -> tuple[CachedTile, TileForm] | None:
        """The tile of a request that is known and cached, without waiting for anything."""


class TileHits:
    """Knows the answers to requests for tiles that were asked for before and are cached.

    Args:
        sources: By the first part of the paths that each one knows, such as ``tiles``.
    """

    def __init__(self, gate: Gate, sources: Mapping[str, HitSource]) -> None:
        self._gate = gate
        self._sources = sources

    def answer(self, path: str, query: bytes, headers: Sequence[Header]) -> TileAnswer | None:
        """The answer to a GET, or None where the router has to find it.

        Args:
            headers: Names in small letters.
        """
        source = self._sources.get(path[1 : path.find("/", 1)])
        if source is None:
            return None
        named = dict(headers)
        access = self._gate.known(named.get(b"authorization"))
        if access is None:
            return None
        found = source.hit(path, query, access)
        if found is None:
            return None
        if_none_match = named.get(b"if-none-match", b"")
        if if_none_match:
            # There may be more than one line of it, of which the dictionary has the last.
            lines = [value for name, value in headers if name == b"if-none-match"]
            if_none_match = b",".join(lines)
        tile, form = found
        return tile_answer(
            tile,
            access,
            form,
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

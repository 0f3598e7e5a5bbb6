"""Plain routes ahead of FastAPI's, for what is asked most in the form in which it is asked most.

What FastAPI does for a request takes longer than the database takes for a small tile. A quick route
has the path of a declared one and answers from the same function. A request of any other form (a
parameter more, a number that is none) is not its business: it goes on to the declared route, which
describes the resource, and refuses what is wrong with the words that all resources have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope


class WholeNumber(Convertor[int]):
    """Numbers from 0 as they are written once: no sign, no leading zero, at most ten digits."""

    regex = "0|[1-9][0-9]{0,9}"

    def convert(self, value: str) -> int:
        """The number of a part of a path."""
        return int(value)

    def to_string(self, value: int) -> str:
        """The part of a path for a number."""
        return str(value)


register_url_convertor("whole", WholeNumber())

Parse = Callable[[str], Any]
"""Reads a query string; None if the declared route must."""

_ASKED = "geoservice.asked"


class QuickRoute(Route):
    """A route for GET requests whose query string can be read at once."""

    def __init__(
        self, path: str, answer: Callable[[Request], Awaitable[Response]], parse: Parse
    ) -> None:
        super().__init__(path, answer, methods=["GET"], include_in_schema=False)
        self._parse = parse

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is of the usual form."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return Match.NONE, {}
        match, child_scope = super().matches(scope)
        if match is not Match.FULL:
            return Match.NONE, {}
        asked = self._parse(scope["query_string"].decode("latin-1"))
        if asked is None:
            return Match.NONE, {}
        child_scope[_ASKED] = asked
        return match, child_scope


def asked_by(request: Request) -> Any:
    """What the route's ``parse`` read."""
    return request.scope[_ASKED]


def no_parameters(query_string: str) -> tuple[()] | None:
    """Reads the query string of a request that has none."""
    return None if query_string else ()

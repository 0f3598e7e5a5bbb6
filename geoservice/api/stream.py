"""Live changes as Server-Sent Events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Self

import anyio
import orjson
from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse
from starlette.responses import Response

from geoservice.api.parameters import CallerAccess
from geoservice.auth import Gate
from geoservice.middleware import IS_HEAD
from geoservice.push.hub import EventHub, Subscriber
from geoservice.push.wanted import Circle, Wanted
from layers.access import Access
from layers.errors import AccessError, InvalidParameter
from layers.events import Topic
from layers.extent import BBox

router = APIRouter(tags=["Availability"])

PING_S = 15
_SEND_TIMEOUT_S = 20
"""A client that has taken nothing for so long is not there, whatever its connection says."""

_MAX_RADIUS_M = 50_000
_GRACE_S = 2
_BEAT = b": beat\n\n"
_EVENT_STREAM = "text/event-stream"
_NO_STORE = {"Cache-Control": "no-store"}


class StreamParameters(BaseModel):
    """What a stream tells of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: str = Field(
        Topic.AVAILABILITY, max_length=100, description=f"Of {', '.join(Topic)}; joined by commas"
    )
    bbox: str | None = Field(None, description="west,south,east,north in degrees")
    lon: float | None = Field(None, ge=-180, le=180, description="Longitude of a place, degrees")
    lat: float | None = Field(None, ge=-90, le=90, description="Latitude of it, degrees")
    radius_m: float = Field(2_000, gt=0, le=_MAX_RADIUS_M, description="Metres around the place")
    kind: str | None = Field(
        None, max_length=1_000, description="Kinds of facilities, joined by commas"
    )
    feature_id: str | None = Field(
        None, max_length=2_000, description="Features, joined by commas; at most 100"
    )
    resource_type: str | None = Field(None, max_length=100, description="What is counted")
    min_available: int | None = Field(
        None, ge=1, le=2**31 - 1, description="Only when so many come to be free, or cease to be"
    )
    last_event_id: int | None = Field(
        None, ge=0, lt=2**63, description="As the header Last-Event-ID, for those who cannot set it"
    )

    def wanted(self) -> Wanted:
        """The same as a filter.

        Raises:
            InvalidParameter: a value is of no use.
        """
        if (self.lon is None) != (self.lat is None):
            raise InvalidParameter("lon", "", "lon and lat go together")
        circle = None
        if self.lon is not None and self.lat is not None:
            circle = Circle(self.lon, self.lat, self.radius_m)
        return Wanted(
            topics=_topics(self.topic),
            box=BBox.parse(self.bbox) if self.bbox is not None else None,
            circle=circle,
            kinds=frozenset(self.kind.split(",")) if self.kind else None,
            features=_numbers(self.feature_id) if self.feature_id is not None else None,
            resource_type=self.resource_type,
            min_available=self.min_available,
        )


def _topics(text: str) -> frozenset[Topic]:
    try:
        return frozenset(Topic(one) for one in text.split(","))
    except ValueError:
        raise InvalidParameter("topic", text, f"is of {', '.join(Topic)}") from None


def _numbers(text: str) -> frozenset[int]:
    most = 100
    parts = text.split(",")
    if len(parts) > most or not all(part.isascii() and part.isdecimal() for part in parts):
        reason = f"needs up to {most} whole numbers, joined by commas"
        raise InvalidParameter("feature_id", text, reason)
    return frozenset(map(int, parts))


@router.get(
    "/availability/stream",
    summary="Changes as they happen",
    response_class=EventSourceResponse,
)
async def stream(
    request: Request,
    access: CallerAccess,
    asked: Annotated[StreamParameters, Query()],
    last_event_id: Annotated[str | None, Header(max_length=50)] = None,
) -> Response:
    """Server-Sent Events, one for each change of an answer, from now on.

    The first event, ``ready``, says after which number. With ``Last-Event-ID`` from the event after
    that one on, across restarts of the service. If what came after it is no longer kept, an event
    ``gap`` says so.
    """
    wanted = asked.wanted()
    after = _after(last_event_id, asked.last_event_id)
    if request.scope.get(IS_HEAD):
        return Response(headers=_NO_STORE, media_type=_EVENT_STREAM)
    hub: EventHub[bytes] = request.app.state.hub
    hub.refuse_if_full()
    subscriber: Subscriber[bytes] = Subscriber(wanted)
    return EventSourceResponse(
        _chunks(request, access, subscriber, after),
        headers=_NO_STORE,
        # The stream beats by itself, and ends by itself when the service does.
        ping=0,
        send_timeout=_SEND_TIMEOUT_S,
        shutdown_event=_Ending(subscriber),
        shutdown_grace_period=_GRACE_S,
    )


class _Ending(anyio.Event):
    """Cuts a subscriber off when the service is told to end."""

    def __new__(cls, _subscriber: Subscriber[bytes]) -> Self:
        """One of our own, not the one that ``anyio`` makes for the event loop."""
        return object.__new__(cls)

    def __init__(self, subscriber: Subscriber[bytes]) -> None:
        self._subscriber = subscriber

    def set(self) -> None:
        """Say so."""
        self._subscriber.cut()


def _ready(after: int) -> bytes:
    """The first event: what comes after this number is told, so a client can come back at once."""
    return b'retry: 2000\nid: %d\nevent: ready\ndata: {"after":%d}\n\n' % (after, after)


def _after(header: str | None, parameter: int | None) -> int | None:
    """The number after which events are wanted; a browser's own header counts first."""
    if not header:
        return parameter
    if not (header.isascii() and header.isdecimal()):
        raise InvalidParameter("Last-Event-ID", header, "is the number of an event")
    return int(header)


async def _chunks(
    request: Request, access: Access, subscriber: Subscriber[bytes], after: int | None
) -> AsyncIterator[bytes]:
    hub: EventHub[bytes] = request.app.state.hub
    async with hub.subscribed(access, subscriber) as reached:
        yield _ready(reached if after is None else after)
        if after is not None:
            if after < reached and not await hub.is_kept(after):
                yield b"event: gap\ndata: " + orjson.dumps({"after": after}) + b"\n\n"
            async for _, chunk in hub.missed(access, subscriber.wanted, after, reached):
                yield chunk
        while not subscriber.is_cut:
            taken = await subscriber.taken(PING_S)
            if not await _may_still(request, access):
                return
            yield b"".join(chunk for _, chunk in taken) or _BEAT


async def _may_still(request: Request, access: Access) -> bool:
    """Whether the credential still gives what it gave; asked for at each delivery."""
    gate: Gate = request.app.state.gate
    try:
        now = await gate.access_of(request.headers.get("authorization"))
    except AccessError:
        return False
    return now.level == access.level

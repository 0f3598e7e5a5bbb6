"""What requests may say: parsing of parameters that several resources share.

Dependencies are coroutines although none waits: FastAPI would run plain functions in a thread each,
which takes longer than they do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator
from sqlalchemy import text

from geoservice.auth import get_access
from geoservice.db import Database
from geoservice.settings import Settings
from layers.access import Access
from layers.base import Layer
from layers.errors import InvalidParameter, UnknownParameter
from layers.extent import BBox, TimeInterval, parse_instant
from layers.recorded import SETTLED, refuse_unsettled


async def refuse_unknown_parameters(request: Request) -> None:
    """Stop at a query parameter that the resource does not take, or one given twice.

    Raises:
        UnknownParameter: it is not among those of the route.
        InvalidParameter: it is given more than once.
    """
    if not request.scope["query_string"]:
        return
    route: APIRoute = request.scope["route"]
    known = set(_query_parameters(route.dependant))
    seen = set()
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise UnknownParameter(name, sorted(known))
        if name in seen:
            raise InvalidParameter(name, value, "is given more than once")
        seen.add(name)


def _query_parameters(dependant: Dependant) -> Iterator[str]:
    """Names of the query parameters that a route and all it depends on take."""
    for parameter in dependant.query_params:
        kind = parameter.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (one.alias or name for name, one in kind.model_fields.items())
        else:
            yield parameter.alias
    for part in dependant.dependencies:
        yield from _query_parameters(part)


async def get_settings(request: Request) -> Settings:
    """The settings of the running service."""
    settings: Settings = request.app.state.settings
    return settings


async def get_database(request: Request) -> Database:
    """The pools of this worker."""
    database: Database = request.app.state.database
    return database


async def get_bbox(
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees")] = None,
) -> BBox | None:
    """The box asked for, if any (OGC API Features 7.15.3)."""
    return BBox.parse(bbox) if bbox is not None else None


async def get_interval(
    datetime_: Annotated[
        str | None,
        Query(alias="datetime", description="RFC 3339 instant, or interval with '/' and '..'"),
    ] = None,
) -> TimeInterval:
    """The valid time asked for; now if none is (OGC API Features 7.15.4)."""
    if datetime_ is not None:
        return TimeInterval.parse(datetime_)
    now = datetime.now(UTC)
    return TimeInterval(now, now)


async def get_instant(
    datetime_: Annotated[
        str | None, Query(alias="datetime", description="RFC 3339 instant of valid time")
    ] = None,
) -> datetime | None:
    """The instant of valid time asked for, if any."""
    return parse_instant(datetime_) if datetime_ is not None else None


async def get_as_recorded(
    as_recorded: Annotated[
        str | None,
        Query(description="RFC 3339 instant of recorded time: what was believed then"),
    ] = None,
) -> datetime | None:
    """The instant of recorded time asked for; None is what is believed now."""
    return parse_instant(as_recorded, "as_recorded") if as_recorded is not None else None


def time_parameters(at: datetime | None, as_recorded: datetime | None) -> dict[str, str]:
    """The query parameters that ask for the same time again, in UTC; none for what holds now."""
    said = {"datetime": at, "as_recorded": as_recorded}
    return {
        name: instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
        for name, instant in said.items()
        if instant is not None
    }


async def refuse_unsettled_belief(
    database: Database, access: Access, layers: Sequence[Layer], as_recorded: datetime | None
) -> None:
    """See that what was believed at an instant can no longer change; before anything is read.

    Raises:
        InvalidParameter: the instant is ahead of the clock.
        NotYetSettled: a publication under way may lie before it.
    """
    if as_recorded is None:
        return
    async with database.read(access) as connection:
        for layer in layers:
            parameters = {"layer": layer.name, "as_recorded": as_recorded}
            found = (await connection.execute(text(SETTLED), parameters)).one()
            refuse_unsettled(as_recorded, is_ahead=found.is_ahead, is_open=found.is_open)


def _plain_number(value: object) -> object:
    """Refuse ``+1``, ``01`` and ``1_0``: a resource has one address."""
    if isinstance(value, str) and not re.fullmatch("-?(0|[1-9][0-9]*)", value):
        message = "needs a whole number, as 14"
        raise ValueError(message)
    return value


PathNumber = Annotated[int, BeforeValidator(_plain_number)]
CallerAccess = Annotated[Access, Depends(get_access)]
ServiceSettings = Annotated[Settings, Depends(get_settings)]
ServiceDatabase = Annotated[Database, Depends(get_database)]
RequestedBBox = Annotated[BBox | None, Depends(get_bbox)]
RequestedInterval = Annotated[TimeInterval, Depends(get_interval)]
RequestedAsRecorded = Annotated[datetime | None, Depends(get_as_recorded)]
RequestedInstant = Annotated[datetime | None, Depends(get_instant)]

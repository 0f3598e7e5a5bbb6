"""What is free, where, and since when: search, single facilities, and the intake of figures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter, Path, Query, Request
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from starlette.responses import Response

from geoservice.api.answers import GEOJSON, json_response
from geoservice.api.parameters import (
    CallerAccess,
    RequestedAsRecorded,
    RequestedInstant,
    ServiceDatabase,
    refuse_unsettled_belief,
)
from geoservice.api.quick import QuickRoute, asked_by
from geoservice.auth import get_access
from geoservice.db import Database
from geoservice.hours import CityHours
from layers.access import Access, Action
from layers.availability import (
    MAX_RADIUS_M,
    MAX_RESULTS,
    FacilityStatus,
    NearestQuery,
    Then,
    facility_status,
    nearest_available,
)
from layers.errors import FeatureNotFound, InvalidBody, InvalidParameter
from layers.extent import parse_instant
from layers.facilities import LAYER as FACILITIES
from layers.observations import (
    DEFAULT_TTL_S,
    Observation,
    Status,
    check_observations,
    record_observations,
)
from layers.registry import get_layer
from layers.roles import Role

router = APIRouter(tags=["Availability"])

MAX_BATCH = 10_000
_LIVE = {"Cache-Control": "no-store"}
_MAX_INTEGER = 2**31 - 1


class SearchParameters(BaseModel):
    """Where and what a search looks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lon: float = Field(ge=-180, le=180, description="Longitude, degrees")
    lat: float = Field(ge=-85, le=85, description="Latitude, degrees")
    radius_m: float = Field(2_000, gt=0, le=MAX_RADIUS_M, description="Metres")
    kind: str | None = Field(None, max_length=100, description="Kind of facility")
    min_available: int | None = Field(
        None, ge=0, le=_MAX_INTEGER, description="Least number of free units"
    )
    open_at: str | None = Field(None, description="Only those open at this RFC 3339 instant")
    limit: int = Field(20, ge=1, le=MAX_RESULTS, description="Most facilities")
    datetime_: str | None = Field(
        None, alias="datetime", description="Places and figures at this RFC 3339 instant"
    )
    as_recorded: str | None = Field(
        None, description="RFC 3339 instant of recorded time: what was known then"
    )

    def instants(self) -> tuple[datetime, Then | None]:
        """The instant of valid time, and what of the past is asked for."""
        return _instants(
            *(
                parse_instant(text, name) if text is not None else None
                for name, text in (("datetime", self.datetime_), ("as_recorded", self.as_recorded))
            )
        )

    @classmethod
    def parse(cls, query_string: str) -> Self | None:
        """The parameters of a query string, or None if anything is wrong with it."""
        pairs = parse_qsl(query_string, keep_blank_values=True)
        values = dict(pairs)
        if len(values) < len(pairs):
            return None
        try:
            return cls.model_validate(values)
        except ValidationError:
            return None


def _instants(at: datetime | None, as_recorded: datetime | None) -> tuple[datetime, Then | None]:
    then = None if at is None and as_recorded is None else Then(as_recorded)
    return at or as_recorded or datetime.now(UTC), then


@router.get("/availability", summary="The nearest facilities and what is free in them")
async def search(
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    asked: Annotated[SearchParameters, Query()],
) -> Response:
    """Facilities around a place, nearest first, with the newest figure of each and its age."""
    get_layer(FACILITIES.name, access.level)
    at, then = asked.instants()
    open_at = parse_instant(asked.open_at, "open_at") if asked.open_at is not None else None
    query = NearestQuery(
        lon=asked.lon,
        lat=asked.lat,
        radius_m=asked.radius_m,
        at=at,
        limit=asked.limit,
        kind=asked.kind,
        min_available=asked.min_available,
        open_at=open_at,
        then=then,
    )
    await _refuse_unsettled(database, access, then)
    hours: CityHours = request.app.state.hours
    async with database.readers(access).connection() as connection:
        found = await nearest_available(connection, access.level, query, hours)
    return json_response(
        {
            "type": "FeatureCollection",
            "numberReturned": len(found),
            "timeStamp": query.at,
            "features": [_feature(one) for one in found],
        },
        media_type=GEOJSON,
        headers=_LIVE,
    )


async def _quick_search(request: Request) -> Response:
    access = await get_access(request)
    return await search(request, request.app.state.database, access, asked_by(request))


quick_routes = (QuickRoute("/availability", _quick_search, SearchParameters.parse),)


@router.get("/availability/{feature_id}", summary="What is free in one facility")
async def of_facility(
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    feature_id: Annotated[int, Path(ge=1, lt=2**53)],
    instant: RequestedInstant,
    as_recorded: RequestedAsRecorded,
) -> Response:
    """One facility with its newest figure and its age, now or as it was at ``datetime``."""
    get_layer(FACILITIES.name, access.level)
    at, then = _instants(instant, as_recorded)
    await _refuse_unsettled(database, access, then)
    hours: CityHours = request.app.state.hours
    async with database.readers(access).connection() as connection:
        found = await facility_status(connection, access.level, feature_id, at, hours, then)
    if found is None:
        raise FeatureNotFound(FACILITIES.name, feature_id)
    return json_response(_feature(found), media_type=GEOJSON, headers=_LIVE)


async def _refuse_unsettled(database: Database, access: Access, then: Then | None) -> None:
    as_recorded = then.as_recorded if then is not None else None
    await refuse_unsettled_belief(database, access, [FACILITIES], as_recorded)


def _feature(one: FacilityStatus) -> dict[str, Any]:
    live = {
        "available": one.available,
        "capacity": one.capacity,
        "status": one.status.name,
        "freshness": one.freshness.name if one.freshness is not None else "unknown",
        "observed_at": one.observed_at,
        "age_s": round(one.age_s, 1) if one.age_s is not None else None,
        "resource_type": one.resource_type or one.attributes.get("resource_type"),
        "source": one.source,
        "is_open": one.is_open,
    }
    if one.distance_m is not None:
        live["distance_m"] = round(one.distance_m, 1)
    return {
        "type": "Feature",
        "id": one.feature_id,
        "geometry": {"type": "Point", "coordinates": [round(one.lon, 9), round(one.lat, 9)]},
        "properties": {"feature_id": one.feature_id, **one.attributes, **live},
    }


def _instant(value: object) -> datetime:
    """An instant as all of the service's addresses take it: text, with an offset, in UTC."""
    if not isinstance(value, str) or "T" not in value.upper():
        message = "needs a text that is an RFC 3339 instant: 2018-02-12T23:20:50Z"
        raise ValueError(message)
    try:
        return parse_instant(value, "observed_at")
    except InvalidParameter as error:
        raise ValueError(error.reason) from None


class ObservationBody(BaseModel):
    """One figure as a source sends it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    facility: str = Field(min_length=1, max_length=200, description="Code of the facility")
    observed_at: Annotated[datetime, BeforeValidator(_instant)] = Field(
        description="When the figure was true, an RFC 3339 instant"
    )
    available: int | None = Field(None, ge=0, le=_MAX_INTEGER, description="Free units")
    capacity: int | None = Field(None, ge=0, le=_MAX_INTEGER, description="All units in service")
    status: str | None = Field(None, description="What the source says, in DATEX II words")
    resource_type: str = Field("", max_length=100, description="What is counted, such as seat")
    ttl_s: int = Field(DEFAULT_TTL_S, ge=1, le=86_400, description="Seconds that it stays fresh")
    source: str | None = Field(None, min_length=1, max_length=100, description="Who observes")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.available is None and self.status is None:
            message = "needs available or status"
            raise ValueError(message)
        if self.status is not None and self.status not in Status.__members__:
            message = f"status is one of {', '.join(Status.__members__)}"
            raise ValueError(message)
        return self

    def observation(self) -> Observation:
        """The figure as the lower rooms take it."""
        return Observation(
            facility=self.facility,
            observed_at=self.observed_at,
            available=self.available,
            capacity=self.capacity,
            status=Status[self.status] if self.status else Status.unknown,
            resource_type=self.resource_type,
            ttl_s=self.ttl_s,
        )


_BATCH = TypeAdapter(list[ObservationBody])


@router.post("/observations", summary="Send figures", status_code=200)
async def observe(request: Request, database: ServiceDatabase, access: CallerAccess) -> Response:
    """Take in one figure or a batch (JSON object or array): all of it, or nothing.

    A figure sent again changes nothing; with other numbers it corrects the one before.
    """
    access.require_credential(Action.OBSERVE)
    bodies = _parse_batch(await request.body())
    observations = [body.observation() for body in bodies]
    source = _source(bodies, access)
    access.require(Action.OBSERVE, source)
    received_at = datetime.now(UTC)
    check_observations(observations, received_at)
    async with database.write(Role.INGEST) as connection:
        intake = await record_observations(
            connection, observations, level=access.level, source=source, received_at=received_at
        )
    return json_response(
        {
            "received": len(observations),
            "accepted": intake.accepted,
            "repeated": intake.repeated,
            "corrected": intake.corrected,
        }
    )


def _source(bodies: list[ObservationBody], access: Access) -> str:
    """The one source of a batch: what it says, else the one that the key observes for."""
    named = {body.source for body in bodies if body.source is not None}
    if len(named) > 1:
        raise InvalidBody("a batch has one source", "/0/source")
    if named:
        return named.pop()
    scopes = {g.scope for g in access.grants if g.action is Action.OBSERVE} - {"*"}
    return scopes.pop() if len(scopes) == 1 else "default"


def _parse_batch(body: bytes) -> list[ObservationBody]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"is not JSON: {error.msg} at character {error.pos}"
        raise InvalidBody(message) from error
    members = content if isinstance(content, list) else [content]
    if not 1 <= len(members) <= MAX_BATCH:
        message = f"takes 1 to {MAX_BATCH} figures at once"
        raise InvalidBody(message)
    try:
        return _BATCH.validate_python(members)
    except ValidationError as error:
        first = error.errors()[0]
        pointer = "".join(f"/{part}" for part in first["loc"])
        raise InvalidBody(first["msg"], pointer) from error

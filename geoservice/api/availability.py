"""What is free, where, and since when: search and single facilities."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
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
from layers.access import Access
from layers.availability import (
    MAX_RADIUS_M,
    MAX_RESULTS,
    FacilityStatus,
    NearestQuery,
    Then,
    facility_status,
    nearest_available,
)
from layers.errors import FeatureNotFound
from layers.extent import parse_instant
from layers.facilities import LAYER as FACILITIES
from layers.registry import get_layer

router = APIRouter(tags=["Availability"])

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

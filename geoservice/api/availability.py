"""What is free, where, and since when: search and single facilities."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from urllib.parse import parse_qsl

import orjson
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
from geoservice.availability_ahead import search_ahead
from geoservice.availability_score import Ranking, search_by_score
from geoservice.availability_travel import Reached, search_by_travel
from geoservice.db import Database
from geoservice.expectations import Expectations
from geoservice.hours import CityHours
from layers.access import Access
from layers.availability import (
    MAX_RADIUS_M,
    MAX_RESULTS,
    Cursor,
    FacilityStatus,
    Page,
    Place,
    SearchQuery,
    Then,
    facility_status,
    search_facilities,
)
from layers.codes import PRICE_CLASSES
from layers.errors import FeatureNotFound, InvalidParameter, MissingParameter
from layers.extent import BBox, parse_instant
from layers.facilities import LAYER as FACILITIES
from layers.facility_filters import (
    AlongRoute,
    Area,
    Filters,
    InBox,
    InDistrict,
    InPolygon,
)
from layers.facility_resources import ResourceStatus, resources_of
from layers.forecast import MAX_AHEAD
from layers.intake import CLOCK_SKEW
from layers.registry import get_layer
from layers.travel import MAX_MINUTES, Travel, catchment

router = APIRouter(tags=["Availability"])

_RADIUS_M, _ROUTE_RADIUS_M = 2_000.0, 300.0
_MINUTES = 15
_LIVE = {"Cache-Control": "no-store"}
_AS_GEOJSON: dict[int | str, dict[str, Any]] = {200: {"content": {GEOJSON: {}}}}
_MAX_INTEGER = 2**31 - 1


class Sort(StrEnum):
    """Orders of a search besides the nearest first, or the quickest to reach."""

    SCORE = "score"


class SearchParameters(BaseModel):
    """Where and what a search looks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lon: float | None = Field(None, ge=-180, le=180, description="Longitude of a place, degrees")
    lat: float | None = Field(None, ge=-85, le=85, description="Latitude of it, degrees")
    radius_m: float | None = Field(
        None,
        gt=0,
        le=MAX_RADIUS_M,
        description="Metres around the place (2,000; anywhere if an area is given), or along a "
        "route (300)",
    )
    bbox: str | None = Field(None, description="west,south,east,north in degrees")
    within: str | None = Field(
        None, max_length=500_000, description="WKT of a polygon in longitude and latitude"
    )
    district: str | None = Field(None, max_length=20, description="Code of a district or street")
    route: str | None = Field(
        None, max_length=500_000, description="WKT of a line: what lies along it, in its order"
    )
    kind: str | None = Field(
        None, max_length=1_000, description="Kinds, joined by commas; those below them too"
    )
    resource_type: str | None = Field(
        None, max_length=100, description="What is to be free, such as court"
    )
    accessible: bool | None = Field(None, description="Only with (or without) step-free access")
    fee: str | None = Field(None, max_length=100, description="As the attribute has it")
    price_class: str | None = Field(
        None, max_length=20, description=", ".join(code.code for code in PRICE_CLASSES.codes)
    )
    q: str | None = Field(
        None, min_length=1, max_length=100, description="Found in the name or the address"
    )
    min_available: int | None = Field(
        None, ge=0, le=_MAX_INTEGER, description="Least number of free units"
    )
    open_at: str | None = Field(None, description="Only those open at this RFC 3339 instant")
    limit: int = Field(20, ge=1, le=MAX_RESULTS, description="Most facilities of a page")
    travel: Travel | None = Field(
        None, description="Sort by the time to get there on the roads, instead of by metres"
    )
    sort: Sort | None = Field(
        None,
        description="score: by the time to get there and the chance that min_available (1) are "
        "free on arrival",
    )
    max_minutes: int | None = Field(
        None,
        ge=1,
        le=max(MAX_MINUTES.values()),
        description="At most so long a way (15 by default)",
    )
    cursor: str | None = Field(
        None, max_length=200, description="Where the page begins: from a link next"
    )
    datetime_: str | None = Field(
        None, alias="datetime", description="Places and figures at this RFC 3339 instant"
    )
    as_recorded: str | None = Field(
        None, description="RFC 3339 instant of recorded time: what was known then"
    )

    def query(self) -> SearchQuery:
        """The same as the lower rooms take it.

        Raises:
            InvalidParameter: a value is of no use, or two of them do not go together.
        """
        at, then = self.instants()
        area = self._area()
        place = self._place(has_area=area is not None)
        if place is None and area is None:
            raise MissingParameter("lon")
        return SearchQuery(
            at=at,
            place=place,
            area=area,
            filters=Filters(
                kinds=tuple(self.kind.split(",")) if self.kind else (),
                resource_type=self.resource_type,
                accessible=self.accessible,
                fee=self.fee,
                price_class=self._price_class(),
                text=self.q,
                min_available=self.min_available,
            ),
            limit=self.limit,
            open_at=parse_instant(self.open_at, "open_at") if self.open_at is not None else None,
            then=then,
            after=_cursor_of(self.cursor) if self.cursor is not None else None,
        )

    def max_s(self) -> float:
        """The longest way in seconds.

        Raises:
            InvalidParameter: it is longer than may be asked for, or nobody travels.
        """
        if self.lon is None or (self.travel is None and self.sort is None):
            name = "travel" if self.sort is None else "sort"
            raise InvalidParameter(name, str(self.travel or self.sort or ""), "needs lon and lat")
        travel = self.travel or Travel.WALKING
        minutes = self.max_minutes or _MINUTES
        if minutes > MAX_MINUTES[travel]:
            reason = f"is at most {MAX_MINUTES[travel]} for {travel}"
            raise InvalidParameter("max_minutes", str(minutes), reason)
        return minutes * 60.0

    def ahead(self, query: SearchQuery) -> SearchQuery:
        """The query of who sets out now or later.

        Raises:
            InvalidParameter: it is of the past.
        """
        if query.then is not None and not _is_ahead(query.at):
            raise InvalidParameter("sort", str(self.sort), "needs an instant that lies ahead")
        return query

    def _place(self, *, has_area: bool) -> Place | None:
        if self.lon is None and self.lat is None:
            return None
        if self.lon is None or self.lat is None:
            raise MissingParameter("lon" if self.lon is None else "lat")
        is_bounded = has_area or self.travel is not None or self.sort is not None
        around = MAX_RADIUS_M if is_bounded else _RADIUS_M
        radius_m = around if self.radius_m is None or self.route is not None else self.radius_m
        return Place(self.lon, self.lat, radius_m)

    def _price_class(self) -> str | None:
        known = [code.code for code in PRICE_CLASSES.codes]
        if self.price_class is not None and self.price_class not in known:
            reason = f"is one of {', '.join(known)}"
            raise InvalidParameter("price_class", self.price_class, reason)
        return self.price_class

    def _area(self) -> Area | None:
        given = [
            name
            for name in ("bbox", "within", "district", "route")
            if getattr(self, name) is not None
        ]
        if len(given) > 1:
            raise InvalidParameter(given[1], "", f"does not go with {given[0]}")
        if self.bbox is not None:
            return InBox(BBox.parse(self.bbox))
        if self.within is not None:
            return InPolygon.parse(self.within, "within")
        if self.district is not None:
            return InDistrict.parse(self.district, "district")
        if self.route is not None:
            return AlongRoute.parse(self.route, self.radius_m or _ROUTE_RADIUS_M, "route")
        return None

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
        """The parameters of the usual search, around a place; None if it is any other."""
        pairs = parse_qsl(query_string, keep_blank_values=True)
        values = dict(pairs)
        if len(values) < len(pairs):
            return None
        try:
            asked = cls.model_validate(values)
        except ValidationError:
            return None
        return None if asked.lon is None or asked.lat is None else asked


def _instants(at: datetime | None, as_recorded: datetime | None) -> tuple[datetime, Then | None]:
    then = None if at is None and as_recorded is None else Then(as_recorded)
    return at or as_recorded or datetime.now(UTC), then


def _cursor_of(text: str) -> Cursor:
    """The cursor of a link, which may have been written by anybody."""
    try:
        value, number = orjson.loads(urlsafe_b64decode(text.encode()))
        return Cursor(float(value), int(number))
    except (ValueError, TypeError, orjson.JSONDecodeError):
        raise InvalidParameter("cursor", text, "is not one that a link next had") from None


def _text_of(cursor: Cursor) -> str:
    return urlsafe_b64encode(orjson.dumps(list(cursor))).decode()


@router.get("/availability", summary="Facilities and what is free in them", responses=_AS_GEOJSON)
async def search(
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    asked: Annotated[SearchParameters, Query()],
) -> Response:
    """Facilities around a place, nearest first, or in an area, with the newest figure of each.

    A facility without a figure that may be trusted is told with its capacity only.
    """
    get_layer(FACILITIES.name, access.level)
    query = asked.query()
    await _refuse_unsettled(database, access, query.then)
    hours: CityHours = request.app.state.hours
    expectations: Expectations = request.app.state.expectations
    async with database.readers(access).connection() as connection:

        async def find(query: SearchQuery) -> tuple[Page, Mapping[int, dict[str, Any]]]:
            if _is_ahead(query.at):
                return await search_ahead(connection, access.level, query, hours, expectations)
            return await search_facilities(connection, access.level, query, hours), {}

        travel = asked.travel or Travel.WALKING
        if asked.sort is Sort.SCORE:
            ranking = await search_by_score(
                connection, asked.ahead(query), find, travel, asked.max_s(), hours, expectations
            )
            return _ranked_response(query, travel, ranking)
        if asked.travel is not None or asked.max_minutes is not None:
            reached = await search_by_travel(connection, query, find, travel, asked.max_s())
            return _reached_response(query, travel, reached)
        page, expected = await find(query)
    document = _collection(
        query, [_feature(one, expected.get(one.feature_id)) for one in page.found]
    )
    if page.next is not None:
        next_page = request.url.include_query_params(cursor=_text_of(page.next))
        document["links"] = [{"rel": "next", "type": GEOJSON, "href": str(next_page)}]
    return json_response(document, media_type=GEOJSON, headers=_LIVE)


def _collection(query: SearchQuery, features: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "numberReturned": len(features),
        "timeStamp": query.at,
        "features": features,
    }


def _reached_response(query: SearchQuery, travel: Travel, reached: Reached) -> Response:
    features = []
    for one in reached.found:
        feature = _feature(one, reached.expected.get(one.feature_id))
        seconds = round(reached.seconds[one.feature_id], 1)
        feature["properties"] |= {"travel": travel, "travel_s": seconds}
        features.append(feature)
    document = _collection(query, features) | {"isComplete": reached.is_complete}
    return json_response(document, media_type=GEOJSON, headers=_LIVE)


def _ranked_response(query: SearchQuery, travel: Travel, ranking: Ranking) -> Response:
    features = []
    for one in ranking.found:
        feature = _feature(one.facility)
        feature["properties"] |= {
            "travel": travel,
            "travel_s": round(one.travel_s, 1),
            "chance": round(one.chance, 3) if one.chance is not None else None,
            "score_s": round(one.score_s, 1),
        }
        features.append(feature)
    document = _collection(query, features) | {"isComplete": ranking.is_complete}
    return json_response(document, media_type=GEOJSON, headers=_LIVE)


async def _quick_search(request: Request) -> Response:
    access = await get_access(request)
    return await search(request, request.app.state.database, access, asked_by(request))


quick_routes = (QuickRoute("/availability", _quick_search, SearchParameters.parse),)


@router.get(
    "/availability/{feature_id}", summary="What is free in one facility", responses=_AS_GEOJSON
)
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
        expected: dict[int, dict[str, Any]] = {}
        if _is_ahead(at):
            expectations: Expectations = request.app.state.expectations
            capacities = {feature_id: found.capacity}
            expected = await expectations.of_facilities(connection, capacities, at)
        resources: list[ResourceStatus] = []
        code = found.attributes.get("code")
        if then is None and code is not None:
            resources = await resources_of(connection, access.level, feature_id, code, at)
    document = _feature(found, expected.get(feature_id))
    if then is None:
        document["properties"]["resources"] = [_told(one) for one in resources]
    return json_response(document, media_type=GEOJSON, headers=_LIVE)


def _told(one: ResourceStatus) -> dict[str, Any]:
    return {
        "resource_type": one.resource_type or None,
        **one.attributes,
        "available": one.available,
        "capacity": one.capacity,
        "status": one.status.name,
        "freshness": one.freshness.name if one.freshness is not None else "unknown",
        "observed_at": one.observed_at,
        "age_s": round(one.age_s, 1) if one.age_s is not None else None,
    }


def _is_ahead(at: datetime) -> bool:
    """Whether an instant lies so far ahead that only an expectation answers for it.

    Raises:
        InvalidParameter: it lies beyond what is expected of.
    """
    ahead = at - datetime.now(UTC)
    if ahead > MAX_AHEAD:
        reason = f"lies more than {MAX_AHEAD.days} days ahead"
        raise InvalidParameter("datetime", at.isoformat(), reason)
    return ahead > CLOCK_SKEW


@router.get(
    "/availability/{feature_id}/catchment",
    summary="From where a facility is reached",
    responses=_AS_GEOJSON,
)
async def get_catchment(
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    feature_id: Annotated[int, Path(ge=1, lt=2**53)],
    travel: Annotated[Travel, Query(description="How people come")] = Travel.WALKING,
    minutes: Annotated[
        str, Query(max_length=50, description="Whole minutes, joined by commas; at most five")
    ] = "5,10,15",
) -> Response:
    """Areas from which it is reached within minutes on the roads, the largest first."""
    get_layer(FACILITIES.name, access.level)
    wanted = _minutes(minutes, travel)
    hours: CityHours = request.app.state.hours
    async with database.readers(access).connection() as connection:
        now = datetime.now(UTC)
        found = await facility_status(connection, access.level, feature_id, now, hours)
        if found is None:
            raise FeatureNotFound(FACILITIES.name, feature_id)
        areas = await catchment(connection, (found.lon, found.lat), travel, wanted)
    features = [
        {
            "type": "Feature",
            "geometry": orjson.loads(area),
            "properties": {"feature_id": feature_id, "travel": travel, "minutes": within},
        }
        for within, area in areas
    ]
    document = {"type": "FeatureCollection", "features": features}
    return json_response(document, media_type=GEOJSON, headers=_LIVE)


def _minutes(text: str, travel: Travel) -> list[int]:
    parts = text.split(",")
    most, longest = 5, MAX_MINUTES[travel]
    if len(parts) <= most and all(part.isascii() and part.isdecimal() for part in parts):
        numbers = sorted({int(part) for part in parts})
        if numbers[0] >= 1 and numbers[-1] <= longest:
            return numbers
    reason = f"needs up to {most} whole numbers of 1 to {longest}, joined by commas"
    raise InvalidParameter("minutes", text, reason)


async def _refuse_unsettled(database: Database, access: Access, then: Then | None) -> None:
    as_recorded = then.as_recorded if then is not None else None
    await refuse_unsettled_belief(database, access, [FACILITIES], as_recorded)


def _feature(one: FacilityStatus, expected: dict[str, Any] | None = None) -> dict[str, Any]:
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
        "basis": "live" if one.available is not None else "capacity only",
    }
    if expected is not None:
        live |= {"basis": "expected", "freshness": "expected", "expected": expected}
    if one.along is not None:
        live["along"] = round(one.along, 6)
    if one.distance_m is not None:
        live["distance_m"] = round(one.distance_m, 1)
    return {
        "type": "Feature",
        "id": one.feature_id,
        "geometry": {"type": "Point", "coordinates": [round(one.lon, 9), round(one.lat, 9)]},
        "properties": {"feature_id": one.feature_id, **one.attributes, **live},
    }

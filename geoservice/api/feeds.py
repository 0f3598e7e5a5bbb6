"""Facilities in the words of others: GBFS 3 for shared bicycles, NGSI-LD for car parks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, json_response
from geoservice.api.parameters import CallerAccess, ServiceDatabase, ServiceSettings
from geoservice.db import Database
from geoservice.hours import CityHours
from layers.access import Access
from layers.availability import MAX_RESULTS, FacilityStatus, SearchQuery, search_facilities
from layers.extent import BBox
from layers.facilities import LAYER as FACILITIES
from layers.facility_filters import Filters, InBox
from layers.registry import get_layer

router = APIRouter(tags=["Feeds"])

VERSION = "3.0"
TTL_S = 30
BICYCLES, CAR_PARKS = "parking.bicycle", "parking"
_FEEDS = ("system_information", "station_information", "station_status")
_WORLD = InBox(BBox(-180, -85, 180, 85))
_NO_STORE = {"Cache-Control": "no-store"}
_LD_JSON = "application/ld+json"
_CONTEXT = [
    "https://raw.githubusercontent.com/smart-data-models/dataModel.Parking/master/context.jsonld",
    "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
]


@router.get("/gbfs/gbfs.json", summary="GBFS: the feeds")
async def gbfs(request: Request) -> Response:
    """Where the feeds of shared bicycles are (GBFS 3.0)."""
    base = base_url(request)
    feeds = [{"name": name, "url": f"{base}/gbfs/{name}.json"} for name in _FEEDS]
    return _feed({"feeds": feeds}, datetime.now(UTC))


@router.get("/gbfs/system_information.json", summary="GBFS: the system")
async def system_information(settings: ServiceSettings) -> Response:
    """Whose it is."""
    city = settings.city
    return _feed(
        {
            "system_id": "city_bicycles",
            "languages": ["zh-CN", "en"],
            "name": [
                {"text": f"{city.name_zh}公共自行车", "language": "zh-CN"},
                {"text": f"{city.name_en} public bicycles", "language": "en"},
            ],
            "opening_hours": "24/7",
            "timezone": city.time_zone,
            "feed_contact_email": city.contact_email,
        },
        datetime.now(UTC),
    )


@router.get("/gbfs/station_information.json", summary="GBFS: where stations are")
async def station_information(
    request: Request, database: ServiceDatabase, access: CallerAccess
) -> Response:
    """The places where bicycles stand."""
    stations = []
    async for one in _facilities(request, database, access, BICYCLES):
        station = {
            "station_id": _code(one),
            "name": [{"text": str(one.attributes.get("name") or _code(one)), "language": "zh-CN"}],
            "lat": round(one.lat, 6),
            "lon": round(one.lon, 6),
        }
        for ours, theirs in (("address", "address"), ("capacity", "capacity")):
            if one.attributes.get(ours) is not None:
                station[theirs] = one.attributes[ours]
        if one.attributes.get("opening_hours"):
            station["station_opening_hours"] = one.attributes["opening_hours"]
        stations.append(station)
    return _feed({"stations": stations}, datetime.now(UTC))


@router.get("/gbfs/station_status.json", summary="GBFS: what stands there")
async def station_status(
    request: Request, database: ServiceDatabase, access: CallerAccess
) -> Response:
    """Bicycles and free docks; a station whose figure has expired is not told of."""
    stations: list[dict[str, Any]] = []
    async for one in _facilities(request, database, access, BICYCLES):
        if one.available is None or one.observed_at is None:
            continue
        is_open = one.is_open is not False
        station = {
            "station_id": _code(one),
            "num_vehicles_available": one.available,
            "is_installed": True,
            "is_renting": is_open,
            "is_returning": is_open,
            "last_reported": _instant(one.observed_at),
        }
        if one.capacity is not None:
            station["num_docks_available"] = max(0, one.capacity - one.available)
        stations.append(station)
    return _feed({"stations": stations}, datetime.now(UTC))


@router.get(
    "/ngsi-ld/v1/entities",
    summary="NGSI-LD: car parks",
    responses={200: {"content": {_LD_JSON: {}}}},
)
async def entities(
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    type_: Annotated[
        Literal["OffStreetParking"], Query(alias="type", description="Of Smart Data Models")
    ],
    limit: Annotated[int, Query(ge=1, le=MAX_RESULTS, description="Most entities")] = 100,
    offset: Annotated[int, Query(ge=0, le=100_000, description="Entities to leave out")] = 0,
) -> Response:
    """Car parks as entities; a number that may not be trusted is left out."""
    found = []
    number = 0
    async for one in _facilities(request, database, access, CAR_PARKS):
        if offset <= number < offset + limit:
            found.append(_entity(one))
        number += 1
        if number >= offset + limit:
            break
    return json_response(found, media_type=_LD_JSON, headers=_NO_STORE)


def _entity(one: FacilityStatus) -> dict[str, Any]:
    entity: dict[str, Any] = {
        "id": f"urn:ngsi-ld:OffStreetParking:{_code(one)}",
        "type": "OffStreetParking",
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [round(one.lon, 9), round(one.lat, 9)]},
        },
    }
    values = {
        "name": one.attributes.get("name"),
        "totalSpotNumber": one.capacity,
        "openingHours": one.attributes.get("opening_hours"),
    }
    entity |= {k: {"type": "Property", "value": v} for k, v in values.items() if v is not None}
    if one.available is not None and one.observed_at is not None:
        observed = {"type": "Property", "observedAt": _instant(one.observed_at)}
        entity["availableSpotNumber"] = observed | {"value": one.available}
        entity["status"] = observed | {"value": one.status.name}
    return entity | {"@context": _CONTEXT}


async def _facilities(
    request: Request, database: Database, access: Access, kind: str
) -> AsyncIterator[FacilityStatus]:
    """All facilities of a kind with their newest figures, by their ids."""
    get_layer(FACILITIES.name, access.level)
    hours: CityHours = request.app.state.hours
    after = None
    while True:
        query = SearchQuery(
            datetime.now(UTC),
            area=_WORLD,
            filters=Filters(kinds=(kind,)),
            limit=MAX_RESULTS,
            after=after,
        )
        async with database.readers(access).connection() as connection:
            page = await search_facilities(connection, access.level, query, hours)
        for one in page.found:
            yield one
        after = page.next
        if after is None:
            return


def _code(one: FacilityStatus) -> str:
    return str(one.attributes.get("code") or one.feature_id)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _feed(data: dict[str, Any], updated: datetime) -> Response:
    document = {
        "last_updated": _instant(updated),
        "ttl": TTL_S,
        "version": VERSION,
        "data": data,
    }
    return json_response(document, headers=_NO_STORE)

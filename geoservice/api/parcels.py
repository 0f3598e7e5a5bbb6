"""Parcels: what their codes say, which lie at a place, and what one was and became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Path, Query, Request
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from geoservice.api.answers import GEOJSON, JSON, base_url, cache_control, json_response
from geoservice.api.parameters import (
    CallerAccess,
    RequestedAsRecorded,
    RequestedInstant,
    ServiceDatabase,
    ServiceSettings,
    refuse_unsettled_belief,
)
from layers.access import Access
from layers.base import Title
from layers.cadastre.lineage import (
    MAX_TRANSACTIONS,
    lineage_graph,
    select_feature_id,
    select_links,
    select_periods,
    select_standing,
)
from layers.cadastre.parcel_codes import SOURCE, Breach, CodePart, parse_parcel_code
from layers.cadastre.parcels_at import MAX_PARCELS, select_parcel, select_parcels_at
from layers.errors import FeatureNotFound, InvalidParameter
from layers.extent import TimeInterval
from layers.features import FeatureQuery
from layers.parcels import LAYER

router = APIRouter(tags=["Parcels"])

ParcelCode = Annotated[str, Path(max_length=100, description="Code of the parcel")]


@router.get("/parcels/codes/{code}", summary="What a code of a parcel or unit says")
async def explain_code(
    code: Annotated[
        str, Path(description="Parcel code of 19 characters, or unit code of 28 (GB/T 37346)")
    ],
) -> Response:
    """Each part of a code with its meaning, and every rule that it breaks.

    It says nothing of whether there is such a parcel.
    """
    parsed = parse_parcel_code(code)
    if parsed is None:
        raise InvalidParameter(
            "code", code, f"has {len(code)} characters: a parcel code has 19, a unit code 28"
        )
    return json_response(
        {
            "code": code,
            "type": "unit" if parsed.is_unit else "parcel",
            "parcel": parsed.parcel,
            "is_valid": not parsed.breaches,
            "parts": [_part(part) for part in parsed.parts],
            "breaches": [_breach(breach) for breach in parsed.breaches],
            "source": SOURCE,
        }
    )


@router.get(
    "/parcels/at",
    summary="Parcels at a place",
    responses={200: {"content": {GEOJSON: {}}}},
)
async def parcels_at(  # one for each parameter
    database: ServiceDatabase,
    settings: ServiceSettings,
    access: CallerAccess,
    lon: Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False)],
    lat: Annotated[float, Query(ge=-85, le=85, allow_inf_nan=False)],
    instant: RequestedInstant,
    as_recorded: RequestedAsRecorded,
) -> Response:
    """The parcels that hold a place, now or at ``datetime``, with computed and registered areas."""
    query = _query_at(instant, as_recorded)
    statement = select_parcels_at(lon, lat, access.level, query, settings.city.plane_srid)
    await refuse_unsettled_belief(database, access, [LAYER], as_recorded)
    names = query.names(LAYER, access.level)
    async with database.read(access) as connection:
        rows = (await connection.execute(statement)).mappings().all()
    return json_response(
        {"type": "FeatureCollection", "features": [_parcel(names, row) for row in rows]},
        media_type=GEOJSON,
        headers=_kept(access),
    )


@router.get(
    "/parcels/{code}",
    summary="One parcel by its code",
    responses={200: {"content": {GEOJSON: {}}}},
)
async def get_parcel(  # one for each parameter
    request: Request,
    database: ServiceDatabase,
    settings: ServiceSettings,
    access: CallerAccess,
    code: ParcelCode,
    instant: RequestedInstant,
    as_recorded: RequestedAsRecorded,
) -> Response:
    """The parcel now or at ``datetime``, with computed and registered areas.

    One that has ended is found at an instant at which it was there.
    """
    query = _query_at(instant, as_recorded)
    await refuse_unsettled_belief(database, access, [LAYER], as_recorded)
    async with database.read(access) as connection:
        feature_id = (await connection.execute(select_feature_id(), {"code": code})).scalar()
        statement = select_parcel(feature_id or 0, access.level, query, settings.city.plane_srid)
        row = (await connection.execute(statement)).mappings().first()
    if row is None:
        raise FeatureNotFound(LAYER.name, code)
    document = _parcel(query.names(LAYER, access.level), row)
    href = f"{base_url(request)}/parcels/{quote(code, safe='')}/lineage"
    document["links"] = [{"rel": "related", "href": href, "type": JSON, "title": "Lineage"}]
    return json_response(document, media_type=GEOJSON, headers=_kept(access))


@router.get("/parcels/{code}/lineage", summary="What a parcel came from and became")
async def get_lineage(
    database: ServiceDatabase, access: CallerAccess, code: ParcelCode
) -> Response:
    """The ancestors and the descendants of a parcel, as a graph of transactions.

    What was undone is not in it. Of a parcel that the caller may not see nothing is told, and the
    way ends there.
    """
    async with database.read(access) as connection:
        if (await connection.execute(select_feature_id(), {"code": code})).scalar() is None:
            raise FeatureNotFound(LAYER.name, code)
        back, is_back_cut = await _walk(connection, code, of_successors=True)
        forth, is_forth_cut = await _walk(connection, code, of_successors=False)
        edges = lineage_graph((back | forth).values())
        codes = {code} | {edge[end] for edge in edges for end in ("from", "to")}
        periods = await connection.execute(select_periods(access.level), {"codes": sorted(codes)})
        known = {row["code"]: row for row in periods.mappings()}
    nodes = [
        {
            "code": one,
            "is_there": one in known and known[one]["ended"] is None,
            "valid_during": [known[one]["began"], known[one]["ended"]] if one in known else None,
        }
        for one in sorted(codes)
    ]
    return json_response(
        {
            "code": code,
            "nodes": nodes,
            "edges": edges,
            "is_cut": is_back_cut or is_forth_cut,
        },
        headers=_kept(access),
    )


async def _walk(
    connection: AsyncConnection, code: str, *, of_successors: bool
) -> tuple[dict[int, Mapping[Any, Any]], bool]:
    """The transactions on the way back or forth from a parcel, and whether there are more."""
    found: dict[int, Mapping[Any, Any]] = {}
    seen, codes = {code}, {code}
    following = "predecessors" if of_successors else "successors"
    while codes:
        said = {"codes": sorted(codes), "is_successor": of_successors}
        numbers = (await connection.execute(select_links(), said)).scalars().all()
        made = await connection.execute(select_standing(), {"numbers": numbers})
        rows = made.mappings().all()
        found |= {row["transaction_id"]: row for row in rows}
        if len(found) > MAX_TRANSACTIONS:
            return dict(list(found.items())[:MAX_TRANSACTIONS]), True
        codes = {one for row in rows for one in row[following]} - seen
        seen |= codes
    return found, False


def _query_at(instant: datetime | None, as_recorded: datetime | None) -> FeatureQuery:
    at = instant or datetime.now(UTC)
    return FeatureQuery(TimeInterval(at, at), limit=MAX_PARCELS, as_recorded=as_recorded)


def _kept(access: Access) -> dict[str, str]:
    return {"Cache-Control": cache_control(access), "Vary": "Authorization"}


def _parcel(names: Sequence[str], row: Mapping[Any, Any]) -> dict[str, Any]:
    registered = row["area_m2"]
    computed = row["ellipsoid_m2"]
    return {
        "type": "Feature",
        "id": row["feature_id"],
        "geometry": orjson.Fragment(row["geometry"]),
        "properties": {name: row[name] for name in names},
        "areas": {
            "ellipsoid_m2": round(computed, 4),
            "plane_m2": round(row["plane_m2"], 4),
            "registered_m2": registered,
            "difference_m2": None if registered is None else round(registered - computed, 4),
        },
        "valid_during": [row["began"], row["ended"]],
        "recorded_from": row["recorded"],
    }


def _part(part: CodePart) -> dict[str, Any]:
    return {
        "name": part.name,
        "begin": part.begin,
        "value": part.value,
        **_titled("title", part.title),
        **_titled("meaning", part.meaning),
    }


def _breach(breach: Breach) -> dict[str, Any]:
    return {"rule": breach.rule, "part": breach.part, **_titled("title", breach.title)}


def _titled(name: str, title: Title | None) -> dict[str, str | None]:
    return {name: title.en if title else None, f"{name}_zh": title.zh if title else None}

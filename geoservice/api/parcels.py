"""Parcels: what their codes say, and which lie at a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from geoservice.api.answers import GEOJSON, cache_control, json_response
from geoservice.api.parameters import (
    CallerAccess,
    RequestedAsRecorded,
    RequestedInstant,
    ServiceDatabase,
    ServiceSettings,
    refuse_unsettled_belief,
)
from layers.base import Title
from layers.cadastre.parcel_codes import SOURCE, Breach, CodePart, parse_parcel_code
from layers.cadastre.parcels_at import MAX_PARCELS, select_parcels_at
from layers.errors import InvalidParameter
from layers.extent import TimeInterval
from layers.features import FeatureQuery
from layers.parcels import LAYER
from layers.registry import get_layer

router = APIRouter(tags=["Parcels"])


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
    found = get_layer(LAYER.name, access.level)
    at = instant or datetime.now(UTC)
    query = FeatureQuery(TimeInterval(at, at), limit=MAX_PARCELS, as_recorded=as_recorded)
    names = query.names(found, access.level)
    statement = select_parcels_at(lon, lat, access.level, query, settings.city.plane_srid)
    await refuse_unsettled_belief(database, access, [found], as_recorded)
    async with database.read(access) as connection:
        rows = (await connection.execute(statement)).mappings().all()
    return json_response(
        {"type": "FeatureCollection", "features": [_parcel(names, row) for row in rows]},
        media_type=GEOJSON,
        headers={"Cache-Control": cache_control(access), "Vary": "Authorization"},
    )


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

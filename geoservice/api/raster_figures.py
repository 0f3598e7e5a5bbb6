"""Values of rasters at a place, along a line and over areas."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

import numpy as np
import shapely
from fastapi import APIRouter, Body, Query
from pyproj import Geod
from starlette.responses import Response

from geoservice.api.answers import cache_control, json_response
from geoservice.api.parameters import (
    CallerAccess,
    RequestedAsRecorded,
    RequestedInstant,
)
from geoservice.api.posted_shapes import posted_shape
from geoservice.api.raster_parameters import Rasters, parse_bands
from geoservice.raster_service import time_asked
from layers.access import Access
from layers.errors import InvalidBody, InvalidParameter
from layers.raster_reads import raster_name
from tiles.raster.sampling import profile, values_at
from tiles.raster.source import RasterSource
from tiles.raster.zonal import ZonalFigures, zonal

router = APIRouter(tags=["Rasters"])

MAX_AREAS = 50
MAX_BANDS = 16
_ELLIPSOID = Geod(ellps="GRS80")

PostedGeoJSON = Annotated[dict[str, Any], Body(description="GeoJSON")]


@router.get("/rasters/{raster}/point", summary="Values at a place")
async def raster_point(  # one for each parameter
    service: Rasters,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    raster: str,
    lon: Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False)],
    lat: Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False)],
    bands: Annotated[str | None, Query(max_length=80, description="Bands: 1,2")] = None,
) -> Response:
    """The values of the pixel that holds a place; null where there is none."""
    (row,) = await service.find(access, [raster_name(raster)], time_asked(at, as_recorded))
    source = service.source(row)
    numbers = _bands(source, bands)
    found = await service.run(values_at, source, lon, lat, numbers)
    values = found or [None] * len(numbers)
    document = {
        "raster": row.name,
        "lon": lon,
        "lat": lat,
        "is_inside": found is not None,
        "values": [
            {"band": n, "value": value, "unit": source.bands[n - 1].get("unit")}
            for n, value in zip(numbers, values, strict=True)
        ],
    }
    return _answer(document, access)


@router.post("/rasters/{raster}/statistics", summary="Figures over areas")
async def raster_statistics(  # one for each parameter
    service: Rasters,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    raster: str,
    body: PostedGeoJSON,
    bands: Annotated[str | None, Query(max_length=80, description="Bands: 1,2")] = None,
    percentiles: Annotated[
        str, Query(max_length=80, description="Whole numbers from 0 to 100")
    ] = "2,50,98",
    classes: Annotated[bool, Query(description="Count each value by itself")] = False,
) -> Response:
    """Count, least, greatest, mean, spread and percentiles; pixels weigh what the area covers."""
    (row,) = await service.find(access, [raster_name(raster)], time_asked(at, as_recorded))
    source = service.source(row)
    numbers = _bands(source, bands)
    wanted = _percentiles(percentiles)
    areas = await asyncio.to_thread(_areas, body)
    results = [
        (area, await service.run(
            zonal, source, area, bands=numbers, percentiles=wanted, with_classes=classes
        ))
        for area in areas
    ]  # fmt: skip
    documents = [_area_document(source, area, found) for area, found in results]
    return _answer({"raster": row.name, "areas": documents}, access)


@router.post("/rasters/{raster}/profile", summary="Values along a line")
async def raster_profile(  # one for each parameter
    service: Rasters,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    raster: str,
    body: PostedGeoJSON,
    band: Annotated[int, Query(ge=1, le=999)] = 1,
    samples: Annotated[int, Query(ge=2, le=2_000, description="Places along the line")] = 200,
) -> Response:
    """Values at places that are equally far from each other along the ellipsoid."""
    (row,) = await service.find(access, [raster_name(raster)], time_asked(at, as_recorded))
    source = service.source(row)
    source.check_bands([band], "band", 1)
    line = shapely.force_2d(posted_shape(body, "LineString"))
    if shapely.get_num_coordinates(line) > samples or line.length == 0:
        raise InvalidBody("needs a line of some length with at most as many points as samples")
    places = np.asarray(line.coords)[:, :2]
    found = await service.run(profile, source, places, band=band, samples=samples)
    document = {
        "raster": row.name,
        "band": band,
        "unit": source.bands[band - 1].get("unit"),
        "length_m": found[-1].distance_m,
        "samples": [
            {"distance_m": s.distance_m, "lon": s.lon, "lat": s.lat, "value": s.value}
            for s in found
        ],
    }
    return _answer(document, access)


def _answer(document: dict[str, Any], access: Access) -> Response:
    headers = {"Cache-Control": cache_control(access), "Vary": "Authorization"}
    return json_response(document, headers=headers)


def _bands(source: RasterSource, said: str | None) -> tuple[int, ...]:
    numbers = parse_bands(said)
    if numbers is None:
        return source.value_bands[:MAX_BANDS]
    return source.check_bands(numbers, "bands", MAX_BANDS)


def _percentiles(text: str) -> list[int]:
    parts = text.split(",")
    if not all(re.fullmatch("[0-9]{1,2}|100", p) for p in parts) or len(parts) > 9:
        raise InvalidParameter("percentiles", text, "needs at most 9 whole numbers from 0 to 100")
    return sorted({int(part) for part in parts})


def _areas(body: dict[str, Any]) -> list[Any]:
    features = body.get("features") if body.get("type") == "FeatureCollection" else [body]
    if not isinstance(features, list) or not 1 <= len(features) <= MAX_AREAS:
        raise InvalidBody(f"needs 1 to {MAX_AREAS} areas", "/features")
    return [
        shapely.force_2d(posted_shape(feature, "Polygon", "MultiPolygon")) for feature in features
    ]


def _area_document(source: RasterSource, area: Any, found: ZonalFigures) -> dict[str, Any]:
    area_m2, _ = _ELLIPSOID.geometry_area_perimeter(shapely.normalize(area))
    return {
        "area_m2": abs(area_m2),
        "pixel_m": source.resolution_m * found.overview,
        "is_exact": found.overview == 1,
        "bands": found.bands,
    }

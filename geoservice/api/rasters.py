"""The rasters that there are, each with its versions' times, place and bands."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, cache_control, json_response
from geoservice.api.parameters import (
    CallerAccess,
    RequestedAsRecorded,
    RequestedInstant,
)
from geoservice.api.raster_parameters import Rasters
from geoservice.raster_service import time_asked
from layers.access import Clearance
from layers.extent import BBox
from layers.raster_reads import raster_name

router = APIRouter(tags=["Rasters"])


@router.get("/rasters", summary="Rasters")
async def list_rasters(
    request: Request,
    service: Rasters,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
) -> Response:
    """All rasters that the caller may see and that hold at an instant, by name."""
    rows = await service.held(access, time_asked(at, as_recorded))
    here = base_url(request)
    headers = {"Cache-Control": cache_control(access), "Vary": "Authorization"}
    return json_response({"rasters": [_document(row, here) for row in rows]}, headers=headers)


@router.get("/rasters/{raster}", summary="One raster")
async def one_raster(
    request: Request,
    service: Rasters,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    raster: str,
) -> Response:
    """What is known of a raster, by its name or number, as it is or was at an instant."""
    (row,) = await service.find(access, [raster_name(raster)], time_asked(at, as_recorded))
    headers = {"Cache-Control": cache_control(access), "Vary": "Authorization"}
    return json_response(_document(row, base_url(request)), headers=headers)


def _document(row: Any, base: str) -> dict[str, Any]:
    here = f"{base}/rasters/{row.name}"
    nodata = row.nodata
    return {
        "id": row.raster_id,
        "name": row.name,
        "title": row.title_en,
        "title_zh": row.title_zh,
        "kind": row.kind,
        "clearance": Clearance(row.clearance).label,
        "crs": row.crs,
        "bbox": row.bounds,
        "footprint": _footprint(BBox(*row.bounds)),
        "width": row.width,
        "height": row.height,
        "resolution_m": row.resolution_m,
        "dtype": row.dtype,
        # JSON knows no NaN: as a word.
        "nodata": str(nodata) if nodata is not None and nodata != nodata else nodata,
        "bands": [{"band": number, **band} for number, band in enumerate(row.bands, start=1)],
        "valid_during": [row.valid_during.lower, row.valid_during.upper],
        "recorded_during": [row.recorded_during.lower, row.recorded_during.upper],
        "sha256": row.sha256,
        "links": [
            {"rel": "self", "href": here, "type": "application/json"},
            {"rel": "tiles", "href": f"{here}/tiles.json", "type": "application/json"},
        ],
    }


def _footprint(bounds: BBox) -> dict[str, Any]:
    """The box as GeoJSON, in two parts where it crosses the antimeridian (RFC 7946, 3.1.9)."""
    rings = [
        [
            [
                [box.west, box.south], [box.east, box.south], [box.east, box.north],
                [box.west, box.north], [box.west, box.south],
            ]
        ]
        for box in bounds.parts()
    ]  # fmt: skip
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}
    return {"type": "MultiPolygon", "coordinates": rings}

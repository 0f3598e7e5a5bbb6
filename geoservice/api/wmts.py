"""WMTS 1.0.0: rasters as pictures and layers as vector tiles, for desktop GIS by one address.

Names of parameters may be written in any case, and those that nobody knows are passed over, as the
standard asks. What goes wrong is told in its own form, an ``ows:ExceptionReport``.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, cache_control
from geoservice.api.parameters import CallerAccess, ServiceSettings
from geoservice.api.raster_parameters import Rasters
from geoservice.api.raster_tiles import tile_response as raster_response
from geoservice.api.tile_queries import asked_tiles
from geoservice.api.tiles import tile_response as vector_response
from geoservice.api.wmts_documents import (
    GRIDS_OF_SERVICE,
    NOW,
    WmtsLayer,
    capabilities,
    exception_report,
)
from geoservice.problems import problem_of
from geoservice.raster_service import RasterService, time_asked
from geoservice.settings import Settings
from layers.access import Access
from layers.errors import AccessError, GeoserviceError, InvalidParameter, NotFoundError
from layers.extent import BBox, parse_instant
from layers.raster_reads import raster_name
from layers.rasters import RasterKind
from layers.registry import get_layer, is_known, layers_at
from tiles.matrix import TileAddress
from tiles.raster.rendering import FORMATS, Drawing
from tiles.vector import MEDIA_TYPE as VECTOR_TILE

router = APIRouter(tags=["WMTS"])

XML = "application/xml"
DEFAULT_STYLE, HILLSHADE = "default", "hillshade"
_RASTER_EXTENSIONS = ("png", "jpg", "webp")
_TILE_PLACE = "{TileMatrixSet}/{TileMatrix}/{TileCol}/{TileRow}"


@router.get("/wmts", summary="WMTS with parameters in the query")
async def wmts(
    request: Request, service: Rasters, settings: ServiceSettings, access: CallerAccess
) -> Response:
    """GetCapabilities and GetTile of WMTS 1.0.0."""
    said = {name.upper(): value for name, value in request.query_params.multi_items()}
    try:
        asked = _needed(said, "REQUEST")
        if _needed(said, "SERVICE").upper() != "WMTS":
            raise InvalidParameter("SERVICE", said["SERVICE"], "is WMTS")
        if asked.casefold() == "getcapabilities":
            return await _capabilities(request, service, settings, access)
        if asked.casefold() == "gettile":
            return await _tile(request, service, access, said)
    except GeoserviceError as error:
        return _report(error)
    reason = f"{asked[:40]} is not done here, only GetCapabilities and GetTile"
    return Response(exception_report("OperationNotSupported", "REQUEST", reason), 501, None, XML)


@router.get("/wmts/1.0.0/WMTSCapabilities.xml", summary="Capabilities of the WMTS")
async def wmts_capabilities(
    request: Request, service: Rasters, settings: ServiceSettings, access: CallerAccess
) -> Response:
    """What rasters and layers there are for the caller, and where their tiles are."""
    return await _capabilities(request, service, settings, access)


async def _capabilities(
    request: Request, service: RasterService, settings: Settings, access: Access
) -> Response:
    base, city = base_url(request), settings.city
    rows = await service.held(access, time_asked(None, None))
    offered = [
        WmtsLayer(
            name=row.name,
            title=f"{row.title_zh} {row.title_en}",
            bounds=BBox(*row.bounds),
            styles=_styles(row.kind),
            formats=tuple(FORMATS[extension] for extension in _RASTER_EXTENSIONS),
            template=f"{base}/rasters/{row.name}/tiles/{_TILE_PLACE}",
            extensions=_RASTER_EXTENSIONS,
        )
        for row in rows
        if not is_known(row.name)
    ]
    offered += [
        WmtsLayer(
            name=layer.name,
            title=f"{layer.title.zh} {layer.title.en}",
            bounds=BBox(*city.extent),
            styles=(DEFAULT_STYLE,),
            formats=(VECTOR_TILE,),
            template=f"{base}/tiles/{layer.name}/{_TILE_PLACE}",
            extensions=("mvt",),
        )
        for layer in layers_at(access.level)
    ]
    document = capabilities(f"{city.name_zh} {city.name_en}", base, offered)
    headers = {"Cache-Control": cache_control(access), "Vary": "Authorization"}
    return Response(document, 200, headers, XML)


def _styles(kind: str) -> tuple[str, ...]:
    # By address alone a style cannot be named, so what has a style of its own says so in queries.
    return (DEFAULT_STYLE, HILLSHADE) if kind == RasterKind.TERRAIN else (DEFAULT_STYLE,)


async def _tile(
    request: Request, service: RasterService, access: Access, said: Mapping[str, str]
) -> Response:
    name, media_type = _needed(said, "LAYER"), _needed(said, "FORMAT")
    address = _address(said)
    instant = said.get("TIME") or NOW
    at = None if instant == NOW else parse_instant(instant, "TIME")
    time = time_asked(at, None)
    if is_known(name):
        layer = get_layer(name, access.level)
        if media_type != VECTOR_TILE:
            raise InvalidParameter("FORMAT", media_type, f"{name} is {VECTOR_TILE}")
        asked = asked_tiles([layer], access.level, at)
        return await vector_response(request, access, asked, address)
    extension = next((e for e, known in FORMATS.items() if known == media_type), None)
    if extension is None:
        raise InvalidParameter("FORMAT", media_type, f"is one of {', '.join(FORMATS.values())}")
    style = said.get("STYLE") or DEFAULT_STYLE
    if style not in (DEFAULT_STYLE, HILLSHADE):
        raise InvalidParameter("STYLE", style, f"is {DEFAULT_STYLE} or {HILLSHADE}")
    algorithm = HILLSHADE if style == HILLSHADE else None
    drawing = Drawing(extension, algorithm=algorithm)
    made = await service.tile(access, [raster_name(name)], time, address, drawing)
    return raster_response(request, access, made, extension)


def _address(said: Mapping[str, str]) -> TileAddress:
    grids = {grid.name: grid for grid in GRIDS_OF_SERVICE}
    name = _needed(said, "TILEMATRIXSET")
    if name not in grids:
        raise InvalidParameter("TILEMATRIXSET", name, f"is one of {', '.join(grids)}")
    z, x, y = (_number(said, part) for part in ("TILEMATRIX", "TILECOL", "TILEROW"))
    return TileAddress.within_matrix(z, x, y, grids[name])


def _needed(said: Mapping[str, str], name: str) -> str:
    if not said.get(name):
        raise InvalidParameter(name, None, "is missing")
    return said[name]


def _number(said: Mapping[str, str], name: str) -> int:
    text = _needed(said, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InvalidParameter(name, text, "is a whole number")
    return int(text)


def _report(error: GeoserviceError) -> Response:
    """The error as the standard tells it; faults of ours and of keys are told as everywhere."""
    problem = problem_of(error)
    if problem.status >= 500 or isinstance(error, AccessError):
        raise error
    code, locator = "NoApplicableCode", None
    if isinstance(error, InvalidParameter):
        is_missing = error.value is None
        code = "MissingParameterValue" if is_missing else "InvalidParameterValue"
        locator = error.name.upper()
    elif isinstance(error, NotFoundError):
        code = "InvalidParameterValue"
    headers = {"Cache-Control": "no-store"}
    return Response(exception_report(code, locator, str(error)), problem.status, headers, XML)

"""Web Map Tile Service 1.0.0 (OGC 07-057r7): by key-value pairs, and by resources.

Rasters are layers ``raster:NAME`` in pictures, layers of features are vector tiles under their own
names. Both are answered by what answers ``/rasters`` and ``/tiles``, at the level of the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, cache_control
from geoservice.api.ows import XML, KeyValues, reporting
from geoservice.api.raster_tiles import last_zoom, tile_response
from geoservice.api.tile_queries import AskedTiles
from geoservice.api.tiles import tile_response as vector_tile_response
from geoservice.auth import get_access
from geoservice.raster_service import RasterAsk, RasterService, time_asked
from layers.access import Access
from layers.base import Layer, Title
from layers.errors import (
    InvalidParameter,
    NotFoundError,
    NumberOutsideMatrix,
    UnsupportedOperation,
)
from layers.extent import BBox, parse_instant
from layers.raster_times import begins_by_name, select_begins
from layers.rasters import RasterKind
from layers.registry import get_layer, layers_at
from tiles.grids import get_grid
from tiles.matrix import TileAddress
from tiles.query import TileQuery, TileTime
from tiles.raster.rendering import FORMATS, Drawing
from tiles.vector import MEDIA_TYPE
from tiles.wmts import WmtsLayer, WmtsService, capabilities
from tiles.wmts.capabilities import CURRENT, VERSION

router = APIRouter(tags=["WMTS"])

RASTER_PREFIX = "raster:"
DEFAULT = "default"
HILLSHADE = "hillshade"

_SIZE = 256
_STYLE_TITLES = {DEFAULT: Title("Default", "默认"), HILLSHADE: Title("Hillshade", "地形晕渲")}
_SHORT_NAMES: Mapping[str, str] = {"w": "WebMercatorQuad", "c": "CGCS2000Quad"}
"""What national map services call these grids."""

_VECTOR_FORMATS = {"mvt": MEDIA_TYPE}


@dataclass(frozen=True)
class _WantedTile:
    """A tile as the standard names it; row and column are what y and x are elsewhere."""

    layer: str
    style: str
    time: str
    matrix_set: str
    matrix: str
    row: str
    column: str
    media_type: str


@router.get(
    "/wmts",
    summary="WMTS by key-value pairs",
    openapi_extra={
        "parameters": [
            {"name": name, "in": "query", "required": is_needed, "schema": {"type": "string"}}
            for name, is_needed in (
                ("SERVICE", True), ("REQUEST", True), ("VERSION", False), ("LAYER", False),
                ("STYLE", False), ("FORMAT", False), ("TIME", False), ("TILEMATRIXSET", False),
                ("TILEMATRIX", False), ("TILEROW", False), ("TILECOL", False),
            )
        ]
    },
)  # fmt: skip
async def key_values(request: Request) -> Response:
    """GetCapabilities and GetTile of WMTS 1.0.0; names of parameters are known in any case."""
    return await reporting(request, _operation)


@router.get("/wmts/1.0.0/WMTSCapabilities.xml", summary="Capabilities of the WMTS")
async def capabilities_resource(request: Request) -> Response:
    """What the caller may ask the WMTS for."""
    return await reporting(request, _capabilities)


@router.get(
    "/wmts/1.0.0/{layer}/{style}/{time}/{matrix_set}/{matrix}/{row}/{column}.{extension}",
    summary="One tile of the WMTS",
)
async def tile_resource(request: Request) -> Response:
    """A tile as the capabilities' templates name it; 204 where there is nothing."""
    return await reporting(request, _resource)


async def _operation(request: Request) -> Response:
    values = KeyValues(request)
    service = values.needed("Service")
    if service.upper() != "WMTS":
        raise InvalidParameter("Service", service, "is WMTS here")
    name = values.needed("Request")
    if name == "GetCapabilities":
        versions = values.get("AcceptVersions", VERSION)
        if VERSION not in versions.split(","):
            raise InvalidParameter("AcceptVersions", versions, f"this is {VERSION}")
        return await _capabilities(request)
    if name == "GetTile":
        return await _key_value_tile(request, values)
    raise UnsupportedOperation(name, "the operations are GetCapabilities and GetTile")


async def _key_value_tile(request: Request, values: KeyValues) -> Response:
    version = values.needed("Version")
    if version != VERSION:
        raise InvalidParameter("Version", version, f"is {VERSION} here")
    wanted = _WantedTile(
        layer=values.needed("Layer"),
        style=values.get("Style", DEFAULT),
        time=values.get("Time", CURRENT),
        matrix_set=values.needed("TileMatrixSet"),
        matrix=values.needed("TileMatrix"),
        row=values.needed("TileRow"),
        column=values.needed("TileCol"),
        media_type=values.needed("Format"),
    )
    return await _tile(request, wanted)


async def _resource(request: Request) -> Response:
    path = dict(request.path_params)
    extension = path.pop("extension")
    media_type = (_VECTOR_FORMATS | dict(FORMATS)).get(extension)
    if media_type is None:
        message = f"there are no tiles .{extension[:10]}"
        raise NotFoundError(message)
    return await _tile(request, _WantedTile(media_type=media_type, **path))


async def _tile(request: Request, wanted: _WantedTile) -> Response:
    access = await get_access(request)
    address = _address(wanted)
    time = None if wanted.time in (CURRENT, DEFAULT) else parse_instant(wanted.time, "Time")
    if wanted.layer.startswith(RASTER_PREFIX):
        return await _picture(request, access, wanted, address, time)
    return await _vector_tile(request, access, wanted, address, time)


def _address(wanted: _WantedTile) -> TileAddress:
    """The address of a tile.

    Raises:
        InvalidParameter: there is no such matrix.
        NumberOutsideMatrix: it has no such row or column.
        UnknownGrid: there is no such set of matrices.
    """
    grid = get_grid(_SHORT_NAMES.get(wanted.matrix_set, wanted.matrix_set))
    z = _number("TileMatrix", wanted.matrix)
    y, x = _number("TileRow", wanted.row), _number("TileCol", wanted.column)
    if not any(grid.shape(z)):
        raise InvalidParameter("TileMatrix", z, f"{grid.name} has none of that name")
    columns, rows = grid.shape(z)
    for name, number, count in (("TileRow", y, rows), ("TileCol", x, columns)):
        if number >= count:
            raise NumberOutsideMatrix(name, number)
    return TileAddress.within_matrix(z, x, y, grid)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InvalidParameter(name, text, "needs a whole number")
    return int(text)


async def _picture(
    request: Request,
    access: Access,
    wanted: _WantedTile,
    address: TileAddress,
    time: datetime | None,
) -> Response:
    if wanted.style not in _STYLE_TITLES:
        raise InvalidParameter("Style", wanted.style, f"is one of {', '.join(_STYLE_TITLES)}")
    extension = _extension(wanted, FORMATS)
    algorithm = HILLSHADE if wanted.style == HILLSHADE else None
    drawing = Drawing(extension=extension, size=_SIZE, algorithm=algorithm)
    name = wanted.layer.removeprefix(RASTER_PREFIX)
    return await tile_response(request, access, RasterAsk((name,), address, drawing, time))


async def _vector_tile(
    request: Request,
    access: Access,
    wanted: _WantedTile,
    address: TileAddress,
    time: datetime | None,
) -> Response:
    if wanted.style != DEFAULT:
        raise InvalidParameter("Style", wanted.style, f"is {DEFAULT}")
    await request.app.state.themes.look_for([wanted.layer])
    layer = get_layer(wanted.layer, access.level)
    _extension(wanted, _VECTOR_FORMATS)
    query = TileQuery(layer, access.level, TileTime(time or datetime.now(UTC)))
    asked = AskedTiles((query,), is_now=time is None)
    return await vector_tile_response(request, access, asked, address)


def _extension(wanted: _WantedTile, formats: Mapping[str, str]) -> str:
    for extension, media_type in formats.items():
        if wanted.media_type == media_type:
            return extension
    reason = f"{wanted.layer} is given as {', '.join(formats.values())}"
    raise InvalidParameter("Format", wanted.media_type, reason)


async def _capabilities(request: Request) -> Response:
    access = await get_access(request)
    settings = request.app.state.settings
    extent = BBox(*settings.city.extent)
    rasters = await _raster_layers(request, access)
    layers = [_layer_of(layer, extent) for layer in layers_at(access.level)]
    title = Title(f"Tiles of {settings.city.name_en}", f"{settings.city.name_zh}瓦片服务")
    service = WmtsService(title, f"{base_url(request)}/wmts", [*rasters, *layers])
    headers = {"Cache-Control": cache_control(access), "Vary": "Authorization"}
    return Response(capabilities(service), 200, headers, XML)


async def _raster_layers(request: Request, access: Access) -> list[WmtsLayer]:
    service: RasterService = request.app.state.rasters
    rows = await service.held(access, time_asked(None, None))
    async with request.app.state.database.read(access) as connection:
        times = begins_by_name((await connection.execute(select_begins())).all())
    return [_layer_of_raster(service, row, times.get(row.name, ())) for row in rows]


def _layer_of_raster(service: RasterService, row: Any, times: Sequence[str]) -> WmtsLayer:
    styles = [DEFAULT, HILLSHADE] if row.kind == RasterKind.TERRAIN else [DEFAULT]
    source = service.source(row)
    return WmtsLayer(
        name=RASTER_PREFIX + row.name,
        title=Title(row.title_en, row.title_zh),
        bounds=source.bounds,
        minzoom=0,
        maxzoom=last_zoom([source], _SIZE),
        styles=[(style, _STYLE_TITLES[style]) for style in styles],
        formats=list(FORMATS.items()),
        times=times,
    )


def _layer_of(layer: Layer, extent: BBox) -> WmtsLayer:
    return WmtsLayer(
        name=layer.name,
        title=layer.title,
        bounds=extent,
        minzoom=layer.minzoom,
        maxzoom=layer.maxzoom,
        styles=[(DEFAULT, _STYLE_TITLES[DEFAULT])],
        formats=list(_VECTOR_FORMATS.items()),
    )

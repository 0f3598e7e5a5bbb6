"""Tiles of rasters over HTTP, and TileJSON of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, cache_control, json_response
from geoservice.api.parameters import (
    CallerAccess,
    PathNumber,
    RequestedAsRecorded,
    RequestedInstant,
)
from geoservice.api.quick import QuickRoute, no_parameters
from geoservice.api.raster_parameters import Rasters, RequestedDrawing
from geoservice.auth import get_access
from geoservice.raster_cache import Said
from geoservice.raster_service import RasterAsk, RasterService, time_asked
from geoservice.shared_work import CLIENT_GONE, while_connected
from geoservice.tile_answer import TileForm, tile_answer
from layers.access import Access
from layers.errors import NotFoundError
from layers.raster_reads import raster_names
from tiles.grids import EARTH_HALF_M, WEB_MERCATOR, get_grid
from tiles.matrix import TileAddress
from tiles.raster.rendering import FORMATS, Drawing, check_drawing
from tiles.raster.source import RasterSource

router = APIRouter(tags=["Rasters"])


@router.get("/rasters/{rasters}/tiles/{z}/{x}/{y}.{extension}", summary="One tile of rasters")
async def raster_tile(  # the address of a tile has four parts
    request: Request,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    drawing: RequestedDrawing,
    rasters: str,
    z: PathNumber,
    x: PathNumber,
    y: PathNumber,
    extension: str,
) -> Response:
    """A picture of one raster or of several, joined by commas, the first on top; png, webp, jpg.

    204 where there is nothing.
    """
    address = TileAddress.within_matrix(z, x, y)
    drawing = with_extension(drawing, extension)
    ask = RasterAsk(raster_names(rasters), address, drawing, at, as_recorded)
    return await tile_response(request, access, ask)


@router.get(
    "/rasters/{rasters}/tiles/{grid}/{z}/{x}/{y}.{extension}",
    summary="One tile of rasters in a grid",
)
async def raster_tile_of_grid(  # the address of a tile in a grid has five parts
    request: Request,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    drawing: RequestedDrawing,
    rasters: str,
    grid: str,
    z: PathNumber,
    x: PathNumber,
    y: PathNumber,
    extension: str,
) -> Response:
    """A tile cut in one of the grids; otherwise as without one, which is WebMercatorQuad."""
    address = TileAddress.within_matrix(z, x, y, get_grid(grid))
    drawing = with_extension(drawing, extension)
    ask = RasterAsk(raster_names(rasters), address, drawing, at, as_recorded)
    return await tile_response(request, access, ask)


async def _tile_now(request: Request) -> Response:
    access = await get_access(request)
    path = request.path_params
    address = TileAddress.within_matrix(path["z"], path["x"], path["y"])
    drawing = with_extension(Drawing(), path["extension"])
    return await tile_response(
        request, access, RasterAsk(raster_names(path["rasters"]), address, drawing)
    )


quick_routes = (
    QuickRoute(
        "/rasters/{rasters}/tiles/{z:whole}/{x:whole}/{y:whole}.{extension}",
        _tile_now,
        no_parameters,
    ),
)


@router.get("/rasters/{rasters}/tiles.json", summary="TileJSON of rasters")
async def raster_tilejson(  # one for each parameter of a tile
    request: Request,
    service: Rasters,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    drawing: RequestedDrawing,
    rasters: str,
) -> Response:
    """TileJSON 3.0.0 of one raster or of several; its tiles are drawn as the parameters say."""
    rows = await service.find(access, raster_names(rasters), time_asked(at, as_recorded))
    sources = [service.source(row) for row in rows]
    check_drawing(drawing, sources)
    query = f"?{urlencode(list(request.query_params.multi_items()))}" if request.url.query else ""
    lon_lat = [source.bounds for source in sources]
    is_across = any(box.west > box.east for box in lon_lat)
    west = -180.0 if is_across else min(box.west for box in lon_lat)
    east = 180.0 if is_across else max(box.east for box in lon_lat)
    document = {
        "tilejson": "3.0.0",
        "name": ", ".join(row.title_en for row in rows),
        "name_zh": "、".join(row.title_zh for row in rows),
        "scheme": "xyz",
        "tiles": [f"{base_url(request)}/rasters/{rasters}/tiles/{{z}}/{{x}}/{{y}}.png{query}"],
        "tile_size": drawing.size,
        "minzoom": 0,
        "maxzoom": last_zoom(sources, drawing.size),
        "bounds": [
            west, min(box.south for box in lon_lat), east, max(box.north for box in lon_lat),
        ],
    }  # fmt: skip
    if drawing.encoding:
        document["encoding"] = {"terrain-rgb": "mapbox"}.get(drawing.encoding, drawing.encoding)
    headers = {"Cache-Control": cache_control(access), "Vary": "Authorization"}
    return json_response(document, headers=headers)


def last_zoom(sources: Sequence[RasterSource], size: int) -> int:
    """The zoom of Web Mercator whose pixels are about as small as those of the finest raster."""
    zooms = []
    for source in sources:
        middle = math.radians((source.bounds.south + source.bounds.north) / 2)
        world_m = 2 * EARTH_HALF_M * max(math.cos(middle), 0.01)
        zooms.append(math.ceil(math.log2(world_m / size / source.resolution_m)))
    return min(max(*zooms, 0), WEB_MERCATOR.max_zoom)


def with_extension(drawing: Drawing, extension: str) -> Drawing:
    """The drawing as a picture of a kind.

    Raises:
        NotFoundError: there is no such kind.
    """
    if extension not in FORMATS:
        message = f"there are no tiles .{extension[:10]}, only {', '.join(FORMATS)}"
        raise NotFoundError(message)
    return replace(drawing, extension=extension)


async def tile_response(request: Request, access: Access, ask: RasterAsk) -> Response:
    """The answer with a tile: 200, 204 or 304."""
    service: RasterService = request.app.state.rasters
    said = Said(request.scope["path"], request.scope["query_string"])
    tile = await while_connected(request.receive, service.tile(access, ask, said))
    if tile is None:
        return Response(status_code=CLIENT_GONE)
    answer = tile_answer(
        tile,
        access,
        TileForm.picture(FORMATS[ask.drawing.extension]),
        accept_encoding="",
        if_none_match=",".join(request.headers.getlist("if-none-match")),
    )
    response = Response(answer.body, answer.status)
    response.raw_headers = answer.headers
    return response

"""Vector tiles and TileJSON over HTTP."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, cache_control, json_response
from geoservice.api.parameters import CallerAccess, PathNumber
from geoservice.api.quick import QuickRoute, no_parameters
from geoservice.api.tile_queries import AskedTiles, RequestedTiles, asked_tiles, named_layers
from geoservice.auth import get_access
from geoservice.shared_work import CLIENT_GONE, while_connected
from geoservice.theme_watch import know_layers
from geoservice.tile_answer import VECTOR_TILE, accepts_gzip, tile_answer
from geoservice.tile_service import TileAsk, TileService
from layers.access import Access
from layers.extent import BBox
from tiles.extents import read_extent
from tiles.generalised import read_base_zooms
from tiles.grids import WEB_MERCATOR, Grid, get_grid
from tiles.matrix import TileAddress
from tiles.tilejson import tilejson

router = APIRouter(tags=["Tiles"])


@router.get("/tiles/{layers}/{z}/{x}/{y}.mvt", summary="One vector tile")
async def tile(
    request: Request,
    access: CallerAccess,
    asked: RequestedTiles,
    z: PathNumber,
    x: PathNumber,
    y: PathNumber,
) -> Response:
    """A tile of one layer or of several, joined by commas; 204 where there is nothing."""
    return await tile_response(request, access, asked, TileAddress.within_matrix(z, x, y))


@router.get("/tiles/{layers}/{grid}/{z}/{x}/{y}.mvt", summary="One vector tile of a grid")
async def tile_of_grid(  # the address of a tile in a grid has five parts
    request: Request,
    access: CallerAccess,
    asked: RequestedTiles,
    grid: str,
    z: PathNumber,
    x: PathNumber,
    y: PathNumber,
) -> Response:
    """A tile cut in one of the grids; otherwise as without one, which is WebMercatorQuad."""
    address = TileAddress.within_matrix(z, x, y, get_grid(grid))
    return await tile_response(request, access, asked, address)


async def _tile_now(request: Request) -> Response:
    state = request.app.state
    access = await get_access(request)
    await know_layers(request)
    path, most = request.path_params, state.settings.tiles.max_layers
    wanted = named_layers(path["layers"], access.level, most)
    address = TileAddress.within_matrix(path["z"], path["x"], path["y"])
    return await tile_response(request, access, asked_tiles(wanted, access.level), address)


async def tile_response(
    request: Request, access: Access, asked: AskedTiles, address: TileAddress
) -> Response:
    """The answer to a request of a tile, whatever its path."""
    service: TileService = request.app.state.tiles
    ask = TileAsk(asked.queries, address, is_now=asked.is_now)
    accept_encoding = request.headers.get("accept-encoding", "")
    answering = service.answer(
        access, ask, client_of(request, access), gzip=accepts_gzip(accept_encoding)
    )
    tile = await while_connected(request.receive, answering)
    if tile is None:
        return Response(status_code=CLIENT_GONE)
    service.remember(request.scope["path"], request.scope["query_string"], ask)
    answer = tile_answer(
        tile,
        access,
        VECTOR_TILE,
        accept_encoding=accept_encoding,
        if_none_match=",".join(request.headers.getlist("if-none-match")),
    )
    response = Response(answer.body, answer.status)
    response.raw_headers = answer.headers
    return response


def client_of(request: Request, access: Access) -> str:
    """Who asks, as far as turns are concerned: a key, or else an address."""
    if access.credential is not None:
        return f"key {access.credential}"
    return request.client.host if request.client else ""


quick_routes = (
    QuickRoute("/tiles/{layers}/{z:whole}/{x:whole}/{y:whole}.mvt", _tile_now, no_parameters),
)


@router.get("/tiles/{layers}.json", summary="TileJSON of layers")
async def tilejson_of_layers(
    request: Request, access: CallerAccess, asked: RequestedTiles, layers: str
) -> Response:
    """TileJSON 3.0.0 of one layer or of several, joined by commas; tiles keep the parameters."""
    path = f"{layers}/{{z}}/{{x}}/{{y}}.mvt"
    return await _tilejson(request, access, asked, WEB_MERCATOR, path)


@router.get("/tiles/{layers}/{grid}.json", summary="TileJSON of layers in a grid")
async def tilejson_of_grid(
    request: Request, access: CallerAccess, asked: RequestedTiles, layers: str, grid: str
) -> Response:
    """TileJSON 3.0.0 of layers in one of the grids, whose zooms it counts."""
    path = f"{layers}/{grid}/{{z}}/{{x}}/{{y}}.mvt"
    return await _tilejson(request, access, asked, get_grid(grid), path)


async def _tilejson(
    request: Request, access: Access, asked: AskedTiles, grid: Grid, path: str
) -> Response:
    parameters = f"?{urlencode(request.query_params, safe=':')}" if request.query_params else ""
    state = request.app.state
    city = state.settings.city
    async with state.database.readers(access).connection() as connection:
        base_zooms = await read_base_zooms(connection)
        extent = await read_extent(connection, [query.layer for query in asked.queries])
    if extent is None or any(query.time.as_recorded for query in asked.queries):
        # Of what was believed earlier only the city is known to bound it.
        extent = BBox(*city.extent).around(extent)
    return json_response(
        tilejson(
            asked.queries,
            grid,
            extent,
            tiles_url=f"{base_url(request)}/tiles/{path}{parameters}",
            attribution=city.attribution,
            base_zooms=base_zooms,
        ),
        headers={"Cache-Control": cache_control(access), "Vary": "Authorization"},
    )

"""Vector tiles and TileJSON over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, cache_control, json_response
from geoservice.api.parameters import (
    CallerAccess,
    PathNumber,
    RequestedAsRecorded,
    RequestedInstant,
    ServiceDatabase,
    ServiceSettings,
    time_parameters,
)
from geoservice.api.quick import QuickRoute, no_parameters
from geoservice.auth import get_access
from geoservice.theme_watch import know_layers
from geoservice.tile_answer import tile_answer
from geoservice.tile_service import TileAsk, TileService
from layers.access import Access, Clearance
from layers.base import Layer
from layers.errors import InvalidParameter
from layers.extent import BBox
from layers.registry import get_layer
from tiles.generalised import read_base_zooms
from tiles.grids import get_grid
from tiles.matrix import TileAddress
from tiles.query import TileQuery, TileTime
from tiles.tilejson import tilejson

router = APIRouter(tags=["Tiles"])


@router.get("/tiles/{layers}/{z}/{x}/{y}.mvt", summary="One vector tile")
async def tile(  # the address of a tile has four parts
    request: Request,
    settings: ServiceSettings,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    layers: str,
    z: PathNumber,
    x: PathNumber,
    y: PathNumber,
) -> Response:
    """A tile of one layer or of several, joined by commas; 204 where there is nothing."""
    wanted = _layers(layers, access.level, settings.tiles.max_layers)
    address = TileAddress.within_matrix(z, x, y)
    return await _answer(request, access, wanted, address, at, as_recorded)


@router.get("/tiles/{layers}/{grid}/{z}/{x}/{y}.mvt", summary="One vector tile of a grid")
async def tile_of_grid(  # the address of a tile in a grid has five parts
    request: Request,
    settings: ServiceSettings,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    layers: str,
    grid: str,
    z: PathNumber,
    x: PathNumber,
    y: PathNumber,
) -> Response:
    """A tile cut in one of the grids; otherwise as without one, which is WebMercatorQuad."""
    wanted = _layers(layers, access.level, settings.tiles.max_layers)
    address = TileAddress.within_matrix(z, x, y, get_grid(grid))
    return await _answer(request, access, wanted, address, at, as_recorded)


async def _tile_now(request: Request) -> Response:
    state = request.app.state
    access = await get_access(request)
    await know_layers(request)
    path, most = request.path_params, state.settings.tiles.max_layers
    wanted = _layers(path["layers"], access.level, most)
    address = TileAddress.within_matrix(path["z"], path["x"], path["y"])
    return await _answer(request, access, wanted, address, None, None)


async def _answer(
    request: Request,
    access: Access,
    wanted: Sequence[Layer],
    address: TileAddress,
    at: datetime | None,
    as_recorded: datetime | None,
) -> Response:
    service: TileService = request.app.state.tiles
    time = TileTime(at or datetime.now(UTC), as_recorded)
    queries = tuple(TileQuery(layer, access.level, time) for layer in wanted)
    ask = TileAsk(queries, address, is_now=at is None)
    tile = await service.answer(access, ask)
    service.remember(request.url.path, request.scope["query_string"], ask)
    answer = tile_answer(
        tile,
        access,
        accept_encoding=request.headers.get("accept-encoding", ""),
        if_none_match=",".join(request.headers.getlist("if-none-match")),
    )
    response = Response(answer.body, answer.status)
    response.raw_headers = answer.headers
    return response


quick_routes = (
    QuickRoute("/tiles/{layers}/{z:whole}/{x:whole}/{y:whole}.mvt", _tile_now, no_parameters),
)


@router.get("/tiles/{layers}.json", summary="TileJSON of layers")
async def tilejson_of_layers(
    request: Request,
    database: ServiceDatabase,
    settings: ServiceSettings,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    layers: str,
) -> Response:
    """TileJSON 3.0.0 of one layer or of several, joined by commas; its tiles are of its time."""
    wanted = _layers(layers, access.level, settings.tiles.max_layers)
    time = time_parameters(at, as_recorded)
    query = f"?{urlencode(time, safe=':')}" if time else ""
    tiles_url = f"{base_url(request)}/tiles/{layers}/{{z}}/{{x}}/{{y}}.mvt{query}"
    async with database.readers(access).connection() as connection:
        base_zooms = await read_base_zooms(connection)
    return json_response(
        tilejson(wanted, access.level, BBox(*settings.city.extent), tiles_url, base_zooms),
        headers={"Cache-Control": cache_control(access), "Vary": "Authorization"},
    )


def _layers(names: str, level: Clearance, most: int) -> tuple[Layer, ...]:
    """The layers of a comma-separated list, in its order.

    Raises:
        UnknownLayer: one does not exist for the level.
        InvalidParameter: there are too many, or one is named twice.
    """
    parts = names.split(",")
    if len(parts) > most:
        raise InvalidParameter("layers", names, f"at most {most} layers at once")
    if len(set(parts)) < len(parts):
        raise InvalidParameter("layers", names, "names a layer twice")
    return tuple(get_layer(part, level) for part in parts)

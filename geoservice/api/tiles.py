"""Vector tiles, TileJSON and map styles over HTTP."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, cache_control, has_already, json_response
from geoservice.api.parameters import (
    CallerAccess,
    PathNumber,
    RequestedAsRecorded,
    RequestedInstant,
    ServiceSettings,
)
from geoservice.api.quick import QuickRoute, no_parameters
from geoservice.auth import get_access
from geoservice.theme_watch import know_layers
from geoservice.tile_service import RenderedTile, TileService
from layers.access import Access, Clearance
from layers.base import Layer, Title
from layers.errors import InvalidParameter, NotFoundError
from layers.extent import BBox
from layers.registry import get_layer, layers_at
from tiles.grids import get_grid
from tiles.matrix import TileAddress
from tiles.query import TileQuery, TileTime
from tiles.style import CityOnMap, map_style
from tiles.tilejson import tilejson
from tiles.vector import MEDIA_TYPE

router = APIRouter(tags=["Tiles"])

STYLE_NAME = "city"
LEFT_OUT_HEADER = "X-Features-Left-Out"
_VARY = "Accept-Encoding, Authorization"
_GZIP_FROM_BYTES = 200
_GZIP_ASIDE_FROM_BYTES = 20_000
"""From here on compressing takes longer than going to another thread and back."""


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
    queries = [TileQuery(layer, access.level, time) for layer in wanted]
    content = await service.render(access, queries, address)
    level = request.app.state.settings.tiles.gzip_level
    return await tile_response(request, access, content, level)


quick_routes = (
    QuickRoute("/tiles/{layers}/{z:whole}/{x:whole}/{y:whole}.mvt", _tile_now, no_parameters),
)


@router.get("/tiles/{layers}.json", summary="TileJSON of layers")
async def tilejson_of_layers(
    request: Request, settings: ServiceSettings, access: CallerAccess, layers: str
) -> Response:
    """TileJSON 3.0.0 of one layer or of several, joined by commas."""
    wanted = _layers(layers, access.level, settings.tiles.max_layers)
    tiles_url = f"{base_url(request)}/tiles/{layers}/{{z}}/{{x}}/{{y}}.mvt"
    return json_response(
        tilejson(wanted, access.level, BBox(*settings.city.extent), tiles_url),
        headers={"Cache-Control": cache_control(access), "Vary": "Authorization"},
    )


@router.get("/styles/{name}.json", summary="A map style")
async def style(settings: ServiceSettings, access: CallerAccess, name: str) -> Response:
    """A MapLibre style of all layers that the caller may see, with their legend."""
    if name != STYLE_NAME:
        message = f"there is no style {name!r}"
        raise NotFoundError(message)
    city = settings.city
    on_map = CityOnMap(
        name=Title(city.name_en, city.name_zh),
        extent=BBox(*city.extent),
        time_zone=city.time_zone,
        view=city.view,
        attribution=city.attribution,
    )
    return json_response(
        map_style(layers_at(access.level), access.level, name=name, city=on_map),
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


async def tile_response(
    request: Request, access: Access, rendered: RenderedTile, gzip_level: int
) -> Response:
    content = rendered.content
    headers = {"Cache-Control": cache_control(access), "Vary": _VARY}
    if rendered.left_out:
        headers[LEFT_OUT_HEADER] = str(rendered.left_out)
    if not content:
        return Response(status_code=204, headers=headers)
    zipped = len(content) >= _GZIP_FROM_BYTES and _accepts_gzip(request)
    digest = blake2b(content, digest_size=16).hexdigest()
    headers["ETag"] = f'"{digest}{"-gzip" if zipped else ""}"'
    if has_already(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if zipped:
        if len(content) < _GZIP_ASIDE_FROM_BYTES:
            content = gzip.compress(content, gzip_level, mtime=0)
        else:
            # Off the event loop: zlib lets other threads run.
            content = await asyncio.to_thread(gzip.compress, content, gzip_level, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(content, 200, headers, MEDIA_TYPE)


def _accepts_gzip(request: Request) -> bool:
    """Whether gzip is acceptable (RFC 9110 12.5.3): named, or a star, with a weight above 0."""
    weights: dict[str, float] = {}
    for part in request.headers.get("accept-encoding", "").split(","):
        coding, _, parameter = part.strip().partition(";")
        try:
            weight = float(parameter.partition("=")[2]) if parameter else 1.0
        except ValueError:
            weight = 0.0
        weights[coding.strip().lower()] = weight
    return weights.get("gzip", weights.get("*", 0.0)) > 0

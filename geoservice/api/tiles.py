"""Vector tiles, TileJSON and map styles over HTTP."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence
from hashlib import blake2b
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, cache_control, json_response
from geoservice.api.parameters import CallerAccess, PathNumber, ServiceSettings
from geoservice.api.quick import QuickRoute, no_parameters
from geoservice.api.tile_queries import RequestedTileQueries, named_layers, tile_queries
from geoservice.auth import get_access
from geoservice.settings import Settings
from geoservice.theme_watch import know_layers
from geoservice.tile_service import RenderedTile, TileService
from layers.access import Access
from layers.base import Title
from layers.errors import NotFoundError
from layers.extent import BBox
from layers.registry import layers_at
from tiles.grids import WEB_MERCATOR, Grid, get_grid
from tiles.matrix import TileAddress
from tiles.query import TileQuery
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
async def tile(
    request: Request,
    access: CallerAccess,
    queries: RequestedTileQueries,
    z: PathNumber,
    x: PathNumber,
    y: PathNumber,
) -> Response:
    """A tile of one layer or of several, joined by commas; 204 where there is nothing."""
    return await tile_response(request, access, queries, TileAddress.within_matrix(z, x, y))


@router.get("/tiles/{layers}/{grid}/{z}/{x}/{y}.mvt", summary="One vector tile of a grid")
async def tile_of_grid(  # the address of a tile in a grid has five parts
    request: Request,
    access: CallerAccess,
    queries: RequestedTileQueries,
    grid: str,
    z: PathNumber,
    x: PathNumber,
    y: PathNumber,
) -> Response:
    """A tile cut in one of the grids; otherwise as without one, which is WebMercatorQuad."""
    address = TileAddress.within_matrix(z, x, y, get_grid(grid))
    return await tile_response(request, access, queries, address)


async def _tile_now(request: Request) -> Response:
    state = request.app.state
    access = await get_access(request)
    await know_layers(request)
    path, most = request.path_params, state.settings.tiles.max_layers
    wanted = named_layers(path["layers"], access.level, most)
    address = TileAddress.within_matrix(path["z"], path["x"], path["y"])
    return await tile_response(request, access, tile_queries(wanted, access.level), address)


async def tile_response(
    request: Request, access: Access, queries: Sequence[TileQuery], address: TileAddress
) -> Response:
    """The answer to a request of a tile, whatever its path."""
    service: TileService = request.app.state.tiles
    rendered = await service.render(access, queries, address)
    level = request.app.state.settings.tiles.gzip_level
    return await _encoded(request, access, rendered, level)


quick_routes = (
    QuickRoute("/tiles/{layers}/{z:whole}/{x:whole}/{y:whole}.mvt", _tile_now, no_parameters),
)


@router.get("/tiles/{layers}.json", summary="TileJSON of layers")
async def tilejson_of_layers(
    request: Request,
    settings: ServiceSettings,
    access: CallerAccess,
    queries: RequestedTileQueries,
    layers: str,
) -> Response:
    """TileJSON 3.0.0 of one layer or of several, joined by commas; tiles keep the parameters."""
    return _tilejson(request, settings, access, queries, f"{layers}/{{z}}/{{x}}/{{y}}.mvt")


@router.get("/tiles/{layers}/{grid}.json", summary="TileJSON of layers in a grid")
async def tilejson_of_grid(  # one for each thing that is asked for
    request: Request,
    settings: ServiceSettings,
    access: CallerAccess,
    queries: RequestedTileQueries,
    layers: str,
    grid: str,
) -> Response:
    """TileJSON 3.0.0 of layers in one of the grids, whose zooms it counts."""
    found = get_grid(grid)
    path = f"{layers}/{grid}/{{z}}/{{x}}/{{y}}.mvt"
    return _tilejson(request, settings, access, queries, path, found)


def _tilejson(  # one for each thing that is asked for
    request: Request,
    settings: Settings,
    access: Access,
    queries: Sequence[TileQuery],
    path: str,
    grid: Grid = WEB_MERCATOR,
) -> Response:
    asked = f"?{urlencode(request.query_params)}" if request.query_params else ""
    city = settings.city
    return json_response(
        tilejson(
            queries,
            grid,
            BBox(*city.extent),
            tiles_url=f"{base_url(request)}/tiles/{path}{asked}",
            attribution=city.attribution,
        ),
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


async def _encoded(
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
    if _has_already(request, headers["ETag"]):
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


def _has_already(request: Request, etag: str) -> bool:
    """Whether If-None-Match names the tag (RFC 9110 13.1.2, weak comparison)."""
    asked = ",".join(request.headers.getlist("if-none-match"))
    return asked.strip() == "*" or etag in {
        one.strip().removeprefix("W/") for one in asked.split(",")
    }

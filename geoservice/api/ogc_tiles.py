"""Tile sets of collections and the tile matrix sets they are cut in (OGC API Tiles Part 1).

Rows come before columns in these paths: ``{tileMatrix}/{tileRow}/{tileCol}`` is z, y, x.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, cache_control, json_response
from geoservice.api.narrowing import CRS84
from geoservice.api.parameters import CallerAccess, PathNumber, ServiceSettings
from geoservice.api.tile_queries import RequestedTilesOfLayer
from geoservice.api.tiles import tile_response
from layers.base import Layer
from layers.extent import BBox
from layers.registry import get_layer
from tiles.grids import GRIDS, Grid, get_grid
from tiles.matrix import TileAddress
from tiles.query import TileQuery
from tiles.tilejson import vector_layers
from tiles.vector import MEDIA_TYPE

router = APIRouter(tags=["Tiles"])

Json = dict[str, Any]

_TILESETS = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector"
_TILING_SCHEME = "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"

CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tileset",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tilesets-list",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/geodata-tilesets",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/datetime",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/mvt",
    "http://www.opengis.net/spec/tms/2.0/conf/tilematrixset",
    "http://www.opengis.net/spec/tms/2.0/conf/json-tilematrixset",
)


@router.get("/tileMatrixSets", summary="Tile matrix sets")
async def matrix_sets(request: Request) -> Response:
    """The grids in which tiles are cut."""
    base = base_url(request)
    return json_response(
        {
            "tileMatrixSets": [
                {
                    "id": grid.name,
                    "title": grid.title.en,
                    "title_zh": grid.title.zh,
                    "crs": _crs(grid),
                    **_uri(grid),
                    "links": [_link(f"{base}/tileMatrixSets/{grid.name}", "self", grid.title.en)],
                }
                for grid in GRIDS.values()
            ]
        }
    )


@router.get("/tileMatrixSets/{grid}", summary="One tile matrix set")
async def matrix_set(grid: str) -> Response:
    """A grid as OGC 17-083r4 writes it down."""
    written = get_grid(grid).matrix_set
    return json_response(written.model_dump(mode="json", exclude_none=True))


@router.get("/collections/{layer}/tiles", summary="Tile sets of a layer")
async def tilesets(
    request: Request, settings: ServiceSettings, access: CallerAccess, layer: str
) -> Response:
    """The tile sets of a layer, one for each grid."""
    found, base = get_layer(layer, access.level), base_url(request)
    here = f"{base}/collections/{layer}/tiles"
    return json_response(
        {
            "links": [_link(here, "self", found.title.en)],
            "tilesets": [
                _summary(found, grid, base, f"{here}/{grid.name}") for grid in GRIDS.values()
            ],
        },
        headers={"Cache-Control": cache_control(access), "Vary": "Authorization"},
    )


@router.get("/collections/{layer}/tiles/{grid}", summary="One tile set of a layer")
async def tileset(  # one for each thing that is asked for
    request: Request,
    settings: ServiceSettings,
    access: CallerAccess,
    asked: RequestedTilesOfLayer,
    layer: str,
    grid: str,
) -> Response:
    """What tiles of a layer hold in a grid, and where they are; these keep the parameters."""
    found_grid, query = get_grid(grid), asked.queries[0]
    base = base_url(request)
    here = f"{base}/collections/{layer}/tiles/{grid}"
    parameters = f"?{urlencode(request.query_params)}" if request.query_params else ""
    template = _link(
        f"{here}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}{parameters}", "item", "Tiles", MEDIA_TYPE
    )
    tilejson = _link(f"{base}/tiles/{layer}/{grid}.json{parameters}", "describedby", "TileJSON")
    summary = _summary(query.layer, found_grid, base, here)
    box = settings.city.extent
    return json_response(
        {
            **summary,
            "links": [*summary["links"], {**template, "templated": True}, tilejson],
            "boundingBox": {
                "lowerLeft": list(box[:2]),
                "upperRight": list(box[2:]),
                "crs": CRS84,
            },
            "layers": list(_layers(query, found_grid)),
            "tileMatrixSetLimits": list(_limits(query.layer, found_grid, BBox(*box))),
        },
        headers={"Cache-Control": cache_control(access), "Vary": "Authorization"},
    )


@router.get("/collections/{layer}/tiles/{grid}/{z}/{row}/{col}", summary="One tile of a tile set")
async def tileset_tile(  # the address of a tile in a grid has five parts
    request: Request,
    access: CallerAccess,
    asked: RequestedTilesOfLayer,
    grid: str,
    z: PathNumber,
    row: PathNumber,
    col: PathNumber,
) -> Response:
    """A tile of a layer; the same as ``/tiles/{layer}/{grid}/{z}/{col}/{row}.mvt``."""
    address = TileAddress.within_matrix(z, col, row, get_grid(grid))
    return await tile_response(request, access, asked, address)


def tilesets_link(base: str, layer: Layer) -> Json:
    """Where the tile sets of a layer are, for its collection."""
    return _link(f"{base}/collections/{layer.name}/tiles", _TILESETS, "Tile sets")


def _summary(layer: Layer, grid: Grid, base: str, here: str) -> Json:
    return {
        "title": f"{layer.title.en} ({grid.title.en})",
        "title_zh": f"{layer.title.zh}({grid.title.zh})",
        "dataType": "vector",
        "crs": _crs(grid),
        "tileMatrixSetId": grid.name,
        **({"tileMatrixSetURI": uri["uri"]} if (uri := _uri(grid)) else {}),
        "links": [
            _link(here, "self", layer.title.en),
            _link(f"{base}/tileMatrixSets/{grid.name}", _TILING_SCHEME, grid.title.en),
        ],
    }


def _layers(query: TileQuery, grid: Grid) -> Iterator[Json]:
    for described in vector_layers(query, grid):
        is_shapes = described["id"] == query.layer.name
        yield {
            "id": described["id"],
            "title": described["description"],
            "dataType": "vector",
            "geometryDimension": query.layer.geometry_type.dimension if is_shapes else 0,
            "minTileMatrix": str(described["minzoom"]),
            "maxTileMatrix": str(described["maxzoom"]),
            "propertiesSchema": {
                "type": "object",
                "properties": {
                    name: {"description": text} for name, text in described["fields"].items()
                },
            },
        }


def _limits(layer: Layer, grid: Grid, extent: BBox) -> Iterator[Json]:
    """Which rows and columns the city takes at each zoom of the layer."""
    written = grid.matrix_set
    for z in range(grid.zoom_of(layer.minzoom), grid.zoom_of(layer.maxzoom) + 1):
        columns, _ = grid.shape(z)
        west, east = (written.tile(lon, 0, z).x for lon in (extent.west, extent.east))
        north, south = (written.tile(0, lat, z).y for lat in (extent.north, extent.south))
        across = west > east
        yield {
            "tileMatrix": str(z),
            "minTileRow": north,
            "maxTileRow": south,
            "minTileCol": 0 if across else west,
            "maxTileCol": columns - 1 if across else east,
        }


def _crs(grid: Grid) -> str:
    if grid.srid == 4326:
        return CRS84
    return f"http://www.opengis.net/def/crs/EPSG/0/{grid.srid}"


def _uri(grid: Grid) -> Json:
    uri = grid.matrix_set.uri
    return {"uri": str(uri)} if uri else {}


def _link(href: str, rel: str, title: str, media_type: str = "application/json") -> Json:
    return {"href": href, "rel": rel, "type": media_type, "title": title}

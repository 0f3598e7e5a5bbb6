"""What a WMTS offers: its layers, in which grids, formats, styles and at which instants."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from layers.base import TILE_SRID, Title
from layers.extent import BBox
from tiles.grids import EARTH_HALF_M, GRIDS, Grid
from tiles.wmts.xml import WMTS_NAMESPACE, add, written

VERSION = "1.0.0"
CURRENT = "current"
"""The value of the time dimension that follows the clock."""

MATRIX_SETS: Sequence[Grid] = tuple(GRIDS.values())

_MERCATOR_LATITUDE = 85.051129
_EPSG_URI = "http://www.opengis.net/def/crs/EPSG/0/"
_WELL_KNOWN = {"WebMercatorQuad": "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible"}
"""Sets of scales that a grid holds whole."""


@dataclass(frozen=True)
class WmtsLayer:
    """One layer of the service.

    Attributes:
        bounds: Degrees; west > east crosses the antimeridian.
        minzoom: First zoom of Web Mercator at which it has tiles; so is ``maxzoom`` the last.
        styles: Identifier and title of each, the default first.
        formats: Extension and media type of each.
        times: Instants from which on other content holds, RFC 3339, the newest first.
    """

    name: str
    title: Title
    bounds: BBox
    minzoom: int
    maxzoom: int
    styles: Sequence[tuple[str, Title]]
    formats: Sequence[tuple[str, str]]
    times: Sequence[str] = ()


@dataclass(frozen=True)
class WmtsService:
    """The service as its caller sees it.

    Attributes:
        url: Where it answers key-value requests, without a trailing slash.
    """

    title: Title
    url: str
    layers: Sequence[WmtsLayer]

    @property
    def document_url(self) -> str:
        """Where the capabilities lie as a resource."""
        return f"{self.url}/{VERSION}/WMTSCapabilities.xml"


def capabilities(service: WmtsService) -> bytes:
    """The capabilities, as UTF-8; elements stand in the order that the schema demands."""
    root = ET.Element("Capabilities", {"xmlns": WMTS_NAMESPACE, "version": VERSION})
    _identify(root, service)
    _add_operations(root, service)
    contents = add(root, "Contents")
    for layer in service.layers:
        _add_layer(contents, layer, service)
    for grid in MATRIX_SETS:
        _add_matrix_set(contents, grid)
    add(root, "ServiceMetadataURL", attributes={"xlink:href": service.document_url})
    return written(root)


def _identify(root: ET.Element, service: WmtsService) -> None:
    identification = add(root, "ows:ServiceIdentification")
    _add_titles(identification, service.title)
    add(identification, "ows:ServiceType", "OGC WMTS")
    add(identification, "ows:ServiceTypeVersion", VERSION)
    add(identification, "ows:Fees", "none")
    add(identification, "ows:AccessConstraints", "Layers are those that the caller's key may read.")


def _add_titles(parent: ET.Element, title: Title) -> None:
    add(parent, "ows:Title", title.en, {"xml:lang": "en"})
    add(parent, "ows:Title", title.zh, {"xml:lang": "zh"})


def _add_operations(root: ET.Element, service: WmtsService) -> None:
    operations = add(root, "ows:OperationsMetadata")
    for name, encodings in (("GetCapabilities", ("KVP", "RESTful")), ("GetTile", ("KVP",))):
        operation = add(operations, "ows:Operation", attributes={"name": name})
        http = add(add(operation, "ows:DCP"), "ows:HTTP")
        for encoding in encodings:
            url = f"{service.url}?" if encoding == "KVP" else service.document_url
            get = add(http, "ows:Get", attributes={"xlink:href": url})
            constraint = add(get, "ows:Constraint", attributes={"name": "GetEncoding"})
            add(add(constraint, "ows:AllowedValues"), "ows:Value", encoding)


def _add_layer(contents: ET.Element, layer: WmtsLayer, service: WmtsService) -> None:
    element = add(contents, "Layer")
    _add_titles(element, layer.title)
    bounds = _within_the_world(layer.bounds)
    box = add(element, "ows:WGS84BoundingBox")
    add(box, "ows:LowerCorner", f"{bounds.west} {bounds.south}")
    add(box, "ows:UpperCorner", f"{bounds.east} {bounds.north}")
    add(element, "ows:Identifier", layer.name)
    for number, (style, title) in enumerate(layer.styles):
        styled = add(element, "Style", attributes={"isDefault": "false" if number else "true"})
        _add_titles(styled, title)
        add(styled, "ows:Identifier", style)
    for _, media_type in layer.formats:
        add(element, "Format", media_type)
    _add_time(element, layer.times)
    for grid in MATRIX_SETS:
        _add_link(element, layer, grid)
    template = (
        f"{service.url}/{VERSION}/{layer.name}/{{Style}}/{{time}}"
        "/{TileMatrixSet}/{TileMatrix}/{TileRow}/{TileCol}"
    )
    for extension, media_type in layer.formats:
        named = {
            "format": media_type,
            "resourceType": "tile",
            "template": f"{template}.{extension}",
        }
        add(element, "ResourceURL", attributes=named)


def _add_time(element: ET.Element, times: Sequence[str]) -> None:
    dimension = add(element, "Dimension")
    add(dimension, "ows:Identifier", "time")
    add(dimension, "ows:UOM", "ISO8601")
    add(dimension, "Default", CURRENT)
    add(dimension, "Current", "true")
    for value in (CURRENT, *times):
        add(dimension, "Value", value)


def _add_link(element: ET.Element, layer: WmtsLayer, grid: Grid) -> None:
    link = add(element, "TileMatrixSetLink")
    add(link, "TileMatrixSet", grid.name)
    limits = add(link, "TileMatrixSetLimits")
    for z in _zooms(layer, grid):
        left, top, right, bottom = tiles_over(layer.bounds, grid, z)
        limit = add(limits, "TileMatrixLimits")
        add(limit, "TileMatrix", z)
        add(limit, "MinTileRow", top)
        add(limit, "MaxTileRow", bottom)
        add(limit, "MinTileCol", left)
        add(limit, "MaxTileCol", right)


def _zooms(layer: WmtsLayer, grid: Grid) -> Iterator[int]:
    """The zooms of a grid at which a layer has tiles; at least one."""
    first = max(layer.minzoom - grid.mercator_zooms, grid.first_zoom)
    last = min(layer.maxzoom - grid.mercator_zooms, grid.max_zoom)
    yield from range(first, max(first, last) + 1)


def tiles_over(bounds: BBox, grid: Grid, z: int) -> tuple[int, int, int, int]:
    """First column and row, last column and row of the tiles that touch a box in degrees."""
    box = _within_the_world(bounds)
    west, south = _in_grid(grid, box.west, box.south)
    east, north = _in_grid(grid, box.east, box.north)
    size: float = grid.tile_width / 2**z
    columns, rows = grid.shape(z)

    def column(x: float) -> int:
        return min(max(math.floor((x - grid.west) / size), 0), columns - 1)

    def row(y: float) -> int:
        return min(max(math.floor((grid.north - y) / size), 0), rows - 1)

    return column(west), row(north), column(east), row(south)


def _in_grid(grid: Grid, lon: float, lat: float) -> tuple[float, float]:
    if grid.srid != TILE_SRID:
        return lon, lat
    lat = min(max(lat, -_MERCATOR_LATITUDE), _MERCATOR_LATITUDE)
    north = math.log(math.tan(math.pi / 4 + math.radians(lat) / 2))
    return lon / 180 * EARTH_HALF_M, north / math.pi * EARTH_HALF_M


def _within_the_world(bounds: BBox) -> BBox:
    """A box of which the west lies left; one across the antimeridian is as wide as the world."""
    if bounds.west <= bounds.east:
        return bounds
    return BBox(-180.0, bounds.south, 180.0, bounds.north)


def _add_matrix_set(contents: ET.Element, grid: Grid) -> None:
    """A grid, from what the tile matrix set of it says: corners in the axis order of its system."""
    document = grid.matrix_set.model_dump(exclude_none=True, mode="json")
    element = add(contents, "TileMatrixSet")
    _add_titles(element, grid.title)
    add(element, "ows:Identifier", grid.name)
    add(element, "ows:SupportedCRS", _urn(document["crs"]))
    if grid.name in _WELL_KNOWN:
        add(element, "WellKnownScaleSet", _WELL_KNOWN[grid.name])
    for matrix in document["tileMatrices"]:
        level = add(element, "TileMatrix")
        add(level, "ows:Identifier", matrix["id"])
        add(level, "ScaleDenominator", matrix["scaleDenominator"])
        add(level, "TopLeftCorner", " ".join(map(str, matrix["pointOfOrigin"])))
        add(level, "TileWidth", matrix["tileWidth"])
        add(level, "TileHeight", matrix["tileHeight"])
        add(level, "MatrixWidth", matrix["matrixWidth"])
        add(level, "MatrixHeight", matrix["matrixHeight"])


def _urn(uri: str) -> str:
    """The older name of a coordinate system, which is the one that clients of WMTS know."""
    if uri.startswith(_EPSG_URI):
        return f"urn:ogc:def:crs:EPSG::{uri.removeprefix(_EPSG_URI)}"
    return "urn:ogc:def:crs:OGC:1.3:CRS84"

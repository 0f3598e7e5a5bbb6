"""What WMTS 1.0.0 (OGC 07-057r7) says in XML: capabilities and reports of exceptions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from layers.base import TILE_SRID
from layers.extent import BBox
from tiles.grids import CGCS2000, WEB_MERCATOR, Grid

GRIDS_OF_SERVICE = (WEB_MERCATOR, CGCS2000)
"""The grids that are offered, as national map services count them: w and c."""

MAX_LISTED_ZOOM = 22
NOW = "current"
"""What the dimension of time says for the present."""

_WMTS = "http://www.opengis.net/wmts/1.0"
_OWS = "http://www.opengis.net/ows/1.1"
_XLINK = "http://www.w3.org/1999/xlink"
_PIXEL_M = 0.00028
"""Side of a pixel of the standard, metres, by which scales are counted."""

_METRES_IN_DEGREE = 111_319.49079327358


@dataclass(frozen=True)
class WmtsLayer:
    """A layer of the service.

    Attributes:
        bounds: Degrees; west > east crosses the antimeridian.
        styles: The first is the default.
        formats: Media type of each kind of tile.
        template: Address of a tile up to its extension, with the words of the standard in braces.
        extensions: Of each format, in the same order.
    """

    name: str
    title: str
    bounds: BBox
    styles: tuple[str, ...]
    formats: tuple[str, ...]
    template: str
    extensions: tuple[str, ...]


def capabilities(title: str, base: str, layers: Iterable[WmtsLayer]) -> bytes:
    """The capabilities document.

    Args:
        base: Address of the service, without a trailing slash.
    """
    _register()
    root = ET.Element(_wmts("Capabilities"), {"version": "1.0.0"})
    service = ET.SubElement(root, _ows("ServiceIdentification"))
    _text(service, _ows("Title"), title)
    _text(service, _ows("ServiceType"), "OGC WMTS")
    _text(service, _ows("ServiceTypeVersion"), "1.0.0")
    operations = ET.SubElement(root, _ows("OperationsMetadata"))
    for name in ("GetCapabilities", "GetTile"):
        _operation(operations, name, f"{base}/wmts?")
    contents = ET.SubElement(root, _wmts("Contents"))
    for layer in layers:
        _layer(contents, layer)
    for grid in GRIDS_OF_SERVICE:
        _matrix_set(contents, grid)
    link = {_xlink("href"): f"{base}/wmts/1.0.0/WMTSCapabilities.xml"}
    ET.SubElement(root, _wmts("ServiceMetadataURL"), link)
    return _written(root)


def exception_report(code: str, locator: str | None, reason: str) -> bytes:
    """A report of one exception (OGC 06-121r9, 8)."""
    _register()
    root = ET.Element(_ows("ExceptionReport"), {"version": "1.1.0", "xml:lang": "en"})
    where = {"exceptionCode": code} | ({"locator": locator} if locator else {})
    _text(ET.SubElement(root, _ows("Exception"), where), _ows("ExceptionText"), reason)
    return _written(root)


def _operation(parent: ET.Element, name: str, address: str) -> None:
    http = ET.SubElement(
        ET.SubElement(ET.SubElement(parent, _ows("Operation"), {"name": name}), _ows("DCP")),
        _ows("HTTP"),
    )
    get = ET.SubElement(http, _ows("Get"), {_xlink("href"): address})
    allowed = ET.SubElement(get, _ows("Constraint"), {"name": "GetEncoding"})
    _text(ET.SubElement(allowed, _ows("AllowedValues")), _ows("Value"), "KVP")


def _layer(parent: ET.Element, layer: WmtsLayer) -> None:
    node = ET.SubElement(parent, _wmts("Layer"))
    _text(node, _ows("Title"), layer.title)
    for box in layer.bounds.parts():
        bounds = ET.SubElement(node, _ows("WGS84BoundingBox"))
        _text(bounds, _ows("LowerCorner"), f"{box.west!r} {box.south!r}")
        _text(bounds, _ows("UpperCorner"), f"{box.east!r} {box.north!r}")
    _text(node, _ows("Identifier"), layer.name)
    for at, name in enumerate(layer.styles):
        style = ET.SubElement(node, _wmts("Style"), {"isDefault": "false" if at else "true"})
        _text(style, _ows("Identifier"), name)
    for media_type in layer.formats:
        _text(node, _wmts("Format"), media_type)
    time = ET.SubElement(node, _wmts("Dimension"))
    _text(time, _ows("Identifier"), "Time")
    _text(time, _ows("UOM"), "ISO8601")
    _text(time, _wmts("Default"), NOW)
    _text(time, _wmts("Current"), "true")
    _text(time, _wmts("Value"), NOW)
    for grid in GRIDS_OF_SERVICE:
        link = ET.SubElement(node, _wmts("TileMatrixSetLink"))
        _text(link, _wmts("TileMatrixSet"), grid.name)
    for media_type, extension in zip(layer.formats, layer.extensions, strict=True):
        said = {"format": media_type, "resourceType": "tile"}
        said["template"] = f"{layer.template}.{extension}"
        ET.SubElement(node, _wmts("ResourceURL"), said)


def _matrix_set(parent: ET.Element, grid: Grid) -> None:
    node = ET.SubElement(parent, _wmts("TileMatrixSet"))
    _text(node, _ows("Title"), f"{grid.title.en} {grid.title.zh}")
    _text(node, _ows("Identifier"), grid.name)
    _text(node, _ows("SupportedCRS"), f"urn:ogc:def:crs:EPSG::{grid.srid}")
    is_metres = grid.srid == TILE_SRID
    for z in range(grid.first_zoom, min(grid.max_zoom, MAX_LISTED_ZOOM) + 1):
        west, south, _, north = grid.box(z, 0, 0)
        unit_m = 1 if is_metres else _METRES_IN_DEGREE
        columns, rows = grid.shape(z)
        matrix = ET.SubElement(node, _wmts("TileMatrix"))
        _text(matrix, _ows("Identifier"), str(z))
        scale = (north - south) / 256 * unit_m / _PIXEL_M
        _text(matrix, _wmts("ScaleDenominator"), repr(scale))
        # In the order of the system's own axes, and degrees have latitude first.
        corner = (west, north) if is_metres else (north, west)
        _text(matrix, _wmts("TopLeftCorner"), f"{corner[0]!r} {corner[1]!r}")
        for name, value in (
            ("TileWidth", 256), ("TileHeight", 256),
            ("MatrixWidth", columns), ("MatrixHeight", rows),
        ):  # fmt: skip
            _text(matrix, _wmts(name), str(value))


def _register() -> None:
    for prefix, address in (("", _WMTS), ("ows", _OWS), ("xlink", _XLINK)):
        ET.register_namespace(prefix, address)


def _written(root: ET.Element) -> bytes:
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = _allowed(text)


def _allowed(text: str) -> str:
    """The text without what XML 1.0 has no way to say."""
    return "".join(c for c in text if c >= " " and not "\ud800" <= c <= "\udfff" and c < "\ufffe")


def _wmts(name: str) -> str:
    return f"{{{_WMTS}}}{name}"


def _ows(name: str) -> str:
    return f"{{{_OWS}}}{name}"


def _xlink(name: str) -> str:
    return f"{{{_XLINK}}}{name}"

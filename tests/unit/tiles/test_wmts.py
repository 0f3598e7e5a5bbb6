"""Documents of the WMTS: read by OWSLib, ordered and escaped as the schema and XML demand."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import morecantile
import pytest
from owslib.wmts import WebMapTileService

from layers.base import Title
from layers.extent import BBox
from tiles.grids import CGCS2000, WEB_MERCATOR, WORLD_CRS84, Grid
from tiles.wmts import WmtsLayer, WmtsService, capabilities, exception_report
from tiles.wmts.capabilities import tiles_over

BOUNDS = BBox(113.9, 22.4, 114.3, 22.8)
OWS = "{http://www.opengis.net/ows/1.1}"
WMTS = "{http://www.opengis.net/wmts/1.0}"


def document(name: str = "raster:terrain", title: str = "Terrain", bounds: BBox = BOUNDS) -> bytes:
    """Capabilities of one layer from zoom 5 to 12."""
    layer = WmtsLayer(
        name,
        Title(title, "地形"),
        bounds,
        5,
        12,
        [("default", Title("Default", "默认"))],
        [("png", "image/png")],
        ["2020-01-01T00:00:00Z"],
    )
    return capabilities(WmtsService(Title("Tiles", "瓦片"), "http://host/wmts", [layer]))


def parsed(document: bytes) -> ET.Element:
    """The root of a document of ours."""
    return ET.fromstring(document)  # noqa: S314  # ours


# OWSLib asks an element whether it is true.
@pytest.mark.filterwarnings("ignore:Truth-testing of elements")
def test_owslib_reads_the_capabilities() -> None:
    service = WebMapTileService("http://host/wmts", xml=document())

    layer = service["raster:terrain"]
    url = service.buildTileResource(
        layer="raster:terrain",
        style="default",
        format="image/png",
        tilematrixset="CGCS2000Quad",
        tilematrix="5",
        row=6,
        column=26,
        time="current",
    )
    assert tuple(BOUNDS.as_list()) == layer.boundingBoxWGS84
    assert {"WebMercatorQuad", "WorldCRS84Quad", "CGCS2000Quad"} == {*layer.tilematrixsetlinks}
    assert ["current", "2020-01-01T00:00:00Z"] == layer.dimensions["time"]["values"]
    assert (
        "http://host/wmts/1.0.0/raster:terrain/default/current/CGCS2000Quad/5/6/26.png".lower()
        == url.lower()
    )


def test_a_layer_has_its_elements_in_the_order_of_the_schema() -> None:
    layer = parsed(document()).find(f"{WMTS}Contents/{WMTS}Layer")

    assert layer is not None
    names = list(dict.fromkeys(child.tag.rpartition("}")[2] for child in layer))
    expected = ["Title", "WGS84BoundingBox", "Identifier", "Style", "Format", "Dimension"]
    assert [*expected, "TileMatrixSetLink", "ResourceURL"] == names


@pytest.mark.parametrize(
    ("grid", "corner"),
    [
        (WEB_MERCATOR, "-20037508.342789244 20037508.342789244"),
        (WORLD_CRS84, "-180 90"),
        (CGCS2000, "90.0 -180.0"),
    ],
)
def test_corners_of_grids_are_in_the_axis_order_of_their_system(grid: Grid, corner: str) -> None:
    root = parsed(document())
    sets = root.findall(f"{WMTS}Contents/{WMTS}TileMatrixSet")
    (found,) = (one for one in sets if one.findtext(f"{OWS}Identifier") == grid.name)

    first = found.find(f"{WMTS}TileMatrix")
    assert first is not None
    assert corner == first.findtext(f"{WMTS}TopLeftCorner")
    assert str(grid.first_zoom) == first.findtext(f"{OWS}Identifier")


def test_scales_of_web_mercator_are_those_of_the_registry() -> None:
    sets = parsed(document()).findall(f"{WMTS}Contents/{WMTS}TileMatrixSet")
    found = [float(text) for text in _texts(sets[0], f"{WMTS}TileMatrix/{WMTS}ScaleDenominator")]

    known = morecantile.tms.get("WebMercatorQuad").tileMatrices
    assert [matrix.scaleDenominator for matrix in known] == pytest.approx(found)


def _texts(element: ET.Element, path: str) -> list[str]:
    return [found.text or "" for found in element.findall(path)]


def test_limits_hold_the_tiles_that_touch_the_bounds_and_no_more() -> None:
    known = morecantile.tms.get("WebMercatorQuad")
    tiles = list(known.tiles(BOUNDS.west, BOUNDS.south, BOUNDS.east, BOUNDS.north, zooms=[12]))
    columns, rows = {tile.x for tile in tiles}, {tile.y for tile in tiles}

    expected = (min(columns), min(rows), max(columns), max(rows))
    assert expected == tiles_over(BOUNDS, WEB_MERCATOR, 12)


def test_zooms_of_a_grid_of_degrees_are_those_of_like_scale() -> None:
    layer = parsed(document()).find(f"{WMTS}Contents/{WMTS}Layer")

    assert layer is not None
    links = layer.findall(f"{WMTS}TileMatrixSetLink")
    path = f"{WMTS}TileMatrixSetLimits/{WMTS}TileMatrixLimits/{WMTS}TileMatrix"
    assert ("5", "12") == (_texts(links[0], path)[0], _texts(links[0], path)[-1])
    assert ("4", "11") == (_texts(links[1], path)[0], _texts(links[1], path)[-1])


def test_a_raster_across_the_antimeridian_is_said_to_be_as_wide_as_the_world() -> None:
    root = parsed(document(bounds=BBox(179, -10, -179, 10)))

    corners = _texts(root, f".//{OWS}WGS84BoundingBox/*")
    assert ["-180.0 -10", "180.0 10"] == corners


def test_what_a_title_holds_is_text_and_never_markup() -> None:
    title = '</ows:Title><Layer a="&b;">\x00\x1b]]>'
    root = parsed(document(title=title))

    shown = title.replace("\x00", "�").replace("\x1b", "�")
    assert shown == root.findtext(f"{WMTS}Contents/{WMTS}Layer/{OWS}Title")


def test_a_report_names_the_code_and_the_parameter() -> None:
    report = parsed(exception_report("InvalidParameterValue", "no <such> \x01", "Layer"))

    exception = report.find(f"{OWS}Exception")
    assert exception is not None
    assert {"exceptionCode": "InvalidParameterValue", "locator": "Layer"} == exception.attrib
    assert "no <such> �" == exception.findtext(f"{OWS}ExceptionText")

"""Drawings written with ezdxf and read as a load reads them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ezdxf
import ezdxf.document
import pytest
import shapely

from layers.errors import UnreadableSource
from loaders.datasets import prepare
from loaders.mapping import Mapping
from loaders.options import LoadOptions
from loaders.reader import read
from tests.unit.loaders.conftest import SHENZHEN, Reader

EAST, NORTH = 505955.0, 2493941.0
"""A place in the city, EPSG:4547, metres."""


def drawing(path: Path, draw: Callable[[Any, Any], None], version: str = "R2010") -> Path:
    """A drawing: ``draw`` is given the document and its model space."""
    document = ezdxf.document.Drawing.new(version)
    document.encoding = "gbk"  # written as $DWGCODEPAGE ANSI_936
    draw(document, document.modelspace())
    document.saveas(path)
    return path


def rows_of(path: Path, layer: str | None = None, **options: Any) -> list[dict[str, Any]]:
    """Rows of a layer of a drawing as the reading process gives them, in drawing coordinates."""
    chosen = LoadOptions(SHENZHEN, source_layer=layer, **options)
    folder = path.parent / "private"
    folder.mkdir(exist_ok=True)
    (source,) = prepare(path, chosen, folder)
    with read(source, chosen.limits) as features:
        rows = [row for batch in features.batches for row in batch.to_pylist()]
    return [{**row, "geometry": shapely.from_wkb(row["__geometry__"])} for row in rows]


def test_layers_become_kinds_and_blocks_node_types(tmp_path: Path, read_rows: Reader) -> None:
    def draw(document: Any, model: Any) -> None:
        block = document.blocks.new("检修井")
        block.add_circle((0, 0), 0.5)
        block.add_attdef("点号", (0, 0))
        for number, layer in enumerate(("给水管点", "污水管点")):
            place = (EAST + number, NORTH, 12.5)
            insert = model.add_blockref("检修井", place, dxfattribs={"layer": layer})
            insert.add_attrib("点号", f"P{number}", place)

    path = drawing(tmp_path / "a.dxf", draw, "R2000")
    mapping = Mapping(
        columns={"kind": "layer", "appurtenance": "block", "code": "点号"},
        values={"kind": {"给水管点": "JS", "污水管点": "WS"}},
    )

    outcome = read_rows("pipeline_nodes", path, mapping=mapping, crs="EPSG:4547")

    assert ["P0", "P1"] == outcome.values("code")
    assert ["JS", "WS"] == outcome.values("kind")
    assert ["检修井", "检修井"] == outcome.values("appurtenance")
    assert [12.5, 12.5] == [point.z for point in outcome.geometries]
    assert "texts were read as gb18030" in outcome.reports[0].notes


def test_lines_of_a_drawing_are_pipes(tmp_path: Path, read_rows: Reader) -> None:
    def draw(_document: Any, model: Any) -> None:
        model.add_line((EAST, NORTH, 1), (EAST + 50, NORTH, 2), dxfattribs={"layer": "JS"})
        model.add_polyline3d([(EAST, NORTH, 3), (EAST, NORTH + 9, 4), (EAST + 9, NORTH + 9, 5)])
        model.add_circle((EAST, NORTH), 3)
        model.add_text("DN300").set_placement((EAST, NORTH))

    path = drawing(tmp_path / "a.dxf", draw)
    mapping = Mapping(columns={"kind": "layer", "code": "handle"}, values={"kind": {"0": "YS"}})

    outcome = read_rows("pipelines", path, mapping=mapping, crs="EPSG:4547")

    assert ["JS", "YS"] == outcome.values("kind")
    assert [[1, 2], [3, 4, 5]] == [[z for _, _, z in g.coords] for g in outcome.geometries]


def test_texts_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    def draw(_document: Any, model: Any) -> None:
        model.add_text("给水 DN300", rotation=30).set_placement((1, 2, 3))
        model.add_mtext("第一行\\P第二行").set_location((4, 5))

    rows = rows_of(drawing(tmp_path / "a.dxf", draw), "texts")

    assert ["给水 DN300", "第一行\n第二行"] == [row["text"] for row in rows]
    assert "30.0" == rows[0]["rotation"]
    assert [(1, 2), (4, 5)] == [(row["geometry"].x, row["geometry"].y) for row in rows]


def test_bulges_and_arcs_get_a_vertex_per_degree(tmp_path: Path) -> None:
    def draw(_document: Any, model: Any) -> None:
        model.add_lwpolyline([(0, 0, 1), (200, 0, 0), (300, 0, 0)], format="xyb")
        model.add_lwpolyline([(0, 0, -1), (200, 0, 0)], format="xyb")
        model.add_arc((0, 0), 100, start_angle=350, end_angle=10)

    below, above, arc = [row["geometry"] for row in rows_of(drawing(tmp_path / "a.dxf", draw))]

    # A positive bulge turns counterclockwise from its start: below a line that runs east.
    assert -100 == pytest.approx(below.bounds[1])
    assert 100 == pytest.approx(above.bounds[3])
    assert 182 == len(below.coords)
    assert math.pi * 100 + 100 == pytest.approx(below.length, rel=1e-4)
    assert 21 == len(arc.coords)
    assert 100 == pytest.approx(arc.bounds[2])


def test_closed_shapes_are_polygons(tmp_path: Path) -> None:
    square = [(0, 0), (10, 0), (10, 10), (0, 10)]

    def draw(_document: Any, model: Any) -> None:
        model.add_lwpolyline(square, close=True, dxfattribs={"elevation": 7})
        model.add_lwpolyline([*square, square[0]])
        model.add_circle((0, 0), 10)
        model.add_ellipse((0, 0), (20, 0), ratio=0.5)
        model.add_solid([(0, 0), (10, 0), (0, 10), (10, 10)])

    areas = [row["geometry"].area for row in rows_of(drawing(tmp_path / "a.dxf", draw))]

    expected = [100, 100, math.pi * 100, math.pi * 200, 100]
    assert expected == pytest.approx(areas, rel=1e-3)


def test_boundaries_of_a_filled_area_are_its_rings(tmp_path: Path) -> None:
    def draw(_document: Any, model: Any) -> None:
        holed = model.add_hatch()
        holed.paths.add_polyline_path([(0, 0), (10, 0), (10, 10), (0, 10)], is_closed=True)
        holed.paths.add_polyline_path([(2, 2), (4, 2), (4, 4), (2, 4)], is_closed=True)
        rounded = model.add_hatch()
        edges = rounded.paths.add_edge_path()
        edges.add_line((0, 0), (20, 0))
        edges.add_arc((10, 0), 10, start_angle=0, end_angle=180)

    holed, rounded = [row["geometry"] for row in rows_of(drawing(tmp_path / "a.dxf", draw))]

    assert 96 == holed.area
    assert 1 == len(shapely.get_parts(holed)[0].interiors)
    assert math.pi * 50 == pytest.approx(rounded.area, rel=1e-4)


def test_attached_data_of_survey_programs_are_columns(tmp_path: Path) -> None:
    def draw(document: Any, model: Any) -> None:
        document.appids.add("SOUTH")
        line = model.add_line((0, 0), (1, 1))
        line.set_xdata("SOUTH", [(1000, "511101"), (1000, "给水")])

    (row,) = rows_of(drawing(tmp_path / "a.dxf", draw))

    assert "511101|给水" == row["xdata_SOUTH"]


def test_what_is_not_read_is_counted(tmp_path: Path, read_rows: Reader) -> None:
    def draw(document: Any, model: Any) -> None:
        model.add_line((EAST, NORTH, 1), (EAST + 50, NORTH, 2))
        model.add_ray((0, 0), (1, 0))
        document.layout("Layout1").add_line((0, 0), (1, 1))

    path = drawing(tmp_path / "a.dxf", draw)

    notes = read_rows("pipelines", path, crs="EPSG:4547").reports[0].notes

    assert any("1 RAY" in note for note in notes)
    assert any("paper layouts" in note for note in notes)


def test_a_layer_that_is_off_and_colours_by_layer_are_told(tmp_path: Path) -> None:
    def draw(document: Any, model: Any) -> None:
        document.layers.add("雨水", color=3).off()
        model.add_line((0, 0), (1, 1), dxfattribs={"layer": "雨水"})
        line = model.add_line((0, 0), (1, 1))
        line.rgb = (76, 57, 38)

    first, second = rows_of(drawing(tmp_path / "a.dxf", draw))

    assert ("雨水", "3") == (first["layer"], first["color"])
    assert "#4c3926" == second["color"]


def test_a_wrong_code_page_can_be_overruled(tmp_path: Path) -> None:
    def draw(_document: Any, model: Any) -> None:
        model.add_line((0, 0), (1, 1), dxfattribs={"layer": "污水管"})

    path = drawing(tmp_path / "a.dxf", draw, "R2000")
    path.write_bytes(path.read_bytes().replace(b"ANSI_936", b"ANSI_1252"))

    assert "污水管" != rows_of(path)[0]["layer"]
    assert "污水管" == rows_of(path, encoding="gbk")[0]["layer"]


def test_without_a_code_page_the_bytes_decide(tmp_path: Path) -> None:
    def draw(_document: Any, model: Any) -> None:
        model.add_line((0, 0), (1, 1), dxfattribs={"layer": "污水管"})

    path = drawing(tmp_path / "a.dxf", draw, "R2000")
    path.write_bytes(path.read_bytes().replace(b"$DWGCODEPAGE", b"$DWGSOMETHING"))

    assert "污水管" == rows_of(path)[0]["layer"]


def test_a_drawing_that_states_its_system_is_placed_by_it(
    tmp_path: Path, read_rows: Reader
) -> None:
    def draw(document: Any, model: Any) -> None:
        geodata = model.new_geodata()
        places = {"design_point": (0, 0), "reference_point": (EAST, NORTH)}
        geodata.setup_local_grid(**places, crs=SYSTEM)
        model.add_point((0.846174, 0.245741, 3))

    path = drawing(tmp_path / "a.dxf", draw)

    outcome = read_rows("facilities", path, mapping=Mapping(columns={"name": "handle"}))

    assert outcome.geometries[0].equals_exact(shapely.Point(114.0579, 22.5431), 1e-8)
    assert "EPSG:4547" == outcome.reports[0].crs


SYSTEM = """<?xml version="1.0" encoding="UTF-16" standalone="no" ?>
<Dictionary version="1.0" xmlns="http://www.osgeo.org/mapguide/coordinatesystem">
<Alias id="4547" type="CoordinateSystem">
<ObjectId>CGCS2000</ObjectId><Namespace>EPSG Code</Namespace>
</Alias>
<Axis uom="METER">
<CoordinateSystemAxis><AxisOrder>1</AxisOrder><AxisName>Easting</AxisName>
<AxisAbbreviation>E</AxisAbbreviation><AxisDirection>east</AxisDirection></CoordinateSystemAxis>
<CoordinateSystemAxis><AxisOrder>2</AxisOrder><AxisName>Northing</AxisName>
<AxisAbbreviation>N</AxisAbbreviation><AxisDirection>north</AxisDirection></CoordinateSystemAxis>
</Axis></Dictionary>"""


def test_a_drawing_without_shapes_of_the_layer_says_what_it_has(
    tmp_path: Path, read_rows: Reader
) -> None:
    path = drawing(tmp_path / "a.dxf", lambda _, model: model.add_line((0, 0), (1, 1)))

    with pytest.raises(UnreadableSource, match="no layer 'polygons'; it has: lines"):
        read_rows("parcels", path, crs="EPSG:4547")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_drawing_cut_short_is_refused_or_said_to_be_flawed(
    tmp_path: Path, read_rows: Reader, share: float
) -> None:
    def draw(_document: Any, model: Any) -> None:
        for n in range(200):
            model.add_line((EAST, NORTH + n, 1), (EAST + 50, NORTH + n, 2))

    path = drawing(tmp_path / "a.dxf", draw)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])

    try:
        outcome = read_rows("pipelines", path, crs="EPSG:4547")
    except UnreadableSource:
        return
    assert any("flaws" in note for note in outcome.reports[0].notes)

"""Styles and TileJSON hold what a level may see, in a form that MapLibre takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from layers.access import Clearance
from layers.base import Title
from layers.extent import BBox
from layers.registry import layers_at
from tiles.grids import WEB_MERCATOR
from tiles.legend import STATUS_COLORS
from tiles.looks import DAY, Look
from tiles.query import TileQuery, TileTime
from tiles.style import CityOnMap, StyleRequest, map_style
from tiles.tilejson import tilejson

ROOT = Path(__file__).parents[3]
EXTENT = BBox(113.75, 22.4, 114.65, 22.87)
SHENZHEN = CityOnMap(Title("Shenzhen", "深圳市"), EXTENT, "Asia/Shanghai")


URL = "http://city.test"


def style_at(level: Clearance, look: Look = DAY, city: CityOnMap = SHENZHEN) -> dict[str, Any]:
    """The style of a level."""
    wanted = StyleRequest("city", look, URL)
    return map_style(layers_at(level), level, wanted=wanted, city=city)


@pytest.mark.parametrize("level", list(Clearance), ids=lambda level: level.label)
def test_every_part_draws_a_source_and_has_its_own_id(level: Clearance) -> None:
    style = style_at(level)

    parts = [part for part in style["layers"] if part["type"] != "background"]
    assert {part["source"] for part in parts} == set(style["sources"])
    assert len({part["id"] for part in parts}) == len(parts)
    assert "glyphs" not in style


def test_pipes_have_the_colours_of_the_standard() -> None:
    style = style_at(Clearance.RESTRICTED)

    line = next(part for part in style["layers"] if part["id"] == "pipelines-line")
    colors = line["paint"]["line-color"]
    by_kind = dict(zip(colors[2:-1:2], colors[3:-1:2], strict=True))
    assert ("#00ffff", "#4c3926", "#ff00ff", "#ff0000", "#00ff00") == tuple(
        by_kind[kind] for kind in ("JP", "WS", "TR", "GD", "DH")
    )


def test_a_legend_promises_nothing_hidden() -> None:
    def labels(level: Clearance) -> set[str]:
        metadata = style_at(level)["metadata"]["geoservice:layers"]
        pipes = next(entry for entry in metadata if entry["name"] == "pipelines")
        return {entry["label"]["zh"] for entry in pipes["legend"]}

    assert {"给水", "排水"} == labels(Clearance.GOVERNMENT)
    assert {"燃气", "电力", "不明管线"} <= labels(Clearance.RESTRICTED)


def test_each_colour_of_a_pipe_is_in_the_legend_once() -> None:
    style = style_at(Clearance.RESTRICTED)

    line = next(part for part in style["layers"] if part["id"] == "pipelines-line")
    metadata = style["metadata"]["geoservice:layers"]
    legend = next(entry for entry in metadata if entry["name"] == "pipelines")["legend"]
    assert set(line["paint"]["line-color"][3:-1:2]) == {entry["color"] for entry in legend}
    assert ["工业", "其他"] == [e["label"]["zh"] for e in legend if e["color"] == "#000000"]


def test_names_of_areas_are_read_from_their_points() -> None:
    style = style_at(Clearance.GOVERNMENT)

    of_parts = {p["id"]: p["source-layer"] for p in style["layers"] if p["type"] == "symbol"}
    assert of_parts["districts-label-street"] == "districts-labels"
    assert of_parts["parcels-label"] == "parcels-labels"
    assert of_parts["roads-label"] == "roads"


def test_every_district_has_a_label_whatever_its_level() -> None:
    style = style_at(Clearance.PUBLIC)

    parts = {p["id"]: p for p in style["layers"] if p["id"].startswith("districts-label")}
    ranks = {"city", "district", "street", "zone"}
    assert {"districts-label", *(f"districts-label-{rank}" for rank in ranks)} == set(parts)
    assert parts["districts-label"]["filter"][1][2][1] == ["city", "district", "street", "zone"]


def test_the_map_opens_where_the_city_says_and_names_whose_data_they_are() -> None:
    city = replace(SHENZHEN, view=(114.06, 22.54, 15), attribution="规划局 <b>")

    style = style_at(Clearance.PUBLIC, city=city)

    assert ([114.06, 22.54], 15) == (style["center"], style["zoom"])
    assert style["sources"]["roads"]["attribution"] == "规划局 &lt;b&gt;"


@pytest.mark.parametrize("status", ["spacesAvailable", "almostFull", "full", "closed"])
def test_the_web_map_draws_states_in_the_colours_of_the_style(status: str) -> None:
    swatches = (ROOT / "geoservice/web/src/availability.ts").read_text(encoding="utf-8")

    name = {"spacesAvailable": "available"}.get(status, status)
    assert f"{name}: {{ fill: '{STATUS_COLORS[status][0]}'" in swatches


def test_tilejson_spans_the_zooms_of_its_layers() -> None:
    layers = layers_at(Clearance.PUBLIC)

    now = TileTime(datetime.now(UTC))
    queries = [TileQuery(layer, Clearance.PUBLIC, now) for layer in layers]

    document = tilejson(
        queries,
        WEB_MERCATOR,
        EXTENT,
        tiles_url="http://localhost/{z}/{x}/{y}.mvt",
        attribution="",
        base_zooms={},
    )

    assert min(layer.minzoom for layer in layers) == document["minzoom"]
    ids = [described["id"] for described in document["vector_layers"]]
    assert [layer.name for layer in layers] == [name for name in ids if "-" not in name]
    assert {"districts-labels", "parcels-labels"} == {name for name in ids if "-" in name}
    assert EXTENT.as_list() == document["bounds"]

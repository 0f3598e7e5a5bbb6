"""Styles and TileJSON hold what a level may see, in a form that MapLibre takes."""

from __future__ import annotations

from typing import Any

import pytest

from layers.access import Clearance
from layers.base import Title
from layers.extent import BBox
from layers.registry import layers_at
from tiles.style import map_style
from tiles.tilejson import tilejson

EXTENT = BBox(113.75, 22.4, 114.65, 22.87)


def style_at(level: Clearance) -> dict[str, Any]:
    """The style of a level."""
    city = Title("Shenzhen", "深圳市")
    layers = layers_at(level)
    zone = "Asia/Shanghai"
    return map_style(layers, level, name="city", city=city, extent=EXTENT, time_zone=zone)


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

    assert "天然气" not in labels(Clearance.GOVERNMENT)
    assert {"配水", "污水"} <= labels(Clearance.GOVERNMENT)
    assert "天然气" in labels(Clearance.RESTRICTED)


def test_tilejson_spans_the_zooms_of_its_layers() -> None:
    layers = layers_at(Clearance.PUBLIC)

    document = tilejson(layers, Clearance.PUBLIC, EXTENT, "http://localhost/{z}/{x}/{y}.mvt")

    assert min(layer.minzoom for layer in layers) == document["minzoom"]
    assert [layer.name for layer in layers] == [v["id"] for v in document["vector_layers"]]
    assert EXTENT.as_list() == document["bounds"]

"""Looks keep what colours mean and can be read; legends and sprites come from the descriptors."""

from __future__ import annotations

import colorsys
import io
import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from layers.access import Clearance
from layers.base import Title
from layers.codes import FACILITY_KINDS
from layers.errors import FontMissing
from layers.extent import BBox
from layers.registry import get_layer, layers_at
from tiles import legend_pictures
from tiles.colors import clear_of, contrast, lightness, mixed, pressed, relit
from tiles.drawing import Text
from tiles.fonts import chinese_font
from tiles.legend_pictures import LegendOptions, legend_drawing, legend_png, legend_svg
from tiles.looks import DAY, LABEL_CONTRAST, LINE_CONTRAST, LOOKS, NIGHT, PRINT, Look
from tiles.sprites import make_sprite
from tiles.style import CITY_STYLES, CityOnMap, StyleRequest, map_style
from tiles.symbols import SYMBOLS

SHENZHEN = CityOnMap(
    Title("Shenzhen", "深圳市"), BBox(113.75, 22.4, 114.65, 22.87), "Asia/Shanghai"
)
LAYERS = layers_at(Clearance.RESTRICTED)
COLORS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
STANDARD_COLORS = {"water": "#00ffff", "drainage": "#4c3926", "gas": "#ff00ff", "power": "#ff0000"}

looks = pytest.mark.parametrize("look", list(LOOKS.values()), ids=lambda look: look.name)


def style_of(look: Look, time: dict[str, str] | None = None) -> dict[str, Any]:
    """The style of all layers in a look."""
    name = next(name for name, one in CITY_STYLES.items() if one is look)
    wanted = StyleRequest(name, look, "http://city.test", time or {})
    return map_style(LAYERS, Clearance.RESTRICTED, wanted=wanted, city=SHENZHEN)


def colors_in(value: Any) -> Iterator[str]:
    """Every colour that an expression can come to."""
    if isinstance(value, str) and value.startswith("#"):
        yield value
    elif isinstance(value, list):
        for member in value:
            yield from colors_in(member)


def hue_deg(color: str) -> float:
    """The hue of a colour, 0 to 360 degrees."""
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return 360 * colorsys.rgb_to_hsv(red, green, blue)[0]


def painted(look: Look, kind: str, paint: str) -> dict[str, set[str]]:
    """Colours of a paint property by layer of the style."""
    parts = [part for part in style_of(look)["layers"] if part["type"] == kind]
    return {part["id"]: set(colors_in(part.get("paint", {}).get(paint))) for part in parts}


@pytest.mark.parametrize("look", [NIGHT, PRINT], ids=lambda look: look.name)
def test_lines_and_points_stand_out_from_the_ground(look: Look) -> None:
    lines = painted(look, "line", "line-color")
    casings = {name.removesuffix("-casing") for name in lines if name.endswith("-casing")}
    if look is PRINT:  # a white road is told by its black casing
        lines = {n: c for n, c in lines.items() if n.removesuffix("-line") not in casings}
    else:  # by night the casing is the dark between roads that cross
        lines = {n: c for n, c in lines.items() if not n.endswith("-casing")}
    points = painted(look, "circle", "circle-color")

    contrasts = {
        (name, color): contrast(color, look.ground)
        for name, colors in (lines | points).items()
        for color in colors
    }
    assert {} == {drawn: ratio for drawn, ratio in contrasts.items() if ratio < LINE_CONTRAST}


@looks
def test_names_can_be_read_on_the_ground_and_on_their_halo(look: Look) -> None:
    named = painted(look, "symbol", "text-color")

    ratios = {
        (name, color): min(contrast(color, look.ground), contrast(color, look.halo))
        for name, colors in named.items()
        for color in colors
    }
    assert {} == {name: ratio for name, ratio in ratios.items() if ratio < LABEL_CONTRAST}


def test_no_area_is_nearer_to_the_lines_than_the_ground_they_are_measured_on() -> None:
    for look, lightest in ((NIGHT, True), (PRINT, False)):
        for part in style_of(look)["layers"]:
            paint = part.get("paint", {})
            for color in colors_in(paint.get("fill-color")):
                seen = mixed(color, look.background, paint["fill-opacity"])
                far, near = contrast(seen, "#000000"), contrast(look.ground, "#000000")
                assert (far <= near) if lightest else (far >= near), (part["id"], color)


@pytest.mark.parametrize("color", STANDARD_COLORS.values(), ids=STANDARD_COLORS.keys())
def test_colours_of_the_standard_keep_their_hue_by_night_and_in_print(color: str) -> None:
    for look in (NIGHT, PRINT):
        apart = abs(hue_deg(color) - hue_deg(look.line(color)))
        assert min(apart, 360 - apart) < 30, look.name


def test_by_day_colours_are_those_of_the_descriptors() -> None:
    lines = painted(DAY, "line", "line-color")["pipelines-line"]

    assert set(STANDARD_COLORS.values()) < lines


def test_paper_has_no_transparency_no_live_states_and_names_in_black() -> None:
    parts = style_of(PRINT)["layers"]

    opacities = {
        value
        for part in parts
        for name, value in part.get("paint", {}).items()
        if name.endswith("opacity")
    }
    assert {1} == {float(opacity) for opacity in opacities}
    assert "feature-state" not in json.dumps(parts)
    assert {"#000000"} == set().union(*painted(PRINT, "symbol", "text-color").values())


@given(COLORS)
def test_a_press_makes_no_colour_brighter_than_its_inks(color: str) -> None:
    shown = pressed(color)

    assert contrast(shown, "#ffffff") <= contrast("#1d1d1b", "#ffffff") + 0.1
    assert shown not in {"#00ffff", "#ff00ff", "#00ff00", "#0000ff"}


@given(COLORS, COLORS, st.sampled_from([3.0, 4.5]))
def test_a_colour_can_be_cleared_of_any_ground(color: str, ground: str, ratio: float) -> None:
    assert contrast(clear_of(color, ground, ratio), ground) >= ratio * 0.995


@given(COLORS)
def test_a_colour_at_its_own_lightness_stays_as_it_is(color: str) -> None:
    again = relit(color, lightness(color))

    steps = [abs(int(color[at : at + 2], 16) - int(again[at : at + 2], 16)) for at in (1, 3, 5)]
    assert max(steps) <= 1


@looks
def test_every_picture_that_a_style_names_is_in_its_sprite(look: Look) -> None:
    parts = style_of(look)["layers"]
    named = {
        word
        for part in parts
        for value in (
            part.get("layout", {}).get("icon-image"),
            part.get("paint", {}).get("fill-pattern"),
        )
        for word in _words(value)
        if word.startswith(("symbol-", "pattern-"))
    }

    sprite = make_sprite(LAYERS, look, 1)

    assert named <= set(sprite.index)


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for member in value:
            yield from _words(member)


def test_a_sprite_is_the_same_each_time_and_twice_as_fine_for_fine_screens() -> None:
    once, again = (make_sprite.__wrapped__(LAYERS, PRINT, 1) for _ in range(2))
    fine = make_sprite(LAYERS, PRINT, 2)

    assert once == again
    library = once.index["symbol-library"]
    assert (24, 24, 1) == (library["width"], library["height"], library["pixelRatio"])
    assert (48, 2) == (fine.index["symbol-library"]["width"], 2)
    with Image.open(io.BytesIO(fine.png)) as sheet:
        boxes = [(one["x"] + one["width"], one["y"] + one["height"]) for one in fine.index.values()]
        assert max(x for x, _ in boxes) <= sheet.width
        assert max(y for _, y in boxes) <= sheet.height


def test_a_pattern_joins_itself_on_all_sides() -> None:
    sprite = make_sprite(LAYERS, PRINT, 1)
    with Image.open(io.BytesIO(sprite.png)) as sheet:
        for name, at in sprite.index.items():
            if not name.startswith("pattern-parcels"):
                continue
            x, y, size = at["x"], at["y"], at["width"]
            alpha = sheet.crop((x, y, x + size, y + size)).getchannel("A")
            pixels = [[alpha.getpixel((i, j)) for i in range(size)] for j in range(size)]
            assert any(any(row) for row in pixels), name
            assert not all(all(row) for row in pixels), name


def test_every_kind_of_facility_has_a_symbol_of_its_own() -> None:
    symbols = get_layer("facilities").style.symbols

    assert {one.code for one in FACILITY_KINDS.codes} == set(symbols)
    assert len(set(symbols.values())) == len(symbols)
    for layer in LAYERS:
        assert set(layer.style.symbols.values()) <= set(SYMBOLS), layer.name


@pytest.mark.parametrize("layer", [layer.name for layer in LAYERS])
@looks
def test_a_legend_is_drawn_for_each_layer_and_look(layer: str, look: Look) -> None:
    options = LegendOptions(Clearance.RESTRICTED, look)

    root = ET.fromstring(legend_svg(get_layer(layer), options))  # noqa: S314  # our own

    title = get_layer(layer).title
    assert f"{title.zh} {title.en}" == root[0].text
    assert look.background == root[1].get("fill")


def test_a_legend_picture_shows_nothing_hidden_from_the_level() -> None:
    government = legend_svg(
        get_layer("pipelines"), LegendOptions(Clearance.GOVERNMENT, DAY)
    ).decode()

    assert "给水 Water supply" in government
    assert "燃气" not in government


def test_a_legend_speaks_the_language_asked_for() -> None:
    def texts(language: legend_pictures.Language) -> set[str]:
        options = LegendOptions(Clearance.PUBLIC, DAY, language)
        shapes = legend_drawing(get_layer("roads"), options).shapes
        return {shape.text for shape in shapes if isinstance(shape, Text)}

    assert {"Roads", "Motorway"} < texts("en")
    assert {"道路", "高速公路"} < texts("zh")
    assert "高速公路 Motorway" in texts("both")


@pytest.mark.skipif(chinese_font() is None, reason="the machine has no Chinese font")
def test_a_png_legend_is_twice_as_large_as_its_svg_and_always_the_same() -> None:
    options = LegendOptions(Clearance.PUBLIC, NIGHT)

    drawn = legend_drawing(get_layer("parcels"), options)
    png = legend_png(get_layer("parcels"), options)

    with Image.open(io.BytesIO(png)) as image:
        size = image.size
    assert (2 * round(drawn.width), 2 * round(drawn.height)) == size
    assert png == legend_png(get_layer("parcels"), options)


def test_without_a_chinese_font_a_png_legend_is_refused_and_not_written_in_boxes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(legend_pictures, "chinese_font", lambda: None)

    with pytest.raises(FontMissing):
        legend_png(get_layer("parcels"), LegendOptions(Clearance.PUBLIC, DAY, "zh"))


def test_the_sources_of_a_style_carry_its_time() -> None:
    style = style_of(DAY, {"datetime": "2015-06-30T00:00:00+08:00"})

    urls = {source["url"] for source in style["sources"].values()}
    assert "http://city.test/tiles/parcels.json?datetime=2015-06-30T00:00:00%2B08:00" in urls
    assert {"datetime": "2015-06-30T00:00:00+08:00"} == style["metadata"]["geoservice:time"]


def test_a_style_says_from_where_a_layer_is_drawn_whole() -> None:
    base_zooms = {"facilities": 14, "districts": 0}
    wanted = StyleRequest("city", DAY, "http://city.test", base_zooms=base_zooms)

    style = map_style(LAYERS, Clearance.RESTRICTED, wanted=wanted, city=SHENZHEN)

    described = {one["name"]: one for one in style["metadata"]["geoservice:layers"]}
    assert 14 == described["facilities"]["generalised_below"]
    assert "generalised_below" not in described["districts"]


def test_clusters_and_single_points_are_drawn_apart() -> None:
    parts = {part["id"]: part for part in style_of(DAY)["layers"]}

    assert ["has", "point_count"] == parts["facilities-cluster"]["filter"]
    assert ["!", ["has", "point_count"]] == parts["facilities-circle"]["filter"]
    assert parts["facilities-cluster-count"]["minzoom"] <= parts["facilities-symbol"]["minzoom"]

"""Documents of themes: what is said comes back, and what cannot be is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest

from layers.access import Clearance
from layers.base import THEME_SCHEMA, AttributeType
from layers.errors import InvalidTheme, UnknownLayer
from layers.registry import get_layer, is_known, layers_at, use_themes
from layers.tables import column_names, held_table, past_table, qualified, qualified_past
from layers.theme_documents import parse_theme, theme_document


def document(**more: Any) -> dict[str, Any]:
    """A theme of points with two attributes."""
    title = {"en": "Trees", "zh": "树木"}
    codes = [{"code": "oak", "title": {"en": "Oak", "zh": "橡树"}, "color": "#112233"}]
    return {
        "name": "trees",
        "title": title,
        "description": title,
        "group": title,
        "geometry_type": "Point",
        "clearance": "government",
        "key": ["code"],
        "minzoom": 10,
        "maxzoom": 17,
        "style": {"color": "#00ff00", "color_by": "kind"},
        "attributes": [
            {"name": "code", "type": "text", "title": title, "aliases": ["编号"]},
            {"name": "kind", "type": "text", "title": title, "codes": {"entries": codes}},
            {"name": "height_m", "type": "number", "title": title, "unit": "m"},
        ],
        **more,
    }


def test_what_is_said_comes_back() -> None:
    theme = parse_theme(document(), 7)

    said = theme_document(theme)

    assert said == theme_document(parse_theme(said, 7))
    assert ("government", ["code"], 10) == (said["clearance"], said["key"], said["minzoom"])


def test_tables_bear_numbers_and_columns_too() -> None:
    theme = parse_theme(document(), 7)

    assert (THEME_SCHEMA, "themes.t7", "themes.t7_past") == (
        theme.schema,
        qualified(theme),
        qualified_past(theme),
    )
    assert ["a1", "a2", "a3"] == column_names(theme)
    assert {"a1", "a2", "a3", "geom"} <= set(held_table(theme).columns.keys())
    assert "t7_past" == past_table(theme).name


def test_what_the_style_shows_is_in_tiles() -> None:
    theme = parse_theme(document(), 7)

    assert ["kind"] == [a.name for a in theme.attributes if a.in_tile]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"name": "parcels"}, "name: 'parcels' is a layer of the city"),
        ({"name": "x;y"}, "name: "),
        ({"title": {"en": "x"}}, "title.zh"),
        ({"title": {"en": "x", "zh": ""}}, "title.zh"),
        ({"clearance": "none"}, "clearance"),
        ({"minzoom": -1}, "minzoom"),
        ({"geometry_type": "Circle"}, "geometry_type"),
        ({"style": {"color": "#00ff00", "color_by": "height_m"}}, "has no codes"),
        ({"style": {"color": "url(x)"}}, "style.color"),
        ({"key": ["height_m"]}, "key: height_m is a number"),
        ({"valid_from": "code"}, "code is no date"),
        ({"more": 1}, "more"),
    ],
)
def test_a_fault_is_told_with_its_place(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidTheme, match=fault):
        parse_theme(document(**change), 7)


@pytest.mark.parametrize("nothing", [None, [], "trees", 3, {}])
def test_what_is_no_document_is_refused(nothing: object) -> None:
    with pytest.raises(InvalidTheme):
        parse_theme(nothing)


def test_attributes_are_checked_one_by_one() -> None:
    title = {"en": "x", "zh": "x"}
    one = {"name": "kind", "type": "text", "title": title}
    for attributes, fault in (
        ([{**one, "name": "feature_id"}], "attributes.0.name"),
        ([{**one, "column": "geom"}], "attributes.0.column"),
        ([one, one], "kind is there twice"),
        ([{**one, "column": "a1"}, {**one, "name": "b", "column": "a1"}], "a1 is there twice"),
        (
            [{**one, "type": "number", "codes": {"entries": [{"code": "1", "title": title}]}}],
            "only texts have code lists",
        ),
    ):
        with pytest.raises(InvalidTheme, match=fault):
            parse_theme(document(attributes=attributes, key=[], style={"color": "#000000"}))


def test_a_word_that_got_a_meaning_later_does_not_unmake_a_theme() -> None:
    held = document(name="buildings")

    assert "buildings" == parse_theme(held, 7, is_held=True).name
    with pytest.raises(InvalidTheme):
        parse_theme(held)


def test_the_registry_knows_the_themes_that_it_was_given_last() -> None:
    theme = parse_theme(document(), 7)
    try:
        use_themes([theme])
        assert theme is get_layer("trees")
        assert is_known("trees")
        assert theme in layers_at(Clearance.GOVERNMENT)
        assert theme not in layers_at(Clearance.PUBLIC)
        with pytest.raises(UnknownLayer):
            get_layer("trees", Clearance.ENTERPRISE)
    finally:
        use_themes(())
    assert not is_known("trees")


def test_a_new_type_of_an_attribute_is_another_table() -> None:
    said = theme_document(parse_theme(document(), 7))
    said["attributes"][2]["type"] = "text"

    assert AttributeType.TEXT is parse_theme(said, 7).attribute["height_m"].type

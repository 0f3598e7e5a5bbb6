"""Names that people and files give: which of them may be identifiers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.errors import InvalidParameter
from layers.names import MAX_NAME_CHARS, attribute_name, check_attribute_name, check_layer_name
from layers.registry import LAYERS


@pytest.mark.parametrize("name", ["base_stations", "a", "x9", "trees_2024", "a" * MAX_NAME_CHARS])
def test_plain_names_are_names_of_themes(name: str) -> None:
    check_layer_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "Trees", "树木", "2trees", "_trees", "trees-2024", "trees 1", "a" * 42, "trees\n"),
        *(layer.name for layer in LAYERS),
        *("theme", "raster", "survey", "webmercatorquad", "select", "user", "series"),
        *("trees_past", "pg_class", "facilities_live_0", "spatial_ref_sys", "buildings"),
        *('x"; DROP TABLE city.loads; --', "city.loads", "a,b", "a/b"),
    ],
)
def test_what_is_no_name_or_means_something_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        check_layer_name(name)

    assert len(refused.value.reason) > 10


@given(column=st.text(max_size=80), taken=st.sets(st.sampled_from(["a1", "name", "a"])))
def test_any_column_gives_a_free_name_that_may_be_an_attribute(
    column: str, taken: set[str]
) -> None:
    name = attribute_name(column, taken, "a1")

    check_attribute_name(name)
    assert name not in taken
    assert re.fullmatch("[a-z][a-z0-9_]*", name)


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("StationName", "stationname"),
        ("Station Name (en)", "station_name_en"),
        ("名称", "a7"),
        ("Ｎａｍｅ", "name"),
        ("2020", "a_2020"),
        ("geom", "geom_2"),
        ("select", "select_2"),
        ("***", "a7"),
        ("管径mm", "a7"),
    ],
)
def test_a_name_is_as_near_to_the_column_as_can_be(column: str, name: str) -> None:
    assert name == attribute_name(column, (), "a7")

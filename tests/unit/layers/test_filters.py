"""Filters in CQL2 that need no database: what is refused, and how values are bound."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.dialects.postgresql.psycopg import dialect

from layers.access import Clearance
from layers.errors import InvalidParameter
from layers.filters import FilterLanguage, parse_filter, parse_properties, queryables
from layers.registry import get_layer
from layers.versions import readable

ROADS, PARCELS = get_layer("roads"), get_layer("parcels")


def sql(text: str, layer_name: str = "roads") -> str:
    """The statement of a filter, with placeholders for its values."""
    layer = get_layer(layer_name)
    view = readable(layer, Clearance.PUBLIC)
    condition = parse_filter(text, layer, Clearance.PUBLIC).condition(view)
    return str(select(view.c.feature_id).where(condition).compile(dialect=dialect()))  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pg_sleep(5) > 1", "no function 'pg_sleep'"),
        ("pg_sleep(5)", "no operator 'pg_sleep'"),
        ("lower(name) = 'a'", "no function 'lower'"),
        ("name = version()", "version"),
        ("A_CONTAINS(name, ('a'))", "no operator"),
        ("width_m % 2 = 1", "no function '%'"),
        ("name = 1", "name is a text and 1 a number"),
        ("width_m = '1'", "width_m is a number and '1' a text"),
        ("oneway > 1", "oneway is a boolean"),
        ("name", "no condition"),
        ("'a'", "a filter is a condition"),
        ("name = NULL", "IS NULL"),
        ("width_m LIKE 'a%'", "like compares texts"),
        ("name LIKE name", "literal pattern"),
        ("name LIKE 'a\\'", "sign of escape"),
        ("name LIKE '%a%b%c%d%e%f%g%h%i%'", "at most 8"),
        ("name + 1 = 2", "takes numbers"),
        ("width_m = 1e400", "2^53"),
        ("lanes = 9007199254740993", "2^53"),
        ("casei(width_m) = 'a'", "takes texts"),
        ("S_INTERSECTS(geometry, POLYGON((0 0, 1 1, 1 0, 0 1, 0 0)))", "not valid"),
        ("S_INTERSECTS(geometry, POINT(200 0))", "degrees"),
        ("S_INTERSECTS(name, POINT(1 2))", "takes the property geometry"),
        ("S_INTERSECTS(POINT(1 2), POINT(1 2))", "takes the property geometry"),
        ("S_INTERSECTS(geometry, geometry)", "a geometry is one of"),
        ("S_WITHIN(geometry, BBOX(3, 2, 1, 0))", "bbox"),
        ("T_AFTER(name, DATE('2020-01-01'))", "dates with dates"),
        ("name IN ('a', 1)", "cannot be compared"),
        ("((name = 'a')", "brackets do not match"),
        ("name = 'a", "no end"),
        ("name = 'a'; DROP TABLE roads", "cannot read"),
        ("", "cannot read"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        parse_filter(text, ROADS, Clearance.RESTRICTED)

    assert reason in refusal.value.reason


@pytest.mark.parametrize("text", ["registered_on > DATE('2020-02-30')", "registered_on > '2020'"])
def test_days_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_filter(text, PARCELS, Clearance.PUBLIC)


def test_a_hidden_property_is_answered_as_one_that_does_not_exist() -> None:
    reasons = []
    for name in ("holder", "nobody"):
        with pytest.raises(InvalidParameter) as refusal:
            parse_filter(f"{name} = 'x'", PARCELS, Clearance.PUBLIC)
        reasons.append(refusal.value.reason.replace(name, "NAME"))

    assert reasons[0] == reasons[1]
    assert "holder" not in queryables(PARCELS, Clearance.PUBLIC)
    assert "holder" in parse_filter("holder = 'x'", PARCELS, Clearance.GOVERNMENT).canonical


@pytest.mark.parametrize("name", ["clearance", "valid_during", "geom_3857", "natural_key"])
def test_columns_that_are_no_attributes_cannot_be_named(name: str) -> None:
    with pytest.raises(InvalidParameter, match="no property"):
        parse_filter(f"{name} IS NULL", ROADS, Clearance.RESTRICTED)


def test_values_are_bound_and_never_part_of_the_statement() -> None:
    statement = sql("name = 'x'' OR 1=1 --' AND width_m > 4711 AND S_WITHIN(geometry, POINT(7 8))")

    assert not any(word in statement for word in ("1=1", "4711", "POINT", "x'"))


@pytest.mark.parametrize(
    "text",
    [
        "(" * 40 + "lanes = 1" + ")" * 40,
        "(" * 12 + " AND ".join(["lanes = 1"] * 300) + " ]" + ")" * 12,
        "NOT " * 4_000 + "lanes = 1",
        "lanes = " + "- " * 7_000 + "1",
        "lanes = " + "1 + " * 3_000 + "1",
        "lanes = " + "1^" * 3_000 + "1",
        " AND ".join(["oneway"] * 2_000),
        "lanes IN (" + ",".join(["1"] * 5_000) + ")",
        "f(" * 500 + "1" + ")" * 500,
        "S_INTERSECTS(geometry, LINESTRING(" + ", ".join(["0 0"] * 3_000) + "))",
        "name = '" + "x" * 20_000 + "'",
    ],
)
def test_what_would_cost_much_is_refused_at_once(text: str) -> None:
    began = time.process_time()

    with pytest.raises(InvalidParameter):
        parse_filter(text, ROADS, Clearance.PUBLIC)

    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "text",
    [
        '{"op":"not","args":[' * 5_000 + "true" + "]}" * 5_000,
        '{"op":"not","args":[' * 60 + "true" + "]}" * 60,
        '{"op":"in","args":[{"property":"lanes"},' + "[" * 100 + "]" * 100 + "]}",
        '{"op":"=","args":[{"property":"name"},"\\u0000"]}',
        '{"op":"=","args":[{"property":["name"]},"a"]}',
        '{"op":["="],"args":[1,1]}',
        '{"op":"=","args":{"0":1}}',
        '{"op":"and","args":[]}',
        '{"op":"s_intersects","args":[{"property":"geometry"},'
        '{"type":"GeometryCollection","geometries":[]}]}',
        "[]",
        "null",
        "1",
    ],
)
def test_json_of_any_form_is_refused_with_words(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_filter(text, ROADS, Clearance.PUBLIC, FilterLanguage.JSON)


@given(
    st.text("()ab=<>'\" ,.0123456789+-*/NOTANDRILKE%_[]{}:", max_size=120),
    st.sampled_from(FilterLanguage),
)
def test_no_text_does_more_than_be_refused(text: str, language: FilterLanguage) -> None:
    try:
        found = parse_filter(text, ROADS, Clearance.PUBLIC, language)
    except InvalidParameter:
        return
    assert found.canonical


def test_text_and_json_of_one_filter_have_one_canonical_form() -> None:
    tree = {
        "op": "and",
        "args": [
            {"op": "=", "args": [{"property": "lanes"}, 2]},
            {"op": "like", "args": [{"property": "name"}, "南%"]},
        ],
    }

    text = parse_filter("lanes=2  AND name LIKE '南%'", ROADS, Clearance.PUBLIC)
    as_json = parse_filter(json.dumps(tree), ROADS, Clearance.PUBLIC, FilterLanguage.JSON)

    assert text.canonical == as_json.canonical
    assert text.canonical != parse_filter("lanes=3", ROADS, Clearance.PUBLIC).canonical


def test_properties_come_in_the_order_of_the_descriptor() -> None:
    found = parse_properties("width_m,name,code", [ROADS, PARCELS], Clearance.PUBLIC)

    assert found == (("code", "name", "width_m"), ("code",))


@pytest.mark.parametrize("text", ["nobody", "holder", "code,code", "code,,name", "geom"])
def test_properties_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_properties(text, [PARCELS], Clearance.PUBLIC)

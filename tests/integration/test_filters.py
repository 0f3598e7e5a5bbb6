"""Filters on a real database: random ones give what Python finds; over HTTP on features."""

from __future__ import annotations

import datetime as dt
import json
import operator
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import cql2
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape
from sqlalchemy import Connection, select
from starlette.testclient import TestClient

from layers.access import Clearance
from layers.filters import FilterLanguage, parse_filter
from layers.registry import get_layer
from layers.roles import Role
from layers.versions import readable
from tests.conftest import KeyMaker
from tests.support import City, parcel

Json = Any
Truth = bool | None

COUNT = 60
TEXTS = ["深南大道", "Binhai", "binhai", "50%", "a_b", "it's", ""]
LEVELS = [Clearance.PUBLIC, Clearance.RESTRICTED]


def roads() -> list[dict[str, Any]]:
    """Roads with all kinds of values, and with none, each a short line in its own place."""
    chance = random.Random(4)
    rows = []
    for number in range(COUNT):
        x, y = 114 + number % 8 * 0.01, 22.5 + number // 8 * 0.01
        rows.append(
            {
                "code": f"R{number:02d}",
                "name": chance.choice([None, *TEXTS]),
                "width_m": chance.choice([None, 0.0, 3.5, -7.25, 12.0]),
                "lanes": chance.choice([None, 0, 1, 2, 2_000_000_000]),
                "oneway": chance.choice([None, True, False]),
                "clearance": chance.choice(LEVELS),
                "wkt": f"MULTILINESTRING(({x} {y}, {x + 0.006} {y + 0.004}))",
            }
        )
    return rows


ROWS = roads()


@pytest.fixture(scope="module", autouse=True)
def features(city: City) -> None:
    """The roads, and parcels with dates."""
    city.publish("roads", ROWS)
    city.publish(
        "parcels",
        [
            parcel(f"P{day}", 114 + day * 0.01, 22.7, registered_on=dt.date(2020, 1, day))
            for day in range(1, 11)
        ]
        + [parcel("P-", 114.2, 22.7, holder="张三")],
    )


@pytest.fixture(scope="module")
def readers(city: City) -> Iterator[dict[Clearance, Connection]]:
    """A connection for each of two levels."""
    with (
        city.address.connect(Role.READ_PUBLIC) as public,
        city.address.connect(Role.READ_RESTRICTED) as restricted,
    ):
        yield dict(zip(LEVELS, (public, restricted), strict=True))


def codes_in_database(connection: Connection, level: Clearance, tree: Json) -> set[str]:
    """Codes of the roads that meet a filter."""
    layer = get_layer("roads")
    view = readable(layer, level)
    found = parse_filter(json.dumps(tree), layer, level, FilterLanguage.JSON)
    rows = connection.execute(select(view.c.code).where(found.condition(view))).scalars()
    return set(rows)


properties = {
    "text": st.sampled_from(["name", "code"]),
    "number": st.sampled_from(["width_m", "lanes"]),
}
literals: dict[str, st.SearchStrategy[Json]] = {
    "text": st.sampled_from([*TEXTS, "R07", "R5"]),
    "number": st.sampled_from([0, 1, 2, 3.5, -7.25, 1e9, 0.1]),
}


def values(kind: str) -> st.SearchStrategy[Json]:
    """Properties, literals, and what is made of them."""
    base = properties[kind].map(lambda name: {"property": name}) | literals[kind]
    if kind == "text":
        return base | base.map(lambda one: {"op": "casei", "args": [one]})
    return base | st.builds(
        lambda op, a, b: {"op": op, "args": [a, b]}, st.sampled_from("+-*/"), base, base
    )


def operation(op: st.SearchStrategy[str] | str, *args: st.SearchStrategy[Json]) -> Any:
    """An operation over drawn arguments."""
    ops = st.just(op) if isinstance(op, str) else op
    return st.builds(lambda name, *parts: {"op": name, "args": list(parts)}, ops, *args)


def comparisons(kind: str) -> st.SearchStrategy[Json]:
    """Everything that compares values of one kind."""
    any_value = values(kind)
    return st.one_of(
        operation(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), any_value, any_value),
        operation("between", any_value, any_value, any_value),
        operation("in", any_value, st.lists(any_value, min_size=1, max_size=3)),
        operation("isNull", properties[kind].map(lambda name: {"property": name})),
    )


places = st.builds(
    lambda x, y, w, h: [114 + x / 100, 22.5 + y / 100, 114 + (x + w) / 100, 22.5 + (y + h) / 100],
    *[st.integers(0, 7)] * 4,
).map(lambda ends: {"bbox": ends})

conditions = st.recursive(
    st.one_of(
        comparisons("number"),
        operation(
            "like",
            values("text"),
            st.sampled_from(["%a%", "b_nhai", "50\\%", "R%", "%道", "a\\_b"]),
        ),
        st.sampled_from([True, False, {"property": "oneway"}]),
        operation(
            st.sampled_from(["s_intersects", "s_within", "s_disjoint"]),
            st.just({"property": "geometry"}),
            places.filter(lambda p: p["bbox"][0] < p["bbox"][2] and p["bbox"][1] < p["bbox"][3]),
        ),
        operation(st.sampled_from(["=", "<>"]), values("text"), values("text")),
    ),
    lambda inner: st.one_of(
        operation("not", inner),
        st.builds(
            lambda op, parts: {"op": op, "args": parts},
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=2, max_size=3),
        ),
    ),
    max_leaves=6,
)


def value_of(node: Json, row: dict[str, Any]) -> Any:
    """A value of a filter for one row; None is null."""
    if not isinstance(node, dict):
        return node
    if "property" in node:
        return row[node["property"]]
    parts = [value_of(part, row) for part in node["args"]]
    if None in parts:
        return None
    if node["op"] == "casei":
        return parts[0].lower()
    if node["op"] == "/" and parts[1] == 0:
        return None
    sums: dict[str, Callable[[Any, Any], Any]] = {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
    }
    return sums[node["op"]](*map(float, parts))


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "s_intersects": shapely.intersects,
    "s_within": shapely.within,
    "s_disjoint": shapely.disjoint,
}


def all_of(truths: list[Truth]) -> Truth:
    """Three-valued and."""
    return False if False in truths else None if None in truths else True


def opposite(truth: Truth) -> Truth:
    """Three-valued not."""
    return None if truth is None else not truth


def is_like(text: str, pattern: str) -> bool:
    """Whether a text is of a pattern."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    expression = "".join({"%": ".*", "_": "."}.get(p, re.escape(p[-1])) for p in parts)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def compare(op: str, left: Any, right: Any) -> Truth:
    """A comparison in which null makes null."""
    return None if left is None or right is None else COMPARE[op](left, right)


def truth_of(node: Json, row: dict[str, Any]) -> Truth:
    """Whether a row meets a filter, in plain Python."""
    if isinstance(node, bool):
        return node
    if "property" in node:
        return row[node["property"]]  # type: ignore[no-any-return]  # a boolean attribute
    op, args = node["op"], node["args"]
    if op in ("and", "or", "not"):
        return junction(op, [truth_of(part, row) for part in args])
    if op in RELATIONS:
        return bool(RELATIONS[op](shapely.from_wkt(row["wkt"]), shapely.box(*args[1]["bbox"])))
    if op == "in":
        return junction("or", [truth_of({"op": "=", "args": [args[0], a]}, row) for a in args[1]])
    return comparison(op, [value_of(part, row) for part in args])


def junction(op: str, truths: list[Truth]) -> Truth:
    """Three-valued logic."""
    if op == "not":
        return opposite(truths[0])
    if op == "or":
        return opposite(all_of([opposite(truth) for truth in truths]))
    return all_of(truths)


def comparison(op: str, found: list[Any]) -> Truth:
    """What compares values; null makes null."""
    if op == "isNull":
        return found[0] is None
    if op == "between":
        return all_of([compare(">=", found[0], found[1]), compare("<=", found[0], found[2])])
    if op == "like":
        return None if found[0] is None else is_like(found[0], found[1])
    return compare(op, *found)


@settings(max_examples=250)
@given(conditions, st.sampled_from(LEVELS))
def test_a_random_filter_finds_what_python_finds(
    readers: dict[Clearance, Connection], tree: Json, level: Clearance
) -> None:
    found = codes_in_database(readers[level], level, tree)

    visible = (row for row in ROWS if row["clearance"] <= level)
    assert {row["code"] for row in visible if truth_of(tree, row) is True} == found


@settings(max_examples=100)
@given(conditions)
def test_a_filter_in_words_means_what_it_means_as_json(
    readers: dict[Clearance, Connection], tree: Json
) -> None:
    layer, level = get_layer("roads"), Clearance.RESTRICTED
    view = readable(layer, level)
    words = cql2.parse_json(json.dumps(tree)).to_text()

    found = parse_filter(words, layer, level, FilterLanguage.TEXT)

    rows = readers[level].execute(select(view.c.code).where(found.condition(view))).scalars()
    assert codes_in_database(readers[level], level, tree) == set(rows)


def codes(client: TestClient, layer: str, filter_: str, **more: Any) -> list[str]:
    """Codes of the features of one page that a filter in words finds."""
    response = client.get(
        f"/collections/{layer}/items", params={"filter": filter_, "limit": 1000, **more}
    )
    assert response.status_code == 200, response.text
    return [feature["properties"]["code"] for feature in response.json()["features"]]


@pytest.mark.parametrize(
    ("filter_", "days"),
    [
        ("T_AFTER(registered_on, DATE('2020-01-07'))", [8, 9, 10]),
        ("T_BEFORE(registered_on, DATE('2020-01-03'))", [1, 2]),
        ("T_DURING(registered_on, INTERVAL('2020-01-03', '2020-01-06'))", [4, 5]),
        ("T_INTERSECTS(registered_on, INTERVAL('2020-01-09', '..'))", [9, 10]),
        ("T_DISJOINT(registered_on, INTERVAL('..', '2020-01-08'))", [9, 10]),
        ("T_EQUALS(registered_on, DATE('2020-01-05'))", [5]),
        ("T_STARTS(registered_on, INTERVAL('2020-01-05', '2020-01-06'))", [5]),
        ("registered_on >= DATE('2020-01-09')", [9, 10]),
        ("registered_on BETWEEN DATE('2020-01-01') AND DATE('2020-01-02')", [1, 2]),
        ("registered_on IN (DATE('2020-01-04'))", [4]),
        ("NOT registered_on < DATE('2020-01-10')", [10]),
    ],
)
def test_dates_are_compared_as_cql2_says(client: TestClient, filter_: str, days: list[int]) -> None:
    assert [f"P{day}" for day in days] == codes(client, "parcels", filter_)


@pytest.mark.parametrize(
    "filter_",
    [
        "S_INTERSECTS(geometry, POLYGON((114.009 22.69, 114.012 22.69, 114.012 22.71, "
        "114.009 22.71, 114.009 22.69)))",
        "S_WITHIN(geom, BBOX(114.009, 22.69, 114.012, 22.71))",
        "S_CONTAINS(BBOX(114.009, 22.69, 114.012, 22.71), geometry)",
        "S_INTERSECTS(geometry, POINT(114.0105 22.7005)) AND code LIKE 'P%'",
        "S_INTERSECTS(geometry, BBOX(114.009, -90, 114.012, 90))",
    ],
)
def test_places_are_compared_as_cql2_says(client: TestClient, filter_: str) -> None:
    assert ["P1"] == codes(client, "parcels", filter_)


def test_pages_and_counts_are_of_the_filtered_features(client: TestClient) -> None:
    path = "/collections/parcels/items"
    filter_ = "registered_on > DATE('2020-01-04')"

    whole = client.get(path, params={"filter": filter_}).json()
    first = client.get(path, params={"filter": filter_, "limit": 4}).json()
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    second = client.get(following).json()

    assert (6, 6) == (whole["numberMatched"], whole["numberReturned"])
    assert "numberMatched" not in first
    assert [4, 2] == [first["numberReturned"], second["numberReturned"]]


def test_properties_are_exactly_those_asked_for(client: TestClient) -> None:
    path = "/collections/parcels/items"

    some = client.get(path, params={"properties": "registered_on,code"}).json()["features"][0]
    none = client.get(path, params={"properties": ""}).json()["features"][0]

    assert ["code", "registered_on"] == list(some["properties"])
    assert {} == none["properties"]
    assert shape(some["geometry"]).is_valid


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ({"filter": "holder = '张三'"}, "filter"),
        ({"filter": "nobody = '张三'"}, "filter"),
        ({"filter": "code = 'a'", "filter-lang": "ecql"}, "filter-lang"),
        ({"filter": "code = 'a'", "filter-crs": "http://example.org/"}, "filter-crs"),
        ({"properties": "holder"}, "properties"),
        ({"properties": "nobody"}, "properties"),
        ({"filter": "area_m2 * 1e308 * area_m2 > 1 AND pg_sleep(9)"}, "filter"),
    ],
)
def test_what_cannot_be_used_is_a_problem_that_names_the_parameter(
    client: TestClient, parameters: dict[str, str], parameter: str
) -> None:
    response = client.get("/collections/parcels/items", params=parameters)

    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert parameter == response.json()["errors"][0]["parameter"]


def test_a_reader_who_may_read_an_attribute_may_filter_by_it(
    client: TestClient, headers_of: KeyMaker
) -> None:
    response = client.get(
        "/collections/parcels/items",
        params={"filter": "holder = '张三'"},
        headers=headers_of(Clearance.GOVERNMENT),
    )

    assert ["P-"] == [f["properties"]["code"] for f in response.json()["features"]]


def test_queryables_are_what_a_filter_may_name(client: TestClient) -> None:
    response = client.get("/collections/roads/queryables")

    document = response.json()
    assert response.headers["content-type"] == "application/schema+json"
    assert document["$id"].endswith("/collections/roads/queryables")
    assert {"type": "integer"}.items() <= document["properties"]["lanes"].items()
    assert "primary-geometry" == document["properties"]["geometry"]["x-ogc-role"]
    assert "holder" not in client.get("/collections/parcels/queryables").json()["properties"]
    assert client.get("/collections/pipelines/queryables").status_code == 404

"""Searches by area, filter and page, compared with a plain look at all facilities."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pyproj
import pytest
import shapely
from starlette.testclient import TestClient

from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.support import City, facility

GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
WEST, SOUTH, SIDE = 114.0, 22.5, 0.1
KINDS = ("library", "parking", "sports_hall.badminton", "sports_hall.swimming")
Facility = dict[str, Any]


def district(code: str, west: float, east: float, level: str, parent: str | None) -> Facility:
    """A district from the south to the north of the city between two longitudes."""
    corners = ((west, SOUTH), (east, SOUTH), (east, SOUTH + SIDE), (west, SOUTH + SIDE))
    ring = ", ".join(f"{x} {y}" for x, y in (*corners, corners[0]))
    return {
        "code": code,
        "name": f"区{code}",
        "level": level,
        "parent_code": parent,
        "wkt": f"MULTIPOLYGON((({ring})))",
    }


def made() -> list[Facility]:
    random = Random(5)
    rows = []
    for n in range(300):
        lon, lat = WEST + random.random() * SIDE, SOUTH + random.random() * SIDE
        more = {
            "kind": random.choice(KINDS),
            "accessible": random.choice([True, False, None]),
            "fee": random.choice(["免费", "收费", None]),
            "address": f"深南大道{n}号",
            "capacity": random.choice([10, 50, None]),
            "resource_type": random.choice(["court", "seat", None]),
        }
        more["price_class"] = {"免费": "free", "收费": "market"}.get(str(more["fee"]))
        rows.append(
            facility(f"S{n:03}", lon, lat, **more) | {"name": f"第{n}{random.choice('馆场')}"}
        )
    return rows


ROWS = made()
PLACES: dict[str, Any] = {row["code"]: shapely.from_wkt(row["wkt"]) for row in ROWS}
FREE = {row["code"]: n % 7 for n, row in enumerate(ROWS) if n % 3 == 0}


@pytest.fixture(scope="module", autouse=True)
def facilities(city: City, client: TestClient, headers_of: KeyMaker) -> None:
    city.publish(
        "districts",
        [
            district("440399", WEST, WEST + SIDE, "district", "440300"),
            district("440399001", WEST, WEST + SIDE / 2, "street", "440399"),
            district("440399002", WEST + SIDE / 2, WEST + SIDE, "street", "440399"),
        ],
    )
    middle = WEST + SIDE / 2
    for row in ROWS:
        street = "440399001" if PLACES[row["code"]].x < middle else "440399002"
        row["admin_code"] = street
    city.publish("facilities", ROWS)
    now = datetime.now(UTC).isoformat()
    figures = [
        {"facility": code, "observed_at": now, "available": free, "capacity": 10}
        for code, free in FREE.items()
    ]
    tables = {"facility": "S001", "observed_at": now, "available": 3, "resource_type": "table"}
    answer = client.post(
        "/observations",
        json=[*figures, tables],
        headers=headers_of(Clearance.PUBLIC, "observe:search"),
    )
    assert len(FREE) + 1 == answer.json()["accepted"]


def search(client: TestClient, **asked: Any) -> list[dict[str, Any]]:
    """The properties of all that is found, page by page."""
    address, found = "/availability", []
    parameters: dict[str, Any] | None = {"limit": 40, **asked}
    for _ in range(20):
        answer = client.get(address, params=parameters)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found += [feature["properties"] for feature in body["features"]]
        following = [link["href"] for link in body.get("links", [])]
        if not following:
            return found
        split = urlsplit(following[0])
        address, parameters = f"{split.path}?{split.query}", None
    raise AssertionError("pages without an end")


def codes(found: list[dict[str, Any]]) -> list[str]:
    return [one["code"] for one in found]


def test_a_window_gives_what_lies_in_it(client: TestClient) -> None:
    found = search(client, bbox="114.02,22.51,114.06,22.57")

    window = shapely.box(114.02, 22.51, 114.06, 22.57)
    expected = [code for code, place in PLACES.items() if window.contains(place)]
    assert expected == sorted(codes(found))
    assert len(found) == len(set(codes(found)))


def test_an_area_gives_what_lies_in_it_nearest_first_if_a_place_is_given(
    client: TestClient,
) -> None:
    area = "POLYGON((114.01 22.51, 114.09 22.52, 114.04 22.59, 114.01 22.51))"

    plain = search(client, within=area)
    nearest = search(client, within=area, lon=114.05, lat=22.55, limit=7)

    shape: Any = shapely.from_wkt(area)
    expected = {code for code, place in PLACES.items() if shape.intersects(place)}
    assert expected == set(codes(plain))
    by_metres = sorted(
        expected, key=lambda code: GEOD.inv(114.05, 22.55, PLACES[code].x, PLACES[code].y)[2]
    )
    assert by_metres == codes(nearest)


def test_a_district_and_its_streets(client: TestClient) -> None:
    assert len(ROWS) == len(search(client, district="440399"))
    west = {code for code, place in PLACES.items() if place.x < WEST + SIDE / 2}
    assert west == set(codes(search(client, district="440399001")))
    assert [] == search(client, district="440398")


def test_a_district_at_an_instant_just_past_is_that_of_now(client: TestClient) -> None:
    asked = {"district": "440399001", "kind": "library", "limit": "100"}
    just_past = datetime.now(UTC).isoformat()

    now, then = (
        client.get("/availability", params=asked | more).json()["features"]
        for more in ({}, {"datetime": just_past})
    )

    assert now
    assert [one["id"] for one in now] == [one["id"] for one in then]


def test_a_route_gives_what_lies_along_it_in_its_order(client: TestClient) -> None:
    route = "LINESTRING(114.005 22.505, 114.05 22.55, 114.095 22.51)"

    found = search(client, route=route, radius_m=700, limit=9)

    line: Any = shapely.from_wkt(route)
    plane = pyproj.Transformer.from_crs(4490, 4547, always_xy=True).transform
    flat = shapely.LineString([plane(x, y) for x, y in line.coords])
    expected = {
        code
        for code, place in PLACES.items()
        if flat.distance(shapely.Point(plane(place.x, place.y))) <= 700
    }
    assert expected == set(codes(found))
    along = [one["along"] for one in found]
    assert sorted(along) == along
    assert 20 < len(found)


@pytest.mark.parametrize(
    ("asked", "holds"),
    [
        ({"kind": "library"}, lambda row: row["kind"] == "library"),
        ({"kind": "library,parking"}, lambda row: row["kind"] in ("library", "parking")),
        ({"kind": "sports_hall"}, lambda row: row["kind"].startswith("sports_hall.")),
        ({"accessible": "true"}, lambda row: row["accessible"] is True),
        ({"accessible": "false"}, lambda row: row["accessible"] is False),
        ({"fee": "免费"}, lambda row: row["fee"] == "免费"),
        ({"price_class": "market"}, lambda row: row["fee"] == "收费"),
        ({"q": "场"}, lambda row: "场" in row["name"]),
        ({"q": "大道77号"}, lambda row: row["code"] == "S077"),
        ({"q": "100%"}, lambda _: False),
        ({"q": "_"}, lambda _: False),
        ({"min_available": 3}, lambda row: (FREE | {"S001": 3}).get(row["code"], -1) >= 3),
        ({"resource_type": "table"}, lambda row: row["code"] == "S001"),
        ({"resource_type": "court"}, lambda row: row["resource_type"] == "court"),
        (
            {"kind": "library,parking", "accessible": "true", "q": "馆", "min_available": 1},
            lambda row: (
                row["kind"] in ("library", "parking")
                and row["accessible"] is True
                and "馆" in row["name"]
                and FREE.get(row["code"], 0) >= 1
            ),
        ),
    ],
)
@pytest.mark.parametrize("where", ["around", "window", "then"])
def test_filters_leave_those_that_hold(
    client: TestClient, asked: dict[str, Any], holds: Any, where: str
) -> None:
    around: dict[str, Any] = {"lon": 114.05, "lat": 22.55, "radius_m": 50_000}
    then = around | {"datetime": (datetime.now(UTC) + timedelta(seconds=2)).isoformat()}
    places: dict[str, dict[str, Any]] = {
        "around": around,
        "window": {"bbox": "113.9,22.4,114.2,22.7"},
        "then": then,
    }

    found = search(client, **places[where], **asked)

    assert sorted(row["code"] for row in ROWS if holds(row)) == sorted(codes(found))


def test_pages_follow_one_another_without_gap_or_repetition(client: TestClient) -> None:
    around: dict[str, Any] = {"lon": 114.05, "lat": 22.55, "radius_m": 50_000}

    in_one = search(client, **around, limit=1000)
    in_pages = search(client, **around, limit=17)

    assert len(ROWS) == len(in_one)
    assert codes(in_one) == codes(in_pages)


def test_without_a_figure_only_the_capacity_is_told(client: TestClient) -> None:
    found = {one["code"]: one for one in search(client, bbox="113.9,22.4,114.2,22.7")}

    assert {(code in FREE, "live" if code in FREE else "capacity only") for code in PLACES} == {
        (one["code"] in FREE, one["basis"]) for one in found.values() if one["code"] != "S001"
    }
    without = next(row for row in ROWS if row["code"] not in FREE and row["capacity"] == 50)
    told = found[without["code"]]
    assert (None, 50, "unknown", "unknown") == (
        told["available"],
        told["capacity"],
        told["status"],
        told["freshness"],
    )


def test_a_resource_has_its_own_figure(client: TestClient) -> None:
    (tables,) = search(client, resource_type="table", lon=114.05, lat=22.55, radius_m=50_000)

    assert ("S001", 3, "table") == (tables["code"], tables["available"], tables["resource_type"])


@pytest.mark.parametrize(
    "query",
    [
        "",
        "lon=114",
        "bbox=1,2,3",
        "bbox=114,22,115,23&district=4403",
        "within=POINT(1 1)",
        "within=POLYGON((0 0,1 1,1 0,0 1,0 0))",
        "within=POLYGON((0 0,1 1",
        "within=POLYGON((0 0,190 1,1 0,0 0))",
        "route=LINESTRING(114 22,114 22)",
        "route=LINESTRING(114 22,115 22)&radius_m=6000",
        "district=4403' OR 1=1",
        "district=区",
        "lon=114&lat=22&cursor=abc",
        "lon=114&lat=22&cursor=WyJhIiwgMV0=",
        "lon=114&lat=22&accessible=maybe",
    ],
)
def test_a_search_that_cannot_be_is_a_problem(client: TestClient, query: str) -> None:
    answer = client.get(f"/availability?{query}")

    assert 400 == answer.status_code, answer.text
    assert "application/problem+json" == answer.headers["content-type"]

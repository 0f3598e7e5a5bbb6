"""Travel times and what is reached, compared with a plain search for shortest ways."""

from __future__ import annotations

import heapq
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import pyproj
import pytest
import shapely
from sqlalchemy import text
from starlette.testclient import TestClient

from layers.access import Clearance
from layers.network_tables import outdated_for, rebuild
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.support import City, facility

GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
WEST, SOUTH, STEP, SIZE = 114.0, 22.5, 0.002, 12
HERE = (WEST + 5.3 * STEP, SOUTH + 5.1 * STEP)
ALONE = (WEST + 0.1, SOUTH)
"""In the middle of a one-way street to the north that meets no other."""
Node = tuple[int, int]
SPEED = {"primary": 40 / 3.6, "tertiary": 30 / 3.6}
WALKING = 1.25


def at(node: Node) -> tuple[float, float]:
    return WEST + node[0] * STEP, SOUTH + node[1] * STEP


def streets() -> list[dict[str, Any]]:
    """A grid of streets with gaps, some of them one-way, whose vertices are the junctions."""
    random = Random(11)
    rows = []
    for across in range(SIZE):
        for lengthwise in (True, False):
            runs: list[list[Node]] = [[]]
            for n in range(SIZE):
                node = (n, across) if lengthwise else (across, n)
                runs[-1].append(node)
                if random.random() < 0.15:
                    runs.append([node] if random.random() < 0.4 else [])
            for number, run in enumerate(run for run in runs if len(run) > 1):
                points = ", ".join(f"{x} {y}" for x, y in map(at, run))
                rows.append(
                    {
                        "code": f"R{across}{lengthwise}{number}",
                        "road_class": random.choice(["primary", "tertiary"]),
                        "oneway": random.random() < 0.2,
                        "wkt": f"MULTILINESTRING(({points}))",
                        "run": run,
                    }
                )
    return rows


STREETS = streets()


def places() -> dict[str, tuple[float, float]]:
    random, side = Random(4), STEP * (SIZE - 1)
    return {
        f"T{n:02}": (WEST + random.random() * side, SOUTH + random.random() * side)
        for n in range(60)
    }


PLACES = places()


@pytest.fixture(scope="module", autouse=True)
def made(city: City) -> None:
    city.publish("roads", [{k: v for k, v in row.items() if k != "run"} for row in STREETS])
    secret = {"code": "SECRET", "road_class": "primary", "clearance": Clearance.RESTRICTED}
    ends = ", ".join(f"{x} {y}" for x, y in ((WEST - 0.02, SOUTH), (WEST - 0.02, SOUTH + 0.02)))
    city.publish("roads", [secret | {"wkt": f"MULTILINESTRING(({ends}))"}])
    x, y = ALONE
    alone = {"code": "ALONE", "road_class": "primary", "oneway": True}
    alone["wkt"] = f"MULTILINESTRING(({x} {y - 0.01}, {x} {y + 0.01}))"
    city.publish("roads", [alone])
    rows = [facility(code, x, y, kind="library") for code, (x, y) in PLACES.items()]
    city.publish("facilities", rows)
    with city.address.connect(Role.LOADER) as connection:
        assert outdated_for(connection) is not None
        assert rebuild(connection) > 100
        connection.commit()
        assert outdated_for(connection) is None


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    return float(GEOD.inv(*one, *other)[2])


class Snapped(NamedTuple):
    """Where a place meets the streets: metres off, on which piece of street, how far along."""

    off_m: float
    one: Node
    other: Node
    seconds: float
    is_oneway: bool
    share: float


class PlainSearch:
    """Seconds from a place to others by Dijkstra over the streets, written down once more."""

    def __init__(self, start: tuple[float, float], *, driving: bool) -> None:
        self.pieces: list[tuple[Node, Node, float, bool]] = []
        for row in STREETS:
            speed = SPEED[row["road_class"]] if driving else WALKING
            for one, other in pairwise(row["run"]):
                seconds = metres(at(one), at(other)) / speed
                self.pieces.append((one, other, seconds, driving and row["oneway"]))
        self.here = self.snapped(start)
        self.reached = self._reached()

    def snapped(self, place: tuple[float, float]) -> Snapped:
        point: Any = shapely.Point(place)
        found = []
        for one, other, seconds, is_oneway in self.pieces:
            line: Any = shapely.LineString([at(one), at(other)])
            share = line.project(point, normalized=True)
            foot = line.interpolate(share, normalized=True)
            off_m = metres(place, (foot.x, foot.y))
            found.append(Snapped(off_m, one, other, seconds, is_oneway, share))
        return min(found, key=lambda one: one.off_m)

    def _reached(self) -> dict[Node, float]:
        ways: dict[Node, list[tuple[Node, float]]] = defaultdict(list)
        for one, other, seconds, is_oneway in self.pieces:
            ways[one].append((other, seconds))
            if not is_oneway:
                ways[other].append((one, seconds))
        here, reached = self.here, dict[Node, float]()
        begun = [(here.off_m / WALKING + (1 - here.share) * here.seconds, here.other)]
        if not here.is_oneway:
            begun.append((here.off_m / WALKING + here.share * here.seconds, here.one))
        heapq.heapify(begun)
        while begun:
            cost, node = heapq.heappop(begun)
            if node not in reached:
                reached[node] = cost
                for neighbour, more in ways[node]:
                    heapq.heappush(begun, (cost + more, neighbour))
        return reached

    def seconds_to(self, place: tuple[float, float]) -> float:
        there, here, never = self.snapped(place), self.here, 1e9
        costs = [self.reached.get(there.one, never) + there.share * there.seconds]
        if not there.is_oneway:
            left = (1 - there.share) * there.seconds
            costs.append(self.reached.get(there.other, never) + left)
        if there[1:3] == here[1:3] and (there.share >= here.share or not there.is_oneway):
            costs.append(here.off_m / WALKING + abs(there.share - here.share) * there.seconds)
        return min(costs) + there.off_m / WALKING


def search(client: TestClient, **asked: Any) -> dict[str, Any]:
    answer = client.get("/availability", params={"lon": HERE[0], "lat": HERE[1], **asked})
    assert 200 == answer.status_code, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize("travel", ["walking", "driving"])
def test_times_are_those_of_a_plain_search_for_shortest_ways(
    client: TestClient, travel: str
) -> None:
    found = search(client, travel=travel, max_minutes=60, limit=100)

    plain_search = PlainSearch(HERE, driving=travel == "driving")
    told = {f["properties"]["code"]: f["properties"]["travel_s"] for f in found["features"]}
    plain = {code: plain_search.seconds_to(place) for code, place in PLACES.items()}
    assert {code for code, s in plain.items() if s <= 3600} == set(told)
    assert len(told) > 40
    for code, seconds in told.items():
        assert seconds == pytest.approx(plain[code], rel=0.01, abs=2), code
    assert sorted(told.values()) == list(told.values())
    assert found["isComplete"]


def test_only_what_is_reached_in_time_is_found(client: TestClient) -> None:
    within = search(client, travel="walking", max_minutes=10, limit=100)
    default = search(client, travel="walking", limit=100)
    first = search(client, travel="walking", max_minutes=60, limit=5)

    assert all(f["properties"]["travel_s"] <= 600 for f in within["features"])
    codes = [f["properties"]["code"] for f in default["features"]]
    assert [f["properties"]["code"] for f in within["features"]] == codes[: len(within["features"])]
    assert len(within["features"]) < len(codes)
    assert [f["properties"]["code"] for f in first["features"]] == codes[:5]


def test_a_catchment_holds_the_places_from_which_it_is_reached(client: TestClient) -> None:
    number = search(client, travel="walking", limit=1)["features"][0]["id"]
    path = f"/availability/{number}/catchment"

    areas = client.get(path, params={"minutes": "5,15", "travel": "walking"}).json()["features"]

    assert [15, 5] == [area["properties"]["minutes"] for area in areas]
    large, small = (shapely.geometry.shape(area["geometry"]) for area in areas)
    assert large.buffer(1e-6).contains(small)
    home = client.get(f"/availability/{number}").json()["geometry"]["coordinates"]
    back = PlainSearch(tuple(home), driving=False)
    for place in PLACES.values():
        seconds = back.seconds_to(place)
        if seconds < 800:
            assert large.distance(shapely.Point(place)) < 0.002
        if seconds > 1_100:
            assert not large.contains(shapely.Point(place))


def test_a_one_way_street_is_followed_back_only_from_a_place_on_it(
    client: TestClient, city: City
) -> None:
    city.publish("facilities", [facility("ALONE", *ALONE, kind="library")])
    x, y = ALONE
    found = client.get("/availability", params={"lon": x, "lat": y, "limit": 1}).json()
    path = f"/availability/{found['features'][0]['id']}/catchment"

    answer = client.get(path, params={"minutes": "1", "travel": "driving"}).json()

    area = shapely.geometry.shape(answer["features"][0]["geometry"])
    assert area.contains(shapely.Point(x, y - 0.004))
    assert not area.contains(shapely.Point(x, y + 0.004))


def test_secret_roads_lead_nowhere(client: TestClient, city: City) -> None:
    far: dict[str, Any] = {
        "lon": WEST - 0.02,
        "lat": SOUTH + 0.01,
        "travel": "walking",
        "max_minutes": 60,
    }

    assert [] == client.get("/availability", params=far).json()["features"]
    with city.address.connect(Role.READ_PUBLIC) as connection:
        found = connection.execute(
            text("SELECT count(*) FROM road_edges WHERE ST_XMin(geom_3857) < 12689000")
        ).scalar()
    assert 0 == found


def test_a_score_weighs_the_way_against_the_chance_of_finding_space(
    client: TestClient, city: City, headers_of: KeyMaker
) -> None:
    by_way = search(client, max_minutes=60, travel="walking", limit=100)["features"]
    near, later, far = (by_way[place]["properties"]["code"] for place in (0, 1, 20))
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=8)
    figures = [
        {"facility": code, "observed_at": (begin + hour * timedelta(hours=1)).isoformat()}
        | {"available": free, "capacity": 9, "ttl_s": 36_000}
        for code, free in ((near, 0), (far, 6))
        for hour in range(8 * 24)
    ]
    key = headers_of(Clearance.RESTRICTED, "observe:*")
    assert 200 == client.post("/observations", json=figures, headers=key).status_code
    publish = [
        facility(later, *PLACES[later], kind="library", opening_hours="Mo-Su off"),
    ]
    city.publish("facilities", publish)

    answer = search(client, max_minutes=60, sort="score", min_available=2, limit=100)

    found = {f["properties"]["code"]: f["properties"] for f in answer["features"]}
    assert answer["isComplete"]
    assert {f["properties"]["code"] for f in by_way} == set(found)
    for told in found.values():
        chance = 0.5 if told["chance"] is None else told["chance"]
        assert told["score_s"] == pytest.approx(told["travel_s"] + (1 - chance) * 1_200, abs=0.7)
    scores = [f["properties"]["score_s"] for f in answer["features"]]
    assert sorted(scores) == scores
    assert found[near]["chance"] < 0.02 < 0.98 < found[far]["chance"]
    assert 0 == found[later]["chance"]
    first = search(client, max_minutes=60, sort="score", min_available=2, limit=3)["features"]
    assert scores[:3] == [f["properties"]["score_s"] for f in first]


@pytest.mark.parametrize(
    "query",
    [
        "sort=score&bbox=114,22,115,23",
        "sort=score&lon=114&lat=22.5&datetime=2020-01-01T00:00:00Z",
        "sort=name&lon=114&lat=22",
        "travel=flying&lon=114&lat=22",
        "travel=driving&bbox=114,22,115,23",
        "travel=driving&lon=114&lat=22&max_minutes=90",
        "max_minutes=0&travel=walking&lon=114&lat=22",
    ],
)
def test_a_journey_that_cannot_be_is_a_problem(client: TestClient, query: str) -> None:
    assert 400 == client.get(f"/availability?{query}").status_code


@pytest.mark.parametrize("query", ["minutes=0", "minutes=a", "minutes=1,2,3,4,5,6", "minutes=500"])
def test_a_catchment_that_cannot_be_is_a_problem(client: TestClient, query: str) -> None:
    number = search(client, limit=1)["features"][0]["id"]

    assert 400 == client.get(f"/availability/{number}/catchment?{query}").status_code

"""Availability over HTTP: intake of figures, the nearest free facility, honesty about age."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pyproj
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from layers.access import Clearance
from layers.availability import Place, SearchQuery, search_parameters, search_statement
from layers.facility_filters import Filters
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.support import City, facility

HERE = (114.06, 22.54)
GEOD = pyproj.Geod(ellps="GRS80")


def places(count: int) -> list[tuple[float, float]]:
    """Made-up places within some 4 km, the same at every run."""
    numbers = random.Random(7)
    return [
        (HERE[0] + numbers.uniform(-0.04, 0.04), HERE[1] + numbers.uniform(-0.04, 0.04))
        for _ in range(count)
    ]


@pytest.fixture(scope="module", autouse=True)
def facilities(city: City) -> None:
    """400 facilities of two kinds, and one that never closes beside one of office hours."""
    rows = [
        facility(f"F{n}", *place, kind="parking" if n % 4 else "library", capacity=50)
        for n, place in enumerate(places(400))
    ]
    rows.append(facility("HIDDEN", 114.2, 22.6, clearance=Clearance.ENTERPRISE))
    rows.append(facility("ALL", 114.2, 22.6, kind="clinic", opening_hours="24/7"))
    rows.append(facility("DAY", 114.2, 22.6001, kind="clinic", opening_hours="Mo-Fr 09:00-17:00"))
    city.publish("facilities", rows)


@pytest.fixture(scope="module")
def observer(headers_of: KeyMaker) -> dict[str, str]:
    """Headers of a key that may observe for the source ``test``."""
    return headers_of(Clearance.PUBLIC, "observe:test")


def figure(code: str, available: int, *, age_s: float = 10, **more: Any) -> dict[str, Any]:
    """A figure observed some seconds ago."""
    observed_at = datetime.now(UTC) - timedelta(seconds=age_s)
    return {
        "facility": code,
        "observed_at": observed_at.isoformat(),
        "available": available,
        "capacity": 50,
        "source": "test",
        **more,
    }


def nearest(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    """Features of a search around HERE."""
    lon, lat = HERE
    response = client.get("/availability", params={"lon": lon, "lat": lat, **query})
    assert response.status_code == 200, response.text
    features: list[dict[str, Any]] = response.json()["features"]
    return features


@pytest.mark.parametrize("limit", [1, 5, 50])
@pytest.mark.parametrize("radius_m", [500, 3_000, 20_000])
def test_the_nearest_are_those_of_a_scan_by_geodesic_metres(
    client: TestClient, radius_m: float, limit: int
) -> None:
    found = nearest(client, radius_m=radius_m, limit=limit, kind="library")

    distances = [
        (round(GEOD.inv(*HERE, *place)[2], 1), f"F{n}")
        for n, place in enumerate(places(400))
        if n % 4 == 0
    ]
    expected = sorted(d for d in distances if d[0] <= radius_m)[:limit]
    got = [(f["properties"]["distance_m"], f["properties"]["code"]) for f in found]
    assert [code for _, code in expected] == [code for _, code in got]
    assert [d for d, _ in expected] == pytest.approx([d for d, _ in got], abs=0.11)


def test_only_enough_free_and_trusted_figures_count(
    client: TestClient, observer: dict[str, str]
) -> None:
    batch = [
        figure("F1", 3),
        figure("F2", 20),
        figure("F3", 30, age_s=600),
        figure("F5", 40, age_s=2000),
    ]
    assert client.post("/observations", json=batch, headers=observer).status_code == 200

    found = nearest(client, radius_m=50_000, min_available=10, limit=100)

    by_code = {f["properties"]["code"]: f["properties"] for f in found}
    assert {"F2", "F3"} == set(by_code)
    assert (by_code["F2"]["freshness"], by_code["F3"]["freshness"]) == ("fresh", "stale")
    assert 8 <= by_code["F2"]["age_s"] <= 60


def test_an_expired_figure_is_unknown_never_free(
    client: TestClient, observer: dict[str, str]
) -> None:
    client.post("/observations", json=figure("F6", 40, age_s=5_000), headers=observer)

    found = nearest(client, radius_m=50_000, limit=1_000)

    properties = next(f["properties"] for f in found if f["properties"]["code"] == "F6")
    assert properties["freshness"] == "expired"
    assert properties["status"] == "unknown"
    assert properties["available"] is None


@pytest.mark.parametrize(
    ("open_at", "expected"),
    [
        ("2026-11-25T02:00:00Z", {"ALL", "DAY"}),  # Wednesday 10:00 in Shenzhen
        ("2026-11-25T10:00:00Z", {"ALL"}),  # 18:00
        ("2026-11-28T02:00:00Z", {"ALL"}),  # Saturday
    ],
)
def test_opening_hours_are_judged_in_the_time_of_the_city(
    client: TestClient, open_at: str, expected: set[str]
) -> None:
    query = f"lon=114.2&lat=22.6&radius_m=1000&open_at={open_at}"

    found = client.get(f"/availability?{query}").json()["features"]

    assert expected == {f["properties"]["code"] for f in found}


def test_a_repeated_figure_changes_nothing_and_another_one_corrects(
    city: City, client: TestClient, observer: dict[str, str]
) -> None:
    one = figure("F7", 5)

    first = client.post("/observations", json=one, headers=observer).json()
    second = client.post("/observations", json=one, headers=observer).json()
    third = client.post("/observations", json=one | {"available": 6}, headers=observer).json()

    assert (first["accepted"], first["repeated"], first["corrected"]) == (1, 0, 0)
    assert (second["accepted"], second["repeated"], second["corrected"]) == (0, 1, 0)
    assert (third["accepted"], third["repeated"], third["corrected"]) == (0, 0, 1)
    with city.address.connect(Role.OWNER) as connection:
        kept = connection.execute(text("SELECT available FROM city.observation_corrections"))
        assert list(kept.scalars()) == [5]


def test_a_late_figure_never_replaces_a_newer_one(
    client: TestClient, observer: dict[str, str]
) -> None:
    client.post("/observations", json=figure("F9", 9, age_s=10), headers=observer)
    client.post("/observations", json=figure("F9", 1, age_s=100), headers=observer)

    found = nearest(client, radius_m=50_000, limit=1_000)

    properties = next(f["properties"] for f in found if f["properties"]["code"] == "F9")
    assert properties["available"] == 9


def test_one_facility_is_read_by_its_id(client: TestClient) -> None:
    feature_id = nearest(client, limit=1)[0]["id"]

    response = client.get(f"/availability/{feature_id}")

    assert response.status_code == 200
    assert feature_id == response.json()["id"]


VIEWS_WITH_FIGURES = ("facilities_live_0", "facilities_live_1", "facility_status", "series")


def views_that_show(city: City, role: Role, feature_id: int) -> set[str]:
    """The views in which a reader role finds something that was observed of a feature."""
    asked = {"id": feature_id}
    shown = set()
    with city.address.connect(role) as connection:
        for view in VIEWS_WITH_FIGURES:
            if not connection.scalar(text("SELECT to_regclass(:view)"), {"view": view}):
                continue
            found = text(f"SELECT FROM {view} WHERE feature_id = :id")
            if connection.execute(found, asked).first() is not None:
                shown.add(view)
    return shown


def test_a_raised_clearance_hides_the_figures_at_once(
    city: City, client: TestClient, observer: dict[str, str]
) -> None:
    place = (114.3, 22.7)
    city.publish("facilities", [facility("UP", *place)])
    client.post("/observations", json=figure("UP", 5), headers=observer)
    here = client.get(f"/availability?lon={place[0]}&lat={place[1]}").json()
    feature_id = here["features"][0]["id"]

    before = views_that_show(city, Role.READ_PUBLIC, feature_id)
    city.publish("facilities", [facility("UP", *place, clearance=Clearance.ENTERPRISE)])

    assert before == {"facilities_live_0", "facility_status", "series"}
    assert views_that_show(city, Role.READ_PUBLIC, feature_id) == set()
    assert views_that_show(city, Role.READ_ENTERPRISE, feature_id) == {
        "facilities_live_1",
        "facility_status",
        "series",
    }
    assert client.get(f"/availability/{feature_id}").status_code == 404


def test_a_raised_clearance_hides_the_observations_at_once(
    city: City, client: TestClient, observer: dict[str, str]
) -> None:
    city.publish("facilities", [facility("UP2", 114.31, 22.7)])
    client.post("/observations", json=figure("UP2", 5), headers=observer)

    def count(role: Role) -> int:
        with city.address.connect(role) as connection:
            return int(connection.execute(text("SELECT count(*) FROM observations")).scalar_one())

    before = count(Role.READ_PUBLIC)
    city.publish("facilities", [facility("UP2", 114.31, 22.7, clearance=Clearance.GOVERNMENT)])

    assert count(Role.READ_PUBLIC) == before - 1
    assert count(Role.READ_ENTERPRISE) == count(Role.READ_PUBLIC) + 1  # UP, of the test before


def test_of_several_sources_the_newest_figure_counts(
    client: TestClient, headers_of: KeyMaker
) -> None:
    headers = headers_of(Clearance.PUBLIC, "observe:*")
    client.post("/observations", json=figure("F10", 9, age_s=100, source="a"), headers=headers)
    client.post("/observations", json=figure("F10", 0, age_s=10, source="b"), headers=headers)

    free = nearest(client, radius_m=50_000, limit=1_000, min_available=1)
    everything = nearest(client, radius_m=50_000, limit=1_000)

    found = [f["properties"] for f in everything if f["properties"]["code"] == "F10"]
    assert [(0, "full", "b")] == [(p["available"], p["status"], p["source"]) for p in found]
    assert "F10" not in {f["properties"]["code"] for f in free}


def test_a_new_ttl_holds_for_the_figure_that_is_there(
    client: TestClient, observer: dict[str, str]
) -> None:
    client.post("/observations", json=figure("F11", 9, age_s=500, ttl_s=600), headers=observer)
    late = figure("F11", 8, age_s=5_000, ttl_s=100)
    client.post("/observations", json=late, headers=observer)

    found = nearest(client, radius_m=50_000, limit=1_000)

    properties = next(f["properties"] for f in found if f["properties"]["code"] == "F11")
    assert properties["freshness"] == "expired"


def test_a_version_that_will_end_is_found_with_its_figure(
    city: City, client: TestClient, observer: dict[str, str]
) -> None:
    here = (114.35, 22.75)
    city.publish("facilities", [facility("END", *here, name="now")])
    client.post("/observations", json=figure("END", 5), headers=observer)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    city.publish("facilities", [facility("END", *here, name="then")], valid_from=tomorrow)

    query = f"lon={here[0]}&lat={here[1]}&radius_m=100&min_available=1"
    found = client.get(f"/availability?{query}").json()["features"]

    assert [("now", 5)] == [(f["properties"]["name"], f["properties"]["available"]) for f in found]
    assert client.get(f"/availability/{found[0]['id']}").json()["properties"]["name"] == "now"


def test_the_search_reads_the_index_that_knows_the_kind(city: City) -> None:
    filters = Filters(kinds=("library",), min_available=1)
    asked = SearchQuery(datetime.now(UTC), Place(*HERE, 5_000), filters=filters)
    statement = search_statement(Clearance.PUBLIC, asked)
    with psycopg.connect(city.address.libpq_url(Role.READ_PUBLIC)) as connection:
        connection.execute("SET plan_cache_mode = force_generic_plan")
        explained = f"EXPLAIN (FORMAT JSON) {statement}"
        found = connection.execute(explained, search_parameters(asked, 24), prepare=True)
        plan = str(found.fetchone())

    assert "facilities_0_nearest" in plan
    assert "series_status_newest" in plan


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([{"facility": "F1"}], "/0/observed_at"),
        ([figure("nowhere", 1), figure("F1", 51)], "/0/facility"),
        ([figure("F1", 51)], "/0/available"),
        ([figure("F1", -1)], "/0/available"),
        ([figure("F1", 1, age_s=-3600)], "/0/observed_at"),
        *(
            ([figure("F1", 1) | {"observed_at": instant}], "/0/observed_at")
            for instant in (
                "2020-01-01T00:00:00",
                "2020-01-01",
                "1577836800",
                1577836800,
                "9999-12-31T23:59:59-23:00",
                "0001-01-01T00:00:00+23:00",
            )
        ),
        ([figure("F1", 1) | {"capacity": True}], "/0/capacity"),
        ([figure("HIDDEN", 1)], "/0/facility"),
        ([figure("F1", 1) | {"more": 1}], "/0/more"),
        ([figure("F1", 1) | {"observed_at": "1900-01-01T00:00:00Z"}], "/0/observed_at"),
        ([], ""),
    ],
)
def test_a_batch_in_which_nothing_can_be_is_a_problem(
    city: City,
    client: TestClient,
    observer: dict[str, str],
    body: Any,
    pointer: str,  # any JSON
) -> None:
    def count() -> int:
        with city.address.connect(Role.OWNER) as connection:
            return int(connection.scalar(text("SELECT count(*) FROM city.observations")) or 0)

    before = count()
    response = client.post("/observations", json=body, headers=observer)

    assert response.status_code == 400, response.text
    assert pointer == response.json()["errors"][0]["pointer"]
    assert before == count()


@pytest.mark.parametrize("body", [b"[" * 10_000_000, b"{", b"\xff", b"[" * 2000 + b"]" * 2000])
def test_a_body_that_is_no_json_is_a_problem(
    client: TestClient, observer: dict[str, str], body: bytes
) -> None:
    response = client.post("/observations", content=body, headers=observer)

    assert response.status_code in (400, 413)
    assert response.headers["content-type"] == "application/problem+json"


def test_writing_needs_a_key_that_allows_it(client: TestClient, headers_of: KeyMaker) -> None:
    restricted = headers_of(Clearance.RESTRICTED)
    other_source = headers_of(Clearance.PUBLIC, "observe:other")

    assert client.post("/observations", json=figure("F1", 1)).status_code == 401
    assert client.post("/observations", json=figure("F1", 1), headers=restricted).status_code == 403
    refused = client.post("/observations", json=figure("F1", 1), headers=other_source)
    assert refused.status_code == 403


def test_a_stranger_is_told_before_the_body_is_read(client: TestClient) -> None:
    response = client.post("/observations", content=b"{")

    assert response.status_code == 401


def test_whoever_may_see_a_facility_may_observe_it(
    client: TestClient, headers_of: KeyMaker
) -> None:
    headers = headers_of(Clearance.ENTERPRISE, "observe:test")

    response = client.post("/observations", json=figure("HIDDEN", 1), headers=headers)

    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "query",
    [
        "lon=200&lat=22",
        "lat=22",
        "lon=a&lat=22",
        "lon=114&lat=22&radius_m=0",
        "lon=114&lat=22&radius_m=60000",
        "lon=114&lat=22&limit=-1",
        "lon=nan&lat=22",
        "lon=114&lat=22&open_at=now",
        "lon=114&lat=22&min_available=-1",
        "lon=114&lat=22&x=1",
    ],
)
def test_a_bad_search_is_a_problem(client: TestClient, query: str) -> None:
    response = client.get(f"/availability?{query}")

    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


def test_an_earlier_instant_is_answered_with_the_places_and_figures_of_then(
    city: City, client: TestClient, observer: dict[str, str]
) -> None:
    here: dict[str, float | str] = {"lon": 114.4, "lat": 22.7, "radius_m": 300}
    yesterday = datetime.now(UTC) - timedelta(days=1)
    old = facility("THEN", 114.4, 22.7, name="旧馆", capacity=50)
    city.publish("facilities", [old], valid_from=yesterday - timedelta(days=9))
    figures = [figure("THEN", free, age_s=age) for free, age in ((7, 86_400), (3, 60))]
    client.post("/observations", json=figures, headers=observer)
    before_correction = datetime.now(UTC)
    corrected = {**figures[0], "available": 9}
    client.post("/observations", json=corrected, headers=observer)
    city.publish("facilities", [old | {"name": "新馆"}])

    def ask(**asked: datetime) -> dict[str, Any]:
        instants = {name: instant.isoformat() for name, instant in asked.items()}
        found = client.get("/availability", params={**here, **instants}).json()["features"]
        one = client.get(f"/availability/{found[0]['id']}", params=instants).json()
        properties: dict[str, Any] = one["properties"]
        # The figure grows older from one request to the next.
        steady = {name: value for name, value in properties.items() if name != "age_s"}
        steady.pop("resources", None)
        assert found[0]["properties"].items() >= steady.items()
        return properties

    then, now = ask(datetime=yesterday + timedelta(seconds=30)), ask()
    as_known = ask(datetime=yesterday + timedelta(seconds=30), as_recorded=before_correction)

    assert ("旧馆", 9, "fresh") == (then["name"], then["available"], then["freshness"])
    assert ("新馆", 3) == (now["name"], now["available"])
    assert ("旧馆", 7) == (as_known["name"], as_known["available"])
    since = (yesterday + timedelta(seconds=30)).isoformat()
    free = [
        len(
            client.get(
                "/availability", params={**here, "min_available": n, "datetime": since}
            ).json()["features"]
        )
        for n in (9, 10)
    ]
    assert [1, 0] == free


@pytest.mark.parametrize(
    "area",
    [
        {"bbox": "114.69,22.69,114.73,22.71"},
        {"within": "POLYGON((114.69 22.69, 114.73 22.69, 114.71 22.75, 114.69 22.69))"},
        {"route": "LINESTRING(114.73 22.7, 114.69 22.7)"},
    ],
    ids=["bbox", "within", "route"],
)
def test_an_earlier_instant_of_an_area_is_answered_page_by_page(
    client: TestClient, past_area: str, area: dict[str, str]
) -> None:
    names = ["旧馆0", "旧馆1", "旧馆2"]
    asked = {**area, "datetime": past_area, "kind": "museum", "q": "旧馆", "limit": "2"}

    first = client.get("/availability", params=asked).json()
    second = client.get(first["links"][0]["href"]).json()
    free = client.get("/availability", params=asked | {"min_available": "6"}).json()

    found = [one["properties"] for page in (first, second) for one in page["features"]]
    assert (names[::-1] if "route" in area else names) == [one["name"] for one in found]
    assert {5, 6, 7} == {one["available"] for one in found}
    assert "links" not in second
    assert {"旧馆1", "旧馆2"} == {one["properties"]["name"] for one in free["features"]}


@pytest.fixture(scope="module")
def past_area(city: City, client: TestClient, observer: dict[str, str]) -> str:
    """The instant at which three museums, which have other names now, had 5, 6 and 7 free."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    old = [
        facility(f"PAST{n}", 114.7 + n / 100, 22.7, name=f"旧馆{n}", kind="museum")
        for n in range(3)
    ]
    city.publish("facilities", old, valid_from=yesterday - timedelta(days=9))
    figures = [figure(f"PAST{n}", 5 + n, age_s=86_400) for n in range(3)]
    assert client.post("/observations", json=figures, headers=observer).status_code == 200
    city.publish("facilities", [one | {"name": f"新馆{n}"} for n, one in enumerate(old)])
    return (yesterday + timedelta(seconds=30)).isoformat()


def test_a_facility_tells_each_of_its_resources(
    city: City, client: TestClient, observer: dict[str, str]
) -> None:
    city.publish("facilities", [facility("HALL", 114.5, 22.7, kind="sports_hall.badminton")])
    place = {"wkt": "POINT(114.5 22.7)", "facility": "HALL", "price_class": "low"}
    more = {"booking_url": "https://book.example/", "capacity": 8}
    city.publish(
        "resources",
        [
            {"code": "HALL-C", "resource_type": "court", **place, **more},
            {"code": "HALL-T", "resource_type": "table", "capacity": 4, **place},
            {"code": "HALL-S", "resource_type": "seat", **place}
            | {"clearance": Clearance.GOVERNMENT},
            {"code": "OTHER-C", "resource_type": "court", **place, "facility": "OTHER"},
        ],
    )
    figures = [
        figure("HALL", 3, resource_type="court", capacity=None),
        figure("HALL", 2, resource_type="table", capacity=None, age_s=90_000),
        figure("HALL", 1, resource_type="queue", capacity=None),
    ]
    assert 3 == client.post("/observations", json=figures, headers=observer).json()["accepted"]
    around = {"lon": 114.5, "lat": 22.7, "radius_m": 10}
    number = client.get("/availability", params=around).json()["features"][0]["id"]

    told = client.get(f"/availability/{number}").json()["properties"]["resources"]

    assert [
        ("court", "HALL-C", 3, 8, "fresh"),
        ("queue", None, 1, None, "fresh"),
        ("table", "HALL-T", None, 4, "expired"),
    ] == [
        (r["resource_type"], r.get("code"), r["available"], r["capacity"], r["freshness"])
        for r in told
    ]
    assert ("low", "https://book.example/") == (told[0]["price_class"], told[0]["booking_url"])

"""Features over HTTP: paging, boxes, instants, single features, and errors as problems."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import shapely
from sqlalchemy import Select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement, Executable
from starlette.testclient import TestClient

from layers.access import Clearance
from layers.extent import TimeInterval
from layers.features import Cursor, FeatureQuery, select_features
from layers.registry import get_layer
from layers.roles import Role
from tests.support import City, parcel

COUNT = 57


@pytest.fixture(scope="module", autouse=True)
def parcels(city: City) -> None:
    """57 parcels in a row along 22.55 N, 0.002 degrees apart."""
    city.publish("parcels", [parcel(f"P{n:03d}", 114 + n * 0.002, 22.55) for n in range(COUNT)])


def all_pages(client: TestClient, path: str) -> list[dict[str, object]]:
    """The features of all pages, following next links."""
    features: list[dict[str, object]] = []
    next_path: str | None = path
    while next_path:
        page = client.get(next_path).json()
        features += page["features"]
        links = {link["rel"]: link["href"] for link in page["links"]}
        next_path = links.get("next")
    return features


@pytest.mark.parametrize("limit", [1, 10, 57, 1000])
def test_paging_visits_each_feature_once(client: TestClient, limit: int) -> None:
    features = all_pages(client, f"/collections/parcels/items?limit={limit}")

    assert len(features) == COUNT
    assert len({feature["id"] for feature in features}) == COUNT


def test_paging_over_an_interval_visits_each_version_once(city: City, client: TestClient) -> None:
    row = parcel("V", 114.3, 22.6)
    for number in range(5):
        city.publish("parcels", [row | {"address": str(number)}])

    path = "/collections/parcels/items?limit=2&bbox=114.29,22.59,114.31,22.61"
    features = all_pages(client, f"{path}&datetime=2000-01-01T00:00:00Z/..")

    addresses = [feature["properties"]["address"] for feature in features]  # type: ignore[index]  # GeoJSON
    assert list("01234") == addresses


class Explained(Executable, ClauseElement):
    """The plan of a statement, as it was carried out."""

    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(Explained)
def _compile_explained(element: Explained, compiler: SQLCompiler, **how: Any) -> str:
    return "EXPLAIN (ANALYZE, FORMAT JSON) " + compiler.process(element.statement, **how)


def rows_scanned(plan: dict[str, Any]) -> float:
    """Rows that the scans of an explained plan gave or threw away."""
    inside = sum(rows_scanned(part) for part in plan.get("Plans", ()))
    if "Relation Name" not in plan:
        return inside
    removed = plan.get("Rows Removed by Filter", 0)
    return inside + float((plan["Actual Rows"] + removed) * plan["Actual Loops"])


MANY = 6_000
MANY_FROM = 1_000_001


def add_many(city: City, layer: str, wkt: str, *valid: str) -> None:
    """6,000 features with a version for each range of valid time, as if published."""
    with city.address.connect(Role.LOADER) as connection:
        for one in valid:
            connection.execute(
                text(
                    f"INSERT INTO city.{layer} (feature_id, natural_key, key_derived, clearance, "
                    "load_id, valid_during, recorded_during, geom) "
                    "SELECT n, 'many' || n, false, 0, 1, CAST(:valid AS tstzrange), "
                    "tstzrange(now(), NULL), ST_GeomFromText(:wkt, 4490) "
                    "FROM generate_series(CAST(:first AS int), :last) n"
                ),
                {"valid": one, "wkt": wkt, "first": MANY_FROM, "last": MANY_FROM + MANY - 1},
            )
        connection.execute(text("SELECT city.analyze_layer(:layer)"), {"layer": layer})
        connection.commit()


@pytest.fixture(scope="module")
def many(city: City) -> None:
    """Facilities that all hold, and roads with a version that has ended and one that holds."""
    add_many(city, "facilities", "POINT(114 22)", "[2002-01-01,)")
    road = "MULTILINESTRING((114 22, 114.1 22))"
    add_many(city, "roads", road, "[2001-01-01,2002-01-01)", "[2002-01-01,)")


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("after", [0, 3_000, 5_000])
@pytest.mark.parametrize(
    ("layer", "interval"),
    [("facilities", "2020-01-01T00:00:00Z"), ("roads", "2001-01-01T00:00:00Z/..")],
)
def test_a_page_reads_no_more_than_itself_wherever_it_is(
    city: City, layer: str, interval: str, after: int
) -> None:
    cursor = Cursor(MANY_FROM + after, datetime(2000, 1, 1, tzinfo=UTC))
    query = FeatureQuery(interval=TimeInterval.parse(interval), limit=10, after=cursor)
    statement = select_features(get_layer(layer), Clearance.PUBLIC, query)
    with city.address.connect(Role.READ_PUBLIC) as connection:
        plan = connection.execute(Explained(statement)).scalar_one()[0]["Plan"]

    assert plan["Actual Rows"] == 11
    assert rows_scanned(plan) <= 4 * 11


def test_a_bbox_query_equals_a_scan(client: TestClient) -> None:
    box = shapely.box(114.0095, 22.5502, 114.0531, 22.5507)
    everything = client.get(f"/collections/parcels/items?limit={COUNT}").json()["features"]

    bbox = ",".join(map(str, box.bounds))
    found = client.get(f"/collections/parcels/items?limit=1000&bbox={bbox}").json()["features"]

    expected = {
        f["id"] for f in everything if shapely.geometry.shape(f["geometry"]).intersects(box)
    }
    assert expected == {f["id"] for f in found}
    assert 0 < len(expected) < COUNT


@pytest.mark.usefixtures("many")
def test_paging_over_ended_and_open_versions_keeps_their_order(client: TestClient) -> None:
    path = "/collections/roads/items?limit=701&datetime=2001-06-01T00:00:00Z/.."

    features = all_pages(client, path)

    found = [(f["id"], f["valid_during"][0]) for f in features]  # type: ignore[index]  # GeoJSON
    assert sorted(found) == found
    assert len(set(found)) == 2 * MANY


def test_a_bbox_across_the_antimeridian_returns_both_sides(city: City, client: TestClient) -> None:
    city.publish("parcels", [parcel("AM1", 179.5, 10.0), parcel("AM2", -179.6, 10.0)])

    found = client.get("/collections/parcels/items?bbox=179,9,-179,11").json()["features"]

    assert {"AM1", "AM2"} == {f["properties"]["code"] for f in found}


def test_one_feature_is_found_by_its_id_now_and_not_before_it_held(client: TestClient) -> None:
    feature_id = client.get("/collections/parcels/items?limit=1").json()["features"][0]["id"]

    now = client.get(f"/collections/parcels/items/{feature_id}")
    before = client.get(f"/collections/parcels/items/{feature_id}?datetime=1999-01-01T00:00:00Z")

    assert (now.status_code, before.status_code) == (200, 404)
    assert feature_id == now.json()["id"]
    assert now.json()["valid_during"][1] is None


def test_coordinates_are_longitude_latitude_with_nine_decimals(client: TestClient) -> None:
    feature = client.get("/collections/parcels/items?limit=1").json()["features"][0]

    assert feature["geometry"]["coordinates"][0][0][0] == [114, 22.55]


@pytest.mark.parametrize(
    "query",
    [
        "bbox=1,2,3",
        "bbox=a,b,c,d",
        "bbox=114,23,115,22",
        "bbox=nan,0,1,1",
        "limit=-1",
        "limit=0",
        "limit=10001",
        "limit=ten",
        "datetime=yesterday",
        "datetime=2020-13-01T00:00:00Z",
        "datetime=2020-01-01T00:00:00",
        "datetime=2021-01-01T00:00:00Z/2020-01-01T00:00:00Z",
        "datetime=../..",
        "unknown=1",
        "limit=1&limit=2",
        "cursor=x",
        "cursor=1.99999999999999999999999999",
    ],
)
def test_a_bad_parameter_is_a_problem_that_names_it(client: TestClient, query: str) -> None:
    response = client.get(f"/collections/parcels/items?{query}")

    problem = response.json()
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert query.partition("=")[0] in [e["parameter"] for e in problem["errors"]]
    assert {"type", "title", "title_zh", "status", "detail", "instance"} <= problem.keys()


@pytest.mark.parametrize(
    "path",
    [
        "/collections/nothing",
        "/collections/pipelines",
        "/collections/parcels/items/999999999",
        "/collections/parcels'--/items",
        "/nothing",
        "/collections/parcels/",
    ],
)
def test_what_is_not_there_is_a_404_problem(client: TestClient, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_a_hidden_layer_and_a_missing_one_are_answered_alike(client: TestClient) -> None:
    hidden = client.get("/collections/pipelines").json()
    missing = client.get("/collections/pipelinex").json()

    assert hidden["detail"].replace("pipelines", "pipelinex") == missing["detail"]
    assert hidden["type"] == missing["type"]


def test_every_answer_carries_its_request_id(client: TestClient) -> None:
    response = client.get("/collections/nothing")

    assert f"urn:request:{response.headers['x-request-id']}" == response.json()["instance"]

"""Parcels over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyproj import Geod
from shapely import MultiPolygon, get_parts
from shapely.geometry import shape
from starlette.testclient import TestClient

from tests.support import City, parcel

PLACE = "lon=114.0005&lat=22.5505"


@pytest.fixture(scope="module", autouse=True)
def parcels(city: City) -> None:
    """One parcel around the place, and one beside it."""
    city.publish(
        "parcels",
        [
            parcel("440304001002GB00001", 114.0, 22.55, area_m2=11_000, holder="甲"),
            parcel("440304001002GB00002", 114.001, 22.55),
        ],
    )


def test_a_code_is_explained_in_both_languages(client: TestClient) -> None:
    answer = client.get("/parcels/codes/440304999001GH00001").json()

    use = next(part for part in answer["parts"] if part["name"] == "use")
    assert ("Sea area", "海域使用权") == (use["meaning"], use["meaning_zh"])
    assert (True, []) == (answer["is_valid"], answer["breaches"])


def test_a_code_that_breaks_a_rule_is_explained_too(client: TestClient) -> None:
    answer = client.get("/parcels/codes/440304001002GC00017").json()

    assert answer["is_valid"] is False
    assert ["parcel_code_right"] == [breach["rule"] for breach in answer["breaches"]]


def test_a_text_of_another_length_is_no_code(client: TestClient) -> None:
    response = client.get("/parcels/codes/4403040010")

    assert (400, "参数无效") == (response.status_code, response.json()["title_zh"])


def test_the_area_of_a_parcel_at_a_place_is_the_geodesic_one(client: TestClient) -> None:
    (found,) = client.get(f"/parcels/at?{PLACE}").json()["features"]

    area_m2, _ = Geod(a=6378137, rf=298.257222101).geometry_area_perimeter(shape(found["geometry"]))
    assert "440304001002GB00001" == found["properties"]["code"]
    assert abs(area_m2) == pytest.approx(found["areas"]["ellipsoid_m2"], abs=0.01)
    assert 11_000 - abs(area_m2) == pytest.approx(found["areas"]["difference_m2"], abs=0.01)


def test_a_boundary_belongs_to_both_its_parcels(client: TestClient) -> None:
    found = client.get("/parcels/at?lon=114.001&lat=22.5505").json()["features"]

    assert 2 == len(found)


@pytest.mark.parametrize("time", ["datetime", "as_recorded"])
def test_there_was_no_parcel_before_the_first(client: TestClient, time: str) -> None:
    response = client.get(f"/parcels/at?{PLACE}&{time}=1900-01-01T00:00:00Z")

    assert (200, []) == (response.status_code, response.json()["features"])


def test_holders_of_a_parcel_at_a_place_are_not_for_the_public(client: TestClient) -> None:
    response = client.get(f"/parcels/at?{PLACE}")

    assert "甲" not in response.text
    assert "holder" not in response.json()["features"][0]["properties"]


def test_areas_of_real_parcels_are_the_geodesic_ones(
    city: City, client: TestClient, shared_data: Path
) -> None:
    file = shared_data / "03_cadastre/williamsburg_parcels.geojson"
    shapes = {
        one["properties"]["PID"]: shape(one["geometry"])
        for one in json.loads(file.read_text(encoding="utf-8"))["features"][:2_000:100]
    }
    several = {code: MultiPolygon(get_parts(one).tolist()) for code, one in shapes.items()}
    city.publish("parcels", [{"code": code, "wkt": one.wkt} for code, one in several.items()])

    geod = Geod(a=6378137, rf=298.257222101)
    for code, one in several.items():
        found = client.get(f"/parcels/{code}").json()
        expected_m2 = sum(abs(geod.geometry_area_perimeter(part)[0]) for part in one.geoms)
        assert expected_m2 == pytest.approx(found["areas"]["ellipsoid_m2"], abs=0.001)

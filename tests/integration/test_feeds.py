"""Feeds in the words of others, against schemas written out from their standards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.support import City, facility

TIMESTAMP = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$"}
COUNT = {"type": "integer", "minimum": 0}
NAMES = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["text", "language"],
        "properties": {"text": {"type": "string"}, "language": {"type": "string"}},
    },
}


def feed(required: dict[str, Any]) -> dict[str, Any]:
    """The schema of a feed of GBFS 3.0 with what its data must have."""
    return {
        "type": "object",
        "required": ["last_updated", "ttl", "version", "data"],
        "properties": {
            "last_updated": TIMESTAMP,
            "ttl": COUNT,
            "version": {"const": "3.0"},
            "data": {
                "type": "object",
                "required": list(required),
                "properties": required,
            },
        },
    }


def stations(required: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    item = {
        "type": "object",
        "required": list(required),
        "properties": required | others,
        "additionalProperties": False,
    }
    return feed({"stations": {"type": "array", "items": item}})


ID = {"type": "string", "minLength": 1}
SCHEMAS = {
    "gbfs": feed(
        {
            "feeds": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "url"],
                    "properties": {"url": {"type": "string", "format": "uri"}},
                },
            }
        }
    ),
    "system_information": feed(
        {
            "system_id": ID,
            "languages": {"type": "array", "minItems": 1},
            "name": NAMES,
            "opening_hours": ID,
            "feed_contact_email": {"type": "string", "format": "email"},
            "timezone": ID,
        }
    ),
    "station_information": stations(
        {
            "station_id": ID,
            "name": NAMES,
            "lat": {"type": "number", "minimum": -90, "maximum": 90},
            "lon": {"type": "number", "minimum": -180, "maximum": 180},
        },
        {"address": ID, "capacity": COUNT, "station_opening_hours": ID},
    ),
    "station_status": stations(
        {
            "station_id": ID,
            "num_vehicles_available": COUNT,
            "is_installed": {"type": "boolean"},
            "is_renting": {"type": "boolean"},
            "is_returning": {"type": "boolean"},
            "last_reported": TIMESTAMP,
        },
        {"num_docks_available": COUNT},
    ),
}


@pytest.fixture(scope="module", autouse=True)
def facilities(city: City, client: TestClient, headers_of: KeyMaker) -> None:
    more = {"capacity": 20, "address": "深南大道1号"}
    city.publish(
        "facilities",
        [
            facility("B1", 114.05, 22.55, kind="parking.bicycle", opening_hours="24/7", **more),
            facility("B2", 114.06, 22.55, kind="parking.bicycle"),
            facility("B3", 114.06, 22.55, kind="parking.bicycle", clearance=Clearance.ENTERPRISE),
            *(facility(f"P{n}", 114.05, 22.5, kind="parking", **more) for n in range(3)),
        ],
    )
    now = datetime.now(UTC)
    figures = [
        {"facility": code, "available": 6, "observed_at": (now - timedelta(seconds=s)).isoformat()}
        for code, s in (("B1", 10), ("B2", 90_000), ("P0", 10), ("P1", 90_000))
    ]
    headers = headers_of(Clearance.PUBLIC, "observe:feeds")
    assert 4 == client.post("/observations", json=figures, headers=headers).json()["accepted"]


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_gbfs_is_of_its_form(client: TestClient, name: str) -> None:
    answer = client.get(f"/gbfs/{name}.json")

    jsonschema_rs.validator_for(SCHEMAS[name], validate_formats=True).validate(answer.json())


def test_gbfs_tells_only_what_may_be_trusted(client: TestClient) -> None:
    where = client.get("/gbfs/station_information.json").json()["data"]["stations"]
    (status,) = client.get("/gbfs/station_status.json").json()["data"]["stations"]

    assert ["B1", "B2"] == [one["station_id"] for one in where]
    assert ("B1", 6, 14, True) == tuple(
        status[name]
        for name in ("station_id", "num_vehicles_available", "num_docks_available", "is_renting")
    )


def test_every_feed_that_is_named_is_there(client: TestClient) -> None:
    for one in client.get("/gbfs/gbfs.json").json()["data"]["feeds"]:
        assert 200 == client.get(one["url"]).status_code


def test_car_parks_are_entities(client: TestClient) -> None:
    query = "/ngsi-ld/v1/entities?type=OffStreetParking"

    found = client.get(query).json()
    second = client.get(f"{query}&limit=1&offset=1").json()

    assert [f"urn:ngsi-ld:OffStreetParking:P{n}" for n in range(3)] == [one["id"] for one in found]
    assert found[1:2] == second
    assert (20, 6) == tuple(
        found[0][n]["value"] for n in ("totalSpotNumber", "availableSpotNumber")
    )
    assert found[0]["availableSpotNumber"]["observedAt"].endswith("Z")
    assert "availableSpotNumber" not in found[1]
    assert all("@context" in one and one["location"]["type"] == "GeoProperty" for one in found)

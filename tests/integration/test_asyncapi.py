"""The description of events is that of the events which are sent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import orjson
import pytest
from starlette.testclient import TestClient

from geoservice.db import Database
from geoservice.hours import CityHours
from geoservice.push.documents import event_document
from geoservice.upkeep import Upkeep
from layers.access import Access, Clearance
from layers.event_reading import read_events
from layers.events import Topic
from tests.conftest import KeyMaker
from tests.support import City, facility, pipe

HOURS = CityHours("Asia/Shanghai")


@pytest.fixture(scope="module")
def described(client: TestClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/asyncapi").json()
    return document


def events_of(city: City) -> list[dict[str, Any]]:
    """All events, as a stream has them."""

    async def read() -> list[Any]:
        database = Database(city.address, 2)
        upkeep = Upkeep(database, city.settings, HOURS)
        await upkeep.judge_alerts()
        await upkeep.relay()
        level = Clearance.RESTRICTED
        async with database.readers(Access(level)).connection() as connection:
            events = await read_events(connection, level, 0, 100)
        await database.close()
        return [event_document(event, HOURS) for event in events]

    sent: list[dict[str, Any]] = orjson.loads(orjson.dumps(asyncio.run(read())))
    return sent


def test_events_of_each_topic_are_as_they_are_described(
    city: City, client: TestClient, headers_of: KeyMaker, described: dict[str, Any]
) -> None:
    city.publish("facilities", [facility("HALL", 114.1, 22.6, capacity=8)])
    city.publish("pipelines", [pipe("MAIN", "JS", (114.1, 22.6, 3.0), (114.101, 22.6, 3.0))])
    grants = ("observe:desk", "administer:alerts", "moderate:alerts")
    office = headers_of(Clearance.GOVERNMENT, *grants)
    about = {"layer": "pipelines", "property": "pressure"}
    rule = {**about, "title_zh": "高", "title_en": "High", "kind": "above", "threshold": 0.3}
    assert 201 == client.post("/alert-rules", json=rule, headers=office).status_code
    now = {"observed_at": datetime.now(UTC).isoformat()}
    free = {"facility": "HALL", "available": 3, **now}
    pressure = {**about, "feature": "MAIN", "value": 0.4, "unit": "MPa", **now}
    report = {"service_code": "broken", "long": 114.1, "lat": 22.6, "description": "坏了"}

    assert 200 == client.post("/observations", json=[free, pressure], headers=office).status_code
    assert 201 == client.post("/reports", json=report).status_code
    sent = events_of(city)

    assert set(Topic) == {one["topic"] for one in sent}
    for one in sent:
        message = described["components"]["messages"][one["topic"]]
        schema = {**message["payload"], "components": described["components"]}
        jsonschema_rs.validate(schema, one)


def test_all_that_the_description_names_is_in_it(described: dict[str, Any]) -> None:
    def found(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [ref for part in value.values() for ref in found(part)]
        return [ref for part in value for ref in found(part)] if isinstance(value, list) else []

    references = found(described)

    assert references
    for reference in references:
        target: Any = described
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]

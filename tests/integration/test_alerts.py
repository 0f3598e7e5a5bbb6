"""Alerts are raised once, cleared with hysteresis, acknowledged by staff, and told as events."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from geoservice.db import Database
from geoservice.hours import CityHours
from geoservice.upkeep import Upkeep
from layers.access import Clearance
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.support import City, facility, pipe


@pytest.fixture(scope="module", autouse=True)
def features(city: City) -> None:
    city.publish("pipelines", [pipe("MAIN", "JS", (114.1, 22.6, 3.0), (114.101, 22.6, 3.0))])
    city.publish("facilities", [facility("QUIET", 114.1, 22.6), facility("BUSY", 114.1, 22.6)])


@pytest.fixture(scope="module")
def office(headers_of: KeyMaker) -> dict[str, str]:
    grants = ("administer:alerts", "moderate:alerts", "observe:scada")
    return headers_of(Clearance.GOVERNMENT, *grants)


def judged(city: City) -> None:
    async def work() -> None:
        database = Database(city.address, 2)
        upkeep = Upkeep(database, city.settings, CityHours("Asia/Shanghai"))
        await upkeep.judge_alerts()
        await upkeep.relay()
        await database.close()

    asyncio.run(work())


def rule(client: TestClient, office: dict[str, str], **said: Any) -> int:
    body = {"title_zh": "压力异常", "title_en": "Pressure", **said}
    answer = client.post("/alert-rules", json=body, headers=office)
    assert 201 == answer.status_code, answer.text
    return int(answer.json()["rule_id"])


def measure(client: TestClient, office: dict[str, str], value: float, age_s: float) -> None:
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    body: dict[str, Any] = {"layer": "pipelines", "feature": "MAIN"}
    body |= {"observed_at": at.isoformat()}
    body |= {"property": "pressure", "value": value, "unit": "MPa"}
    assert 200 == client.post("/observations", json=body, headers=office).status_code


def told(city: City, rule_id: int) -> list[str]:
    with city.address.connect(Role.OWNER) as connection:
        rows = connection.execute(
            text(
                "SELECT body->>'state' FROM city.events WHERE topic = 'alert' "
                "AND CAST(body->>'rule_id' AS bigint) = :rule ORDER BY event_no"
            ),
            {"rule": rule_id},
        )
        return list(rows.scalars())


def open_of(client: TestClient, headers: dict[str, str], rule_id: int) -> list[dict[str, Any]]:
    alerts = client.get("/alerts", headers=headers).json()["alerts"]
    return [one for one in alerts if one["rule_id"] == rule_id]


def test_an_alert_is_raised_once_and_cleared_with_hysteresis(
    city: City, client: TestClient, office: dict[str, str]
) -> None:
    above = rule(
        client,
        office,
        layer="pipelines",
        property="pressure",
        kind="above",
        threshold=0.4,
        hysteresis=0.05,
    )
    seen = []
    for age_s, value in ((900, 0.3), (800, 0.5), (700, 0.6), (600, 0.38), (500, 0.34), (400, 0.41)):
        measure(client, office, value, age_s)
        judged(city)
        seen.append(len(open_of(client, office, above)))

    assert [0, 1, 1, 1, 0, 1] == seen
    assert ["raised", "cleared", "raised"] == told(city, above)
    (alert,) = open_of(client, office, above)
    assert ("raised", 0.41, "pipelines") == (alert["state"], alert["value"], alert["layer"])
    done = client.post(
        f"/alerts/{alert['alert_id']}/acknowledge", json={"note": "去看"}, headers=office
    )
    assert "acknowledged" == done.json()["state"]
    again = client.post(f"/alerts/{alert['alert_id']}/acknowledge", json={}, headers=office)
    assert 404 == again.status_code
    client.delete(f"/alert-rules/{above}", headers=office)
    judged(city)
    assert [] == open_of(client, office, above)
    assert ["raised", "cleared", "raised", "acknowledged", "cleared"] == told(city, above)


def test_falls_jumps_and_silence_raise_alerts_too(
    city: City, client: TestClient, office: dict[str, str]
) -> None:
    common: dict[str, Any] = {"layer": "pipelines", "property": "pressure"}
    below = rule(client, office, kind="below", threshold=0.2, **common)
    rate = rule(client, office, kind="rate", threshold=0.1, **common)
    silence = rule(client, office, kind="silence", threshold=250, **common)
    rules = (below, rate, silence)

    def states() -> list[int]:
        judged(city)
        return [len(open_of(client, office, one)) for one in rules]

    assert [0, 0, 1] == states()
    measure(client, office, 0.4, 200)
    assert [0, 0, 0] == states()
    measure(client, office, 0.15, 140)
    assert [1, 1, 0] == states()
    measure(client, office, 0.21, 60)
    assert [0, 0, 0] == states()


def test_alerts_are_as_secret_as_their_features(
    city: City, client: TestClient, office: dict[str, str], headers_of: KeyMaker
) -> None:
    hidden = rule(client, office, layer="pipelines", property="pressure", kind="below", threshold=9)
    judged(city)
    public = headers_of(Clearance.PUBLIC, "moderate:alerts")

    (alert,) = open_of(client, office, hidden)
    assert [] == open_of(client, {}, hidden)
    assert hidden not in [one["rule_id"] for one in client.get("/alert-rules").json()["rules"]]
    path = f"/alerts/{alert['alert_id']}/acknowledge"
    assert 404 == client.post(path, json={}, headers=public).status_code
    assert 401 == client.post(path, json={}).status_code


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "above"}, 400),
        ({"kind": "rate", "threshold": 0}, 400),
        ({"kind": "above", "threshold": 1, "hysteresis": -1}, 400),
        ({"kind": "below", "threshold": 1, "layer": "nothing"}, 404),
    ],
)
def test_a_rule_that_cannot_be_is_a_problem(
    client: TestClient, office: dict[str, str], body: dict[str, Any], status: int
) -> None:
    titles = {"title_zh": "规则", "title_en": "A rule"}

    answer = client.post("/alert-rules", json=titles | body, headers=office)

    assert status == answer.status_code
    assert 401 == client.post("/alert-rules", json=titles | body).status_code or status == 400

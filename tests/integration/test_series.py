"""Figures over time: exact by every step, from rollups or not, and what is expected ahead."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from starlette.testclient import TestClient

from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.integration.test_intake import relayed
from tests.support import City, facility
from tiles.fonts import chinese_font

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime.now(UTC).replace(microsecond=0)
CODE = "SERIES"


def law(at: datetime) -> int:
    """Free courts: few in the evening, more at weekends."""
    local = at.astimezone(ZONE)
    busy = 17 <= local.hour < 22
    return (2 if busy else 8) + (3 if local.weekday() >= 5 else 0)


def history() -> dict[datetime, int]:
    random = Random(3)
    figures = {}
    at = NOW - timedelta(days=15)
    while at < NOW:
        if random.random() < 0.9:
            figures[at.replace(second=random.randrange(60))] = law(at)
        at += timedelta(minutes=13)
    return figures


FIGURES = history()


@pytest.fixture(scope="module")
def observer(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.PUBLIC, "observe:series")


@pytest.fixture(scope="module")
def feature_id(city: City, client: TestClient, observer: dict[str, str]) -> int:
    rows = [
        facility(CODE, 114.1, 22.6, kind="sports_hall.badminton", capacity=12),
        facility("QUIET", 114.1, 22.6001, kind="sports_hall.badminton", capacity=12),
    ]
    city.publish("facilities", rows)
    bodies = [body(at, free) for at, free in FIGURES.items()]
    # Half of it is rolled up, the rest only marked, as in a service that is a little behind.
    client.post("/observations", json=bodies[::2], headers=observer)
    asyncio.run(relayed(city))
    client.post("/observations", json=bodies[1::2], headers=observer)
    found = client.get("/availability", params={"lon": 114.1, "lat": 22.6, "limit": 1})
    number: int = found.json()["features"][0]["id"]
    return number


def body(at: datetime, free: int) -> dict[str, Any]:
    return {"facility": CODE, "observed_at": at.isoformat(), "available": free, "capacity": 12}


def floor(at: datetime, step: timedelta) -> datetime:
    local = at.astimezone(ZONE)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight + (local - midnight) // step * step).astimezone(UTC)


@pytest.mark.parametrize("step", ["PT9M", "PT15M", "PT1H", "PT6H", "P1D"])
@pytest.mark.parametrize("aggregate", ["mean", "min", "max", "last", "count"])
def test_steps_are_those_of_a_plain_computation(
    client: TestClient, feature_id: int, step: str, aggregate: str
) -> None:
    lengths = {"PT9M": 9, "PT15M": 15, "PT1H": 60, "PT6H": 360, "P1D": 1440}
    length = timedelta(minutes=lengths[step])
    begin, end = NOW - timedelta(days=3, hours=5), NOW - timedelta(minutes=20)

    answer = client.get(
        f"/availability/{feature_id}/series",
        params={
            "from": begin.isoformat(),
            "to": end.isoformat(),
            "step": step,
            "aggregate": aggregate,
        },
    )

    assert 200 == answer.status_code, answer.text
    document = answer.json()
    since, until = (datetime.fromisoformat(document[name]) for name in ("from", "to"))
    assert since <= begin
    assert until >= end
    kept: dict[datetime, list[int]] = defaultdict(list)
    for at, free in sorted(FIGURES.items()):
        if since <= at < until:
            kept[floor(at, length)].append(free)
    plain: Any = {
        "mean": lambda v: round(sum(v) / len(v), 6),
        "min": min,
        "max": max,
        "last": lambda v: v[-1],
        "count": len,
    }[aggregate]
    values = {datetime.fromisoformat(v["from"]): v["value"] for v in document["values"]}
    empty = 0 if aggregate == "count" else None
    assert values == {at: plain(kept[at]) if at in kept else empty for at in values}
    assert set(kept) <= set(values)


def test_a_table_and_a_picture_say_the_same(client: TestClient, feature_id: int) -> None:
    path = f"/availability/{feature_id}/series"
    span = {"from": (NOW - timedelta(hours=6)).isoformat(), "to": NOW.isoformat()}

    table = client.get(path, params={**span, "f": "csv"})
    picture = client.get(path, params={**span, "f": "svg"})

    rows = list(csv.DictReader(io.StringIO(table.text)))
    values = client.get(path, params=span).json()["values"]
    assert [v["value"] for v in values] == [float(r["value"]) if r["value"] else None for r in rows]
    assert "image/svg+xml" == picture.headers["content-type"]
    assert f"设施{CODE}" in picture.text
    assert "</svg>" == picture.text[-6:]
    if chinese_font() is not None:
        pixels = client.get(path, params={**span, "f": "png"})
        with Image.open(io.BytesIO(pixels.content)) as image:
            assert (960, 320) == image.size
            colors = {color for _, color in image.convert("RGB").getcolors(1 << 20) or ()}
        assert (0x2F, 0x6F, 0xB2) in colors


def test_a_facility_without_figures_has_an_empty_series(
    client: TestClient, feature_id: int
) -> None:
    around = {"lon": 114.1, "lat": 22.6001, "limit": 1}
    quiet = client.get("/availability", params=around).json()["features"][0]["id"]

    assert [] == client.get(f"/availability/{quiet}/series").json()["values"]
    assert "暂无数据" in client.get(f"/availability/{quiet}/series?f=svg").text
    assert 404 == client.get("/availability/999999999/series").status_code


@pytest.mark.parametrize(
    "query",
    [
        "step=1h",
        "step=PT0M",
        "step=PT30S",
        "step=PT36H",
        "from=yesterday",
        "step=PT1M&from=2000-01-01T00:00:00Z",
        "from=2030-01-01T00:00:00Z&to=2020-01-01T00:00:00Z",
        "aggregate=median",
        "f=pdf",
        "x=1",
    ],
)
def test_a_series_that_cannot_be_is_a_problem(
    client: TestClient, feature_id: int, query: str
) -> None:
    assert 400 == client.get(f"/availability/{feature_id}/series?{query}").status_code


def ahead(weekday: int, hour: int) -> datetime:
    """The next such hour of the city, at least an hour away."""
    at = (NOW + timedelta(hours=1)).astimezone(ZONE).replace(minute=30, second=0)
    while (at.weekday(), at.hour) != (weekday, hour) or at < NOW + timedelta(hours=1):
        at += timedelta(hours=1)
    return at


def test_what_is_expected_is_told_with_its_interval_and_error(
    client: TestClient, feature_id: int
) -> None:
    evening, morning = ahead(2, 19), ahead(5, 9)

    busy, free = (
        client.get(f"/availability/{feature_id}", params={"datetime": at.isoformat()}).json()[
            "properties"
        ]
        for at in (evening, morning)
    )

    assert abs(busy["expected"]["available"] - 2) <= 1
    assert abs(free["expected"]["available"] - 11) <= 1
    assert ("expected", "expected", None) == (busy["basis"], busy["freshness"], busy["available"])
    told = busy["expected"]
    assert 0 <= told["low"] <= told["available"] <= told["high"] <= 12
    assert 0.8 == told["interval"]
    assert told["mean_absolute_error"] < 2
    assert 14 <= told["days_of_history"] <= 16


def test_a_search_ahead_asks_what_is_expected(client: TestClient, feature_id: int) -> None:
    around: dict[str, Any] = {"lon": 114.1, "lat": 22.6, "kind": "sports_hall.badminton"}
    evening = ahead(2, 19).isoformat()

    def found(**asked: Any) -> list[str]:
        answer = client.get("/availability", params={**around, "datetime": evening, **asked})
        assert 200 == answer.status_code, answer.text
        return [one["properties"]["code"] for one in answer.json()["features"]]

    assert [CODE, "QUIET"] == found()
    assert [CODE] == found(min_available=2)
    assert [] == found(min_available=9)
    assert (
        400
        == client.get(
            "/availability",
            params={**around, "datetime": (NOW + timedelta(days=30)).isoformat()},
        ).status_code
    )

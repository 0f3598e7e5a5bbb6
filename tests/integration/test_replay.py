"""A real day of car parks replayed through the service, far quicker than it went, under load."""

from __future__ import annotations

import csv
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx2 as httpx
import pytest

from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.integration.test_server import Service, started_service
from tests.integration.test_stream import Listener
from tests.support import City, facility

DAY = "2020-07-06"
LOTS, UNTIL_H = 40, 10
TTL_S = 4 * 3_600
"""No figure of the day has expired when it is sent: what has is told without its number."""

BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=UNTIL_H)
"""The day is sent as if it were going on now."""

SEARCHERS = 3
Figures = dict[str, list[tuple[datetime, int]]]


@pytest.fixture(scope="module")
def real_day(shared_data: Path) -> Figures:
    """Free spaces of some car parks, by their names, in order."""
    shift = BEGIN - datetime.fromisoformat(f"{DAY}T00:00:00+00:00")
    file = shared_data / "04_facilities_timeseries" / "parking_de" / f"{DAY}.csv"
    found: Figures = defaultdict(list)
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            at = datetime.fromisoformat(row.pop("timestamp"))
            if at.hour >= UNTIL_H:
                break
            for name, value in row.items():
                if value:
                    found[name].append((at + shift, int(float(value))))
    names = [name for name, figures in found.items() if len({v for _, v in figures}) > 5]
    return {name: found[name] for name in sorted(names)[:LOTS]}


@pytest.fixture(scope="module")
def service(
    city: City, real_day: Figures, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    random = Random(2)
    since = datetime(2020, 1, 1, tzinfo=UTC)
    rows = [
        facility(name, 114 + random.random() / 10, 22.5 + random.random() / 10, kind="parking")
        for name in real_day
    ]
    city.publish("facilities", rows, valid_from=since)
    with started_service(city, tmp_path_factory.mktemp("log") / "service.log") as running:
        yield running


def known_at(figures: list[tuple[datetime, int]], at: datetime) -> int | None:
    """The plain answer: the last figure until an instant, unless it has expired."""
    place = bisect_right([instant for instant, _ in figures], at)
    if not place or at - figures[place - 1][0] > timedelta(seconds=3 * TTL_S):
        return None
    return figures[place - 1][1]


def found_at(service: Service, at: datetime) -> dict[str, Any]:
    around = {"lon": 114.05, "lat": 22.55, "radius_m": 50_000, "limit": 1_000}
    answer = httpx.get(
        f"{service.url}/availability", params={**around, "datetime": at.isoformat()}, timeout=20
    )
    assert answer.status_code == 200, answer.text
    return {f["properties"]["code"]: f["properties"] for f in answer.json()["features"]}


@contextmanager
def searching(service: Service) -> Iterator[set[int]]:
    """Searches one after the other, by several at once; gives the statuses of the answers."""
    is_over, statuses = threading.Event(), set[int]()

    def search() -> None:
        query = "lon=114.05&lat=22.55&radius_m=50000&kind=parking"
        while not is_over.is_set():
            statuses.add(service.get(f"/availability?{query}").status_code)

    threads = [threading.Thread(target=search) for _ in range(SEARCHERS)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def replay(service: Service, day: Figures, key: dict[str, str]) -> None:
    """Post what was observed at each instant, in order."""
    by_instant: dict[datetime, list[dict[str, Any]]] = defaultdict(list)
    for name, figures in day.items():
        for at, free in figures:
            body = {"facility": name, "observed_at": at.isoformat(), "available": free}
            by_instant[at].append(body | {"ttl_s": TTL_S})
    for _, batch in sorted(by_instant.items()):
        answer = httpx.post(f"{service.url}/observations", json=batch, headers=key, timeout=20)
        assert len(batch) == answer.json()["accepted"], answer.text


def test_what_comes_out_is_what_the_files_say(
    service: Service, real_day: Figures, headers_of: KeyMaker
) -> None:
    listener = Listener(service, "kind=parking")

    with searching(service) as statuses:
        replay(service, real_day, headers_of(Clearance.PUBLIC, "observe:replay"))

    assert {200} == statuses
    random, start = Random(7), BEGIN + timedelta(minutes=10)
    for _ in range(15):
        at = start + timedelta(seconds=random.randrange(UNTIL_H * 3_600 - 600))
        plain = {name: known_at(figures, at) for name, figures in real_day.items()}
        assert plain == {code: p["available"] for code, p in found_at(service, at).items()}
    expected = {name: changes([v for _, v in figures]) for name, figures in real_day.items()}
    listener.wait_for(sum(map(len, expected.values())))
    heard: dict[str, list[int]] = defaultdict(list)
    for event in listener.events:
        heard[event["data"]["code"]].append(event["data"]["available"])
    listener.close()
    assert expected == heard


def changes(values: list[int]) -> list[int]:
    """Each value that differs from the one before."""
    return [v for n, v in enumerate(values) if n == 0 or v != values[n - 1]]

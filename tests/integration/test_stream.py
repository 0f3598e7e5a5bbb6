"""Streams of changes: what is wanted, once and in order, across restarts, and nothing hidden."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import text

from geoservice.cluster import Cluster
from layers.access import Clearance
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.integration.test_server import Service, started_service
from tests.support import City, facility

WAIT_S = 15


class Listener:
    """A client that keeps what a stream says, until it is told to go."""

    def __init__(self, service: Service, query: str = "", **headers: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.is_open = threading.Event()
        self.has_ended = threading.Event()
        self._client = httpx.Client(base_url=service.url, timeout=WAIT_S)
        self._thread = threading.Thread(target=self._listen, args=(query, headers), daemon=True)
        self._thread.start()
        assert self.is_open.wait(WAIT_S)

    def _listen(self, query: str, headers: dict[str, str]) -> None:
        try:
            with self._client.stream(
                "GET", f"/availability/stream?{query}", headers=headers
            ) as answer:
                assert answer.status_code == 200, answer.status_code
                event: dict[str, Any] = {}
                for line in answer.iter_lines():
                    name, _, value = line.partition(": ")
                    if line.startswith("retry"):
                        self.is_open.set()
                    elif name in ("id", "event", "data"):
                        event[name] = json.loads(value) if name == "data" else value
                    elif not line and event:
                        if event["event"] != "ready":
                            self.events.append(event)
                        event = {}
        except (httpx.HTTPError, RuntimeError):
            pass
        finally:
            self.has_ended.set()
            self.is_open.set()

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """The events, once there are so many."""
        deadline = time.monotonic() + WAIT_S
        while len(self.events) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.events) >= count, self.events
        return self.events

    def close(self) -> None:
        self._client.close()


@contextmanager
def listening(service: Service, query: str = "", **headers: str) -> Iterator[Listener]:
    listener = Listener(service, query, **headers)
    try:
        yield listener
    finally:
        listener.close()


@pytest.fixture(scope="module")
def key(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.RESTRICTED, "observe:streams")


@pytest.fixture(scope="module")
def service(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    rows = [
        facility("PARK", 114.05, 22.55, kind="parking", capacity=100, opening_hours="24/7"),
        facility("HALL", 114.05, 22.5501, kind="sports_hall.badminton", capacity=8),
        facility("FAR", 114.3, 22.7, kind="parking", capacity=100),
        facility("HIDDEN", 114.05, 22.55, kind="parking", clearance=Clearance.GOVERNMENT),
    ]
    city.publish("facilities", rows)
    with started_service(city, tmp_path_factory.mktemp("log") / "service.log") as running:
        yield running


def send(service: Service, key: dict[str, str], code: str, *free: int) -> None:
    """Post figures of now, one after the other."""
    for available in free:
        body = {"facility": code, "available": available, "source": "streams"}
        body["observed_at"] = datetime.now(UTC).isoformat()
        answer = httpx.post(f"{service.url}/observations", json=body, headers=key, timeout=WAIT_S)
        assert answer.status_code == 200, answer.text


def told(events: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(event["data"]["code"], event["data"]["available"]) for event in events]


def test_each_hears_what_it_asked_for_and_no_more(service: Service, key: dict[str, str]) -> None:
    with (
        listening(service) as everything,
        listening(service, "lon=114.05&lat=22.55&radius_m=500") as near,
        listening(service, "bbox=114.2,22.6,114.4,22.8") as boxed,
        listening(service, "kind=sports_hall.badminton,library") as halls,
        listening(service, "min_available=2&kind=sports_hall.badminton") as enough,
    ):
        send(service, key, "PARK", 50)
        send(service, key, "HALL", 4, 3, 1, 0, 2, 5)
        send(service, key, "FAR", 7, 7)
        send(service, key, "HIDDEN", 9)
        send(service, key, "PARK", 51)

        halls_told = [("HALL", n) for n in (4, 3, 1, 0, 2, 5)]
        assert [("PARK", 50), *halls_told, ("FAR", 7), ("PARK", 51)] == told(everything.wait_for(9))
        assert [("PARK", 50), *halls_told, ("PARK", 51)] == told(near.wait_for(8))
        assert [("FAR", 7)] == told(boxed.wait_for(1))
        assert halls_told == told(halls.wait_for(6))
        assert [("HALL", 4), ("HALL", 1), ("HALL", 2)] == told(enough.wait_for(3))

    data = everything.events[0]["data"]
    assert ("spacesAvailable", True, 100, "parking") == tuple(
        data[name] for name in ("status", "is_open", "capacity", "kind")
    )
    assert [114.05, 22.55] == data["geometry"]["coordinates"]
    assert everything.events[0]["id"] == str(data["event_no"])


def test_nothing_is_lost_or_told_twice_over_a_crash_of_the_service(
    city: City, service: Service, key: dict[str, str], tmp_path: Path
) -> None:
    with (
        started_service(city, tmp_path / "doomed.log") as doomed,
        listening(doomed, "kind=parking") as listener,
    ):
        send(doomed, key, "PARK", 10, 11)
        last = listener.wait_for(2)[-1]["id"]
        doomed.process.kill()
        doomed.process.wait()
        assert listener.has_ended.wait(WAIT_S)
    send(service, key, "PARK", 12, 13)
    send(service, key, "HALL", 8)

    with listening(service, "kind=parking", **{"Last-Event-ID": last}) as listener:
        send(service, key, "PARK", 14)
        events = listener.wait_for(3)

    assert [("PARK", 12), ("PARK", 13), ("PARK", 14)] == told(events)


def test_a_stream_goes_on_when_the_database_comes_back(
    cluster: Cluster, service: Service, key: dict[str, str]
) -> None:
    with listening(service, "kind=parking") as listener:
        send(service, key, "PARK", 20)
        listener.wait_for(1)
        cluster.stop()
        cluster.ensure_running()
        for _ in range(100):
            if service.get("/readyz").status_code == 200:
                break
            time.sleep(0.1)
        send(service, key, "PARK", 21)
        events = listener.wait_for(2)

    assert [("PARK", 20), ("PARK", 21)] == told(events)


def test_who_has_heard_nothing_yet_comes_back_to_where_it_was(
    service: Service, key: dict[str, str]
) -> None:
    with httpx.stream("GET", f"{service.url}/availability/stream", timeout=WAIT_S) as answer:
        first = next(answer.iter_raw()).decode().splitlines()
    send(service, key, "PARK", 25)

    number = first[1].removeprefix("id: ")
    assert ["retry: 2000", f"id: {number}", "event: ready", f'data: {{"after":{number}}}'] == first[
        :4
    ]
    with listening(service, "kind=parking", **{"Last-Event-ID": number}) as listener:
        assert [("PARK", 25)] == told(listener.wait_for(1))


def test_what_was_hidden_since_is_not_told_to_who_comes_back(
    city: City, service: Service, key: dict[str, str]
) -> None:
    city.publish("facilities", [facility("SHY", 114.06, 22.55, kind="parking")])
    with listening(service, "kind=parking") as listener:
        send(service, key, "PARK", 30)
        before = listener.wait_for(1)[-1]["id"]
        send(service, key, "SHY", 1)
        listener.wait_for(2)
    city.publish(
        "facilities",
        [facility("SHY", 114.06, 22.55, kind="parking", clearance=Clearance.RESTRICTED)],
    )

    with (
        listening(service, f"kind=parking&last_event_id={before}") as public,
        listening(service, f"kind=parking&last_event_id={before}", **key) as cleared,
    ):
        send(service, key, "PARK", 31)

        assert [("SHY", 1), ("PARK", 31)] == told(cleared.wait_for(2))
        assert [("PARK", 31)] == told(public.wait_for(1))


def test_a_stream_ends_with_its_key(city: City, service: Service, headers_of: KeyMaker) -> None:
    headers = headers_of(Clearance.ENTERPRISE, "observe:streams")
    with listening(service, "kind=parking", **headers) as listener:
        with city.address.connect(Role.OWNER) as connection:
            connection.execute(
                text("UPDATE city.api_keys SET revoked_at = now() WHERE clearance = 1")
            )
            connection.commit()
        time.sleep(2.1)
        send(service, headers_of(Clearance.PUBLIC, "observe:streams"), "PARK", 40)

        assert listener.has_ended.wait(WAIT_S)
    assert [] == listener.events


def test_who_was_away_too_long_is_told_that_there_is_a_gap(
    city: City, service: Service, key: dict[str, str]
) -> None:
    send(service, key, "PARK", 45)
    time.sleep(1)
    with city.address.connect(Role.OWNER) as connection:
        connection.execute(text("DELETE FROM city.events WHERE event_no < 3"))
        connection.commit()

    with listening(service, "last_event_id=1&kind=parking") as listener:
        first = listener.wait_for(2)[0]

    assert ("gap", {"after": 1}) == (first["event"], first["data"])


@pytest.mark.parametrize(
    "query",
    [
        "lon=114",
        "bbox=1,2",
        "topic=weather",
        "feature_id=a",
        "min_available=0",
        "x=1",
        "lon=a&lat=1",
    ],
)
def test_a_stream_that_cannot_be_is_a_problem(service: Service, query: str) -> None:
    answer = service.get(f"/availability/stream?{query}")

    assert 400 == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]


def test_a_late_figure_is_no_news(service: Service, key: dict[str, str]) -> None:
    with listening(service, "kind=parking") as listener:
        send(service, key, "FAR", 60)
        late = {"facility": "FAR", "available": 1, "source": "streams"}
        late["observed_at"] = (datetime.now(UTC) - timedelta(days=7)).isoformat()
        httpx.post(f"{service.url}/observations", json=late, headers=key, timeout=WAIT_S)
        send(service, key, "FAR", 61)
        events = listener.wait_for(2)

    assert [("FAR", 60), ("FAR", 61)] == told(events)

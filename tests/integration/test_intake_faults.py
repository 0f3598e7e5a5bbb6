"""Figures are taken in once each, and told to who listens, whatever dies in the middle."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
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
from tests.integration.test_stream import Listener
from tests.support import City, facility

CODES = [f"P{n:02}" for n in range(20)]
BATCHES, INSTANTS = 12, 25
GIVE_UP_S = 60


class Clients:
    """Two who send overlapping parts of the same figures, each batch until it is taken."""

    def __init__(self, service: Service, key: dict[str, str], begin: datetime) -> None:
        self.service = service
        self.failed = 0
        self.done = 0
        self.figures: list[list[dict[str, Any]]] = [
            [
                figure(code, begin + timedelta(seconds=second), (7 * second + number) % 50)
                for second in range(batch * INSTANTS, (batch + 1) * INSTANTS)
                for number, code in enumerate(CODES)
            ]
            for batch in range(BATCHES)
        ]
        self._key = key
        self._threads = [threading.Thread(target=self._send, args=(shift,)) for shift in (0, 250)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_for(self, batches: int) -> None:
        """Wait until so many are taken."""
        deadline = time.monotonic() + GIVE_UP_S
        while self.done < batches:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(GIVE_UP_S)
        assert self.done == len(self._threads) * (BATCHES + 1)

    def _send(self, shift: int) -> None:
        everything = list(itertools.chain.from_iterable(self.figures))
        size = len(self.figures[0])
        starts = range(-shift, len(everything), size)
        for part in [everything[max(0, at) : at + size] for at in starts]:
            until = time.monotonic() + GIVE_UP_S
            while not self._is_taken(part) and time.monotonic() < until:
                self.failed += 1
                time.sleep(0.1)
            self.done += 1
        self.done += shift == 0

    def _is_taken(self, part: list[dict[str, Any]]) -> bool:
        try:
            answer = httpx.post(
                f"{self.service.url}/observations", json=part, headers=self._key, timeout=10
            )
        except httpx.HTTPError:
            return False
        if answer.status_code != 200:
            assert answer.status_code in (500, 503), answer.text
            return False
        said = answer.json()
        assert (len(part), 0) == (said["accepted"] + said["repeated"], said["corrected"])
        return True


def figure(code: str, at: datetime, available: int) -> dict[str, Any]:
    return {
        "facility": code,
        "available": available,
        "observed_at": at.isoformat(),
        "source": "office",
    }


@pytest.fixture
def committed(cluster: Cluster, city: City) -> Iterator[None]:
    """A commit is written before it is reported, as outside of tests."""
    with city.address.connect(Role.OWNER) as connection:
        name = city.settings.database.name
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = on"))
        connection.commit()
    yield
    cluster.ensure_running()


def test_every_figure_is_there_once_and_told_in_order_whatever_was_killed(
    city: City, cluster: Cluster, committed: None, headers_of: KeyMaker, tmp_path: Path
) -> None:
    city.publish("facilities", [facility(c, 114.05, 22.55, capacity=60) for c in CODES])
    key = headers_of(Clearance.PUBLIC, "observe:office")
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    events: list[dict[str, Any]] = []
    with started_service(city, tmp_path / "first.log") as doomed:
        clients = Clients(doomed, key, begin)
        listener = Listener(doomed)
        clients.start()
        clients.wait_for(3)
        doomed.process.send_signal(signal.SIGKILL)
        doomed.process.wait()
    events += listener.events

    with started_service(city, tmp_path / "second.log") as service:
        clients.service = service
        listener = Listener(service, **{"Last-Event-ID": last_id(events)})
        clients.wait_for(10)
        pid = cluster.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while cluster.status().running:
            time.sleep(0.02)
        cluster.ensure_running()
        clients.wait()
        numbers = event_numbers(city, service)
        listener.close()
        events += listener.events
        with_gaps = Listener(service, **{"Last-Event-ID": last_id(events)})
        deadline = time.monotonic() + 15
        while {int(e["id"]) for e in events + with_gaps.events} < numbers:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        events += with_gaps.events
        with_gaps.close()

    assert clients.failed > 0
    assert expected(clients) == held(city)
    assert numbers == {int(event["id"]) for event in events}
    for code in CODES:
        own = [event for event in events if event["data"]["code"] == code]
        assert [e["data"]["observed_at"] for e in own] == sorted(
            e["data"]["observed_at"] for e in own
        )
        assert own[-1]["data"]["available"] == newest(clients)[code]


def last_id(events: list[dict[str, Any]]) -> str:
    return str(max((int(event["id"]) for event in events), default=0))


def expected(clients: Clients) -> set[tuple[str, datetime, int]]:
    return {
        (one["facility"], datetime.fromisoformat(one["observed_at"]), one["available"])
        for batch in clients.figures
        for one in batch
    }


def newest(clients: Clients) -> dict[str, int]:
    return {one["facility"]: one["available"] for one in clients.figures[-1]}


def held(city: City) -> set[tuple[str, datetime, int]]:
    """All figures; each is held once, or this fails."""
    statement = (
        "SELECT f.natural_key, o.observed_at, o.available FROM city.observations o "
        "JOIN city.series s USING (series_id) JOIN city.facilities f USING (feature_id)"
    )
    with city.address.connect(Role.OWNER) as connection:
        rows = [tuple(row) for row in connection.execute(text(statement))]
    assert len(rows) == len(set(rows)) == BATCHES * INSTANTS * len(CODES)
    return {(code, at, free) for code, at, free in rows}


def event_numbers(city: City, service: Service) -> set[int]:
    """The numbers of all events, once none waits for one."""
    waiting, numbered = "SELECT count(*) FROM city.outbox", "SELECT event_no FROM city.events"
    deadline = time.monotonic() + 15
    while True:
        with city.address.connect(Role.OWNER) as connection:
            if not connection.execute(text(waiting)).scalar_one():
                return set(connection.execute(text(numbered)).scalars())
        assert time.monotonic() < deadline, service.log.read_text()[-2000:]
        time.sleep(0.05)

"""A figure that expires with nothing new coming is told once, and what comes after it is news."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.testclient import TestClient

from geoservice.db import Database
from geoservice.hours import CityHours
from geoservice.push.documents import event_document
from geoservice.push.wanted import Wanted
from layers.access import Access, Clearance
from layers.event_reading import Event, read_events
from layers.events import relay
from layers.expiry import expire
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.support import City, facility

HOURS = CityHours("Asia/Shanghai")
TTL_S = 60


@cache
def now() -> datetime:
    """When the first test began; tests may be collected long before."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def observer(city: City, headers_of: KeyMaker) -> dict[str, str]:
    codes = ("QUIET", "LATE", "BUSY", "LONGER", "HELD")
    city.publish("facilities", [facility(code, 114.1, 22.6, capacity=9) for code in codes])
    return headers_of(Clearance.PUBLIC, "observe:desk")


def send(client: TestClient, observer: dict[str, str], code: str, **said: Any) -> None:
    body = {"facility": code, "ttl_s": TTL_S, "observed_at": now().isoformat(), **said}
    assert 200 == client.post("/observations", json=body, headers=observer).status_code


def in_ingest(city: City, work: Callable[[AsyncConnection], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        database = Database(city.address, 2)
        async with database.write(Role.INGEST) as connection:
            found = await work(connection)
        await database.close()
        return found

    return asyncio.run(run())


def expired_at(city: City, seconds: float) -> int:
    """How many are told, so many seconds after now."""
    told: int = in_ingest(city, lambda c: expire(c, now() + timedelta(seconds=seconds)))
    return told


def events_of(city: City, code: str) -> list[Event]:
    async def run() -> list[Event]:
        database = Database(city.address, 2)
        async with database.write(Role.INGEST) as connection:
            await relay(connection)
        level = Clearance.PUBLIC
        async with database.readers(Access(level)).connection() as connection:
            events = await read_events(connection, level, 0, 1_000)
        await database.close()
        return [one for one in events if one.subject and one.subject.attributes["code"] == code]

    return asyncio.run(run())


def documents(city: City, code: str) -> list[tuple[Any, ...]]:
    members = ("available", "previous_available", "status", "freshness")
    told = [event_document(event, HOURS) for event in events_of(city, code)]
    return [tuple(one.get(name) for name in members) for one in told]


def test_expiry_is_told_once_and_the_same_figure_after_it_is_news(
    city: City, client: TestClient, observer: dict[str, str]
) -> None:
    send(client, observer, "QUIET", available=4)

    told = [expired_at(city, seconds) for seconds in (180, 180.01, 500)]
    send(client, observer, "QUIET", available=4, observed_at=datetime.now(UTC).isoformat())

    assert [0, 1, 0] == told
    fresh = (4, None, "spacesAvailable", "fresh")
    assert [fresh, (None, 4, "unknown", "expired"), fresh] == documents(city, "QUIET")


def test_a_threshold_is_crossed_when_what_is_free_is_not_known_any_more(
    city: City, client: TestClient, observer: dict[str, str]
) -> None:
    send(client, observer, "BUSY", available=4)
    expired_at(city, 200)

    enough, more = Wanted(min_available=3), Wanted(min_available=5)

    events = events_of(city, "BUSY")
    assert [True, True] == [enough.holds(event) for event in events]
    assert [False, False] == [more.holds(event) for event in events]


def test_a_figure_that_comes_too_late_is_never_told_as_free(
    city: City, client: TestClient, observer: dict[str, str]
) -> None:
    before = (now() - timedelta(hours=1)).isoformat()
    send(client, observer, "LATE", available=4, observed_at=before)

    told = expired_at(city, 0)

    assert 0 == told
    assert [(None, None, "unknown", "expired")] == documents(city, "LATE")


def test_a_longer_life_is_believed(
    city: City, client: TestClient, observer: dict[str, str]
) -> None:
    send(client, observer, "LONGER", available=4)
    earlier = (now() - timedelta(seconds=5)).isoformat()
    send(client, observer, "LONGER", available=3, observed_at=earlier, ttl_s=600)

    told = [expired_at(city, seconds) for seconds in (1_700, 1_801)]

    assert [0, 1] == told


def test_a_series_that_is_written_just_now_waits_and_none_is_looked_for_by_scanning(
    city: City, client: TestClient, observer: dict[str, str]
) -> None:
    send(client, observer, "HELD", available=4)
    with city.address.connect(Role.OWNER) as writer:
        writer.execute(text("SELECT 1 FROM city.series_status FOR UPDATE"))
        while_written = expired_at(city, 300)
        writer.rollback()
        writer.execute(text("SET LOCAL enable_seqscan = off"))
        due = "SELECT series_id FROM city.series_status WHERE expires_at < now() LIMIT 9"
        plan = "\n".join(writer.execute(text(f"EXPLAIN {due}")).scalars())

    assert (0, 1) == (while_written, expired_at(city, 300))
    assert "series_status_expiring" in plan

"""What a subscriber wants, and what becomes of one that does not keep up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from geoservice.push.asked import Hours
from geoservice.push.hub import QUEUE_LENGTH, Subscriber
from geoservice.push.wanted import Circle, Wanted
from layers.event_reading import Event, Subject
from layers.events import Topic
from layers.extent import BBox


def event(
    lon: float = 114.0, lat: float = 22.5, *, topic: str = "availability", **body: Any
) -> Event:
    subject = Subject(7, lon, lat, {"kind": "parking"})
    return Event(1, datetime.now(UTC), topic, "facilities", 7, body, subject)


@pytest.mark.parametrize(
    ("wanted", "one", "holds"),
    [
        (Wanted(), event(), True),
        (Wanted(), event(topic="alert"), False),
        (Wanted(topics=frozenset({Topic.ALERT})), event(topic="alert"), True),
        (Wanted(kinds=frozenset({"parking"})), event(), True),
        (Wanted(kinds=frozenset({"library"})), event(), False),
        (Wanted(features=frozenset({7})), event(), True),
        (Wanted(features=frozenset({8})), event(), False),
        (Wanted(box=BBox(113.9, 22.4, 114.1, 22.6)), event(), True),
        (Wanted(box=BBox(114.1, 22.4, 113.9, 22.6)), event(), False),
        (Wanted(box=BBox(179.0, 22.4, -179.0, 22.6)), event(lon=179.5), True),
        (Wanted(circle=Circle(114.0, 22.5, 100)), event(lat=22.5008), True),
        (Wanted(circle=Circle(114.0, 22.5, 100)), event(lat=22.501), False),
        (Wanted(circle=Circle(114.0, 22.5, 100)), event(lon=114.0011), False),
        (Wanted(resource_type="seat"), event(resource_type="seat"), True),
        (Wanted(resource_type="seat"), event(), False),
        (Wanted(min_available=2), event(available=2), True),
        (Wanted(min_available=2), event(available=1), False),
        (Wanted(min_available=2), event(available=3, previous_available=2), False),
        (Wanted(min_available=2), event(available=1, previous_available=2), True),
        (Wanted(min_available=2), event(available=2, previous_available=0), True),
        (Wanted(min_available=2), event(previous_available=2), True),
        (Wanted(kinds=frozenset({"parking"})), event()._replace(subject=None), False),
    ],
)
def test_an_event_is_wanted_or_not(wanted: Wanted, one: Event, *, holds: bool) -> None:
    assert holds == wanted.holds(one)


def test_who_does_not_keep_up_is_cut_off() -> None:
    async def fill(count: int) -> tuple[bool, int]:
        subscriber: Subscriber[int] = Subscriber(Wanted())
        for number in range(count):
            subscriber.put(number, number)
        return subscriber.is_cut, len(await subscriber.taken(0.01))

    assert (False, QUEUE_LENGTH) == asyncio.run(fill(QUEUE_LENGTH))
    assert (True, 0) == asyncio.run(fill(QUEUE_LENGTH + 5))


@pytest.mark.parametrize(
    ("begin", "end", "clock", "holds"),
    [
        ("22:00", "07:00", "23:00", True),
        ("22:00", "07:00", "06:59", True),
        ("22:00", "07:00", "07:00", False),
        ("09:00", "20:00", "09:00", True),
        ("09:00", "20:00", "20:00", False),
    ],
)
def test_hours_may_go_over_midnight(begin: str, end: str, clock: str, *, holds: bool) -> None:
    hours = Hours.model_validate({"from": begin, "until": end})

    assert holds == hours.hold(time.fromisoformat(clock))


def test_quiet_hours_end_on_the_citys_clock() -> None:
    hours = Hours.model_validate({"from": "22:00", "until": "07:00"})
    zone = ZoneInfo("Asia/Shanghai")

    evening = hours.end_after(datetime(2026, 3, 1, 15, 0, tzinfo=UTC), zone)
    morning = hours.end_after(datetime(2026, 3, 1, 22, 0, tzinfo=UTC), zone)

    assert datetime(2026, 3, 1, 23, 0, tzinfo=UTC) == evening == morning

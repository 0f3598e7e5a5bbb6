"""Expectations of figures: right where the law is known, modest where little is known."""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from layers.forecast import Habit, back_test

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 3, 2, tzinfo=ZONE)
HOUR = timedelta(hours=1)


def no_holidays(_: datetime) -> bool:
    return False


def law(local: datetime) -> float:
    """A car park that is empty at night and full at noon, less so at weekends."""
    depth = 80 if local.weekday() < 5 else 40
    return 100 - depth * math.exp(-(((local.hour + local.minute / 60 - 12.5) / 3) ** 2))


def made(days: int, *, noise: float = 0.0, drift: float = 0.0) -> Habit:
    """A habit of whole days before MONDAY; ``drift`` moves whole days up or down."""
    random = np.random.default_rng(1)
    hours = [MONDAY + n * HOUR for n in range(-days * 24, 0)]
    by_day = {hour.date(): random.normal(0, drift) for hour in hours}
    values = [
        law(hour + HOUR / 2) + by_day[hour.date()] + random.normal(0, noise) for hour in hours
    ]
    return Habit.of(hours, values, ZONE, no_holidays)


@pytest.mark.parametrize("ahead_h", [0.5, 1, 3, 12, 24, 100])
def test_a_law_is_found_again(ahead_h: float) -> None:
    habit = made(42)
    now = MONDAY + timedelta(hours=9)

    found = habit.expect(now, law(now), now + ahead_h * HOUR, no_holidays)

    assert found is not None
    assert abs(found.value - law(now + ahead_h * HOUR)) < 2.5
    assert 42 == found.days


def test_a_day_that_differs_goes_on_differing_for_a_while() -> None:
    habit = made(56, noise=1, drift=10)
    now = MONDAY + timedelta(hours=9)

    near, far = (
        habit.expect(now, law(now) - 12, now + ahead * HOUR, no_holidays) for ahead in (1, 48)
    )

    assert near is not None
    assert far is not None
    assert near.value - law(now + HOUR) < -7
    assert abs(far.value - law(now + 48 * HOUR)) < 5
    assert near.error < far.error


def test_intervals_hold_what_they_say() -> None:
    random = np.random.default_rng(2)
    habit = made(56, noise=8)
    at = [MONDAY + n * HOUR for n in range(24, 24 * 8)]

    found = [habit.expect(MONDAY, None, one, no_holidays) for one in at]

    truth = [law(one) + random.normal(0, 8) for one in at]
    inside = [e is not None and e.low <= t <= e.high for e, t in zip(found, truth, strict=True)]
    assert 0.7 < sum(inside) / len(inside) < 0.9


def test_a_holiday_is_like_a_sunday() -> None:
    habit = made(42)
    noon = MONDAY + timedelta(hours=12)

    working = habit.expect(MONDAY, None, noon, no_holidays)
    holiday = habit.expect(MONDAY, None, noon, lambda day: day.date() == noon.date())

    assert working is not None
    assert holiday is not None
    assert holiday.value - working.value > 30


def test_too_little_is_said_to_be_so() -> None:
    assert made(4).expect(MONDAY, 50, MONDAY + HOUR, no_holidays) is None
    assert made(0).expect(MONDAY, 50, MONDAY + HOUR, no_holidays) is None


def real_series(folder: Path) -> dict[str, dict[datetime, float]]:
    """Free spaces of car parks of German cities, every quarter of an hour for ten days."""
    found: dict[str, dict[datetime, float]] = {}
    for file in sorted(folder.glob("2020-*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                at = datetime.fromisoformat(row.pop("timestamp"))
                slot = at.replace(minute=at.minute // 15 * 15, second=0)
                for name, value in row.items():
                    if value:
                        found.setdefault(name, {})[slot] = float(value)
    return found


def test_real_car_parks_are_expected_better_than_by_the_last_value_or_last_week(
    shared_data: Path,
) -> None:
    series = real_series(shared_data / "04_facilities_timeseries" / "parking_de")
    some = list(series.values())[::9]
    nows = [datetime(2020, 7, 9, hour, tzinfo=UTC) for hour in (6, 10, 14, 18)]

    for ahead_h in (0.25, 1, 3, 24):
        tried = [
            back_test(figures, now, ahead_h * HOUR, ZoneInfo("Europe/Berlin"), no_holidays)
            for figures in some
            for now in nows
        ]
        known = [one for one in tried if one is not None]
        ours, last, week, inside = (sum(column) / len(known) for column in zip(*known, strict=True))
        assert len(known) > 100, ahead_h
        assert ours < last, ahead_h
        # A day ahead, with nine days of history, nothing beats the same day of last week by much.
        assert ours < week * (1.1 if ahead_h > 3 else 1), ahead_h
        assert 0.6 < inside < 0.95, ahead_h


@pytest.mark.parametrize("above", [-6, 0, 6])
def test_the_chance_is_as_often_right_as_it_says(above: int) -> None:
    habit = made(56, noise=5)
    now = MONDAY + timedelta(hours=9)
    then = now + 30 * HOUR
    least = round(law(then)) + above

    chance = habit.chance(now, None, then, least, no_holidays)

    assert chance is not None
    of_normal = 0.5 * math.erfc((least - 0.5 - law(then)) / 5 / math.sqrt(2))
    assert chance == pytest.approx(of_normal, abs=0.12)


def test_no_chance_is_certain_and_none_is_told_of_what_is_hardly_known() -> None:
    habit = made(42)
    now = MONDAY + timedelta(hours=9)
    then = now + HOUR

    never, always = (habit.chance(now, law(now), then, n, no_holidays) for n in (1_000, 0))

    assert never is not None
    assert always is not None
    assert 0 < never < 0.01 < 0.99 < always < 1
    assert made(4).chance(now, 50, then, 1, no_holidays) is None

"""What is to be expected of facilities at a later instant; habits of series are kept a while."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from geoservice.hours import CityHours
from layers.forecast import HISTORY, INTERVAL, METHOD, Expected, Habit
from layers.observations import Freshness
from layers.series import Series, SeriesConnection, Steps, find_series, read_points

_KEPT_S = 600
_MOST_KEPT = 20_000
_HOUR = timedelta(hours=1)


class Expectations:
    """The habits that one worker knows.

    A habit is looked up by a series that the caller's role was just shown, so it is never told to
    anybody who may not read the figures that it is made of.
    """

    def __init__(self, hours: CityHours) -> None:
        self._hours = hours
        self._habits: OrderedDict[int, tuple[float, Habit]] = OrderedDict()

    async def of_facilities(
        self,
        connection: SeriesConnection,
        capacities: Mapping[int, int | None],
        at: datetime,
        resource_type: str | None = None,
    ) -> dict[int, dict[str, Any]]:
        """What is told of facilities at a later instant; those that too little is known of, lack.

        Args:
            connection: Of the reader role of the caller.
            capacities: Of the facilities, by their ids.
        """
        series = await find_series(connection, list(capacities), resource_type=resource_type)
        habits = await self._habits_of(connection, series)
        found: dict[int, dict[str, Any]] = {}
        now = datetime.now(UTC)
        # Those with the newest figures first; a series that has just begun knows no habit.
        for one in series:
            if one.feature_id in found:
                continue
            expected = self._expect(habits[one.series_id], one, now, at)
            if expected is not None:
                capacity = one.capacity if one.capacity is not None else capacities[one.feature_id]
                found[one.feature_id] = _told(expected, capacity, one)
        return found

    async def chances(
        self,
        connection: SeriesConnection,
        arrivals: Mapping[int, datetime],
        least: int,
        resource_type: str | None = None,
    ) -> dict[int, float]:
        """How likely at least so much is free in facilities; those too little known of, lack.

        Args:
            connection: Of the reader role of the caller.
            arrivals: By the facilities' ids, when it is to be free, aware.
        """
        series = await find_series(connection, list(arrivals), resource_type=resource_type)
        habits = await self._habits_of(connection, series)
        found: dict[int, float] = {}
        now, zone = datetime.now(UTC), self._hours.zone
        for one in series:
            if one.feature_id in found:
                continue
            since, figure = self._figure(one, now)
            chance = habits[one.series_id].chance(
                since.astimezone(zone),
                figure,
                arrivals[one.feature_id].astimezone(zone),
                least,
                self._hours.is_holiday,
            )
            if chance is not None:
                found[one.feature_id] = chance
        return found

    def _expect(self, habit: Habit, one: Series, now: datetime, at: datetime) -> Expected | None:
        since, figure = self._figure(one, now)
        zone = self._hours.zone
        return habit.expect(
            since.astimezone(zone), figure, at.astimezone(zone), self._hours.is_holiday
        )

    @staticmethod
    def _figure(one: Series, now: datetime) -> tuple[datetime, float | None]:
        """The newest figure of a series and its instant; none that is expired."""
        if one.observed_at is not None and one.figure is not None:
            age_s = (now - one.observed_at).total_seconds()
            if Freshness.of_age(age_s, one.ttl_s) is not Freshness.expired:
                return min(one.observed_at, now), one.figure
        return now, None

    async def _habits_of(
        self, connection: SeriesConnection, series: Sequence[Series]
    ) -> dict[int, Habit]:
        now = time.monotonic()
        found = {
            one.series_id: self._habits[one.series_id][1]
            for one in series
            if one.series_id in self._habits and now - self._habits[one.series_id][0] < _KEPT_S
        }
        missing = [one.series_id for one in series if one.series_id not in found]
        if missing:
            end = datetime.now(UTC)
            steps = Steps.around(end - HISTORY, end, _HOUR, self._hours.zone)
            for series_id, points in (await read_points(connection, missing, steps)).items():
                habit = Habit.of(
                    [point.start for point in points],
                    [point.mean for point in points],
                    self._hours.zone,
                    self._hours.is_holiday,
                )
                found[series_id] = habit
                self._habits[series_id] = now, habit
                self._habits.move_to_end(series_id)
            while len(self._habits) > _MOST_KEPT:
                self._habits.popitem(last=False)
        return found


def _told(expected: Expected, capacity: int | None, one: Series) -> dict[str, Any]:
    most = math.inf if capacity is None else capacity

    def within(value: float) -> float:
        return max(0.0, min(value, most))

    return {
        "available": round(within(expected.value)),
        "low": math.floor(within(expected.low)),
        "high": math.ceil(within(expected.high)),
        "interval": INTERVAL,
        "mean_absolute_error": round(expected.error, 1),
        "days_of_history": expected.days,
        "method": METHOD,
        "resource_type": one.resource_type or None,
        "source": one.source,
    }

"""What is to be expected of a figure later: from the week's habit and how today differs from it.

The habit is the mean figure of each hour of the week, drawn towards that of the hour on any day of
the same sort (working day, or Saturday, Sunday and holiday) while there are few weeks. Today's
difference from the habit fades with the time ahead::

    expected(t) = habit(t) + exp(-(t - now) / tau) * (figure(now) - habit(now))

``tau`` is the one of a few that would have been best in the past. How wrong that would have been,
at the same time ahead, gives the interval and the error that are told with the number.

In a back-test the habit of an hour is made without the day that is asked for, and without those
after it where the past alone is to speak (``back_test``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HISTORY = timedelta(days=56)
LEAST_DAYS = 5
"""Days with figures below which nothing is said."""

MAX_AHEAD = timedelta(days=14)
INTERVAL = 0.8
METHOD = "hour-of-week habit with fading difference"

_HOURS_OF_WEEK, _HOURS_OF_DAY = 168, 24
_TAUS_H = (0.75, 1.5, 3.0, 6.0, 12.0, 24.0)
_DRAWN_BY = 1.5
"""Weeks for which the habit of all days of a sort counts beside those of the hour of the week."""

IsHoliday = Callable[[datetime], bool]
"""Says of a local day whether it is like a Sunday."""


@dataclass(frozen=True)
class Expected:
    """A number for a later instant, and how far it may be trusted.

    Attributes:
        low: Lower end of the interval that would have held ``INTERVAL`` of the past.
        error: Mean absolute error of the past at the same time ahead.
        days: Days of history that it is from.
    """

    value: float
    low: float
    high: float
    error: float
    days: int


class Tried(NamedTuple):
    """How far off one forecast would have been, beside two that need no thought.

    Attributes:
        last: Of the last value.
        week: Of the value of the same hour a week before.
        is_inside: Whether the truth lay in the interval.
    """

    ours: float
    last: float
    week: float
    is_inside: bool


def back_test(
    figures: Mapping[datetime, float],
    now: datetime,
    ahead: timedelta,
    zone: ZoneInfo,
    is_holiday: IsHoliday,
) -> Tried | None:
    """Forecast from what was known at an instant alone; None if what is compared is not there.

    Args:
        figures: By aware instants; ``now``, what lies ``ahead``, and a week before that must be
            among them.
    """
    then = now + ahead
    last, truth, week = (figures.get(at) for at in (now, then, then - timedelta(days=7)))
    if last is None or truth is None or week is None:
        return None
    hours: dict[datetime, list[float]] = {}
    for at, value in figures.items():
        if at < now:
            hours.setdefault(at.replace(minute=0, second=0, microsecond=0), []).append(value)
    means = [sum(values) / len(values) for _, values in sorted(hours.items())]
    habit = Habit.of(sorted(hours), means, zone, is_holiday)
    found = habit.expect(now.astimezone(zone), last, then.astimezone(zone), is_holiday)
    if found is None:
        return None
    is_inside = found.low <= truth <= found.high
    return Tried(abs(found.value - truth), abs(last - truth), abs(week - truth), is_inside)


class Habit:
    """The hours of one series.

    Args:
        hours: Hours since 1970 on the city's clock, ascending, each once.
        values: Mean figures of those hours, as many.
        is_free: For each, whether its day is a Saturday, Sunday or holiday.
    """

    def __init__(self, hours: Ints, values: Floats, is_free: npt.NDArray[np.bool_]) -> None:
        self._hours = hours
        self._values = values
        self._sort = np.where(is_free, _HOURS_OF_DAY, 0) + hours % _HOURS_OF_DAY
        # 1970 began on a Thursday.
        self._of_week = (hours + 3 * _HOURS_OF_DAY) % _HOURS_OF_WEEK

    @classmethod
    def of(
        cls,
        starts: Sequence[datetime],
        values: Sequence[float | None],
        zone: ZoneInfo,
        is_holiday: IsHoliday,
    ) -> Habit:
        """The habit of hours that begin at aware instants; hours without figures are left out."""
        known = [
            (s.astimezone(zone), v) for s, v in zip(starts, values, strict=True) if v is not None
        ]
        hours = np.array([local_hour(local) for local, _ in known], dtype=np.int64)
        free = np.array([is_free_day(local, is_holiday) for local, _ in known], dtype=np.bool_)
        return cls(hours, np.array([value for _, value in known], dtype=np.float64), free)

    @property
    def days(self) -> int:
        """Days with figures."""
        return len(np.unique(self._hours // _HOURS_OF_DAY))

    def expect(
        self, now: datetime, figure: float | None, at: datetime, is_holiday: IsHoliday
    ) -> Expected | None:
        """What is to be expected; None if too little is known.

        Args:
            now: Local, aware; ``figure`` was true then. Without a figure only the habit speaks.
            at: Local, aware, later.
        """
        found = self._value_and_missed(now, figure, at, is_holiday)
        if found is None:
            return None
        value, missed = found
        lower, upper = np.quantile(missed, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
        error = float(np.abs(missed).mean())
        return Expected(value, value + float(lower), value + float(upper), error, self.days)

    def chance(
        self, now: datetime, figure: float | None, at: datetime, least: int, is_holiday: IsHoliday
    ) -> float | None:
        """How likely at least so much is free: the share of the past in which it would have been.

        Neither 0 nor 1, as the past is never all there is (rule of succession). None if too little
        is known; arguments as of ``expect``.
        """
        found = self._value_and_missed(now, figure, at, is_holiday)
        if found is None:
            return None
        value, missed = found
        # Figures are whole, so what is expected rounds to one.
        enough = int((value + missed >= least - 0.5).sum())
        return (enough + 1) / (len(missed) + 2)

    def _value_and_missed(
        self, now: datetime, figure: float | None, at: datetime, is_holiday: IsHoliday
    ) -> tuple[float, Floats] | None:
        """What is to be expected, and what the past had more than was to be expected then."""
        ahead_h = (at - now) / timedelta(hours=1)
        habit_then = self.habit(at, is_holiday)
        if self.days < LEAST_DAYS or habit_then is None:
            return None
        habit_now = self.habit(now, is_holiday)
        weight, missed = self._past(max(1, round(ahead_h)), has_figure=figure is not None)
        value = habit_then
        if figure is not None and habit_now is not None:
            value += _fading(ahead_h, weight) * (figure - habit_now)
        if ahead_h < 1:
            # Within the hour an error grows from nothing to that of the hour.
            missed = missed * math.sqrt(max(ahead_h, 0.05))
        return value, missed

    def habit(self, at: datetime, is_holiday: IsHoliday) -> float | None:
        """The habit at a local instant: between the middles of hours, straight lines."""
        middle = at - timedelta(minutes=30)
        share = (middle.minute + middle.second / 60) / 60
        hours = [middle.replace(minute=0, second=0, microsecond=0)]
        hours.append(hours[0] + timedelta(hours=1))
        ends = [self._mean(hour, is_holiday) for hour in hours]
        known = [value for value in ends if value is not None]
        if len(known) < len(ends):
            return known[0] if known else None
        return known[0] * (1 - share) + known[1] * share

    def _mean(self, hour: datetime, is_holiday: IsHoliday) -> float | None:
        sort = (_HOURS_OF_DAY if is_free_day(hour, is_holiday) else 0) + hour.hour
        week = (local_hour(hour) + 3 * _HOURS_OF_DAY) % _HOURS_OF_WEEK
        of_sort = self._values[self._sort == sort]
        if not len(of_sort):
            return None
        # A holiday is not like other days of its name.
        is_usual = self._sort == sort
        of_week = self._values[is_usual & (self._of_week == week)]
        drawn = _DRAWN_BY * of_sort.mean()
        return float((of_week.sum() + drawn) / (len(of_week) + _DRAWN_BY))

    @cached_property
    def _without_own_day(self) -> Floats:
        """The habit of each hour, made of all other days."""
        key = self._sort * _HOURS_OF_WEEK + self._of_week
        week_sum, week_n = _others(key, self._values)
        sort_sum, sort_n = _others(self._sort, self._values)
        with np.errstate(invalid="ignore", divide="ignore"):
            sort_mean = np.where(sort_n > 0, sort_sum / sort_n, np.nan)
        return (week_sum + _DRAWN_BY * sort_mean) / (week_n + _DRAWN_BY)

    def _past(self, ahead_h: int, *, has_figure: bool) -> tuple[float, Floats]:
        """The best ``tau`` for a time ahead, and what was missed with it."""
        habit = self._without_own_day
        missed = self._values - habit
        plain = missed[~np.isnan(missed)]
        if not has_figure:
            return 0.0, plain if len(plain) else np.zeros(1)
        before = np.searchsorted(self._hours, self._hours - ahead_h)
        is_there = self._hours[np.minimum(before, len(before) - 1)] == self._hours - ahead_h
        difference = np.where(is_there, missed[np.minimum(before, len(before) - 1)], np.nan)
        both = ~np.isnan(difference) & ~np.isnan(missed)
        if both.sum() < _HOURS_OF_DAY:
            return 0.0, plain if len(plain) else np.zeros(1)
        tries = {
            tau: missed[both] - _fading(ahead_h, tau) * difference[both] for tau in (*_TAUS_H, 0.0)
        }
        best = min(tries, key=lambda tau: float(np.abs(tries[tau]).mean()))
        return best, tries[best]


def _others(key: Ints, values: Floats) -> tuple[Floats, Floats]:
    """For each value sum and number of the others with its key."""
    _, inverse = np.unique(key, return_inverse=True)
    sums = np.bincount(inverse, weights=values)
    counts = np.bincount(inverse).astype(np.float64)
    return sums[inverse] - values, counts[inverse] - 1


def _fading(ahead_h: float, tau_h: float) -> float:
    return math.exp(-ahead_h / tau_h) if tau_h > 0 else 0.0


def local_hour(local: datetime) -> int:
    """Hours since 1970 of a local instant, on its own clock."""
    return local.toordinal() * _HOURS_OF_DAY + local.hour - _EPOCH_DAY * _HOURS_OF_DAY


_EPOCH_DAY = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001  # a day, no instant


def is_free_day(local: datetime, is_holiday: IsHoliday) -> bool:
    """Whether a local day is a Saturday, a Sunday or a holiday."""
    saturday = 5
    return local.weekday() >= saturday or is_holiday(local)

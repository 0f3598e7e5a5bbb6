"""Figures of one feature over time: by steps, from rollups where these are at hand and right.

Whatever is marked as outdated is read from the figures themselves, so an answer never lags behind
what was taken in. Rollups and figures give the same numbers; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from layers.observations import AVAILABILITY
from layers.rollups import FINEST, Step

MAX_POINTS = 10_000
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Rows(Protocol):
    """What a statement gave."""

    async def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""


class SeriesConnection(Protocol):
    """What is needed of a driver's connection; psycopg's has it."""

    async def execute(self, query: str, params: Mapping[str, Any]) -> Rows:
        """Run a statement with named parameters (``%(name)s``)."""


@dataclass(frozen=True)
class Series:
    """What is measured where, by whom, and its newest figure."""

    series_id: int
    feature_id: int
    resource_type: str
    source: str
    unit: str | None
    ttl_s: int
    observed_at: datetime | None
    figure: float | None
    capacity: int | None


class Point(NamedTuple):
    """One step: without figures all is None.

    Attributes:
        start: Beginning of the step, aware; the step is half-open.
        figures: How many there are.
        mean: Of the figures, not weighted by how long each held.
    """

    start: datetime
    figures: int
    mean: float | None
    minimum: float | None
    maximum: float | None
    last: float | None
    capacity: int | None


@dataclass(frozen=True)
class Steps:
    """A span of time in steps on the city's clock.

    Attributes:
        step: At least a minute; whole days are days of the city, whatever their length.
    """

    begin: datetime
    end: datetime
    step: timedelta
    zone: ZoneInfo

    @classmethod
    def around(cls, begin: datetime, end: datetime, step: timedelta, zone: ZoneInfo) -> Steps:
        """The steps that a span touches, counted from midnight of its first day."""
        steps = cls(begin, end, step, zone)
        first = steps._floor(begin)
        last = steps._floor(end)
        return cls(first, last if last == end else steps._next(last), step, zone)

    def starts(self) -> list[datetime]:
        """The beginnings of all steps, aware, in UTC."""
        found: list[datetime] = []
        at = self.begin
        while at < self.end and len(found) <= MAX_POINTS:
            found.append(at)
            at = self._next(at)
        return found

    @property
    def is_by_days(self) -> bool:
        """Whether steps are whole days."""
        return self.step % _DAY == timedelta(0)

    @property
    def finest(self) -> Step | None:
        """The longest rollups that steps are made of; None where they are of single figures."""
        if self.is_by_days:
            return Step.DAY
        if self.step % _HOUR == timedelta(0):
            return Step.HOUR
        return Step.FIVE_MINUTES if self.step % FINEST == timedelta(0) else None

    def _floor(self, instant: datetime) -> datetime:
        local = instant.astimezone(self.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        if self.is_by_days:
            return midnight.astimezone(UTC)
        origin = midnight.astimezone(UTC)
        return origin + (instant.astimezone(UTC) - origin) // self.step * self.step

    def _next(self, start: datetime) -> datetime:
        if not self.is_by_days:
            return start + self.step
        local = start.astimezone(self.zone)
        # Wall clock, so that a day of 23 hours is one.
        return (local + self.step).replace(tzinfo=self.zone).astimezone(UTC)


async def find_series(
    connection: SeriesConnection,
    feature_ids: Sequence[int],
    *,
    property_: str = AVAILABILITY,
    resource_type: str | None = None,
    source: str | None = None,
) -> list[Series]:
    """The series of features that the role may read, those with the newest figures first."""
    found = await connection.execute(
        _FIND,
        {
            "features": list(feature_ids),
            "property": property_,
            "resource_type": resource_type,
            "source": source,
        },
    )
    return [Series(*row) for row in await found.fetchall()]


async def read_points(
    connection: SeriesConnection, series_ids: Sequence[int], steps: Steps
) -> dict[int, list[Point]]:
    """The points of series; steps without figures are there too."""
    starts = steps.starts()
    found = await connection.execute(
        _points_statement(steps.finest),
        {
            "series": list(series_ids),
            "begin": steps.begin,
            "end": steps.end,
            "starts": [*starts, steps.end],
            "zone": steps.zone.key,
        },
    )
    points = {
        series: [Point(start, 0, None, None, None, None, None) for start in starts]
        for series in series_ids
    }
    for series, number, count, total, *rest in await found.fetchall():
        start = starts[number - 1]
        points[series][number - 1] = Point(start, count, total / count, *rest)
    return points


_FIND = """
SELECT s.series_id, s.feature_id, s.resource_type, s.source, s.unit, s.ttl_s,
       n.observed_at, n.figure, n.capacity
FROM series s
LEFT JOIN LATERAL (
    SELECT o.observed_at, coalesce(o.value, o.available) AS figure, o.capacity
    FROM observations o WHERE o.series_id = s.series_id
    ORDER BY o.observed_at DESC LIMIT 1
) n ON true
WHERE s.feature_id = ANY (%(features)s) AND s.property = %(property)s
  AND (%(resource_type)s::text IS NULL OR s.resource_type = %(resource_type)s)
  AND (%(source)s::text IS NULL OR s.source = %(source)s)
ORDER BY n.observed_at DESC NULLS LAST, s.series_id"""

_PARTS = """count(figure) AS count, sum(figure) AS sum, min(figure) AS minimum,
       max(figure) AS maximum,
       (array_agg(figure ORDER BY observed_at DESC))[1] AS last,
       (array_agg(capacity ORDER BY observed_at DESC))[1] AS capacity"""

_FIGURES = """
SELECT series_id, {start} AS bucket_start, {parts}
FROM (
    SELECT o.series_id, o.observed_at, coalesce(o.value, o.available) AS figure, o.capacity
    FROM observations o
    WHERE o.series_id = ANY (%(series)s) AND o.observed_at >= %(begin)s
      AND o.observed_at < %(end)s AND coalesce(o.value, o.available) IS NOT NULL {which}
) o GROUP BY series_id, bucket_start"""

_GATHER = """
SELECT series_id, width_bucket(bucket_start, CAST(%(starts)s AS timestamptz[])) AS step,
       CAST(sum(count) AS bigint), sum(sum), min(minimum), max(maximum),
       (array_agg(last ORDER BY bucket_start DESC))[1],
       (array_agg(capacity ORDER BY bucket_start DESC))[1]
FROM parts WHERE count > 0 GROUP BY series_id, step ORDER BY series_id, step"""


@lru_cache(maxsize=8)
def _points_statement(finest: Step | None) -> str:
    if finest is None:
        figures = _FIGURES.format(start="observed_at", parts=_PARTS, which="")
        return f"WITH parts AS ({figures}) {_GATHER}"
    unit = {Step.FIVE_MINUTES: None, Step.HOUR: "hour", Step.DAY: "day"}[finest]

    def start(instant: str) -> str:
        if unit is None:
            return f"date_bin('5 minutes', {instant}, 'epoch')"
        return f"date_trunc('{unit}', {instant}, %(zone)s)"

    outdated = (
        f"SELECT DISTINCT series_id, {start('bucket_start')} AS bucket_start "
        "FROM outdated_rollups WHERE series_id = ANY (%(series)s)"
    )
    which = (
        "AND EXISTS (SELECT FROM outdated u WHERE u.series_id = o.series_id "
        f"AND u.bucket_start = {start('o.observed_at')})"
    )
    figures = _FIGURES.format(start=start("observed_at"), parts=_PARTS, which=which)
    return f"""
        WITH outdated AS MATERIALIZED ({outdated}),
        parts AS (
            SELECT r.series_id, r.bucket_start, r.count, r.sum, r.minimum, r.maximum, r.last,
                   r.capacity
            FROM observation_rollups r
            WHERE r.series_id = ANY (%(series)s) AND r.step_min = {finest:d}
              AND r.bucket_start >= %(begin)s AND r.bucket_start < %(end)s
              AND NOT EXISTS (SELECT FROM outdated u WHERE u.series_id = r.series_id
                              AND u.bucket_start = r.bucket_start)
            UNION ALL {figures}
        ) {_GATHER}"""

"""Rollups: counts, sums and bounds of figures by five minutes, hour and day, kept as data come.

Whatever is written down marks its five minutes as outdated, in the same transaction; late figures
and corrections do so too. A task in the background makes the marked ones anew from the figures
themselves, and hours and days from those below, so a rollup is never a sum of guesses. Hours and
days are those of the city's clock. What is still marked is read from the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

FINEST = timedelta(minutes=5)
MADE_AT_ONCE = 20_000


class Step(IntEnum):
    """Lengths of rollups in minutes, as they are stored."""

    FIVE_MINUTES = 5
    HOUR = 60
    DAY = 1_440


async def mark_outdated(
    connection: AsyncConnection, series_ids: Sequence[int], observed_at: Sequence[datetime]
) -> None:
    """Have the rollups of figures made anew: of pairs of a series and an instant."""
    await connection.execute(text(_MARK), {"series_id": series_ids, "observed_at": observed_at})


async def refresh(connection: AsyncConnection, time_zone: str) -> int:
    """Make outdated rollups anew; how many marks were taken, at most ``MADE_AT_ONCE``.

    Inside the caller's transaction of the ingest role.

    Args:
        time_zone: Of the city (tz database), whose hours and days are meant.
    """
    rows = (await connection.execute(text(_TAKE), {"most": MADE_AT_ONCE})).all()
    if not rows:
        return 0
    # Tables that have just begun to grow look as if reading all of them cost nothing.
    await connection.execute(text("SET LOCAL enable_seqscan = off"))
    buckets = sorted({(row[0], row[1]) for row in rows})
    months = sorted({start.strftime("%Y%m"): start for _, start in buckets}.items())
    for _, start in months:
        await connection.execute(
            text("SELECT city.ensure_rollup_partition(:instant)"), {"instant": start}
        )
    parameters: dict[str, Any] = {
        "series_id": [series for series, _ in buckets],
        "bucket_start": [start for _, start in buckets],
    }
    await connection.execute(text(_FROM_FIGURES), parameters)
    parameters["time_zone"] = time_zone
    for statement in (_HOURS, _DAYS):
        await connection.execute(text(statement), parameters)
    return len(rows)


_MARK = """
INSERT INTO city.rollup_queue (series_id, bucket_start)
SELECT DISTINCT i.series_id, date_bin('5 minutes', i.observed_at, 'epoch')
FROM unnest(CAST(:series_id AS int[]), CAST(:observed_at AS timestamptz[]))
    AS i (series_id, observed_at)"""

_TAKE = """
DELETE FROM city.rollup_queue
WHERE ctid = ANY(ARRAY(SELECT ctid FROM city.rollup_queue LIMIT :most))
RETURNING series_id, bucket_start"""

_BUCKETS = """
unnest(CAST(:series_id AS int[]), CAST(:bucket_start AS timestamptz[]))
    AS b (series_id, bucket_start)"""

_WRITE = """
INSERT INTO city.observation_rollups
    (series_id, step_min, bucket_start, count, sum, minimum, maximum, last, capacity)
{}
ON CONFLICT (series_id, step_min, bucket_start) DO UPDATE
SET count = excluded.count, sum = excluded.sum, minimum = excluded.minimum,
    maximum = excluded.maximum, last = excluded.last, capacity = excluded.capacity"""

# A bucket without figures, because they were corrected away, is written too: with a count of 0.
_FROM_FIGURES = _WRITE.format(f"""
SELECT b.series_id, {Step.FIVE_MINUTES:d}, b.bucket_start, f.*
FROM {_BUCKETS}
CROSS JOIN LATERAL (
    SELECT count(figure), sum(figure), min(figure), max(figure),
           (array_agg(figure ORDER BY observed_at DESC) FILTER (WHERE figure IS NOT NULL))[1],
           (array_agg(capacity ORDER BY observed_at DESC) FILTER (WHERE figure IS NOT NULL))[1]
    FROM (
        SELECT o.observed_at, coalesce(o.value, o.available) AS figure, o.capacity
        FROM city.observations o
        WHERE o.series_id = b.series_id AND o.observed_at >= b.bucket_start
          AND o.observed_at < b.bucket_start + interval '5 minutes'
    ) o
) f""")


def _from_finer(finer: Step, step: Step, end: str) -> str:
    """The statement that makes the rollups of a step from those of the next finer one.

    Args:
        end: SQL of the end of a bucket ``b``, exclusive.
    """
    return _WRITE.format(f"""
SELECT b.series_id, {step:d}, b.bucket_start, f.*
FROM (
    SELECT DISTINCT series_id,
           date_trunc('{step.name.lower()}', bucket_start, :time_zone) AS bucket_start
    FROM {_BUCKETS}
) b
CROSS JOIN LATERAL (
    SELECT coalesce(sum(r.count), 0), sum(r.sum), min(r.minimum), max(r.maximum),
           (array_agg(r.last ORDER BY r.bucket_start DESC) FILTER (WHERE r.count > 0))[1],
           (array_agg(r.capacity ORDER BY r.bucket_start DESC) FILTER (WHERE r.count > 0))[1]
    FROM city.observation_rollups r
    WHERE r.series_id = b.series_id AND r.step_min = {finer:d}
      AND r.bucket_start >= b.bucket_start AND r.bucket_start < {end}
) f""")


_HOURS = _from_finer(Step.FIVE_MINUTES, Step.HOUR, "b.bucket_start + interval '1 hour'")

# A day of the city need not have 24 hours.
_DAYS = _from_finer(
    Step.HOUR,
    Step.DAY,
    "((b.bucket_start AT TIME ZONE :time_zone) + interval '1 day') AT TIME ZONE :time_zone",
)

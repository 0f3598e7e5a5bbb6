"""Figures that expire with nothing new coming: what was told of them is not true any more.

``series_status.expires_at`` is when the newest figure of a series expires, and none once that was
told, so it is told once, and what is due is found by an index however many series there are.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from layers.events import append_status_events
from layers.observations import STALE_FACTOR

EXPIRED_AT_ONCE = 5_000


def expiry(observed_at: str, ttl_s: str) -> str:
    """SQL of the last instant at which a figure has not expired, of SQL of its members."""
    return f"{observed_at} + make_interval(secs => {STALE_FACTOR} * {ttl_s})"


async def expire(connection: AsyncConnection, now: datetime) -> int:
    """Leave an event for each series whose newest figure has expired; how many those were.

    Inside the caller's transaction of the ingest role; at most ``EXPIRED_AT_ONCE``. A series that
    is being written just now is left for the next time.

    Args:
        now: Aware.
    """
    found = await connection.execute(text(_EXPIRE), {"now": now, "most": EXPIRED_AT_ONCE})
    series = list(found.scalars())
    if series:
        await append_status_events(connection, series, now)
    return len(series)


_EXPIRE = """
WITH due AS (
    SELECT series_id FROM city.series_status
    WHERE expires_at < :now
    ORDER BY expires_at LIMIT :most
    FOR UPDATE SKIP LOCKED
)
UPDATE city.series_status t
SET expires_at = NULL, changed_at = :now, previous_available = t.available
FROM due WHERE t.series_id = due.series_id
RETURNING t.series_id"""

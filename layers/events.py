"""Events: what has changed in what the service would answer, in an order that everybody sees alike.

Whoever changes an answer leaves rows in the outbox, in the same transaction. One relay at a time
moves what was committed into ``city.events`` and numbers it without gaps, so a reader that has
seen number n asks for what is above n and misses nothing, whenever a transaction began or ended.
Of one series events come in the order of its changes, because whoever changes it holds its row of
``series_status`` until its own events are committed.
NOTIFY carries no data: it only says that it is worth looking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from layers.observations import AVAILABILITY, Freshness

OUTBOX_CHANNEL = "city_outbox"
"""Notified when something was left in the outbox."""

EVENTS_CHANNEL = "city_events"
"""Notified when events were numbered."""

RELAYED_AT_ONCE = 10_000


class Topic(StrEnum):
    """What an event is about."""

    AVAILABILITY = "availability"
    MEASUREMENT = "measurement"
    ALERT = "alert"
    REPORT = "report"


async def append_status_events(
    connection: AsyncConnection, series_ids: Sequence[int], received_at: datetime
) -> None:
    """Leave an event for each series whose newest figures became others at ``received_at``.

    Of a figure that has expired neither what was free nor the value is told.
    """
    await connection.execute(
        text(_APPEND_STATUS), {"series_id": series_ids, "received_at": received_at}
    )


async def append_event(
    connection: AsyncConnection,
    topic: Topic,
    clearance: int,
    body: Mapping[str, Any],
    *,
    layer: str | None = None,
    feature_id: int | None = None,
) -> None:
    """Leave one event, in the caller's transaction."""
    parameters = {"topic": topic, "clearance": clearance, "body": body}
    feature = {"layer": layer, "feature_id": feature_id}
    await connection.execute(_APPEND, parameters | feature)
    await connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": OUTBOX_CHANNEL})


async def relay(connection: AsyncConnection) -> int:
    """Number what was left in the outbox, at most ``RELAYED_AT_ONCE``; how many those were.

    Inside the caller's transaction of the ingest role. Two relays take turns.
    """
    taken = await connection.execute(text("SELECT last_no FROM city.event_numbers FOR UPDATE"))
    last: int = taken.scalar_one()
    ends = {"first": last + 1, "last": last + RELAYED_AT_ONCE}
    await connection.execute(text(_ENSURE_PARTITIONS), ends)
    moved = await connection.execute(text(_RELAY), {"most": RELAYED_AT_ONCE, "last": last})
    count = moved.rowcount
    if count:
        after = {"last": last + count, "channel": EVENTS_CHANNEL}
        await connection.execute(text(_RELAYED), after)
    return count


_APPEND = text("""
INSERT INTO city.outbox (topic, layer, feature_id, clearance, body)
VALUES (:topic, :layer, :feature_id, :clearance, :body)""").bindparams(
    bindparam("body", type_=JSONB)
)

_APPEND_STATUS = f"""
WITH written AS (
    INSERT INTO city.outbox (topic, layer, feature_id, clearance, body)
    SELECT CASE t.property WHEN '{AVAILABILITY}' THEN '{Topic.AVAILABILITY}'
                           ELSE '{Topic.MEASUREMENT}' END,
           s.layer, t.feature_id, t.clearance,
           jsonb_strip_nulls(jsonb_build_object(
               'property', t.property, 'resource_type', t.resource_type, 'source', t.source,
               'observed_at', t.observed_at, 'ttl_s', t.ttl_s,
               'available', CASE WHEN t.expires_at IS NOT NULL THEN t.available END,
               'previous_available', t.previous_available, 'capacity', t.capacity,
               'value', CASE WHEN t.expires_at IS NOT NULL THEN t.value END,
               'unit', s.unit, 'status', t.status,
               'freshness', CASE WHEN t.expires_at IS NULL THEN '{Freshness.expired.name}'
                   WHEN t.observed_at + make_interval(secs => t.ttl_s) < :received_at
                   THEN '{Freshness.stale.name}' ELSE '{Freshness.fresh.name}' END))
    FROM city.series_status t JOIN city.series s USING (series_id)
    WHERE t.series_id = ANY(CAST(:series_id AS int[])) AND t.changed_at = :received_at
    ORDER BY t.series_id
    RETURNING 1
)
SELECT pg_notify('{OUTBOX_CHANNEL}', '') FROM written LIMIT 1"""

_ENSURE_PARTITIONS = """
SELECT city.ensure_event_partition(:first), city.ensure_event_partition(:last)"""

# Whatever is visible here was committed; what is committed later gets a higher number.
_RELAY = """
WITH taken AS (
    DELETE FROM city.outbox
    WHERE outbox_id IN (SELECT outbox_id FROM city.outbox ORDER BY outbox_id LIMIT :most)
    RETURNING outbox_id, occurred_at, topic, layer, feature_id, clearance, body
)
INSERT INTO city.events (event_no, occurred_at, topic, layer, feature_id, clearance, body)
SELECT :last + row_number() OVER (ORDER BY outbox_id), occurred_at, topic, layer, feature_id,
       clearance, body
FROM taken"""

_RELAYED = """
WITH moved AS (UPDATE city.event_numbers SET last_no = :last RETURNING last_no)
SELECT pg_notify(:channel, '') FROM moved"""

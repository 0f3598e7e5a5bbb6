"""Subscriptions and what was queued for them, as the desk role reads and writes them.

What is sent is queued in the transaction that notes how far events were looked at, so an event is
queued once, whatever happens in between; it is sent at least once. Of one feature only the oldest
that waits is sent, so what arrives of it is in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import bindparam

from layers.access import Clearance

MAX_ATTEMPTS = 15
KEPT_DAYS, DEAD_KEPT_DAYS = 7, 30


class Subscription(NamedTuple):
    """One subscription that is in force.

    Attributes:
        level: That of its key now.
        reached_no: The event up to which deliveries were queued.
    """

    subscription_id: UUID
    level: Clearance
    asked: Mapping[str, Any]
    reached_no: int


class Delivery(NamedTuple):
    """One event that waits to be sent."""

    delivery_id: int
    subscription_id: UUID
    url: str
    secret: str
    level: Clearance
    event_no: int
    feature_id: int | None
    body: Mapping[str, Any]
    attempts: int


State = tuple[int, str]
"""Feature and type of the resource of which a condition is met."""


class Queued(NamedTuple):
    """An event for a subscription, not to be sent before an instant.

    Attributes:
        is_held: Whether it waits for the end of quiet hours, where only the newest of a feature is
            of interest.
    """

    event_no: int
    feature_id: int | None
    body: Mapping[str, Any]
    due_at: datetime
    is_held: bool


async def in_force(connection: AsyncConnection) -> list[Subscription]:
    """The subscriptions that are in force; those whose key is not any more, are ended."""
    await connection.execute(text(_END_WITH_KEY))
    rows = await connection.execute(text(_IN_FORCE))
    return [Subscription(row[0], Clearance(row[1]), row[2], row[3]) for row in rows]


async def states_of(connection: AsyncConnection, subscription: UUID) -> set[State]:
    """Where the condition of a subscription is met, as it was told last."""
    rows = await connection.execute(text(_STATES), {"subscription": subscription})
    return {(row[0], row[1]) for row in rows}


async def queue(
    connection: AsyncConnection,
    subscription: UUID,
    found: Sequence[Queued],
    *,
    met: Iterable[State],
    unmet: Iterable[State],
    reached_no: int,
) -> None:
    """Queue events of a subscription, and note how far it was looked at.

    Args:
        met: Where its condition has come to be met.
        unmet: Where it has ceased to be.
    """
    for one in found:
        of_feature = {"subscription": subscription, "feature_id": one.feature_id}
        if one.is_held:
            await connection.execute(text(_REPLACE), of_feature)
        await connection.execute(
            _QUEUE,
            of_feature | {"event_no": one.event_no, "body": one.body, "due_at": one.due_at},
        )
    for statement, states in ((_SET_STATE, met), (_CLEAR_STATE, unmet)):
        for feature_id, resource_type in states:
            key = {"feature_id": feature_id, "resource_type": resource_type}
            await connection.execute(text(statement), {"subscription": subscription} | key)
    await connection.execute(
        text(_REACHED), {"subscription": subscription, "reached_no": reached_no}
    )


async def due(connection: AsyncConnection, most: int) -> list[Delivery]:
    """What is to be sent now: of each feature and subscription the oldest."""
    rows = await connection.execute(text(_DUE), {"most": most})
    return [Delivery._make((*row[:4], Clearance(row[4]), *row[5:])) for row in rows]


async def note_sent(connection: AsyncConnection, delivery: Delivery) -> None:
    """Note that a delivery has arrived."""
    await connection.execute(text(_SENT), {"delivery": delivery.delivery_id})


async def note_superseded(connection: AsyncConnection, delivery: Delivery, reason: str) -> None:
    """Note that a delivery is not to be sent any more."""
    parameters = {"delivery": delivery.delivery_id, "reason": reason}
    await connection.execute(text(_SUPERSEDED), parameters)


async def note_failed(
    connection: AsyncConnection, delivery: Delivery, reason: str, again_at: datetime
) -> None:
    """Note that a delivery has failed; after ``MAX_ATTEMPTS`` it is dead."""
    parameters = {"delivery": delivery.delivery_id, "reason": reason, "again_at": again_at}
    await connection.execute(text(_FAILED), parameters | {"most": MAX_ATTEMPTS})


async def end(connection: AsyncConnection, subscription: UUID, reason: str) -> None:
    """End a subscription for a reason that its owner is told."""
    await connection.execute(text(_END), {"subscription": subscription, "reason": reason})


async def tidy(connection: AsyncConnection) -> None:
    """Forget what was sent some days ago, and what is dead for longer."""
    await connection.execute(text(_TIDY), {"days": KEPT_DAYS, "dead_days": DEAD_KEPT_DAYS})


_KEY_IN_FORCE = "k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())"

_END_WITH_KEY = f"""
UPDATE city.subscriptions s SET ended_at = now(), ended_because = 'its key is not in force'
FROM city.api_keys k
WHERE k.key_id = s.owner AND s.ended_at IS NULL AND NOT ({_KEY_IN_FORCE})"""

_IN_FORCE = """
SELECT s.subscription_id, k.clearance, s.asked, s.reached_no
FROM city.subscriptions s JOIN city.api_keys k ON k.key_id = s.owner
WHERE s.ended_at IS NULL ORDER BY s.created_at, s.subscription_id"""

_STATES = """
SELECT feature_id, resource_type FROM city.subscription_states
WHERE subscription_id = :subscription"""

_QUEUE = text("""
INSERT INTO city.deliveries (subscription_id, event_no, feature_id, body, due_at)
VALUES (:subscription, :event_no, :feature_id, :body, :due_at)
ON CONFLICT (subscription_id, event_no) DO NOTHING""").bindparams(bindparam("body", type_=JSONB))

_REPLACE = """
UPDATE city.deliveries
SET state = 'superseded', ended_at = clock_timestamp(), last_error = 'a newer one came'
WHERE subscription_id = :subscription AND feature_id = :feature_id AND state = 'waiting'
  AND due_at > clock_timestamp() AND attempts = 0"""

_SET_STATE = """
INSERT INTO city.subscription_states (subscription_id, feature_id, resource_type)
VALUES (:subscription, :feature_id, :resource_type) ON CONFLICT DO NOTHING"""

_CLEAR_STATE = """
DELETE FROM city.subscription_states
WHERE subscription_id = :subscription AND feature_id = :feature_id
  AND resource_type = :resource_type"""

_REACHED = """
UPDATE city.subscriptions SET reached_no = :reached_no
WHERE subscription_id = :subscription AND reached_no < :reached_no"""

_DUE = f"""
SELECT d.delivery_id, d.subscription_id, s.url, s.secret, k.clearance, d.event_no, d.feature_id,
       d.body, d.attempts
FROM (
    SELECT DISTINCT ON (subscription_id, feature_id) *
    FROM city.deliveries WHERE state = 'waiting'
    ORDER BY subscription_id, feature_id, delivery_id
) d
JOIN city.subscriptions s USING (subscription_id)
JOIN city.api_keys k ON k.key_id = s.owner
WHERE d.due_at <= clock_timestamp() AND s.ended_at IS NULL AND {_KEY_IN_FORCE}
ORDER BY d.due_at LIMIT :most"""

_SENT = """
UPDATE city.deliveries
SET state = 'delivered', attempts = attempts + 1, ended_at = clock_timestamp(), last_error = NULL
WHERE delivery_id = :delivery"""

_SUPERSEDED = """
UPDATE city.deliveries
SET state = 'superseded', ended_at = clock_timestamp(), last_error = :reason
WHERE delivery_id = :delivery"""

_FAILED = """
UPDATE city.deliveries
SET attempts = attempts + 1, last_error = :reason, due_at = :again_at,
    state = CASE WHEN attempts + 1 >= :most THEN 'dead' ELSE state END,
    ended_at = CASE WHEN attempts + 1 >= :most THEN clock_timestamp() END
WHERE delivery_id = :delivery"""

_END = """
UPDATE city.subscriptions SET ended_at = clock_timestamp(), ended_because = :reason
WHERE subscription_id = :subscription AND ended_at IS NULL"""

_TIDY = """
DELETE FROM city.deliveries
WHERE state IN ('delivered', 'superseded') AND ended_at < now() - make_interval(days => :days)
   OR state = 'dead' AND ended_at < now() - make_interval(days => :dead_days)"""

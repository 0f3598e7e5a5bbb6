"""Events sent to the addresses of subscribers, signed, again and again until they have arrived.

Signatures are those of Standard Webhooks (standardwebhooks.com), for which there are libraries in
most languages: ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import random
import secrets
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import orjson
import structlog

from geoservice.db import Database
from geoservice.hours import CityHours
from geoservice.push.addresses import AddressRules, NotAllowed, resolve
from geoservice.push.asked import Asked
from geoservice.push.documents import event_document
from geoservice.settings import PushSettings
from layers.access import Access, Clearance
from layers.event_reading import Event, read_events
from layers.observations import Freshness
from layers.roles import Role
from layers.subscriptions import (
    Delivery,
    Queued,
    State,
    Subscription,
    due,
    end,
    in_force,
    note_failed,
    note_sent,
    note_superseded,
    queue,
    states_of,
)

log = structlog.get_logger(__name__)

SECRET_PREFIX = "whsec_"  # noqa: S105  # the standard's own, no secret
_SECRET_BYTES = 32
_READ_AT_ONCE = 2_000
_AT_ONCE = 16
_DUE_AT_ONCE = 200
_FIRST_WAIT_S, _LONGEST_WAIT_S = 2, 3_600
_MOST_ANSWER_BYTES = 65_536
_OK, _GONE = range(200, 300), 410


def new_secret() -> str:
    """A secret for signatures, in the standard's form."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """What ``webhook-signature`` says of a message."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()


class Webhooks:
    """Queues events for subscriptions and sends what is due; for one worker at a time."""

    def __init__(self, database: Database, settings: PushSettings, hours: CityHours) -> None:
        self._database = database
        self._settings = settings
        self._hours = hours
        self._rules = AddressRules(settings.allow_private_addresses, settings.allow_http)

    async def queue_new(self, last: int) -> None:
        """Queue what subscribers want of the events up to a number.

        Args:
            last: The highest number that was given.
        """
        async with self._database.write(Role.DESK) as connection:
            behind = [one for one in await in_force(connection) if one.reached_no < last]
        for level in sorted({one.level for one in behind}):
            await self._queue_for(level, [one for one in behind if one.level == level], last)

    async def send_due(self) -> int:
        """Send what is due; how many of the deliveries were looked at."""
        async with self._database.write(Role.DESK) as connection:
            waiting = await due(connection, _DUE_AT_ONCE)
        if not waiting:
            return 0
        turns = asyncio.Semaphore(_AT_ONCE)
        async with httpx2.AsyncClient(
            timeout=self._settings.timeout_s, follow_redirects=False, trust_env=False
        ) as client:
            await asyncio.gather(*(self._deliver(client, one, turns) for one in waiting))
        return len(waiting)

    async def _queue_for(
        self, level: Clearance, subscriptions: Iterable[Subscription], last: int
    ) -> None:
        behind = list(subscriptions)
        after = min(one.reached_no for one in behind)
        while after < last:
            async with self._database.readers(Access(level)).connection() as reading:
                events = await read_events(reading, level, after, _READ_AT_ONCE)
            events = [event for event in events if event.event_no <= last]
            reached = last if len(events) < _READ_AT_ONCE else events[-1].event_no
            async with self._database.write(Role.DESK) as connection:
                for one in behind:
                    if one.reached_no >= reached:
                        continue
                    states = await states_of(connection, one.subscription_id)
                    chosen = _Chooser(Asked.model_validate(one.asked), states, self._hours)
                    found = chosen.choose(e for e in events if e.event_no > one.reached_no)
                    await queue(
                        connection,
                        one.subscription_id,
                        found,
                        met=chosen.states - states,
                        unmet=states - chosen.states,
                        reached_no=reached,
                    )
            after = reached

    async def _deliver(
        self, client: httpx2.AsyncClient, delivery: Delivery, turns: asyncio.Semaphore
    ) -> None:
        async with turns:
            if not await self._is_still_visible(delivery):
                async with self._database.write(Role.DESK) as connection:
                    await note_superseded(connection, delivery, "is not to be seen any more")
                return
            status, reason = await self._post(client, delivery)
        async with self._database.write(Role.DESK) as connection:
            if status in _OK:
                await note_sent(connection, delivery)
            elif status == _GONE:
                await end(connection, delivery.subscription_id, "the address answers 410 Gone")
            else:
                again_at = datetime.now(UTC) + _wait(delivery.attempts)
                await note_failed(connection, delivery, reason, again_at)

    async def _is_still_visible(self, delivery: Delivery) -> bool:
        """Whether the level may still read the event: rights are asked for at each delivery."""
        async with self._database.readers(Access(delivery.level)).connection() as reading:
            events = await read_events(reading, delivery.level, delivery.event_no - 1, 1)
        return bool(events) and events[0].event_no == delivery.event_no

    async def _post(self, client: httpx2.AsyncClient, delivery: Delivery) -> tuple[int, str]:
        """Status of the answer, or 0, and what is told of a failure."""
        body = orjson.dumps(delivery.body)
        message_id = f"{delivery.subscription_id}.{delivery.event_no}"
        timestamp = int(time.time())
        try:
            target = await resolve(delivery.url, self._rules)
            async with asyncio.timeout(self._settings.timeout_s):
                return await _posted(
                    client,
                    target.url,
                    body,
                    {
                        "Host": target.host,
                        "Content-Type": "application/json",
                        "User-Agent": "geoservice",
                        "webhook-id": message_id,
                        "webhook-timestamp": str(timestamp),
                        "webhook-signature": signature(
                            delivery.secret, message_id, timestamp, body
                        ),
                    },
                    target.name,
                )
        except NotAllowed as error:
            return 0, str(error)
        except TimeoutError:
            return 0, f"no answer within {self._settings.timeout_s:g} s"
        except (httpx2.HTTPError, OSError) as error:
            return 0, f"not reached: {type(error).__name__}"


async def _posted(
    client: httpx2.AsyncClient, url: str, body: bytes, headers: dict[str, str], name: str
) -> tuple[int, str]:
    # The certificate is that of the name, though the connection goes to the number.
    extensions = {"sni_hostname": name}
    async with client.stream(
        "POST", url, content=body, headers=headers, extensions=extensions
    ) as answer:
        received = 0
        async for part in answer.aiter_raw():
            received += len(part)
            if received > _MOST_ANSWER_BYTES:
                break
        return answer.status_code, f"status {answer.status_code}"


def _wait(attempts: int) -> timedelta:
    """How long to wait after one more failure."""
    # Never quite the same, so that what failed together does not come back together.
    seconds = min(_FIRST_WAIT_S * 2**attempts, _LONGEST_WAIT_S)
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311  # no secret


class _Chooser:
    """Chooses events of one subscription, in order, and keeps where its condition is met."""

    def __init__(self, asked: Asked, states: set[State], hours: CityHours) -> None:
        self.states = set(states)
        self._asked = asked
        self._wanted = asked.wanted()
        self._hours = hours

    def choose(self, events: Iterable[Event]) -> list[Queued]:
        """Those that are to be sent."""
        return [
            self._queued(event)
            for event in events
            if self._wanted.holds(event) and self._is_in_time() and self._is_news(event)
        ]

    def _is_in_time(self) -> bool:
        between = self._asked.only_between
        return between is None or between.hold(datetime.now(self._hours.zone).time())

    def _is_news(self, event: Event) -> bool:
        least = self._asked.min_available
        if least is None:
            return True
        state = (event.feature_id or 0, str(event.body.get("resource_type", "")))
        available = event.body.get("available")
        if event.body.get("freshness") == Freshness.expired.name:
            # What was told is not known any more, so it is news when it is so again.
            self.states.discard(state)
        if available is None:
            return False
        if available >= least:
            is_new = state not in self.states
            self.states.add(state)
            return is_new
        if available < least - self._asked.hysteresis:
            self.states.discard(state)
        return False

    def _queued(self, event: Event) -> Queued:
        now = datetime.now(UTC)
        quiet = self._asked.quiet_hours
        zone: ZoneInfo = self._hours.zone
        is_held = quiet is not None and quiet.hold(now.astimezone(zone).time())
        due_at = quiet.end_after(now, zone) if is_held and quiet is not None else now
        document: dict[str, Any] = orjson.loads(
            orjson.dumps(event_document(event, self._hours), option=orjson.OPT_UTC_Z)
        )
        return Queued(event.event_no, event.feature_id, document, due_at, is_held)

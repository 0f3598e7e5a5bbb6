"""Listening to brokers and polling feeds, until told to end.

A message of a broker is acknowledged after its figure was committed. If the database is away, or
this process dies in between, the broker sends it again, and a figure that is there already changes
nothing: none is lost, and none counts twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx2
import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy.exc import SQLAlchemyError

from geoservice.db import Database
from geoservice.sensorthings.sent import series_of
from geoservice.settings import ObservationSettings
from geoservice.sources.configuration import Broker, Feed, Source
from geoservice.sources.mapping import (
    GBFS_MAPPING,
    NotUnderstood,
    items_of,
    observation_of,
    observation_sent,
    payload_of,
)
from layers.access import Clearance
from layers.errors import GeoserviceError
from layers.intake import kept_from, record_observations
from layers.observations import Observation
from layers.roles import Role
from layers.series_names import NamedSeries, named_series

log = structlog.get_logger(__name__)

_BATCH = 1_000
_GATHER_S = 0.2
_AGAIN_S = 2.0
_QOS = 1
_KEEPALIVE_S = 30
_TIMEOUT_S = 30


class _Message(NamedTuple):
    """A message; its number is one of the connection that it came over, and of no other."""

    connection: int
    message_id: int
    topic: str
    content: bytes


async def run_sources(
    database: Database, sources: Sequence[Source], said: ObservationSettings
) -> None:
    """Take in what all sources say, until cancelled."""
    async with asyncio.TaskGroup() as group:
        for source in sources:
            if source.mqtt is not None:
                group.create_task(_listen(database, source, source.mqtt, said))
            if source.poll is not None:
                group.create_task(_poll(database, source, source.poll, said))


async def _listen(
    database: Database, source: Source, broker: Broker, said: ObservationSettings
) -> None:
    listener = _Listener(source.name, broker)
    listener.start()
    try:
        while True:
            messages = await _some(listener.queue)
            if broker.format == "sensorthings":
                found = await _sent(database, source, messages)
            else:
                found = _understood(source, messages)
            await _record(database, source, found, said)
            listener.acknowledge(messages)
    finally:
        listener.stop()


class _Listener:
    """A client of a broker, in a thread of its own, that puts what it hears into a queue."""

    def __init__(self, name: str, broker: Broker) -> None:
        self.queue: asyncio.Queue[_Message] = asyncio.Queue()
        self._name = name
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self._connection = 0
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            clean_session=False,
            manual_ack=True,
        )
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(min_delay=1, max_delay=30)
        if broker.username is not None:
            self._client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            self._client.tls_set()

    def start(self) -> None:
        """Connect, and connect again whenever the connection is lost."""
        self._client.connect_async(self._broker.host, self._broker.port, _KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Leave; the broker keeps what comes."""
        self._client.disconnect()
        self._client.loop_stop()

    def acknowledge(self, messages: Sequence[_Message]) -> None:
        """Tell the broker that it need not send messages again."""
        for one in messages:
            # Those of an earlier connection come again, under other numbers.
            if one.connection == self._connection:
                self._client.ack(one.message_id, _QOS)

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        self._connection += 1
        if reason.is_failure:
            log.warning("broker refuses", source=self._name, reason=str(reason))
            return
        client.subscribe(self._broker.topic, qos=_QOS)
        log.info("listens to a broker", source=self._name, topic=self._broker.topic)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        one = _Message(self._connection, message.mid, message.topic, bytes(message.payload))
        self._loop.call_soon_threadsafe(self.queue.put_nowait, one)


async def _some(queue: asyncio.Queue[_Message]) -> list[_Message]:
    """What came within a moment, at least one."""
    messages = [await queue.get()]
    with suppress(TimeoutError):
        async with asyncio.timeout(_GATHER_S):
            while len(messages) < _BATCH:
                messages.append(await queue.get())
    return messages


def _understood(source: Source, messages: Sequence[_Message]) -> list[Observation]:
    found = []
    received_at = datetime.now(UTC)
    for one in messages:
        roots = {"topic": one.topic.split("/"), "payload": payload_of(one.content)}
        try:
            found.append(observation_of(source.mapping, roots, received_at))
        except NotUnderstood as error:
            log.warning("message refused", source=source.name, topic=one.topic, reason=str(error))
    return found


async def _sent(
    database: Database, source: Source, messages: Sequence[_Message]
) -> list[Observation]:
    """The figures of messages in the shape of SensorThings, however long the database is away."""
    contents = [payload_of(one.content) for one in messages]
    numbers = {number for number in map(series_of, contents) if number is not None}
    series = await _series(database, source, numbers) if numbers else {}
    found = []
    for message, content in zip(messages, contents, strict=True):
        try:
            found.append(observation_sent(content, series, source.name))
        except NotUnderstood as error:
            topic = message.topic
            log.warning("message refused", source=source.name, topic=topic, reason=str(error))
    return found


async def _series(database: Database, source: Source, numbers: set[int]) -> dict[int, NamedSeries]:
    level = Clearance.from_label(source.clearance)
    while True:
        try:
            async with database.write(Role.INGEST) as connection:
                return await named_series(connection, numbers, level)
        except (GeoserviceError, OSError, SQLAlchemyError) as error:
            log.warning("figures wait", source=source.name, error=type(error).__name__)
            await asyncio.sleep(_AGAIN_S)


async def _poll(database: Database, source: Source, feed: Feed, said: ObservationSettings) -> None:
    mapping = {**GBFS_MAPPING, **source.mapping} if feed.format == "gbfs" else source.mapping
    async with httpx2.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client:
        while True:
            try:
                content = await _fetched(client, feed)
                received_at = datetime.now(UTC)
                found = []
                for item in items_of(feed, content):
                    try:
                        found.append(observation_of(mapping, {"item": item}, received_at))
                    except NotUnderstood as error:
                        log.warning("item refused", source=source.name, reason=str(error))
                for start in range(0, len(found), _BATCH):
                    await _record(database, source, found[start : start + _BATCH], said)
            except (httpx2.HTTPError, NotUnderstood) as error:
                log.warning("feed not read", source=source.name, error=str(error)[:200])
            await asyncio.sleep(feed.every_s)


async def _fetched(client: httpx2.AsyncClient, feed: Feed) -> bytes:
    async with client.stream("GET", feed.url) as answer:
        answer.raise_for_status()
        parts, size = [], 0
        async for part in answer.aiter_bytes():
            size += len(part)
            if size > feed.max_bytes:
                message = f"is larger than {feed.max_bytes:,} bytes"
                raise NotUnderstood(message)
            parts.append(part)
    return b"".join(parts)


async def _record(
    database: Database, source: Source, found: Sequence[Observation], said: ObservationSettings
) -> None:
    """Write figures down, however long the database is away."""
    if not found:
        return
    while True:
        received_at = datetime.now(UTC)
        try:
            async with database.write(Role.INGEST) as connection:
                intake = await record_observations(
                    connection,
                    found,
                    level=Clearance.from_label(source.clearance),
                    source=source.name,
                    received_at=received_at,
                    earliest=kept_from(
                        received_at, said.keep_months, said.keep_fine_rollups_months
                    ),
                )
        except (GeoserviceError, OSError, SQLAlchemyError) as error:
            log.warning("figures wait", source=source.name, error=type(error).__name__)
            await asyncio.sleep(_AGAIN_S)
            continue
        for one in intake.refused:
            feature = found[one.place].feature
            log.warning("figure refused", source=source.name, feature=feature, reason=one.reason)
        return

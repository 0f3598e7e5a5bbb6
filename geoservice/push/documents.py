"""Events as they are sent: one document for streams and for the addresses of subscribers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from geoservice.hours import CityHours
from layers.event_reading import Event
from layers.events import Topic
from layers.observations import Freshness, Status, derived_status


def event_document(event: Event, hours: CityHours) -> dict[str, Any]:
    """What is told of an event; of a status what a search would answer now."""
    document: dict[str, Any] = {
        "event_no": event.event_no,
        "topic": event.topic,
        "occurred_at": event.occurred_at,
    }
    if event.layer is not None:
        document |= {"layer": event.layer, "feature_id": event.feature_id}
    subject = event.subject
    attributes: Mapping[str, Any] = subject.attributes if subject is not None else {}
    if subject is not None:
        coordinates = [round(subject.lon, 9), round(subject.lat, 9)]
        document["geometry"] = {"type": "Point", "coordinates": coordinates}
        document |= {name: attributes.get(name) for name in ("code", "name", "kind")}
    body = dict(event.body)
    if event.topic == Topic.AVAILABILITY:
        body |= _availability(body, attributes, hours)
    elif "status" in body and event.topic == Topic.MEASUREMENT:
        del body["status"]
    return document | body


def _availability(
    body: Mapping[str, Any], attributes: Mapping[str, Any], hours: CityHours
) -> dict[str, Any]:
    is_open = hours(attributes.get("opening_hours"), datetime.now(UTC))
    capacity = body.get("capacity", attributes.get("capacity"))
    # Events of before freshness was told were of figures that had not expired.
    is_expired = body.get("freshness") == Freshness.expired.name
    status = derived_status(
        status=Status.unknown if is_expired else Status(body["status"]),
        available=body.get("available"),
        capacity=capacity,
        is_open=is_open,
    )
    return {
        "available": body.get("available"),
        "capacity": capacity,
        "status": status.name,
        "is_open": is_open,
    }


def chunk_maker(hours: CityHours) -> Callable[[Event], bytes]:
    """Makes of an event the bytes of a Server-Sent Event."""

    def make(event: Event) -> bytes:
        document = event_document(event, hours)
        data = orjson.dumps(document, option=orjson.OPT_UTC_Z)
        head = f"id: {event.event_no}\nevent: {event.topic}\ndata: ".encode()
        return head + data + b"\n\n"

    return make

"""Messages made into figures, by what the operator's file says is what."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import ValidationError

from geoservice.api.observations import ObservationBody
from geoservice.sensorthings.sent import member_of, series_of
from geoservice.sources.configuration import Feed, MappedTo
from layers.observations import Observation
from layers.series_names import NamedSeries

GBFS_MAPPING: Mapping[str, MappedTo] = {
    "facility": "item.station_id",
    "observed_at": "item.last_reported",
    "available": "item.num_bikes_available",
    "resource_type": {"value": "bicycle"},
}
"""What GBFS calls things; ``mapping`` says otherwise where need be."""


class NotUnderstood(Exception):
    """A message is not what the mapping takes it for."""


def observation_of(
    mapping: Mapping[str, MappedTo], roots: Mapping[str, Any], received_at: datetime
) -> Observation:
    """The figure of one message.

    Args:
        roots: What paths may begin with.

    Raises:
        NotUnderstood: something is missing, or is not what it should be.
    """
    members = {name: _value(said, roots) for name, said in mapping.items()}
    members = {name: value for name, value in members.items() if value is not None and value != ""}
    members["observed_at"] = _instant(members.get("observed_at"), received_at)
    for name in ("facility", "feature"):
        if name in members:
            members[name] = str(members[name])
    return _checked(members, strict=False)


def observation_sent(content: Any, series: Mapping[int, NamedSeries], source: str) -> Observation:
    """The figure of an observation in the shape of SensorThings.

    Args:
        series: Those that the source may know of, by their numbers.
        source: The datastream has to be its own.

    Raises:
        NotUnderstood: it is of another shape, or of no datastream of the source.
    """
    number = series_of(content)
    if number is None:
        message = "names no Datastream"
        raise NotUnderstood(message)
    named = series.get(number)
    members = member_of(content, named if named is not None and named.source == source else None)
    if isinstance(members, str):
        raise NotUnderstood(members)
    return _checked(members, strict=True)


def _checked(members: Mapping[str, Any], *, strict: bool) -> Observation:
    try:
        return ObservationBody.model_validate(members, strict=strict).observation()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"{where}: {first['msg']}".removeprefix(": ")
        raise NotUnderstood(message) from error


def payload_of(content: bytes) -> Any:
    """A message as JSON, or as the text that it is."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode("utf-8", errors="replace").strip()


def items_of(feed: Feed, content: bytes) -> Iterable[Any]:
    """The items of a document that was fetched.

    Raises:
        NotUnderstood: it is of another form, or has no such list.
    """
    if feed.format == "csv":
        return _rows(content)
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        message = f"is not JSON: {error.msg}"
        raise NotUnderstood(message) from error
    path = "data.stations" if feed.format == "gbfs" and not feed.items else feed.items
    items = _step_down(document, path.split(".") if path else [])
    if not isinstance(items, list):
        message = f"has no list at {path or 'its root'}"
        raise NotUnderstood(message)
    return items


def _rows(content: bytes) -> Iterator[dict[str, str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = "is not UTF-8"
        raise NotUnderstood(message) from error
    yield from csv.DictReader(io.StringIO(text, newline=""))


def _value(said: MappedTo, roots: Mapping[str, Any]) -> Any:
    if isinstance(said, dict):
        return said["value"]
    root, *steps = said.split(".")
    if root not in roots:
        message = f"a path begins with {' or '.join(roots)}, not {root!r}"
        raise NotUnderstood(message)
    return _step_down(roots[root], steps)


def _step_down(value: Any, steps: Iterable[str]) -> Any:
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _instant(value: Any, received_at: datetime) -> str:
    """An instant as text: of a text that is one, of seconds since 1970, or of the receipt."""
    if value is None:
        return received_at.isoformat()
    if isinstance(value, str):
        text = value
        try:
            value = float(text)
        except ValueError:
            return text
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = "observed_at: is no instant"
        raise NotUnderstood(message)
    try:
        return datetime.fromtimestamp(value, UTC).isoformat()
    except (OverflowError, OSError, ValueError) as error:
        message = "observed_at: is no instant"
        raise NotUnderstood(message) from error

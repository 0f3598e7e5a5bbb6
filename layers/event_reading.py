"""Events as a level reads them: what it may not see is not among them when they are delivered.

The events come from the level's own view, and what they are about from the views of the layers, so
rights are those of the moment of reading, whatever they were when an event was written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from layers.access import Clearance
from layers.base import Layer
from layers.registry import get_layer, is_known

NAMED = ("code", "name", "kind", "opening_hours", "capacity")
"""Attributes that are told with an event, of layers that have them."""

LAST_NO = "SELECT last_no FROM city.event_numbers"
"""The highest number that was given; for the gate."""

OLDEST_NO = (
    "SELECT coalesce((SELECT event_no FROM city.events ORDER BY event_no LIMIT 1), "
    f"({LAST_NO}) + 1)"
)
"""The lowest number that is still kept, one above the last where none is; for the gate."""


class Rows(Protocol):
    """What a statement gave."""

    async def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""


class EventConnection(Protocol):
    """What is needed of a driver's connection; psycopg's has it."""

    async def execute(self, query: str, params: Mapping[str, Any]) -> Rows:
        """Run a statement with named parameters (``%(name)s``)."""


class Subject(NamedTuple):
    """What an event is about: a feature as it is held now.

    Attributes:
        lon: Of a point of it, degrees.
        attributes: Those of ``NAMED`` that the level may read.
    """

    feature_id: int
    lon: float
    lat: float
    attributes: Mapping[str, Any]


class Event(NamedTuple):
    """One event; ``subject`` is None where it is about none, or none that is left."""

    event_no: int
    occurred_at: datetime
    topic: str
    layer: str | None
    feature_id: int | None
    body: Mapping[str, Any]
    subject: Subject | None


async def read_events(
    connection: EventConnection, level: Clearance, after: int, most: int
) -> list[Event]:
    """The events above a number that the level may see, in order.

    Args:
        connection: Of the reader role of the level.
    """
    found = await connection.execute(_EVENTS, {"after": after, "most": most})
    rows = await found.fetchall()
    about: dict[str, set[int]] = {}
    for row in rows:
        if row[3] is not None and row[4] is not None:
            about.setdefault(row[3], set()).add(row[4])
    subjects = await read_subjects(connection, level, about)
    return [Event._make((*row, subjects.get(row[4]))) for row in rows]


async def read_subjects(
    connection: EventConnection, level: Clearance, about: Mapping[str, Collection[int]]
) -> dict[int, Subject]:
    """What is held of features, as far as the level may see it, by their ids.

    Args:
        about: The ids of the features, by the names of their layers.
    """
    subjects: dict[int, Subject] = {}
    for name, ids in sorted(about.items()):
        layer = get_layer(name) if is_known(name) else None
        subjects |= await _subjects(connection, level, layer, sorted(ids))
    return subjects


async def _subjects(
    connection: EventConnection, level: Clearance, layer: Layer | None, ids: Sequence[int]
) -> dict[int, Subject]:
    if layer is None or layer.clearance > level:
        return {}
    names = _named(layer, level)
    found = await connection.execute(_subjects_statement(layer, level), {"ids": ids})
    return {
        row[0]: Subject(row[0], row[1], row[2], dict(zip(names, row[3:], strict=True)))
        for row in await found.fetchall()
    }


def _named(layer: Layer, level: Clearance) -> tuple[str, ...]:
    readable = {attribute.name for attribute in layer.attributes_at(level)}
    return tuple(name for name in NAMED if name in readable)


@lru_cache(maxsize=64)
def _subjects_statement(layer: Layer, level: Clearance) -> str:
    columns = "".join(f", v.{name}" for name in _named(layer, level))
    return (
        "SELECT DISTINCT ON (v.feature_id) v.feature_id, ST_X(p.place), ST_Y(p.place)"
        f"{columns} FROM {layer.name} v "
        "CROSS JOIN LATERAL (SELECT ST_PointOnSurface(v.geom) AS place) p "
        "WHERE v.feature_id = ANY (%(ids)s) ORDER BY v.feature_id, upper(v.valid_during) DESC"
    )


_EVENTS = (
    "SELECT event_no, occurred_at, topic, layer, feature_id, body FROM events "
    "WHERE event_no > %(after)s ORDER BY event_no LIMIT %(most)s"
)

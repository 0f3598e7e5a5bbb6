"""Which events a subscriber wants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pyproj import Geod

from layers.event_reading import Event
from layers.events import Topic
from layers.extent import BBox

_ELLIPSOID = Geod(a=6378137.0, rf=298.257222101)
"""Of CGCS2000."""

_METRES_PER_DEGREE = 110_000.0
"""Fewer than a degree of latitude has anywhere."""


@dataclass(frozen=True)
class Circle:
    """A place and what lies around it: degrees, geodesic metres (inclusive)."""

    lon: float
    lat: float
    radius_m: float

    def holds(self, lon: float, lat: float) -> bool:
        """Whether a place is within the radius."""
        if abs(lat - self.lat) * _METRES_PER_DEGREE > self.radius_m:
            return False
        _, _, metres = _ELLIPSOID.inv(self.lon, self.lat, lon, lat)
        return bool(metres <= self.radius_m)


@dataclass(frozen=True)
class Wanted:
    """What a subscriber asked for; None asks for nothing in particular.

    Attributes:
        min_available: Only when the free units come to be so many, or cease to be.
    """

    topics: frozenset[Topic] = frozenset({Topic.AVAILABILITY})
    box: BBox | None = None
    circle: Circle | None = None
    kinds: frozenset[str] | None = None
    features: frozenset[int] | None = None
    resource_type: str | None = None
    min_available: int | None = None

    def holds(self, event: Event) -> bool:
        """Whether the event is wanted."""
        if event.topic not in self.topics:
            return False
        if self.features is not None and event.feature_id not in self.features:
            return False
        body = event.body
        if self.resource_type is not None and body.get("resource_type") != self.resource_type:
            return False
        return self._is_there(event) and self._crosses(body)

    def _is_there(self, event: Event) -> bool:
        if self.kinds is None and self.box is None and self.circle is None:
            return True
        subject = event.subject
        if subject is None:
            return False
        if self.kinds is not None and subject.attributes.get("kind") not in self.kinds:
            return False
        if self.box is not None and not _is_in(self.box, subject.lon, subject.lat):
            return False
        return self.circle is None or self.circle.holds(subject.lon, subject.lat)

    def _crosses(self, body: Any) -> bool:
        if self.min_available is None:
            return True
        now, before = (
            body.get(name, -math.inf) >= self.min_available
            for name in ("available", "previous_available")
        )
        return bool(now != before)


def _is_in(box: BBox, lon: float, lat: float) -> bool:
    return box.south <= lat <= box.north and any(
        part.west <= lon <= part.east for part in box.parts()
    )

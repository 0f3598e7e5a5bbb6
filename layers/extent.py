"""Extents in space and in time, as OGC API Features writes them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from layers.errors import InvalidParameter


@dataclass(frozen=True)
class BBox:
    """A box in longitude and latitude, degrees; ``west > east`` crosses the antimeridian."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def parse(cls, text: str, name: str = "bbox") -> BBox:
        """Read ``west,south,east,north`` (or six numbers, whose heights are left out).

        Raises:
            InvalidParameter: not four or six finite numbers in range, or south above north.
        """
        numbers = _finite_numbers(text, name)
        if len(numbers) == 6:
            numbers = [*numbers[0:2], *numbers[3:5]]
        if len(numbers) != 4:
            raise InvalidParameter(name, text, "needs 4 numbers: west,south,east,north (or 6)")
        box = cls(*numbers)
        if not (-180 <= box.west <= 180 and -180 <= box.east <= 180):
            raise InvalidParameter(name, text, "longitudes lie between -180 and 180")
        if not -90 <= box.south <= box.north <= 90:
            raise InvalidParameter(name, text, "needs -90 <= south <= north <= 90")
        return box

    def parts(self) -> tuple[BBox, ...]:
        """The box, or its two halves where it crosses the antimeridian."""
        if self.west <= self.east:
            return (self,)
        return (
            BBox(self.west, self.south, 180.0, self.north),
            BBox(-180.0, self.south, self.east, self.north),
        )

    def around(self, other: BBox | None) -> BBox:
        """The box around this one and another; neither crosses the antimeridian."""
        if other is None:
            return self
        return BBox(
            min(self.west, other.west),
            min(self.south, other.south),
            max(self.east, other.east),
            max(self.north, other.north),
        )

    def as_list(self) -> list[float]:
        """``[west, south, east, north]``."""
        return [self.west, self.south, self.east, self.north]


def _finite_numbers(text: str, name: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise InvalidParameter(name, text, "every part must be a number") from None
    if not all(map(math.isfinite, numbers)):
        raise InvalidParameter(name, text, "every part must be finite")
    return numbers


@dataclass(frozen=True)
class TimeInterval:
    """Valid time asked for: an instant (both ends equal) or a closed interval; None is open."""

    start: datetime | None
    end: datetime | None

    @property
    def is_instant(self) -> bool:
        """Whether one instant was asked for."""
        return self.start is not None and self.start == self.end

    @classmethod
    def parse(cls, text: str, name: str = "datetime") -> TimeInterval:
        """Read an instant or an interval with ``..`` or an empty end (OGC API Features 7.15.4).

        Raises:
            InvalidParameter: not RFC 3339, without an offset, or ending before it starts.
        """
        ends = text.split("/")
        if len(ends) == 1:
            instant = parse_instant(text, name)
            return cls(instant, instant)
        if len(ends) != 2:
            raise InvalidParameter(name, text, "has more than one '/'")
        start, end = (None if part in ("", "..") else parse_instant(part, name) for part in ends)
        if start and end and end < start:
            raise InvalidParameter(name, text, "ends before it starts")
        if start is None and end is None:
            raise InvalidParameter(name, text, "is open at both ends")
        return cls(start, end)


_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:[Zz]|[+-]\d{2}:\d{2}))?"
)


def parse_instant(text: str, name: str = "datetime") -> datetime:
    """The instant of an RFC 3339 text, in UTC; a bare date is its first instant in UTC.

    Raises:
        InvalidParameter: not of that form, or no such instant.
    """
    if not _RFC3339.fullmatch(text):
        raise InvalidParameter(name, text, "needs RFC 3339 with an offset: 2018-02-12T23:20:50Z")
    try:
        instant = datetime.fromisoformat(text.upper())
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidParameter(name, text, "there is no such instant") from None


def instant_in_city(text: str, time_zone: str, name: str = "valid-from") -> datetime:
    """The instant of a text; a bare date begins in the city, as dates in files do.

    Raises:
        InvalidParameter: not RFC 3339, or there is no such instant.
    """
    instant = parse_instant(text, name)
    if len(text) > len("2020-01-01"):
        return instant
    try:
        return instant.replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
    except OverflowError:
        raise InvalidParameter(name, text, "there is no such instant") from None

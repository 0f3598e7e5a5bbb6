"""Live observations: what is measured of a feature at an instant, and how old that figure is.

A series says once what is measured where; an observation carries its figure. How figures are
written down is told in ``layers.intake``.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

AVAILABILITY = "availability"
"""The property of the figures that say what is free; all others are numbers with a unit."""

DEFAULT_TTL_S = 300
STALE_FACTOR = 3
ALMOST_FULL_SHARE = 0.1


class Status(IntEnum):
    """What a source says of a facility (DATEX II words); stored as smallint."""

    unknown = 0
    open = 1
    spacesAvailable = 2  # the standard's own spelling
    almostFull = 3  # the standard's own spelling
    full = 4
    closed = 5
    closedAbnormal = 6  # the standard's own spelling


class Freshness(IntEnum):
    """How far a figure may be trusted: fresh to its ttl, stale to three times it, then expired."""

    fresh = 0
    stale = 1
    expired = 2

    @classmethod
    def of_age(cls, age_s: float, ttl_s: int) -> Freshness:
        """The freshness of a figure of this age; both ends of a class are inclusive."""
        if age_s <= ttl_s:
            return cls.fresh
        return cls.stale if age_s <= STALE_FACTOR * ttl_s else cls.expired


class Observation(NamedTuple):
    """One figure about one feature, or about one resource of it.

    Attributes:
        feature: Natural key of the feature (of a facility its code).
        observed_at: Aware instant at which the figure was true.
        layer: Name of the layer of the feature.
        property: What is measured.
        available: Units that are free; None where only a status is known.
        value: The number, of another property than availability.
        unit: Of ``value``.
    """

    feature: str
    observed_at: datetime
    layer: str = "facilities"
    property: str = AVAILABILITY
    available: int | None = None
    capacity: int | None = None
    value: float | None = None
    unit: str | None = None
    status: Status = Status.unknown
    resource_type: str = ""
    ttl_s: int = DEFAULT_TTL_S


def derived_status(
    *, status: Status, available: int | None, capacity: int | None, is_open: bool | None
) -> Status:
    """The status to show for a figure that may still be trusted.

    What a source says of being closed stands, then the opening hours, then the numbers.
    """
    if status in (Status.closed, Status.closedAbnormal):
        return status
    if is_open is False:
        return Status.closed
    if available is None:
        return status
    if available == 0:
        return Status.full
    if capacity and available <= ALMOST_FULL_SHARE * capacity:
        return Status.almostFull
    return Status.spacesAvailable

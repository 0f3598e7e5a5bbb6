"""The resources of one facility, each with its newest figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from layers.access import Clearance
from layers.observations import Freshness, Status, derived_status
from layers.resources import LAYER as RESOURCES
from layers.views import FACILITY_STATUS

_NEAR_M = 5_000
"""A resource lies at its facility; so far away none is looked for, in Web Mercator."""

_TOLD = (
    "code",
    "name",
    "capacity",
    "price_class",
    "opening_hours",
    "accessible",
    "booking_url",
)


class Rows(Protocol):
    """What a statement gave."""

    async def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""


class ResourceConnection(Protocol):
    """What is needed of a driver's connection; psycopg's has it."""

    async def execute(self, query: str, params: Mapping[str, Any]) -> Rows:
        """Run a statement with named parameters (``%(name)s``)."""


@dataclass(frozen=True)
class ResourceStatus:
    """One resource of a facility, or a type of it that is observed and not described.

    Attributes:
        attributes: What is known of it besides; empty where it is not described.
        available: None where no figure may be trusted.
    """

    resource_type: str
    attributes: Mapping[str, Any]
    available: int | None
    capacity: int | None
    status: Status
    freshness: Freshness | None
    observed_at: datetime | None
    age_s: float | None


async def resources_of(
    connection: ResourceConnection,
    level: Clearance,
    feature_id: int,
    code: str,
    at: datetime,
) -> list[ResourceStatus]:
    """The resources of a facility now, by their types and codes.

    Args:
        connection: Of the reader role of ``level``.
        code: Of the facility, by which resources name it.
        at: Aware instant for which figures are judged.
    """
    names = _names(level)
    parameters = {"feature_id": feature_id, "code": code, "at": at}
    found = await connection.execute(_statement(level), parameters)
    return [
        _resource(names, row, at) for row in await found.fetchall() if row[0] or row[-1] is not None
    ]


def _names(level: Clearance) -> tuple[str, ...]:
    readable = {attribute.name for attribute in RESOURCES.attributes_at(level)}
    return tuple(name for name in _TOLD if name in readable)


@lru_cache(maxsize=8)
def _statement(level: Clearance) -> str:
    described = ", ".join(f"r.{name}" for name in _names(level))
    return f"""
        WITH place AS (
            SELECT ST_Expand(f.geom_3857, {_NEAR_M}) AS box FROM facilities f
            WHERE f.feature_id = %(feature_id)s AND upper_inf(f.valid_during) LIMIT 1
        ),
        described AS (
            SELECT r.resource_type, {described} FROM resources r
            WHERE r.facility = %(code)s AND upper_inf(r.valid_during)
              AND lower(r.valid_during) <= %(at)s AND r.geom_3857 && (SELECT box FROM place)
        ),
        newest AS (
            SELECT DISTINCT ON (t.resource_type) t.resource_type, t.available,
                   t.capacity AS figure_capacity, t.status, t.ttl_s, t.observed_at
            FROM {FACILITY_STATUS} t WHERE t.feature_id = %(feature_id)s
            ORDER BY t.resource_type, t.observed_at DESC
        )
        SELECT coalesce(d.resource_type, n.resource_type), {described.replace("r.", "d.")},
               n.available, n.figure_capacity, n.status, n.ttl_s, n.observed_at
        FROM described d FULL JOIN newest n USING (resource_type)
        ORDER BY 1, 2"""


def _resource(names: tuple[str, ...], row: tuple[Any, ...], at: datetime) -> ResourceStatus:
    attributes = {
        name: value
        for name, value in zip(names, row[1 : 1 + len(names)], strict=True)
        if value is not None
    }
    available, capacity, status, ttl_s, observed_at = row[1 + len(names) :]
    age_s = max(0.0, (at - observed_at).total_seconds()) if observed_at is not None else None
    freshness = None if age_s is None else Freshness.of_age(age_s, ttl_s)
    is_trusted = freshness in (Freshness.fresh, Freshness.stale)
    available = available if is_trusted else None
    capacity = capacity if capacity is not None else attributes.get("capacity")
    return ResourceStatus(
        resource_type=row[0],
        attributes=attributes,
        available=available,
        capacity=capacity,
        status=derived_status(
            status=Status(status) if is_trusted else Status.unknown,
            available=available,
            capacity=capacity,
            is_open=None,
        ),
        freshness=freshness,
        observed_at=observed_at,
        age_s=age_s,
    )

"""Where the nearest facility with free capacity is: exact by geodesic metres, quick by index.

Candidates come nearest first from the GiST index on Web Mercator; they are ordered by metres on
the ellipsoid afterwards, and more candidates are fetched until no unseen one can be nearer.
Whether a facility is open follows from its opening hours (OSM syntax) in the city's time zone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, Protocol

from sqlalchemy import DateTime, Float, Integer, TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from layers.access import Clearance
from layers.base import STORAGE_SRID, TILE_SRID
from layers.facilities import LAYER as FACILITIES
from layers.observations import STALE_FACTOR, Freshness, Status, derived_status

MAX_RADIUS_M = 50_000.0
MAX_RESULTS = 1_000

_ELLIPSOID_MARGIN = 0.993
"""Least ratio of geodesic metres to scaled Mercator metres: the ellipsoid's flattening, rounded."""


class OpeningHours(Protocol):
    """Says whether a facility with these opening hours (OSM syntax) is open at an instant."""

    def __call__(self, hours: str | None, instant: datetime) -> bool | None:
        """True or False, or None where the hours are missing or cannot be read."""


@dataclass(frozen=True)
class NearestQuery:
    """What is looked for around a place.

    Attributes:
        lon: Longitude in degrees (CGCS2000).
        lat: Latitude in degrees.
        radius_m: Geodesic metres, inclusive.
        at: Aware instant for which figures are judged.
        kind: Only facilities of this kind.
        min_available: Only facilities with a figure that is not expired and at least this large.
        open_at: Only facilities known to be open at this aware instant.
    """

    lon: float
    lat: float
    radius_m: float
    at: datetime
    limit: int = 20
    kind: str | None = None
    min_available: int | None = None
    open_at: datetime | None = None


@dataclass(frozen=True)
class FacilityStatus:
    """A facility with what is known of it now; ``available`` is None once the figure expired."""

    feature_id: int
    attributes: Mapping[str, Any]
    lon: float
    lat: float
    distance_m: float | None
    status: Status
    freshness: Freshness | None
    available: int | None
    capacity: int | None
    resource_type: str | None
    source: str | None
    observed_at: datetime | None
    age_s: float | None
    is_open: bool | None
    mercator_m: float = field(default=0.0, repr=False)


async def nearest_available(
    connection: AsyncConnection, level: Clearance, query: NearestQuery, is_open: OpeningHours
) -> list[FacilityStatus]:
    """Facilities around a place, nearest first by geodesic metres.

    Args:
        connection: Logged in as the reader role of ``level``.

    Returns:
        At most ``query.limit`` facilities ordered by (distance_m, feature_id).
    """
    statement = _statement(
        "nearest",
        level,
        by_kind=query.kind is not None,
        enough_free=query.min_available is not None,
    )
    wanted = query.limit + max(8, query.limit // 4)
    while True:
        rows = (await connection.execute(statement, _parameters(query, wanted))).mappings()
        fetched = [_facility(row, query.at, is_open) for row in rows]
        kept = sorted(
            (one for one in fetched if _is_wanted(one, query, is_open)),
            key=lambda one: (one.distance_m, one.feature_id),
        )[: query.limit]
        if len(fetched) < wanted or _none_can_be_nearer(kept, fetched[-1], query):
            return kept
        wanted *= 4


async def facility_status(
    connection: AsyncConnection,
    level: Clearance,
    feature_id: int,
    at: datetime,
    is_open: OpeningHours,
) -> FacilityStatus | None:
    """One facility with what is known of it, or None if there is none at that instant."""
    rows = await connection.execute(
        _statement("facility", level), {"feature_id": feature_id, "at": at}
    )
    row = rows.mappings().first()
    return _facility(row, at, is_open) if row else None


def _is_wanted(one: FacilityStatus, query: NearestQuery, is_open: OpeningHours) -> bool:
    if one.distance_m is None or one.distance_m > query.radius_m:
        return False
    if query.open_at is None:
        return True
    hours: str | None = one.attributes.get("opening_hours")
    return is_open(hours, query.open_at) is True


def _none_can_be_nearer(
    kept: Sequence[FacilityStatus], last: FacilityStatus, query: NearestQuery
) -> bool:
    """Whether every facility beyond the last one fetched is farther than the last one kept."""
    if len(kept) < query.limit:
        return False
    least_m = last.mercator_m * _least_metres_per_mercator(query)
    farthest_kept = kept[-1].distance_m
    return farthest_kept is not None and farthest_kept <= least_m


def _least_metres_per_mercator(query: NearestQuery) -> float:
    """Least geodesic metres for one metre of Web Mercator anywhere within the radius."""
    highest_lat = min(89.0, abs(query.lat) + query.radius_m / 110_000)
    return math.cos(math.radians(highest_lat)) * _ELLIPSOID_MARGIN


def _parameters(query: NearestQuery, wanted: int) -> dict[str, Any]:
    parameters = {
        "lon": query.lon,
        "lat": query.lat,
        "reach": query.radius_m / _least_metres_per_mercator(query),
        "at": query.at,
        "wanted": wanted,
    }
    if query.kind is not None:
        parameters["kind"] = query.kind
    if query.min_available is not None:
        parameters["min_available"] = query.min_available
    return parameters


_PLACE = f"ST_Transform(ST_SetSRID(ST_MakePoint(:lon, :lat), {STORAGE_SRID}), {TILE_SRID})"
_STATUS = (
    "st.resource_type AS st_resource_type, st.source AS st_source, st.ttl_s AS st_ttl_s, "
    "st.observed_at AS st_observed_at, st.available AS st_available, "
    "st.capacity AS st_capacity, st.status AS st_status"
)
_NEWEST = (
    "SELECT * FROM facility_status s WHERE s.feature_id = f.feature_id "
    "ORDER BY s.observed_at DESC LIMIT 1"
)
_ANY_STATUS = f"LEFT JOIN LATERAL ({_NEWEST}) st ON true"
_ENOUGH_FREE = (
    f"JOIN LATERAL ({_NEWEST}) st ON st.available >= :min_available "
    f"AND st.observed_at >= :at - st.ttl_s * interval '{STALE_FACTOR} seconds'"
)
_TYPES: dict[str, TypeEngine[Any]] = {
    "at": DateTime(timezone=True),
    "lon": Float(),
    "lat": Float(),
    "reach": Float(),
    "wanted": Integer(),
    "min_available": Integer(),
}


@lru_cache(maxsize=32)
def _statement(
    name: str, level: Clearance, *, by_kind: bool = False, enough_free: bool = False
) -> TextClause:
    """A statement of ``layers/sql``, for one level and one choice of conditions."""
    attributes = ("feature_id", *(a.name for a in FACILITIES.attributes_at(level)))
    words = (
        files("layers")
        .joinpath("sql", f"{name}.sql")
        .read_text(encoding="utf-8")
        .format(
            attributes=", ".join(f"f.{column}" for column in attributes),
            status=_STATUS,
            place=_PLACE,
            kind="AND f.kind = :kind" if by_kind else "",
            wanted_status=_ENOUGH_FREE if enough_free else _ANY_STATUS,
        )
    )
    types = [bindparam(n, type_=t) for n, t in _TYPES.items() if f":{n}" in words]
    return text(words).bindparams(*types)


def _facility(row: Mapping[Any, Any], at: datetime, is_open: OpeningHours) -> FacilityStatus:
    observed_at: datetime | None = row["st_observed_at"]
    age_s = max(0.0, (at - observed_at).total_seconds()) if observed_at else None
    freshness = None if age_s is None else Freshness.of_age(age_s, row["st_ttl_s"])
    trusted = freshness in (Freshness.fresh, Freshness.stale)
    available = row["st_available"] if trusted else None
    capacity = row["st_capacity"] if row["st_capacity"] is not None else row.get("capacity")
    open_now = is_open(row.get("opening_hours"), at)
    return FacilityStatus(
        feature_id=row["feature_id"],
        attributes={name: row[name] for name in FACILITIES.attribute if name in row},
        lon=row["lon"],
        lat=row["lat"],
        distance_m=row["distance_m"],
        mercator_m=row["mercator_m"],
        status=derived_status(
            status=Status(row["st_status"]) if trusted else Status.unknown,
            available=available,
            capacity=capacity,
            is_open=open_now,
        ),
        freshness=freshness,
        available=available,
        capacity=capacity,
        resource_type=row["st_resource_type"],
        source=row["st_source"],
        observed_at=observed_at,
        age_s=age_s,
        is_open=open_now,
    )

"""Live observations: what is free in a facility at an instant, and how old that figure is.

An observation with a known key and the same figures changes nothing; with other figures it is a
correction, and what was there before is kept. ``series_status`` holds the newest observation of
each series, so an older one that arrives late never replaces a newer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from layers.access import Clearance
from layers.errors import InvalidBody

AVAILABILITY = "availability"
DEFAULT_TTL_S = 300
CLOCK_SKEW = timedelta(seconds=60)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
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


@dataclass(frozen=True)
class Observation:
    """One figure about one resource of one facility.

    Attributes:
        facility: Natural key of the facility (its code).
        observed_at: Aware instant at which the figure was true.
        available: Units that are free; None where only a status is known.
    """

    facility: str
    observed_at: datetime
    available: int | None = None
    capacity: int | None = None
    status: Status = Status.unknown
    resource_type: str = ""
    ttl_s: int = DEFAULT_TTL_S


@dataclass(frozen=True)
class Intake:
    """What became of a batch: new figures, repetitions, and corrections of earlier figures."""

    accepted: int
    repeated: int
    corrected: int


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


def check_observations(observations: Sequence[Observation], now: datetime) -> None:
    """Refuse a batch with a figure that cannot be.

    Raises:
        InvalidBody: pointing at the first such member.
    """
    seen: set[tuple[str, str, datetime]] = set()
    for index, one in enumerate(observations):
        key = (one.facility, one.resource_type, one.observed_at)
        if key in seen:
            raise InvalidBody("the same facility, resource and instant twice", f"/{index}")
        seen.add(key)
        if one.observed_at > now + CLOCK_SKEW:
            raise InvalidBody("lies in the future", f"/{index}/observed_at")
        if one.observed_at < EARLIEST:
            raise InvalidBody("lies before 1970", f"/{index}/observed_at")
        if one.available is not None and one.available < 0:
            raise InvalidBody("must not be negative", f"/{index}/available")
        if one.available is not None and one.capacity is not None and one.available > one.capacity:
            raise InvalidBody("is more than the capacity", f"/{index}/available")


async def record_observations(
    connection: AsyncConnection,
    observations: Sequence[Observation],
    *,
    level: Clearance,
    source: str,
    received_at: datetime,
) -> Intake:
    """Write a checked batch, inside the caller's open transaction of the ingest role.

    Args:
        level: Of the caller: facilities above it do not exist for whoever observes.

    Raises:
        InvalidBody: a facility does not exist; nothing is written.
    """
    features = await _resolve_facilities(connection, observations, level)
    series = await _ensure_series(connection, observations, features, source)
    await _ensure_partitions(connection, observations)
    rows = sorted(
        ((series[features[o.facility].feature_id, o.resource_type], o) for o in observations),
        key=lambda row: (row[0], row[1].observed_at),
    )
    parameters = {
        "series_id": [series_id for series_id, _ in rows],
        "observed_at": [o.observed_at for _, o in rows],
        "available": [o.available for _, o in rows],
        "capacity": [o.capacity for _, o in rows],
        "status": [int(o.status) for _, o in rows],
        "received_at": received_at,
    }
    accepted = (await connection.execute(text(_INSERT), parameters)).rowcount
    corrected = 0
    if accepted < len(rows):
        corrected = (await connection.execute(text(_CORRECT), parameters)).rowcount
    await connection.execute(text(_UPDATE_STATUS), parameters)
    return Intake(accepted, len(rows) - accepted - corrected, corrected)


@dataclass(frozen=True)
class _Facility:
    feature_id: int
    clearance: Clearance


async def _resolve_facilities(
    connection: AsyncConnection, observations: Sequence[Observation], level: Clearance
) -> dict[str, _Facility]:
    codes = sorted({o.facility for o in observations})
    rows = await connection.execute(text(_RESOLVE), {"codes": codes, "level": level})
    found = {code: _Facility(feature_id, Clearance(level)) for code, feature_id, level in rows}
    for index, one in enumerate(observations):
        if one.facility not in found:
            raise InvalidBody("there is no such facility", f"/{index}/facility")
    return found


async def _ensure_series(
    connection: AsyncConnection,
    observations: Sequence[Observation],
    features: dict[str, _Facility],
    source: str,
) -> dict[tuple[int, str], int]:
    wanted = {
        (features[o.facility].feature_id, o.resource_type): (features[o.facility], o.ttl_s)
        for o in observations
    }
    keys = sorted(wanted)
    parameters = {
        "feature_id": [feature_id for feature_id, _ in keys],
        "resource_type": [resource_type for _, resource_type in keys],
        "ttl_s": [wanted[key][1] for key in keys],
        "clearance": [int(wanted[key][0].clearance) for key in keys],
        "property": AVAILABILITY,
        "source": source,
    }
    await connection.execute(text(_INSERT_SERIES), parameters)
    rows = await connection.execute(text(_FIND_SERIES), parameters)
    return {(feature_id, resource): series_id for series_id, feature_id, resource in rows}


async def _ensure_partitions(
    connection: AsyncConnection, observations: Sequence[Observation]
) -> None:
    months = {o.observed_at.strftime("%Y%m"): o.observed_at for o in observations}
    for _, instant in sorted(months.items()):
        await connection.execute(
            text("SELECT city.ensure_observation_partition(:instant)"), {"instant": instant}
        )


_RESOLVE = """
SELECT natural_key, feature_id, clearance FROM city.facilities
WHERE natural_key = ANY(CAST(:codes AS text[])) AND upper_inf(valid_during)
  AND clearance <= :level"""

_WANTED_SERIES = """
unnest(CAST(:feature_id AS bigint[]), CAST(:resource_type AS text[]),
       CAST(:ttl_s AS int[]), CAST(:clearance AS smallint[]))
    AS w (feature_id, resource_type, ttl_s, clearance)"""

# What series_status repeats of a series is kept equal to it.
_INSERT_SERIES = f"""
WITH written AS (
    INSERT INTO city.series (layer, feature_id, property, resource_type, source, ttl_s, clearance)
    SELECT 'facilities', w.feature_id, :property, w.resource_type, :source, w.ttl_s, w.clearance
    FROM {_WANTED_SERIES}
    WHERE NOT EXISTS (
        SELECT FROM city.series s
        WHERE (s.feature_id, s.property, s.resource_type, s.source)
            = (w.feature_id, :property, w.resource_type, :source)
          AND s.ttl_s = w.ttl_s AND s.clearance >= w.clearance)
    ON CONFLICT (feature_id, property, resource_type, source) DO UPDATE
    SET ttl_s = excluded.ttl_s, clearance = greatest(series.clearance, excluded.clearance)
    RETURNING series_id, ttl_s, clearance
)
UPDATE city.series_status t
SET ttl_s = w.ttl_s, clearance = w.clearance
FROM written w WHERE t.series_id = w.series_id"""

_FIND_SERIES = f"""
SELECT s.series_id, s.feature_id, s.resource_type
FROM city.series s JOIN {_WANTED_SERIES} USING (feature_id, resource_type)
WHERE s.property = :property AND s.source = :source"""

_INCOMING = """
unnest(CAST(:series_id AS int[]), CAST(:observed_at AS timestamptz[]),
       CAST(:available AS int[]), CAST(:capacity AS int[]), CAST(:status AS smallint[]))
    AS i (series_id, observed_at, available, capacity, status)"""

_INSERT = f"""
INSERT INTO city.observations (series_id, observed_at, received_at, available, capacity, status)
SELECT i.series_id, i.observed_at, :received_at, i.available, i.capacity, i.status
FROM {_INCOMING}
ON CONFLICT (series_id, observed_at) DO NOTHING"""

_CORRECT = f"""
WITH differing AS (
    SELECT o.*, i.available AS new_available, i.capacity AS new_capacity, i.status AS new_status
    FROM city.observations o JOIN {_INCOMING} USING (series_id, observed_at)
    WHERE (o.available, o.capacity, o.status) IS DISTINCT FROM (i.available, i.capacity, i.status)
), kept AS (
    INSERT INTO city.observation_corrections
        (series_id, observed_at, received_at, value, available, capacity, status)
    SELECT series_id, observed_at, received_at, value, available, capacity, status FROM differing
)
UPDATE city.observations o
SET available = d.new_available, capacity = d.new_capacity, status = d.new_status,
    received_at = :received_at
FROM differing d
WHERE (o.series_id, o.observed_at) = (d.series_id, d.observed_at)"""

_UPDATE_STATUS = f"""
INSERT INTO city.series_status AS held
    (series_id, feature_id, observed_at, received_at, available, capacity, status,
     property, resource_type, source, ttl_s, clearance)
SELECT DISTINCT ON (i.series_id)
    i.series_id, s.feature_id, i.observed_at, :received_at, i.available, i.capacity, i.status,
    s.property, s.resource_type, s.source, s.ttl_s, s.clearance
FROM {_INCOMING} JOIN city.series s USING (series_id)
ORDER BY i.series_id, i.observed_at DESC
ON CONFLICT (series_id) DO UPDATE
SET observed_at = excluded.observed_at, received_at = excluded.received_at,
    available = excluded.available, capacity = excluded.capacity, status = excluded.status
WHERE held.observed_at <= excluded.observed_at"""

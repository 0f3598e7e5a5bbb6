"""Observations written down: what cannot be is refused singly, all else is one transaction.

An observation with a known key and the same figures changes nothing; with other figures it is a
correction, and what was there before is kept. ``series_status`` holds the newest observation of
each series, so an older one that arrives late never replaces a newer one. Whatever changes an
answer leaves an event in the outbox (``layers.events``), and every figure marks the rollups that it
belongs to as outdated (``layers.rollups``), all in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from layers.access import Clearance
from layers.base import Layer
from layers.events import append_status_events
from layers.expiry import expiry
from layers.facilities import LAYER as FACILITIES
from layers.observations import Observation
from layers.registry import get_layer, is_known
from layers.resources import LAYER as RESOURCES
from layers.rollups import mark_outdated
from layers.tables import qualified

CLOCK_SKEW = timedelta(seconds=60)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class Refusal(NamedTuple):
    """Why one observation of a batch was not taken.

    Attributes:
        place: In the batch, from 0.
        member: Which of its members is wrong; empty where it is the whole.
    """

    place: int
    member: str
    reason: str


@dataclass(frozen=True)
class Intake:
    """What became of a batch: new figures, repetitions, corrections of earlier figures, refusals.

    Attributes:
        refused: By their place in the batch.
    """

    accepted: int
    repeated: int
    corrected: int
    refused: tuple[Refusal, ...] = ()


class _Feature(NamedTuple):
    """What is known of a feature; capacity and type of the resource are those of a facility.

    Attributes:
        resources: Capacities of what is described by itself, by type.
    """

    feature_id: int
    clearance: Clearance
    capacity: int | None
    resource_type: str | None
    resources: Mapping[str, int]

    def capacity_of(self, one: Observation) -> int | None:
        """How many units there are of what was observed, as far as that is known."""
        if one.capacity is not None:
            return one.capacity
        if one.resource_type in self.resources:
            return self.resources[one.resource_type]
        return self.capacity if one.resource_type in ("", self.resource_type) else None


_Key = tuple[str, str]
"""Name of the layer and natural key of a feature."""

_SeriesKey = tuple[int, str, str]
"""Feature, property and type of the resource."""


class _Row(NamedTuple):
    """One observation on its way into the tables."""

    place: int
    observation: Observation
    feature: _Feature

    @property
    def series_key(self) -> _SeriesKey:
        return (
            self.feature.feature_id,
            self.observation.property,
            self.observation.resource_type,
        )


async def record_observations(
    connection: AsyncConnection,
    observations: Sequence[Observation],
    *,
    level: Clearance,
    source: str,
    received_at: datetime,
    earliest: datetime = EARLIEST,
) -> Intake:
    """Write what can be of a batch, inside the caller's open transaction of the ingest role.

    Args:
        level: Of the caller: features above it do not exist for whoever observes.
        received_at: Aware; what lies more than a minute after it is refused.
        earliest: Aware; what lies before it is refused (``kept_from``).
    """
    features = await _find_features(connection, observations, level)
    rows, refused, repeated = _sorted_out(
        observations, features, earliest, received_at + CLOCK_SKEW
    )
    if not rows:
        return Intake(0, repeated, 0, tuple(refused))
    series = await _ensure_series(connection, rows, source)
    await _ensure_partitions(connection, rows)
    parameters = _columns(rows, series) | {"received_at": received_at}
    accepted = (await connection.execute(text(_INSERT), parameters)).rowcount
    corrected = 0
    if accepted < len(rows):
        corrected = (await connection.execute(text(_CORRECT), parameters)).rowcount
    if accepted or corrected:
        await connection.execute(text(_UPDATE_STATUS), parameters)
        await append_status_events(connection, parameters["series_id"], received_at)
        await mark_outdated(connection, parameters["series_id"], parameters["observed_at"])
    repeated += len(rows) - accepted - corrected
    return Intake(accepted, repeated, corrected, tuple(refused))


def kept_from(now: datetime, *months: int | None) -> datetime:
    """The instant from which figures are taken and kept, inclusive: a month of UTC begins then.

    A figure of a month that was dropped would stand alone there, and the rollups made anew from it
    would replace those that outlived the month.

    Args:
        now: Aware.
        months: How long figures, and what rollups are made from, are kept; None for ever.
    """
    said = [number for number in months if number is not None]
    if not said:
        return EARLIEST
    oldest = now.astimezone(UTC) - timedelta(days=31 * min(said))
    begins = oldest.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return max(begins, EARLIEST)


def _sorted_out(
    observations: Sequence[Observation],
    features: Mapping[_Key, _Feature],
    earliest: datetime,
    latest: datetime,
) -> tuple[list[_Row], list[Refusal], int]:
    """The observations to write, those that cannot be, and how many say what another one says."""
    rows: dict[tuple[_SeriesKey, datetime], _Row] = {}
    refused, repeated = [], 0
    for place, one in enumerate(observations):
        feature = features.get((one.layer, one.feature))
        wrong = _wrong(one, feature, earliest, latest)
        if wrong is not None or feature is None:
            refused.append(Refusal(place, *(wrong or ("", ""))))
            continue
        row = _Row(place, one, feature)
        first = rows.setdefault((row.series_key, one.observed_at), row)
        if first is row:
            continue
        if first.observation == one:
            repeated += 1
        else:
            refused.append(Refusal(place, "", f"says something else than row {first.place}"))
    return list(rows.values()), refused, repeated


def _wrong(
    one: Observation, feature: _Feature | None, earliest: datetime, latest: datetime
) -> tuple[str, str] | None:
    """The member that cannot be, and why."""
    if feature is None:
        member = "facility" if one.layer == FACILITIES.name else "feature"
        return member, f"there is no such {member}"
    if one.observed_at > latest:
        return "observed_at", "lies in the future"
    if one.observed_at < EARLIEST:
        return "observed_at", "lies before 1970"
    if one.observed_at < earliest:
        return "observed_at", "lies before what is kept"
    if one.available is None:
        return None
    if one.available < 0:
        return "available", "must not be negative"
    capacity = feature.capacity_of(one)
    if capacity is not None and one.available > capacity:
        return "available", "is more than the capacity"
    return None


async def _find_features(
    connection: AsyncConnection, observations: Sequence[Observation], level: Clearance
) -> dict[_Key, _Feature]:
    """The features that are observed, as far as the level may know of them."""
    keys: dict[str, set[str]] = {}
    for one in observations:
        keys.setdefault(one.layer, set()).add(one.feature)
    resources = await _find_resources(connection, observations, level)
    found = {}
    for name, wanted in sorted(keys.items()):
        if not is_known(name) or (layer := get_layer(name)).clearance > level:
            continue
        rows = await connection.execute(
            text(_find_statement(layer)), {"keys": sorted(wanted), "level": level}
        )
        for key, feature_id, clearance, capacity, resource_type in rows:
            highest = Clearance(max(clearance, layer.clearance))
            described = resources.get(key, {}) if layer is FACILITIES else {}
            found[name, key] = _Feature(feature_id, highest, capacity, resource_type, described)
    return found


async def _find_resources(
    connection: AsyncConnection, observations: Sequence[Observation], level: Clearance
) -> dict[str, dict[str, int]]:
    """How much there is of what is observed by its type, by the codes of the facilities."""
    codes = {
        one.feature for one in observations if one.resource_type and one.layer == FACILITIES.name
    }
    found: dict[str, dict[str, int]] = {}
    if codes:
        rows = await connection.execute(text(_RESOURCES), {"codes": sorted(codes), "level": level})
        for code, resource_type, capacity in rows:
            found.setdefault(code, {})[resource_type] = capacity
    return found


# What has no capacity leaves the sum unknown.
_RESOURCES = f"""
SELECT facility, resource_type, CAST(sum(capacity) AS int) FROM {qualified(RESOURCES)}
WHERE facility = ANY (CAST(:codes AS text[])) AND upper_inf(valid_during) AND clearance <= :level
GROUP BY facility, resource_type HAVING count(*) = count(capacity)"""


def _find_statement(layer: Layer) -> str:
    # Of a feature that is no more, what was observed while it was may still arrive.
    resource = "NULL, NULL"
    if layer is FACILITIES:
        resource = "capacity, resource_type"
    return (
        f"SELECT DISTINCT ON (natural_key) natural_key, feature_id, clearance, {resource} "
        f"FROM {qualified(layer)} "
        "WHERE natural_key = ANY(CAST(:keys AS text[])) AND clearance <= :level "
        "ORDER BY natural_key, upper(valid_during) DESC"
    )


async def _ensure_series(
    connection: AsyncConnection, rows: Sequence[_Row], source: str
) -> dict[_SeriesKey, int]:
    wanted = {row.series_key: row for row in rows}
    ordered = [wanted[key] for key in sorted(wanted)]
    parameters = {
        "layer": [row.observation.layer for row in ordered],
        "feature_id": [row.feature.feature_id for row in ordered],
        "property": [row.observation.property for row in ordered],
        "resource_type": [row.observation.resource_type for row in ordered],
        "unit": [row.observation.unit for row in ordered],
        "ttl_s": [row.observation.ttl_s for row in ordered],
        "clearance": [int(row.feature.clearance) for row in ordered],
        "source": source,
    }
    await connection.execute(text(_INSERT_SERIES), parameters)
    found = await connection.execute(text(_FIND_SERIES), parameters)
    return {(feature, named, resource): number for number, feature, named, resource in found}


async def _ensure_partitions(connection: AsyncConnection, rows: Sequence[_Row]) -> None:
    months = {r.observation.observed_at.strftime("%Y%m"): r.observation.observed_at for r in rows}
    for _, instant in sorted(months.items()):
        await connection.execute(
            text("SELECT city.ensure_observation_partition(:instant)"), {"instant": instant}
        )


def _columns(rows: Sequence[_Row], series: Mapping[_SeriesKey, int]) -> dict[str, Any]:
    """The figures by columns, in the order in which all batches lock: by series and instant."""
    numbered = sorted(
        ((series[row.series_key], row.observation) for row in rows),
        key=lambda one: (one[0], one[1].observed_at),
    )
    return {
        "series_id": [number for number, _ in numbered],
        "observed_at": [one.observed_at for _, one in numbered],
        "available": [one.available for _, one in numbered],
        "capacity": [one.capacity for _, one in numbered],
        "value": [one.value for _, one in numbered],
        "status": [int(one.status) for _, one in numbered],
    }


_WANTED_SERIES = """
unnest(CAST(:layer AS text[]), CAST(:feature_id AS bigint[]), CAST(:property AS text[]),
       CAST(:resource_type AS text[]), CAST(:unit AS text[]), CAST(:ttl_s AS int[]),
       CAST(:clearance AS smallint[]))
    AS w (layer, feature_id, property, resource_type, unit, ttl_s, clearance)"""

# What series_status repeats of a series is kept equal to it.
_INSERT_SERIES = f"""
WITH written AS (
    INSERT INTO city.series
        (layer, feature_id, property, resource_type, unit, source, ttl_s, clearance)
    SELECT w.layer, w.feature_id, w.property, w.resource_type, w.unit, :source, w.ttl_s,
           w.clearance
    FROM {_WANTED_SERIES}
    WHERE NOT EXISTS (
        SELECT FROM city.series s
        WHERE (s.feature_id, s.property, s.resource_type, s.source)
            = (w.feature_id, w.property, w.resource_type, :source)
          AND s.ttl_s = w.ttl_s AND s.clearance >= w.clearance
          AND s.unit IS NOT DISTINCT FROM w.unit)
    ON CONFLICT (feature_id, property, resource_type, source) DO UPDATE
    SET ttl_s = excluded.ttl_s, unit = excluded.unit,
        clearance = greatest(series.clearance, excluded.clearance)
    RETURNING series_id, ttl_s, clearance
)
UPDATE city.series_status t
SET ttl_s = w.ttl_s, clearance = w.clearance,
    expires_at = CASE WHEN t.expires_at IS NOT NULL
                      THEN {expiry("t.observed_at", "w.ttl_s")} END
FROM written w WHERE t.series_id = w.series_id"""

_FIND_SERIES = f"""
SELECT s.series_id, s.feature_id, s.property, s.resource_type
FROM city.series s JOIN {_WANTED_SERIES} USING (feature_id, property, resource_type)
WHERE s.source = :source"""

_INCOMING = """
unnest(CAST(:series_id AS int[]), CAST(:observed_at AS timestamptz[]),
       CAST(:available AS int[]), CAST(:capacity AS int[]), CAST(:value AS float8[]),
       CAST(:status AS smallint[]))
    AS i (series_id, observed_at, available, capacity, value, status)"""

_INSERT = f"""
INSERT INTO city.observations
    (series_id, observed_at, received_at, value, available, capacity, status)
SELECT i.series_id, i.observed_at, :received_at, i.value, i.available, i.capacity, i.status
FROM {_INCOMING}
ON CONFLICT (series_id, observed_at) DO NOTHING"""

_CORRECT = f"""
WITH differing AS (
    SELECT o.*, i.value AS new_value, i.available AS new_available, i.capacity AS new_capacity,
           i.status AS new_status
    FROM city.observations o JOIN {_INCOMING} USING (series_id, observed_at)
    WHERE (o.value, o.available, o.capacity, o.status)
        IS DISTINCT FROM (i.value, i.available, i.capacity, i.status)
), kept AS (
    INSERT INTO city.observation_corrections
        (series_id, observed_at, received_at, value, available, capacity, status)
    SELECT series_id, observed_at, received_at, value, available, capacity, status FROM differing
)
UPDATE city.observations o
SET value = d.new_value, available = d.new_available, capacity = d.new_capacity,
    status = d.new_status, received_at = :received_at
FROM differing d
WHERE (o.series_id, o.observed_at) = (d.series_id, d.observed_at)"""

_FIGURES = "({0}.value, {0}.available, {0}.capacity, {0}.status)"
# After its expiry a figure is news although it is as the last one was.
_CHANGED = (
    f"({_FIGURES.format('held')} IS DISTINCT FROM {_FIGURES.format('excluded')} "
    "OR held.expires_at IS NULL)"
)
_EXPIRY = expiry("i.observed_at", "s.ttl_s")

_UPDATE_STATUS = f"""
INSERT INTO city.series_status AS held
    (series_id, feature_id, observed_at, received_at, value, available, capacity, status,
     property, resource_type, source, ttl_s, clearance, changed_at, expires_at)
SELECT DISTINCT ON (i.series_id)
    i.series_id, s.feature_id, i.observed_at, :received_at, i.value, i.available, i.capacity,
    i.status, s.property, s.resource_type, s.source, s.ttl_s, s.clearance, :received_at,
    CASE WHEN {_EXPIRY} > :received_at THEN {_EXPIRY} END
FROM {_INCOMING} JOIN city.series s USING (series_id)
ORDER BY i.series_id, i.observed_at DESC
ON CONFLICT (series_id) DO UPDATE
SET observed_at = excluded.observed_at, received_at = excluded.received_at,
    value = excluded.value, available = excluded.available, capacity = excluded.capacity,
    status = excluded.status, expires_at = excluded.expires_at,
    changed_at = CASE WHEN {_CHANGED} THEN excluded.received_at ELSE held.changed_at END,
    previous_available = CASE WHEN held.expires_at IS NULL THEN NULL
                              WHEN {_CHANGED} THEN held.available
                              ELSE held.previous_available END
WHERE held.observed_at <= excluded.observed_at"""

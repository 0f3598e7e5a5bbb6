"""Where the nearest facility with free capacity is: exact by geodesic metres, quick by index.

Candidates come nearest first from the GiST index on Web Mercator; they are ordered by metres on
the ellipsoid afterwards, and more candidates are fetched until no unseen one can be nearer.
Whether a facility is open follows from its opening hours (OSM syntax) in the city's time zone.

This is asked more often than anything else, so rows are read by their place, and nothing is made of
a row before it is known to be in the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from itertools import product
from typing import Any, Protocol

from pyproj import Geod

from layers.access import Clearance
from layers.availability_then import facility_then_statement, nearest_then_statement
from layers.base import TILE_SRID
from layers.facilities import LAYER as FACILITIES
from layers.observations import STALE_FACTOR, Freshness, Status, derived_status
from layers.views import LIVE_COLUMNS, live_partitions, live_view_name

MAX_RADIUS_M = 50_000.0
MAX_RESULTS = 1_000

_ELLIPSOID = Geod(a=6378137.0, rf=298.257222101)
"""Of CGCS2000."""

_ELLIPSOID_MARGIN = 0.993
"""Least ratio of geodesic metres to scaled Mercator metres: the ellipsoid's flattening, rounded."""


class ReadConnection(Protocol):
    """What is needed of a driver's connection; psycopg's has it."""

    async def execute(
        self, query: str, params: Mapping[str, Any], *, prepare: bool, binary: bool
    ) -> Rows:
        """Run a prepared statement with named parameters (``%(name)s``)."""


class Rows(Protocol):
    """What a statement gave."""

    async def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""


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
        then: What the present does not answer: facilities and figures as they were at ``at``.
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
    then: Then | None = None


@dataclass(frozen=True)
class Then:
    """That another instant than the present is asked for.

    Attributes:
        as_recorded: What was believed at this aware instant; None is what is believed now.
    """

    as_recorded: datetime | None = None


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


Row = tuple[Any, ...]


async def nearest_available(
    connection: ReadConnection, level: Clearance, query: NearestQuery, is_open: OpeningHours
) -> list[FacilityStatus]:
    """Facilities around a place, nearest first by geodesic metres.

    Args:
        connection: Logged in as the reader role of ``level``.

    Returns:
        At most ``query.limit`` facilities ordered by (distance_m, feature_id).
    """
    columns = _columns(level)
    statement = _nearest(level, query)
    wanted = query.limit + max(SPARE, query.limit // 8)
    while True:
        rows = await _fetch(connection, statement, nearest_parameters(query, wanted))
        kept = _nearest_first(columns, rows, query, is_open)
        if len(rows) < wanted or _none_can_be_nearer(kept, rows[-1], query):
            # Many facilities share their hours: each text is judged once.
            open_now = cache(lambda hours: is_open(hours, query.at))
            return [_facility(columns, row, query.at, open_now, m) for m, _, row in kept]
        wanted *= 4


def _nearest(level: Clearance, query: NearestQuery) -> str:
    """The statement of a search."""
    by_kind = query.kind is not None
    if query.then is None:
        enough_free = query.min_available is not None
        return nearest_statement(level, by_kind=by_kind, enough_free=enough_free)
    is_earlier_belief = query.then.as_recorded is not None
    return nearest_then_statement(level, by_kind=by_kind, is_earlier_belief=is_earlier_belief)


async def facility_status(
    connection: ReadConnection,
    level: Clearance,
    feature_id: int,
    at: datetime,
    is_open: OpeningHours,
    then: Then | None = None,
) -> FacilityStatus | None:
    """One facility with what is known of it, or None if there is none at that instant.

    Args:
        then: As in ``NearestQuery``.
    """
    parameters: dict[str, Any] = {"feature_id": feature_id, "at": at}
    if then is None:
        statement = _statement("facility", level)
    else:
        is_earlier_belief = then.as_recorded is not None
        statement = facility_then_statement(level, is_earlier_belief=is_earlier_belief)
        if is_earlier_belief:
            parameters["as_recorded"] = then.as_recorded
    rows = await _fetch(connection, statement, parameters)
    if not rows:
        return None
    return _facility(_columns(level), rows[0], at, lambda hours: is_open(hours, at))


async def _fetch(
    connection: ReadConnection, statement: str, parameters: Mapping[str, Any]
) -> list[Row]:
    found = await connection.execute(statement, parameters, prepare=True, binary=True)
    return await found.fetchall()


Ranked = tuple[float, int, Row]
"""Geodesic metres, feature_id and the row."""


def _nearest_first(
    columns: _Columns, rows: Sequence[Row], query: NearestQuery, is_open: OpeningHours
) -> list[Ranked]:
    """The rows that are wanted, at most ``query.limit``."""
    lons, lats = ([row[at] for row in rows] for at in (columns.lon, columns.lat))
    here_lons, here_lats = [query.lon] * len(rows), [query.lat] * len(rows)
    _, _, metres = _ELLIPSOID.inv(here_lons, here_lats, lons, lats)
    ranked = [
        (distance_m, row[0], row)
        for distance_m, row in zip(metres, rows, strict=True)
        if distance_m <= query.radius_m
    ]
    if query.open_at is not None:
        at, hours = query.open_at, columns.opening_hours
        ranked = [one for one in ranked if is_open(one[2][hours], at) is True]
    if query.then is not None and query.min_available is not None:
        # The figures of then are found after the places; those of now are among the conditions.
        ranked = [one for one in ranked if _has_free(columns, one[2], query)]
    ranked.sort(key=lambda one: one[:2])
    return ranked[: query.limit]


def _has_free(columns: _Columns, row: Row, query: NearestQuery) -> bool:
    """Whether a figure says that enough is free, and had not expired."""
    observed_at, ttl_s, available = row[columns.figure][:3]
    if available is None or query.min_available is None or available < query.min_available:
        return False
    age_s = (query.at - observed_at).total_seconds()
    return Freshness.of_age(age_s, ttl_s) in (Freshness.fresh, Freshness.stale)


def _none_can_be_nearer(kept: Sequence[Ranked], last: Row, query: NearestQuery) -> bool:
    """Whether every facility beyond the last one fetched is farther than the last one kept."""
    if len(kept) < query.limit:
        return False
    mercator_m: float = last[-1]
    return kept[-1][0] <= mercator_m * _least_metres_per_mercator(query)


def _least_metres_per_mercator(query: NearestQuery) -> float:
    """Least geodesic metres for one metre of Web Mercator anywhere within the radius."""
    highest_lat = min(89.0, abs(query.lat) + query.radius_m / 110_000)
    return math.cos(math.radians(highest_lat)) * _ELLIPSOID_MARGIN


def nearest_parameters(query: NearestQuery, wanted: int) -> dict[str, Any]:
    """The parameters of ``nearest_statement``; the place is given in Web Mercator."""
    parameters = {
        "here_x": _ELLIPSOID.a * math.radians(query.lon),
        "here_y": _ELLIPSOID.a * math.asinh(math.tan(math.radians(query.lat))),
        "reach": query.radius_m / _least_metres_per_mercator(query),
        "at": query.at,
        "wanted": wanted,
    }
    if query.kind is not None:
        parameters["kind"] = query.kind
    if query.then is not None:
        if query.then.as_recorded is not None:
            parameters["as_recorded"] = query.then.as_recorded
    elif query.min_available is not None:
        parameters["min_available"] = query.min_available
    return parameters


SPARE = 4
"""Candidates beyond the limit: the two measures differ by under 1 %, so the order by little."""

_PLACE = f"(SELECT ST_SetSRID(ST_MakePoint(%(here_x)s, %(here_y)s), {TILE_SRID}))"
_AT = "%(at)s::timestamptz"
_WHEN = (
    # Each matches a partial index: versions without an end, and the few that have one.
    f"upper_inf(f.valid_during) AND lower(f.valid_during) <= {_AT}",
    f"NOT upper_inf(f.valid_during) AND f.valid_during @> {_AT}",
)
_ENOUGH_FREE = (
    "AND f.live_available >= %(min_available)s "
    f"AND f.live_observed_at >= {_AT} - f.live_ttl_s * interval '{STALE_FACTOR} seconds'"
)


@lru_cache(maxsize=32)
def nearest_statement(level: Clearance, *, by_kind: bool, enough_free: bool) -> str:
    """The statement of the search for one level and one choice of conditions, as psycopg text."""
    branches = _statement(
        "nearest",
        level,
        place=_PLACE,
        kind="AND f.kind = %(kind)s" if by_kind else "",
        free=_ENOUGH_FREE if enough_free else "",
    )
    return f"{branches} ORDER BY mercator_m LIMIT %(wanted)s"


@lru_cache(maxsize=64)
def _statement(name: str, level: Clearance, **words: str) -> str:
    """A statement of ``layers/sql``: a branch for each partition of the level, open and ended."""
    template = _template(name)
    columns = ", ".join(_columns(level).expressions)
    return "\nUNION ALL\n".join(
        template.format(columns=columns, view=live_view_name(clearance), when=when, **words)
        for clearance, when in product(live_partitions(level), _WHEN)
    )


def _template(name: str) -> str:
    """A file of ``layers/sql`` without its comments: the server need not read them."""
    lines = files("layers").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))


@dataclass(frozen=True)
class _Columns:
    """Where in a row is what: feature_id, attributes, the figure, longitude and latitude, metres.

    Attributes:
        attributes: Names, in the order of the columns after the first.
    """

    attributes: tuple[str, ...]

    @cached_property
    def expressions(self) -> tuple[str, ...]:
        """What the statements select, but for the last column."""
        live = (f"live_{name}" for name in LIVE_COLUMNS)
        plain = (f"f.{name}" for name in ("feature_id", *self.attributes, *live))
        return (*plain, "ST_X(f.geom) AS lon", "ST_Y(f.geom) AS lat")

    @cached_property
    def figure(self) -> slice:
        """The columns of the figure, in the order of ``LIVE_COLUMNS``."""
        start = 1 + len(self.attributes)
        return slice(start, start + len(LIVE_COLUMNS))

    @cached_property
    def lon(self) -> int:
        """Longitude, degrees."""
        return 1 + len(self.attributes) + len(LIVE_COLUMNS)

    @cached_property
    def lat(self) -> int:
        """Latitude, degrees."""
        return self.lon + 1

    @cached_property
    def opening_hours(self) -> int:
        """Opening hours in OSM syntax."""
        return 1 + self.attributes.index("opening_hours")


@cache
def _columns(level: Clearance) -> _Columns:
    return _Columns(tuple(attribute.name for attribute in FACILITIES.attributes_at(level)))


def _facility(
    columns: _Columns,
    row: Row,
    at: datetime,
    is_open_then: Callable[[str | None], bool | None],
    distance_m: float | None = None,
) -> FacilityStatus:
    attributes = dict(zip(columns.attributes, row[1:], strict=False))
    observed_at, ttl_s, available, capacity, status, resource_type, source = row[columns.figure]
    age_s = max(0.0, (at - observed_at).total_seconds()) if observed_at else None
    freshness = None if age_s is None else Freshness.of_age(age_s, ttl_s)
    trusted = freshness is Freshness.fresh or freshness is Freshness.stale
    open_now = is_open_then(attributes["opening_hours"])
    available = available if trusted else None
    capacity = capacity if capacity is not None else attributes["capacity"]
    return FacilityStatus(
        feature_id=row[0],
        attributes=attributes,
        lon=row[columns.lon],
        lat=row[columns.lat],
        distance_m=distance_m,
        status=derived_status(
            status=Status(status) if trusted else Status.unknown,
            available=available,
            capacity=capacity,
            is_open=open_now,
        ),
        freshness=freshness,
        available=available,
        capacity=capacity,
        resource_type=resource_type,
        source=source,
        observed_at=observed_at,
        age_s=age_s,
        is_open=open_now,
    )

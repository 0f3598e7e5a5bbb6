"""Where facilities with free capacity are: the nearest exact by geodesic metres, quick by index.

Candidates come nearest first from the GiST index on Web Mercator; they are ordered by metres on
the ellipsoid afterwards, and more candidates are fetched until no unseen one can be nearer.
Whether a facility is open follows from its opening hours (OSM syntax) in the city's time zone.

This is asked more often than anything else, so rows are read by their place, and nothing is made of
a row before it is known to be in the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from itertools import product
from typing import Any, NamedTuple, Protocol

from pyproj import Geod

from layers.access import Clearance
from layers.availability_then import facility_then_statement, search_then_statement
from layers.base import TILE_SRID
from layers.facilities import LAYER as FACILITIES
from layers.facility_filters import (
    AlongRoute,
    Area,
    Filters,
    bound_for_psycopg,
    enough_free,
    mercator,
)
from layers.observations import Freshness, Status, derived_status
from layers.views import FACILITY_STATUS, LIVE_COLUMNS, live_partitions, live_view_name

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
class Place:
    """Where somebody is.

    Attributes:
        lon: Longitude in degrees (CGCS2000).
        lat: Latitude in degrees.
        radius_m: Geodesic metres, inclusive.
    """

    lon: float
    lat: float
    radius_m: float


class Cursor(NamedTuple):
    """The last facility of a page; the next page begins after it.

    Attributes:
        sort_value: What the page is ordered by: geodesic metres, or the share of a route.
    """

    sort_value: float
    feature_id: int


@dataclass(frozen=True)
class SearchQuery:
    """What is looked for.

    Attributes:
        at: Aware instant for which figures are judged.
        place: Facilities come nearest to it first; without one by their way along a route, else by
            their ids.
        area: Only what lies there.
        then: What the present does not answer: facilities and figures as they were at ``at``.
        open_at: Only facilities known to be open at this aware instant.
        after: Only what comes after it.
    """

    at: datetime
    place: Place | None = None
    area: Area | None = None
    filters: Filters = field(default_factory=Filters)
    limit: int = 20
    open_at: datetime | None = None
    then: Then | None = None
    after: Cursor | None = None

    @property
    def shape(self) -> SearchShape:
        """What makes another statement, not only other values."""
        return SearchShape(
            self.place is not None,
            type(self.area) if self.area is not None else None,
            self.filters.shape,
            self.after is not None,
        )


class SearchShape(NamedTuple):
    """What makes the statement of a search another one; see ``SearchQuery``."""

    has_place: bool
    area: type[Area] | None
    filters: tuple[bool | int, ...]
    is_later_page: bool


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
    along: float | None
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


@dataclass(frozen=True)
class Page:
    """Facilities in order, and where the next page begins; None after the last one."""

    found: list[FacilityStatus]
    next: Cursor | None


async def search_facilities(
    connection: ReadConnection, level: Clearance, query: SearchQuery, is_open: OpeningHours
) -> Page:
    """Facilities around a place, nearest first by geodesic metres, or in an area.

    Args:
        connection: Logged in as the reader role of ``level``.
    """
    columns = _columns(level)
    statement = _statement_of(level, query)
    more = query.limit + 1
    wanted = more + max(SPARE, query.limit // 8)
    while True:
        rows = await _fetch(connection, statement, search_parameters(query, wanted))
        kept = _ranked(columns, rows, query, is_open)[:more]
        if len(rows) < wanted or (len(kept) == more and _none_comes_before(kept, rows[-1], query)):
            break
        wanted *= 4
    # Many facilities share their hours: each text is judged once.
    open_now = cache(lambda hours: is_open(hours, query.at))
    found = [_facility(columns, row, query.at, open_now, query, v) for v, _, row in kept]
    if len(kept) < more:
        return Page(found, None)
    last = kept[query.limit - 1]
    return Page(found[: query.limit], Cursor(last[0], last[1]))


def _statement_of(level: Clearance, query: SearchQuery) -> str:
    if query.then is None:
        return search_statement(level, query)
    is_earlier_belief = query.then.as_recorded is not None
    return search_then_statement(
        level,
        query.filters,
        query.area,
        has_place=query.place is not None,
        is_later_page=query.after is not None,
        is_earlier_belief=is_earlier_belief,
    )


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
        then: As in ``SearchQuery``.
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
"""What it is ordered by, feature_id and the row."""


def _ranked(
    columns: _Columns, rows: Sequence[Row], query: SearchQuery, is_open: OpeningHours
) -> list[Ranked]:
    """The rows that are wanted, in order."""
    ranked = _by_metres(columns, rows, query.place) if query.place is not None else _as_read(rows)
    if query.open_at is not None:
        at, hours = query.open_at, columns.opening_hours
        ranked = [one for one in ranked if is_open(one[2][hours], at) is True]
    if query.then is not None:
        # The figures of then are found after the places; those of now are among the conditions.
        ranked = [one for one in ranked if _has_what_is_wanted(columns, one[2], query)]
    ranked.sort(key=lambda one: one[:2])
    if query.after is None:
        return ranked
    return [one for one in ranked if one[:2] > query.after]


def _by_metres(columns: _Columns, rows: Sequence[Row], place: Place) -> list[Ranked]:
    lons, lats = ([row[at] for row in rows] for at in (columns.lon, columns.lat))
    _, _, metres = _ELLIPSOID.inv([place.lon] * len(rows), [place.lat] * len(rows), lons, lats)
    return [
        (distance_m, row[0], row)
        for distance_m, row in zip(metres, rows, strict=True)
        if distance_m <= place.radius_m
    ]


def _as_read(rows: Sequence[Row]) -> list[Ranked]:
    return [(row[-1], row[0], row) for row in rows]


def _has_what_is_wanted(columns: _Columns, row: Row, query: SearchQuery) -> bool:
    """Whether it has the resource, and a figure that had not expired says that enough is free."""
    observed_at, ttl_s, available = row[columns.figure][:3]
    resource, least = query.filters.resource_type, query.filters.min_available
    if resource is not None and observed_at is None and row[columns.resource_type] != resource:
        return False
    if least is None:
        return True
    if available is None or available < least:
        return False
    age_s = (query.at - observed_at).total_seconds()
    return Freshness.of_age(age_s, ttl_s) in (Freshness.fresh, Freshness.stale)


def _none_comes_before(kept: Sequence[Ranked], last: Row, query: SearchQuery) -> bool:
    """Whether every facility beyond the last one fetched comes after the last one kept."""
    if query.place is None:
        return True
    mercator_m: float = last[-1]
    return kept[-1][0] <= mercator_m * _least_metres_per_mercator(query.place)


def _least_metres_per_mercator(place: Place) -> float:
    """Least geodesic metres for one metre of Web Mercator anywhere within the radius."""
    highest_lat = min(89.0, abs(place.lat) + place.radius_m / 110_000)
    return math.cos(math.radians(highest_lat)) * _ELLIPSOID_MARGIN


def search_parameters(query: SearchQuery, wanted: int) -> dict[str, Any]:
    """The parameters of ``search_statement``; a place is given in Web Mercator."""
    parameters = {"at": query.at, "wanted": wanted} | query.filters.parameters()
    if query.then is not None:
        parameters.pop("min_available", None)
        if query.then.as_recorded is not None:
            parameters["as_recorded"] = query.then.as_recorded
    if query.area is not None:
        parameters |= query.area.parameters()
    if query.place is not None:
        here_x, here_y = mercator(query.place.lon, query.place.lat)
        reach = query.place.radius_m / _least_metres_per_mercator(query.place)
        parameters |= {"here_x": here_x, "here_y": here_y, "reach": reach}
    if query.after is not None and (query.then is None or query.place is None):
        parameters["after_value"] = query.after.sort_value
        parameters["after_id"] = query.after.feature_id
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
_OF_RESOURCE = (
    f"LEFT JOIN LATERAL (SELECT {', '.join(LIVE_COLUMNS)} FROM {FACILITY_STATUS} t "
    "WHERE t.feature_id = f.feature_id AND t.resource_type = %(resource_type)s "
    "ORDER BY t.observed_at DESC LIMIT 1) r ON true"
)
_HAS_RESOURCE = "(r.observed_at IS NOT NULL OR f.resource_type = %(resource_type)s)"


def search_statement(level: Clearance, query: SearchQuery) -> str:
    """The statement of a search of the present for one level, as psycopg text."""
    key = (level, query.shape)
    if key not in _SEARCHES:
        # As many as there are shapes of questions, which are few.
        _SEARCHES[key] = _search_statement(level, query)
    return _SEARCHES[key]


_SEARCHES: dict[tuple[Clearance, SearchShape], str] = {}


def _search_statement(level: Clearance, query: SearchQuery) -> str:
    bound, filters, area = bound_for_psycopg, query.filters, query.area
    by_resource = filters.resource_type is not None
    figure = "r." if by_resource else "f.live_"
    conditions = filters.conditions(bound, "f")
    if area is not None:
        conditions.append(area.condition(bound, "f"))
    if by_resource:
        conditions.append(_HAS_RESOURCE)
    if filters.min_available is not None:
        conditions.append(enough_free(bound, figure))
    order = "0.0::double precision"
    order_by, after = "f.feature_id", "f.feature_id > %(after_id)s"
    if query.place is not None:
        order = order_by = f"f.geom_3857 <-> {_PLACE}"
        conditions.insert(0, f"f.geom_3857 @ ST_Expand({_PLACE}, %(reach)s)")
        # A metre of Web Mercator is no longer than one on the ellipsoid, but for its flattening.
        after = f"{order} >= %(after_value)s * {_ELLIPSOID_MARGIN}"
    elif isinstance(area, AlongRoute):
        order = area.order(bound, "f")
        order_by = f"{order}, f.feature_id"
        after = f"({order}, f.feature_id) > (%(after_value)s, %(after_id)s)"
    if query.after is not None:
        conditions.append(after)
    branches = _statement(
        "search",
        level,
        figure=figure,
        order=order,
        order_by=order_by,
        resource=_OF_RESOURCE if by_resource else "",
        conditions=" AND ".join(conditions) or "true",
    )
    # The nearest first, whatever its id; others in the order of their ids.
    last = "" if query.place is not None else ", feature_id"
    return f"{branches} ORDER BY sort_value{last} LIMIT %(wanted)s"


@lru_cache(maxsize=64)
def _statement(name: str, level: Clearance, *, figure: str = "f.live_", **words: str) -> str:
    """A statement of ``layers/sql``: a branch for each partition of the level, open and ended.

    Args:
        figure: What stands before the names of the columns of a figure.
    """
    template = _template(name)
    columns = ", ".join(_columns(level).expressions(figure))
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

    def expressions(self, figure: str) -> tuple[str, ...]:
        """What the statements select, but for the last column."""
        plain = (f"f.{name}" for name in ("feature_id", *self.attributes))
        live = (f"{figure}{name} AS live_{name}" for name in LIVE_COLUMNS)
        return (*plain, *live, "ST_X(f.geom) AS lon", "ST_Y(f.geom) AS lat")

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

    @cached_property
    def resource_type(self) -> int:
        """What is counted in the facility itself."""
        return 1 + self.attributes.index("resource_type")


def _is_along(query: SearchQuery | None) -> bool:
    return query is not None and query.place is None and isinstance(query.area, AlongRoute)


@cache
def _columns(level: Clearance) -> _Columns:
    return _Columns(tuple(attribute.name for attribute in FACILITIES.attributes_at(level)))


def _facility(
    columns: _Columns,
    row: Row,
    at: datetime,
    is_open_then: Callable[[str | None], bool | None],
    query: SearchQuery | None = None,
    sort_value: float | None = None,
) -> FacilityStatus:
    attributes = dict(zip(columns.attributes, row[1:], strict=False))
    observed_at, ttl_s, available, capacity, status, resource_type, source = row[columns.figure]
    age_s = max(0.0, (at - observed_at).total_seconds()) if observed_at else None
    freshness = None if age_s is None else Freshness.of_age(age_s, ttl_s)
    trusted = freshness is Freshness.fresh or freshness is Freshness.stale
    open_now = is_open_then(attributes["opening_hours"])
    available = available if trusted else None
    wanted = query.filters.resource_type if query is not None else None
    if capacity is None and wanted in (None, attributes["resource_type"]):
        capacity = attributes["capacity"]
    return FacilityStatus(
        feature_id=row[0],
        attributes=attributes,
        lon=row[columns.lon],
        lat=row[columns.lat],
        distance_m=sort_value if query is not None and query.place is not None else None,
        along=sort_value if _is_along(query) else None,
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

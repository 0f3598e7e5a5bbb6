"""Searches by a score: the time to get there, and the chance that something is free on arrival.

The score of a facility is a time in seconds, the less the better::

    score = way + (1 - chance) * SEARCH_ON_S

Who arrives and finds nothing free is thought to need ``SEARCH_ON_S`` more. The chance is that of
the forecast at the instant of arrival (``layers.forecast``), 0 where the facility is closed then or
is never so large, and ``UNKNOWN_CHANCE`` where too little is known to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from geoservice.availability_travel import Find, Reached, search_by_travel
from geoservice.expectations import Expectations
from geoservice.hours import CityHours
from geoservice.readers import ReaderConnection
from layers.availability import FacilityStatus, SearchQuery
from layers.travel import Travel

SEARCH_ON_S = 1_200.0
UNKNOWN_CHANCE = 0.5

_LOOKED_AT = 200
"""Facilities whose chance is looked up at most, the quickest to reach first."""

_AT_ONCE = 50


@dataclass(frozen=True)
class Scored:
    """One facility and what its score is made of.

    Attributes:
        travel_s: Seconds of the way.
        chance: 0 to 1; None where too little is known.
        score_s: Seconds.
    """

    facility: FacilityStatus
    travel_s: float
    chance: float | None
    score_s: float


@dataclass(frozen=True)
class Ranking:
    """Facilities with the least score first.

    Attributes:
        is_complete: Whether no facility that was not looked at can have a lesser one.
    """

    found: Sequence[Scored]
    is_complete: bool


async def search_by_score(
    connection: ReaderConnection,
    query: SearchQuery,
    find: Find,
    travel: Travel,
    max_s: float,
    hours: CityHours,
    expectations: Expectations,
) -> Ranking:
    """The facilities of a search with the least scores.

    A score is never less than the way, so facilities are looked at by that until no further one can
    be among the first.

    Args:
        query: Has a place; ``at`` is when one sets out. So many free units as its filters ask for
            are wanted on arrival, one if they do not.
    """
    least = max(query.filters.min_available or 1, 1)
    asked = replace(query, filters=replace(query.filters, min_available=None), limit=_LOOKED_AT)
    reached = await search_by_travel(connection, asked, find, travel, max_s)
    scored: list[Scored] = []
    for start in range(0, len(reached.found), _AT_ONCE):
        part = reached.found[start : start + _AT_ONCE]
        if _none_comes_before(scored, query.limit, reached.seconds[part[0].feature_id]):
            return Ranking(scored[: query.limit], is_complete=True)
        scored += await _scores(connection, query, part, reached, least, hours, expectations)
        scored.sort(key=lambda one: (one.score_s, one.facility.feature_id))
    is_all = reached.is_complete and len(reached.found) < _LOOKED_AT
    is_cut = bool(reached.found) and _none_comes_before(
        scored, query.limit, reached.seconds[reached.found[-1].feature_id]
    )
    return Ranking(scored[: query.limit], is_complete=is_all or (reached.is_complete and is_cut))


def score_s(travel_s: float, chance: float | None) -> float:
    """The score in seconds, as the module says."""
    known = UNKNOWN_CHANCE if chance is None else chance
    return travel_s + (1 - known) * SEARCH_ON_S


def _none_comes_before(scored: Sequence[Scored], limit: int, next_travel_s: float) -> bool:
    return len(scored) >= limit and scored[limit - 1].score_s <= next_travel_s


async def _scores(
    connection: ReaderConnection,
    query: SearchQuery,
    part: Sequence[FacilityStatus],
    reached: Reached,
    least: int,
    hours: CityHours,
    expectations: Expectations,
) -> list[Scored]:
    arrivals = {
        one.feature_id: query.at + timedelta(seconds=reached.seconds[one.feature_id])
        for one in part
    }
    chances = await expectations.chances(connection, arrivals, least, query.filters.resource_type)
    found = []
    for one in part:
        way_s = reached.seconds[one.feature_id]
        chance = _chance(one, chances.get(one.feature_id), arrivals[one.feature_id], least, hours)
        found.append(Scored(one, way_s, chance, score_s(way_s, chance)))
    return found


def _chance(
    one: FacilityStatus, expected: float | None, arrival: datetime, least: int, hours: CityHours
) -> float | None:
    if hours(one.attributes["opening_hours"], arrival) is False:
        return 0.0
    if one.capacity is not None and one.capacity < least:
        return 0.0
    return expected

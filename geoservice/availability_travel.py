"""Searches by the time that it takes to get there, on the network of roads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from geoservice.readers import ReaderConnection
from layers.availability import MAX_RADIUS_M, FacilityStatus, Page, SearchQuery
from layers.travel import Travel, travel_times

Expected = Mapping[int, dict[str, Any]]
Find = Callable[[SearchQuery], Awaitable[tuple[Page, Expected]]]
"""Finds facilities nearest first in a straight line, with what is expected of them."""

_PAGE = 200
_MOST_PAGES = 8


@dataclass(frozen=True)
class Reached:
    """Facilities in the order of the time to them.

    Attributes:
        seconds: By their ids.
        is_complete: Whether no facility that was not looked at can be nearer in time.
    """

    found: list[FacilityStatus]
    seconds: dict[int, float]
    expected: Expected
    is_complete: bool


async def search_by_travel(
    connection: ReaderConnection,
    query: SearchQuery,
    find: Find,
    travel: Travel,
    max_s: float,
) -> Reached:
    """The facilities of a search that are reached in time, the quickest to reach first.

    Nobody is quicker than in a straight line at the highest speed, so facilities are looked at in
    that order until those beyond cannot be among the first.

    Args:
        query: Has a place.
    """
    assert query.place is not None  # noqa: S101  # for mypy: the caller has seen to it
    reach_m = min(MAX_RADIUS_M, query.place.radius_m, max_s * travel.fastest_m_s)
    place = replace(query.place, radius_m=reach_m)
    asked = replace(query, place=place, limit=_PAGE, after=None)
    by_id: dict[int, FacilityStatus] = {}
    seconds: dict[int, float] = {}
    expected: dict[int, dict[str, Any]] = {}
    is_complete = False
    for _ in range(_MOST_PAGES):
        page, told = await find(asked)
        expected |= told
        by_id |= {one.feature_id: one for one in page.found}
        targets = {one.feature_id: (one.lon, one.lat) for one in page.found}
        start = (place.lon, place.lat)
        seconds |= await travel_times(connection, start, targets, travel, max_s)
        ranked = sorted(seconds, key=lambda number: (seconds[number], number))[: query.limit]
        if page.next is None or (
            len(ranked) == query.limit
            and page.next.sort_value / travel.fastest_m_s >= seconds[ranked[-1]]
        ):
            is_complete = True
            break
        asked = replace(asked, after=page.next)
    return Reached([by_id[number] for number in ranked], seconds, expected, is_complete)

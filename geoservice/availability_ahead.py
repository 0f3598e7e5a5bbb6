"""Searches of a later instant: what is expected is asked instead of what was observed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from geoservice.expectations import Expectations
from geoservice.hours import CityHours
from geoservice.readers import ReaderConnection
from layers.access import Clearance
from layers.availability import Cursor, FacilityStatus, Page, SearchQuery, search_facilities

_PAGE = 200
_MOST_PAGES = 5
"""Facilities that are looked at, in pages, until enough of them are expected to have enough."""


async def search_ahead(
    connection: ReaderConnection,
    level: Clearance,
    query: SearchQuery,
    hours: CityHours,
    expectations: Expectations,
) -> tuple[Page, dict[int, dict[str, Any]]]:
    """Facilities in order with what is expected of them, by their ids.

    With ``min_available`` those of which so many are expected; the others are left out, and so are
    those of which too little is known.
    """
    least = query.filters.min_available
    asked = replace(query, filters=replace(query.filters, min_available=None))
    if least is not None:
        asked = replace(asked, limit=_PAGE)
    found: list[FacilityStatus] = []
    expected: dict[int, dict[str, Any]] = {}
    for _ in range(_MOST_PAGES):
        page = await search_facilities(connection, level, asked, hours)
        told = await expectations.of_facilities(
            connection,
            {one.feature_id: one.capacity for one in page.found},
            query.at,
            query.filters.resource_type,
        )
        expected |= told
        if least is None:
            return page, expected
        found += [
            one
            for one in page.found
            if one.feature_id in told and told[one.feature_id]["available"] >= least
        ]
        if len(found) >= query.limit or page.next is None:
            break
        asked = replace(asked, after=page.next)
    if page.next is None and len(found) <= query.limit:
        return Page(found, None), expected
    last = found[query.limit - 1] if len(found) >= query.limit else page.found[-1]
    return Page(found[: query.limit], _cursor_of(last)), expected


def _cursor_of(last: FacilityStatus) -> Cursor:
    return Cursor(last.distance_m or last.along or 0.0, last.feature_id)

"""How long it takes to get somewhere on the network of roads, by pgRouting.

Every level reads the edges of its own roads. The inner statements that pgRouting is given are texts
of this module, with whole numbers of ours in them and nothing else.

A place is reached from the nearest edge that may be used: the way to it and from it is walked in a
straight line, and along the edge the share of its time counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol

from layers.base import STORAGE_SRID, TILE_SRID
from layers.facility_filters import mercator
from layers.road_network import FASTEST_DRIVING_M_S, WALKING_M_S

SNAP_M = 1_000
"""A place farther from every road is not reached."""

_BESIDE_M = {"walking": 60, "driving": 120}
"""Metres on either side of a reached road that belong to what is reached."""


class Travel(StrEnum):
    """How somebody moves."""

    WALKING = "walking"
    DRIVING = "driving"

    @property
    def fastest_m_s(self) -> float:
        """Metres a second that nobody exceeds."""
        return WALKING_M_S if self is Travel.WALKING else FASTEST_DRIVING_M_S


MAX_MINUTES = {Travel.WALKING: 120, Travel.DRIVING: 60}


class Rows(Protocol):
    """What a statement gave."""

    async def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""


class TravelConnection(Protocol):
    """What is needed of a driver's connection; psycopg's has it."""

    async def execute(self, query: str, params: Mapping[str, Any]) -> Rows:
        """Run a statement with named parameters (``%(name)s``)."""


async def travel_times(
    connection: TravelConnection,
    start: tuple[float, float],
    targets: Mapping[int, tuple[float, float]],
    travel: Travel,
    max_s: float,
) -> dict[int, float]:
    """Seconds from a place to others; those that are not reached in time are not there.

    Args:
        connection: Of the reader role of the caller.
        start: Longitude and latitude in degrees, as the values of ``targets``.
        max_s: At most so many seconds are travelled.
    """
    if not targets:
        return {}
    x, y = mercator(*start)
    places = [mercator(*place) for place in targets.values()]
    found = await connection.execute(
        _times_statement(travel),
        {
            "x": x,
            "y": y,
            "max_s": max_s,
            "edges": _edges(travel, x, y, max_s, is_towards=False),
            "ids": list(targets),
            "xs": [place[0] for place in places],
            "ys": [place[1] for place in places],
            **_scales(start[1]),
        },
    )
    rows = await found.fetchall()
    return {row[0]: row[1] for row in rows if row[1] is not None and row[1] <= max_s}


async def catchment(
    connection: TravelConnection,
    place: tuple[float, float],
    travel: Travel,
    minutes: Sequence[int],
) -> list[tuple[int, str]]:
    """What lies within minutes of a place, travelling towards it, the farthest first.

    Returns:
        Minutes, and GeoJSON of a multipolygon in longitude and latitude: the roads that are near
        enough, and what lies beside them. Of a place that no road is near, nothing.
    """
    x, y = mercator(*place)
    longest = max(minutes) * 60
    found = await connection.execute(
        _catchment_statement(travel),
        {
            "x": x,
            "y": y,
            "max_s": longest,
            "edges": _edges(travel, x, y, longest, is_towards=True),
            "limits": sorted((m * 60 for m in minutes), reverse=True),
            **_scales(place[1]),
        },
    )
    return [(round(row[0] / 60), row[1]) for row in await found.fetchall() if row[1] is not None]


def _scales(lat: float) -> dict[str, float]:
    """Metres of Web Mercator for one on the ground."""
    return {"scale": 1 / math.cos(math.radians(max(-85.0, min(85.0, lat))))}


def _edges(travel: Travel, x: float, y: float, max_s: float, *, is_towards: bool) -> str:
    """The edges that can matter, as pgRouting asks for them: whole numbers of ours only."""
    lat = math.degrees(math.atan(math.sinh(y / 6_378_137.0)))
    reach = math.ceil((max_s * travel.fastest_m_s + SNAP_M) * 1.02 * _scales(lat)["scale"])
    west, south, east, north = (round(v) for v in (x - reach, y - reach, x + reach, y + reach))
    there, back = ("drive_s", "drive_back_s") if travel is Travel.DRIVING else ("walk_s", "walk_s")
    if is_towards:
        there, back = back, there
    return (
        f"SELECT edge_id AS id, source, target, {there} AS cost, {back} AS reverse_cost "
        f"FROM road_edges WHERE geom_3857 && ST_MakeEnvelope({west}, {south}, {east}, {north}, "
        f"{TILE_SRID})"
    )


def _may_be_used(travel: Travel, alias: str) -> str:
    if travel is Travel.WALKING:
        return f"{alias}.walk_s >= 0"
    return f"({alias}.drive_s >= 0 OR {alias}.drive_back_s >= 0)"


def _nearest_edge(travel: Travel, point: str) -> str:
    """The nearest edge of a point in EPSG:3857, how far along it that is, and how far away."""
    along, against = ("e.walk_s", "e.walk_s")
    if travel is Travel.DRIVING:
        along, against = "e.drive_s", "e.drive_back_s"
    return f"""
        SELECT e.edge_id, e.source, e.target, {along} AS along_s, {against} AS against_s,
               e.geom_3857, ST_LineLocatePoint(e.geom_3857, {point}) AS share,
               ST_Distance(e.geom_3857, {point}) / %(scale)s / {WALKING_M_S} AS off_s
        FROM road_edges e
        WHERE {_may_be_used(travel, "e")}
          AND e.geom_3857 && ST_Expand({point}, {SNAP_M} * %(scale)s)
        ORDER BY e.geom_3857 <-> {point} LIMIT 1"""


_HERE = f"ST_SetSRID(ST_MakePoint(%(x)s, %(y)s), {TILE_SRID})"


def _reached(travel: Travel, *, is_towards: bool) -> str:
    """CTEs: the edge of the place, and the junctions with the seconds to each."""
    along, against = ("against_s", "along_s") if is_towards else ("along_s", "against_s")
    return f"""
        here AS MATERIALIZED ({_nearest_edge(travel, _HERE)}),
        begun AS MATERIALIZED (
            SELECT target AS node, off_s + (1 - share) * {along} AS seconds
            FROM here WHERE {along} >= 0
            UNION ALL
            SELECT source, off_s + share * {against} FROM here WHERE {against} >= 0
        ),
        reached AS MATERIALIZED (
            SELECT d.node, min(b.seconds + d.agg_cost) AS seconds
            FROM pgr_drivingDistance(
                %(edges)s, ARRAY(SELECT node FROM begun), %(max_s)s::float8, true) d
            JOIN begun b ON b.node = d.from_v
            GROUP BY d.node
        )"""


@lru_cache(maxsize=4)
def _times_statement(travel: Travel) -> str:
    return f"""
        WITH {_reached(travel, is_towards=False)},
        targets AS (
            SELECT t.id, n.*
            FROM unnest(%(ids)s::bigint[], %(xs)s::float8[], %(ys)s::float8[]) AS t (id, x, y)
            CROSS JOIN LATERAL (SELECT ST_SetSRID(ST_MakePoint(t.x, t.y), {TILE_SRID}) AS p) p
            CROSS JOIN LATERAL ({_nearest_edge(travel, "p.p")}) n
        )
        SELECT t.id, t.off_s + least(
                   CASE WHEN t.along_s >= 0 THEN s.seconds + t.share * t.along_s END,
                   CASE WHEN t.against_s >= 0 THEN e.seconds + (1 - t.share) * t.against_s END,
                   -- On the very edge: straight along it.
                   h.off_s + CASE WHEN t.share >= h.share
                                  THEN (t.share - h.share) * nullif(t.along_s, -1)
                                  ELSE (h.share - t.share) * nullif(t.against_s, -1) END
               ) AS seconds
        FROM targets t
        LEFT JOIN reached s ON s.node = t.source
        LEFT JOIN reached e ON e.node = t.target
        LEFT JOIN here h ON h.edge_id = t.edge_id
        WHERE s.node IS NOT NULL OR e.node IS NOT NULL OR h.edge_id IS NOT NULL"""


@lru_cache(maxsize=4)
def _catchment_statement(travel: Travel) -> str:
    # Towards the place: an edge is gone from an end that is reached against the way of the search.
    from_source, from_target = ("e.walk_s", "e.walk_s")
    if travel is Travel.DRIVING:
        from_source, from_target = "e.drive_back_s", "e.drive_s"
    beside = _BESIDE_M[travel]
    return f"""
        WITH {_reached(travel, is_towards=True)},
        gone AS (
            SELECT l.seconds AS within_s, e.geom_3857,
                   greatest(0, (l.seconds - s.seconds) / nullif({from_source}, -1)) AS begun,
                   greatest(0, (l.seconds - t.seconds) / nullif({from_target}, -1)) AS ended
            FROM road_edges e
            LEFT JOIN reached s ON s.node = e.source
            LEFT JOIN reached t ON t.node = e.target
            JOIN unnest(%(limits)s::float8[]) AS l (seconds)
              ON s.seconds <= l.seconds OR t.seconds <= l.seconds
            UNION ALL
            -- The road of the place itself, from either side that leads to it.
            SELECT l.seconds, ST_LineSubstring(
                h.geom_3857,
                greatest(0, h.share - coalesce((l.seconds - h.off_s) / nullif(h.along_s, -1), 0)),
                least(1, h.share + coalesce((l.seconds - h.off_s) / nullif(h.against_s, -1), 0))
            ), 1, 0
            FROM here h JOIN unnest(%(limits)s::float8[]) AS l (seconds) ON l.seconds > h.off_s
        ),
        parts AS (
            SELECT within_s, CASE
                       WHEN coalesce(begun, 0) + coalesce(ended, 0) >= 1 THEN geom_3857
                       ELSE ST_Collect(
                           CASE WHEN begun > 0 THEN ST_LineSubstring(geom_3857, 0, begun) END,
                           CASE WHEN ended > 0 THEN ST_LineSubstring(geom_3857, 1 - ended, 1) END)
                   END AS part
            FROM gone
        )
        SELECT within_s, ST_AsGeoJSON(ST_Transform(ST_Multi(ST_Union(
                   ST_Buffer(part, {beside} * %(scale)s, 'quad_segs=2'))), {STORAGE_SRID}), 6)
        FROM parts GROUP BY within_s ORDER BY within_s DESC"""

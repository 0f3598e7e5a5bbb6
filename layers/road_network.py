"""A network that can be travelled, made of road centrelines: edges between junctions.

Lines meet where they share a vertex, where one ends within half a metre of another, and where they
cross; motorways and trunk roads only meet others at shared vertices and ends, for where they cross
without one they do so on bridges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Geod, Transformer
from shapely.ops import substring

from layers.base import STORAGE_SRID, TILE_SRID

WALKING_M_S = 1.25
MEETS_WITHIN_M = 0.5
_PER_METRE = 100
"""Places are told apart to a centimetre."""

_GRADE_SEPARATED = frozenset({"motorway", "trunk"})
_DRIVING_KM_H = {
    "motorway": 80.0,
    "trunk": 60.0,
    "primary": 40.0,
    "secondary": 35.0,
    "tertiary": 30.0,
    "residential": 20.0,
    "service": 15.0,
}
_OTHER_KM_H = 20.0
FASTEST_DRIVING_M_S = max(_DRIVING_KM_H.values()) / 3.6

_ELLIPSOID = Geod(a=6378137.0, rf=298.257222101)
"""Of CGCS2000."""

Key = tuple[int, int]
"""A place in centimetres of Web Mercator."""

Lines = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Road:
    """One road as the network is made from it.

    Attributes:
        geometry: Lines in EPSG:3857.
    """

    feature_id: int
    clearance: int
    road_class: str | None
    is_oneway: bool
    geometry: shapely.Geometry


class Edge(NamedTuple):
    """A part of a road between two junctions.

    Attributes:
        source: Number of the junction at its beginning.
        length_m: Geodesic metres.
        drive_s: Seconds of driving along it; -1 where nobody may.
        drive_back_s: Against it.
        walk_s: Seconds of walking, either way.
        geometry: In EPSG:3857.
    """

    feature_id: int
    clearance: int
    source: int
    target: int
    length_m: float
    drive_s: float
    drive_back_s: float
    walk_s: float
    geometry: shapely.Geometry


def make_network(roads: Sequence[Road]) -> Iterator[Edge]:
    """The edges of a network; junctions are numbered from 1."""
    owners, lines = _lines_of(roads)
    if not len(lines):
        return
    cuts = _cuts(lines, [roads[owner] for owner in owners])
    places = _Places()
    stops = [_stops(line, of_line, places) for line, of_line in zip(lines, cuts, strict=True)]
    numbers: dict[Key, int] = {}
    to_degrees = Transformer.from_crs(TILE_SRID, STORAGE_SRID, always_xy=True)
    for line, owner, of_line in zip(lines, owners, stops, strict=True):
        for (begin, begin_key), (end, end_key) in pairwise(of_line):
            part = substring(line, begin, end)
            source, target = (
                numbers.setdefault(places.one_of(key), len(numbers) + 1)
                for key in (begin_key, end_key)
            )
            x, y = shapely.get_coordinates(part).T
            length_m = _ELLIPSOID.line_length(*to_degrees.transform(x, y))
            yield _edge(roads[owner], source, target, length_m, part)


class _Places:
    """Places that are taken for one, because they lie within reach of one another."""

    def __init__(self) -> None:
        self._same: dict[Key, Key] = {}

    def one_of(self, key: Key) -> Key:
        """The place that stands for all that are one with it."""
        while key in self._same:
            key = self._same[key]
        return key

    def unite(self, one: Key, other: Key) -> None:
        """Take two places for one."""
        first, second = sorted((self.one_of(one), self.one_of(other)))
        if first != second:
            self._same[second] = first


def _stops(
    line: Any, cuts: dict[Key, shapely.Geometry], places: _Places
) -> list[tuple[float, Key]]:
    """Where a line is cut, its ends among them, as ways along it with the keys of the places."""
    ends = ((0.0, _key(*line.coords[0])), (line.length, _key(*line.coords[-1])))
    inner = []
    for key, point in cuts.items():
        at = line.project(point)
        near = [end for way, end in ends if abs(way - at) < MEETS_WITHIN_M]
        if near:
            places.unite(key, near[0])
        else:
            inner.append((at, key))
    return [ends[0], *sorted(inner), ends[1]]


def _edge(road: Road, source: int, target: int, length_m: float, part: Any) -> Edge:
    km_h = _DRIVING_KM_H.get(road.road_class or "", _OTHER_KM_H)
    drive_s = length_m / (km_h / 3.6)
    walk_s = -1.0 if road.road_class == "motorway" else length_m / WALKING_M_S
    back_s = -1.0 if road.is_oneway else drive_s
    return Edge(
        road.feature_id, road.clearance, source, target, length_m, drive_s, back_s, walk_s, part
    )


def _lines_of(roads: Sequence[Road]) -> tuple[list[int], Lines]:
    parts, owners = shapely.get_parts(
        np.array([road.geometry for road in roads], dtype=object), return_index=True
    )
    is_line = shapely.length(parts) > 0
    return [int(owner) for owner in owners[is_line]], parts[is_line]


def _key(x: float, y: float) -> Key:
    return round(x * _PER_METRE), round(y * _PER_METRE)


def _cuts(lines: Lines, roads: Sequence[Road]) -> list[dict[Key, shapely.Geometry]]:
    """For each line the places at which it is cut, besides its ends."""
    cuts: list[dict[Key, shapely.Geometry]] = [{} for _ in lines]
    _cut_at_shared_vertices(lines, cuts)
    tree = shapely.STRtree(lines)
    _cut_at_ends_of_others(lines, tree, cuts)
    _cut_at_crossings(lines, roads, tree, cuts)
    return cuts


def _cut_at_shared_vertices(lines: Lines, cuts: list[dict[Key, shapely.Geometry]]) -> None:
    coordinates, owners = shapely.get_coordinates(lines, return_index=True)
    keys = np.round(coordinates * _PER_METRE).astype(np.int64)
    once, which = np.unique(np.column_stack([keys, owners]), axis=0, return_index=True)
    _, inverse, counts = np.unique(once[:, :2], axis=0, return_inverse=True, return_counts=True)
    for place in which[counts[inverse.ravel()] > 1]:
        x, y = coordinates[place]
        cuts[owners[place]][_key(x, y)] = shapely.Point(x, y)


def _cut_at_ends_of_others(
    lines: Lines, tree: shapely.STRtree, cuts: list[dict[Key, shapely.Geometry]]
) -> None:
    ends = np.concatenate([shapely.get_point(lines, 0), shapely.get_point(lines, -1)])
    of_end, others = tree.query(ends, predicate="dwithin", distance=MEETS_WITHIN_M)
    for end, other in zip(of_end, others, strict=True):
        if end % len(lines) != other:
            point = ends[end]
            cuts[other].setdefault(_key(point.x, point.y), point)


def _cut_at_crossings(
    lines: Lines,
    roads: Sequence[Road],
    tree: shapely.STRtree,
    cuts: list[dict[Key, shapely.Geometry]],
) -> None:
    first, second = tree.query(lines, predicate="crosses")
    level = np.array([road.road_class not in _GRADE_SEPARATED for road in roads])
    wanted = (first < second) & level[first] & level[second]
    first, second = first[wanted], second[wanted]
    for one, other, where in zip(
        first, second, shapely.intersection(lines[first], lines[second]), strict=True
    ):
        for point in shapely.get_parts(where):
            if point.geom_type == "Point":
                key = _key(point.x, point.y)
                cuts[one].setdefault(key, point)
                cuts[other].setdefault(key, point)

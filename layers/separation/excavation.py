"""What digging a pit endangers: pipes that are hit, and pipes whose protection strip is entered.

Strips are widened by how much the recorded position of a pipe may be off. A pipe whose depth is not
known is taken to lie at any depth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import shapely

from layers.separation.bodies import LARGEST_HALF_M, Body
from layers.separation.table import SeparationTable


class Danger(StrEnum):
    """How a pit meets a pipe."""

    HIT = "hit"
    STRIP = "strip"


@dataclass(frozen=True)
class Pit:
    """What is dug out.

    Attributes:
        area: Polygon or polygons in the plane system of the city, metres.
        depth_m: Of its bottom below ground.
    """

    area: Any
    depth_m: float


@dataclass(frozen=True)
class Endangered:
    """A pipe that a pit meets.

    Attributes:
        depth_m: From the ground to the crown where it is least, in the pit, else in its strip;
            None where it is not known.
        distance_m: In plan from the pit to the outer face; 0 where it reaches into the pit.
        inside_m: Length of the axis within the pit in plan.
        strip_m: Wanted beside such a pipe.
        uncertainty_m: By how much its recorded position may be off.
    """

    pipe: Body
    danger: Danger
    depth_m: float | None
    distance_m: float
    inside_m: float
    strip_m: float
    uncertainty_m: float


def reach_m(table: SeparationTable) -> float:
    """Beyond this distance from a pit no axis of a pipe matters."""
    uncertain = max((*table.uncertainty_m.values(), table.unknown_uncertainty_m))
    return max(table.strips_m.values()) + uncertain + LARGEST_HALF_M


def endangered_by(pit: Pit, pipes: Iterable[Body], table: SeparationTable) -> Iterator[Endangered]:
    """The pipes that a pit hits, or into whose strips it reaches; in the order given.

    A pipe is hit where it lies within the pit, as recorded, and its crown above the bottom. A strip
    is entered from the side or from above.
    """
    for pipe in pipes:
        strip_m = table.strip_m(pipe["category"])
        uncertainty_m = table.uncertainty_of(pipe["data_source"])
        widened_m = strip_m + uncertainty_m
        distance_m = max(0.0, float(shapely.distance(pipe.line, pit.area)) - pipe.half_m[0])
        if distance_m > widened_m:
            continue
        depth_m = _least_depth(pipe, pit, 0.0 if distance_m == 0 else widened_m)
        if distance_m == 0 and (depth_m is None or depth_m < pit.depth_m):
            danger = Danger.HIT
        elif depth_m is None or depth_m - widened_m <= pit.depth_m:
            danger = Danger.STRIP
        else:
            continue
        inside_m = float(shapely.length(shapely.intersection(pipe.line, pit.area)))
        yield Endangered(pipe, danger, depth_m, distance_m, inside_m, strip_m, uncertainty_m)


def _least_depth(pipe: Body, pit: Pit, around_m: float) -> float | None:
    """From the ground to the crown where that is least of what lies in and around a pit."""
    if pipe.depth_m is None:
        return None
    within = shapely.buffer(pit.area, pipe.half_m[0] + around_m)
    places = shapely.get_coordinates(shapely.intersection(pipe.line, within))
    if not len(places):  # the outer face only just touches: arcs of the area are made of chords
        places = shapely.get_coordinates(shapely.shortest_line(pipe.line, pit.area))[:1]
    # Depths are even between vertices, so they are least at the ends of what lies within.
    return min(pipe.heights_at(pipe.depth_m, x, y)[0] for x, y in places) - pipe.half_m[1]

"""Where a drawn line cuts the axes of pipes: the geometry of a cross-section (断面).

All of it is planar: lines come in the city's plane system, X east and Y north in metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString

_SAME_PLACE_M = 1e-6
"""What is nearer is one place: a cut in a bend, and two lines that part by no more."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Crossing:
    """A pipe's axis is cut, or runs along the drawn line.

    Attributes:
        pipe: Position of the pipe in the sequence that was asked for.
        distance_m: Along the drawn line, from its start; of a run, where it begins.
        end_distance_m: Where a run along the drawn line ends; ``distance_m`` for a cut.
        x_m: East in the plane system, at ``distance_m``.
        y_m: North in the plane system, at ``distance_m``.
        axis_elevation_m: Of the axis at ``distance_m``; None where it is not known.
        angle_deg: Between line and pipe, above 0 to 90; 0 for a run.
    """

    pipe: int
    distance_m: float
    end_distance_m: float
    x_m: float
    y_m: float
    axis_elevation_m: float | None
    angle_deg: float


def crossings(line: LineString, axes: Sequence[LineString]) -> list[Crossing]:
    """Every place where a line cuts pipes or runs along them, in the order of the line.

    A line that crosses itself or a pipe again has a crossing for each time. A pipe that only
    touches the line with its end is cut there.

    Args:
        line: As drawn, in the plane system; its Z, if any, says nothing.
        axes: Of the pipes, in the same system. Give those whose elevation is unknown without Z,
            or with NaN there: the crossing is found, its elevation is None.
    """
    starts, ends, owners = _segments(axes)
    segments = shapely.linestrings(np.stack([starts[:, :2], ends[:, :2]], axis=1))
    tree = shapely.STRtree(np.asarray(segments, dtype=object))
    vertices = shapely.get_coordinates(shapely.remove_repeated_points(line))
    travelled = 0.0
    found: list[Crossing] = []
    for a, b in pairwise(vertices):
        near = np.sort(tree.query(shapely.linestrings([a, b]), predicate="intersects"))
        found += [
            _moved(_meeting(int(owners[i]), a, b, starts[i], ends[i]), travelled) for i in near
        ]
        travelled += float(np.hypot(*(b - a)))
    return _once(found)


def _segments(axes: Sequence[LineString]) -> tuple[Array, Array, npt.NDArray[np.int64]]:
    """Starts and ends as (n, 3), Z of NaN where there is none, and the pipe of each."""
    coordinates, owners = shapely.get_coordinates(
        np.asarray(axes, dtype=object), include_z=True, return_index=True
    )
    inner = owners[:-1] == owners[1:]
    return coordinates[:-1][inner], coordinates[1:][inner], owners[:-1][inner]


def _cross(u: Array, v: Array) -> float:
    return float(u[0] * v[1] - u[1] * v[0])


def _meeting(pipe: int, a: Array, b: Array, start: Array, end: Array) -> Crossing:
    """Of one leg of the line and one segment of a pipe that are known to meet."""
    leg, axis = b - a, end[:2] - start[:2]
    leg_m, axis_m = float(np.hypot(*leg)), float(np.hypot(*axis))
    if axis_m == 0:
        # A drop in a shaft is a place in the plane; which of its elevations is cut is open.
        along_m = float(np.dot(start[:2] - a, leg)) / leg_m
        return Crossing(pipe, along_m, along_m, float(start[0]), float(start[1]), None, 90.0)
    sine = _cross(leg, axis) / (leg_m * axis_m)
    run_end_m = None
    if abs(sine) * min(leg_m, axis_m) < _SAME_PLACE_M:
        ways = [float(np.dot(point[:2] - a, leg)) / leg_m for point in (start, end)]
        along_m, run_end_m = max(0.0, min(ways)), min(leg_m, max(ways))
    else:
        along_m = _cross(start[:2] - a, axis) / _cross(leg, axis) * leg_m
    x, y = a + leg * (along_m / leg_m)
    share = min(1.0, max(0.0, float(np.dot((x, y) - start[:2], axis)) / axis_m**2))
    z = float(start[2] + (end[2] - start[2]) * share)
    return Crossing(
        pipe,
        along_m,
        along_m if run_end_m is None else run_end_m,
        float(x),
        float(y),
        None if np.isnan(z) else z,
        0.0 if run_end_m is not None else float(np.degrees(np.arcsin(min(1.0, abs(sine))))),
    )


def _moved(crossing: Crossing, by_m: float) -> Crossing:
    return Crossing(
        crossing.pipe,
        crossing.distance_m + by_m,
        crossing.end_distance_m + by_m,
        crossing.x_m,
        crossing.y_m,
        crossing.axis_elevation_m,
        crossing.angle_deg,
    )


def _once(found: list[Crossing]) -> list[Crossing]:
    """In the order of the line; what two legs or two segments both met is there once.

    Of a run and a cut at its ends the run stays; runs one after another stay apart, since the
    pipe or the line bends or changes its slope between them.
    """
    kept: dict[int, list[Crossing]] = {}
    for one in sorted(found, key=lambda each: (each.distance_m, -each.end_distance_m)):
        before = kept.setdefault(one.pipe, [])
        is_run = one.end_distance_m - one.distance_m > _SAME_PLACE_M
        if before and not is_run:
            last = before[-1]
            if (
                last.distance_m - _SAME_PLACE_M
                <= one.distance_m
                <= (last.end_distance_m + _SAME_PLACE_M)
            ):
                continue
        if before and is_run and one.distance_m - before[-1].distance_m <= _SAME_PLACE_M:
            before.pop()
        before.append(one)
    return sorted(
        (one for each in kept.values() for one in each),
        key=lambda one: (one.distance_m, one.pipe),
    )

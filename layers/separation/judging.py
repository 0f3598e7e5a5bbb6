"""Which pipes are nearer to each other than a table wants.

Distances are between outer faces. Where two pipes cross in plan, the gap in height at the crossing
counts, from elevations if both are known, else from depths below the same ground; where neither is
known, nothing is decided. Elsewhere the gap in plan between the nearest points of the axes counts.
Pairs are put in one order before anything is computed, so that answers are the same both ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from layers.city import FloatArray
from layers.separation.bodies import LARGEST_HALF_M, Body
from layers.separation.table import Measure, Requirement, SeparationTable

TOLERANCE_M = 1e-3
"""Nearer by less than a millimetre is no breach: no survey knows it."""

JOINED_M = 0.01
"""Pipes of a category are joined where an end of one lies so near to the axis of the other."""


@dataclass(frozen=True)
class Separation:
    """How far two pipes are from each other.

    Attributes:
        pair: The pipes, in the order of the places in ``place``.
        horizontal_m: Between outer faces in plan; below zero where they overlap.
        vertical_m: The same in height at the place; None where it is not known.
        vertical_from: ``elevation``, or ``depth`` below the ground at a crossing.
        crosses: Whether the axes cross in plan.
        place: The nearest points of the axes, shape (2, 2), metres in the plane system.
    """

    pair: tuple[Body, Body]
    horizontal_m: float
    vertical_m: float | None
    vertical_from: str | None
    crosses: bool
    place: FloatArray

    @property
    def measure(self) -> Measure:
        """What counts of the two distances."""
        return Measure.VERTICAL if self.crosses else Measure.HORIZONTAL

    @property
    def distance_m(self) -> float | None:
        """The distance that counts; None where it is not known."""
        return self.vertical_m if self.crosses else self.horizontal_m


@dataclass(frozen=True)
class Finding:
    """A pair that is too near, or of which that is not known.

    Attributes:
        shortfall_m: How much is missing; None where the distance is not known.
    """

    separation: Separation
    requirement: Requirement
    shortfall_m: float | None


@dataclass(frozen=True)
class Judgement:
    """What a scene was found to be.

    Attributes:
        breaches: The worst first.
        undecided: Crossings at heights that are not known.
        exempt: How many pipes are laid in a way that is not judged.
        without_rule: How many pairs within reach have no rule.
    """

    breaches: tuple[Finding, ...]
    undecided: tuple[Finding, ...]
    exempt: int
    without_rule: int


def judge(
    table: SeparationTable, pipes: Sequence[Body], subjects: Sequence[Body] | None = None
) -> Judgement:
    """Every pair that is nearer than the table wants.

    Args:
        table: What is wanted.
        pipes: The scene, each pipe once.
        subjects: Only pairs with one of these, which are of the scene; None is all pairs.
    """
    buried = [pipe for pipe in pipes if not table.is_exempt(pipe)]
    breaches, undecided, without_rule = [], [], 0
    chosen = None if subjects is None else set(subjects)
    for one, other in _near_pairs(buried, table.reach_m):
        if chosen is not None and chosen.isdisjoint((one, other)):
            continue
        if _is_joined(one, other):
            continue
        found = separation_of(one, other)
        requirement = table.requirement(found.measure, one, other)
        if requirement is None:
            without_rule += 1
            continue
        required_m, distance_m = requirement.rule.required_m, found.distance_m
        if distance_m is None:
            undecided.append(Finding(found, requirement, None))
        elif required_m - distance_m > TOLERANCE_M:
            breaches.append(Finding(found, requirement, required_m - distance_m))
    return Judgement(
        tuple(sorted(breaches, key=lambda one: -(one.shortfall_m or 0))),
        tuple(undecided),
        len(pipes) - len(buried),
        without_rule,
    )


def separation_of(one: Body, other: Body) -> Separation:
    """How far two pipes are from each other; the same whichever comes first."""
    first, second = sorted((one, other), key=_order)
    plan_m = float(shapely.distance(first.line, second.line))
    horizontal_m = plan_m - first.half_m[0] - second.half_m[0]
    if plan_m > 0:
        place = shapely.get_coordinates(shapely.shortest_line(first.line, second.line))
        vertical_m = _gap(first, second, "elevation_m", place)
        said = None if vertical_m is None else "elevation"
        return Separation((first, second), horizontal_m, vertical_m, said, False, place)
    places = shapely.get_coordinates(shapely.intersection(first.line, second.line))
    for name in ("elevation_m", "depth_m"):
        gaps = _gaps_at(first, second, name, places)
        if gaps is not None:
            nearest = places[int(np.argmin(gaps))]
            place = np.array([nearest, nearest])
            said = name.removesuffix("_m")
            return Separation((first, second), horizontal_m, float(min(gaps)), said, True, place)
    place = np.array([places[0], places[0]])
    return Separation((first, second), horizontal_m, None, None, True, place)


def _near_pairs(pipes: Sequence[Body], reach_m: float) -> Iterator[tuple[Body, Body]]:
    """Pairs whose outer faces may be within reach of each other in plan, each once."""
    if not pipes:
        return
    lines = np.array([pipe.line for pipe in pipes])
    halves = np.array([pipe.half_m[0] for pipe in pipes])
    widest = min(float(halves.max()), LARGEST_HALF_M)
    tree = shapely.STRtree(lines)
    near = tree.query(lines, predicate="dwithin", distance=reach_m + halves + widest + TOLERANCE_M)
    one, other = near[:, near[0] < near[1]]
    faces = shapely.distance(lines[one], lines[other]) - halves[one] - halves[other]
    kept = faces <= reach_m
    for i, j in zip(one[kept].tolist(), other[kept].tolist(), strict=True):
        yield pipes[i], pipes[j]


def _is_joined(one: Body, other: Body) -> bool:
    """Whether pipes are of one network and meet: at a node of both, or where one ends."""
    if one["category"] is None or one["category"] != other["category"]:
        return False
    if _nodes(one) & _nodes(other):
        return True
    return any(_ends_on(a, b) for a, b in ((one, other), (other, one)))


def _nodes(pipe: Body) -> set[str]:
    return {pipe[name] for name in ("start_node", "end_node")} - {None, ""}


def _ends_on(one: Body, other: Body) -> bool:
    """Whether an end of a pipe lies on another, and touches it in height where that is known."""
    for x, y in one.vertices[[0, -1]]:
        if shapely.distance(shapely.Point(x, y), other.line) <= JOINED_M:
            place = np.array([[x, y], [x, y]])
            gap_m = _gap(one, other, "elevation_m", place)
            if gap_m is None or gap_m <= JOINED_M:
                return True
    return False


def _gaps_at(first: Body, second: Body, name: str, places: FloatArray) -> list[float] | None:
    """The gap in height at each place where axes cross; None where heights are not known.

    Where axes run on top of each other and change places in height, they touch in between.
    """
    if getattr(first, name) is None or getattr(second, name) is None:
        return None
    gaps, signs = [], set()
    for x, y in places:
        low_1, high_1, low_2, high_2 = _both(first, second, name, np.array([[x, y], [x, y]]))
        apart = low_2 - high_1, low_1 - high_2
        gaps.append(max(apart) - first.half_m[1] - second.half_m[1])
        signs.add(apart[0] > apart[1])
    runs_along = shapely.length(shapely.intersection(first.line, second.line)) > 0
    if runs_along and len(signs) > 1:
        gaps = [min(gap, -first.half_m[1] - second.half_m[1]) for gap in gaps]
    return gaps


def _gap(first: Body, second: Body, name: str, place: FloatArray) -> float | None:
    """The gap in height between two places on two pipes; None where a height is not known."""
    if getattr(first, name) is None or getattr(second, name) is None:
        return None
    low_1, high_1, low_2, high_2 = _both(first, second, name, place)
    return max(low_2 - high_1, low_1 - high_2) - first.half_m[1] - second.half_m[1]


def _both(
    first: Body, second: Body, name: str, place: FloatArray
) -> tuple[float, float, float, float]:
    return (
        *first.heights_at(getattr(first, name), *place[0]),
        *second.heights_at(getattr(second, name), *place[1]),
    )


def _order(pipe: Body) -> tuple[Any, ...]:
    return (pipe.pipe.feature_id, pipe["kind"] or "", pipe.vertices.tobytes())

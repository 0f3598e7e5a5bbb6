"""Longitudinal sections (纵断面): pipes one after another, with the ground and their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import shapely
from shapely.geometry import LineString
from sqlalchemy import ColumnElement, Select, TableClause, bindparam

from layers.access import Clearance
from layers.pipeline_nodes import LAYER as NODES
from layers.underground.ground import Ground, GroundSource
from layers.underground.pipes import Heights, Pipe, cover_below, select_versions_at

_JOINED_M = 0.5
"""Ends of segments that follow each other lie no farther apart."""

_PERMILLE = 1000.0
CoverSource = Literal["survey", "terrain", "depth"]


@dataclass(frozen=True)
class Leg:
    """A segment as a path runs through it.

    Attributes:
        axis: In the direction of the path; otherwise as ``Pipe.axis``.
        start_m: Along the path, where it begins.
        is_reversed: Whether the path runs from the end of the segment to its start.
    """

    pipe: Pipe
    axis: LineString
    start_m: float
    is_reversed: bool

    @property
    def end_m(self) -> float:
        """Along the path, where it ends."""
        return self.start_m + float(self.axis.length)

    @property
    def start_node(self) -> str | None:
        """The node at its beginning, as the path runs."""
        return self.pipe.attributes.get("end_node" if self.is_reversed else "start_node")

    @property
    def end_node(self) -> str | None:
        """The node at its end, as the path runs."""
        return self.pipe.attributes.get("start_node" if self.is_reversed else "end_node")

    @property
    def slope_permille(self) -> float | None:
        """How far it falls along the path, metres in 1,000; below 0 where it rises."""
        elevations = shapely.get_coordinates(self.axis, include_z=True)[:, 2]
        if np.isnan(elevations).any() or self.axis.length == 0:
            return None
        return float(elevations[0] - elevations[-1]) / float(self.axis.length) * _PERMILLE


@dataclass(frozen=True, slots=True)
class Station:
    """A place on a leg; what is None is not known.

    Attributes:
        distance_m: Along the path.
        ground_from: ``survey`` of the node there, or ``terrain``.
        cover_from: Likewise, or ``depth`` of the survey of the segment.
    """

    distance_m: float
    heights: Heights
    ground_m: float | None
    ground_from: GroundSource | None
    cover_m: float | None
    cover_from: CoverSource | None


@dataclass(frozen=True)
class Node:
    """Where legs begin or end; without a surveyed point there is no ``feature_id``."""

    distance_m: float
    code: str | None
    feature_id: int | None
    feature: str | None
    appurtenance: str | None
    ground_m: float | None
    ground_from: GroundSource | None
    bottom_m: float | None


@dataclass(frozen=True)
class Profile:
    """A path with all along it; ``stations`` are those of each leg, from its start to its end."""

    legs: Sequence[Leg]
    stations: Sequence[Sequence[Station]]
    nodes: Sequence[Node]
    ground: Ground

    @property
    def length_m(self) -> float:
        """In the plane system."""
        return self.legs[-1].end_m


def chained(pipes: Sequence[Pipe]) -> list[Leg]:
    """Segments in their order as one path; each is turned to where the next one begins.

    Raises:
        ValueError: one does not begin where the one before it ends, or the path has no length.
    """
    legs: list[Leg] = []
    end = _free_end(pipes)
    travelled = 0.0
    for pipe in pipes:
        ends = _ends(pipe)
        away = np.hypot(*(ends - end).T)
        if legs and away.min() > _JOINED_M:
            message = f"{pipe.feature_id} does not begin where {legs[-1].pipe.feature_id} ends"
            raise ValueError(message)
        is_reversed = bool(away[1] < away[0])
        axis = shapely.reverse(pipe.axis) if is_reversed else pipe.axis
        legs.append(Leg(pipe, axis, travelled + float(away.min()), is_reversed))
        travelled = legs[-1].end_m
        end = ends[0] if is_reversed else ends[1]
    if travelled == 0:
        message = "has no length"
        raise ValueError(message)
    return legs


def _ends(pipe: Pipe) -> np.ndarray[Any, np.dtype[np.float64]]:
    return shapely.get_coordinates(pipe.axis)[[0, -1]]


def _free_end(pipes: Sequence[Pipe]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The end of the first segment that the second one does not join; its start if it is alone."""
    first = _ends(pipes[0])
    if len(pipes) == 1:
        return np.asarray(first[0])
    away = [np.hypot(*(_ends(pipes[1]) - end).T).min() for end in first]
    return np.asarray(first[0] if away[1] <= away[0] else first[1])


def node_names(legs: Sequence[Leg]) -> list[str]:
    """Codes of the nodes of a path, each once."""
    names = {name for leg in legs for name in (leg.start_node, leg.end_node)}
    return sorted(name for name in names if name is not None)


def nodes_named(
    level: Clearance, names: Sequence[str], at: datetime, as_recorded: datetime | None
) -> Select[Any]:
    """The statement of the nodes with these codes, otherwise as ``pipes.pipes_along``."""

    def is_one(view: TableClause) -> ColumnElement[bool]:
        return view.c.code.in_([bindparam(None, name) for name in names])

    return select_versions_at(NODES, level, is_one, at, as_recorded, len(names))


def nodes_of(rows: Iterable[Mapping[Any, Any]]) -> dict[str, Node]:
    """Rows of ``nodes_named`` by their code, at no distance yet."""
    found = {}
    for row in rows:
        ground_m, depth_m = row["ground_elevation_m"], row["well_depth_m"]
        if ground_m is None and row["z_source"] not in (None, "unknown"):
            ground_m = float(shapely.get_z(shapely.from_wkb(bytes(row["wkb"]))))
        bottom_m = None if ground_m is None or depth_m is None else ground_m - depth_m
        found[row["code"]] = Node(
            0.0,
            row["code"],
            row["feature_id"],
            row["feature"],
            row["appurtenance"],
            ground_m,
            None if ground_m is None else "survey",
            bottom_m,
        )
    return found


def profile_of(legs: Sequence[Leg], nodes: Mapping[str, Node], ground: Ground) -> Profile:
    """What is known along a path.

    Args:
        nodes: By code.
        ground: Along the path.
    """
    ends = [(legs[0].start_m, legs[0].start_node), *((leg.end_m, leg.end_node) for leg in legs)]
    placed = [_placed(distance, name, nodes, ground) for distance, name in ends]
    stations = [
        _stations(leg, first, last, ground)
        for leg, first, last in zip(legs, placed[:-1], placed[1:], strict=True)
    ]
    return Profile(legs, stations, placed, ground)


def _placed(distance_m: float, name: str | None, nodes: Mapping[str, Node], ground: Ground) -> Node:
    known = nodes.get(name or "")
    terrain_m = ground.at(distance_m)
    source: GroundSource | None = None if terrain_m is None else "terrain"
    if known is None:
        return Node(distance_m, name, None, None, None, terrain_m, source, None)
    ground_m, source = (
        (terrain_m, source) if known.ground_m is None else (known.ground_m, known.ground_from)
    )
    return Node(
        distance_m,
        known.code,
        known.feature_id,
        known.feature,
        known.appurtenance,
        ground_m,
        source,
        known.bottom_m,
    )


def _stations(leg: Leg, first: Node, last: Node, ground: Ground) -> list[Station]:
    coordinates = shapely.get_coordinates(leg.axis, include_z=True)
    steps = np.hypot(*np.diff(coordinates[:, :2], axis=0).T)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    stations = []
    for number, (along_m, z) in enumerate(zip(travelled, coordinates[:, 2], strict=True)):
        node = {0: first, len(travelled) - 1: last}.get(number)
        distance_m = leg.start_m + float(along_m)
        ground_m, source = _ground(node, distance_m, ground)
        heights = leg.pipe.heights(None if np.isnan(z) else float(z))
        share = float(along_m / travelled[-1]) if travelled[-1] else 0.0
        cover_m, cover_from = _cover(leg, heights, ground_m, source, share)
        stations.append(Station(distance_m, heights, ground_m, source, cover_m, cover_from))
    return stations


def _ground(
    node: Node | None, distance_m: float, ground: Ground
) -> tuple[float | None, GroundSource | None]:
    if node is not None:
        return node.ground_m, node.ground_from
    terrain_m = ground.at(distance_m)
    return terrain_m, None if terrain_m is None else "terrain"


def _cover(
    leg: Leg, heights: Heights, ground_m: float | None, source: GroundSource | None, share: float
) -> tuple[float | None, CoverSource | None]:
    cover_m = cover_below(ground_m, heights)
    if cover_m is not None:
        return cover_m, source
    cover_m = leg.pipe.surveyed_cover(1 - share if leg.is_reversed else share)
    return cover_m, None if cover_m is None else "depth"

"""Which pipes lie under which pieces of street, in how many segments, between which points.

Each kind's network is the street graph itself, moved sideways by the kind's place in the street:
a junction of two streets becomes the crossing of the two moved lines, so pipes keep their distance
from the kerb and meet exactly.
"""

from dataclasses import dataclass

import numpy as np

from geoservice.sample_city.hashing import Bools, Floats, Ints, uniform
from geoservice.sample_city.land import Terrain
from geoservice.sample_city.lattice import INDUSTRIAL
from geoservice.sample_city.pipe_kinds import INDUSTRIAL_GAS, Behaviour, PipeKind
from geoservice.sample_city.streets import StreetGraph

MIN_SPACING_M = 11.0
MILLIMETRES = 1000.0


@dataclass(frozen=True)
class Main:
    """The network of one kind under the whole street graph, built or not.

    Attributes:
        kind: Kind of pipe.
        edges: Pieces of street that have it.
        segments: Number of pipes along each of them.
        spurs: Number of short branches of each of them.
        distance: Growth distance of each of them.
        junction_distance: Growth distance of each junction of the graph; inf without this kind.
    """

    kind: PipeKind
    edges: Ints
    segments: Ints
    spurs: Ints
    distance: Floats
    junction_distance: Floats

    @property
    def rows(self) -> Ints:
        """Number of pipes and inner points of each piece."""
        return 2 * self.segments - 1 + 2 * self.spurs


@dataclass(frozen=True)
class Junctions:
    """Points of one kind at the junctions of the street graph.

    Attributes:
        xy_mm: Place in whole millimetres, shape (n, 2).
        ground_mm: Ground elevation in millimetres.
        depth_mm: Depth in millimetres.
        degree: Number of pipes that meet.
        is_straight: Both pipes of a point of two run along one axis.
        number: Number of the point, from 1; 0 where the kind has none.
        installed: Day of the earliest pipe, in days since 1970.
    """

    xy_mm: Ints
    ground_mm: Ints
    depth_mm: Ints
    degree: Ints
    is_straight: Bools
    number: Ints
    installed: Ints


def lay_main(seed: int, graph: StreetGraph, zones: Ints, kind: PipeKind, density: float) -> Main:
    """Lay one kind of pipe under the streets.

    Args:
        seed: Seed of the city.
        graph: Streets of the city.
        zones: Zone of each cell of the lattice.
        kind: What to lay.
        density: How much denser than usual points follow each other, at least 1.
    """
    edges = graph.edges
    index = np.flatnonzero(_has(seed, graph, zones, kind) & np.isfinite(edges.distance))
    spacing_m = max(MIN_SPACING_M, kind.spacing_m / density)
    segments = np.ceil(edges.length_m[index] / spacing_m - 0.1).astype(np.int64)
    has_spurs = uniform(seed, f"spurs {kind.code}", index) < kind.spur_share
    distance = edges.distance[index]
    junction_distance = np.full(len(graph.junctions), np.inf)
    for end in (0, 1):
        np.minimum.at(junction_distance, edges.ends[index, end], distance)
    return Main(kind, index, segments, (segments - 1) * has_spurs, distance, junction_distance)


def built_main(main: Main, limit_m: float) -> Main:
    """The part of a network within a growth distance."""
    keep = main.distance < limit_m
    return Main(
        main.kind, main.edges[keep], main.segments[keep], main.spurs[keep], main.distance[keep],
        np.where(main.junction_distance < limit_m, main.junction_distance, np.inf),
    )  # fmt: skip


def junctions_of(seed: int, graph: StreetGraph, terrain: Terrain, main: Main) -> Junctions:
    """The points of a built network at the junctions of streets."""
    exists = np.isfinite(main.junction_distance)
    ends = graph.edges.ends[main.edges]
    xy = np.zeros(graph.junctions.shape)
    xy[exists] = moved_junctions(graph, main.kind, exists)
    xy_mm = to_millimetres(xy)
    ground_mm = np.zeros(len(xy), np.int64)
    ground_mm[exists] = to_millimetres(terrain.ground(xy_mm[exists] / MILLIMETRES))
    by_axis = [
        np.bincount(ends[graph.edges.axis[main.edges] == axis].ravel(), minlength=len(xy))
        for axis in (0, 1)
    ]
    installed = np.full(len(xy), np.iinfo(np.int64).max)
    days = installed_on(seed, main.kind, graph.edges.street[main.edges])
    for end in (0, 1):
        np.minimum.at(installed, ends[:, end], days)
    return Junctions(
        xy_mm, ground_mm, depth_mm(main.kind, xy_mm), by_axis[0] + by_axis[1],
        np.maximum(*by_axis) == 2, np.cumsum(exists) * exists, installed,
    )  # fmt: skip


def moved_junctions(graph: StreetGraph, kind: PipeKind, which: Bools) -> Floats:
    """Where the moved lines of the two streets through junctions cross, plane metres."""
    east, north = graph.directions[which, 0], graph.directions[which, 1]
    half = graph.half_width_m[which]
    sine = east[:, 0] * north[:, 1] - east[:, 1] * north[:, 0]
    along_north = kind.offset * half[:, 0] / sine
    along_east = kind.offset * half[:, 1] / sine
    move: Floats = north * along_north[:, None] + east * along_east[:, None]
    return graph.junctions[which] + move


def depth_mm(kind: PipeKind, xy_mm: Ints) -> Ints:
    """Depth of points in millimetres: slow waves between the kind's least and greatest."""
    x, y = xy_mm[:, 0] / MILLIMETRES, xy_mm[:, 1] / MILLIMETRES
    length_m = 900.0 if kind.behaviour is Behaviour.GRAVITY else 130.0
    wave = 0.5 + 0.25 * (np.sin(x / length_m + kind.offset) + np.sin(y / length_m - kind.offset))
    low, high = kind.depth_m
    return to_millimetres(low + (high - low) * wave)


def installed_on(seed: int, kind: PipeKind, street: Ints) -> Ints:
    """Day on which a street got its pipe, in days since 1970-01-01: 1986 to 2023."""
    numbers = uniform(seed, f"installed {kind.code}", street)
    return (5844 + 13_870 * np.sqrt(numbers)).astype(np.int64)


def to_millimetres(metres: Floats) -> Ints:
    """Whole millimetres, the resolution in which everything surveyed is kept."""
    return np.rint(metres * MILLIMETRES).astype(np.int64)


def _has(seed: int, graph: StreetGraph, zones: Ints, kind: PipeKind) -> Bools:
    """Whether each piece of street has the kind."""
    edges = graph.edges
    on_cross = uniform(seed, f"under {kind.code}", edges.street) < kind.cross_share
    in_quarter = uniform(seed, f"entered by {kind.code}", edges.cell) < kind.quarter_share
    has = (~edges.is_cross | on_cross) & (edges.on_lattice | in_quarter)
    return has & _is_inside_industry(graph, zones) if kind is INDUSTRIAL_GAS else has


def _is_inside_industry(graph: StreetGraph, zones: Ints) -> Bools:
    """Pieces wholly inside an industrial quarter, so that networks end at its main roads."""
    edges = graph.edges
    on_main_road = np.zeros(len(graph.junctions), np.bool_)
    on_main_road[edges.ends[edges.on_lattice].ravel()] = True
    inside = ~edges.on_lattice & ~on_main_road[edges.ends].any(axis=1)
    is_inside: Bools = inside & (zones[edges.cell] == INDUSTRIAL)
    return is_inside

"""The street graph of the whole city: junctions, street pieces between them, and blocks.

It is small (about 40 blocks to a quarter), so it is held whole, as flat arrays; everything that
there is much of (parcels, pipes) is made from it batch by batch.
Plane coordinates are EPSG:4547 in metres, easting before northing.
"""

from dataclasses import dataclass, replace

import numpy as np

from geoservice.sample_city.blocks import Blocks, build_blocks
from geoservice.sample_city.hashing import Bools, Floats, Ints
from geoservice.sample_city.land import Terrain
from geoservice.sample_city.lattice import ROWS, Lattice
from geoservice.sample_city.lines import (
    HALF_WIDTH_M,
    POINTS_PER_LINE,
    Lines,
    StreetNames,
    cross_street_class,
)
from geoservice.sample_city.quarters import (
    LATTICE_LINES,
    UNITS,
    Cuts,
    cut_quarters,
    east_line,
    north_line,
)


@dataclass(frozen=True)
class Edges:
    """Pieces of street between two junctions.

    Attributes:
        ends: Junctions at start and end, shape (n, 2).
        axis: 0 for pieces that run about east, 1 for about north.
        road_class: Index into ROAD_CLASSES.
        street: Street that the piece belongs to.
        is_cross: Cross streets of a strip, the least of streets.
        on_lattice: Main roads between quarters.
        cell: Quarter of a piece inside one; -1 for main roads.
        distance: Growth distance at which the piece is built; inf when it never is.
        length_m: Length of the centreline.
    """

    ends: Ints
    axis: Ints
    road_class: Ints
    street: Ints
    is_cross: Bools
    on_lattice: Bools
    cell: Ints
    distance: Floats
    length_m: Floats


@dataclass(frozen=True)
class StreetGraph:
    """Junctions, pieces of street, blocks and names.

    Attributes:
        junctions: Plane points, shape (n, 2).
        directions: Unit vectors of the eastward and the northward street through each junction,
            shape (n, 2, 2).
        half_width_m: Half widths of these streets, 0 where there is none; shape (n, 2).
        edges: Pieces of street.
        blocks: Blocks.
        names: Parts of the streets' names.
    """

    junctions: Floats
    directions: Floats
    half_width_m: Floats
    edges: Edges
    blocks: Blocks
    names: StreetNames


def build_streets(seed: int, lattice: Lattice, terrain: Terrain, cells: Ints) -> StreetGraph:
    """The street graph of the given cells of the lattice."""
    cuts = cut_quarters(seed, lattice, cells)
    lines = Lines(seed, lattice, cuts)
    blocks = build_blocks(lines, cuts, terrain)
    edges = _edges(lines, cuts, blocks)
    unique, inverse = np.unique(edges.ends, return_inverse=True)
    ends = inverse.reshape(-1, 2)
    junctions = lines.points_of_keys(unique)
    along = junctions[ends[:, 1]] - junctions[ends[:, 0]]
    length_m = np.hypot(along[:, 0], along[:, 1])
    edges = replace(edges, ends=ends, length_m=length_m)
    directions, half_width_m = _crossings(len(junctions), edges, along / length_m[:, None])
    return StreetGraph(junctions, directions, half_width_m, edges, blocks, lines.names)


def _edges(lines: Lines, cuts: Cuts, blocks: Blocks) -> Edges:
    """Pieces of all streets; their ends are still identities of points, their lengths not known."""
    line, start, end = _line_pieces(cuts)
    built = _distance_along_lines(lines.count, cuts, blocks)
    cell, low, high, unit, _, before, after = cuts.cross.T
    is_cross = np.arange(len(line) + len(cell)) >= len(line)
    cells = np.full(len(line), -1)
    inner = line >= LATTICE_LINES
    cells[inner] = cuts.line_cell[line[inner] - LATTICE_LINES]
    keys = np.concatenate(
        (
            np.stack((lines.keys(line, start), lines.keys(line, end)), axis=1),
            np.stack((lines.keys(low, unit), lines.keys(high, unit)), axis=1),
        )
    )
    return Edges(
        ends=keys,
        axis=np.concatenate((lines.axis[line], 1 - lines.axis[low])),
        road_class=np.concatenate((lines.road_class[line], cross_street_class(unit))),
        street=np.concatenate((lines.street[line], lines.street_of_cross())),
        is_cross=is_cross,
        on_lattice=np.concatenate((~inner, np.zeros(len(cell), np.bool_))),
        cell=np.concatenate((cells, cell)),
        distance=np.concatenate(
            (
                built[line * UNITS + start],
                np.minimum(blocks.distance[before], blocks.distance[after]),
            )
        ),
        length_m=np.zeros(len(is_cross)),
    )


def _line_pieces(cuts: Cuts) -> tuple[Ints, Ints, Ints]:
    """Line, first and last unit of each piece between neighbouring junctions of a line."""
    low, high, unit = cuts.cross[:, 1:4].T
    cells = np.unique(cuts.block[:, 0])
    i, j = np.divmod(cells, ROWS)
    used = np.concatenate(
        [
            east_line(i, j), east_line(i, j + 1), north_line(i, j), north_line(i + 1, j),
            LATTICE_LINES + np.arange(len(cuts.line_cell)),
        ]
    )  # fmt: skip
    on_lines = [low * POINTS_PER_LINE + unit, high * POINTS_PER_LINE + unit]
    on_lines += [side * POINTS_PER_LINE + cuts.line_unit for side in cuts.line_sides.T]
    on_lines += [used * POINTS_PER_LINE, used * POINTS_PER_LINE + UNITS]
    line, at = np.divmod(np.unique(np.concatenate(on_lines)), POINTS_PER_LINE)
    same = line[1:] == line[:-1]
    return line[:-1][same], at[:-1][same], at[1:][same]


def _distance_along_lines(line_count: int, cuts: Cuts, blocks: Blocks) -> Floats:
    """Growth distance of the nearest block beside each unit of each line; inf without one."""
    distance = np.full(line_count * UNITS, np.inf)
    _, low, high, first, last, left, right, below, above = cuts.block.T
    for line, start, end in (
        (low, first, last), (high, first, last), (left, below, above), (right, below, above),
    ):  # fmt: skip
        beside = np.flatnonzero(line >= 0)
        counts = (end - start)[beside]
        owner = np.repeat(beside, counts)
        unit = start[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        np.minimum.at(distance, line[owner] * UNITS + unit, blocks.distance[owner])
    return distance


def _crossings(count: int, edges: Edges, unit_along: Floats) -> tuple[Floats, Floats]:
    """Mean direction and greatest half width of the streets of each axis at each junction."""
    directions = np.zeros((count, 2, 2))
    half_width_m = np.zeros((count, 2))
    for axis in (0, 1):
        of_axis = edges.axis == axis
        for end in (0, 1):
            junction = edges.ends[of_axis, end]
            np.add.at(directions[:, axis], junction, unit_along[of_axis])
            half = HALF_WIDTH_M[edges.road_class[of_axis]]
            np.maximum.at(half_width_m[:, axis], junction, half)
    missing = half_width_m == 0.0
    east, north = directions[:, 0], directions[:, 1]
    east[missing[:, 0]] = np.stack((north[:, 1], -north[:, 0]), axis=1)[missing[:, 0]]
    north[missing[:, 1]] = np.stack((-east[:, 1], east[:, 0]), axis=1)[missing[:, 1]]
    return directions / np.linalg.norm(directions, axis=2, keepdims=True), half_width_m

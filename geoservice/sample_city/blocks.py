"""Blocks: the areas that streets enclose, without the streets themselves."""

from dataclasses import dataclass

import numpy as np
import shapely

from geoservice.sample_city.hashing import Bools, Floats, Ints
from geoservice.sample_city.land import Terrain, land_polygon
from geoservice.sample_city.lattice import growth_distance
from geoservice.sample_city.lines import HALF_WIDTH_M, Lines, cross_street_class
from geoservice.sample_city.quarters import Cuts

MIN_BLOCK_M = 14.0
"""A block whose inside is narrower than this is left to the street."""

SHORE_MARGIN_M = 45.0
MAX_BLOCK_SLOPE = 0.16


@dataclass(frozen=True)
class Blocks:
    """Areas enclosed by streets.

    Attributes:
        quad: Corners of the inside (without the streets), counter-clockwise, the long sides first
            and third; shape (n, 4, 2).
        cell: Quarter of the block.
        street: Street along its first side.
        half_width_m: Half the width of that street.
        distance: Growth distance at which it is built; inf when it never is.
    """

    quad: Floats
    cell: Ints
    street: Ints
    half_width_m: Floats
    distance: Floats


def build_blocks(lines: Lines, cuts: Cuts, terrain: Terrain) -> Blocks:
    """The insides of all blocks.

    Args:
        lines: Lines that streets follow.
        cuts: Blocks as places on these lines.
        terrain: Ground elevations; blocks on steep ground are never built.
    """
    cell, low, high, first, last, left, right, _, _ = cuts.block.T
    corners = np.stack(
        (
            lines.points(low, first), lines.points(low, last),
            lines.points(high, last), lines.points(high, first),
        ),
        axis=1,
    )  # fmt: skip
    half = np.stack(
        (
            HALF_WIDTH_M[lines.road_class[low]], _side_half(lines, right, last),
            HALF_WIDTH_M[lines.road_class[high]], _side_half(lines, left, first),
        ),
        axis=1,
    )  # fmt: skip
    mirrored = cuts.mirrored
    corners[mirrored] = corners[mirrored][:, (1, 0, 3, 2)]
    half[mirrored] = half[mirrored][:, (0, 3, 2, 1)]
    inside = _inset(corners, half)
    distance = growth_distance(corners.mean(axis=1))
    distance[~(_is_wide(inside) & _is_buildable(corners, terrain))] = np.inf
    quad, half_width_m = _long_side_first(inside, half)
    return Blocks(quad, cell, lines.street[low], half_width_m, distance)


def _side_half(lines: Lines, side: Ints, unit: Ints) -> Floats:
    """Half width of the street on a block's left or right: a main road or a cross street."""
    classes = np.where(side >= 0, lines.road_class[side], cross_street_class(unit))
    return HALF_WIDTH_M[classes]


def _inset(corners: Floats, half: Floats) -> Floats:
    """Quadrilaterals moved inwards, each side by its own distance in metres."""
    sides = np.roll(corners, -1, axis=1) - corners
    sides /= np.hypot(sides[..., 0], sides[..., 1])[..., None]
    before, half_before = np.roll(sides, 1, axis=1), np.roll(half, 1, axis=1)
    sine = before[..., 0] * sides[..., 1] - before[..., 1] * sides[..., 0]
    along_side = sides * half_before[..., None] - before * half[..., None]
    return corners + along_side / sine[..., None]


def _is_wide(quad: Floats) -> Bools:
    """Whether quadrilaterals are convex, counter-clockwise and nowhere too narrow."""
    sides = np.roll(quad, -1, axis=1) - quad
    following = np.roll(sides, -1, axis=1)
    turns = sides[..., 0] * following[..., 1] - sides[..., 1] * following[..., 0]
    lengths = np.hypot(sides[..., 0], sides[..., 1])
    return np.asarray((turns > 0.0).all(axis=1) & (lengths > MIN_BLOCK_M).all(axis=1))


def _is_buildable(corners: Floats, terrain: Terrain) -> Bools:
    """Whether blocks lie on land, away from the shore, on ground that is not too steep."""
    land = shapely.buffer(land_polygon(), -SHORE_MARGIN_M)
    shapely.prepare(land)
    inland: Bools = np.asarray(shapely.contains_xy(land, corners[..., 0], corners[..., 1]))
    ground = terrain.ground(corners.reshape(-1, 2)).reshape(-1, 4)
    span = corners[:, 2] - corners[:, 0]
    slope = np.ptp(ground, axis=1) / np.hypot(span[:, 0], span[:, 1])
    return np.asarray(np.all(inland, axis=1) & (slope < MAX_BLOCK_SLOPE))


def _long_side_first(quad: Floats, half: Floats) -> tuple[Floats, Floats]:
    """Quadrilaterals turned so that the first side is a long one, and that side's half width."""
    sides = np.roll(quad, -1, axis=1) - quad
    lengths = np.hypot(sides[..., 0], sides[..., 1])
    turn = lengths[:, 0] + lengths[:, 2] < lengths[:, 1] + lengths[:, 3]
    turned = np.where(turn[:, None, None], np.roll(quad, -1, axis=1), quad)
    return turned, np.where(turn, half[:, 1], half[:, 0])

"""How many parcels each block holds, and what stands on blocks that are one parcel."""

from dataclasses import dataclass

import numpy as np

from geoservice.sample_city.hashing import Bools, Floats, Ints, choose, uniform
from geoservice.sample_city.lattice import CENTRAL, GREEN, INDUSTRIAL, RESIDENTIAL, VILLAGE
from geoservice.sample_city.streets import StreetGraph

PARCEL_WIDTH_M = {
    RESIDENTIAL: 18.0, CENTRAL: 19.0, VILLAGE: 10.0, INDUSTRIAL: 38.0, GREEN: 400.0,
}  # fmt: skip
PARCEL_DEPTH_M = {
    RESIDENTIAL: 24.0, CENTRAL: 24.0, VILLAGE: 14.0, INDUSTRIAL: 44.0, GREEN: 400.0,
}  # fmt: skip
"""Usual size of a parcel by zone: along the block's first side, and across it."""

MAX_ROWS = 4
MIN_WIDTH_M = 4.0
SERVICE_FROM_LOTS = 3
SERVICE_SHARE = 0.8

CIVIC = ("", "park", "school", "hospital", "government", "culture", "sport", "square")
CIVIC_SHARES = (0.87, 0.035, 0.035, 0.005, 0.015, 0.01, 0.01, 0.02)


@dataclass(frozen=True)
class Lots:
    """Division of every block of the graph into parcels.

    Attributes:
        rows: Rows of parcels, from the block's first side to its third; 1 to MAX_ROWS.
        in_row: Parcels of each row, 0 beyond the last; shape (blocks, MAX_ROWS).
        civic: Index into CIVIC; not 0 where one public use takes the whole block.
        has_service: A service road leads from the first side between two parcels.
    """

    rows: Ints
    in_row: Ints
    civic: Ints
    has_service: Bools

    @property
    def parcels(self) -> Ints:
        """Number of parcels of each block."""
        parcels: Ints = self.in_row.sum(axis=1)
        return parcels


def divide_blocks(seed: int, graph: StreetGraph, zones: Ints, density: float) -> Lots:
    """Number of rows and parcels of every block.

    Args:
        seed: Seed of the city.
        graph: Streets and blocks of the city.
        zones: Zone of each cell of the lattice.
        density: How much narrower than usual parcels are, at least 1.
    """
    blocks = graph.blocks
    zone = zones[blocks.cell]
    index = np.arange(len(zone))
    width_m, height_m = block_size(blocks.quad)
    usual_width_m = np.array([PARCEL_WIDTH_M[key] for key in range(len(PARCEL_WIDTH_M))])[zone]
    usual_depth_m = np.array([PARCEL_DEPTH_M[key] for key in range(len(PARCEL_DEPTH_M))])[zone]
    civic = choose(uniform(seed, "civic", index), CIVIC_SHARES)
    civic[zone == GREEN] = CIVIC.index("park")
    rows = np.clip(np.rint(height_m / usual_depth_m), 1, MAX_ROWS).astype(np.int64)
    dice = uniform(seed, "parcels in row", index[:, None], np.arange(MAX_ROWS))
    wanted_m = np.maximum(MIN_WIDTH_M, usual_width_m[:, None] * (0.7 + 0.6 * dice) / density)
    in_row = np.maximum(1, np.rint(width_m[:, None] / wanted_m)).astype(np.int64)
    rows[civic > 0], in_row[civic > 0] = 1, 1
    in_row[np.arange(MAX_ROWS) >= rows[:, None]] = 0
    lucky = uniform(seed, "service road", index) < SERVICE_SHARE
    return Lots(rows, in_row, civic, lucky & (in_row[:, 0] >= SERVICE_FROM_LOTS))


def block_size(quad: Floats) -> tuple[Floats, Floats]:
    """Mean width (along the first side) and height in metres of quadrilaterals (n, 4, 2)."""
    sides = np.roll(quad, -1, axis=1) - quad
    lengths = np.hypot(sides[..., 0], sides[..., 1])
    return (lengths[:, 0] + lengths[:, 2]) / 2.0, (lengths[:, 1] + lengths[:, 3]) / 2.0

"""The lattice of main roads: a square grid bent by slow waves, so that it turns here and there.

Its cells are the quarters that ``streets`` divides into blocks.  Line ``(axis, i, j)`` runs from
corner ``(i, j)`` to the next corner eastwards (axis 0) or northwards (axis 1).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely

from geoservice.sample_city.hashing import Bools, Floats, Ints, uniform
from geoservice.sample_city.land import (
    CENTRE_LAT,
    CENTRE_LON,
    Terrain,
    land_polygon,
    plane_from_degrees,
)

SPACING_M = 740.0
WEST_CELLS, EAST_CELLS = 46, 85
SOUTH_CELLS, NORTH_CELLS = 22, 53
COLUMNS, ROWS = WEST_CELLS + EAST_CELLS, SOUTH_CELLS + NORTH_CELLS
JITTER_M = 60.0
STRETCH = 1.5
"""The city grows this much faster to the east and west than to the north and south."""

MAX_RISE_M, MAX_ELEVATION_M = 42.0, 150.0
"""Quarters that are steeper or higher stay forest."""

GREEN_SHARE = 0.05

RESIDENTIAL, CENTRAL, VILLAGE, INDUSTRIAL, GREEN = range(5)
"""Zones: what a quarter is mostly built for."""

SUBCENTRES = (
    (114.0579, 22.5431, 1900.0), (113.935, 22.515, 1700.0), (114.118, 22.543, 1400.0),
    (113.886, 22.555, 1300.0), (114.245, 22.722, 1500.0), (114.030, 22.655, 1200.0),
    (113.935, 22.750, 1100.0), (114.350, 22.695, 1100.0),
)  # fmt: skip
"""Longitude, latitude and radius in metres of the dense centres."""


@dataclass(frozen=True)
class Lattice:
    """Corners of the main roads' grid and what is known of its cells.

    Attributes:
        corners: Plane points, shape (COLUMNS + 1, ROWS + 1, 2).
        zone: Zone of each cell, shape (COLUMNS, ROWS).
        is_built: Cells that may be built on: on land, neither steep nor high.
        distance: Metres from the city's centre, shrunk by STRETCH along east and west.
    """

    corners: Floats
    zone: Ints
    is_built: Bools
    distance: Floats

    @cached_property
    def quads(self) -> Floats:
        """Corners of each cell, counter-clockwise, shape (COLUMNS * ROWS, 4, 2)."""
        c = self.corners
        quads: Floats = np.stack((c[:-1, :-1], c[1:, :-1], c[1:, 1:], c[:-1, 1:]), axis=2)
        return quads.reshape(-1, 4, 2)


def city_centre() -> Floats:
    """Plane point that the city grows around, shape (2,)."""
    centre: Floats = plane_from_degrees(np.array([(CENTRE_LON, CENTRE_LAT)]))[0]
    return centre


def growth_distance(xy: Floats) -> Floats:
    """Metres from the centre as the growing city counts them, of points (..., 2)."""
    offset = xy - city_centre()
    distance: Floats = np.hypot(offset[..., 0] / STRETCH, offset[..., 1])
    return distance


def build_lattice(seed: int, terrain: Terrain) -> Lattice:
    """The lattice of one seed over the whole extent."""
    corners = _corners(seed)
    flat = corners.reshape(-1, 2)
    ground = terrain.ground(flat).reshape(corners.shape[:2])
    on_land = shapely.contains_xy(land_polygon(), flat[:, 0], flat[:, 1])
    touches_land = _of_cells(on_land.reshape(ground.shape)).any(axis=0)
    of_cells = _of_cells(ground)
    gentle = (np.ptp(of_cells, axis=0) < MAX_RISE_M) & (of_cells.max(axis=0) < MAX_ELEVATION_M)
    centres = _of_cells(corners).mean(axis=0)
    return Lattice(corners, _zones(seed, centres), touches_land & gentle, growth_distance(centres))


def _corners(seed: int) -> Floats:
    """Grid corners moved by two slow waves (which turn the grid) and a small jitter."""
    i, j = np.meshgrid(
        np.arange(-WEST_CELLS, EAST_CELLS + 1), np.arange(-SOUTH_CELLS, NORTH_CELLS + 1),
        indexing="ij",
    )  # fmt: skip
    x, y = i * SPACING_M, j * SPACING_M
    phase = uniform(seed, "warp", np.arange(4)) * 2.0 * np.pi
    x = x + 290.0 * np.sin(y / 2200.0 + phase[0]) + 620.0 * np.sin(y / 3900.0 + phase[1])
    y = y - 290.0 * np.sin(x / 2400.0 + phase[2]) - 620.0 * np.sin(x / 4100.0 + phase[3])
    x = x + JITTER_M * (2.0 * uniform(seed, "corner x", i, j) - 1.0)
    y = y + JITTER_M * (2.0 * uniform(seed, "corner y", i, j) - 1.0)
    middle = (x[WEST_CELLS, SOUTH_CELLS], y[WEST_CELLS, SOUTH_CELLS])
    return np.stack((x - middle[0], y - middle[1]), axis=-1) + city_centre()


def _of_cells(values: np.ndarray) -> np.ndarray:
    """Values at the four corners of each cell, stacked in front."""
    return np.stack((values[:-1, :-1], values[1:, :-1], values[1:, 1:], values[:-1, 1:]))


def _zones(seed: int, centres: Floats) -> Ints:
    """Zone of each cell: dense centres, more industry away from them, villages and greens."""
    i, j = np.indices(centres.shape[:2])
    dice = uniform(seed, "zone", i, j)
    centrality = np.zeros(dice.shape)
    for lon, lat, radius_m in SUBCENTRES:
        place = plane_from_degrees(np.array([(lon, lat)]))[0]
        square = ((centres - place) ** 2).sum(axis=-1)
        centrality = np.maximum(centrality, np.exp(-square / (2.0 * radius_m**2)))
    industrial = 0.10 + 0.16 * (1.0 - centrality)
    zone = np.full(dice.shape, RESIDENTIAL, np.int64)
    zone[dice < industrial + GREEN_SHARE + 0.17] = VILLAGE
    zone[dice < industrial + GREEN_SHARE] = INDUSTRIAL
    zone[dice < GREEN_SHARE] = GREEN
    zone[(centrality > 0.62) & (dice >= GREEN_SHARE)] = CENTRAL
    return zone

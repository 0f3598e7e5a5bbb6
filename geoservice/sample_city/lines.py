"""All lines of the city that streets follow: where they run, what they are, and their points.

Plane coordinates are EPSG:4547 in metres, easting before northing.
"""

from dataclasses import dataclass

import numpy as np

from geoservice.sample_city.hashing import Bools, Floats, Ints, uniform
from geoservice.sample_city.lattice import COLUMNS, ROWS, Lattice
from geoservice.sample_city.quarters import EAST_LINES, LATTICE_LINES, UNITS, Cuts

ROAD_CLASSES = (
    "motorway", "trunk", "primary", "secondary", "tertiary", "residential", "service",
)  # fmt: skip
MOTORWAY, TRUNK, PRIMARY, SECONDARY, TERTIARY, RESIDENTIAL_ROAD, SERVICE = range(7)
HALF_WIDTH_M = np.array([24.0, 25.0, 20.0, 15.0, 10.0, 6.0, 2.5])
LANES = np.array([6, 8, 6, 4, 2, 2, 1])

POINTS_PER_LINE = UNITS + 1


@dataclass(frozen=True)
class StreetNames:
    """What the names of streets are made of.

    Attributes:
        cell: Quarter of a street inside one; -1 for main roads.
        rank: Number of the main road, or of the street within its quarter.
        is_cross: Cross streets of a quarter.
        axis: Axis of a main road.
    """

    cell: Ints
    rank: Ints
    is_cross: Bools
    axis: Ints


class Lines:
    """All lines of the city: where they run, what they are, and the identity of their points.

    A point is known by ``line * POINTS_PER_LINE + unit``; the ends of a line are points of other
    lines or corners of the lattice, so they are looked up in ``end_keys``.
    """

    def __init__(self, seed: int, lattice: Lattice, cuts: Cuts) -> None:
        self.seed = seed
        self.cuts = cuts
        self.count = LATTICE_LINES + len(cuts.line_cell)
        self.corners = lattice.corners.reshape(-1, 2)
        self.ends = np.empty((self.count, 2, 2))
        self.end_keys = np.empty((self.count, 2), np.int64)
        self.axis = np.empty(self.count, np.int64)
        self.road_class = np.empty(self.count, np.int64)
        self.street = np.empty(self.count, np.int64)
        self._add_lattice_lines()
        self._add_through_streets()
        self.names = self._name_parts()

    def keys(self, line: Ints, unit: Ints) -> Ints:
        """Identity of points: the same for the same place, whichever line it is seen from."""
        keys = line * POINTS_PER_LINE + unit
        keys = np.where(unit == 0, self.end_keys[line, 0], keys)
        return np.where(unit == UNITS, self.end_keys[line, 1], keys)

    def points(self, line: Ints, unit: Ints) -> Floats:
        """Plane points at units of lines; inner ones are moved along the line a little."""
        jitter = 0.6 * (uniform(self.seed, "along line", line, unit) - 0.5)
        part = (unit + np.where((unit > 0) & (unit < UNITS), jitter, 0.0)) / UNITS
        start, end = self.ends[line, 0], self.ends[line, 1]
        points: Floats = start + (end - start) * part[:, None]
        return points

    def points_of_keys(self, keys: Ints) -> Floats:
        """Plane points of identities."""
        first_corner = self.count * POINTS_PER_LINE
        at_corner = keys >= first_corner
        line, unit = np.divmod(np.where(at_corner, 0, keys), POINTS_PER_LINE)
        corner = np.where(at_corner, keys - first_corner, 0)
        return np.where(at_corner[:, None], self.corners[corner], self.points(line, unit))

    def _add_lattice_lines(self) -> None:
        for axis, first, shape in (
            (0, 0, (COLUMNS, ROWS + 1)),
            (1, EAST_LINES, (COLUMNS + 1, ROWS)),
        ):
            i, j = (part.reshape(-1) for part in np.indices(shape))
            lines = slice(first, first + len(i))
            corner = np.stack((i, i + 1 - axis)), np.stack((j, j + axis))
            index = corner[0] * (ROWS + 1) + corner[1]
            self.ends[lines] = self.corners[index.T]
            self.end_keys[lines] = self.count * POINTS_PER_LINE + index.T
            self.axis[lines] = axis
            rank = i if axis else j
            self.road_class[lines] = main_road_class(rank + 4 * axis)
            self.street[lines] = rank + (ROWS + 1 if axis else 0)

    def _add_through_streets(self) -> None:
        cuts, lines = self.cuts, slice(LATTICE_LINES, None)
        for end in (0, 1):
            side = cuts.line_sides[:, end]
            self.ends[lines, end] = self.points(side, cuts.line_unit)
            self.end_keys[lines, end] = side * POINTS_PER_LINE + cuts.line_unit
        self.axis[lines] = np.where(cuts.line_sides[:, 0] < EAST_LINES, 1, 0)
        is_middle = np.abs(cuts.line_unit - UNITS // 2) <= 1
        self.road_class[lines] = np.where(is_middle, TERTIARY, RESIDENTIAL_ROAD)
        self.street[lines] = ROWS + COLUMNS + 2 + np.arange(len(cuts.line_cell))

    def _name_parts(self) -> StreetNames:
        """Parts of the names of main roads, through streets and cross streets, in this order."""
        cross = np.unique(self.cuts.cross[:, 0] * UNITS + self.cuts.cross[:, 4])
        main = ROWS + COLUMNS + 2
        cell = np.concatenate((np.full(main, -1), self.cuts.line_cell, cross // UNITS))
        rank = np.concatenate(
            (np.arange(ROWS + 1), np.arange(COLUMNS + 1), self.cuts.line_number, cross % UNITS)
        )
        is_cross = np.arange(len(cell)) >= len(cell) - len(cross)
        axis = np.zeros(len(cell), np.int64)
        axis[ROWS + 1 : main] = 1
        self.cross_streets = cross
        self.first_cross_street = len(cell) - len(cross)
        return StreetNames(cell, rank, is_cross, axis)

    def street_of_cross(self) -> Ints:
        """Street of each cross street piece."""
        wanted = self.cuts.cross[:, 0] * UNITS + self.cuts.cross[:, 4]
        return self.first_cross_street + np.searchsorted(self.cross_streets, wanted)


def main_road_class(rank: Ints) -> Ints:
    """Class of a lattice line by its rank: every eighth a trunk road, every fourth primary."""
    classes = np.where(rank % 2 == 0, SECONDARY, TERTIARY)
    classes = np.where(rank % 4 == 2, PRIMARY, classes)
    classes = np.where(rank % 8 == 6, TRUNK, classes)
    return np.where(rank % 24 == 11, MOTORWAY, classes)


def cross_street_class(unit: Ints) -> Ints:
    """Class of a cross street by its unit: the one in the middle collects the others."""
    return np.where(unit == UNITS // 2, TERTIARY, RESIDENTIAL_ROAD)

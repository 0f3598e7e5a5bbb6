"""How each quarter (a cell of the lattice) is cut into blocks.

A quarter is crossed by through streets from side to side; each strip between two of them is cut
by cross streets.  All places on a line are counted in UNITS, so streets of neighbouring strips and
quarters that chose the same unit meet exactly and the others form T junctions.

Lines are numbered: first the lattice's east lines, then its north lines, then the through streets.
"""

from dataclasses import dataclass

import numpy as np

from geoservice.sample_city.hashing import Floats, Ints, uniform
from geoservice.sample_city.lattice import (
    CENTRAL,
    COLUMNS,
    GREEN,
    INDUSTRIAL,
    RESIDENTIAL,
    ROWS,
    VILLAGE,
    Lattice,
)

UNITS = 24
EAST_LINES = COLUMNS * (ROWS + 1)
NORTH_LINES = (COLUMNS + 1) * ROWS
LATTICE_LINES = EAST_LINES + NORTH_LINES

STRIP_UNITS = {
    RESIDENTIAL: (3, 4), CENTRAL: (3, 4, 5), VILLAGE: (2, 2, 3), INDUSTRIAL: (4, 5, 6),
    GREEN: (24,),
}  # fmt: skip
"""Widths, in units, of the strips between through streets, by zone."""

BLOCK_UNITS = {
    RESIDENTIAL: (3, 4, 5), CENTRAL: (3, 4, 4), VILLAGE: (2, 3, 3), INDUSTRIAL: (5, 6, 8),
    GREEN: (24,),
}  # fmt: skip
"""Widths, in units, of the blocks between cross streets, by zone."""


@dataclass(frozen=True)
class Cuts:
    """All quarters cut up, as flat arrays.

    Attributes:
        line_cell: Cell of each through street.
        line_number: Its number within the cell, from 1.
        line_sides: Lattice lines that it ends on, shape (n, 2).
        line_unit: Unit on both of them.
        cross: Cross streets: cell, lower line, upper line, unit, number within the cell, lower
            and upper block; shape (n, 7).
        block: Blocks: cell, lower line, upper line, first and last unit on both, left and right
            lattice side or -1, first and last unit on those; shape (n, 9).
        mirrored: For each block, whether its corners run clockwise as listed.
    """

    line_cell: Ints
    line_number: Ints
    line_sides: Ints
    line_unit: Ints
    cross: Ints
    block: Ints
    mirrored: np.ndarray


def east_line(i: Ints | int, j: Ints | int) -> Ints | int:
    """Number of the lattice line from corner (i, j) eastwards."""
    return i * (ROWS + 1) + j


def north_line(i: Ints | int, j: Ints | int) -> Ints | int:
    """Number of the lattice line from corner (i, j) northwards."""
    return EAST_LINES + i * ROWS + j


def cut_quarters(seed: int, lattice: Lattice, cells: Ints) -> Cuts:
    """Cut the given cells (indices into ``lattice.quads``) into blocks."""
    zones = lattice.zone.reshape(-1)
    parts = _Parts()
    for cell in cells.tolist():
        _cut_one(seed, cell, int(zones[cell]), parts)
    return parts.joined()


class _Parts:
    """Collects the rows of all quarters."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, int, int, int, int]] = []
        self.cross: list[Ints] = []
        self.block: list[Ints] = []
        self.mirrored: list[np.ndarray] = []
        self.blocks = 0

    def joined(self) -> Cuts:
        lines = np.array(self.lines, np.int64).reshape(-1, 5)
        return Cuts(
            lines[:, 0], lines[:, 1], lines[:, 2:4], lines[:, 4],
            np.concatenate(self.cross), np.concatenate(self.block), np.concatenate(self.mirrored),
        )  # fmt: skip


def _cut_one(seed: int, cell: int, zone: int, parts: _Parts) -> None:
    """Add the through streets, cross streets and blocks of one cell."""
    turned = bool(uniform(seed, "turned", cell)[0] < 0.5)
    first, last, left, right = _sides(cell, turned)
    strips = _steps(uniform(seed, "strips", cell, np.arange(UNITS // 2)), STRIP_UNITS[zone])
    lines = [first, *range(_next_line(parts), _next_line(parts) + len(strips) - 2), last]
    for number, unit in enumerate(strips[1:-1].tolist(), start=1):
        parts.lines.append((cell, number, left, right, unit))
    cuts = [_strip_cuts(seed, cell, zone, strip) for strip in range(len(lines) - 1)]
    inner = np.unique(np.concatenate([units[1:-1] for units in cuts]))
    for strip, units in enumerate(cuts):
        numbers = np.searchsorted(inner, units[1:-1]) + 1
        _add_strip(
            parts, cell, (lines[strip], lines[strip + 1]), units, numbers,
            (left, right, int(strips[strip]), int(strips[strip + 1])),
        )  # fmt: skip
    parts.mirrored.append(np.full(sum(len(units) - 1 for units in cuts), turned))


def _next_line(parts: _Parts) -> int:
    return LATTICE_LINES + len(parts.lines)


def _sides(cell: int, turned: bool) -> tuple[int, int, int, int]:
    """First and last line along the through streets, and the lattice lines that these end on."""
    i, j = divmod(cell, ROWS)
    south, north = int(east_line(i, j)), int(east_line(i, j + 1))
    west, east = int(north_line(i, j)), int(north_line(i + 1, j))
    return (west, east, south, north) if turned else (south, north, west, east)


def _strip_cuts(seed: int, cell: int, zone: int, strip: int) -> Ints:
    """Units of the cross streets of a strip; two strips in three take those of the pair's first."""
    same_as = strip - strip % 2 if uniform(seed, "aligned", cell, strip)[0] < 0.66 else strip
    numbers = uniform(seed, "blocks", cell, same_as, np.arange(UNITS // 2))
    return _steps(numbers, BLOCK_UNITS[zone])


def _steps(numbers: Floats, widths: tuple[int, ...]) -> Ints:
    """Units from 0 to UNITS in steps of the given widths; the last step may be wider."""
    steps = np.array(widths)[(numbers * len(widths)).astype(np.int64)]
    units = np.cumsum(steps)
    return np.concatenate(([0], units[units <= UNITS - widths[0]], [UNITS])).astype(np.int64)


def _add_strip(
    parts: _Parts,
    cell: int,
    lines: tuple[int, int],
    units: Ints,
    numbers: Ints,
    sides: tuple[int, int, int, int],
) -> None:
    """Add the blocks of one strip and the cross streets between them."""
    left, right, low, high = sides
    count = len(units) - 1
    block = np.empty((count, 9), np.int64)
    block[:, 0], block[:, 1], block[:, 2] = cell, lines[0], lines[1]
    block[:, 3], block[:, 4] = units[:-1], units[1:]
    block[:, 5], block[:, 6] = -1, -1
    block[0, 5], block[-1, 6] = left, right
    block[:, 7], block[:, 8] = low, high
    cross = np.empty((count - 1, 7), np.int64)
    cross[:, 0], cross[:, 1], cross[:, 2] = cell, lines[0], lines[1]
    cross[:, 3], cross[:, 4] = units[1:-1], numbers
    cross[:, 5] = parts.blocks + np.arange(count - 1)
    cross[:, 6] = cross[:, 5] + 1
    parts.block.append(block)
    parts.cross.append(cross)
    parts.blocks += count

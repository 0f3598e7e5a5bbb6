"""Tile addresses: a grid, z, x eastward, y southward."""

from __future__ import annotations

from dataclasses import dataclass

from layers.errors import TileOutsideMatrix
from tiles.grids import WEB_MERCATOR, Box, Grid


@dataclass(frozen=True)
class TileAddress:
    """The address of one tile."""

    z: int
    x: int
    y: int
    grid: Grid = WEB_MERCATOR

    @classmethod
    def within_matrix(cls, z: int, x: int, y: int, grid: Grid = WEB_MERCATOR) -> TileAddress:
        """An address that exists.

        Raises:
            TileOutsideMatrix: the grid has no such zoom, or no such tile at it.
        """
        columns, rows = grid.shape(z)
        if not (0 <= x < columns and 0 <= y < rows):
            raise TileOutsideMatrix(z, x, y)
        return cls(z, x, y, grid)

    @property
    def box(self) -> Box:
        """West, south, east, north in the system of the grid."""
        return self.grid.box(self.z, self.x, self.y)

    @property
    def mercator_zoom(self) -> int:
        """The zoom of Web Mercator whose tiles are of about the same scale."""
        return self.grid.mercator_zoom(self.z)

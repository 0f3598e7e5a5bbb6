"""Tile addresses in the WebMercatorQuad matrix set (OGC 17-083r4): z, x eastward, y southward."""

from __future__ import annotations

from dataclasses import dataclass

from layers.errors import TileOutsideMatrix

MAX_ZOOM = 24


@dataclass(frozen=True)
class TileAddress:
    """The address of one tile."""

    z: int
    x: int
    y: int

    @classmethod
    def within_matrix(cls, z: int, x: int, y: int) -> TileAddress:
        """An address that exists.

        Raises:
            TileOutsideMatrix: z is not 0 to 24, or x or y is not below 2 to the power z.
        """
        if not (0 <= z <= MAX_ZOOM and 0 <= x < 2**z and 0 <= y < 2**z):
            raise TileOutsideMatrix(z, x, y)
        return cls(z, x, y)

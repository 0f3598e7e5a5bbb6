"""Keys of cached tiles, made so that the tiles of a place lie together.

``set | grid | z | x | y | level | at | recorded | variant``, all big-endian: the tiles of a set of
layers in a range of columns are one range of keys, which is what purging looks through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct

from tiles.grids import GRIDS, Grid

NOW = -(2**63)
"""``at`` of a tile of the present, which is right until its layers change by themselves. No instant
is that early; 0 is the beginning of 1970, a date that many files have."""

BELIEVED_NOW = 0
"""``recorded`` of a tile of what is believed now."""

_KEY = Struct(">IBBIIBqq8s")
_PLACE = Struct(">IBBII")
_SET = Struct(">I")

KEY_BYTES = _KEY.size

GRID_NAMES: Sequence[str] = tuple(GRIDS)
"""Grids by their number in keys."""


@dataclass(frozen=True, slots=True)
class TileKey:
    """What tells a cached tile from all others.

    Attributes:
        tile_set: Number of the set of layers, see ``TileCache.number_of_set``.
        level: Clearance of the readers that it is for.
        at: First instant of valid time of the span in which the tile is the same, microseconds
            since 1970; ``NOW`` follows the clock.
        recorded: Last publication before the instant of recorded time, likewise; ``BELIEVED_NOW``
            is what is believed now.
        variant: Digest of whatever else was asked for (filter, properties).
    """

    tile_set: int
    grid: Grid
    z: int
    x: int
    y: int
    level: int
    at: int = NOW
    recorded: int = BELIEVED_NOW
    variant: bytes = bytes(8)

    def packed(self) -> bytes:
        """The key as the store has it."""
        grid = GRID_NAMES.index(self.grid.name)
        place = (self.tile_set, grid, self.z, self.x, self.y)
        return _KEY.pack(*place, self.level, self.at, self.recorded, self.variant)

    @classmethod
    def unpacked(cls, key: bytes) -> TileKey:
        """The key that was packed."""
        number, grid, *rest = _KEY.unpack(key)
        return cls(number, GRIDS[GRID_NAMES[grid]], *rest)


def variant_of(canonical: bytes) -> bytes:
    """The digest of what else is asked for; a few bytes, as others' keys differ in the rest."""
    return blake2b(canonical, digest_size=8).digest()


def place_key(tile_set: int, grid: int, z: int, x: int, y: int) -> bytes:
    """The beginning of the keys of all tiles at a place."""
    return _PLACE.pack(tile_set, grid, z, x, y)


def set_key(tile_set: int) -> bytes:
    """The beginning of the keys of all tiles of a set."""
    return _SET.pack(tile_set)

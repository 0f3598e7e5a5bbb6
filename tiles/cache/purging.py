"""Which cached tiles a change of a layer touches: those, and no others.

A tile is touched where a shape of the change reaches its box with the buffer. Which of the tiles of
a place are right nonetheless follows from their level and their times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import shapely

from tiles.cache.keys import BELIEVED_NOW, NOW, TileKey
from tiles.grids import EARTH_HALF_M, WEB_MERCATOR, Box, Grid

_SNAPPED = 6 / 4096
"""Share of a tile's width by which snapping and simplifying move coordinates, at most."""

_MERCATOR_LATITUDE = 89.9

_BEGINNING, _END = -(2**63), 2**63 - 1
"""Of valid time, as microseconds since 1970."""


@dataclass(frozen=True)
class TileChange:
    """A change of a layer, as ``layers.tile_changes`` writes it.

    Attributes:
        xid: Number of the transaction.
        clearance: Readers of this level and those above it see another tile.
        begins: First instant of valid time that changed, microseconds since 1970; None is any.
        ends: Instant of valid time from which on nothing changed, likewise.
        first_zoom: Zooms of Web Mercator at which tiles changed.
        last_zoom: The last of these.
        shape: Where, EPSG:3857, as EWKB; None is everywhere.
    """

    layer: str
    xid: int
    clearance: int
    begins: int | None
    ends: int | None
    first_zoom: int
    last_zoom: int
    shape: bytes | None

    @property
    def is_of_all_times(self) -> bool:
        """Whether what was believed once is answered in another way too, as by its class."""
        return self.begins is None and self.ends is None

    @cached_property
    def _parts(self) -> npt.NDArray[np.object_]:
        """The shapes, each by itself."""
        parts: npt.NDArray[np.object_] = shapely.get_parts([shapely.from_wkb(self.shape)])
        return parts

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self._parts)

    @cached_property
    def bounds(self) -> Box | None:
        """The box around all shapes, EPSG:3857; None is everywhere."""
        if self.shape is None:
            return None
        west, south, east, north = (float(side) for side in shapely.total_bounds(self._parts))
        # Nothing but empty shapes has no bounds, and touches no tile wherever one looks.
        return (west, south, east, north) if west <= east else (0.0, 0.0, 0.0, 0.0)

    def touches(self, boxes: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
        """Which of some boxes (EPSG:3857) a shape of the change reaches."""
        if self.shape is None:
            return np.ones(len(boxes), dtype=bool)
        found = np.zeros(len(boxes), dtype=bool)
        found[self._tree.query(boxes, predicate="intersects")[0]] = True
        return found

    def concerns(self, key: TileKey, until: int, now: int) -> bool:
        """Whether a tile of a touched place is another one since the change.

        Args:
            until: End of the span of valid time that the tile is for.
            now: Microseconds since 1970.
        """
        if key.level < self.clearance:
            return False
        if not self.first_zoom <= key.grid.mercator_zoom(key.z) <= self.last_zoom:
            return False
        if self.is_of_all_times:
            return True
        if key.recorded != BELIEVED_NOW:
            return False
        begins = _BEGINNING if self.begins is None else self.begins
        ends = _END if self.ends is None else self.ends
        if key.at == NOW:
            # A change of the future may end what was thought to last.
            return ends > now
        return begins < until and ends > key.at


def mercator_box(grid: Grid, z: int, x: int, y: int, margin: float) -> Box:
    """What a tile shows, in EPSG:3857: its box and, on each side, a share of its width."""
    west, south, east, north = grid.box(z, x, y)
    more = (east - west) * (margin + _SNAPPED)
    west, south, east, north = west - more, south - more, east + more, north + more
    if grid is WEB_MERCATOR:
        return west, south, east, north
    return _x(west), _y(south), _x(east), _y(north)


def columns_of(bounds: Box | None, grid: Grid, z: int, margin: float) -> tuple[int, int]:
    """The first and the last column of tiles that may reach into a box of EPSG:3857."""
    last = grid.shape(z)[0] - 1
    if bounds is None:
        return 0, last
    width = grid.tile_width / 2**z
    more = width * (margin + _SNAPPED)
    sides = (bounds[0], bounds[2])
    if grid is not WEB_MERCATOR:
        sides = (bounds[0] / EARTH_HALF_M * 180, bounds[2] / EARTH_HALF_M * 180)
    first = int((sides[0] - more - grid.west) // width)
    end = int((sides[1] + more - grid.west) // width)
    return max(0, min(first, last)), max(0, min(end, last))


def boxes_of(keys: Sequence[TileKey], margin: float) -> npt.NDArray[np.object_]:
    """The boxes of tiles with their margins, EPSG:3857."""
    sides = np.array([mercator_box(k.grid, k.z, k.x, k.y, margin) for k in keys])
    boxes: npt.NDArray[np.object_] = shapely.box(*sides.T) if len(keys) else np.empty(0, object)
    return boxes


def _x(longitude: float) -> float:
    return longitude / 180 * EARTH_HALF_M


def _y(latitude: float) -> float:
    bounded = max(-_MERCATOR_LATITUDE, min(_MERCATOR_LATITUDE, latitude))
    return float(np.arctanh(np.sin(np.radians(bounded))) / np.pi * EARTH_HALF_M)

"""Heights as a picture: packed into red, green and blue for maps in 3D, or shaded by the sun."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layers.base import TILE_SRID
from tiles.matrix import TileAddress
from tiles.raster.source import Masked

Bytes = NDArray[np.uint8]

HILLSHADE_BUFFER = 1
"""Pixels around a tile that shading looks at."""

_AZIMUTH = math.radians(315)
_ALTITUDE = math.radians(45)
_DEGREE_M = 111_319.490793


def terrain_rgb(heights: Masked) -> Bytes:
    """Heights in metres in steps of 0.1 m from -10,000 m, as Mapbox's terrain-RGB.

    Where there is none it says 0 m: the format knows no other way.

    Returns:
        Shape (3, rows, columns).
    """
    return _packed(np.round((_filled(heights) + 10_000) * 10))


def terrarium(heights: Masked) -> Bytes:
    """Heights in metres in steps of 1/256 m from -32,768 m; otherwise as ``terrain_rgb``."""
    return _packed(np.floor((_filled(heights) + 32_768) * 256))


ENCODINGS: Mapping[str, Callable[[Masked], Bytes]] = {
    "terrain-rgb": terrain_rgb,
    "terrarium": terrarium,
}


def hillshade(heights: Masked, address: TileAddress, size: int) -> Masked:
    """Light on slopes from the north-west, 45 degrees high, 0 to 255 (Horn's formula).

    Args:
        heights: Metres, shape (size + 2, size + 2): a pixel more on each side.

    Returns:
        uint8, shape (size, size); masked where there is no height.
    """
    centre = heights[1:-1, 1:-1]
    known = np.asarray(np.ma.filled(centre, 0), np.float64)
    masks = np.ma.getmaskarray(heights)

    def beside(down: int, right: int) -> Any:
        """The neighbours; where one has no height, the pixel's own."""
        place = slice(1 + down, 1 + down + size), slice(1 + right, 1 + right + size)
        return np.where(masks[place], known, heights.data[place])

    width, height = _pixel_m(address, size)
    east = beside(-1, 1) + 2 * beside(0, 1) + beside(1, 1)
    west = beside(-1, -1) + 2 * beside(0, -1) + beside(1, -1)
    north = beside(-1, -1) + 2 * beside(-1, 0) + beside(-1, 1)
    south = beside(1, -1) + 2 * beside(1, 0) + beside(1, 1)
    rise_east, rise_north = (east - west) / (8 * width), (north - south) / (8 * height)
    # The light of a plane is the cosine between its normal and the direction of the sun.
    sun_east, sun_north = math.sin(_AZIMUTH), math.cos(_AZIMUTH)
    flat = math.cos(_ALTITUDE)
    light = math.sin(_ALTITUDE) - flat * (sun_east * rise_east + sun_north * rise_north)
    light = light / np.sqrt(1 + rise_east**2 + rise_north**2)
    shades = np.round(np.clip(light, 0, 1) * 255).astype(np.uint8)
    return np.ma.MaskedArray(shades, mask=np.ma.getmaskarray(centre))


def _filled(heights: Masked) -> NDArray[np.float64]:
    return np.asarray(np.ma.filled(heights, 0), np.float64)


def _packed(steps: NDArray[np.float64]) -> Bytes:
    whole = np.clip(steps, 0, 2**24 - 1).astype(np.uint32)
    return np.stack([(whole >> 16) & 255, (whole >> 8) & 255, whole & 255]).astype(np.uint8)


def _pixel_m(address: TileAddress, size: int) -> tuple[Any, Any]:
    """Width and height of the pixels on the ground, metres; a column with a value for each row."""
    _, south, _, north = address.box
    step = (north - south) / size
    rows = north - (np.arange(size)[:, np.newaxis] + 0.5) * step
    if address.grid.srid == TILE_SRID:
        # Web Mercator stretches both ways by 1 / cos(latitude) = cosh(y / R).
        ground = step / np.cosh(rows / 6_378_137.0)
        return ground, ground
    return step * _DEGREE_M * np.cos(np.radians(rows)), step * _DEGREE_M

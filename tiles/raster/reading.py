"""Pixels of a raster in the grid of a tile.

The overview is chosen once for a zoom, and so is the kernel of the warp, so a pixel's value depends
on where it lies and not on the tile in which it is asked for: there are no seams.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import numpy as np
from rasterio import Affine
from rasterio.crs import CRS
from rio_tiler.reader import read

from layers.base import TILE_SRID
from layers.errors import InvalidParameter
from layers.extent import BBox
from tiles.grids import EARTH_HALF_M
from tiles.matrix import TileAddress
from tiles.raster.source import Masked, RasterSource, opened

MAX_READ_BYTES = 256 * 1024 * 1024
"""Most bytes of pixels that may have to be unpacked for one tile."""

_METRES_IN_DEGREE = 111_319.490793


def touches(source: RasterSource, address: TileAddress) -> bool:
    """Whether a tile may hold pixels of a raster, told from bounds alone."""
    box = geographic_box(address)
    return any(
        part.west <= box.east
        and box.west <= part.east
        and part.south <= box.north
        and box.south <= part.north
        for part in source.bounds.parts()
    )


def geographic_box(address: TileAddress) -> BBox:
    """The box of a tile in degrees."""
    west, south, east, north = address.box
    if address.grid.srid != TILE_SRID:
        return BBox(west, south, east, north)
    half = EARTH_HALF_M
    lat = [
        math.degrees(2 * math.atan(math.exp(y / half * math.pi)) - math.pi / 2)
        for y in (south, north)
    ]
    return BBox(west / half * 180, lat[0], east / half * 180, lat[1])


def read_tile(
    source: RasterSource, address: TileAddress, bands: Sequence[int], *, size: int, buffer: int = 0
) -> Masked:
    """The physical values of bands in a tile's grid, masked where there are none.

    Args:
        bands: Numbers from 1.
        size: Pixels across the tile.
        buffer: Pixels more on each side.

    Returns:
        Shape (bands, size + 2 * buffer, size + 2 * buffer).

    Raises:
        InvalidParameter: the raster is of a form in which that would take too much memory.
    """
    box = address.box
    pixel = (box[2] - box[0]) / size
    factor, level = _level(source, _pixel_m(source, address, pixel))
    dataset = opened(source, level)
    _check_bytes(source, dataset, size + 2 * buffer)
    left, top = box[0] - buffer * pixel, box[3] + buffer * pixel
    options: dict[str, Any] = {
        "crs": _crs(address.grid.srid),
        "transform": Affine(pixel, 0, left, 0, -pixel, top),
        "width": size + 2 * buffer,
        "height": size + 2 * buffer,
        "dtype": dataset.dtypes[0],
        "XSCALE": factor,
        "YSCALE": factor,
    }
    shift = _shift(dataset, address)
    if shift:
        options |= {
            "src_crs": dataset.crs,
            "src_transform": Affine.translation(shift, 0) @ dataset.transform,
        }
    image = read(
        dataset,
        indexes=tuple(bands),
        vrt_options=options,
        reproject_method="nearest" if source.is_classes else "bilinear",
    )
    pixels = np.ma.masked_invalid(image.array, copy=False)
    return source.physical(pixels, bands)


def _pixel_m(source: RasterSource, address: TileAddress, pixel: float) -> float:
    """Size of a tile's pixel on the ground at the middle of the raster, metres."""
    if address.grid.srid != TILE_SRID:
        return pixel * _METRES_IN_DEGREE
    middle = (source.bounds.south + source.bounds.north) / 2
    return pixel * max(math.cos(math.radians(middle)), 0.01)


def _level(source: RasterSource, pixel_m: float) -> tuple[float, int | None]:
    """Tile pixels for each pixel of the overview to read, at most 1; and which overview that is."""
    overviews = opened(source).overviews(1)
    best: tuple[int, int | None] = (1, None)
    for level, factor in enumerate(overviews):
        if factor * source.resolution_m <= pixel_m * 1.01:
            best = (factor, level)
    return min(best[0] * source.resolution_m / pixel_m, 1.0), best[1]


def _check_bytes(source: RasterSource, dataset: Any, size: int) -> None:
    """Stop at rasters of hundreds of bands, all of which lie in each block."""
    a, b, _, d, e, _ = tuple(dataset.transform)[:6]
    sides = math.hypot(a, d), math.hypot(b, e)
    stretch = max(sides) / min(sides)
    block = 512
    across = min(2 * size * stretch + 2 * block, dataset.width)
    down = min(2 * size * stretch + 2 * block, dataset.height)
    item = np.dtype(dataset.dtypes[0]).itemsize
    if across * down * dataset.count * item > MAX_READ_BYTES:
        reason = f"{source.name} has too many bands, or pixels too long, to be drawn"
        raise InvalidParameter("raster", source.name, reason)


def _shift(dataset: Any, address: TileAddress) -> float:
    """Degrees by which a raster that runs past 180 E or W has to be moved to lie under a tile."""
    if not dataset.crs.is_geographic:
        return 0.0
    box, bounds = geographic_box(address), dataset.bounds
    if bounds.right > 180 and box.west < bounds.right - 360:
        return -360.0
    if bounds.left < -180 and box.east > bounds.left + 360:
        return 360.0
    return 0.0


@lru_cache(maxsize=8)
def _crs(srid: int) -> CRS:
    return cast(CRS, CRS.from_epsg(srid))

"""Rasters for tests of what reads them: files as a load writes them, with what it says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import morecantile
import numpy as np
import rasterio
from rasterio import shutil
from rasterio.warp import transform_bounds

from layers.extent import BBox
from layers.rasters import RasterKind
from tests.raster_files import write_tif
from tiles.matrix import TileAddress
from tiles.raster.source import RasterSource


def make_source(
    folder: Path,
    pixels: np.ndarray[Any, Any],
    *,
    kind: RasterKind = RasterKind.TERRAIN,
    resolution_m: float = 10,
    scale: float = 1,
    colors: tuple[str, ...] = (),
    **profile: Any,
) -> RasterSource:
    """A Cloud-Optimized GeoTIFF of pixels, placed as ``write_tif`` does, and what is said of it."""
    plain = write_tif(folder / "plain.tif", pixels, **profile)
    path = folder / f"{kind}.tif"
    resampling = "nearest" if kind is RasterKind.OTHER else "average"
    shutil.copy(plain, path, driver="COG", blocksize=512, overview_resampling=resampling)
    with rasterio.open(path) as made:
        west, south, east, north = transform_bounds(made.crs, "EPSG:4490", *made.bounds)
        bounds = BBox(west, south, east if east <= 180 else east - 360, north)
        bands = [
            {
                "color": colors[at] if colors else "gray",
                "min": float(np.nanmin(band)),
                "max": float(np.nanmax(band)),
                "scale": scale,
                "offset": 0.0,
            }
            for at, band in enumerate(pixels)
        ]
        return RasterSource(
            kind.value, path, "0" * 64, kind, bounds, bands, made.dtypes[0], made.nodata,
            resolution_m,
        )  # fmt: skip


def tile_over(source: RasterSource, z: int) -> TileAddress:
    """The tile of Web Mercator in the middle of a raster."""
    lon = (source.bounds.west + source.bounds.east) / 2
    lat = (source.bounds.south + source.bounds.north) / 2
    tile = morecantile.tms.get("WebMercatorQuad").tile(lon, lat, z)
    return TileAddress.within_matrix(z, tile.x, tile.y)


def hills(size: int = 600) -> np.ndarray[Any, Any]:
    """Smooth heights as float32, one band: waves of some hundred metres."""
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    heights: np.ndarray[Any, Any] = 200 + 100 * np.sin(x / 40) * np.cos(y / 30)
    return heights[np.newaxis].astype(np.float32)

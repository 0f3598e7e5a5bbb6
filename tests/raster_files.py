"""Raster files written for tests: GeoTIFF by rasterio, HGT and ASCII grid by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio import Affine

SHENZHEN_4547 = (505000.0, 2495000.0)
"""Easting and northing of a place in Shenzhen, EPSG:4547, metres."""


def north_up(west: float, north: float, size: float) -> Affine:
    """Square pixels in rows from the north, in units of the system."""
    return Affine(size, 0, west, 0, -size, north)


def write_tif(path: Path, pixels: np.ndarray[Any, Any], **profile: Any) -> Path:
    """A GeoTIFF of pixels (bands, rows, columns), 10 m each, in Shenzhen unless said otherwise."""
    count, height, width = pixels.shape
    named = {
        "driver": "GTiff",
        "crs": "EPSG:4547",
        "transform": north_up(*SHENZHEN_4547, 10),
        "count": count,
        "height": height,
        "width": width,
        "dtype": pixels.dtype,
    } | profile
    with rasterio.open(path, "w", **named) as target:
        target.write(pixels)
    return path


def write_hgt(path: Path, heights: np.ndarray[Any, Any]) -> Path:
    """An SRTM tile: rows from the north of 1201 big-endian heights each."""
    heights.astype(">i2").tofile(path)
    return path


def terrain(size: int = 600, seed: int = 1) -> np.ndarray[Any, Any]:
    """Heights as float32, one band."""
    random = np.random.default_rng(seed)
    return random.normal(50, 20, (1, size, size)).astype(np.float32)


def write_asc(path: Path, rows: list[str], *, nodata: str = "-9999") -> Path:
    """An ASCII grid of 30 m with its south-west corner in Shenzhen, EPSG:4547."""
    easting, northing = SHENZHEN_4547
    head = [
        f"ncols {len(rows[0].split())}",
        f"nrows {len(rows)}",
        f"xllcorner {easting}",
        f"yllcorner {northing}",
        "cellsize 30",
        f"NODATA_value {nodata}",
    ]
    path.write_text("\n".join([*head, *rows]) + "\n")
    return path

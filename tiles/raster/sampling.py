"""Values at a place and along a line, from the full resolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from pyproj import Geod, Transformer
from rasterio.windows import Window

from layers.base import STORAGE_SRID
from layers.rasters import RasterKind
from tiles.raster.patience import go_on
from tiles.raster.source import Floats, RasterSource, environment, opened

_ELLIPSOID = Geod(ellps="GRS80")


@dataclass(frozen=True)
class Sample:
    """A place on a profile.

    Attributes:
        distance_m: From the beginning of the line, along the ellipsoid.
        value: None where there is none.
    """

    distance_m: float
    lon: float
    lat: float
    value: float | None


def values_at(
    source: RasterSource, lon: float, lat: float, bands: Sequence[int]
) -> list[float | None] | None:
    """The values of bands in the pixel that holds a place; None outside of the raster; blocking."""
    with environment():
        dataset = opened(source)
        ((column, row),) = pixel_positions(dataset, np.array([[lon, lat]]))
        if not (0 <= column < dataset.width and 0 <= row < dataset.height):
            return None
        window = Window(math.floor(column), math.floor(row), 1, 1)
        pixels = np.ma.masked_invalid(dataset.read(list(bands), window=window, masked=True))
        found = source.physical(pixels, bands)[:, 0, 0]
    return [None if found[n] is np.ma.masked else float(found[n]) for n in range(len(bands))]


def profile(source: RasterSource, line: Floats, *, band: int, samples: int) -> list[Sample]:
    """Values at places that are equally far from each other along a line; blocking.

    Heights are interpolated between the four nearest pixels, other values are those of the pixel.

    Args:
        line: Longitude and latitude, degrees, EPSG:4490; shape (n, 2), n at least 2.
        samples: How many places, at least 2: the first and the last are the line's ends.
    """
    distances, places = spread(line, samples)
    with environment():
        dataset = opened(source)
        positions = pixel_positions(dataset, places)
        is_smooth = source.kind is RasterKind.TERRAIN
        values = [_value(source, dataset, at, band, is_smooth=is_smooth) for at in positions]
    return [
        Sample(float(distance), float(lon), float(lat), value)
        for distance, (lon, lat), value in zip(distances, places, values, strict=True)
    ]


def spread(line: Floats, samples: int) -> tuple[Floats, Floats]:
    """Distances and places, equally far from each other along geodesics between the vertices."""
    azimuths, _, lengths = _ELLIPSOID.inv(line[:-1, 0], line[:-1, 1], line[1:, 0], line[1:, 1])
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    distances = np.linspace(0, ends[-1], samples)
    parts = np.clip(np.searchsorted(ends, distances, side="right") - 1, 0, len(lengths) - 1)
    lon, lat, _ = _ELLIPSOID.fwd(
        line[parts, 0], line[parts, 1], np.asarray(azimuths)[parts], distances - ends[parts]
    )
    return distances, np.column_stack((lon, lat))


def pixel_positions(dataset: Any, lon_lat: Floats) -> Floats:
    """Columns and rows of places, fractions counted from the corner of the first pixel."""
    x, y = _transformer(dataset.crs.to_wkt()).transform(lon_lat[:, 0], lon_lat[:, 1])
    if dataset.crs.is_geographic:
        # A raster that runs past 180 E knows the places beyond by another name.
        x = np.where(x < dataset.bounds.left, x + 360, x)
        x = np.where(x > dataset.bounds.right, x - 360, x)
    a, b, c, d, e, f = tuple(~dataset.transform)[:6]
    return np.column_stack((a * x + b * y + c, d * x + e * y + f))


@lru_cache(maxsize=64)
def _transformer(wkt: str) -> Transformer:
    return Transformer.from_crs(STORAGE_SRID, wkt, always_xy=True)


def _value(
    source: RasterSource, dataset: Any, position: Floats, band: int, *, is_smooth: bool
) -> float | None:
    go_on()
    column, row = position
    if not (0 <= column < dataset.width and 0 <= row < dataset.height):
        return None
    left = math.floor(column - 0.5) if is_smooth else math.floor(column)
    top = math.floor(row - 0.5) if is_smooth else math.floor(row)
    left, top = (min(max(left, 0), dataset.width - 1), min(max(top, 0), dataset.height - 1))
    reach = 2 if is_smooth else 1
    window = Window(left, top, min(reach, dataset.width - left), min(reach, dataset.height - top))
    pixels = np.ma.masked_invalid(dataset.read([band], window=window, masked=True))
    values = source.physical(pixels, [band])[0]
    if not is_smooth or values.shape != (2, 2) or np.ma.getmaskarray(values).any():
        nearest = values[
            min(math.floor(row) - top, values.shape[0] - 1),
            min(math.floor(column) - left, values.shape[1] - 1),
        ]
        return None if nearest is np.ma.masked else float(nearest)
    right, down = np.clip(column - 0.5 - left, 0, 1), np.clip(row - 0.5 - top, 0, 1)
    weights = np.outer([1 - down, down], [1 - right, right])
    return float((values.data * weights).sum())

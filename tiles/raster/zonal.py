"""Figures over an area: each pixel counts with the part of it that the area covers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from rasterio.features import rasterize
from rasterio.windows import Window
from rio_tiler.utils import get_array_statistics

from layers.errors import InvalidParameter
from tiles.raster.patience import go_on
from tiles.raster.sampling import pixel_positions
from tiles.raster.source import Floats, Masked, RasterSource, environment, opened

MAX_PIXELS = 4_000_000
"""Most pixels of the box around an area; of a larger one an overview is read."""

MAX_CLASSES = 256
_EDGE_DEGREES = 0.01
_MAX_VERTICES = 100_000


@dataclass(frozen=True)
class ZonalFigures:
    """Figures of an area.

    Attributes:
        overview: How many pixels across one that was read stands for; 1 is the full resolution.
            Counts are of pixels of the full resolution all the same.
        bands: One object for each band asked for.
    """

    overview: int
    bands: list[dict[str, Any]]


def zonal(
    source: RasterSource,
    area: Any,
    *,
    bands: Sequence[int],
    percentiles: Sequence[int],
    with_classes: bool,
) -> ZonalFigures:
    """Figures of bands over an area; blocking.

    Args:
        area: A polygon or several, longitude and latitude, degrees, EPSG:4490.
        percentiles: Whole numbers from 0 to 100.
        with_classes: Whether to count each value by itself.

    Raises:
        InvalidParameter: there are more classes than can be told.
    """
    with environment():
        dataset = opened(source)
        shape = _in_pixels(dataset, area)
        level, factor = _level(dataset, shape)
        reduced = dataset if level is None else opened(source, level)
        scale_x, scale_y = reduced.width / dataset.width, reduced.height / dataset.height
        shape = shapely.transform(shape, lambda xy: xy * (scale_x, scale_y))
        window = _window(reduced, shape)
        if window is None:
            return ZonalFigures(factor, [_none(source, n, percentiles) for n in bands])
        pixels = np.ma.masked_invalid(reduced.read(list(bands), window=window, masked=True))
    go_on()
    weights = coverage(shape, window) * factor**2
    values = source.physical(pixels, bands)
    figures = []
    for at in range(len(bands)):
        go_on()
        figures.append(_figures(values[at], weights, percentiles, with_classes=with_classes))
    named = [{"band": n} | one for n, one in zip(bands, figures, strict=True)]
    return ZonalFigures(factor, named)


def coverage(shape: Any, window: Window) -> Floats:
    """The part of each pixel of a window that a shape covers, 0 to 1, exact.

    Args:
        shape: In columns and rows.
    """
    left, top = int(window.col_off), int(window.row_off)
    height, width = int(window.height), int(window.width)
    local = shapely.transform(shape, lambda xy: xy - (left, top))
    local = shapely.intersection(local, shapely.box(0, 0, width, height))
    if local.is_empty or local.area == 0:
        return np.zeros((height, width))
    out = {"out_shape": (height, width), "dtype": "uint8"}
    inside = rasterize([(local, 1)], **out).astype(np.float64)
    edge = _widened(rasterize([(local.boundary, 1)], all_touched=True, **out) > 0)
    rows, columns = np.nonzero(edge)
    used = np.unique(rows)
    # First cut to rows, then to pixels: each cut is then of a shape with few vertices.
    sides = np.zeros_like(used), np.full_like(used, width)
    strips = np.asarray(
        shapely.intersection(local, shapely.box(sides[0], used, sides[1], used + 1))
    )
    cut = strips[np.searchsorted(used, rows)]
    boxes = shapely.box(columns, rows, columns + 1, rows + 1)
    inside[rows, columns] = shapely.area(shapely.intersection(cut, boxes))
    return np.asarray(inside)


def _widened(edge: Any) -> Any:
    """Pixels beside the edge as well: a line that touches a corner may be drawn on either side."""
    padded = np.pad(edge, 1)
    height, width = edge.shape
    return np.logical_or.reduce(
        [padded[r : r + height, c : c + width] for r in range(3) for c in range(3)]
    )


def _in_pixels(dataset: Any, area: Any) -> Any:
    west, south, east, north = area.bounds
    step = max(_EDGE_DEGREES, (east - west) / 200, (north - south) / 200)
    fine = shapely.segmentize(area, step)
    if shapely.get_num_coordinates(fine) > _MAX_VERTICES:
        raise InvalidParameter("geometry", "", "has too many vertices")
    shape = shapely.transform(fine, lambda xy: pixel_positions(dataset, xy))
    if not np.isfinite(shape.bounds).all():
        raise InvalidParameter("geometry", "", "reaches to where the raster's system has no place")
    return shape if shape.is_valid else shapely.make_valid(shape)


def _level(dataset: Any, shape: Any) -> tuple[int | None, int]:
    window = _window(dataset, shape)
    size = window.width * window.height if window is not None else 0
    chosen: tuple[int | None, int] = (None, 1)
    for level, factor in enumerate(dataset.overviews(1)):
        if size / chosen[1] ** 2 <= MAX_PIXELS:
            break
        chosen = (level, factor)
    return chosen


def _window(dataset: Any, shape: Any) -> Window | None:
    left, top, right, bottom = shape.bounds
    left, top = max(math.floor(left), 0), max(math.floor(top), 0)
    right, bottom = min(math.ceil(right), dataset.width), min(math.ceil(bottom), dataset.height)
    if left >= right or top >= bottom:
        return None
    return Window(left, top, right - left, bottom - top)


def _none(source: RasterSource, band: int, percentiles: Sequence[int]) -> dict[str, Any]:
    source.check_bands([band], "bands", 1)
    empty = dict.fromkeys(("min", "max", "mean", "std"))
    return {
        "band": band,
        "count": 0.0,
        **empty,
        "percentiles": dict.fromkeys(map(str, percentiles)),
    }


def _figures(
    values: Masked, weights: Floats, percentiles: Sequence[int], *, with_classes: bool
) -> dict[str, Any]:
    counted = np.ma.MaskedArray(values.data, mask=np.ma.getmaskarray(values) | (weights == 0))
    if not counted.count():
        empty = dict.fromkeys(("min", "max", "mean", "std"))
        figures = {"count": 0.0, **empty, "percentiles": dict.fromkeys(map(str, percentiles))}
        return figures | ({"classes": []} if with_classes else {})
    as_floats = np.ma.asarray(counted.astype(np.float64))
    (found,) = get_array_statistics(as_floats, percentiles=list(percentiles), coverage=weights)
    figures = {name: float(found[name]) for name in ("count", "min", "max", "mean", "std")}
    figures["percentiles"] = {str(p): float(found[f"percentile_{p}"]) for p in percentiles}
    if with_classes:
        figures["classes"] = _classes(counted, weights)
    return figures


def _classes(counted: Masked, weights: Floats) -> list[dict[str, float]]:
    at = ~np.ma.getmaskarray(counted)
    values, places = np.unique(counted.data[at], return_inverse=True)
    if len(values) > MAX_CLASSES:
        reason = f"there are {len(values)} values, more than {MAX_CLASSES}, so they are no classes"
        raise InvalidParameter("classes", True, reason)
    counts = np.bincount(places.ravel(), weights=weights[at])
    return [
        {"value": float(value), "count": float(count), "share": float(count / counts.sum())}
        for value, count in zip(values, counts, strict=True)
    ]

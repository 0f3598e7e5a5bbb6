"""Where rejected rows lie: they have no geometry of the layer, so that of their file is placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from layers.city import CityFrame, FloatArray
from layers.crs import Operation, find_operation
from layers.errors import UnknownCRS
from loaders.report import SourceReport
from tiles.grids import EARTH_HALF_M

_MAX_LATITUDE = 85.0


class RejectedShapes:
    """Places the geometries of rejected rows by the systems of their files.

    Args:
        reports: Of the files in the order of their rows.
    """

    def __init__(self, reports: Sequence[SourceReport], city: CityFrame) -> None:
        self._city = city
        self._last_rows = list(accumulate(report.rows for report in reports))
        self._operations = [_operation(report, city) for report in reports]

    def shape(self, row: int, original: Mapping[str, Any] | None) -> bytes | None:
        """The geometry of a row as WKB in EPSG:3857; None where its place is not known.

        Args:
            row: Its number, from 1 over all files.
            original: What the row said, its geometry as WKT.
        """
        said = (original or {}).get("geometry")
        operation = self._operation_of(row)
        if not isinstance(said, str) or operation is None:
            return None
        shape = shapely.from_wkt(said, on_invalid="ignore")
        if shapely.is_missing(shape):
            return None
        positions = shapely.get_coordinates(shape)
        lon_lat = self._lon_lat(positions, operation)
        usable = np.isfinite(lon_lat).all() and (np.abs(lon_lat[:, 1]) <= _MAX_LATITUDE).all()
        if not len(lon_lat) or not usable:
            return None
        placed = shapely.set_coordinates(shapely.force_2d(shape), _mercator(lon_lat))
        return bytes(shapely.to_wkb(placed))

    def _operation_of(self, row: int) -> Operation | None:
        at = int(np.searchsorted(self._last_rows, row))
        return self._operations[at] if at < len(self._operations) else None

    def _lon_lat(self, positions: FloatArray, operation: Operation) -> FloatArray:
        """Longitude and latitude; a check of all rows has written some in degrees already."""
        moved = operation.apply(positions)
        if not self._city.holds(moved).any() and self._city.holds(positions).any():
            return positions
        return moved


def point_shape(lon: float | None, lat: float | None) -> bytes | None:
    """A place in degrees as WKB in EPSG:3857; None where it is not known or not on that map."""
    if lon is None or lat is None or not abs(lat) <= _MAX_LATITUDE:
        return None
    return bytes(shapely.to_wkb(shapely.Point(_mercator(np.array([[lon, lat]]))[0])))


def _operation(report: SourceReport, city: CityFrame) -> Operation | None:
    try:
        return find_operation(report.crs, city, Path(report.name))
    except UnknownCRS:  # "none": there were no positions
        return None


def _mercator(lon_lat: FloatArray) -> FloatArray:
    x = lon_lat[:, 0] / 180 * EARTH_HALF_M
    y = np.arctanh(np.sin(np.radians(lon_lat[:, 1]))) / np.pi * EARTH_HALF_M
    return np.column_stack([x, y])

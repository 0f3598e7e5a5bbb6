"""Lines that callers draw over the city, and the plane in which they are measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pyproj import Transformer
from shapely.geometry import LineString

from layers.base import STORAGE_SRID
from layers.city import CityFrame, FloatArray

MAX_LENGTH_M = 2_000
MAX_VERTICES = 100


@dataclass(frozen=True)
class DrawnLine:
    """A line as it was drawn; it may cross itself.

    Attributes:
        lon_lat: Degrees, EPSG:4490, shape (n, 2), longitude first.
        plane: The same in the city's plane system, metres, east first.
    """

    lon_lat: FloatArray
    plane: LineString

    @property
    def length_m(self) -> float:
        """In the plane system."""
        return float(self.plane.length)


def parse_positions(text: str) -> FloatArray:
    """Read ``lon,lat;lon,lat`` in degrees.

    Returns:
        Shape (n, 2).

    Raises:
        ValueError: it is of another form.
    """
    pairs = [part.split(",") for part in text.split(";")]
    message = "needs longitude,latitude;longitude,latitude in degrees"
    if len(pairs) > MAX_VERTICES or any(len(pair) != 2 for pair in pairs):
        raise ValueError(message if len(pairs) <= MAX_VERTICES else _too_many())
    try:
        return np.array(pairs, float)
    except ValueError:
        raise ValueError(message) from None


def positions_of(document: object) -> FloatArray:
    """The positions of a LineString of GeoJSON, or of a feature that is one.

    Returns:
        Shape (n, 2), degrees; heights are left out.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(document, dict) and document.get("type") == "Feature":
        document = document.get("geometry")
    if not isinstance(document, dict) or document.get("type") != "LineString":
        message = "needs GeoJSON of type LineString"
        raise ValueError(message)
    positions = document.get("coordinates")
    positions = positions if isinstance(positions, list) else []
    if len(positions) > MAX_VERTICES:
        raise ValueError(_too_many())
    return np.array([_position(one) for one in positions], float).reshape(-1, 2)


def _position(said: object) -> list[float]:
    message = "has a position that is not longitude and latitude"
    if not isinstance(said, list) or len(said) not in (2, 3):
        raise ValueError(message)
    numbers = said[:2]
    if any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in numbers):
        raise ValueError(message)
    try:
        return [float(one) for one in numbers]
    except OverflowError:
        raise ValueError(message) from None


def _too_many() -> str:
    return f"has more than {MAX_VERTICES} points"


def drawn_line(lon_lat: FloatArray, city: CityFrame) -> DrawnLine:
    """A line within the city.

    Args:
        lon_lat: Degrees, shape (n, 2).

    Raises:
        ValueError: it leaves the city, is longer than 2 km, or is no line.
    """
    if len(lon_lat) < 2:
        message = "needs at least two points"
        raise ValueError(message)
    if not city.holds(lon_lat).all():
        message = "leaves the extent of the city"
        raise ValueError(message)
    plane = LineString(to_plane(lon_lat, city.plane_srid))
    if not math.isfinite(plane.length) or plane.length < 0.001:
        message = "has no length"
        raise ValueError(message)
    if plane.length > MAX_LENGTH_M:
        message = f"is {plane.length:.0f} m long, of at most {MAX_LENGTH_M}"
        raise ValueError(message)
    return DrawnLine(lon_lat, plane)


def to_plane(lon_lat: FloatArray, srid: int) -> FloatArray:
    """East and north in a plane system, metres, of degrees of EPSG:4490; shapes (n, 2)."""
    return np.column_stack(_transformer(STORAGE_SRID, srid).transform(*lon_lat.T))


def from_plane(east_north: FloatArray, srid: int) -> FloatArray:
    """The inverse of ``to_plane``."""
    return np.column_stack(_transformer(srid, STORAGE_SRID).transform(*east_north.T))


@lru_cache(maxsize=8)
def _transformer(source: int, target: int) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)

"""GCJ-02 and BD-09, the two shifted coordinate systems of Chinese web maps, on NumPy arrays.

All functions take and give longitude before latitude, in degrees, and work on whole arrays.
CGCS2000 (EPSG:4490) is taken as WGS 84 here: they differ by far less than the shifts.
Points outside China's rectangle are not shifted, as the maps themselves do.

The inverses are fixed-point iterations of the forward shifts.  In a city's extent four of them
bring a GCJ-02 round trip below a micrometre.  A map service adds noise of its own, so the
agreement with a real map is about a metre, whatever the arithmetic.

Source of the constants: the published reimplementations PRCoords (CC0) and eviltransform.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "bd09_from_gcj02",
    "bd09_from_wgs84",
    "gcj02_from_bd09",
    "gcj02_from_wgs84",
    "wgs84_from_bd09",
    "wgs84_from_gcj02",
]

Degrees: TypeAlias = NDArray[np.float64]

KRASOVSKY_SEMI_MAJOR_M = 6_378_245.0
KRASOVSKY_E2 = 0.00669342162296594323
ORIGIN_LON, ORIGIN_LAT = 105.0, 35.0
CHINA_WEST, CHINA_SOUTH, CHINA_EAST, CHINA_NORTH = 72.004, 0.8293, 137.8347, 55.8271
BD09_LON, BD09_LAT = 0.0065, 0.0060
BD09_WAVE = np.pi * 3000.0 / 180.0
GCJ02_ITERATIONS = 4
BD09_ITERATIONS = 8


def gcj02_from_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Degrees, Degrees]:
    """GCJ-02 longitude and latitude of WGS 84 points.

    Args:
        lon: Longitudes in degrees, WGS 84 or CGCS2000.
        lat: Latitudes in degrees, of the same shape.

    Returns:
        Longitudes and latitudes in degrees; about 600 m from the input in southern China,
        equal to the input outside China's rectangle.
    """
    x, y = _as_degrees(lon, lat)
    shift_lon, shift_lat = _gcj02_shift(x, y)
    return x + shift_lon, y + shift_lat


def wgs84_from_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Degrees, Degrees]:
    """WGS 84 longitude and latitude of GCJ-02 points, to better than a micrometre.

    Args:
        lon: Longitudes in degrees, GCJ-02.
        lat: Latitudes in degrees, of the same shape.

    Returns:
        Longitudes and latitudes in degrees.
    """
    x, y = _as_degrees(lon, lat)
    guess_lon, guess_lat = x, y
    for _ in range(GCJ02_ITERATIONS):
        shift_lon, shift_lat = _gcj02_shift(guess_lon, guess_lat)
        guess_lon, guess_lat = x - shift_lon, y - shift_lat
    return guess_lon, guess_lat


def bd09_from_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Degrees, Degrees]:
    """BD-09 longitude and latitude of GCJ-02 points.

    Args:
        lon: Longitudes in degrees, GCJ-02.
        lat: Latitudes in degrees, of the same shape.

    Returns:
        Longitudes and latitudes in degrees.
    """
    x, y = _as_degrees(lon, lat)
    radius = np.hypot(x, y) + 0.00002 * np.sin(y * BD09_WAVE)
    angle = np.arctan2(y, x) + 0.000003 * np.cos(x * BD09_WAVE)
    return radius * np.cos(angle) + BD09_LON, radius * np.sin(angle) + BD09_LAT


def gcj02_from_bd09(lon: ArrayLike, lat: ArrayLike) -> tuple[Degrees, Degrees]:
    """GCJ-02 longitude and latitude of BD-09 points, to better than a micrometre.

    The widely copied one-step inverse is off by up to 17 mm; iterating it converges.

    Args:
        lon: Longitudes in degrees, BD-09.
        lat: Latitudes in degrees, of the same shape.

    Returns:
        Longitudes and latitudes in degrees.
    """
    x, y = _as_degrees(lon, lat)
    guess_lon, guess_lat = x - BD09_LON, y - BD09_LAT
    for _ in range(BD09_ITERATIONS):
        back_lon, back_lat = bd09_from_gcj02(guess_lon, guess_lat)
        guess_lon, guess_lat = guess_lon + (x - back_lon), guess_lat + (y - back_lat)
    return guess_lon, guess_lat


def bd09_from_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Degrees, Degrees]:
    """BD-09 longitude and latitude, in degrees, of WGS 84 points."""
    return bd09_from_gcj02(*gcj02_from_wgs84(lon, lat))


def wgs84_from_bd09(lon: ArrayLike, lat: ArrayLike) -> tuple[Degrees, Degrees]:
    """WGS 84 longitude and latitude, in degrees, of BD-09 points."""
    return wgs84_from_gcj02(*gcj02_from_bd09(lon, lat))


def _as_degrees(lon: ArrayLike, lat: ArrayLike) -> tuple[Degrees, Degrees]:
    return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)


def _gcj02_shift(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    """Degrees by which GCJ-02 moves each point; zero outside China's rectangle."""
    east_m, north_m = _shift_in_metres(lon - ORIGIN_LON, lat - ORIGIN_LAT)
    phi = np.radians(lat)
    w = 1.0 - KRASOVSKY_E2 * np.sin(phi) ** 2
    prime_vertical_m = KRASOVSKY_SEMI_MAJOR_M / np.sqrt(w)
    meridian_m = KRASOVSKY_SEMI_MAJOR_M * (1.0 - KRASOVSKY_E2) / (w * np.sqrt(w))
    inside = (lon >= CHINA_WEST) & (lon <= CHINA_EAST) & (lat >= CHINA_SOUTH) & (lat <= CHINA_NORTH)
    shift_lon = np.degrees(east_m / (prime_vertical_m * np.cos(phi)))
    shift_lat = np.degrees(north_m / meridian_m)
    return np.where(inside, shift_lon, 0.0), np.where(inside, shift_lat, 0.0)


def _shift_in_metres(x: Degrees, y: Degrees) -> tuple[Degrees, Degrees]:
    """The polynomial and sine terms, in metres east and north, of degrees from the origin."""
    root = np.sqrt(np.abs(x))
    shared = (20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)) * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + shared
    east_m += (20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi / 3.0 * x)) * 2.0 / 3.0
    east_m += (150.0 * np.sin(np.pi / 12.0 * x) + 300.0 * np.sin(np.pi / 30.0 * x)) * 2.0 / 3.0
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + shared
    north_m += (20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi / 3.0 * y)) * 2.0 / 3.0
    north_m += (160.0 * np.sin(np.pi / 12.0 * y) + 320.0 * np.sin(np.pi / 30.0 * y)) * 2.0 / 3.0
    return east_m, north_m

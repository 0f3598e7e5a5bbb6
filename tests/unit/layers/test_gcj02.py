"""GCJ-02 and BD-09 against published vectors and against themselves."""

import numpy as np
import pytest

from layers.gcj02 import (
    bd09_from_gcj02,
    bd09_from_wgs84,
    gcj02_from_bd09,
    gcj02_from_wgs84,
    wgs84_from_bd09,
    wgs84_from_gcj02,
)

METRES_PER_DEGREE = 111_320.0

# (WGS 84, GCJ-02, BD-09), each as (lon, lat) in degrees; values of PRCoords.
VECTORS = [
    (
        (113.912316, 22.543847),
        (113.9171764808363, 22.540796131694766),
        (113.92368472926734, 22.546667437751108),
    ),
    (
        (114.0579, 22.5431),
        (114.06301399856547, 22.54038281422246),
        (114.06956398703267, 22.546041559073544),
    ),
]


def _shenzhen(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random points of the city's box, longitude and latitude in degrees."""
    random = np.random.default_rng(7)
    return random.uniform(113.75, 114.65, count), random.uniform(22.40, 22.87, count)


@pytest.mark.parametrize(("wgs84", "gcj02", "bd09"), VECTORS)
def test_published_vectors_are_met(
    wgs84: tuple[float, float], gcj02: tuple[float, float], bd09: tuple[float, float]
) -> None:
    found = np.ravel(gcj02_from_wgs84(*wgs84))
    found_bd09 = np.ravel(bd09_from_wgs84(*wgs84))

    assert found == pytest.approx(gcj02, abs=1e-9)
    assert found_bd09 == pytest.approx(bd09, abs=1e-9)


def test_gcj02_round_trip_stays_below_a_micrometre() -> None:
    lon, lat = _shenzhen(20_000)

    back_lon, back_lat = wgs84_from_gcj02(*gcj02_from_wgs84(lon, lat))

    error_m = np.hypot(back_lon - lon, back_lat - lat) * METRES_PER_DEGREE
    assert error_m.max() <= 1e-6


def test_bd09_round_trip_stays_below_a_micrometre() -> None:
    lon, lat = _shenzhen(20_000)

    back_lon, back_lat = gcj02_from_bd09(*bd09_from_gcj02(lon, lat))

    error_m = np.hypot(back_lon - lon, back_lat - lat) * METRES_PER_DEGREE
    assert error_m.max() <= 1e-6


def test_bd09_comes_back_to_wgs84() -> None:
    lon, lat = _shenzhen(1_000)

    back_lon, back_lat = wgs84_from_bd09(*bd09_from_wgs84(lon, lat))

    assert np.abs(back_lon - lon).max() < 1e-10
    assert np.abs(back_lat - lat).max() < 1e-10


def test_shift_in_shenzhen_is_about_six_hundred_metres() -> None:
    lon, lat = _shenzhen(5_000)

    gcj_lon, gcj_lat = gcj02_from_wgs84(lon, lat)

    shift_m = np.hypot((gcj_lon - lon) * np.cos(np.radians(lat)), gcj_lat - lat)
    shift_m *= METRES_PER_DEGREE
    assert 550 < shift_m.min()
    assert shift_m.max() < 630


def test_points_outside_china_are_not_moved() -> None:
    lon, lat = np.array([2.35, -74.0]), np.array([48.85, 40.7])

    moved_lon, moved_lat = gcj02_from_wgs84(lon, lat)

    assert moved_lon.tolist() == lon.tolist()
    assert moved_lat.tolist() == lat.tolist()

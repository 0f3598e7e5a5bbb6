"""Operations to EPSG:4490: which are made, which refused, and what is offered instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from layers.city import CityFrame
from layers.crs import find_operation, share_inside
from layers.crs_candidates import candidates
from layers.errors import UnknownCRS
from layers.extent import BBox

SHENZHEN = CityFrame("Shenzhen", BBox(113.75, 22.40, 114.65, 22.87), 4547, "Asia/Shanghai")
FILE = Path("some.csv")
LON_LAT = np.array([[114.0579, 22.5431]])
EAST_NORTH = np.array([[505955.846174, 2493941.245741]])
"""The same place in EPSG:4547."""


@pytest.mark.parametrize("crs", ["EPSG:4547", "4547", "epsg:4547"])
def test_gauss_kruger_is_brought_to_degrees(crs: str) -> None:
    operation = find_operation(crs, SHENZHEN, FILE)

    assert operation.crs == "EPSG:4547"
    assert operation.accuracy_m == 0
    np.testing.assert_allclose(operation.apply(EAST_NORTH), LON_LAT, atol=1e-9)


def test_a_zone_prefix_is_a_system_of_its_own() -> None:
    operation = find_operation("EPSG:4526", SHENZHEN, FILE)

    prefixed = np.add(EAST_NORTH, [[38_000_000, 0]])
    np.testing.assert_allclose(operation.apply(prefixed), LON_LAT, atol=1e-9)


def test_northing_first_is_said_by_a_suffix() -> None:
    operation = find_operation("EPSG:4547/yx", SHENZHEN, FILE)

    assert operation.swapped
    np.testing.assert_allclose(operation.apply(EAST_NORTH[:, ::-1]), LON_LAT, atol=1e-9)


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4326", "EPSG:4480", "OGC:CRS84"])
def test_cgcs2000_and_wgs84_are_one(crs: str) -> None:
    operation = find_operation(crs, SHENZHEN, FILE)

    np.testing.assert_array_equal(operation.apply(LON_LAT), LON_LAT)
    assert operation.accuracy_m == 0


def test_an_esri_spelling_of_cgcs2000_is_known() -> None:
    wkt = (
        'PROJCS["CGCS2000_3_Degree_GK_CM_114E",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",'
        'DATUM["D_China_2000",SPHEROID["CGCS2000",6378137.0,298.257222101]],'
        'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
        'PROJECTION["Gauss_Kruger"],PARAMETER["False_Easting",500000.0],'
        'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",114.0],'
        'PARAMETER["Scale_Factor",1.0],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
    )

    operation = find_operation(wkt, SHENZHEN, FILE)

    np.testing.assert_allclose(operation.apply(EAST_NORTH), LON_LAT, atol=1e-9)


def test_gcj02_is_shifted_back() -> None:
    operation = find_operation("gcj02", SHENZHEN, FILE)

    shifted = np.array([[114.06301399856547, 22.54038281422246]])
    np.testing.assert_allclose(operation.apply(shifted), LON_LAT, atol=1e-8)


def test_bd09_is_shifted_back() -> None:
    operation = find_operation("BD-09", SHENZHEN, FILE)

    shifted = np.array([[114.06956398703267, 22.546041559073544]])
    np.testing.assert_allclose(operation.apply(shifted), LON_LAT, atol=1e-6)


@pytest.mark.parametrize("crs", ["EPSG:2435", "EPSG:2383", "EPSG:4214", "EPSG:4610", "EPSG:4555"])
def test_old_chinese_datums_are_refused_rather_than_shifted_by_nothing(crs: str) -> None:
    with pytest.raises(UnknownCRS, match="survey office"):
        find_operation(crs, SHENZHEN, FILE)


def test_another_datum_is_brought_with_a_known_accuracy() -> None:
    prague = CityFrame("Praha", BBox(14.2, 49.9, 14.8, 50.2), 5514, "Europe/Prague")

    operation = find_operation("EPSG:5514", prague, FILE)

    assert 0 < operation.accuracy_m <= 10
    assert "S-JTSK" in operation.description


@pytest.mark.parametrize("crs", ["EPSG:999999", "nonsense", "", "EPSG:5737"])
def test_what_is_no_horizontal_system_is_refused(crs: str) -> None:
    with pytest.raises(UnknownCRS):
        find_operation(crs, SHENZHEN, FILE)


def test_candidates_are_those_that_put_numbers_into_the_city() -> None:
    assert candidates(EAST_NORTH, SHENZHEN, FILE)[0].startswith("EPSG:4547 ")
    assert candidates(EAST_NORTH[:, ::-1], SHENZHEN, FILE)[0].startswith("EPSG:4547/yx ")
    zone = np.add(EAST_NORTH, [[38_000_000, 0]])
    assert candidates(zone, SHENZHEN, FILE)[0].startswith("EPSG:4526 ")


def test_degrees_may_be_any_of_three_systems() -> None:
    found = [c.split()[0] for c in candidates(LON_LAT, SHENZHEN, FILE)]

    assert found == ["EPSG:4490", "gcj02", "bd09"]


def test_numbers_of_nowhere_have_no_candidates() -> None:
    assert candidates(np.array([[1e12, -5.0], [np.nan, 0]]), SHENZHEN, FILE) == ()
    assert candidates(np.empty((0, 2)), SHENZHEN, FILE) == ()


def test_positions_that_cannot_be_brought_lie_nowhere() -> None:
    operation = find_operation("EPSG:4547", SHENZHEN, FILE)

    assert share_inside(operation, np.array([[1e30, 1e30], [505955.8, 2493941.2]]), SHENZHEN) == 0.5


def test_a_city_reaches_a_little_beyond_its_extent() -> None:
    places = np.array([[114.0, 22.5], [113.71, 22.5], [113.69, 22.5], [np.inf, 22.5]])

    assert SHENZHEN.holds(places).tolist() == [True, True, False, False]


def test_a_city_may_lie_across_the_antimeridian() -> None:
    city = CityFrame("Fiji", BBox(177.0, -19.0, -179.0, -16.0), 3460, "Pacific/Fiji")

    places = np.array([[178.0, -18.0], [-179.5, -18.0], [0.0, -18.0]])
    assert city.holds(places).tolist() == [True, True, False]

"""Laws of coordinates: back and forth, and zones told from the numbers alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from pyproj.database import get_codes

from layers.city import CityFrame
from layers.crs import SWAPPED, find_operation
from layers.crs_candidates import candidates, sibling
from layers.errors import UnknownCRS
from layers.extent import BBox
from layers.gcj02 import bd09_from_wgs84, gcj02_from_wgs84, wgs84_from_bd09, wgs84_from_gcj02

FILE = Path("some.csv")
METRES_PER_DEGREE = 111_320.0
FORMS = ("3cm", "3zone", "6cm", "6zone")
DATUMS = {
    "CGCS2000": (4534, 4513, 4502, 4491),
    "Xian 1980": (2370, 2349, 2338, 2327),
    "Beijing 1954": (2422, 2401, 21453, 21413),
}

# Positions in China proper, degrees; a city around each of them reaches half a degree.
china_lon = st.floats(76.0, 133.0)
china_lat = st.floats(19.0, 52.0)
shenzhen_lon = st.floats(113.75, 114.65)
shenzhen_lat = st.floats(22.40, 22.87)


def city_around(lon: float, lat: float) -> CityFrame:
    return CityFrame(
        "City", BBox(lon - 0.4, lat - 0.3, lon + 0.4, lat + 0.3), 4547, "Asia/Shanghai"
    )


def code_of(datum: str, form: str, lon: float) -> int:
    """The EPSG code of the zone that a longitude lies in."""
    first = DATUMS[datum][FORMS.index(form)]
    if form.startswith("3"):
        return first + round(lon / 3) - 25
    return first + math.floor(lon / 6) + 1 - 13


def projected(code: int, lon: float, lat: float) -> np.ndarray:
    """The position in a system, as if its datum were CGCS2000, easting first."""
    crs = CRS.from_epsg(code)
    out = Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    return np.array([out.transform(lon, lat)])


@settings(max_examples=40, deadline=None)
@given(china_lon, china_lat, st.sampled_from(FORMS))
def test_a_zone_of_cgcs2000_there_and_back_stays_within_a_tenth_of_a_millimetre(
    lon: float, lat: float, form: str
) -> None:
    code = code_of("CGCS2000", form, lon)

    back = find_operation(f"EPSG:{code}", city_around(lon, lat), FILE).apply(
        projected(code, lon, lat)
    )

    np.testing.assert_allclose(back, [[lon, lat]], atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(china_lon, china_lat, st.sampled_from(FORMS), st.sampled_from(tuple(DATUMS)), st.booleans())
def test_zones_of_every_datum_and_the_order_of_axes_are_told_from_the_numbers(
    lon: float, lat: float, form: str, datum: str, is_swapped: bool
) -> None:
    assume(abs(lon / 3 - round(lon / 3)) < 0.45)
    assume(0.02 < lon / 6 - math.floor(lon / 6) < 0.98)
    code = code_of(datum, form, lon)
    numbers = projected(code, lon, lat)

    found = candidates(numbers[:, ::-1] if is_swapped else numbers, city_around(lon, lat), FILE)

    wanted = f"EPSG:{code}{SWAPPED if is_swapped else ''}"
    named = {text.split(" ")[0]: text for text in found}
    assert wanted in named
    assert ("needs the parameters" in named[wanted]) == (datum != "CGCS2000")


@settings(max_examples=30, deadline=None)
@given(shenzhen_lon, shenzhen_lat, st.booleans(), st.booleans())
def test_another_form_of_the_zone_stated_is_recognised(
    lon: float, lat: float, is_prefixed: bool, is_swapped: bool
) -> None:
    city = CityFrame("Shenzhen", BBox(113.75, 22.40, 114.65, 22.87), 4547, "Asia/Shanghai")
    stated, meant = (4547, 4526) if is_prefixed else (4526, 4547)
    numbers = projected(meant, lon, lat)

    operation = find_operation(f"EPSG:{stated}", city, FILE)
    found = sibling(operation, numbers[:, ::-1] if is_swapped else numbers, city, FILE)

    assert found is not None
    assert found.crs == f"EPSG:{meant}{SWAPPED if is_swapped else ''}"


def test_a_system_that_fits_has_no_other_form() -> None:
    city = city_around(114.0, 22.5)
    operation = find_operation("EPSG:4547", city, FILE)

    assert sibling(operation, projected(4547, 114.0, 22.5), city, FILE) is None
    assert sibling(operation, np.array([[1e9, 1e9]]), city, FILE) is None
    assert sibling(operation, np.empty((0, 2)), city, FILE) is None


def metres(lon: np.ndarray, lat: np.ndarray, at: tuple[float, float]) -> float:
    return float(np.hypot(lon - at[0], lat - at[1]).max() * METRES_PER_DEGREE)


@settings(max_examples=300)
@given(shenzhen_lon, shenzhen_lat)
def test_offsets_of_web_maps_there_and_back_stay_below_a_micrometre(lon: float, lat: float) -> None:
    by_gcj = wgs84_from_gcj02(*gcj02_from_wgs84(lon, lat))
    by_bd = wgs84_from_bd09(*bd09_from_wgs84(lon, lat))

    assert metres(*by_gcj, (lon, lat)) < 1e-6
    assert metres(*by_bd, (lon, lat)) < 1e-6


@pytest.mark.parametrize("code", [2435, 2383, 4214, 4610, 4555, 4795, 2414, 2362, 4774])
def test_no_shift_of_nothing_is_ever_made(code: int) -> None:
    city = CityFrame("Shenzhen", BBox(113.75, 22.40, 114.65, 22.87), 4547, "Asia/Shanghai")

    with pytest.raises(UnknownCRS) as caught:
        find_operation(f"EPSG:{code}", city, FILE)

    assert "operator must supply 3 or 7 parameters, a grid or a plane" in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(get_codes("EPSG", "PROJECTED_CRS"))))
def test_of_any_system_the_operation_is_no_ballpark_and_its_accuracy_is_known(code: str) -> None:
    area = CRS.from_epsg(int(code)).area_of_use
    if area is None or area.west >= area.east:
        return
    box = BBox(area.west, area.south, area.east, area.north)

    try:
        found = find_operation(f"EPSG:{code}", CityFrame("City", box, 3857, "UTC"), FILE)
    except UnknownCRS:
        return

    assert "allpark" not in found.description
    assert 0 <= found.accuracy_m <= 10

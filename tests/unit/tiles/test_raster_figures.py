"""Values at places, along lines and over areas, beside what shapely and numpy say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from pyproj import Geod, Transformer
from rasterio.windows import Window

from layers.errors import InvalidParameter
from layers.rasters import RasterKind
from tests.raster_sources import hills, make_source
from tiles.raster import zonal as zonal_module
from tiles.raster.sampling import profile, values_at
from tiles.raster.source import RasterSource
from tiles.raster.zonal import coverage, zonal

TO_LON_LAT = Transformer.from_crs(4547, 4490, always_xy=True)


def place(column: float, row: float) -> tuple[float, float]:
    """Longitude and latitude of a place in the pixels of a raster of the tests."""
    lon, lat = TO_LON_LAT.transform(505_000 + 10 * column, 2_495_000 - 10 * row)
    return float(lon), float(lat)


@pytest.fixture(scope="module")
def terrain(tmp_path_factory: pytest.TempPathFactory) -> RasterSource:
    """Hills of 12 km with a hole."""
    heights = hills(1200)
    heights[0, 100:110, 100:110] = -9999
    return make_source(tmp_path_factory.mktemp("figures"), heights, nodata=-9999)


def test_the_value_at_a_place_is_that_of_the_pixel_that_holds_it(terrain: RasterSource) -> None:
    with rasterio.open(terrain.path) as dataset:
        pixel = dataset.read(1, window=Window(300, 200, 1, 1))[0, 0]

    assert [float(pixel)] == values_at(terrain, *place(300.9, 200.1), [1])


def test_a_place_without_a_value_has_none_and_one_outside_is_no_place(
    terrain: RasterSource,
) -> None:
    assert [None] == values_at(terrain, *place(105, 105), [1])
    assert values_at(terrain, *place(-1, 5), [1]) is None


def test_values_mean_what_scale_and_offset_say(tmp_path: Path) -> None:
    pixels = np.full((1, 50, 50), 1234, np.int16)
    source = make_source(tmp_path, pixels, scale=0.1)

    (value,) = values_at(source, *place(25, 25), [1]) or [None]
    assert pytest.approx(123.4) == value


def test_a_profile_follows_the_ellipsoid_and_interpolates_heights(terrain: RasterSource) -> None:
    line = np.array([place(200.5, 300.5), place(400.5, 500.5), place(500.5, 500.5)])
    found = profile(terrain, line, band=1, samples=101)

    length = Geod(ellps="GRS80").line_length(line[:, 0], line[:, 1])
    assert found[0].distance_m == 0
    assert pytest.approx(length) == found[-1].distance_m
    heights = hills(1200)[0]
    assert pytest.approx(float(heights[300, 200]), abs=0.01) == found[0].value
    assert pytest.approx(float(heights[500, 500]), abs=0.01) == found[-1].value
    steps = np.diff([one.distance_m for one in found])
    assert steps.max() - steps.min() < 1e-6


def test_a_profile_that_leaves_the_raster_has_no_values_there(terrain: RasterSource) -> None:
    line = np.array([place(-50, 100.5), place(50, 100.5)])
    found = profile(terrain, line, band=1, samples=11)

    assert [None] * 5 == [one.value for one in found[:5]]
    assert found[-1].value is not None


def test_coverage_is_the_exact_part_of_each_pixel() -> None:
    random = np.random.default_rng(3)
    shape = shapely.Polygon(random.uniform(0, 20, (7, 2))).buffer(0)
    window = Window(2, 3, 15, 14)
    columns, rows = np.meshgrid(np.arange(2, 17), np.arange(3, 17))
    boxes = shapely.box(columns, rows, columns + 1, rows + 1)

    exact = shapely.area(shapely.intersection(boxes, shape))
    assert np.allclose(exact, coverage(shape, window), atol=1e-9)


def test_figures_over_an_area_weigh_pixels_by_what_is_covered(terrain: RasterSource) -> None:
    area = shapely.Polygon([place(90.25, 90.5), place(130.5, 92), place(120, 140.75)])
    (found,) = zonal(terrain, area, bands=[1], percentiles=[50], with_classes=False).bands

    heights = hills(1200)[0].astype(np.float64)
    heights[100:110, 100:110] = np.nan
    shape = shapely.Polygon([(90.25, 90.5), (130.5, 92), (120, 140.75)])
    weights = coverage(shape, Window(0, 0, 1200, 1200))
    weights[np.isnan(heights)] = 0
    heights = np.nan_to_num(heights)
    mean = (heights * weights).sum() / weights.sum()
    spread = np.sqrt((weights * (heights - mean) ** 2).sum() / weights.sum())
    assert pytest.approx(weights.sum(), rel=1e-3) == found["count"]
    assert pytest.approx(mean, rel=1e-5) == found["mean"]
    assert pytest.approx(spread, rel=1e-3) == found["std"]
    assert found["min"] <= found["percentiles"]["50"] <= found["max"]


def test_classes_are_counted_each(tmp_path: Path) -> None:
    classes = np.ones((1, 100, 100), np.uint8)
    classes[0, :, 50:] = 7
    source = make_source(tmp_path, classes, kind=RasterKind.OTHER)
    area = shapely.Polygon([place(40, 10), place(60.5, 10), place(60.5, 20), place(40, 20)])
    (found,) = zonal(source, area, bands=[1], percentiles=[50], with_classes=True).bands

    assert [1, 7] == [one["value"] for one in found["classes"]]
    counts = [one["count"] for one in found["classes"]]
    assert [pytest.approx(100, abs=0.1), pytest.approx(105, abs=0.1)] == counts


def test_values_that_are_no_classes_are_refused_as_such(terrain: RasterSource) -> None:
    area = shapely.Polygon([place(0, 0), place(100, 0), place(100, 100)])

    with pytest.raises(InvalidParameter, match="no classes"):
        zonal(terrain, area, bands=[1], percentiles=[50], with_classes=True)


def test_a_large_area_is_read_from_an_overview_and_says_so(
    terrain: RasterSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = terrain.bounds
    area = shapely.box(bounds.west, bounds.south, bounds.east, bounds.north)
    exact = zonal(terrain, area, bands=[1], percentiles=[50], with_classes=False)
    monkeypatch.setattr(zonal_module, "MAX_PIXELS", 500_000)
    rough = zonal(terrain, area, bands=[1], percentiles=[50], with_classes=False)

    assert (1, 2) == (exact.overview, rough.overview)
    assert pytest.approx(exact.bands[0]["mean"], rel=0.01) == rough.bands[0]["mean"]


def test_an_area_outside_has_no_figures(terrain: RasterSource) -> None:
    found = zonal(
        terrain, shapely.box(10, 10, 11, 11), bands=[1], percentiles=[50], with_classes=False
    )

    assert (0.0, None) == (found.bands[0]["count"], found.bands[0]["mean"])

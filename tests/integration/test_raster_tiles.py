"""Rasters over HTTP: tiles, TileJSON, figures; caching, clearance, both times, bad input."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.warp import transform
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.settings import RasterSettings
from layers.access import Clearance
from layers.rasters import RasterKind, raster_history
from layers.roles import Role
from loaders.rasters import RasterOptions, RasterStore, load_raster
from tests.conftest import KeyMaker
from tests.raster_files import write_tif
from tests.raster_sources import hills
from tests.support import City

START = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2024, 1, 1, tzinfo=UTC)
TILE = "14/13383/7139"
PLACE = "lon=114.07&lat=22.54"


@pytest.fixture(scope="module")
def served(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The service over four rasters: open terrain of two years, 16 bits, classes, a hidden one."""
    folder = tmp_path_factory.mktemp("rasters")
    store = RasterStore(folder / "store")
    scene = np.stack([np.full((600, 600), value, np.uint16) for value in (1000, 3000)])
    scene[0, 0, 0], scene[1, 0, 0] = 500, 4000
    classes = np.ones((1, 600, 600), np.uint8)
    classes[0, :, 300:] = 7
    with city.address.connect(Role.LOADER) as connection:
        for name, pixels, kind, clearance, since in (
            ("dem", hills(), None, Clearance.PUBLIC, START),
            ("dem", hills() + 1000, None, None, LATER),
            ("scene", scene, RasterKind.IMAGERY, Clearance.PUBLIC, START),
            ("cover", classes, RasterKind.OTHER, Clearance.PUBLIC, START),
            ("canary", hills() + 4321, None, Clearance.GOVERNMENT, START),
        ):
            file = write_tif(folder / f"{name}{since:%Y}.tif", pixels)
            frame = city.settings.city.frame()
            options = RasterOptions(frame, kind=kind, clearance=clearance, valid_from=since)
            load_raster(connection, store, name, [file], options)
    settings = city.settings.model_copy(
        update={"rasters": RasterSettings(folder=store.folder, max_at_once=3)}
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def image(content: bytes) -> np.ndarray[Any, Any]:
    """The decoded picture."""
    return np.asarray(Image.open(io.BytesIO(content)))


def heights(content: bytes) -> np.ndarray[Any, Any]:
    """Heights of terrain-RGB."""
    planes = image(content).astype(np.float64)
    return -10_000 + (planes[..., 0] * 65_536 + planes[..., 1] * 256 + planes[..., 2]) * 0.1


@pytest.mark.parametrize("extension", ["png", "webp", "jpg"])
def test_a_tile_is_a_picture_with_a_strong_tag(served: TestClient, extension: str) -> None:
    first = served.get(f"/rasters/dem/tiles/{TILE}.{extension}")
    tag = first.headers["etag"]
    again = served.get(f"/rasters/dem/tiles/{TILE}.{extension}", headers={"If-None-Match": tag})

    assert (200, 304) == (first.status_code, again.status_code)
    assert (256, 256) == image(first.content).shape[:2]
    assert first.headers["content-type"] == f"image/{extension.replace('jpg', 'jpeg')}"
    assert "public, max-age=0, s-maxage=2" == first.headers["cache-control"]
    assert not tag.startswith("W/")


def test_outside_of_the_raster_there_is_no_content(served: TestClient) -> None:
    assert served.get("/rasters/dem/tiles/14/0/0.png").status_code == 204


def test_a_tile_is_that_of_the_instant_and_of_what_was_believed(served: TestClient) -> None:
    address = f"/rasters/dem/tiles/{TILE}.png?encoding=terrain-rgb"
    now = heights(served.get(address).content)
    then = heights(served.get(f"{address}&datetime=2022-01-01T00:00:00Z").content)
    before = served.get(f"{address}&datetime=2019-01-01T00:00:00Z")
    unborn = served.get(f"{address}&as_recorded=2020-01-01T00:00:00Z")

    assert pytest.approx(1000, abs=0.2) == float(np.median(now - then))
    assert (404, 404) == (before.status_code, unborn.status_code)


def test_a_raster_has_tiles_by_its_number_and_in_each_grid(served: TestClient) -> None:
    number = served.get("/rasters/dem").json()["id"]
    by_number = served.get(f"/rasters/{number}/tiles/{TILE}.png")
    in_grid = served.get(f"/rasters/dem/tiles/WebMercatorQuad/{TILE}.png")
    national = served.get("/rasters/dem/tiles/CGCS2000Quad/14/13384/3069.png")

    assert by_number.content == in_grid.content
    assert national.status_code == 200
    assert served.get(f"/rasters/dem/tiles/Nowhere/{TILE}.png").status_code == 404


def test_rasters_are_joined_by_commas_up_to_a_bound(served: TestClient) -> None:
    joined = served.get(f"/rasters/cover,dem/tiles/{TILE}.png")

    assert joined.status_code == 200
    assert served.get(f"/rasters/a,b,c,d/tiles/{TILE}.png").status_code == 400
    assert served.get(f"/rasters/dem,dem/tiles/{TILE}.png").status_code == 400


def test_bands_expression_rescale_and_colormap_draw(served: TestClient) -> None:
    expression = "expression=(b2-b1)/(b2%2Bb1)&rescale=0,1"
    half = image(served.get(f"/rasters/scene/tiles/{TILE}.png?{expression}").content)
    colored = served.get(f"/rasters/scene/tiles/{TILE}.png?bands=2&colormap=viridis")
    grey = image(served.get(f"/rasters/scene/tiles/{TILE}.png?rescale=0,2000").content)

    assert 128 == half[128, 128]
    assert 3 <= image(colored.content).shape[2]
    assert 128 == grey[128, 128]


def test_tilejson_says_where_tiles_are_and_how_heights_are_packed(served: TestClient) -> None:
    found = served.get("/rasters/dem/tiles.json?encoding=terrain-rgb").json()

    west, south, east, north = found["bounds"]
    assert 114 < west < east < 114.2
    assert 22.4 < south < north < 22.6
    assert ("mapbox", 14) == (found["encoding"], found["maxzoom"])
    path = found["tiles"][0].replace("{z}/{x}/{y}", TILE)
    assert served.get(path).status_code == 200


def test_a_raster_is_described_with_both_times(served: TestClient) -> None:
    names = [one["name"] for one in served.get("/rasters").json()["rasters"]]
    dem = served.get("/rasters/dem").json()

    assert ["cover", "dem", "scene"] == names
    assert ["2024-01-01T00:00:00Z", None] == dem["valid_during"]
    assert "Polygon" == dem["footprint"]["type"]
    assert {"min", "max"} <= dem["bands"][0].keys()


def test_values_at_a_place_are_those_of_the_file(served: TestClient, city: City) -> None:
    found = served.get(f"/rasters/scene/point?{PLACE}").json()
    outside = served.get("/rasters/scene/point?lon=0&lat=0").json()

    assert [1000, 3000] == [one["value"] for one in found["values"]]
    assert (False, [None, None]) == (
        outside["is_inside"],
        [one["value"] for one in outside["values"]],
    )


def square(size: float = 0.001) -> dict[str, Any]:
    """A square in the rasters, as GeoJSON."""
    x, y = 114.07, 22.54
    ring = [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]
    return {"type": "Polygon", "coordinates": [ring]}


def test_figures_over_areas_are_weighed_and_said_for_each_class(served: TestClient) -> None:
    feature = {"type": "Feature", "properties": {}, "geometry": square()}
    body = {"type": "FeatureCollection", "features": [feature, feature]}
    found = served.post("/rasters/cover/statistics?classes=true", json=body).json()

    first, second = found["areas"]
    (band,) = first["bands"]
    assert first == second
    assert first["is_exact"]
    assert pytest.approx(first["area_m2"] / 100, rel=0.005) == band["count"]
    assert 1 == pytest.approx(sum(one["share"] for one in band["classes"]))


def test_a_profile_has_samples_along_the_line(served: TestClient) -> None:
    line = {"type": "LineString", "coordinates": [[114.07, 22.54], [114.08, 22.55]]}
    found = served.post("/rasters/dem/profile?samples=11", json=line).json()

    distances = [one["distance_m"] for one in found["samples"]]
    assert (11, 0, found["length_m"]) == (len(distances), distances[0], distances[-1])
    assert all(1000 < one["value"] < 1400 for one in found["samples"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/rasters/dem/tiles/{TILE}.png?nonsense=1", 400),
        (f"/rasters/dem/tiles/{TILE}.gif", 404),
        (f"/rasters/dem/tiles/{TILE}.png?bands=9", 400),
        (f"/rasters/dem/tiles/{TILE}.png?bands=b1", 400),
        (f"/rasters/dem/tiles/{TILE}.png?expression=__import__('os').getcwd()", 400),
        (f"/rasters/dem/tiles/{TILE}.png?expression={'b1%2B' * 2000}b1", 400),
        (f"/rasters/dem/tiles/{TILE}.png?rescale=1e99999,2", 400),
        (f"/rasters/dem/tiles/{TILE}.png?rescale=2,1", 400),
        (f"/rasters/dem/tiles/{TILE}.png?colormap=../../etc/passwd", 400),
        (f"/rasters/dem/tiles/{TILE}.png?size=100000", 400),
        (f"/rasters/scene/tiles/{TILE}.png?encoding=terrain-rgb", 400),
        (f"/rasters/dem/tiles/{TILE}.png?datetime=yesterday", 400),
        ("/rasters/dem/tiles/14/99999/1.png", 404),
        (f"/rasters/..%2F..%2Fetc%2Fpasswd/tiles/{TILE}.png", 404),
        (f"/rasters/%2Fvsicurl%2Fhttp:%2F%2Flocalhost/tiles/{TILE}.png", 404),
        (f"/rasters/dem'%20OR%201=1--/tiles/{TILE}.png", 404),
        (f"/rasters/99999999999999999999999/tiles/{TILE}.png", 404),
        ("/rasters/dem%00", 404),
        ("/rasters/dem/point?lon=nan&lat=1", 400),
        ("/rasters/dem/point?lon=114", 400),
    ],
)
def test_what_cannot_be_is_answered_as_a_problem(
    served: TestClient, path: str, status: int
) -> None:
    answer = served.get(path)

    assert status == answer.status_code, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "/store" not in answer.text


@pytest.mark.parametrize(
    ("resource", "body"),
    [
        ("statistics", {"type": "Polygon", "coordinates": "x"}),
        ("statistics", {"type": "Point", "coordinates": [1, 2]}),
        ("statistics", {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0]]]}),
        ("statistics", {"type": "FeatureCollection", "features": [square()] * 51}),
        ("statistics", {"type": "Polygon", "coordinates": [[[0, 0], [999, 1], [0, 1], [0, 0]]]}),
        ("profile", {"type": "LineString", "coordinates": [[1, 2]]}),
        ("profile", {"type": "LineString", "coordinates": [[1, 2], [1, 2]]}),
    ],
)
def test_shapes_that_are_none_are_refused(
    served: TestClient, resource: str, body: dict[str, Any]
) -> None:
    answer = served.post(f"/rasters/dem/{resource}", json=body)

    assert answer.status_code == 400, answer.text


HIDDEN = (
    "", "/tiles.json", f"/tiles/{TILE}.png", f"/tiles/WebMercatorQuad/{TILE}.png",
    f"/tiles/{TILE}.png?encoding=terrain-rgb", f"/point?{PLACE}",
)  # fmt: skip


@pytest.mark.parametrize("path", HIDDEN)
def test_a_hidden_raster_is_answered_as_one_that_is_not_there(
    served: TestClient, headers_of: KeyMaker, path: str
) -> None:
    allowed = served.get(f"/rasters/canary{path}", headers=headers_of(Clearance.GOVERNMENT))
    hidden = served.get(f"/rasters/canary{path}")
    absent = served.get(f"/rasters/absent{path}")

    assert (200, 404, 404) == (allowed.status_code, hidden.status_code, absent.status_code)
    assert allowed.headers["cache-control"].startswith("private")
    assert hidden.json()["detail"] == absent.json()["detail"].replace("absent", "canary")


def test_posts_and_joins_do_not_show_a_hidden_raster_either(served: TestClient) -> None:
    line = {"type": "LineString", "coordinates": [[114.07, 22.54], [114.08, 22.55]]}

    assert served.post("/rasters/canary/profile", json=line).status_code == 404
    assert served.post("/rasters/canary/statistics", json=square()).status_code == 404
    assert served.get(f"/rasters/dem,canary/tiles/{TILE}.png").status_code == 404


def test_pixels_are_those_that_rasterio_reads(served: TestClient, city: City) -> None:
    found = served.get(f"/rasters/dem/point?{PLACE}").json()["values"][0]["value"]
    with city.address.connect(Role.READ_PUBLIC) as connection:
        newest = raster_history(connection, "dem")[0]
    service: Any = served.app
    with rasterio.open(service.state.settings.raster_folder / newest.file_name) as dataset:
        xs, ys = transform("EPSG:4490", dataset.crs, [114.07], [22.54])
        (value,) = next(dataset.sample([(xs[0], ys[0])]))
    assert float(value) == found

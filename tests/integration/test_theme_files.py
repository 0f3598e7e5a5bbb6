"""Real files made by others, and odd ones made here, become themes with all that they hold.

Counts, values and extents are those that GDAL reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas
import mapbox_vector_tile
import morecantile
import numpy as np
import pytest
import shapely
from sqlalchemy import text
from starlette.testclient import TestClient

from geoservice.settings import CitySettings
from geoservice.theme_loading import ThemeLoad, load_theme
from layers.access import Clearance
from layers.base import GeometryType
from layers.errors import SourceError
from layers.roles import Role
from loaders import LoadOptions
from loaders.datasets import ALL_LAYERS
from loaders.themes import ThemeRequest
from tests.conftest import KeyMaker
from tests.support import City
from tests.theme_support import geojson_file, load_file, stations, theme_of

WEB_MERCATOR = morecantile.tms.get("WebMercatorQuad")
WORLD = (-180.0, -85.0, 180.0, 85.0)


@dataclass(frozen=True)
class RealFile:
    """A file, what is said of it, and what is known of it."""

    path: str
    name: str
    geometry_type: GeometryType
    text_column: str
    gdal: dict[str, Any] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)


FILES = (
    RealFile(
        "06_formats/chongqing_shp/区县界_area.shp",
        "counties",
        GeometryType.MULTI_POLYGON,
        "NAME",
        gdal={"encoding": "gbk"},
    ),
    RealFile(
        "03_cadastre/bubenec_buildings_plots_streets.gpkg",
        "bubenec_buildings",
        GeometryType.MULTI_POLYGON,
        "uID",
        gdal={"layer": "buildings"},
        said={"source_layer": "buildings"},
    ),
    RealFile(
        "04_facilities_timeseries/phl_bike_racks.geojson",
        "bike_racks",
        GeometryType.POINT,
        "TYPE",
    ),
    RealFile(
        "01_shenzhen_china/busline.json",
        "bus_lines",
        GeometryType.MULTI_LINE_STRING,
        "name",
    ),
    RealFile("06_formats/shpzip/senate.zip", "senate", GeometryType.MULTI_POLYGON, "SENATOR"),
    RealFile(
        "05_rasters/helsinki_population_grid_2020.gpkg",
        "population",
        GeometryType.MULTI_POLYGON,
        "population",
    ),
)


def load_of(city: City, name: str, path: Path, **said: Any) -> ThemeLoad:
    """Load a file of anywhere in the world."""
    options = LoadOptions(city=CitySettings(extent=WORLD).frame(), **said)
    return load_theme(city.address, ThemeRequest(name), [path], options)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_real_file_becomes_a_theme_with_all_that_it_holds(
    city: City, client: TestClient, headers_of: KeyMaker, shared_data: Path, file: RealFile
) -> None:
    path = shared_data / file.path
    source = f"zip://{path}" if path.suffix == ".zip" else path
    expected = geopandas.read_file(source, **file.gdal).to_crs(4326)

    done = load_of(city, file.name, path, **file.said)
    again = load_of(city, file.name, path, **file.said)

    assert done.report is not None
    assert again.report is not None
    assert (len(expected), 0) == (done.report.new, done.report.rejected)
    assert (0, 0, len(expected)) == (again.report.new, again.report.changed, again.report.unchanged)
    assert file.geometry_type is done.theme.geometry_type
    column = next(a.name for a in done.theme.attributes if a.aliases == (file.text_column,))
    with city.address.connect(Role.READ_RESTRICTED) as connection:
        rows = connection.execute(
            text(
                f'SELECT feature_id, "{column}" AS value, ST_AsBinary(geom) AS wkb FROM {file.name}'
            )
        ).all()
    values = sorted(str(row.value) for row in rows)
    assert sorted(_plain(value) for value in expected[file.text_column]) == values
    shapes = shapely.from_wkb([bytes(row.wkb) for row in rows])
    np.testing.assert_allclose(expected.total_bounds, shapely.total_bounds(shapes), atol=2e-7)
    _is_in_a_tile(
        client, headers_of(Clearance.RESTRICTED), file.name, rows[0].feature_id, shapes[0]
    )


def _plain(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _is_in_a_tile(
    client: TestClient, headers: dict[str, str], name: str, feature_id: int, shape: Any
) -> None:
    place = shapely.point_on_surface(shape)
    tile = WEB_MERCATOR.tile(place.x, place.y, 17)
    answer = client.get(f"/tiles/{name}/{tile.z}/{tile.x}/{tile.y}.mvt", headers=headers)
    features = mapbox_vector_tile.decode(answer.content)[name]["features"]
    assert feature_id in {feature["id"] for feature in features}


def feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """A GeoJSON feature."""
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def square(x: float, y: float, size: float = 0.001, *z: float) -> list[list[list[float]]]:
    """The rings of a square, degrees."""
    corners = ((x, y), (x + size, y), (x + size, y + size), (x, y + size), (x, y))
    return [[[*corner, *z] for corner in corners]]


def test_polygons_with_and_without_parts_are_one_layer(city: City, tmp_path: Path) -> None:
    one, two = square(114.05, 22.55), square(114.06, 22.55)
    path = geojson_file(
        tmp_path / "mixed.geojson",
        [
            feature({"type": "Polygon", "coordinates": one}, 名称="甲"),
            feature({"type": "MultiPolygon", "coordinates": [one, two]}, 名称="乙"),
        ],
    )

    done = load_file(city, "mixed", path)

    assert done.report is not None
    assert (2, 0) == (done.report.new, done.report.rejected)
    assert GeometryType.MULTI_POLYGON is done.theme.geometry_type


def test_elevations_are_kept_and_told_from_those_that_are_missing(
    city: City, client: TestClient, headers_of: KeyMaker, tmp_path: Path
) -> None:
    path = geojson_file(
        tmp_path / "roofs.geojson",
        [
            feature({"type": "Polygon", "coordinates": square(114.05, 22.55, 0.001, 31.5)}, n="a"),
            feature({"type": "Polygon", "coordinates": square(114.06, 22.55)}, n="b"),
        ],
    )

    done = load_file(city, "roofs", path)

    assert GeometryType.MULTI_POLYGON_Z is done.theme.geometry_type
    answer = client.get("/collections/roofs/items", headers=headers_of(Clearance.RESTRICTED))
    found = {f["properties"]["n"]: f for f in answer.json()["features"]}
    assert ("file", "unknown") == tuple(found[n]["properties"]["z_source"] for n in "ab")
    assert 31.5 == found["a"]["geometry"]["coordinates"][0][0][0][2]


def test_of_points_lines_and_areas_most_make_the_layer(city: City, tmp_path: Path) -> None:
    line = {"type": "LineString", "coordinates": [[114.05, 22.55, 2], [114.06, 22.55, 3]]}
    point = {"type": "Point", "coordinates": [114.05, 22.55]}
    rows = [feature(line, n=1), feature(line | {"coordinates": line["coordinates"][::-1]}, n=2)]
    path = geojson_file(tmp_path / "drawing.geojson", [*rows, feature(point, n=3)])

    done = load_file(city, "drawing", path)

    assert done.report is not None
    assert GeometryType.MULTI_LINE_STRING_Z is done.theme.geometry_type
    assert (2, 1) == (done.report.new, done.report.rejected)
    assert any("1 points will be rejected" in note for note in done.notes)


def test_a_file_of_shapes_alone_is_a_theme(city: City, tmp_path: Path) -> None:
    point = {"type": "MultiPoint", "coordinates": [[114.05, 22.55], [114.06, 22.55]]}
    path = geojson_file(tmp_path / "bare.geojson", [feature(point)])

    done = load_file(city, "bare", path)

    assert done.report is not None
    assert 1 == done.report.new
    assert () == theme_of(city, "bare").attributes


def test_names_of_columns_never_become_identifiers(
    city: City, client: TestClient, headers_of: KeyMaker, tmp_path: Path
) -> None:
    hostile = ('x"; DROP TABLE city.loads; --', "[/bold]\x1b[31m", "％s", ":bind", "a" * 300)
    names = (*hostile, "select", "geom", "feature_id", "日本語", "Name")
    odd = {name: f"value {number}" for number, name in enumerate(names)}
    point = {"type": "Point", "coordinates": [114.05, 22.55]}
    path = geojson_file(
        tmp_path / "odd.geojson", [feature(point, **odd, **{"": "lost", "NAME ": "lost"})]
    )

    done = load_file(city, "odd", path)

    answer = client.get("/collections/odd/items", headers=headers_of(Clearance.RESTRICTED)).json()
    properties = answer["features"][0]["properties"]
    assert set(odd.values()) == set(properties.values()) - {None}
    assert 2 == sum("left out" in note for note in done.notes)
    assert all(name.isascii() for name in done.theme.attribute)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "code,name\n1,x\n", "geometry"),
        ("a.csv", "lon,lat,name\n114.05,22.55,x\n", "--crs"),
        ("a.geojson", '{"type":"FeatureCollection","features":[]}', "geometry"),
        ("a.geojson", "{", "a.geojson"),
    ],
)
def test_what_is_no_layer_makes_none(
    city: City, tmp_path: Path, name: str, content: str, reason: str
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")

    with pytest.raises(SourceError, match=reason):
        load_file(city, "nothing", path)


def test_a_gbk_shapefile_in_a_local_system_is_read_as_it_is(city: City, tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame(
        {"编号": ["甲1", "乙2"], "名称": ["深圳站", "福田站"]},
        geometry=geopandas.points_from_xy([505_000.0, 506_000.0], [2_495_000.0, 2_496_000.0]),
        crs="EPSG:4547",
    )
    frame.to_file(tmp_path / "站点.shp", encoding="gbk")

    done = load_file(city, "gbk_stations", tmp_path / "站点.shp", key=("编号",))

    assert done.report is not None
    assert 2 == done.report.new
    with city.address.connect(Role.READ_RESTRICTED) as connection:
        rows = connection.execute(
            text("SELECT name, ST_X(geom) AS lon, ST_Y(geom) AS lat FROM gbk_stations ORDER BY lon")
        ).all()
    assert ["深圳站", "福田站"] == [row.name for row in rows]
    np.testing.assert_allclose(frame.to_crs(4326).geometry.x, [row.lon for row in rows], atol=1e-8)


def test_a_later_file_of_another_city_is_rejected_row_by_row(city: City, tmp_path: Path) -> None:
    rows = [feature({"type": "Point", "coordinates": [r["lon"], r["lat"]]}) for r in stations(2)]
    far = feature({"type": "Point", "coordinates": [2.35, 48.85]})
    load_file(city, "near", geojson_file(tmp_path / "a.geojson", rows))

    report = load_file(city, "near", geojson_file(tmp_path / "b.geojson", [*rows, far])).report

    assert report is not None
    assert {"outside_city": 1} == dict(report.reasons)


def test_of_the_layers_of_a_file_those_of_one_kind_make_the_theme(
    city: City, tmp_path: Path
) -> None:
    path = tmp_path / "several.gpkg"
    points = geopandas.points_from_xy([114.05, 114.06, 114.07], [22.55, 22.55, 22.55])
    area = shapely.box(114.05, 22.55, 114.06, 22.56)
    geopandas.GeoDataFrame({"n": [1, 2, 3]}, geometry=points, crs=4490).to_file(path, layer="p")
    geopandas.GeoDataFrame({"m": ["x"]}, geometry=[area], crs=4490).to_file(path, layer="a")

    done = load_of(city, "several", path, source_layer=ALL_LAYERS)

    assert done.report is not None
    assert (3, 0) == (done.report.new, done.report.rejected)
    assert ["n"] == [attribute.name for attribute in done.theme.attributes]

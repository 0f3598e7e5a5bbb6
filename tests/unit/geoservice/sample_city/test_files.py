"""The other files of a sample city, its counts, its extent and its sameness."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from pyogrio import read_info
from pyogrio.raw import read

from geoservice.sample_city import read_manifest, write_sample_city
from layers.errors import InvalidParameter

WEST, SOUTH, EAST, NORTH = 113.75, 22.44, 114.63, 22.87
NOT_FEATURES = ("terrain", "observations")


def test_features_are_met_exactly(sample_city: Any) -> None:
    rows = [file.rows for file in sample_city.manifest.files if file.layer not in NOT_FEATURES]

    assert sum(rows) == 6_000


def test_manifest_counts_what_the_files_hold(sample_city: Any) -> None:
    counts = {file.path: file.rows for file in sample_city.manifest.files}
    of_layer = {
        name: sum(file.rows for file in sample_city.manifest.of_layer(name))
        for name in ("pipelines", "pipeline_nodes", "parcels", "facilities", "roads")
    }

    assert of_layer["pipelines"] == len(sample_city.lines)
    assert of_layer["pipeline_nodes"] == len(sample_city.points)
    assert of_layer["parcels"] == len(sample_city.parcels["宗地代码"])
    assert of_layer["facilities"] == len(sample_city.facilities)
    assert of_layer["roads"] == len(sample_city.roads)
    for path in ("districts.gpkg", "underground_structures.gpkg"):
        assert counts[path] == read_info(sample_city.directory / path)["features"]


def test_manifest_is_read_back_as_written(sample_city: Any) -> None:
    assert read_manifest(sample_city.directory) == sample_city.manifest


def test_every_file_of_the_manifest_exists(sample_city: Any) -> None:
    for file in sample_city.manifest.files:
        assert (sample_city.directory / file.path).stat().st_size > 0


def test_the_mix_is_lifelike(sample_city: Any) -> None:
    pipes = len(sample_city.points) + len(sample_city.lines)

    assert 0.45 < pipes / 6_000 < 0.75
    assert 0.18 < len(sample_city.parcels["宗地代码"]) / 6_000 < 0.35
    assert 0.05 < len(sample_city.facilities) / 6_000 < 0.10


@pytest.mark.parametrize("features", [1_000, 2_500])
def test_small_cities_meet_their_number_too(tmp_path: Path, features: int) -> None:
    manifest = write_sample_city(tmp_path, features=features, seed=3)

    rows = [file.rows for file in manifest.files if file.layer not in NOT_FEATURES]
    assert sum(rows) == features


def test_the_same_seed_gives_the_same_bytes(sample_city: Any, tmp_path: Path) -> None:
    write_sample_city(tmp_path, features=6_000, seed=11)

    paths = sorted(path.name for path in sample_city.directory.iterdir())
    assert paths == sorted(path.name for path in tmp_path.iterdir())
    for path in paths:
        assert (tmp_path / path).read_bytes() == (sample_city.directory / path).read_bytes(), path


def test_another_seed_gives_another_city(sample_city: Any, tmp_path: Path) -> None:
    write_sample_city(tmp_path, features=6_000, seed=12)

    other = (tmp_path / "roads.geojson").read_bytes()
    assert other != (sample_city.directory / "roads.geojson").read_bytes()


@pytest.mark.parametrize("features", [0, 499, 20_000_001])
def test_a_number_out_of_range_is_refused(tmp_path: Path, features: int) -> None:
    with pytest.raises(InvalidParameter):
        write_sample_city(tmp_path, features=features, seed=1)


def test_progress_ends_at_the_rows_written(tmp_path: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}

    manifest = write_sample_city(
        tmp_path, features=1_000, seed=3, progress=lambda *step: seen.update({step[0]: step[1:]})
    )

    parcels = sum(file.rows for file in manifest.of_layer("parcels"))
    assert seen["parcels"] == (parcels, parcels)
    assert all(done == total for done, total in seen.values())


def test_districts_tile_the_city(sample_city: Any) -> None:
    meta, _, geometry, columns = read(sample_city.directory / "districts.gpkg")
    table = dict(zip(meta["fields"], columns, strict=True))
    shapes = shapely.from_wkb(geometry)
    area = {
        level: shapely.area(shapes[table["级别"] == level]).sum() for level in ("市", "区", "街道")
    }

    assert (table["级别"] == "区").sum() == 10
    assert area["区"] == pytest.approx(area["市"], rel=1e-7)
    assert area["街道"] == pytest.approx(area["市"], rel=1e-7)
    for code, parent in zip(table["行政区划代码"], table["上级代码"], strict=True):
        assert len(code) in (6, 9)
        assert parent == {9: code[:6], 6: "" if code == "440300" else "440300"}[len(code)]


def test_roads_have_all_properties_and_lie_in_the_extent(sample_city: Any) -> None:
    codes = [road["properties"]["code"] for road in sample_city.roads]
    places = np.array([road["geometry"]["coordinates"] for road in sample_city.roads])

    assert len(set(codes)) == len(codes)
    assert {tuple(road["properties"]) for road in sample_city.roads} == {
        ("code", "name", "road_class", "width_m", "lanes", "oneway")
    }
    assert WEST <= places[..., 0].min()
    assert places[..., 0].max() <= EAST
    assert SOUTH <= places[..., 1].min()
    assert places[..., 1].max() <= NORTH


def test_structures_lie_under_the_ground(sample_city: Any) -> None:
    meta, _, _, columns = read(sample_city.directory / "underground_structures.gpkg")
    table = dict(zip(meta["fields"], columns, strict=True))

    assert list(table) == ["编号", "类型", "名称", "线路", "顶标高", "底标高"]
    assert set(table["类型"]) <= {"DT", "DTZ", "ZH"}
    assert (table["顶标高"] > table["底标高"]).all()


def test_terrain_agrees_with_the_surveyed_ground(sample_city: Any) -> None:
    rows = list(sample_city.points.values())[:200]

    with rasterio.open(sample_city.directory / "terrain.tif") as raster:
        places = [(float(row["Y"]), float(row["X"])) for row in rows]
        heights = [value[0] for value in raster.sample(places)]
        assert raster.crs.to_epsg() == 4547
        assert raster.dtypes == ("float32",)
    errors = [abs(h - float(row["地面高程"])) for h, row in zip(heights, rows, strict=True)]
    assert max(errors) < 5.0


def test_manifest_is_plain_json(sample_city: Any) -> None:
    content = json.loads((sample_city.directory / "manifest.json").read_text(encoding="utf-8"))

    assert content["seed"] == 11
    assert content["features"] == 6_000
    assert content["files"][0]["path"] == "districts.gpkg"

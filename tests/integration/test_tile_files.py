"""Many tiles: exported to files that others open, seeded, and one looked into."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import mapbox_vector_tile
import morecantile
import pytest
from pmtiles.reader import MmapSource, Reader, all_tiles
from pyogrio.raw import read as gdal_read
from starlette.testclient import TestClient

from geoservice.settings import Settings
from geoservice.tile_files.export import export_tiles
from geoservice.tile_files.request import TilesRequest
from layers.access import Clearance
from layers.errors import InvalidParameter, UnknownLayer
from layers.extent import BBox
from tests.support import City, facility, parcel

BOX = BBox(114.0, 22.5, 114.3, 22.7)
NOW = datetime(2024, 1, 1, tzinfo=UTC)
Y2010 = datetime(2010, 1, 1, tzinfo=UTC)

Tiles = dict[tuple[int, int, int], bytes]


@pytest.fixture(scope="module", autouse=True)
def features(city: City) -> None:
    """Parcels here and there, one of them hidden, and a facility outside of the box."""
    rows = [parcel(f"P{n}", 114.02 + n % 5 * 0.05, 22.52 + n // 5 * 0.04) for n in range(15)]
    rows[3] |= {"land_use": "07"}
    rows[4] |= {"clearance": Clearance.RESTRICTED, "land_use": "05"}
    city.publish("parcels", rows, valid_from=Y2010)
    city.publish("facilities", [facility("F1", 114.5, 22.8)], valid_from=Y2010)


REQUEST = TilesRequest(
    ("parcels", "facilities"), Clearance.PUBLIC, BOX, NOW, minzoom=13, maxzoom=15
)


def tiles_of(path: Path) -> Tiles:
    """All tiles of a file, unzipped."""
    if path.suffix == ".pmtiles":
        with path.open("rb") as file:
            found = list(all_tiles(MmapSource(file)))  # type: ignore[no-untyped-call]  # it is untyped
        return {address: gzip.decompress(zipped) for address, zipped in found}
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT * FROM tiles").fetchall()
    return {(z, x, 2**z - 1 - row): gzip.decompress(zipped) for z, x, row, zipped in rows}


@pytest.fixture(scope="module")
def exported(city: City, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same tiles as both kinds of file."""
    folder = tmp_path_factory.mktemp("tiles")
    for suffix in ("pmtiles", "mbtiles"):
        export_tiles(city.settings, REQUEST, folder / f"city.{suffix}")
    return folder


@pytest.mark.parametrize("suffix", ["pmtiles", "mbtiles"])
def test_a_file_holds_the_tiles_of_the_service(
    client: TestClient, exported: Path, suffix: str
) -> None:
    tiles = tiles_of(exported / f"city.{suffix}")

    assert {13, 14, 15} == {z for z, _, _ in tiles}
    for z, x, y in list(tiles)[::7]:
        path = f"/tiles/parcels,facilities/{z}/{x}/{y}.mvt"
        response = client.get(path, params={"datetime": "2024-01-01T00:00:00Z"})
        assert response.content == tiles[z, x, y]


def test_a_file_holds_every_feature_of_its_area_and_none_other(exported: Path) -> None:
    tiles = tiles_of(exported / "city.pmtiles")

    for zoom in (13, 14, 15):
        decoded = [mapbox_vector_tile.decode(c) for (z, _, _), c in tiles.items() if z == zoom]
        codes = {f["properties"]["code"] for tile in decoded for f in tile["parcels"]["features"]}
        assert {f"P{n}" for n in range(15) if n != 4} == codes
        assert not any("facilities" in tile for tile in decoded)


@pytest.mark.parametrize("suffix", ["pmtiles", "mbtiles"])
def test_gdal_opens_the_file_and_finds_the_features(exported: Path, suffix: str) -> None:
    meta, _, geometries, columns = gdal_read(exported / f"city.{suffix}", layer="parcels")

    codes = columns[list(meta["fields"]).index("code")]
    assert {f"P{n}" for n in range(15) if n != 4} == set(codes)
    assert "EPSG:3857" == meta["crs"]
    assert all(geometry is not None for geometry in geometries)


def test_a_file_says_what_it_is_of(exported: Path) -> None:
    with (exported / "city.pmtiles").open("rb") as file:
        reader = Reader(MmapSource(file))  # type: ignore[no-untyped-call]  # it is untyped
        header = reader.header()  # type: ignore[no-untyped-call]  # the same
        metadata = reader.metadata()  # type: ignore[no-untyped-call]  # the same

    assert (13, 15) == (header["min_zoom"], header["max_zoom"])
    assert (1_140_000_000, 227_000_000) == (header["min_lon_e7"], header["max_lat_e7"])
    assert ["parcels", "parcels-labels", "facilities"] == [
        one["id"] for one in metadata["vector_layers"]
    ]
    assert ("public", NOW.isoformat()) == (
        metadata["geoservice_clearance"],
        metadata["geoservice_datetime"],
    )


def test_a_file_is_of_its_level_its_filter_and_its_instant(city: City, tmp_path: Path) -> None:
    request = replace(REQUEST, layers=("parcels",), maxzoom=13, properties_text="code")
    asked = {
        "restricted": replace(
            request, level=Clearance.RESTRICTED, filter_text="land_use IN ('05', '07')"
        ),
        "public": replace(request, filter_text="land_use IN ('05', '07')"),
    }

    codes = {}
    for name, one in asked.items():
        file = tmp_path / f"{name}.pmtiles"
        export_tiles(city.settings, one, file)
        decoded = [mapbox_vector_tile.decode(content) for content in tiles_of(file).values()]
        codes[name] = [f["properties"] for tile in decoded for f in tile["parcels"]["features"]]

    assert all(["code"] == list(one) for one in codes["public"])
    assert {"P3"} == {one["code"] for one in codes["public"]}
    assert {"P3", "P4"} == {one["code"] for one in codes["restricted"]}
    before = replace(request, at=datetime(2001, 1, 1, tzinfo=UTC))
    with pytest.raises(InvalidParameter, match="no tile"):
        export_tiles(city.settings, before, tmp_path / "before.pmtiles")
    assert {"public.pmtiles", "restricted.pmtiles"} == {one.name for one in tmp_path.iterdir()}


def test_several_processes_write_the_same_file(city: City, exported: Path, tmp_path: Path) -> None:
    file = tmp_path / "city.pmtiles"

    export_tiles(city.settings, REQUEST, file, processes=2)

    assert (exported / "city.pmtiles").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"layers": ("nothing",)}, UnknownLayer),
        ({"layers": ("pipelines",)}, UnknownLayer),
        ({"grid": "WorldCRS84Quad"}, InvalidParameter),
        ({"minzoom": 16}, InvalidParameter),
        ({"maxzoom": 99}, InvalidParameter),
        ({"filter_text": "holder = 'x'"}, InvalidParameter),
        ({"properties_text": "holder"}, InvalidParameter),
    ],
)
def test_what_cannot_be_exported_is_refused_before_a_file_is_made(
    city: City, tmp_path: Path, changes: dict[str, object], error: type[Exception]
) -> None:
    request = replace(REQUEST, **changes)  # type: ignore[arg-type]  # of many types

    with pytest.raises(error):
        export_tiles(city.settings, request, tmp_path / "city.pmtiles")

    assert [] == list(tmp_path.iterdir())


def test_more_tiles_than_allowed_are_not_looked_at(city: City, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="max-tiles"):
        export_tiles(city.settings, REQUEST, tmp_path / "city.mbtiles", max_tiles=20)

    assert [] == list(tmp_path.iterdir())


def command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``geoservice tiles``."""
    return subprocess.run(
        [sys.executable, "-m", "geoservice", "tiles", *arguments],
        env=os.environ
        | {
            "GEOSERVICE_DATABASE__FOLDER": str(settings.database.folder),
            "GEOSERVICE_DATABASE__NAME": settings.database.name,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_writes_a_file(city: City, tmp_path: Path) -> None:
    file = tmp_path / "p.mbtiles"

    done = command(
        city.settings, "export", "parcels", str(file), "--zooms", "13-14", "--bbox",
        "114,22.5,114.3,22.7", "--datetime", "2024-01-01",
    )  # fmt: skip

    assert 0 == done.returncode, done.stderr
    assert f"{len(tiles_of(file))} tiles" in done.stdout


def test_the_command_tells_what_a_tile_holds(city: City) -> None:
    x, y, z = morecantile.tms.get("WebMercatorQuad").tile(114.0205, 22.5205, 14)

    as_table = command(city.settings, "inspect", "parcels", f"{z}/{x}/{y}")
    as_json = command(city.settings, "inspect", "parcels", f"{z}/{x}/{y}", "--json")

    layer = json.loads(as_json.stdout)["layers"][0]
    code = layer["features"][0]["properties"]["code"]
    assert code in as_table.stdout
    assert "Polygon" in as_table.stdout


def test_seeded_tiles_are_in_the_cache_of_the_service(city: City, client: TestClient) -> None:
    grid = "CGCS2000Quad"
    cache = client.app.state.tiles._keeper.cache  # type: ignore[attr-defined]  # of Starlette

    done = command(
        city.settings, "seed", "parcels", "--zooms", "13-14", "--bbox", "114,22.5,114.3,22.7",
        "--grid", grid, "--processes", "2",
    )  # fmt: skip

    seeded = int(done.stdout.partition(" tiles")[0])
    cached = [key for key, tile in cache.tiles() if key.grid.name == grid and key.z in (13, 14)]
    assert seeded > 10
    assert seeded <= len(cached)

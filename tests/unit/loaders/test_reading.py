"""Files of all formats read through the bounded process: whole, or refused with a sentence."""

from __future__ import annotations

import json
import shutil
import sqlite3
import struct
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import pytest
import shapely

from layers.errors import MissingColumn, UnreadableSource
from loaders.options import ReadLimits
from tests.unit.loaders.conftest import Reader


def write(path: Path, driver: str, *, count: int = 3, name: str = "name", **options: str) -> Path:
    """Points around the city, EPSG:4490, with one text column."""
    points = shapely.points(np.linspace(114, 114.1, count), np.full(count, 22.5))
    table = pa.table({name: [f"设施{n}" for n in range(count)], "geometry": shapely.to_wkb(points)})
    pyogrio.write_arrow(
        table,
        path,
        driver=driver,
        geometry_name="geometry",
        geometry_type="Point",
        crs=options.pop("crs", "EPSG:4490"),
        **options,
    )
    return path


@pytest.mark.parametrize(
    ("file", "driver"),
    [
        ("a.gpkg", "GPKG"),
        ("a.shp", "ESRI Shapefile"),
        ("a.geojson", "GeoJSON"),
        ("a.json", "GeoJSON"),
        ("a.kml", "LIBKML"),
    ],
)
def test_every_format_is_read(tmp_path: Path, read_rows: Reader, file: str, driver: str) -> None:
    crs = "EPSG:4326" if driver == "LIBKML" else "EPSG:4490"
    path = write(tmp_path / file, driver, crs=crs)

    outcome = read_rows("facilities", path)

    assert outcome.values("name") == ["设施0", "设施1", "设施2"]
    assert outcome.geometries[0].equals_exact(shapely.Point(114, 22.5), 1e-9)
    assert list(outcome.reports[0].sha256)[-1].startswith("a.")


def test_a_gbk_shapefile_without_a_cpg_is_read_and_reported(
    tmp_path: Path, read_rows: Reader
) -> None:
    path = write(tmp_path / "a.shp", "ESRI Shapefile", name="名称", encoding="GBK")
    (tmp_path / "a.cpg").unlink()
    data = bytearray((tmp_path / "a.dbf").read_bytes())
    data[29] = 0  # the language driver
    (tmp_path / "a.dbf").write_bytes(data)

    outcome = read_rows("facilities", path)

    assert outcome.values("name") == ["设施0", "设施1", "设施2"]
    assert outcome.reports[0].encoding == "gb18030 (reads all texts)"


def test_a_missing_index_is_restored_and_never_beside_the_file(
    tmp_path: Path, read_rows: Reader
) -> None:
    path = write(tmp_path / "a.shp", "ESRI Shapefile")
    (tmp_path / "a.shx").unlink()

    outcome = read_rows("facilities", path)

    assert outcome.read == 3
    assert "restored" in outcome.reports[0].notes[0]
    assert not (tmp_path / "a.shx").exists()


def test_extensions_may_have_any_case(tmp_path: Path, read_rows: Reader) -> None:
    write(tmp_path / "a.shp", "ESRI Shapefile")
    for part in list(tmp_path.glob("a.*")):
        part.rename(part.with_name("A" + part.suffix.upper()))

    assert read_rows("facilities", tmp_path / "A.SHP").read == 3


def test_a_zipped_shapefile_is_read(tmp_path: Path, read_rows: Reader) -> None:
    write(tmp_path / "a.shp", "ESRI Shapefile")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for part in tmp_path.glob("a.*"):
            if part.suffix != ".zip":
                archive.write(part, f"成果/{part.name}")

    outcome = read_rows("facilities", tmp_path / "a.zip")

    assert outcome.read == 3
    assert list(outcome.reports[0].sha256) == ["a.zip"]


def test_data_sets_of_a_zip_that_fit_are_one_load_and_the_others_are_named(
    tmp_path: Path, read_rows: Reader
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("东/one.csv", "name,lon,lat\n一,114.0,22.5\n")
        archive.writestr("西/two.csv", "name,lon,lat\n二,114.1,22.6\n")
        archive.writestr("readme.csv", "title\nnothing\n")

    outcome = read_rows("facilities", tmp_path / "a.zip", crs="EPSG:4490")

    assert ["一", "二"] == outcome.values("name")
    assert ["a.zip/东/one.csv", "a.zip/西/two.csv"] == [r.name for r in outcome.reports]
    assert ("not read, because it does not fit: a.zip/readme.csv",) == outcome.reports[0].notes


def test_a_zip_of_which_nothing_fits_is_refused_with_its_names(
    tmp_path: Path, read_rows: Reader
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one.csv", "a")
        archive.writestr("two.csv", "a")

    with pytest.raises(UnreadableSource, match=r"one\.csv, a\.zip/two\.csv"):
        read_rows("facilities", tmp_path / "a.zip")


def test_a_layer_must_be_named_where_there_are_several(tmp_path: Path, read_rows: Reader) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG", layer="one")
    write(path, "GPKG", layer="two", count=1)

    with pytest.raises(UnreadableSource, match="one, two"):
        read_rows("facilities", path)
    assert read_rows("facilities", path, source_layer="two").read == 1
    with pytest.raises(UnreadableSource, match="no layer 'three'"):
        read_rows("facilities", path, source_layer="three")


def test_several_files_are_one_load_with_rows_counted_on(tmp_path: Path, read_rows: Reader) -> None:
    first = write(tmp_path / "a.gpkg", "GPKG")
    second = write(tmp_path / "b.shp", "ESRI Shapefile")

    outcome = read_rows("facilities", first, second)

    assert outcome.values("row_number") == [1, 2, 3, 4, 5, 6]
    assert [report.rows for report in outcome.reports] == [3, 3]


@pytest.mark.parametrize(
    ("file", "driver"), [("a.shp", "ESRI Shapefile"), ("a.gpkg", "GPKG"), ("a.geojson", "GeoJSON")]
)
def test_a_file_cut_short_is_refused(
    tmp_path: Path, read_rows: Reader, file: str, driver: str
) -> None:
    path = write(tmp_path / file, driver, count=2000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])

    with pytest.raises(UnreadableSource):
        read_rows("facilities", path)


def test_an_attribute_table_cut_short_is_refused(tmp_path: Path, read_rows: Reader) -> None:
    path = write(tmp_path / "a.shp", "ESRI Shapefile")
    table = tmp_path / "a.dbf"
    table.write_bytes(table.read_bytes()[:-100])

    with pytest.raises(UnreadableSource, match=r"\.dbf is cut short"):
        read_rows("facilities", path)


def test_a_shapefile_needs_its_attributes(tmp_path: Path, read_rows: Reader) -> None:
    path = write(tmp_path / "a.shp", "ESRI Shapefile")
    (tmp_path / "a.dbf").unlink()

    with pytest.raises(UnreadableSource, match=r"\.dbf"):
        read_rows("facilities", path)


@pytest.mark.parametrize("file", ["a.gpkg", "a.shp", "a.geojson", "a.kml", "a.zip"])
def test_noise_is_refused(tmp_path: Path, read_rows: Reader, file: str) -> None:
    path = tmp_path / file
    path.write_bytes(b"\x00\xffnoise" * 1000)
    shutil.copy(path, tmp_path / "a.dbf")

    with pytest.raises(UnreadableSource):
        read_rows("facilities", path)


def test_an_extension_decides_and_nothing_else(tmp_path: Path, read_rows: Reader) -> None:
    vrt = '<OGRVRTDataSource><OGRVRTLayer name="x"/></OGRVRTDataSource>'
    path = tmp_path / "a.geojson"
    path.write_text(vrt)

    with pytest.raises(UnreadableSource):
        read_rows("facilities", path)
    with pytest.raises(UnreadableSource, match="not read here"):
        read_rows("facilities", path.rename(tmp_path / "a.vrt"))


def test_nothing_is_written_beside_a_geopackage(tmp_path: Path, read_rows: Reader) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG")
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = WAL")
    database.close()
    before = set(tmp_path.iterdir())

    read_rows("facilities", path)

    assert set(tmp_path.iterdir()) - before <= {tmp_path / "private"}


def test_a_geopackage_that_is_being_written_is_refused(tmp_path: Path, read_rows: Reader) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG")
    (tmp_path / "a.gpkg-wal").write_bytes(b"pages")

    with pytest.raises(UnreadableSource, match="-wal"):
        read_rows("facilities", path)


def test_json_nested_without_end_is_refused(tmp_path: Path, read_rows: Reader) -> None:
    path = tmp_path / "a.geojson"
    path.write_text('{"type":"FeatureCollection","features":' + "[" * 1_000_000)

    with pytest.raises(UnreadableSource):
        read_rows("facilities", path)


def test_geometry_nested_without_end_is_rejected(tmp_path: Path, read_rows: Reader) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG", count=2)
    nested = b"\x01\x07\x00\x00\x00\x01\x00\x00\x00" * 300_000
    with sqlite3.connect(path) as database:
        header = database.execute("SELECT geom FROM a WHERE fid = 1").fetchone()[0][:8]
        database.execute("DROP TRIGGER IF EXISTS rtree_a_geom_update6")
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE a SET geom = ? WHERE fid = 1", (header + nested,))
    database.close()

    outcome = None
    with suppress(UnreadableSource):
        outcome = read_rows("facilities", path)

    if outcome is not None:
        assert outcome.reasons["invalid_geometry"] + outcome.reasons["no_geometry"] == 1


def test_a_reader_that_needs_too_much_memory_is_stopped(tmp_path: Path, read_rows: Reader) -> None:
    path = tmp_path / "a.geojson"
    feature = {
        "type": "Feature",
        "properties": {"name": "x" * 200_000_000},
        "geometry": {"type": "Point", "coordinates": [114, 22.5]},
    }
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))

    with pytest.raises(UnreadableSource):
        read_rows("facilities", path, limits=replace(ReadLimits(), memory_bytes=400 * 1024**2))


def test_a_reader_that_takes_too_long_is_stopped(tmp_path: Path, read_rows: Reader) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG")

    with pytest.raises(UnreadableSource, match="took longer"):
        read_rows("facilities", path, limits=replace(ReadLimits(), timeout_s=0))


def test_a_message_names_no_folder(tmp_path: Path, read_rows: Reader) -> None:
    path = tmp_path / "a.kml"
    path.write_text("<kml><unclosed></kml>")

    with pytest.raises(UnreadableSource) as caught:
        read_rows("facilities", path)
    assert str(tmp_path) not in str(caught.value)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path, read_rows: Reader) -> None:
    with pytest.raises(UnreadableSource, match="no such file"):
        read_rows("facilities", tmp_path / "a.gpkg")


def test_too_many_columns_are_refused(tmp_path: Path, read_rows: Reader) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",".join(f"c{n}" for n in range(20)) + "\n")

    with pytest.raises(UnreadableSource, match="20 columns"):
        read_rows("facilities", path, limits=replace(ReadLimits(), max_fields=10))


def test_a_table_without_positions_is_refused(tmp_path: Path, read_rows: Reader) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name\nx\n")

    with pytest.raises(MissingColumn):
        read_rows("facilities", path, crs="EPSG:4490")


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-8", "深圳市规划"), ("gb18030", "a深圳市规划和")]
)
def test_of_a_text_cut_in_mid_character_the_rest_is_read(
    tmp_path: Path, read_rows: Reader, encoding: str, name: str
) -> None:
    path = write(tmp_path / "a.shp", "ESRI Shapefile", encoding=encoding)
    path.with_suffix(".cpg").unlink(missing_ok=True)
    dbf = path.with_suffix(".dbf")
    table = bytearray(dbf.read_bytes())
    table[29] = 0  # no language driver: the bytes decide
    header, width = struct.unpack("<HH", table[8:12])
    half = "资".encode(encoding)[:-1]
    text = name.encode(encoding)
    text += b" " * (width - 1 - len(text) - len(half)) + half
    table[header + 1 : header + width] = text
    dbf.write_bytes(table)

    outcome = read_rows("facilities", path)

    first, *others = outcome.values("name")
    assert name == first.strip()
    assert ["设施1", "设施2"] == others
    assert "cut in mid-character" in (outcome.reports[0].encoding or "")

"""Files made to harm, or as if they were: a sentence or a rejected row, nothing else."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyogrio
import pytest
import shapely

from layers.errors import UnreadableSource
from loaders.datasets import prepare
from loaders.options import LoadOptions, ReadLimits
from loaders.reader import read
from tests.unit.loaders.conftest import SHENZHEN, Reader

SQUARES = [shapely.box(114 + n * 0.001, 22.5, 114.0005 + n * 0.001, 22.5005) for n in range(4)]


def geopackage(path: Path, *statements: tuple[str, Sequence[object]]) -> Path:
    """Four parcels in a layer ``p``, then changed by SQL behind GDAL's back."""
    codes = [f"G{n}" for n in range(len(SQUARES))]
    table = pa.table({"code": codes, "geom": shapely.to_wkb(SQUARES)})
    pyogrio.write_arrow(
        table,
        path,
        layer="p",
        driver="GPKG",
        geometry_name="geom",
        geometry_type="Unknown",
        crs="EPSG:4490",
    )
    connection = sqlite3.connect(path)
    triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    for (trigger,) in connection.execute(triggers).fetchall():
        connection.execute(f'DROP TRIGGER "{trigger}"')
    for statement, values in statements:
        connection.execute(statement, values)
    connection.commit()
    connection.close()
    return path


def blob(wkb: bytes) -> bytes:
    """A geometry as a GeoPackage holds it, EPSG:4490, without an envelope."""
    return b"GP\x00\x01" + struct.pack("<i", 4490) + wkb


def square_file(path: Path, code: str = "A") -> Path:
    """A GeoJSON file of one parcel."""
    geometry = json.loads(shapely.to_geojson(SQUARES[0]))
    feature = {"type": "Feature", "properties": {"code": code}, "geometry": geometry}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


# A circle around (114.001, 22.5) of two arcs, as line, as area and as area of several parts.
CIRCLE = struct.pack("<BII", 1, 8, 5) + struct.pack(
    "<10d", 114.0, 22.5, 114.001, 22.501, 114.002, 22.5, 114.001, 22.499, 114.0, 22.5
)
DISC = struct.pack("<BII", 1, 10, 1) + CIRCLE
DISCS = struct.pack("<BII", 1, 12, 1) + DISC
MESH = struct.pack("<BII", 1, 16, 0)


def test_curves_are_made_straight_and_counted(tmp_path: Path, read_rows: Reader) -> None:
    change = "UPDATE p SET geom = ? WHERE fid = ?"
    path = geopackage(tmp_path / "a.gpkg", (change, (blob(DISC), 1)), (change, (blob(DISCS), 3)))

    outcome = read_rows("parcels", path)

    assert ["G0", "G1", "G2", "G3"] == outcome.values("code")
    disc = shapely.Point(114.001, 22.5).buffer(0.001, quad_segs=90)
    for at in (0, 2):
        assert 1e-4 > shapely.symmetric_difference(outcome.geometries[at], disc).area / disc.area
    (note,) = outcome.reports[0].notes
    assert note.startswith("2 curved geometries were made straight")


def test_a_mesh_of_surfaces_has_no_straight_form(tmp_path: Path, read_rows: Reader) -> None:
    path = geopackage(tmp_path / "a.gpkg", ("UPDATE p SET geom = ? WHERE fid = 1", [blob(MESH)]))

    outcome = read_rows("parcels", path)

    assert {"curved_geometry": 1} == outcome.reasons
    assert () == outcome.reports[0].notes


def test_a_text_that_is_not_utf8_rejects_its_row_only(tmp_path: Path, read_rows: Reader) -> None:
    change = ("UPDATE p SET code = CAST(x'fffe61' AS text) WHERE fid = 2", ())
    path = geopackage(tmp_path / "a.gpkg", change)

    outcome = read_rows("parcels", path)

    assert ["G0", "G2", "G3"] == outcome.values("code")
    assert ["malformed_row: code is not UTF-8"] == [r.reasons[0] for r in outcome.rejected]


VIEW = """CREATE VIEW p AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r {})
    SELECT n AS fid, (SELECT geom FROM q WHERE fid = 1) AS geom, 'c' || n AS code FROM r"""


@pytest.mark.parametrize(
    ("rows", "words"),
    [("WHERE n < 300000", "far more than it has itself"), ("", "took longer")],
    ids=["many", "endless"],
)
def test_a_view_that_makes_rows_is_stopped(
    tmp_path: Path, read_rows: Reader, rows: str, words: str
) -> None:
    rename, view = "ALTER TABLE p RENAME TO q", VIEW.format(rows)
    path = geopackage(tmp_path / "a.gpkg", (rename, ()), (view, ()))
    limits = ReadLimits(max_unpacked_bytes=1_000_000, max_ratio=50, timeout_s=5)

    with pytest.raises(UnreadableSource, match=words):
        read_rows("parcels", path, limits=limits, source_layer="p")


def test_a_view_cannot_load_a_library(tmp_path: Path, read_rows: Reader) -> None:
    view = "CREATE VIEW p AS SELECT * FROM q WHERE load_extension('/tmp/x') IS NOT NULL"
    path = geopackage(tmp_path / "a.gpkg", ("ALTER TABLE p RENAME TO q", ()), (view, ()))

    with pytest.raises(UnreadableSource, match="load_extension"):
        read_rows("parcels", path, source_layer="p")


@pytest.mark.parametrize("name", ["a!b.geojson", "line\nend.geojson", "[red].geojson"])
def test_an_odd_name_is_a_name(tmp_path: Path, read_rows: Reader, name: str) -> None:
    outcome = read_rows("parcels", square_file(tmp_path / name))

    assert ["A"] == outcome.values("code")
    assert name == outcome.reports[0].name


def test_a_name_that_is_not_utf8_is_a_name(tmp_path: Path, read_rows: Reader) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xfe.geojson")

    assert ["A"] == read_rows("parcels", square_file(path)).values("code")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<OGRVRTDataSource><OGRVRTLayer name='x'><SrcDataSource>/etc/passwd</SrcDataSource>"
        "</OGRVRTLayer></OGRVRTDataSource>",
    ],
    ids=["empty", "vrt"],
)
def test_a_file_that_is_something_else_is_told_without_its_folder(
    tmp_path: Path, read_rows: Reader, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (tmp_path / "a.geojson").write_text(content)
    monkeypatch.chdir(tmp_path)  # a relative name must not bring the folder out

    with pytest.raises(UnreadableSource, match="is not what its extension says") as refused:
        read_rows("parcels", Path("a.geojson"))

    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize(
    "entity", ['SYSTEM "file:///etc/hostname"', '"aaaa"'], ids=["external", "internal"]
)
def test_entities_of_xml_are_refused(
    tmp_path: Path, read_rows: Reader, monkeypatch: pytest.MonkeyPatch, entity: str
) -> None:
    (tmp_path / "a.kml").write_text(
        f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x {entity}>]>'
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>&x;</name>'
        "<Point><coordinates>114.05,22.55</coordinates></Point></Placemark></Document></kml>"
    )
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UnreadableSource, match="parsing aborted") as refused:
        read_rows("facilities", Path("a.kml"))

    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize(
    "entity", ['SYSTEM "file:///etc/hostname"', '"aaaa"'], ids=["external", "internal"]
)
def test_entities_of_gml_are_refused(tmp_path: Path, read_rows: Reader, entity: str) -> None:
    (tmp_path / "a.gml").write_text(
        f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x {entity}>]>'
        '<r xmlns:gml="http://www.opengis.net/gml"><gml:featureMember><p><name>&x;</name>'
        "<gml:Point srsName='EPSG:4490'><gml:pos>114 22.5</gml:pos></gml:Point></p>"
        "</gml:featureMember></r>"
    )

    with pytest.raises(UnreadableSource, match="entities"):
        read_rows("facilities", tmp_path / "a.gml", crs="EPSG:4490")


def test_a_folder_with_the_name_of_a_file_is_told(tmp_path: Path, read_rows: Reader) -> None:
    (tmp_path / "a.geojson").mkdir()

    with pytest.raises(UnreadableSource, match="is a folder"):
        read_rows("parcels", tmp_path / "a.geojson")


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        (",".join(f"c{n}" for n in range(100_000)), "", "more than 1000"),
        ("x" * 500_000, "", "no header"),
        ("code,lon,lat", "x" * 20_000_000 + ",114,22.5\n", "row longer than"),
    ],
    ids=["wide", "long-name", "long-row"],
)
def test_a_table_out_of_all_bounds_is_told(
    tmp_path: Path, read_rows: Reader, header: str, row: str, words: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n{row}")

    with pytest.raises(UnreadableSource, match=words):
        read_rows("facilities", path, crs="EPSG:4490")


def test_a_file_that_is_changed_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = square_file(tmp_path / "a.geojson")
    options = LoadOptions(SHENZHEN)
    (source,) = prepare(path, options, tmp_path)

    with read(source, options.limits) as features:
        square_file(path, code="another")
        with pytest.raises(UnreadableSource, match="changed while it was read"):
            list(features.batches)

"""Formats beyond shapefile, GeoPackage, GeoJSON and CSV: files written here, compared as read."""

from __future__ import annotations

import json
import shutil
import zipfile
from datetime import date
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import geopandas
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from layers.errors import MissingColumn, UnreadableSource, UnsafeArchive
from loaders.datasets import prepare
from loaders.mapping import Mapping
from loaders.options import LoadOptions, ReadLimits
from loaders.reader import read
from loaders.source import files_of
from loaders.sources import FORMATS
from tests.unit.loaders.access_files import Table, write_access
from tests.unit.loaders.conftest import SHENZHEN, Reader

POINTS = [shapely.Point(114 + n * 0.01, 22.5) for n in range(3)]
NAMES = ["图书馆", "体育馆", "停车场"]


def write(path: Path, driver: str, geometries: list[Any], **options: Any) -> Path:
    """Features of a text and a geometry, EPSG:4490 unless another is given."""
    names = [NAMES[n % 3] for n in range(len(geometries))]
    table = pa.table({"name": names, "geometry": shapely.to_wkb(geometries)})
    options = {"crs": "EPSG:4490", "geometry_type": "Unknown", **options}
    pyogrio.write_arrow(table, path, driver=driver, geometry_name="geometry", **options)
    return path


def zipped(folder: Path, path: Path) -> Path:
    """A folder as an archive."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path


@pytest.mark.parametrize(
    ("file", "driver"),
    [
        ("a.fgb", "FlatGeobuf"),
        ("a.gml", "GML"),
        ("a.gdb", "OpenFileGDB"),
        ("a.geojsonl", "GeoJSONSeq"),
        ("a.geojsons", "GeoJSONSeq"),
        ("a.ndjson", "GeoJSONSeq"),
        ("a.jsonl", "GeoJSONSeq"),
    ],
)
def test_what_gdal_writes_is_read_back(
    tmp_path: Path, read_rows: Reader, file: str, driver: str
) -> None:
    crs = "EPSG:4326" if driver == "GeoJSONSeq" else "EPSG:4490"
    path = write(tmp_path / file, driver, POINTS, crs=crs, geometry_type="Point")

    outcome = read_rows("facilities", path)

    # A FlatGeobuf is in the order of its index.
    found = dict(zip(outcome.values("name"), outcome.geometries, strict=True))
    assert shapely.equals_exact(POINTS, [found[name] for name in NAMES], 1e-9).all()


def test_xml_is_gml_only_where_it_says_so(tmp_path: Path, read_rows: Reader) -> None:
    path = write(tmp_path / "a.gml", "GML", POINTS, geometry_type="Point")
    shutil.copy(path, tmp_path / "a.xml")
    (tmp_path / "b.xml").write_text("<catalogue><item/></catalogue>")

    assert NAMES == read_rows("facilities", tmp_path / "a.xml").values("name")
    with pytest.raises(UnreadableSource, match="names no GML"):
        read_rows("facilities", tmp_path / "b.xml")


def test_nothing_is_written_beside_a_gml_file(tmp_path: Path, read_rows: Reader) -> None:
    path = write(tmp_path / "a.gml", "GML", POINTS, geometry_type="Point")
    before = set(tmp_path.iterdir())

    read_rows("facilities", path)

    assert set(tmp_path.iterdir()) - before <= {tmp_path / "private"}


def test_a_zipped_geodatabase_is_read(tmp_path: Path, read_rows: Reader) -> None:
    folder = write(tmp_path / "成果.gdb", "OpenFileGDB", POINTS, geometry_type="Point")

    outcome = read_rows("facilities", zipped(folder, tmp_path / "a.zip"))

    assert NAMES == outcome.values("name")
    assert ["a.zip"] == list(outcome.reports[0].sha256)


@pytest.mark.parametrize(
    ("file", "driver"), [("a.fgb", "FlatGeobuf"), ("a.gml", "GML"), ("a.gdb", "OpenFileGDB")]
)
def test_curves_are_made_straight(
    tmp_path: Path, read_rows: Reader, file: str, driver: str
) -> None:
    ring = "114 22.5, 114.001 22.501, 114.002 22.5, 114.001 22.499, 114 22.5"
    table = tmp_path / "source.csv"
    table.write_text(f'code,WKT\nA,"CURVEPOLYGON (CIRCULARSTRING ({ring}))"\n')
    _, read = pyogrio.read_arrow(table, columns=["code"])
    kind = "MultiPolygon" if driver == "OpenFileGDB" else "Unknown"
    options = {"geometry_type": kind, "crs": "EPSG:4490", "geometry_name": "wkb_geometry"}
    pyogrio.write_arrow(read, tmp_path / file, driver=driver, **options)

    outcome = read_rows("parcels", tmp_path / file)

    disc = shapely.Point(114.001, 22.5).buffer(0.001, quad_segs=90)
    (found,) = outcome.geometries
    assert 1e-4 > shapely.symmetric_difference(found, disc).area / disc.area


@pytest.mark.parametrize("lines", [1, 3])
def test_a_broken_line_of_json_refuses_the_file(
    tmp_path: Path, read_rows: Reader, lines: int
) -> None:
    path = write(tmp_path / "a.geojsonl", "GeoJSONSeq", POINTS, crs="EPSG:4326")  # GDAL is silent
    whole = path.read_text().splitlines()
    whole[lines - 1] = whole[lines - 1][:-20]
    path.write_text("\n".join(whole))

    with pytest.raises(UnreadableSource, match=r"records can be read|no GeoJSONSeq file"):
        read_rows("facilities", path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.999])
@pytest.mark.parametrize("file", ["a.gml", "a.fgb", "a.gdb", "a.xlsx", "a.mdb", "a.parquet"])
def test_of_a_file_cut_short_nothing_is_lost_without_a_word(
    tmp_path: Path, read_rows: Reader, file: str, share: float
) -> None:
    points = [shapely.Point(114 + n * 1e-5, 22.5) for n in range(2000)]
    table = pa.table({"name": ["x"] * 2000, "lon": shapely.get_x(points), "lat": [22.5] * 2000})
    path = tmp_path / file
    if file in _DRIVERS:
        write(path, _DRIVERS[file], points, geometry_type="Point")
    elif file == "a.xlsx":
        book = openpyxl.Workbook()
        for row in (table.column_names, *(row.values() for row in table.to_pylist())):
            book.active.append(list(row))
        book.save(path)
    elif file == "a.mdb":
        rows = [tuple(row.values()) for row in table.to_pylist()]
        write_access(path, {"A": ({"name": str, "lon": float, "lat": float}, rows)})
    else:
        pq.write_table(table, path)
    largest = max(files_of(path), key=lambda part: part.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: int(largest.stat().st_size * share)])

    with pytest.raises(UnreadableSource):
        read_rows("facilities", path, crs="EPSG:4490")


_DRIVERS = {"a.gml": "GML", "a.fgb": "FlatGeobuf", "a.gdb": "OpenFileGDB"}


@pytest.mark.parametrize("encoding", ["WKB", "geoarrow"])
@pytest.mark.parametrize("crs", ["EPSG:4547", "EPSG:4490"])
def test_geoparquet_is_read_in_all_its_encodings(
    tmp_path: Path, read_rows: Reader, encoding: Any, crs: str
) -> None:
    frame = geopandas.GeoDataFrame({"name": NAMES}, geometry=POINTS, crs="EPSG:4490").to_crs(crs)
    frame.to_parquet(tmp_path / "a.parquet", geometry_encoding=encoding)

    outcome = read_rows("facilities", tmp_path / "a.parquet")

    assert NAMES == outcome.values("name")
    assert shapely.equals_exact(POINTS, outcome.geometries, 1e-8).all()
    assert crs == outcome.reports[0].crs


AREAS = [
    "MULTIPOLYGON (((114 22.5, 114.1 22.5, 114.1 22.6, 114 22.5), "
    "(114.05 22.51, 114.06 22.51, 114.06 22.52, 114.05 22.51)))",
    None,
    "MULTIPOLYGON (((114 22.5, 114.01 22.5, 114.01 22.51, 114 22.5)), "
    "((114.2 22.5, 114.3 22.5, 114.3 22.6, 114.2 22.5)))",
]


def test_native_areas_of_several_parts_with_holes_and_nulls_are_read(
    tmp_path: Path, read_rows: Reader
) -> None:
    areas = shapely.from_wkt(AREAS)
    frame = geopandas.GeoDataFrame({"code": list("abc")}, geometry=areas, crs="EPSG:4490")
    frame.to_parquet(tmp_path / "a.geoparquet", geometry_encoding="geoarrow")

    outcome = read_rows("parcels", tmp_path / "a.geoparquet")

    assert ["a", "c"] == outcome.values("code")
    assert {"no_geometry": 1} == outcome.reasons
    assert shapely.equals(outcome.geometries, [areas[0], areas[2]]).all()


def geoparquet(path: Path, crs: object, **more: object) -> Path:
    """GeoParquet of points whose column states a system, or none where ``crs`` is ``...``."""
    column: dict[str, object] = {"encoding": "WKB", "geometry_types": ["Point"]}
    if crs is not ...:
        column["crs"] = crs
    about = {"version": "1.1.0", "primary_column": "geom", "columns": {"geom": column, **more}}
    wkb = shapely.to_wkb(POINTS)
    table = pa.table({"name": NAMES, "geom": wkb, "site": wkb})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(about)}), path)
    return path


def test_geoparquet_without_a_system_is_crs84_and_with_null_is_unknown(
    tmp_path: Path, read_rows: Reader
) -> None:
    stated = read_rows("facilities", geoparquet(tmp_path / "a.parquet", ...))

    assert "OGC:CRS84" == stated.reports[0].crs
    with pytest.raises(Exception, match="name it with --crs"):
        read_rows("facilities", geoparquet(tmp_path / "b.parquet", None))


def test_of_several_geometry_columns_the_primary_one_is_read(
    tmp_path: Path, read_rows: Reader
) -> None:
    other = {"encoding": "WKB", "geometry_types": ["Point"]}
    path = geoparquet(tmp_path / "a.parquet", ..., site=other)

    outcome = read_rows("facilities", path)

    assert "site" not in outcome.reports[0].unmapped
    assert any("primary column geom" in note for note in outcome.reports[0].notes)


def test_parquet_without_geometries_is_a_table(tmp_path: Path, read_rows: Reader) -> None:
    table = pa.table({"name": NAMES, "lon": [114.0, 114.01, 114.02], "lat": [22.5] * 3})
    pq.write_table(table, tmp_path / "a.parquet")

    outcome = read_rows("facilities", tmp_path / "a.parquet", crs="EPSG:4490")

    assert NAMES == outcome.values("name")
    assert shapely.equals_exact(POINTS, outcome.geometries, 1e-9).all()


@pytest.mark.parametrize("change", [b"PAR1noise", b""])
def test_parquet_that_is_none_or_cut_short_is_refused(
    tmp_path: Path, read_rows: Reader, change: bytes
) -> None:
    path = geoparquet(tmp_path / "a.parquet", ...)
    path.write_bytes(change or path.read_bytes()[:-50])

    with pytest.raises(UnreadableSource, match="no Parquet file, or one cut short"):
        read_rows("facilities", path)


def workbook(path: Path) -> Path:
    """Two titles, a header of two rows with merged cells, X as northing, an empty row, a sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "管点"
    sheet.append(["某路给水管点成果表"])
    sheet.merge_cells("A1:E1")
    sheet.append(["物探点号", "坐标(m)", None, "地面高程", "建设年代"])
    sheet.merge_cells("B2:C2")
    sheet.append([None, "X", "Y", None, None])
    sheet.append([1001, 2493941.245741, 505955.846174, 12.5, date(2016, 8, 30)])
    sheet.append([None] * 5)
    sheet.append(["JS2", 2493951.5, 505965.5, 12.25, "2016年8月"])
    book.create_sheet("说明")
    book.save(path)
    return path


def test_a_sheet_is_read_below_its_header_whatever_stands_above(
    tmp_path: Path, read_rows: Reader
) -> None:
    path = workbook(tmp_path / "a.xlsx")

    outcome = read_rows("pipeline_nodes", path, crs="EPSG:4547")

    assert ["1001", "JS2"] == outcome.values("code")
    assert [12.5, 12.25] == outcome.values("ground_elevation_m")
    assert [date(2016, 8, 30), date(2016, 8, 1)] == outcome.values("installed_on")
    assert outcome.geometries[0].equals_exact(shapely.Point(114.0579, 22.5431, 12.5), 1e-8)
    assert "its header is row 3" in outcome.reports[0].notes


@pytest.mark.parametrize(("file", "driver"), [("a.xlsx", "XLSX"), ("a.ods", "ODS")])
def test_workbooks_of_other_software_are_read(
    tmp_path: Path, read_rows: Reader, file: str, driver: str
) -> None:
    table = pa.table({"name": NAMES, "lon": [114.0, 114.01, 114.02], "lat": [22.5] * 3})
    pyogrio.write_arrow(table, tmp_path / file, driver=driver, geometry_type=None)

    outcome = read_rows("facilities", tmp_path / file, crs="EPSG:4490")

    assert NAMES == outcome.values("name")
    assert shapely.equals_exact(POINTS, outcome.geometries, 1e-9).all()


@pytest.mark.parametrize(
    ("file", "driver"),
    [
        ("a.xlsx", "XLSX"),
        ("a.ods", "ODS"),
        ("a.gml", "GML"),
        ("a.fgb", "FlatGeobuf"),
        ("a.gdb", "OpenFileGDB"),
        ("a.geojsonl", "GeoJSONSeq"),
    ],
)
def test_an_extension_in_capitals_is_the_same(
    tmp_path: Path, read_rows: Reader, file: str, driver: str
) -> None:
    kind = None if driver in ("XLSX", "ODS") else "Point"
    columns = {"name": NAMES, "lon": shapely.get_x(POINTS), "lat": shapely.get_y(POINTS)}
    table = pa.table({**columns, **({"geometry": shapely.to_wkb(POINTS)} if kind else {})})
    crs = {"geometry_name": "geometry", "crs": "EPSG:4326"} if kind else {}
    pyogrio.write_arrow(table, tmp_path / file, driver=driver, geometry_type=kind, **crs)
    path = (tmp_path / file).rename(tmp_path / file.upper())

    outcome = read_rows("facilities", path, crs="EPSG:4490")

    assert set(NAMES) == set(outcome.values("name"))


def test_wkt_of_a_sheet_is_its_geometry(tmp_path: Path, read_rows: Reader) -> None:
    book = openpyxl.Workbook()
    book.active.append(["宗地代码", "WKT"])
    code = "440303001002GB00001"
    book.active.append([code, "POLYGON ((114 22.5, 114.01 22.5, 114.01 22.51, 114 22.5))"])
    book.save(tmp_path / "a.xlsx")

    outcome = read_rows("parcels", tmp_path / "a.xlsx", crs="EPSG:4490")

    assert [code] == outcome.values("code")
    assert 1 == outcome.accepted.num_rows


def test_a_column_of_coordinates_that_a_sheet_has_not_is_told(
    tmp_path: Path, read_rows: Reader
) -> None:
    mapping = Mapping(columns={"x": "东坐标", "y": "北坐标"})

    with pytest.raises(MissingColumn, match="东坐标"):
        read_rows("pipeline_nodes", workbook(tmp_path / "a.xlsx"), mapping=mapping)


def test_a_sheet_of_several_must_be_named(tmp_path: Path, read_rows: Reader) -> None:
    path = workbook(tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(path)
    book["说明"].append(["项目", "内容"])
    book["说明"].append(["坐标系", "CGCS2000"])
    book.save(path)

    with pytest.raises(UnreadableSource, match="管点, 说明"):
        read_rows("pipeline_nodes", path, crs="EPSG:4547")
    named = read_rows("pipeline_nodes", path, crs="EPSG:4547", source_layer="管点")
    fitting = read_rows("pipeline_nodes", path, crs="EPSG:4547", source_layer="*")

    assert ["1001", "JS2"] == named.values("code") == fitting.values("code")
    assert "a.xlsx:说明" in fitting.reports[0].notes[0]


@pytest.mark.parametrize("file", ["a.xlsx", "a.xls", "a.ods", "a.mdb", "a.accdb", "a.dbf", "a.dxf"])
def test_noise_is_refused(tmp_path: Path, read_rows: Reader, file: str) -> None:
    (tmp_path / file).write_bytes(b"\x00\xffnoise" * 1000)

    with pytest.raises(UnreadableSource):
        read_rows("facilities", tmp_path / file)


def test_a_table_of_an_access_database_is_read(tmp_path: Path, read_rows: Reader) -> None:
    columns = {"Exp_No": str, "X": float, "Y": float, "High": float, "MDate": date, "有效": bool}
    rows = [
        ("JS1", 2493941.245741, 505955.846174, 12.5, date(2016, 8, 30), True),
        ("JS2", 2493951.5, 505965.5, None, None, False),
        *((f"P{n}", 2493951.5, 505965.5 + n, 0.5, None, False) for n in range(200)),
    ]
    tables: dict[str, Table] = {"JSPoint": (columns, rows), "说明": ({"Note": str}, [("x",)])}
    path = write_access(tmp_path / "a.mdb", tables)

    outcome = read_rows("pipeline_nodes", path, crs="EPSG:4547", source_layer="JSPoint")

    assert 202 == outcome.accepted.num_rows
    assert ["JS1", "JS2", "P0"] == outcome.values("code")[:3]
    assert [12.5, None, 0.5] == outcome.values("ground_elevation_m")[:3]
    assert [date(2016, 8, 30), None] == outcome.values("installed_on")[:2]
    assert outcome.geometries[0].equals_exact(shapely.Point(114.0579, 22.5431, 12.5), 1e-8)


@pytest.mark.parametrize("file", ["a.mdb", "a.accdb"])
def test_values_of_an_access_database_are_what_they_mean(tmp_path: Path, file: str) -> None:
    columns = {"费用": Decimal, "备注": bytes, "条数": int, "埋深": float, "废弃": bool}
    rows = [(Decimal("-12.5"), "长文本" * 300, -3, 0.0, True), (None, None, None, None, False)]
    path = write_access(tmp_path / file, {"线": (columns, rows)})

    first, second = rows_of(path)

    assert ["-12.5000", "长文本" * 300, "-3", "0.0", "true"] == list(first.values())[:5]
    assert [None, None, None, None, "false"] == list(second.values())[:5]


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Rows of a file of one layer, as the reading process gives them."""
    options = LoadOptions(SHENZHEN)
    folder = path.parent / "private"
    folder.mkdir(exist_ok=True)
    (source,) = prepare(path, options, folder)
    with read(source, options.limits) as features:
        return [row for batch in features.batches for row in batch.to_pylist()]


def test_a_damaged_access_database_is_refused(tmp_path: Path, read_rows: Reader) -> None:
    rows = [(f"P{n}", 2493951.5, 505965.5 + n) for n in range(500)]
    columns = {"Exp_No": str, "X": float, "Y": float}
    path = write_access(tmp_path / "a.mdb", {"JSPoint": (columns, rows)})
    path.write_bytes(path.read_bytes()[:-8192])

    with pytest.raises(UnreadableSource, match="of 500 records"):
        read_rows("pipeline_nodes", path, crs="EPSG:4547")


def test_a_dbf_alone_is_a_table(tmp_path: Path, read_rows: Reader) -> None:
    table = pa.table(
        {
            "物探点号": ["YS1", "YS2"],
            "X": [2493941.245741, 2493951.5],
            "Y": [505955.846174, 505965.5],
        }
    )
    pyogrio.write_arrow(
        table, tmp_path / "a.dbf", driver="ESRI Shapefile", encoding="GBK", geometry_type=None
    )

    outcome = read_rows("pipeline_nodes", tmp_path / "a.dbf", crs="EPSG:4547")

    assert ["YS1", "YS2"] == outcome.values("code")
    assert outcome.geometries[0].equals_exact(shapely.Point(114.0579, 22.5431, 0), 1e-7)


def test_a_folder_of_shapefiles_is_one_load(tmp_path: Path, read_rows: Reader) -> None:
    folder = tmp_path / "成果"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        write(folder / name / f"{name}.shp", "ESRI Shapefile", POINTS, geometry_type="Point")
    lines = [shapely.LineString([(114, 22.5), (114.1, 22.6)])]
    write(folder / "c.shp", "ESRI Shapefile", lines, geometry_type="LineString")

    outcome = read_rows("facilities", folder)

    assert [*NAMES, *NAMES] == outcome.values("name")
    assert ["成果/a/a.shp", "成果/b/b.shp"] == [r.name for r in outcome.reports]
    assert "c.shp" in outcome.reports[0].notes[-1]


def test_all_layers_that_fit_are_one_load(tmp_path: Path, read_rows: Reader) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG", POINTS, layer="north", geometry_type="Point")
    write(path, "GPKG", POINTS, layer="south", geometry_type="Point")
    lines = [shapely.LineString([(114, 22.5), (114.1, 22.6)])]
    write(path, "GPKG", lines, layer="roads", geometry_type="LineString")

    outcome = read_rows("facilities", path, source_layer="*")

    assert ["a.gpkg:north", "a.gpkg:south"] == [report.name for report in outcome.reports]
    assert 6 == outcome.read
    assert "a.gpkg:roads" in outcome.reports[0].notes[0]


@pytest.mark.parametrize("file", ["a.tar", "a.tar.gz", "a.7z", "a.rar", "a.tgz"])
def test_archives_of_other_kinds_are_refused_with_what_to_do(
    tmp_path: Path, read_rows: Reader, file: str
) -> None:
    (tmp_path / file).write_bytes(b"x")

    with pytest.raises(UnreadableSource, match="unpack the"):
        read_rows("facilities", tmp_path / file)


def test_what_lies_beside_data_is_left_alone(tmp_path: Path, read_rows: Reader) -> None:
    folder = tmp_path / "成果"
    folder.mkdir()
    write(folder / "a.shp", "ESRI Shapefile", POINTS, geometry_type="Point")
    (folder / "a.shp.xml").write_text("<metadata/>")
    (folder / "readme.txt").write_text("深圳市\n")
    (folder / "style.json").write_text('{"version": 8}')
    (folder / "._a.shp").write_bytes(b"resource fork")
    (folder / "~$b.xlsx").write_bytes(b"lock")

    outcome = read_rows("facilities", folder)

    assert NAMES == outcome.values("name")
    assert () == outcome.reports[0].notes


def test_a_layer_of_one_of_several_data_sets_may_be_named(
    tmp_path: Path, read_rows: Reader
) -> None:
    folder = tmp_path / "成果"
    folder.mkdir()
    write(folder / "a.gpkg", "GPKG", POINTS, layer="north", geometry_type="Point")
    write(folder / "b.gpkg", "GPKG", POINTS, layer="south", geometry_type="Point")

    outcome = read_rows("facilities", folder, source_layer="south")

    assert 3 == outcome.read
    with pytest.raises(UnreadableSource, match="has a layer 'west'"):
        read_rows("facilities", folder, source_layer="west")


def test_files_of_a_folder_are_bounded_like_those_of_an_archive(
    tmp_path: Path, read_rows: Reader
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.csv").write_text("name,lon,lat\n")

    with pytest.raises(UnsafeArchive, match="more than 4"):
        read_rows("facilities", folder, limits=ReadLimits(max_members=4))


def test_archives_inside_a_folder_are_read_and_inside_an_archive_refused(
    tmp_path: Path, read_rows: Reader
) -> None:
    folder = tmp_path / "成果"
    folder.mkdir()
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("a.csv", "name,lon,lat\n图书馆,114,22.5\n")

    outcome = read_rows("facilities", folder, crs="EPSG:4490")

    assert ["图书馆"] == outcome.values("name")
    with pytest.raises(UnsafeArchive, match="another archive"):
        read_rows("facilities", zipped(folder, tmp_path / "b.zip"), crs="EPSG:4490")


def test_a_workbook_that_unpacks_to_more_than_memory_is_refused(
    tmp_path: Path, read_rows: Reader
) -> None:
    path = tmp_path / "b.xlsx"
    rows = b"<row><c t='inlineStr'><is><t>x</t></is></c></row>" * 20_000
    with (
        zipfile.ZipFile(workbook(tmp_path / "a.xlsx")) as whole,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in whole.namelist():
            if name != "xl/worksheets/sheet1.xml":
                archive.writestr(name, whole.read(name))
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(b"<worksheet><sheetData>")
            for _ in range(100):
                sheet.write(rows)

    with pytest.raises(UnreadableSource):
        read_rows("pipeline_nodes", path, limits=ReadLimits(memory_bytes=300 * 1024**2))


@pytest.mark.parametrize("file", ["a.parquet", "a.dxf", "a.mdb"])
def test_a_reader_of_each_library_is_bounded_in_memory(
    tmp_path: Path, read_rows: Reader, file: str
) -> None:
    path = tmp_path / file
    if file == "a.parquet":
        # Runs of equal values: a gigabyte of texts in some kilobytes.
        values = pa.array(["x" * 1_000_000]).take(pa.array([0] * 1000))
        pq.write_table(pa.table({"name": values}), path, compression="zstd")
    else:
        start = b"\0\1\0\0Standard Jet DB\0\1\0\0\0" if file == "a.mdb" else b"0\nSECTION\n"
        with path.open("wb") as sparse:
            sparse.write(start)
            sparse.truncate(800 * 1024**2)

    with pytest.raises(UnreadableSource):
        read_rows("facilities", path, limits=ReadLimits(memory_bytes=600 * 1024**2, timeout_s=60))


def test_the_table_of_formats_names_readers_that_are_there_and_each_extension_once() -> None:
    extensions = [extension for known in FORMATS for extension in known.extensions]
    modules = {known.reader for known in FORMATS}

    assert len(set(extensions)) == len(extensions)
    assert all(extension == extension.lower() for extension in extensions)
    assert all(known.about for known in FORMATS)
    for module in modules:
        reader = import_module(f"loaders.formats.{module}")
        assert callable(reader.opened)
        listed = any(known.is_listed for known in FORMATS if known.reader == module)
        assert not listed or callable(reader.layers)

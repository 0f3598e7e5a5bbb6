"""Real files of all formats, made by other software: what is read is what GDAL reads of them.

Drawings, workbooks and GeoParquet are read here by other libraries than GDAL, so the comparison is
one of two readers. Files that are bad on purpose are refused with a sentence.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from layers.errors import UnreadableSource
from loaders.datasets import prepare
from loaders.options import LoadOptions
from loaders.reader import read
from tests.unit.loaders.conftest import SHENZHEN

FORMATS = "06_formats"
DXF = f"{FORMATS}/gdal/dxf"

pytestmark = pytest.mark.filterwarnings(
    "ignore:Measured",  # GDAL says so of M values, which no layer has
    "ignore:.*organizePolygons",
    "ignore:GeometryCollection",
)


def rows_of(path: Path, folder: Path, layer: str | None = None) -> list[dict[str, Any]]:
    """Rows of a file in the coordinates of the file, with ``geometry``."""
    options = LoadOptions(SHENZHEN, source_layer=layer)
    found: list[dict[str, Any]] = []
    for source in prepare(path, options, folder):
        with read(source, options.limits) as features:
            for batch in features.batches:
                found += batch.to_pylist()
    for row in found:
        row["geometry"] = shapely.from_wkb(row.pop("__geometry__"), on_invalid="ignore")
    return found


def gdal(path: Path | str, layer: str | None = None) -> Any:
    """The same by GDAL, curves made straight as it makes them."""
    return pyogrio.read_dataframe(path, layer=layer, fid_as_index=False)


def assert_alike(rows: list[dict[str, Any]], frame: Any) -> None:
    """As many rows in the same order, with the same geometries and texts."""
    assert len(frame) == len(rows)
    geometries = np.array([row["geometry"] for row in rows], object)
    expected = frame.geometry.to_numpy()
    both = ~shapely.is_missing(geometries) & ~shapely.is_missing(expected)
    assert (shapely.is_missing(geometries) == shapely.is_missing(expected)).all()
    assert shapely.equals_exact(geometries[both], expected[both], 1e-9).all()
    for name in frame.columns.drop(frame.geometry.name):
        if pd.api.types.is_string_dtype(frame[name].dtype):
            texts = [None if pd.isna(value) else str(value) for value in frame[name]]
            assert texts == [row[name] and str(row[name]) for row in rows]
        elif pd.api.types.is_numeric_dtype(frame[name].dtype):
            values = np.array([row[name] for row in rows], float)
            assert np.allclose(values, frame[name].to_numpy(float), equal_nan=True)


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        (f"{FORMATS}/fgb/countries.fgb", 179),
        (f"{FORMATS}/fgb/countries_nocrs.fgb", 179),
        (f"{FORMATS}/geoarrow/quadrangles_100k.fgb", 1809),
        (f"{FORMATS}/gdal/flatgeobuf/test_ogr_flatgeobuf_singlepart_mls_new.fgb", 1),
        (f"{FORMATS}/pyogrio/test_gpkg_nulls.gpkg", 4),
        (f"{FORMATS}/gdal/geojson/grenada.geojson", None),
    ],
)
def test_a_file_is_read_as_gdal_reads_it(
    shared_data: Path, tmp_path: Path, path: str, rows: int | None
) -> None:
    frame = gdal(shared_data / path)

    found = rows_of(shared_data / path, tmp_path)

    assert rows is None or rows == len(found)
    assert_alike(found, frame)


GDB = f"{FORMATS}/gdal/filegdb/testopenfilegdb.gdb.zip"


@pytest.mark.parametrize(
    "layer", ["point", "multilinestring", "polygon25D", "null_polygon", "several_polygons"]
)
def test_a_layer_of_a_real_geodatabase_is_read_as_gdal_reads_it(
    shared_data: Path, tmp_path: Path, layer: str
) -> None:
    frame = gdal(f"/vsizip/{shared_data / GDB}", layer)

    found = rows_of(shared_data / GDB, tmp_path, layer)

    assert_alike(found, frame.drop(columns=["binary", "binary2"], errors="ignore"))


def test_a_real_geodatabase_may_be_a_folder_too(shared_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared_data / GDB) as archive:
        archive.extractall(tmp_path / "out")  # a file of ours to test with

    folder = rows_of(tmp_path / "out/testopenfilegdb.gdb", tmp_path, "point")

    assert 5 == len(folder)
    assert [row["str"] for row in rows_of(shared_data / GDB, tmp_path, "point")] == [
        row["str"] for row in folder
    ]


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        (f"{FORMATS}/geoarrow/natural-earth_countries_geo.parquet", 177),
        (f"{FORMATS}/geoarrow/quadrangles_100k.parquet", 1809),
        (f"{FORMATS}/gdal/parquet/poly.parquet", 10),
        (f"{FORMATS}/gdal/parquet/example.parquet", 5),
        (f"{FORMATS}/gdal/parquet/all_geoms.parquet", 7),
    ],
)
def test_geoparquet_is_read_as_geopandas_reads_it(
    shared_data: Path, tmp_path: Path, path: str, rows: int
) -> None:
    frame = geopandas.read_parquet(shared_data / path)

    found = rows_of(shared_data / path, tmp_path)

    assert rows == len(found)
    assert_alike(found, frame)


def test_the_same_data_as_flatgeobuf_and_as_geoparquet_are_the_same(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / FORMATS / "geoarrow"

    one, other = (
        {row["quadrangle_id"]: row["geometry"] for row in rows_of(folder / name, tmp_path)}
        for name in ("quadrangles_100k.fgb", "quadrangles_100k.parquet")
    )

    assert one.keys() == other.keys()
    assert all(shapely.equals(one[key], other[key]) for key in one)


def test_nested_values_are_json(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / FORMATS / "gdal/parquet/nested_types.parquet"

    first, *_ = rows_of(path, tmp_path)

    assert '[["x", [2]], ["y", [3, 4]]]' == first["map_list_uint8"]


def test_parcels_of_inspire_gml_are_read_with_their_attributes(
    shared_data: Path, tmp_path: Path
) -> None:
    path = shared_data / "03_cadastre/gdal_gml/inspire_cadastralparcel.xml"

    first, second = rows_of(path, tmp_path)

    assert (10.0, "m2", "label") == (first["areaValue"], first["areaValue_uom"], first["label"])
    assert "CadastralParcel-02-localId" == second["inspireId_localId"]
    # Its ring is not closed: GDAL hands it on, nothing else reads it, and a load rejects the row.
    assert first["geometry"] is None


CADASTRE = "03_cadastre/fr_1870000A02.DXF"


def test_a_cadastral_drawing_is_read_whole(shared_data: Path, tmp_path: Path) -> None:
    frame = gdal(shared_data / CADASTRE)

    found = {
        layer: rows_of(shared_data / CADASTRE, tmp_path, layer)
        for layer in ("lines", "polygons", "texts")
    }

    assert 152 == len(frame) == sum(map(len, found.values()))
    by_handle = {row["handle"]: row for rows in found.values() for row in rows}
    for handle, layer, text, shape in zip(
        frame.EntityHandle, frame.Layer, frame.Text, frame.geometry, strict=True
    ):
        row = by_handle[handle]
        assert layer == row["layer"]
        assert (None if pd.isna(text) else text) == row["text"]
        corners = shapely.get_coordinates(row["geometry"])
        assert np.allclose(shapely.get_coordinates(shape), corners, rtol=0, atol=1e-9)


def test_parcels_of_a_drawing_carry_what_the_survey_program_attached(
    shared_data: Path, tmp_path: Path
) -> None:
    rows = rows_of(shared_data / CADASTRE, tmp_path, "polygons")

    parcels = [row for row in rows if row["layer"] == "1PARCELLE"]
    assert parcels
    assert all(row["xdata_IDU"].startswith("1870000A") for row in parcels)
    # The area that the cadastre says, against that of the shape.
    stated = [float(row["xdata_SUPF"]) for row in parcels if row["xdata_SUPF"]]
    shapes = [row["geometry"].area for row in parcels if row["xdata_SUPF"]]
    assert stated
    assert 0.05 > np.median(np.abs(np.array(shapes) / np.array(stated) - 1))


@pytest.mark.parametrize("file", ["mtext-ocs-reduced.dxf", "utf-8.dxf"])
def test_places_of_letters_and_points_are_those_of_gdal(
    shared_data: Path, tmp_path: Path, file: str
) -> None:
    frame = gdal(shared_data / DXF / file)
    rows = rows_of(shared_data / DXF / file, tmp_path, "*")

    by_handle = {row["handle"]: row["geometry"] for row in rows}
    compared = [h for h in by_handle if h in set(frame.EntityHandle)]

    assert compared
    for handle in compared:
        (first, *_) = frame.geometry[frame.EntityHandle == handle]
        assert first.distance(by_handle[handle]) < 1e-6


def test_a_filled_area_covers_what_gdal_finds(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / DXF / "hatch_as_multipolygon.dxf"
    (expected,) = gdal(path).geometry

    (row,) = rows_of(path, tmp_path)

    # Areas that share an edge are one here, which is valid; GDAL leaves them apart, which is not.
    assert row["geometry"].is_valid
    assert shapely.equals(shapely.union_all(expected), row["geometry"])


def test_a_binary_drawing_is_read(shared_data: Path, tmp_path: Path) -> None:
    (row,) = rows_of(shared_data / DXF / "bin_dxf_r2000.dxf", tmp_path)

    assert "ezdxf" == row["text"]


def test_a_drawing_with_a_stated_system_comes_out_in_it(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / FORMATS / "dxf_houses_of_parliament_georeferenced.dxf"
    options = LoadOptions(SHENZHEN)
    (source,) = prepare(path, options, tmp_path)

    with read(source, options.limits) as features:
        (batch,) = features.batches
    (geometry,) = shapely.from_wkb(batch["__geometry__"].to_pylist())

    assert "EPSG:27700" == features.crs
    # Westminster, on the British National Grid.
    assert 100 > geometry.centroid.distance(shapely.Point(530270, 179500))


def test_a_real_workbook_is_read_below_its_titles(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "01_shenzhen_china/ST-EVCDP"

    rows = rows_of(folder / "SZweather20220619-20220718.xls", tmp_path)

    assert 720 == len(rows)
    assert ("18.07.2022 23:00", "30", "753.6") == tuple(list(rows[0].values())[:3])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"{FORMATS}/fgb/topp_states.fgb", "no FlatGeobuf file"),
        (f"{FORMATS}/gdal/flatgeobuf/invalid_multisurface_of_polyhedralsurface.fgb", "stopped"),
        (f"{FORMATS}/gdal/flatgeobuf/invalid_polyhedralsurface_of_curvepolygon.fgb", "type"),
        (f"{FORMATS}/gdal/flatgeobuf/invalid_compoundcurve_non_contiguous_curves.fgb", "geometry"),
        (f"{FORMATS}/dxf_Graz_10km_3m.dxf", "holds no"),
        ("03_cadastre/gdal_lvbag/inval_pnd.xml", "no well-formed XML"),
        ("03_cadastre/gdal_lvbag/pnd.xml", "holds no layers"),
    ],
)
def test_a_file_that_is_bad_on_purpose_is_refused_without_its_folder(
    shared_data: Path, tmp_path: Path, path: str, words: str
) -> None:
    with pytest.raises(UnreadableSource, match=words) as refused:
        rows_of(shared_data / path, tmp_path)

    assert str(shared_data) not in str(refused.value)


def test_a_count_of_features_that_is_a_lie_does_no_harm(shared_data: Path, tmp_path: Path) -> None:
    rows = rows_of(shared_data / FORMATS / "gdal/gpkg/huge_feature_count.gpkg", tmp_path, "*")

    assert 100 > len(rows)

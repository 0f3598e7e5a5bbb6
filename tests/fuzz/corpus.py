"""Small sound files of every format, written here, to be damaged."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import shapely
from ezdxf.filemanagement import new as new_drawing

from tests.raster_files import terrain, write_asc, write_hgt, write_tif
from tests.unit.loaders.access_files import write_access

Write = Callable[[Path], Path]

_ROWS = 12
_NAMES = ("图书馆", "Central Library", "", "停车场 P3")


@dataclass(frozen=True)
class Kind:
    """Files of one format.

    Attributes:
        name: In commands and summaries.
        write: Writes one into a folder and returns the file to load; others may lie beside it.
        layer: That it is loaded into; None for rasters.
        driver: The GDAL driver that reads it; None where another library does.
    """

    name: str
    write: Write
    layer: str | None = "facilities"
    driver: str | None = None


def _points() -> list[Any]:
    return [shapely.Point(114 + n * 0.01, 22.5) for n in range(_ROWS)]


def _table(geometries: list[Any]) -> pa.Table:
    rows = range(_ROWS)
    return pa.table(
        {
            "code": [f"F{n}" for n in rows],
            "name": [_NAMES[n % 4] for n in rows],
            "capacity": [n * 7 for n in rows],
            "geometry": shapely.to_wkb(geometries),
        }
    )


def _by_gdal(file: str, driver: str, **options: Any) -> Write:
    def write(folder: Path) -> Path:
        path = folder / file
        options.setdefault("crs", "EPSG:4490")
        pyogrio.write_arrow(
            _table(_points()),
            path,
            driver=driver,
            geometry_name="geometry",
            geometry_type="Point",
            **options,
        )
        return path

    return write


def _zip(folder: Path) -> Path:
    inner = folder / "inner"
    inner.mkdir()
    _by_gdal("a.shp", "ESRI Shapefile", encoding="GB18030")(inner)
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(inner.iterdir()):
            archive.write(file, f"数据/{file.name}")
            file.unlink()
    inner.rmdir()
    return path


def _csv(folder: Path) -> Path:
    path = folder / "a.csv"
    lines = [f'F{n},"{_NAMES[n % 4]}",{n * 7},{114 + n / 100},22.5' for n in range(_ROWS)]
    path.write_text("\n".join(["编号,名称,capacity,lon,lat", *lines]), encoding="gb18030")
    return path


def _workbook(folder: Path) -> Path:
    path = folder / "a.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["code", "name", "capacity", "lon", "lat"])
    for n in range(_ROWS):
        sheet.append([f"F{n}", _NAMES[n % 4], n * 7, 114 + n / 100, 22.5])
    book.save(path)
    return path


def _access(folder: Path) -> Path:
    rows = [(f"F{n}", _NAMES[n % 4], 114 + n / 100, 22.5) for n in range(_ROWS)]
    columns: dict[str, type] = {"code": str, "name": str, "lon": float, "lat": float}
    return write_access(folder / "a.mdb", {"points": (columns, rows)})


def _parquet(folder: Path) -> Path:
    path = folder / "a.parquet"
    geo = (
        '{"version":"1.1.0","primary_column":"geometry","columns":{"geometry":'
        '{"encoding":"WKB","geometry_types":["Point"]}}}'
    )
    pq.write_table(_table(_points()).replace_schema_metadata({"geo": geo}), path)
    return path


def _drawing(folder: Path) -> Path:
    path = folder / "a.dxf"
    document = new_drawing("R2010")
    space = document.modelspace()
    for n in range(_ROWS):
        x = 114 + n / 100
        space.add_lwpolyline([(x, 22.5), (x + 0.01, 22.51, 0, 0, 0.5), (x + 0.02, 22.5)])
        space.add_text(_NAMES[n % 4]).set_placement((x, 22.5))
    document.saveas(path)
    return path


def _model(folder: Path) -> Path:
    from tests.unit.loaders.test_network_models import SWMM

    path = folder / "a.inp"
    path.write_text(SWMM.format(units="CMS", offsets="DEPTH", inlet="0.5"), encoding="utf-8")
    return path


def _tif(folder: Path) -> Path:
    return write_tif(folder / "a.tif", terrain(40), compress="deflate", nodata=-1)


def _hgt(folder: Path) -> Path:
    return write_hgt(folder / "N22E114.hgt", np.zeros((1201, 1201), np.int64))


def _asc(folder: Path) -> Path:
    path = write_asc(folder / "a.asc", ["1.5 2 -9999", "4 5.25 6"])
    path.with_suffix(".prj").write_text("EPSG:4547")
    return path


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "shp",
            _by_gdal("a.shp", "ESRI Shapefile", encoding="GB18030"),
            driver="ESRI Shapefile",
        ),
        Kind("zip", _zip, driver="ESRI Shapefile"),
        Kind("gpkg", _by_gdal("a.gpkg", "GPKG"), driver="GPKG"),
        Kind("geojson", _by_gdal("a.geojson", "GeoJSON", crs="EPSG:4326"), driver="GeoJSON"),
        Kind("fgb", _by_gdal("a.fgb", "FlatGeobuf"), driver="FlatGeobuf"),
        Kind("gml", _by_gdal("a.gml", "GML"), driver="GML"),
        Kind("kml", _by_gdal("a.kml", "LIBKML", crs="EPSG:4326"), driver="LIBKML"),
        Kind("csv", _csv),
        Kind("xlsx", _workbook),
        Kind("mdb", _access),
        Kind("parquet", _parquet),
        Kind("dxf", _drawing, "roads"),
        Kind("inp", _model, "pipelines"),
        Kind("tif", _tif, None, "GTiff"),
        Kind("asc", _asc, None, "AAIGrid"),
    )
}

"""Vector files written through GDAL as streams of Arrow batches, so memory stays bounded.

Dates that GDAL would take from the clock are fixed: the same city gives the same files.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyogrio import set_gdal_config_options
from pyogrio.raw import write_arrow

WRITTEN_ON = "2026-06-15"
GEOMETRY = "geometry"
COORDINATE_DIGITS = "8"


def write_shapefile(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write polygons in EPSG:4547 with a GBK attribute table that does not say that it is GBK.

    Neither a .cpg file nor the language byte of the DBF names the encoding: this is how such files
    come from many offices.

    Args:
        path: Path ending in .shp.
        schema: Columns, the geometry as WKB.
        batches: Rows.
    """
    reader = pa.RecordBatchReader.from_batches(schema, batches)
    write_arrow(
        reader, path, driver="ESRI Shapefile", geometry_type="Polygon", crs="EPSG:4547",
        geometry_name=GEOMETRY, encoding="CP936", DBF_DATE_LAST_UPDATE=WRITTEN_ON,
    )  # fmt: skip
    path.with_suffix(".cpg").unlink()


def write_geopackage(path: Path, layer: str, table: pa.Table) -> None:
    """Write multipolygons in EPSG:4490 as the only layer of a new GeoPackage."""
    path.unlink(missing_ok=True)
    with _fixed_date():
        write_arrow(
            table, path, layer=layer, driver="GPKG", geometry_type="MultiPolygon",
            crs="EPSG:4490", geometry_name=GEOMETRY,
        )  # fmt: skip


def write_geojson(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write lines in WGS 84 degrees as an RFC 7946 feature collection."""
    path.unlink(missing_ok=True)
    reader = pa.RecordBatchReader.from_batches(schema, batches)
    write_arrow(
        reader, path, driver="GeoJSON", geometry_type="LineString", crs="EPSG:4326",
        geometry_name=GEOMETRY, RFC7946="YES", WRITE_NAME="NO",
        COORDINATE_PRECISION=COORDINATE_DIGITS,
    )  # fmt: skip


@contextmanager
def _fixed_date() -> Iterator[None]:
    """Have GDAL stamp files with WRITTEN_ON instead of now."""
    set_gdal_config_options({"OGR_CURRENT_DATE": f"{WRITTEN_ON}T00:00:00.000Z"})
    try:
        yield
    finally:
        set_gdal_config_options({"OGR_CURRENT_DATE": None})

"""The formats that are read, one entry each: extensions, how a file is looked at, what reads it.

Nothing is opened by guess: an extension names one entry, and the reading process knows no other. A
new format is an entry here and, unless GDAL reads it, a module in ``loaders.formats``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loaders import preparation as look
from loaders.options import LoadOptions
from loaders.preparation import Found
from loaders.source import Source

ARCHIVES = (".zip", ".kmz")
"""Extensions of archives that are unpacked."""

OTHER_ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz")
"""Extensions of archives that are not."""


@dataclass(frozen=True)
class Format:
    """A format of files.

    Attributes:
        title: Its name for people.
        extensions: Of its files, in lower case, with the dot.
        reader: Module of ``loaders.formats`` that reads it in the bounded process.
        look: Looks at a file before it is opened, as a source that can be read.
        driver: GDAL driver, where GDAL reads it.
        open_options: Of that driver.
        is_table: Whether rows have no geometry of their own but columns of positions.
        is_listed: Whether the process is asked for layers and columns before it reads, because they
            are not known otherwise.
        by_dimension: Names of its layers of points, lines and polygons, where they are no choice of
            the author: the one that fits is read without being asked for.
        looks_like: Whether a file looks like one, where its extensions are used for much else: of
            the files of an archive or a folder only such count.
        about: What is read of it, and how, for the reference.
    """

    title: str
    extensions: tuple[str, ...]
    reader: str
    look: Callable[[Format, Found, LoadOptions], Source]
    driver: str | None = None
    open_options: Mapping[str, str] = field(default_factory=dict)
    is_table: bool = False
    is_listed: bool = False
    by_dimension: tuple[str, str, str] | None = None
    looks_like: Callable[[Path], bool] | None = None
    about: str = ""


FORMATS: tuple[Format, ...] = (
    Format(
        "Shapefile",
        (".shp",),
        "gdal",
        look.shapefile,
        driver="ESRI Shapefile",
        about="With its .dbf; the encoding is that of the .cpg or of the DBF if it reads all texts,"
        " else UTF-8 or GB18030, whichever does. A missing .shx is restored.",
    ),
    Format(
        "GeoPackage",
        (".gpkg",),
        "gdal",
        look.geopackage,
        driver="GPKG",
        # Reading must not write a -wal or -shm file beside the user's.
        open_options={"IMMUTABLE": "YES", "LIST_ALL_TABLES": "NO"},
        about="Layers with geometries. Curves are made straight, a vertex per degree.",
    ),
    Format(
        "Esri file geodatabase",
        (".gdb",),
        "gdal",
        look.as_it_is,
        driver="OpenFileGDB",
        is_listed=True,
        about="The folder, or a .zip of it. Curves are made straight, a vertex per degree.",
    ),
    Format(
        "GeoJSON",
        (".geojson", ".json"),
        "gdal",
        look.as_it_is,
        driver="GeoJSON",
        open_options={"DATE_AS_STRING": "YES", "ARRAY_AS_STRING": "YES"},
        looks_like=look.looks_like_geojson,
        about="RFC 7946, and the `crs` member of its predecessor.",
    ),
    Format(
        "Newline-delimited GeoJSON",
        (".geojsonl", ".geojsons", ".ndjson", ".jsonl"),
        "gdal",
        look.sequence,
        driver="GeoJSONSeq",
        about="A feature a line, or RFC 8142 with record separators. EPSG:4326.",
    ),
    Format(
        "FlatGeobuf",
        (".fgb",),
        "gdal",
        look.as_it_is,
        driver="FlatGeobuf",
        about="Version 3. Curves are made straight, a vertex per degree.",
    ),
    Format(
        "GeoParquet",
        (".parquet", ".geoparquet"),
        "parquet",
        look.as_it_is,
        is_listed=True,
        about="WKB and the native encodings of version 1.1; of several geometry columns the primary"
        " one. Without the key `crs` coordinates are OGC:CRS84. Parquet without geometries is a"
        " table.",
    ),
    Format(
        "GML",
        (".gml", ".xml"),
        "gdal",
        look.gml,
        driver="GML",
        open_options={"WRITE_GFS": "NO", "DOWNLOAD_SCHEMA": "NO"},
        looks_like=look.looks_like_gml,
        about="Simple features; an .xml only where its beginning names the namespace of GML. "
        "No schema is fetched, and no other file is read.",
    ),
    Format(
        "KML",
        (".kml",),
        "gdal",
        look.as_it_is,
        driver="LIBKML",
        about="Placemarks; folders are layers. A .kmz is unpacked as an archive.",
    ),
    Format(
        "EPANET or SWMM model",
        (".inp",),
        "network_models",
        look.model,
        by_dimension=("nodes", "links", "links"),
        about="The layers `nodes` and `links`, told apart from each other's program by the "
        "sections; in metres and millimetres whatever the model's units. Conduits of SWMM get the "
        "elevations of their axis from inverts, offsets and heights.",
    ),
    Format(
        "DXF drawing",
        (".dxf",),
        "dxf",
        look.drawing,
        by_dimension=("points", "lines", "polygons"),
        about="Model space as the layers `points` (blocks too), `lines`, `polygons` and `texts`; "
        "arcs and bulges get a vertex per degree. DWG is not read: save it as DXF.",
    ),
    Format(
        "Workbook",
        (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"),
        "workbook",
        look.as_it_is,
        is_table=True,
        is_listed=True,
        about="Sheets are layers. The header is the first row that is as wide as the table and "
        "holds texts only; titles above it are passed over.",
    ),
    Format(
        "Microsoft Access",
        (".mdb", ".accdb"),
        "access",
        look.as_it_is,
        is_table=True,
        is_listed=True,
        about="Tables of Access 97 to 2019 are layers; queries and linked tables are not read.",
    ),
    Format(
        "dBASE table",
        (".dbf",),
        "gdal",
        look.dbf,
        driver="ESRI Shapefile",
        is_table=True,
        about="Alone; beside a .shp it is a part of that. Encoding as for shapefiles.",
    ),
    Format(
        "Delimited text",
        (".csv", ".tsv", ".txt"),
        "delimited",
        look.delimited,
        is_table=True,
        looks_like=look.looks_delimited,
        about="Comma, semicolon, tab or bar; the first line holds the names of the columns. "
        "UTF-8, UTF-16 or GB18030, whichever reads all bytes.",
    ),
)

_BY_EXTENSION = {extension: known for known in FORMATS for extension in known.extensions}


def format_of(extension: str) -> Format | None:
    """The format of files with an extension, in any case; None if none is read."""
    return _BY_EXTENSION.get(extension.lower())


def known_extensions() -> str:
    """All extensions that are read, for messages."""
    return ", ".join(sorted((*_BY_EXTENSION, *ARCHIVES)))

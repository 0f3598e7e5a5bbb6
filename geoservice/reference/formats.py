"""The page of the formats: what is read of each, by the table that loads use."""

from __future__ import annotations

from geoservice.reference.markdown import code, page, table
from loaders.options import MEBIBYTE, ReadLimits
from loaders.sources import ARCHIVES, FORMATS, OTHER_ARCHIVES, Format

_LIBRARIES = {
    "access": "access-parser",
    "delimited": "pyarrow",
    "dxf": "ezdxf",
    "gdal": "GDAL",
    "parquet": "pyarrow",
    "workbook": "calamine",
}


def formats_page() -> str:
    """Every format, then archives, folders and bounds."""
    intro = (
        "The extension alone decides how a file is opened, whatever its case.\n"
        "Each is opened by a process of its own that knows one reader, with bounds on memory, time "
        "and open files."
    )
    header = ("extensions", "format", "read by", "what is read")
    rows = [
        (
            " ".join(map(code, known.extensions)),
            known.title,
            f"{_library(known)}",
            known.about,
        )
        for known in FORMATS
    ]
    return page("Formats", [intro, table(header, rows), _layers(), _archives(), _bounds()])


def _library(known: Format) -> str:
    name = _LIBRARIES.get(known.reader, known.reader)
    return f"{name}, {known.driver}" if known.driver else name


def _layers() -> str:
    return (
        "## Files of several layers\n\n"
        "Layers of a GeoPackage, a geodatabase, a GML or a KML, sheets of a workbook and tables of "
        "a database are layers alike.\n"
        "A file of one needs no name; of several one is named with `--layer NAME`.\n"
        "`--layer '*'` reads all that fit the layer loaded into as one load: those of its kind of "
        "geometry, tables with columns of positions for layers of points, tables with WKT, and "
        "tables of segments between surveyed points.\n"
        "The report names the others."
    )


def _archives() -> str:
    packed = " and ".join(map(code, ARCHIVES))
    others = ", ".join(map(code, OTHER_ARCHIVES))
    return (
        "## Archives and folders\n\n"
        f"{packed} are unpacked; {others} are refused, and so is an archive inside an archive.\n"
        "An archive or a folder loads as one: of several data sets in it those that fit are read "
        "one after another, by name, and the report names the others.\n"
        "A `.dbf` beside its `.shp` is a part of it; a text, a JSON or an XML that does not begin "
        "like data is left alone."
    )


def _bounds() -> str:
    limits = ReadLimits()
    rows = [
        ("files of an archive or a folder", f"{limits.max_members:,}"),
        ("size of an archive unpacked", f"{limits.max_unpacked_bytes // 1024 // MEBIBYTE} GiB"),
        ("that size by the size packed, above 10 MiB", f"{limits.max_ratio:,}"),
        ("columns", f"{limits.max_fields:,}"),
        ("memory of the reading process", f"{limits.memory_bytes // 1024 // MEBIBYTE} GiB"),
        ("time of the reading process", f"{limits.timeout_s:,} s"),
    ]
    return (
        "## Bounds\n\n"
        "A file past one of these is refused; those of archives, memory and time are "
        "[settings](settings.md).\n"
        "Drawings, workbooks and Access databases are held in memory while they are read, all "
        "others pass through it.\n\n" + table(("bound", "default"), rows)
    )

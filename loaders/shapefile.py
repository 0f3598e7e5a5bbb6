"""Shapefiles: their parts found and checked before anything else opens them.

The reader is given a private folder of links, so that odd spellings of extensions do not matter and
a missing index (.shx) is restored there and never beside the user's files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from layers.errors import UnreadableSource
from loaders.encodings import DbfTexts

_HEADER_BYTES = 100
_FILE_CODE = 9994
_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")


@dataclass(frozen=True)
class Shapefile:
    """A shapefile whose parts have been found.

    Attributes:
        shp: Link to open; its siblings lie beside it.
        record_count: Records of the attribute table, deleted ones among them.
        deleted_count: Records that are marked as deleted; they are not read.
        restores_index: Whether the .shx is missing and will be restored.
    """

    shp: Path
    dbf: Path
    cpg: Path | None
    record_count: int
    deleted_count: int
    restores_index: bool


def gather(shp: Path, siblings: Iterable[Path], folder: Path) -> Shapefile:
    """Check the parts of a shapefile and link them into a folder.

    Args:
        shp: The user's .shp file.
        siblings: Files that may be its parts: of the same name with other extensions.
        folder: Empty, private, and removed by the caller.

    Raises:
        UnreadableSource: a part is missing, cut short, or is no shapefile.
    """
    parts = {path.suffix.lower(): path for path in siblings if path.suffix.lower() in _PARTS}
    if ".dbf" not in parts:
        raise UnreadableSource(shp, "the .dbf with its attributes is missing")
    _check_length(shp)
    table = DbfTexts(parts[".dbf"])
    check_table(shp, table)
    for suffix, path in parts.items():
        (folder / f"source{suffix}").symlink_to(path.resolve())
    return Shapefile(
        folder / "source.shp",
        folder / "source.dbf",
        parts.get(".cpg"),
        table.record_count,
        table.count_deleted(),
        restores_index=".shx" not in parts,
    )


def siblings_of(shp: Path) -> list[Path]:
    """Files beside a .shp that have its name, whatever the case of name and extension."""
    stem = shp.stem.casefold()
    return [path for path in shp.parent.iterdir() if path.stem.casefold() == stem]


def _check_length(shp: Path) -> None:
    """GDAL reads geometries past the end of a shortened file as null, without an error."""
    with shp.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or struct.unpack(">i", header[:4])[0] != _FILE_CODE:
        raise UnreadableSource(shp, "is not a shapefile")
    said = struct.unpack(">i", header[24:28])[0] * 2
    size = shp.stat().st_size
    if size < said:
        raise UnreadableSource(shp, f"is cut short: it has {size} of {said} bytes")


def check_table(path: Path, table: DbfTexts) -> None:
    """See that a table has the bytes of all its records.

    Args:
        path: What the user named.

    Raises:
        UnreadableSource: it has not, or it says nothing that a table can say of itself.
    """
    if not table.names or table.record_bytes < 2:
        raise UnreadableSource(path, "its attributes are no DBF")
    said = table.header_bytes + table.record_count * table.record_bytes
    size = table.path.stat().st_size
    if size < said:
        raise UnreadableSource(path, f"its .dbf is cut short: it has {size} of {said} bytes")

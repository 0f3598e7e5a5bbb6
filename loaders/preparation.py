"""How files of each format are looked at before any reader opens them.

Each function takes an entry of ``loaders.sources`` and a file that was found, and gives the source
to read, or says what is wrong with the file while that can be told exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from layers.errors import UnreadableSource
from loaders.delimited import coordinate_columns, sniff
from loaders.encodings import DbfTexts, Encoding, dbf_encoding, known_codec, text_encoding
from loaders.options import MEBIBYTE, LoadOptions
from loaders.shapefile import check_table, gather
from loaders.source import Source, Stamp, hashes

if TYPE_CHECKING:
    from loaders.sources import Format

_GML_NAMESPACE = b"opengis.net/gml"
_HEAD_BYTES = 65536
_MODEL_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Found:
    """A file of a known extension.

    Attributes:
        path: As the user named it, or the name of a member below that of its archive.
        file: Where its bytes are.
        parts: Files that may belong to it: of the same name with other extensions.
        hashed: Files to be named in the report: those of ``parts``, or the archive.
        folder: Private folder of the load.
        name: By which reports know it; None means the name of ``path``.
    """

    path: Path
    file: Path
    parts: tuple[Path, ...]
    hashed: tuple[Path, ...]
    folder: Path
    name: str | None = None


def as_it_is(known: Format, found: Found, _options: LoadOptions) -> Source:
    """A file of which only its reader can tell anything."""
    return Source(
        found.path,
        found.file,
        known.reader,
        Stamp.of(found.file),
        hashes(list(found.hashed)),
        name=found.name,
        driver=known.driver,
        open_options=known.open_options,
        is_table=known.is_table,
    )


def sequence(known: Format, found: Found, options: LoadOptions) -> Source:
    """Features one after another; how many is counted, because GDAL leaves out broken ones."""
    source = as_it_is(known, found, options)
    return replace(source, record_count=_count_records(found.file))


def _count_records(file: Path) -> int:
    """Lines, or texts between record separators (RFC 8142), that hold anything."""
    count, is_filled, separator = 0, False, None
    with file.open("rb") as opened:
        while block := opened.read(MEBIBYTE):
            separator = separator or (b"\x1e" if block.lstrip()[:1] == b"\x1e" else b"\n")
            first, *others = block.split(separator)
            is_filled = is_filled or bool(first.strip())
            for part in others:
                count += is_filled
                is_filled = bool(part.strip())
    return count + is_filled


def shapefile(known: Format, found: Found, options: LoadOptions) -> Source:
    """A shapefile, its parts gathered.

    Raises:
        UnreadableSource: a part is missing, cut short, or in no known encoding.
    """
    stamp = Stamp.of(found.file)
    linked = gather(found.file, found.parts, Path(mkdtemp(dir=found.folder)))
    encoding = dbf_encoding(linked.dbf, linked.cpg, options.encoding)
    restored = ("the missing .shx was restored for reading",) if linked.restores_index else ()
    return Source(
        found.path,
        linked.shp,
        known.reader,
        stamp,
        hashes(list(found.hashed)),
        name=found.name,
        driver=known.driver,
        encoding=encoding,
        cuts_names=True,
        record_count=linked.record_count,
        deleted_count=linked.deleted_count,
        configuration={"SHAPE_RESTORE_SHX": "YES"} if linked.restores_index else {},
        file_bytes=found.file.stat().st_size if linked.restores_index else 0,
        notes=restored,
    )


def dbf(known: Format, found: Found, options: LoadOptions) -> Source:
    """A table without shapes, alone in a folder.

    Raises:
        UnreadableSource: it is no DBF, cut short, or in no known encoding.
        MissingColumn: the mapping names a column of coordinates that it has not.
    """
    stamp = Stamp.of(found.file)
    table = DbfTexts(found.file)
    check_table(found.file, table)
    encoding = dbf_encoding(found.file, None, options.encoding)
    link = Path(mkdtemp(dir=found.folder)) / "source.dbf"
    link.symlink_to(found.file.absolute())
    columns = tuple(name.decode(encoding.name, "ignore") for name in table.names)
    return Source(
        found.path,
        link,
        known.reader,
        stamp,
        hashes(list(found.hashed)),
        name=found.name,
        driver=known.driver,
        is_table=True,
        encoding=encoding,
        cuts_names=True,
        columns=columns,
        coordinates=coordinate_columns(columns, options.mapping, found.path),
        record_count=table.record_count,
        deleted_count=table.count_deleted(),
    )


def delimited(known: Format, found: Found, options: LoadOptions) -> Source:
    """Delimited text, its encoding, separator, columns and coordinates known.

    Raises:
        UnreadableSource: it is empty, in no known encoding, or too wide.
        MissingColumn: the mapping names a column of coordinates that it has not.
    """
    stamp = Stamp.of(found.file)
    encoding = text_encoding(found.file, options.encoding)
    dialect = sniff(found.file, encoding, options.limits.max_fields)
    return Source(
        found.path,
        found.file,
        known.reader,
        stamp,
        hashes(list(found.hashed)),
        name=found.name,
        is_table=True,
        encoding=encoding,
        separator=dialect.separator,
        columns=dialect.columns,
        faults=dialect.faults,
        coordinates=coordinate_columns(dialect.columns, options.mapping, found.path),
    )


def model(known: Format, found: Found, options: LoadOptions) -> Source:
    """A model of a network; its reader is given a copy in UTF-8.

    Raises:
        UnreadableSource: it is in no known encoding, or far too large for a model.
    """
    file = found.file
    stamp = Stamp.of(file)
    if stamp.size > _MODEL_BYTES:
        raise UnreadableSource(file, f"has {stamp.size} bytes, too many for a model of a network")
    encoding = text_encoding(file, options.encoding)
    copy = Path(mkdtemp(dir=found.folder)) / "source.inp"
    copy.write_text(file.read_text(encoding=encoding.name), encoding="utf-8")
    source = replace(as_it_is(known, found, options), opened=copy, stamp=Stamp.of(copy))
    if Stamp.of(file) != stamp:
        raise UnreadableSource(file, "was changed while it was read; load it again")
    return replace(source, encoding=encoding)


def geopackage(known: Format, found: Found, options: LoadOptions) -> Source:
    """A GeoPackage that is whole.

    A shortened database may still open; SQLite's header says how many pages there must be.

    Raises:
        UnreadableSource: it is no GeoPackage, is cut short, or is being written.

    Source: SQLite database file format, 1.3.
    """
    file = found.file
    with file.open("rb") as opened:
        header = opened.read(100)
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise UnreadableSource(file, "is not a GeoPackage")
    page_bytes = int.from_bytes(header[16:18], "big")
    said = (65536 if page_bytes == 1 else page_bytes) * int.from_bytes(header[28:32], "big")
    is_said_of_this_version = header[24:28] == header[92:96]
    size = file.stat().st_size
    if is_said_of_this_version and size < said:
        raise UnreadableSource(file, f"is cut short: it has {size} of {said} bytes")
    log = file.with_name(f"{file.name}-wal")
    if log.is_file() and log.stat().st_size:
        reason = "another program is writing to it (there is a -wal file); close that program first"
        raise UnreadableSource(file, reason)
    return as_it_is(known, found, options)


def drawing(known: Format, found: Found, options: LoadOptions) -> Source:
    """A drawing; it tells its encoding itself unless the user does.

    Raises:
        UnreadableSource: there is no such encoding as the user said.
    """
    source = as_it_is(known, found, options)
    if options.encoding is None:
        return source
    name = known_codec(options.encoding)
    if name is None:
        raise UnreadableSource(found.file, f"{options.encoding!r} is not an encoding")
    return replace(source, encoding=Encoding(name, "given"))


def gml(known: Format, found: Found, options: LoadOptions) -> Source:
    """A GML file, alone in a folder: no schema or template beside it is read or written.

    Raises:
        UnreadableSource: its beginning does not name the namespace of GML.
    """
    if not looks_like_gml(found.file):
        raise UnreadableSource(found.file, "is XML of another kind: its beginning names no GML")
    source = as_it_is(known, found, options)
    link = Path(mkdtemp(dir=found.folder)) / "source.gml"
    link.symlink_to(found.file.absolute())
    return replace(source, opened=link)


def looks_like_gml(file: Path) -> bool:
    """Whether the beginning of an XML file names the namespace of GML."""
    return _GML_NAMESPACE in _head(file)


def looks_like_geojson(file: Path) -> bool:
    """Whether the beginning of a JSON file speaks of features or geometries."""
    return any(word in _head(file) for word in (b"Feature", b"coordinates", b"geometries"))


def looks_delimited(file: Path) -> bool:
    """Whether a file is delimited text by its extension, or the first line of a text has fields."""
    if file.suffix.lower() != ".txt":
        return True
    first = _head(file).strip().partition(b"\n")[0]
    return any(separator in first for separator in (b",", b";", b"\t", b"|"))


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_HEAD_BYTES).replace(b"\0", b"")  # UTF-16 too

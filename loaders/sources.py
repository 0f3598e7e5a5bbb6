"""Source files: what each is by its extension, and what the reader has to be told of it.

Nothing is opened by guess: an extension names one driver, and the reading process has no other.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from layers.errors import UnreadableSource
from loaders.archives import unpack
from loaders.delimited import CoordinateColumns, coordinate_columns, sniff
from loaders.encodings import Encoding, dbf_encoding, text_encoding
from loaders.options import LoadOptions
from loaders.shapefile import gather, siblings_of

_DRIVERS = {
    ".gpkg": "GPKG",
    ".shp": "ESRI Shapefile",
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".kml": "LIBKML",
    ".csv": None,
    ".tsv": None,
    ".txt": None,
}
"""Extension to GDAL driver; None for delimited text, which Arrow reads."""

_OPEN_OPTIONS: MappingABC[str, MappingABC[str, str]] = {
    # Reading must not write a -wal or -shm file beside the user's.
    "GPKG": {"IMMUTABLE": "YES", "LIST_ALL_TABLES": "NO"},
    "GeoJSON": {"DATE_AS_STRING": "YES", "ARRAY_AS_STRING": "YES"},
}


@dataclass(frozen=True)
class Stamp:
    """What changes when somebody writes to a file: compared before and after it is read."""

    size: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of a file now; links are followed."""
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass(frozen=True)
class Source:
    """One data set, ready to be read.

    Attributes:
        path: The file as the user named it, for messages.
        opened: What the reader opens.
        driver: GDAL driver; None for delimited text.
        stamp: Of ``opened`` before its bytes were looked at.
        encoding: Of texts; None where the format fixes it.
        record_count: Records the file says it has, where it says so reliably.
        notes: What was found amiss and dealt with.
    """

    path: Path
    opened: Path
    driver: str | None
    stamp: Stamp
    sha256: MappingABC[str, str]
    encoding: Encoding | None = None
    separator: str = ","
    columns: tuple[str, ...] = ()
    coordinates: CoordinateColumns | None = None
    record_count: int | None = None
    deleted_count: int = 0
    configuration: MappingABC[str, str] = field(default_factory=dict)
    file_bytes: int = 0
    notes: tuple[str, ...] = ()

    @property
    def open_options(self) -> dict[str, str]:
        """Open options of the driver."""
        return dict(_OPEN_OPTIONS.get(self.driver or "", {}))

    def check_unchanged(self) -> None:
        """See that nobody has written to the file since ``stamp``.

        Raises:
            UnreadableSource: somebody has: its hash and its rows may be of different states.
        """
        if not self.opened.is_file() or Stamp.of(self.opened) != self.stamp:
            raise UnreadableSource(self.path, "was changed while it was read; load it again")


def prepare(path: Path, options: LoadOptions, folder: Path) -> Source:
    """Find out what a file is, unpacking it if need be.

    Args:
        folder: Private folder of the load; the caller removes it.

    Raises:
        UnreadableSource: no such file, no format that is read, or a part is missing.
        UnsafeArchive: an archive passes its bounds.
    """
    if not path.exists():
        raise UnreadableSource(path, "there is no such file")
    if not path.is_file():
        raise UnreadableSource(path, "is a folder or a device, not a file")
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return _from_archive(path, options, folder)
    if suffix == ".shp":
        return _shapefile(path, path, siblings_of(path), options, folder)
    return _single_file(path, _plainly_named(path, folder), suffix, options)


def _plainly_named(path: Path, folder: Path) -> Path:
    """The file, by a link of ours where libraries would stumble over its own name.

    Bytes that are no UTF-8 and line ends are not passed on to GDAL as they are, and after a ``!``
    pyogrio looks for a file in an archive.
    """
    name = str(path.absolute())
    if name.isprintable() and "!" not in name:  # half of a surrogate pair is not printable either
        return path
    link = Path(mkdtemp(dir=folder)) / f"source{path.suffix.lower()}"
    link.symlink_to(path.absolute())
    return link


def _from_archive(path: Path, options: LoadOptions, folder: Path) -> Source:
    inside = Path(mkdtemp(dir=folder))
    members = unpack(path, inside, options.limits)
    data = [name for name in members if name.suffix.lower() in _DRIVERS]
    shapes = [name for name in data if name.suffix.lower() == ".shp"]
    data = shapes or data
    if not data:
        held = ", ".join(str(name) for name in members) or "nothing"
        raise UnreadableSource(path, f"holds no data set that is read here; it holds: {held}")
    if len(data) > 1:
        held = ", ".join(str(name) for name in data)
        raise UnreadableSource(path, f"holds several data sets, load them one by one: {held}")
    name = data[0]
    if name.suffix.lower() == ".shp":
        return _shapefile(path, members[name], _members_like(name, members), options, folder)
    return _single_file(path, members[name], name.suffix.lower(), options)


def _members_like(name: PurePosixPath, members: MappingABC[PurePosixPath, Path]) -> list[Path]:
    def plain(other: PurePosixPath) -> str:
        return str(other.with_suffix("")).casefold()

    return [file for other, file in members.items() if plain(other) == plain(name)]


def _shapefile(
    path: Path, shp: Path, siblings: list[Path], options: LoadOptions, folder: Path
) -> Source:
    stamp = Stamp.of(shp)
    try:
        found = gather(shp, siblings, Path(mkdtemp(dir=folder)))
        encoding = dbf_encoding(found.dbf, found.cpg, options.encoding)
    except UnreadableSource as error:
        raise UnreadableSource(path, error.reason) from error
    restored = ("the missing .shx was restored for reading",) if found.restores_index else ()
    return Source(
        path,
        found.shp,
        _DRIVERS[".shp"],
        stamp,
        _hashes([path] if path.suffix.lower() == ".zip" else siblings),
        encoding=encoding,
        record_count=found.record_count,
        deleted_count=found.deleted_count,
        configuration={"SHAPE_RESTORE_SHX": "YES"} if found.restores_index else {},
        file_bytes=shp.stat().st_size if found.restores_index else 0,
        notes=restored,
    )


def _single_file(path: Path, file: Path, suffix: str, options: LoadOptions) -> Source:
    if suffix not in _DRIVERS:
        known = ", ".join(sorted((*_DRIVERS, ".zip")))
        raise UnreadableSource(path, f"{suffix or 'no extension'} is not read here; read: {known}")
    stamp = Stamp.of(file)
    try:
        if _DRIVERS[suffix] is None:
            return _delimited(path, file, stamp, options)
        if suffix == ".gpkg":
            _check_geopackage(file)
    except UnreadableSource as error:
        raise UnreadableSource(path, error.reason) from error
    return Source(path, file, _DRIVERS[suffix], stamp, _hashes([path]))


def _delimited(path: Path, file: Path, stamp: Stamp, options: LoadOptions) -> Source:
    encoding = text_encoding(file, options.encoding)
    dialect = sniff(file, encoding, options.limits.max_fields)
    return Source(
        path,
        file,
        None,
        stamp,
        _hashes([path]),
        encoding=encoding,
        separator=dialect.separator,
        columns=dialect.columns,
        coordinates=coordinate_columns(dialect.columns, options.mapping, path),
    )


def _check_geopackage(file: Path) -> None:
    """A shortened database may still open; SQLite's header says how many pages there must be.

    Source: SQLite database file format, 1.3.
    """
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


def _hashes(files: list[Path]) -> dict[str, str]:
    return {file.name: _hash(file) for file in sorted(files)}


def _hash(file: Path) -> str:
    digest = sha256()
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

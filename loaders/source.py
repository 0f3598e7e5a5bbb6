"""A source: one data set of a file, found and looked at, ready to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from layers.errors import UnreadableSource
from loaders.delimited import CoordinateColumns
from loaders.encodings import Encoding
from loaders.mapping import Mapping as ColumnMapping


@dataclass(frozen=True)
class Stamp:
    """What changes when somebody writes to a file: compared before and after it is read."""

    size: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of a file now, or of all files of a folder; links are followed."""
        inode = path.stat().st_ino
        found = [file.stat() for file in files_of(path)]
        modified = max((file.st_mtime_ns for file in found), default=0)
        return cls(sum(file.st_size for file in found), modified, inode)


@dataclass(frozen=True)
class Source:
    """One data set, ready to be read.

    Attributes:
        path: The file as the user named it, for messages.
        opened: What the reader opens.
        reader: Module of ``loaders.formats`` that reads it.
        stamp: Of ``opened`` before its bytes were looked at.
        sha256: Of each file that belongs to it, by name.
        name: By which reports know it; None means the name of ``path``.
        driver: GDAL driver, for the reader that has several.
        layer: The one to read of a file that has several; None where it has one.
        is_table: Whether positions are in columns, if there are any, and not in a geometry.
        encoding: Of texts; None where the format fixes it.
        cuts_names: Whether names of columns are cut to the 10 bytes of a DBF.
        columns: Names of the columns, where known before reading.
        coordinates: Columns of positions.
        record_count: Records the file says it has, where it says so reliably.
        configuration: Of GDAL.
        open_options: Of the driver.
        file_bytes: How large a file the reader may write in the private folder.
        notes: What was found amiss and dealt with.
        mapping: What fills the layer; None means what the user said.
        faults: What is wrong with the header, each as a rule and its detail.
    """

    path: Path
    opened: Path
    reader: str
    stamp: Stamp
    sha256: Mapping[str, str]
    name: str | None = None
    driver: str | None = None
    layer: str | None = None
    is_table: bool = False
    encoding: Encoding | None = None
    cuts_names: bool = False
    separator: str = ","
    columns: tuple[str, ...] = ()
    coordinates: CoordinateColumns | None = None
    record_count: int | None = None
    deleted_count: int = 0
    configuration: Mapping[str, str] = field(default_factory=dict)
    open_options: Mapping[str, str] = field(default_factory=dict)
    file_bytes: int = 0
    notes: tuple[str, ...] = ()
    mapping: ColumnMapping | None = None
    faults: tuple[str, ...] = ()

    @property
    def dbf_encoding(self) -> str | None:
        """Encoding in which names of columns are cut to 10 bytes; None where they are whole."""
        return self.encoding.name if self.encoding is not None and self.cuts_names else None

    @property
    def title(self) -> str:
        """The name by which reports know it."""
        return self.name or self.path.name

    def check_unchanged(self) -> None:
        """See that nobody has written to the file since ``stamp``.

        Raises:
            UnreadableSource: somebody has: its hash and its rows may be of different states.
        """
        if not self.opened.exists() or Stamp.of(self.opened) != self.stamp:
            raise UnreadableSource(self.path, "was changed while it was read; load it again")


def files_of(path: Path) -> list[Path]:
    """The file itself, or the files of a folder by name."""
    return sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]


def hashes(files: list[Path]) -> dict[str, str]:
    """SHA-256 of files by their names; of a folder, that of its files' names and hashes."""
    return {file.name: _hash_of_folder(file) if file.is_dir() else _hash(file) for file in files}


def _hash_of_folder(folder: Path) -> str:
    lines = (f"{_hash(file)}  {file.name}\n" for file in files_of(folder))
    return sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _hash(file: Path) -> str:
    digest = sha256()
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

"""Zip archives, unpacked with bounds: how many members, how large, how much larger than packed.

Nothing that an archive says of itself is believed: sizes are counted while bytes come out, and
files get names of ours, so neither a path, a link nor a name in it reaches the file system. Only
files of a geodatabase keep their names, which it needs, and only where they are such names.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from layers.errors import UnreadableSource, UnsafeArchive
from loaders.options import MEBIBYTE, ReadLimits

_ARCHIVES = (".zip", ".kmz", ".7z", ".rar", ".gz", ".tgz", ".bz2", ".xz", ".tar")
_BLOCK_BYTES = MEBIBYTE
_FREE_RATIO_BYTES = 10 * MEBIBYTE
"""Archives that unpack to less than this may have any ratio: texts of one word pack very well."""


_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What comes out of zipfile; a name that is not the UTF-8 that its flag says is a ValueError."""

_DATABASE = ".gdb"
_DATABASE_FILE = re.compile(r"gdb|timestamps|a[0-9a-f]{8}(\.[A-Za-z0-9_]{1,64}){1,2}")
"""Names of the files of an Esri file geodatabase, of its tables and their indexes."""


def unpack(archive: Path, folder: Path, limits: ReadLimits) -> dict[PurePosixPath, Path]:
    """Write the members of an archive into a folder, under names of ours.

    Args:
        folder: Empty, private, and removed by the caller.

    Returns:
        Name in the archive to file, in the order of the archive; a geodatabase is one.

    Raises:
        UnreadableSource: not a zip archive, damaged, or encrypted.
        UnsafeArchive: a bound is passed, or there are links or archives inside.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if _is_wanted(m)]
            _check_members(archive, members, limits)
            return dict(_write_members(archive, opened, members, folder, limits))
    except _DAMAGED as error:
        raise UnreadableSource(archive, f"cannot be unpacked: {error}") from error


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    return not member.is_dir() and not member.filename.startswith("__MACOSX/")


def _check_members(archive: Path, members: list[zipfile.ZipInfo], limits: ReadLimits) -> None:
    if len(members) > limits.max_members:
        message = f"holds {len(members)} files, more than {limits.max_members}"
        raise UnsafeArchive(archive, message)
    for member in members:
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UnsafeArchive(archive, "holds a link")
        if member.filename.lower().endswith(_ARCHIVES):
            raise UnsafeArchive(archive, "holds another archive; unpack it first")
        if member.flag_bits & 0x1:
            raise UnreadableSource(archive, "is encrypted")


def _write_members(
    archive: Path,
    opened: zipfile.ZipFile,
    members: list[zipfile.ZipInfo],
    folder: Path,
    limits: ReadLimits,
) -> Iterator[tuple[PurePosixPath, Path]]:
    by_ratio = max(archive.stat().st_size * limits.max_ratio, _FREE_RATIO_BYTES)
    left = min(limits.max_unpacked_bytes, by_ratio)
    targets = _Targets(folder)
    for number, member in enumerate(members):
        name, target, known_as = targets.of(number, _member_name(member))
        if target.exists():
            raise UnsafeArchive(archive, f"holds two files of the name {name.name}")
        with opened.open(member) as packed, target.open("xb") as unpacked:
            while block := packed.read(_BLOCK_BYTES):
                left -= len(block)
                if left < 0:
                    raise UnsafeArchive(archive, "unpacks to more than is allowed")
                unpacked.write(block)
        yield name, known_as


class _Targets:
    """Where members are written: under names of ours, those of a geodatabase in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._databases: dict[PurePosixPath, Path] = {}

    def of(self, number: int, name: PurePosixPath) -> tuple[PurePosixPath, Path, Path]:
        """The name of a data set or a part of one, where to write this member, and its path."""
        within = name.parent
        if within.suffix.lower() != _DATABASE or not _DATABASE_FILE.fullmatch(name.name):
            target = self._folder / f"member{number}{name.suffix.lower()}"
            return name, target, target
        if within not in self._databases:
            self._databases[within] = self._folder / f"member{number}{_DATABASE}"
            self._databases[within].mkdir()
        database = self._databases[within]
        return within, database / name.name, database


def _member_name(member: zipfile.ZipInfo) -> PurePosixPath:
    """The member's name; names without the UTF-8 flag are GB18030 if that reads them."""
    name = member.filename
    if not member.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("gb18030")
        except UnicodeError:
            name = member.filename
    return PurePosixPath(name)

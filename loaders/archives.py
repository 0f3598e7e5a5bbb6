"""Zip archives, unpacked with bounds: how many members, how large, how much larger than packed.

Nothing that an archive says of itself is believed: sizes are counted while bytes come out, and
files get names of ours, so neither a path, a link nor a name in it reaches the file system.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from layers.errors import UnreadableSource, UnsafeArchive
from loaders.options import MEBIBYTE, ReadLimits

_BLOCK_BYTES = MEBIBYTE
_FREE_RATIO_BYTES = 10 * MEBIBYTE
"""Archives that unpack to less than this may have any ratio: texts of one word pack very well."""


def unpack(archive: Path, folder: Path, limits: ReadLimits) -> dict[PurePosixPath, Path]:
    """Write the members of an archive into a folder, under names of ours.

    Args:
        folder: Empty, private, and removed by the caller.

    Returns:
        Name in the archive to file, in the order of the archive.

    Raises:
        UnreadableSource: not a zip archive, damaged, or encrypted.
        UnsafeArchive: a bound is passed, or there are links or archives inside.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if _is_wanted(m)]
            _check_members(archive, members, limits)
            return dict(_write_members(archive, opened, members, folder, limits))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
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
        if member.filename.lower().endswith((".zip", ".7z", ".rar", ".gz", ".tar")):
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
    for number, member in enumerate(members):
        name = _member_name(member)
        target = folder / f"member{number}{name.suffix.lower()}"
        with opened.open(member) as packed, target.open("xb") as unpacked:
            while block := packed.read(_BLOCK_BYTES):
                left -= len(block)
                if left < 0:
                    raise UnsafeArchive(archive, "unpacks to more than is allowed")
                unpacked.write(block)
        yield name, target


def _member_name(member: zipfile.ZipInfo) -> PurePosixPath:
    """The member's name; names without the UTF-8 flag are GB18030 if that reads them."""
    name = member.filename
    if not member.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("gb18030")
        except UnicodeError:
            name = member.filename
    return PurePosixPath(name)

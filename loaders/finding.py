"""The files of data that a name stands for: a file, or those of an archive or of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from layers.errors import UnreadableSource, UnsafeArchive
from loaders.archives import unpack
from loaders.options import LoadOptions
from loaders.preparation import Found
from loaders.shapefile import siblings_of
from loaders.sources import ARCHIVES, OTHER_ARCHIVES, Format, format_of, known_extensions

_NOT_DATA = (".", "~$")
"""How names begin that systems and office programs leave beside data."""


def find(path: Path, options: LoadOptions, folder: Path) -> Iterator[tuple[Format, Found]]:
    """The files of data that a name stands for, each with its format.

    Args:
        folder: Private folder of the load, where archives are unpacked; the caller removes it.

    Raises:
        UnreadableSource: it is of no format that is read, or holds no data.
        UnsafeArchive: an archive or a folder passes its bounds.
    """
    suffix = path.suffix.lower()
    if path.is_dir() and suffix != ".gdb":
        if format_of(suffix) is not None:
            raise UnreadableSource(path, "is a folder, not a file")
        yield from _in_folder(path, options, folder)
    elif suffix in ARCHIVES:
        yield from _in_archive(path, options, folder)
    else:
        yield _single(path, folder)


def _single(path: Path, folder: Path, name: str | None = None) -> tuple[Format, Found]:
    known = _format(path)
    if not path.is_file() and known.driver != "OpenFileGDB":
        raise UnreadableSource(path, "is a folder or a device, not a file")
    if path.is_file() and known.driver == "OpenFileGDB":
        raise UnreadableSource(path, "is not a file geodatabase, which is a folder or a .zip of it")
    if known.extensions == (".shp",):
        parts = tuple(sorted(siblings_of(path)))
        return known, Found(path, path, parts, parts, folder, name)
    return known, Found(path, _plainly_named(path, folder), (), (path,), folder, name)


def _format(path: Path) -> Format:
    suffix = path.suffix.lower()
    known = format_of(suffix)
    if known is not None:
        return known
    if suffix in OTHER_ARCHIVES:
        raise UnreadableSource(path, f"archives are read as .zip only; unpack the {suffix} first")
    shown = suffix or "no extension"
    raise UnreadableSource(path, f"{shown} is not read here; read: {known_extensions()}")


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


def _in_folder(path: Path, options: LoadOptions, folder: Path) -> Iterator[tuple[Format, Found]]:
    """The data sets of a folder and of those inside it, by name."""
    names = dict(_files_of(path, options.limits.max_members))
    for name in _data_sets(path, names, (*ARCHIVES,)):
        title = f"{path.name}/{name}"
        if name.suffix.lower() in ARCHIVES:
            yield from _in_archive(names[name], options, folder, title)
        else:
            yield _single(names[name], folder, title)


def _files_of(path: Path, most: int) -> Iterator[tuple[PurePosixPath, Path]]:
    """Files below a folder by their names there; a geodatabase counts as one."""
    seen = 0
    for parent, folders, files in os.walk(path):
        databases = [name for name in folders if name.lower().endswith(".gdb")]
        folders[:] = sorted(n for n in folders if n not in databases and not n.startswith("."))
        for name in sorted((*files, *databases)):
            seen += 1
            if seen > most:
                message = f"holds more than {most} files"
                raise UnsafeArchive(path, message)
            file = Path(parent) / name
            yield PurePosixPath(file.relative_to(path).as_posix()), file


def _in_archive(
    path: Path, options: LoadOptions, folder: Path, title: str | None = None
) -> Iterator[tuple[Format, Found]]:
    inside = Path(mkdtemp(dir=folder))
    members = unpack(path, inside, options.limits)
    names = _data_sets(path, members)
    for name in names:
        known = _format(Path(name))
        parts = _parts_of(name, members) if known.extensions == (".shp",) else ()
        is_one = len(names) == 1
        member = None if is_one else f"{title or path.name}/{name}"
        named = path if is_one else path / name
        yield known, Found(named, members[name], parts, (path,), folder, member or title)


def _parts_of(name: PurePosixPath, files: Mapping[PurePosixPath, Path]) -> tuple[Path, ...]:
    return tuple(file for other, file in files.items() if _stem(other) == _stem(name))


def _stem(name: PurePosixPath) -> str:
    return str(name.with_suffix("")).casefold()


def _data_sets(
    path: Path, files: Mapping[PurePosixPath, Path], others: Sequence[str] = ()
) -> list[PurePosixPath]:
    """Names of those files that are data sets of their own.

    Raises:
        UnreadableSource: there are none.
    """
    shapes = {_stem(name) for name in files if name.suffix.lower() == ".shp"}
    names = [name for name, file in files.items() if _is_data_set(name, file, shapes, others)]
    if not names:
        held = ", ".join(map(str, files)) or "nothing"
        reason = f"holds no data set that is read here; it holds: {held[:1000]}"
        raise UnreadableSource(path, reason)
    return sorted(names)


def _is_data_set(name: PurePosixPath, file: Path, shapes: Set[str], others: Sequence[str]) -> bool:
    suffix = name.suffix.lower()
    known = format_of(suffix)
    if name.name.startswith(_NOT_DATA):
        return False
    if known is None:
        return suffix in others
    is_part = suffix == ".dbf" and _stem(name) in shapes
    return not is_part and (known.looks_like is None or known.looks_like(file))

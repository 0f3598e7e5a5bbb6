"""The data sets that a name stands for: a file, an archive or a folder of files, layers of a file.

What a user names alone is read or refused. Of several data sets of an archive or a folder, and of
the layers of a file when all are asked for, those are read that fit the layer loaded into; the
report names the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from layers.base import Layer
from layers.errors import MissingColumn, UnreadableSource, UnsafeArchive
from loaders.archives import unpack
from loaders.delimited import CoordinateColumns, coordinate_columns
from loaders.formats.stream import Contents, Refused, choose
from loaders.mapping import plan_columns
from loaders.options import LoadOptions
from loaders.preparation import Found
from loaders.reader import contents
from loaders.shapefile import siblings_of
from loaders.source import Source
from loaders.sources import ARCHIVES, OTHER_ARCHIVES, Format, format_of, known_extensions

ALL_LAYERS = "*"
"""What ``--layer`` says for all layers that fit."""

_NOT_DATA = (".", "~$")
"""How names begin that systems and office programs leave beside data."""

_TEXT_LAYERS = ("texts",)
"""Layers of lettering, which are read only where they are asked for."""


@dataclass(frozen=True)
class _Candidate:
    """A layer of a data set that may be read."""

    source: Source
    contents: Contents | None


def prepare(
    path: Path, options: LoadOptions, folder: Path, layer: Layer | None = None
) -> Iterator[Source]:
    """Find the data sets that a name stands for, unpacking archives if need be.

    Args:
        folder: Private folder of the load; the caller removes it.
        layer: The layer loaded into, by which some of several are chosen; None takes all.

    Raises:
        UnreadableSource: there is no such file, no format that is read, nothing that fits, or a
            part is missing.
        UnsafeArchive: an archive passes its bounds.
        MissingColumn: the mapping names a column of coordinates that a table has not.
    """
    if not path.exists():
        raise UnreadableSource(path, "there is no such file")
    found = list(_find(path, options, folder))
    if len(found) == 1:
        yield from _of_one(*found[0], options, layer)
        return
    yield from _that_fit(path, found, options, layer)


def _find(path: Path, options: LoadOptions, folder: Path) -> Iterator[tuple[Format, Found]]:
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


def _of_one(
    known: Format, found: Found, options: LoadOptions, layer: Layer | None
) -> Iterator[Source]:
    """The sources of one data set."""
    source = _looked_at(known, found, options)
    wanted = options.source_layer
    if wanted is None and known.by_dimension is not None and layer is not None:
        wanted = known.by_dimension[layer.geometry_type.dimension]
    # Delimited text has one table, and its reader lists nothing.
    if not known.is_listed and (wanted != ALL_LAYERS or source.columns):
        yield replace(source, layer=None if wanted == ALL_LAYERS else wanted)
        return
    found_layers = _layers(source, options)
    if wanted == ALL_LAYERS:
        yield from _chosen(found.path, found_layers, options, layer)
        return
    names = [one.contents.name for one in found_layers if one.contents]
    try:
        name = choose(names, wanted)
    except Refused as refusal:
        raise UnreadableSource(found.path, str(refusal)) from refusal
    chosen = next(one for one in found_layers if one.contents and one.contents.name == name)
    yield _with_coordinates(chosen.source, options)


def _with_coordinates(source: Source, options: LoadOptions) -> Source:
    """A table whose columns of coordinates are there.

    Raises:
        MissingColumn: the mapping names one that it has not.
    """
    if not source.is_table:
        return source
    columns = coordinate_columns(source.columns, options.mapping, source.path)
    return replace(source, coordinates=columns)


def _looked_at(known: Format, found: Found, options: LoadOptions) -> Source:
    try:
        return known.look(known, found, options)
    except UnreadableSource as error:
        raise UnreadableSource(found.path, error.reason) from error


def _layers(source: Source, options: LoadOptions) -> list[_Candidate]:
    """The layers of a source, as sources."""
    listed = contents(source, options.limits)
    if not listed:
        raise UnreadableSource(source.path, "holds nothing that is read here")
    return [
        _Candidate(
            replace(
                source,
                name=f"{source.title}:{one.name}" if len(listed) > 1 else source.name,
                layer=one.name,
                columns=one.columns,
                is_table=one.geometry_type is None,
                coordinates=_coordinates(one, source, options),
            ),
            one,
        )
        for one in listed
    ]


def _coordinates(one: Contents, source: Source, options: LoadOptions) -> CoordinateColumns | None:
    if one.geometry_type is not None:
        return None
    try:
        return coordinate_columns(one.columns, options.mapping, source.path)
    except MissingColumn:
        # Another of the file's tables may have it; of the one that is read its lack is told later.
        return None


def _that_fit(
    path: Path,
    found: Sequence[tuple[Format, Found]],
    options: LoadOptions,
    layer: Layer | None,
) -> Iterator[Source]:
    """Those of several data sets, and of their layers, that fit the layer loaded into."""
    candidates = [one for known, a in found for one in _candidates(known, a, options)]
    wanted = options.source_layer
    if wanted not in (None, ALL_LAYERS):
        candidates = [one for one in candidates if one.contents and one.contents.name == wanted]
        if not candidates:
            raise UnreadableSource(path, f"none of its data sets has a layer {wanted!r}")
    yield from _chosen(path, candidates, options, layer)


def tables(path: Path, options: LoadOptions, folder: Path) -> Iterator[Source]:
    """All tables that a name stands for, their columns known: files, sheets, tables of databases.

    Args:
        folder: Private folder of the load; the caller removes it.

    Raises:
        UnreadableSource: there is no such file, or one of those it stands for cannot be read.
        UnsafeArchive: an archive passes its bounds.
    """
    if not path.exists():
        raise UnreadableSource(path, "there is no such file")
    for known, found in _find(path, options, folder):
        for one in _candidates(known, found, options):
            if one.source.is_table:
                yield one.source


def _candidates(known: Format, found: Found, options: LoadOptions) -> list[_Candidate]:
    source = _looked_at(known, found, options)
    is_known = bool(source.columns) and not known.is_listed
    return [_Candidate(source, None)] if is_known else _layers(source, options)


def _chosen(
    path: Path, candidates: Sequence[_Candidate], options: LoadOptions, layer: Layer | None
) -> Iterator[Source]:
    """The candidates that fit; the first says which do not.

    Raises:
        UnreadableSource: none fits.
    """
    fitting = [one for one in candidates if layer is None or _fits(one, layer, options)]
    others = ", ".join(one.source.title for one in candidates if one not in fitting)
    if not fitting:
        what = layer.name if layer else "any layer"
        raise UnreadableSource(path, f"holds nothing that fits {what}; it holds: {others}")
    first = fitting[0].source
    if others:
        note = f"not read, because it does not fit: {others[:1000]}"
        first = replace(first, notes=(*first.notes, note))
    yield first
    for one in fitting[1:]:
        yield one.source


def _fits(one: _Candidate, layer: Layer, options: LoadOptions) -> bool:
    """Whether rows of a candidate can be features of a layer."""
    source = one.source
    kind = one.contents.geometry_type if one.contents else None
    if kind is not None:
        if one.contents is not None and one.contents.name in _TEXT_LAYERS:
            return False
        dimension = _dimension(kind)
        return dimension is None or dimension == layer.geometry_type.dimension
    if source.coordinates is not None:
        return source.coordinates.wkt is not None or layer.geometry_type.dimension == 0
    return _has_ends(source, layer, options)


def _dimension(geometry_type: str) -> int | None:
    """Dimension of a geometry type; None where it says nothing, as ``Unknown``."""
    words = {"Point": 0, "Line": 1, "Curve": 1, "Polygon": 2, "Surface": 2}
    plain = geometry_type.removeprefix("Multi").removeprefix("Compound")
    found = (dimension for word, dimension in words.items() if plain.startswith(word))
    return next(found, None)


def _has_ends(source: Source, layer: Layer, options: LoadOptions) -> bool:
    ends = layer.end_nodes
    if ends is None:
        return False
    try:
        plan = plan_columns(
            layer,
            source.columns,
            options.mapping,
            source=source.path,
            dbf_encoding=source.dbf_encoding,
        )
    except MissingColumn:
        return False
    return {ends.start, ends.end} <= plan.columns.keys()

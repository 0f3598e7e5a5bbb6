"""The data sets that a name stands for: a file, an archive or a folder of files, layers of a file.

What a user names alone is read or refused. Of several data sets of an archive or a folder, and of
the layers of a file when all are asked for, those are read that fit the layer loaded into; the
report names the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from layers.base import Layer
from layers.errors import MissingColumn, UnreadableSource
from loaders.delimited import CoordinateColumns, coordinate_columns
from loaders.finding import find
from loaders.formats.stream import Contents, Refused, choose
from loaders.mapping import plan_columns
from loaders.options import LoadOptions
from loaders.preparation import Found
from loaders.reader import contents
from loaders.source import Source
from loaders.sources import Format

ALL_LAYERS = "*"
"""What ``--layer`` says for all layers that fit."""

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
    found = list(find(path, options, folder))
    if len(found) == 1:
        yield from _of_one(*found[0], options, layer)
        return
    yield from _that_fit(path, found, options, layer)


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
    for known, found in find(path, options, folder):
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

"""Surveys of pipes: tables of points and tables of lines between them, loaded together.

A table is known by its columns, not by its name: one with the numbers of two points is of lines,
one with the number of a point and its place is of points. What no column says of the class of the
pipes the table's name does, as in ``JSPoint`` or ``管线_污水``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from layers import pipeline_nodes, pipelines
from layers.base import Layer
from layers.codes import PIPE_KINDS
from layers.errors import CannotUndo, MissingColumn, SourceError
from layers.undo import undo_load
from loaders.datasets import tables
from loaders.delimited import CoordinateColumns, coordinate_columns
from loaders.folders import private_folder
from loaders.loading import load
from loaders.mapping import COORDINATE_ROLES, Mapping, normal_name, plan_columns
from loaders.options import LoadConnections, LoadOptions, Progress
from loaders.report import LoadReport
from loaders.source import Source

_T = TypeVar("_T")

POINTS, LINES = pipeline_nodes.LAYER, pipelines.LAYER

_POINT_NUMBER, _SYMBOL = "expno", "code"
"""Columns of a point table in which ``Code`` is a symbol's, because ``Exp_No`` is the number."""

_ROLE = re.compile(r"(POINTS?|LINES?|PT|LN|P|L)$")
"""What follows the code of a class in the name of a table."""


@dataclass(frozen=True)
class SurveyReport:
    """What loading a survey did.

    Attributes:
        nodes: The load of its points.
        pipelines: The load of its lines.
    """

    nodes: LoadReport
    pipelines: LoadReport

    @property
    def reports(self) -> tuple[LoadReport, LoadReport]:
        """Both, in the order of the loads."""
        return self.nodes, self.pipelines

    def as_json(self) -> dict[str, object]:
        """Plain dictionaries and lists, for scripts."""
        return {"pipeline_nodes": self.nodes.as_json(), "pipelines": self.pipelines.as_json()}


def load_survey(
    connections: LoadConnections,
    files: Sequence[Path],
    options: LoadOptions,
    progress: Progress | None = None,
) -> SurveyReport:
    """Load points into ``pipeline_nodes``, then the lines between them into ``pipelines``.

    Where the lines cannot be loaded the points are taken back, as if neither had been loaded.

    Args:
        files: Files, archives and folders, all of one survey.
        options: Of both loads; a mapping may name attributes of either layer.

    Raises:
        SourceError: a file cannot be read, there is no table of points or none of lines, or rows
            are bad and ``on_error`` is ``reject``. Nothing of the survey is held.
        LoadInProgress: another load of a layer is being published for too long.
    """
    _check(files, options)
    nodes = load(connections, POINTS, files, _options_for(POINTS, options), progress)
    try:
        lines = load(connections, LINES, files, _options_for(LINES, options), progress)
    except SourceError as error:
        stays = _take_back(connections, nodes)
        message = f"{error}; {stays or 'so its points were not kept either'}"
        raise SourceError(message) from error
    except BaseException:
        _take_back(connections, nodes)
        raise
    return SurveyReport(nodes, lines)


def _take_back(connections: LoadConnections, nodes: LoadReport) -> str | None:
    """Undo the load of the points; why it stays, where it does."""
    connections.sql.rollback()
    if nodes.load_id is None or not nodes.new + nodes.changed + nodes.vanished:
        return None
    try:
        undo_load(connections.sql, nodes.load_id)
    except CannotUndo as error:
        # Another load has built on it meanwhile.
        connections.sql.rollback()
        return f"its points stay as load {nodes.load_id}: {error}"
    connections.sql.commit()
    return None


def _check(files: Sequence[Path], options: LoadOptions) -> None:
    """See that there are points and lines before anything is loaded."""
    found: list[str] = []
    layers: set[str] = set()
    with private_folder() as folder:
        for file in files:
            for source in tables(file, _looking(options), folder):
                layer = layer_of(source, options)
                found.append(f"{source.title} ({layer.name if layer else 'neither'})")
                layers.update({layer.name} if layer else ())
    for layer, what in ((POINTS, "points"), (LINES, "lines")):
        if layer.name not in layers:
            held = ", ".join(found) or "no tables"
            message = f"the survey has no table of {what}; found: {held[:1000]}"
            raise SourceError(message)


def _looking(options: LoadOptions) -> LoadOptions:
    """Options for looking at tables: columns of coordinates are those of point tables only."""
    return replace(options, mapping=_without_coordinates(options.mapping))


def _without_coordinates(mapping: Mapping) -> Mapping:
    columns = {a: c for a, c in mapping.columns.items() if a not in COORDINATE_ROLES}
    return replace(mapping, columns=columns)


def _options_for(layer: Layer, options: LoadOptions) -> LoadOptions:
    """The options of the load of one layer: no other has the attributes that it has not."""
    mapping = _restricted(options.mapping, layer)
    if layer is LINES:
        mapping = _without_coordinates(mapping)
    return replace(options, mapping=mapping, find=_find)


def _find(path: Path, options: LoadOptions, folder: Path, layer: Layer) -> Iterator[Source]:
    """The tables of a file that are of a layer, each with what fills it."""
    for source in tables(path, _looking(options), folder):
        if layer_of(source, options) is not layer:
            continue
        mapping = _mapping_of(source, layer, options.mapping)
        coordinates = None
        if layer is POINTS:
            coordinates = coordinate_columns(source.columns, options.mapping, source.path)
        yield replace(source, mapping=mapping, coordinates=coordinates)


def layer_of(source: Source, options: LoadOptions) -> Layer | None:
    """The layer whose rows a table has, by its columns; None where it has those of neither."""
    if {"start_node", "end_node"} <= _filled(source, LINES, options.mapping):
        return LINES
    placed = _coordinates(source, options.mapping)
    if placed is not None and "code" in _filled(source, POINTS, options.mapping):
        return POINTS
    return None


def _coordinates(source: Source, mapping: Mapping) -> CoordinateColumns | None:
    try:
        return coordinate_columns(source.columns, mapping, source.path)
    except MissingColumn:
        return None


def _filled(source: Source, layer: Layer, mapping: Mapping) -> set[str]:
    """Attributes of a layer that columns of a table fill."""
    try:
        plan = plan_columns(
            layer,
            source.columns,
            _standard(source, layer, _restricted(_without_coordinates(mapping), layer)),
            source=source.path,
            dbf_encoding=source.dbf_encoding,
        )
    except MissingColumn:
        return set()
    return set(plan.columns)


def _restricted(mapping: Mapping, layer: Layer) -> Mapping:
    """A mapping without what the other layer has and this one has not."""
    other = LINES if layer is POINTS else POINTS
    foreign = other.attribute.keys() - layer.attribute.keys()

    def kept(words: MappingABC[str, _T]) -> dict[str, _T]:
        return {name: word for name, word in words.items() if name not in foreign}

    return replace(
        mapping,
        columns=kept(mapping.columns),
        values=kept(mapping.values),
        constants=kept(mapping.constants),
        units=kept(mapping.units),
        dates=kept(mapping.dates),
    )


def _mapping_of(source: Source, layer: Layer, mapping: Mapping) -> Mapping:
    """What fills a layer from a table: the class of its pipes may be that of the table's name."""
    plain = _standard(source, layer, mapping)
    if "kind" in plain.constants or "kind" in _filled(source, layer, mapping):
        return plain
    kind = kind_of_name(source.layer or "") or kind_of_name(source.path.stem)
    return replace(plain, constants={**plain.constants, "kind": kind}) if kind else plain


def _standard(source: Source, layer: Layer, mapping: Mapping) -> Mapping:
    """What the user said, and the columns of the standard that mean something else elsewhere."""
    by_name = {normal_name(column): column for column in reversed(source.columns)}
    if layer is LINES or not {_POINT_NUMBER, _SYMBOL} <= by_name.keys():
        return mapping
    meant = {"code": by_name[_POINT_NUMBER], "element_code": by_name[_SYMBOL]}
    return replace(mapping, columns={**meant, **mapping.columns})


def kind_of_name(name: str) -> str | None:
    """The class of pipes that a table's name tells, such as ``JS`` of ``JSPoint``; None if none."""
    for word in re.findall(r"[A-Za-z]+", name):
        plain = word.upper()
        for code in (plain, _ROLE.sub("", plain)):
            if code in PIPE_KINDS.by_code:
                return code
    chinese = (word for word in PIPE_KINDS.by_word if not word.isascii() and word in name)
    longest = max(chinese, key=len, default=None)
    return PIPE_KINDS.by_word[longest] if longest else None

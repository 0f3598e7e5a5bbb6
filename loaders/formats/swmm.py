"""SWMM models: sections and columns as swmmio knows them, words as the file has them.

swmmio's own tables are not used: in them a node named 007 becomes the number 7, and 1.10 is 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from .networks import Link, Model, Node, Position, number
from .stream import Refused

_M_PER_FOOT = 0.3048
_METRIC_FLOWS = ("CMS", "LPS", "MLD")
_US_FLOWS = ("CFS", "GPM", "MGD")
_MM_PER_M = 1000.0

_NODES = {
    "JUNCTIONS": "junction",
    "OUTFALLS": "outfall",
    "STORAGE": "storage",
    "DIVIDERS": "divider",
}
_LINKS = {
    "CONDUITS": "conduit",
    "PUMPS": "pump",
    "ORIFICES": "orifice",
    "WEIRS": "weir",
    "OUTLETS": "outlet",
}
_ROUND = ("CIRCULAR", "FORCE_MAIN", "FILLED_CIRCULAR")
_WITHOUT_SIZE = ("IRREGULAR", "STREET", "CUSTOM", "DUMMY")
"""Shapes whose first figure is no height of the pipe."""

Row = dict[str, str]


class _Shape(NamedTuple):
    """A cross-section, metres; zero where a size is not known."""

    name: str
    height_m: float
    width_m: float


@dataclass(frozen=True)
class _Tables:
    """The sections of a model as rows by column.

    Attributes:
        to_metres: Factor from the model's unit of length.
        are_elevations: Whether offsets of links are elevations, not heights above the node.
    """

    sections: Mapping[str, list[list[str]]]
    columns: Mapping[str, list[str]]
    to_metres: float
    are_elevations: bool

    def rows(self, section: str) -> Iterator[Row]:
        """The rows of a section; a row may be shorter than its columns."""
        for words in self.sections.get(section, ()):
            yield dict(zip(self.columns[section], words, strict=False))

    def metres(self, row: Row, column: str, where: str) -> float:
        """A length in metres; 0 where the row does not give it, as SWMM takes it."""
        word = row.get(column, "*")
        return 0.0 if word == "*" else number(word, f"{column} of {where}") * self.to_metres


def read_swmm(sections: Mapping[str, list[list[str]]]) -> Model:
    """The network of a SWMM model.

    Raises:
        Refused: it is not valid, or the libraries are not installed.
    """
    tables = _tables(sections)
    nodes = [node for section in _NODES for node in _nodes(tables, section)]
    inverts = {node.name: node.values.get("invert_elevation_m") for node in nodes}
    shapes = {row["Link"]: _shape(tables, row) for row in tables.rows("XSECTIONS")}
    vertices: dict[str, list[Position]] = {}
    for row in tables.rows("VERTICES"):
        vertices.setdefault(row["Name"], []).append(_position(row))
    links = [
        _link(tables, section, row, shapes, vertices, inverts)
        for section in _LINKS
        for row in tables.rows(section)
    ]
    return Model(nodes, links)


def _tables(sections: Mapping[str, list[list[str]]]) -> _Tables:
    try:
        from swmmio.defs import INP_OBJECTS
    except ImportError as error:
        message = "needs the libraries of the extra `networks`, which are not installed"
        raise Refused(message) from error
    columns = {section: list(known["columns"]) for section, known in INP_OBJECTS.items()}
    columns["DIVIDERS"][1] = columns["JUNCTIONS"][1]
    options = {words[0].upper(): words[-1].upper() for words in sections.get("OPTIONS", ())}
    flow = options.get("FLOW_UNITS", "CFS")
    if flow not in (*_METRIC_FLOWS, *_US_FLOWS):
        message = f"is not a valid model: {flow[:20]!r} is no unit of flow"
        raise Refused(message)
    to_metres = 1.0 if flow in _METRIC_FLOWS else _M_PER_FOOT
    return _Tables(sections, columns, to_metres, options.get("LINK_OFFSETS") == "ELEVATION")


def _position(row: Row) -> Position:
    where = f"the position of {row['Name']}"
    return number(row.get("X", ""), where), number(row.get("Y", ""), where)


def _nodes(tables: _Tables, section: str) -> Iterator[Node]:
    positions = {row["Name"]: _position(row) for row in tables.rows("COORDINATES")}
    for row in tables.rows(section):
        name = row["Name"]
        invert = tables.metres(row, "InvertElev", name)
        values: dict[str, float | str | None] = {"invert_elevation_m": invert}
        if section in ("JUNCTIONS", "STORAGE"):
            column = "MaxDepth" if section == "JUNCTIONS" else "MaxD"
            depth = tables.metres(row, column, name)
            # No depth means: as deep as the highest pipe. That says nothing of the ground.
            if depth > 0:
                values |= {"well_depth_m": depth, "ground_elevation_m": invert + depth}
        yield Node(name, _NODES[section], positions.get(name), values)


def _shape(tables: _Tables, row: Row) -> _Shape:
    name = row.get("Shape", "").upper()
    if name in _WITHOUT_SIZE:
        return _Shape(name, 0.0, 0.0)
    where = f"the cross-section of {row['Link']}"
    height = tables.metres(row, "Geom1", where)
    width = height if name in _ROUND else tables.metres(row, "Geom2", where)
    return _Shape(name, height, width)


def _link(
    tables: _Tables,
    section: str,
    row: Row,
    shapes: Mapping[str, _Shape],
    vertices: Mapping[str, list[Position]],
    inverts: Mapping[str, float | str | None],
) -> Link:
    name, start, end = (row.get(column, "") for column in ("Name", "InletNode", "OutletNode"))
    shape = shapes.get(name, _Shape("", 0.0, 0.0))
    values: dict[str, float | str | None] = dict(_sizes(shape))
    axis = None
    if section == "CONDUITS":
        values["length_m"] = tables.metres(row, "Length", name)
        values["roughness"] = number(row.get("Roughness", ""), f"the roughness of {name}")
        bottoms = _bottoms(tables, row, inverts.get(start), inverts.get(end))
        if bottoms is not None:
            values |= {"start_elevation_m": bottoms[0], "end_elevation_m": bottoms[1]}
            values["depth_ref"] = "invert"
            if shape.height_m > 0:
                axis = (bottoms[0] + shape.height_m / 2, bottoms[1] + shape.height_m / 2)
    elif section == "PUMPS":
        values["initial_status"] = row.get("InitStatus")
    return Link(name, _LINKS[section], start, end, vertices.get(name, []), values, axis)


def _sizes(shape: _Shape) -> Iterator[tuple[str, float | str]]:
    if shape.name in _ROUND and shape.height_m > 0:
        yield "diameter_mm", shape.height_m * _MM_PER_M
    elif shape.height_m > 0 and shape.width_m > 0:
        yield "section", f"{shape.width_m * _MM_PER_M:.0f}x{shape.height_m * _MM_PER_M:.0f}"


def _bottoms(
    tables: _Tables, row: Row, start: float | str | None, end: float | str | None
) -> tuple[float, float] | None:
    """Elevations of the invert of a conduit at both ends, metres."""
    if not isinstance(start, float) or not isinstance(end, float):
        return None
    found = []
    for invert, column in ((start, "InOffset"), (end, "OutOffset")):
        offset = tables.metres(row, column, row["Name"])
        is_given = row.get(column, "*") != "*"
        found.append(offset if tables.are_elevations and is_given else invert + offset)
    return found[0], found[1]

"""A network of nodes and links as its model describes it, and its sections as texts."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from .stream import Refused

Position = tuple[float, float]
Values = Mapping[str, float | str | None]

_TOKEN = re.compile(r'"([^"]*)"|(\S+)')
_NAMED_FAULTS = 3


@dataclass(frozen=True)
class Node:
    """A node of a network.

    Attributes:
        position: x and y in the system of the model; None where the file gives none.
        values: By column; heights in metres.
    """

    name: str
    node_type: str
    position: Position | None
    values: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """A link of a network, drawn from its start node through its vertices to its end node.

    Attributes:
        values: By column; lengths in metres, diameters in millimetres.
        axis: Elevations of the axis at both ends, metres; None where they are not known.
    """

    name: str
    link_type: str
    start: str
    end: str
    vertices: list[Position] = field(default_factory=list)
    values: Values = field(default_factory=dict)
    axis: tuple[float, float] | None = None


@dataclass(frozen=True)
class Model:
    """Nodes and links, in the order of the file."""

    nodes: list[Node]
    links: list[Link]

    def check(self) -> None:
        """See that names are given once, and that every link joins two nodes.

        Raises:
            Refused: naming what is wrong.
        """
        _refuse_repeated("node", (node.name for node in self.nodes))
        _refuse_repeated("link", (link.name for link in self.links))
        known = {node.name for node in self.nodes}
        faults = [
            f"{link.link_type} {link.name} ends at {name}, which is no node"
            for link in self.links
            for name in (link.start, link.end)
            if name not in known
        ]
        if faults:
            more = len(faults) - _NAMED_FAULTS
            said = "; ".join(faults[:_NAMED_FAULTS]) + (f"; and {more} more" if more > 0 else "")
            message = f"is not a valid model: {said}"
            raise Refused(message)

    def lines(self) -> Iterator[list[tuple[float, ...]] | None]:
        """Of each link its vertices, with Z where it is known; None where an end has no place."""
        positions = {node.name: node.position for node in self.nodes}
        for link in self.links:
            start, end = positions[link.start], positions[link.end]
            if start is None or end is None:
                yield None
            else:
                yield _with_z([start, *link.vertices, end], link.axis)


def _refuse_repeated(what: str, names: Iterable[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        message = f"is not a valid model: {what} {repeated[0]} is given more than once"
        raise Refused(message)


def _with_z(line: list[Position], axis: tuple[float, float] | None) -> list[tuple[float, ...]]:
    """A line at one slope from end to end, as conduits are laid."""
    if axis is None:
        return [*line]
    runs = [math.dist(a, b) for a, b in pairwise(line)]
    whole = math.fsum(runs) or 1.0
    first, last = axis
    run = 0.0
    sloped: list[tuple[float, ...]] = []
    for (x, y), step in zip(line, [*runs, 0.0], strict=True):
        sloped.append((x, y, first + (last - first) * run / whole))
        run += step
    sloped[-1] = (*line[-1], last)
    return sloped


def sections_of(path: str) -> dict[str, list[list[str]]]:
    """The lines of each section as words, without comments; names of sections in upper case.

    A section begins where the first word of a line starts with ``[``, and may be written in
    several parts (EPANET 2.2 user's manual, appendix C; SWMM 5.2 user's manual, appendix D).
    """
    found: dict[str, list[list[str]]] = {}
    lines: list[list[str]] | None = None
    with open(path, encoding="utf-8") as file:  # noqa: PTH123  # the path is a text of the request
        for line in file:
            words = [quoted or plain for quoted, plain in _TOKEN.findall(line.partition(";")[0])]
            if words and words[0].startswith("["):
                lines = found.setdefault(words[0].strip("[]").upper(), [])
            elif words and lines is not None:
                lines.append(words)
    return found


def number(word: str, where: str) -> float:
    """A finite number.

    Raises:
        Refused: the word is none.
    """
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        message = f"is not a valid model: {word[:40]!r} of {where[:80]} is no number"
        raise Refused(message)
    return value

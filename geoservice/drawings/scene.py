"""What a drawing of elevations shows, in metres: distance to the right, elevation upwards."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float]


def one_line(text: str) -> str:
    """A text of the data without what breaks lines or has no place in a document."""
    return "".join(c if c.isprintable() else " " for c in text)


@dataclass(frozen=True)
class Line:
    """A line through points; ``layer`` is where CAD programs find it."""

    points: tuple[Point, ...]
    layer: str
    color: str
    width_px: float = 1.5


@dataclass(frozen=True)
class Oval:
    """The outline of a pipe around its axis."""

    x: float
    y: float
    width: float
    height: float
    layer: str
    color: str


@dataclass(frozen=True)
class Mark:
    """What something is, where it lies.

    Attributes:
        y: Its elevation; None where that is not known: a dashed line says so.
        tag: Short, as in the table of a picture.
        text: In full, as drawings write it.
    """

    x: float
    y: float | None
    tag: str
    text: str
    layer: str
    color: str


@dataclass(frozen=True)
class Column:
    """A column of the table below a picture."""

    title: str
    width_px: float


@dataclass(frozen=True)
class Scene:
    """One drawing.

    Attributes:
        length_m: Distances go from 0 to this.
        columns: Of the table; a row has one text for each.
        remarks: Lines below the table.
    """

    title: str
    length_m: float
    lines: tuple[Line, ...]
    ovals: tuple[Oval, ...]
    marks: tuple[Mark, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...]

    @property
    def elevations(self) -> tuple[float, float] | None:
        """The lowest and the highest of what is known; None where nothing is."""
        known = [y for line in self.lines for _, y in line.points]
        known += [o.y + side * o.height / 2 for o in self.ovals for side in (-1, 1)]
        known += [mark.y for mark in self.marks if mark.y is not None]
        return (min(known), max(known)) if known else None

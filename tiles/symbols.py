"""The symbols of the map: own drawings on a field of 24 by 24, for facilities and pipe nodes.

A descriptor names them (``Style.symbols``). Each is dark with a light rim, so that it can be read
on a disc of any colour, in every look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tiles.drawing import Circle, Path, Point, Shape, rectangle

FIELD = 24
INK = "#17212b"
RIM = "#ffffff"
_PEN = 2.0
_RIM_WIDTH = 2.6


def _line(*points: Point, width: float = _PEN) -> Path:
    return Path(points, stroke=INK, width=width)


def _ring(*points: Point, width: float = _PEN) -> Path:
    return Path(points, closed=True, stroke=INK, width=width)


def _area(*points: Point) -> Path:
    return Path(points, closed=True, fill=INK)


def _dot(x: float, y: float, radius: float) -> Circle:
    return Circle(x, y, radius, fill=INK)


def _wheel(x: float, y: float, radius: float) -> Circle:
    return Circle(x, y, radius, stroke=INK, width=_PEN)


_WELL = _wheel(12, 12, 7.5)
_BOX = _ring(*rectangle(4.5, 4.5, 15, 15))

SYMBOLS: Mapping[str, tuple[Shape, ...]] = {
    "library": (
        _ring((3, 6), (12, 8.5), (21, 6), (21, 17.5), (12, 20), (3, 17.5)),
        _line((12, 8.5), (12, 20)),
    ),
    "museum": (
        _area((12, 3), (21.5, 9), (2.5, 9)),
        *(_line((x, 10), (x, 18)) for x in (5.5, 12.0, 18.5)),
        _line((3, 20), (21, 20)),
    ),
    "gallery": (
        _ring(*rectangle(3.5, 5, 17, 14)),
        _area((5.5, 17.5), (10, 10.5), (13.5, 15), (15.5, 13), (18.5, 17.5)),
        _dot(15.5, 9, 1.6),
    ),
    "concert_hall": (
        _dot(7.5, 17.5, 3),
        _dot(16.5, 15.5, 3),
        _line((9.7, 17), (9.7, 6), (18.7, 4), (18.7, 15)),
    ),
    "badminton": (
        _dot(7, 17.5, 3.2),
        _line((6, 14), (10, 4)),
        _line((8.5, 15), (16, 7)),
        _line((10.5, 17.5), (20, 13.5)),
        _line((10, 4), (16, 7), (20, 13.5)),
    ),
    "table_tennis": (
        _dot(10, 9, 5.5),
        _line((13.5, 13), (18, 19.5), width=3.2),
        _dot(19, 6, 2),
    ),
    "basketball": (
        _wheel(12, 12, 8),
        _line((4, 12), (20, 12)),
        _line((12, 4), (12, 20)),
        _line((6.5, 6.5), (9, 12), (6.5, 17.5)),
        _line((17.5, 6.5), (15, 12), (17.5, 17.5)),
    ),
    "dumbbell": (
        _line((6, 12), (18, 12), width=2.6),
        *(_line((x, 6), (x, 18), width=3) for x in (6.5, 17.5)),
        *(_line((x, 9), (x, 15), width=3) for x in (3, 21)),
    ),
    "walking_stick": (
        _dot(9, 4.5, 2.4),
        _line((9, 8), (8, 14.5), (5.5, 21), width=2.6),
        _line((8, 14.5), (11.5, 21), width=2.6),
        _line((9, 9), (16, 12.5)),
        _line((16, 21), (16, 11.5), (18.5, 11.5)),
    ),
    "wlan": (
        _dot(12, 19, 2),
        _line((8, 15.2), (10, 13.9), (14, 13.9), (16, 15.2)),
        _line((5, 11.6), (8.5, 9.4), (15.5, 9.4), (19, 11.6)),
        _line((2, 8), (7, 4.9), (17, 4.9), (22, 8)),
    ),
    "swimming": (
        _dot(17, 7.5, 2.4),
        _line((4, 13), (10, 8), (14.5, 13)),
        _line((3, 18), (6, 16.3), (9, 18), (12, 16.3), (15, 18), (18, 16.3), (21, 18)),
    ),
    "parking": (_line((9, 20), (9, 5), (14, 5), (17, 8), (14, 12), (9, 12), width=3.2),),
    "bicycle": (
        _wheel(6.2, 15.5, 3.7),
        _wheel(17.8, 15.5, 3.7),
        _line((6.2, 15.5), (10, 8.5), (15, 8.5), (17.8, 15.5)),
        _line((9, 10.5), (12, 15.5), (15, 8.5)),
    ),
    "cross": (
        _area(
            *((9.5, 4), (14.5, 4), (14.5, 9.5), (20, 9.5), (20, 14.5), (14.5, 14.5)),
            *((14.5, 20), (9.5, 20), (9.5, 14.5), (4, 14.5), (4, 9.5), (9.5, 9.5)),
        ),
    ),
    "hospital": (
        _line((7, 5), (7, 19), width=3.2),
        _line((17, 5), (17, 19), width=3.2),
        _line((7, 12), (17, 12), width=3.2),
    ),
    "tree": (_dot(12, 9, 6), _line((12, 13), (12, 21), width=2.6)),
    "toilet": (
        _dot(7, 5, 2.2),
        _area((4, 8.5), (10, 8.5), (9, 15), (9, 21), (5, 21), (5, 15)),
        _dot(17, 5, 2.2),
        _area((17, 8.5), (21, 16), (19, 16), (19, 21), (15, 21), (15, 16), (13, 16)),
    ),
    "charging": (_area((14, 2.5), (5.5, 13.5), (11, 13.5), (9.5, 21.5), (18.5, 10), (12.5, 10)),),
    "mountain": (_area((1.5, 19.5), (9, 5), (13.5, 13), (16, 9.5), (22.5, 19.5)),),
    "school": (
        _area((12, 4.5), (22, 9.5), (12, 14.5), (2, 9.5)),
        _line((6, 12.5), (6, 17), (12, 19.5), (18, 17), (18, 12.5)),
    ),
    "metro": (_line((4.5, 19), (4.5, 6), (12, 14.5), (19.5, 6), (19.5, 19), width=3),),
    "hall": (
        _ring(*rectangle(4, 11.5, 16, 8.5)),
        _line((12, 11.5), (12, 3.5)),
        _area((12, 3), (19, 5.2), (12, 7.5)),
        _area(*rectangle(10.3, 15, 3.4, 5)),
    ),
    "star": (
        _area(
            *((12, 3), (14.5, 9), (21, 9.5), (16, 13.8), (17.6, 20.3)),
            *((12, 16.8), (6.4, 20.3), (8, 13.8), (3, 9.5), (9.5, 9)),
        ),
    ),
    "manhole": (_WELL, _dot(12, 12, 2.6)),
    "storm-manhole": (_WELL, _line((5, 12), (19, 12))),
    "sewer-manhole": (_WELL, _line((12, 5), (12, 19))),
    "cable-manhole": (_WELL, _line((7, 7), (17, 17)), _line((17, 7), (7, 17))),
    "hand-hole": (_BOX, _line((5, 19), (19, 5))),
    "gully": (_ring(*rectangle(3.5, 7, 17, 10)), *(_line((x, 7), (x, 17)) for x in (8, 12, 16))),
    "valve": (_area((3, 6), (12, 12), (3, 18)), _area((21, 6), (12, 12), (21, 18))),
    "air-valve": (_ring((12, 4.5), (20, 19), (4, 19)), _line((12, 10), (12, 16))),
    "hydrant": (_dot(12, 14.5, 5.5), _line((12, 9), (12, 3.5)), _line((6.5, 4), (17.5, 4))),
    "meter": (_WELL, _line((12, 13), (16, 8))),
    "drip-pot": (_ring((4, 6), (20, 6), (16, 19), (8, 19)),),
}
"""The shapes of each symbol, in ink."""


def symbol_shapes(name: str) -> tuple[Shape, ...]:
    """The shapes of a symbol with its rim, on a field of ``FIELD`` by ``FIELD``."""
    shapes = SYMBOLS[name]
    return (*(_rimmed(shape) for shape in shapes), *shapes)


def _rimmed(shape: Shape) -> Shape:
    """The light shape below another one that reaches out around it."""
    if isinstance(shape, Path):
        fill, width = (RIM, _RIM_WIDTH) if shape.fill else (None, shape.width + _RIM_WIDTH)
        return replace(shape, fill=fill, stroke=RIM, width=width)
    if isinstance(shape, Circle):
        fill, width = (RIM, _RIM_WIDTH) if shape.fill else (None, shape.width + _RIM_WIDTH)
        return replace(shape, fill=fill, stroke=RIM, width=width)
    return shape

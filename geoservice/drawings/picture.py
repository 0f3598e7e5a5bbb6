"""A scene as a picture: SVG, or PNG of twice as many pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from geoservice.drawings.scene import Mark, Oval, Scene, one_line
from layers.errors import FontMissing
from tiles.drawing import Drawing, Path, Shape, Text, draw_image, png_bytes, rectangle, write_svg
from tiles.fonts import chinese_font, estimated_width

_WIDTH = 1000.0
_LEFT, _RIGHT, _TOP, _PLOT = 60.0, 20.0, 58.0, 320.0
_ROW, _SMALL, _LARGE = 19.0, 12.0, 15.0
_INK, _GREY, _GRID, _PAPER = "#222b33", "#6b747d", "#e3e7eb", "#ffffff"
_PIXELS = 2
_LEAST_RADIUS = 3.0
_CORNERS = 32
MAX_ROWS = 50


def scene_svg(scene: Scene) -> bytes:
    """The drawing with its table, in fonts of the reader; the elevations are exaggerated."""
    return write_svg(_drawing(scene), scene.title)


def scene_png(scene: Scene) -> bytes:
    """The same as pixels.

    Raises:
        FontMissing: the machine has no font for Chinese.
    """
    if chinese_font() is None:
        raise FontMissing
    return png_bytes(draw_image(_drawing(scene), _PIXELS))


@dataclass(frozen=True)
class _Scale:
    """Where metres lie on the picture."""

    length_m: float
    low_m: float
    high_m: float

    def x(self, distance_m: float) -> float:
        return _LEFT + distance_m / self.length_m * (_WIDTH - _LEFT - _RIGHT)

    def y(self, elevation_m: float) -> float:
        return _TOP + (self.high_m - elevation_m) / (self.high_m - self.low_m) * _PLOT

    @property
    def px_per_m(self) -> tuple[float, float]:
        across = (_WIDTH - _LEFT - _RIGHT) / self.length_m
        return across, _PLOT / (self.high_m - self.low_m)


def _drawing(scene: Scene) -> Drawing:
    known = scene.elevations
    low, high = known or (0.0, 1.0)
    # Air above and below; a flat section would have no height at all.
    air = max(0.3, (high - low) * 0.12)
    scale = _Scale(scene.length_m, low - air, high + air)
    shapes: list[Shape] = [Text(_LEFT, 24, scene.title, _LARGE, _INK)]
    shapes += _grid(scale, has_elevations=known is not None)
    for line in scene.lines:
        points = tuple((scale.x(x), scale.y(y)) for x, y in line.points)
        shapes.append(Path(points, stroke=line.color, width=line.width_px))
    shapes += [_oval(oval, scale) for oval in scene.ovals]
    shapes += _marks(scene.marks, scale)
    y = _TOP + _PLOT + 44
    for shape_y, part in _table(scene, y):
        shapes += part
        y = shape_y
    return Drawing(_WIDTH, round(y + 12), tuple(shapes), _PAPER)


def _grid(scale: _Scale, *, has_elevations: bool) -> Iterator[Shape]:
    bottom, right = _TOP + _PLOT, _WIDTH - _RIGHT
    if has_elevations:
        for value in _steps(scale.low_m, scale.high_m, 6):
            y = scale.y(value)
            yield Path(((_LEFT, y), (right, y)), stroke=_GRID)
            yield _text(_LEFT - 6, y + 4, f"{value:g}", 1.0)
        yield _text(_LEFT + 6, _TOP + 16, "高程 elevation m", 0.0)
    else:
        yield _text((_LEFT + right) / 2, _TOP + 20, "高程均不详 no elevation is known", 0.5)
    for value in _steps(0.0, scale.length_m, 10):
        x = scale.x(value)
        yield Path(((x, bottom), (x, bottom + 5)), stroke=_GREY)
        yield _text(x, bottom + 18, f"{value:g}", 0.5)
    yield _text(right - 6, bottom - 8, "里程 distance m", 1.0)
    yield Path(rectangle(_LEFT, _TOP, right - _LEFT, _PLOT), closed=True, stroke=_GREY)


def _steps(low: float, high: float, about: int) -> Iterator[float]:
    """Round numbers between two, about so many."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough * 0.999)
    for number in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1):
        yield round(number * step, 6)


def _text(x: float, y: float, text: str, share: float, color: str = _GREY) -> Text:
    """A small text, so much of which lies before ``x``."""
    return Text(x - share * estimated_width(text, _SMALL), y, text, _SMALL, color)


def _oval(oval: Oval, scale: _Scale) -> Path:
    """A pipe as large as it is on both scales, or as large as can be seen."""
    across, up = scale.px_per_m
    reach = (
        max(_LEAST_RADIUS, oval.width / 2 * across),
        max(_LEAST_RADIUS, oval.height / 2 * up),
    )
    turns = [2 * math.pi * n / _CORNERS for n in range(_CORNERS)]
    x, y = scale.x(oval.x), scale.y(oval.y)
    corners = tuple((x + reach[0] * math.cos(t), y + reach[1] * math.sin(t)) for t in turns)
    return Path(corners, closed=True, fill=oval.color, stroke=_INK)


def _marks(marks: tuple[Mark, ...], scale: _Scale) -> Iterator[Shape]:
    """Tags in two rows above and below the frame's upper edge, as far as there is room for them."""
    ends = [-math.inf, -math.inf]
    for mark in marks:
        x = scale.x(mark.x)
        if mark.y is None:
            yield from _dashes(x, mark.color)
            is_last = x > _WIDTH - _RIGHT - _SMALL
            yield _text(x - 3 if is_last else x + 3, _TOP + _PLOT - 6, "?", float(is_last), _INK)
        tag = one_line(mark.tag)
        wide = estimated_width(tag, _SMALL)
        row = next((n for n in (0, 1) if x - wide / 2 > ends[n] + 3), None)
        if row is not None:
            ends[row] = x + wide / 2
            yield _text(x, _TOP - 5 - row * 14, tag, 0.5, _INK)


def _dashes(x: float, color: str) -> Iterator[Path]:
    for top in range(int(_TOP), int(_TOP + _PLOT), 10):
        yield Path(((x, float(top)), (x, min(top + 5.0, _TOP + _PLOT))), stroke=color, width=1.5)


def _table(scene: Scene, y: float) -> Iterator[tuple[float, list[Shape]]]:
    """The rows of the table and the remarks, each with where the next one stands."""
    titles = tuple(column.title for column in scene.columns)
    for number, row in enumerate((titles, *scene.rows[:MAX_ROWS])):
        texts: list[Shape] = []
        x = _LEFT - 40
        for column, text in zip(scene.columns, row, strict=True):
            color = _INK if number else _GREY
            texts.append(Text(x, y, _fitting(one_line(text), column.width_px - 6), _SMALL, color))
            x += column.width_px
        y += _ROW
        yield y, texts
    more = len(scene.rows) - MAX_ROWS
    left_out = (f"另有 {more} 行未列 {more} more rows are not listed",) if more > 0 else ()
    for remark in (*left_out, *scene.remarks):
        yield y + _ROW, [Text(_LEFT - 40, y + 4, remark, _SMALL, _GREY)]
        y += _ROW


def _fitting(text: str, width: float) -> str:
    """A text cut until it is as wide as its column."""
    if estimated_width(text, _SMALL) <= width:
        return text
    while text and estimated_width(text + "…", _SMALL) > width:
        text = text[:-1]
    return text + "…"

"""Small pictures of figures over time, for pages that have no charts of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from layers.errors import FontMissing
from layers.series import Point, Steps
from tiles.drawing import Drawing, Path, Shape, Text, draw_image, png_bytes, rectangle, write_svg
from tiles.fonts import chinese_font, estimated_width

_WIDTH, _HEIGHT = 480, 160
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 28, 24
_LINE, _CAPACITY, _INK, _GRID, _PAPER = "#2f6fb2", "#9aa3ad", "#222b33", "#e3e7eb", "#ffffff"
_SMALL, _LARGE = 11.0, 13.0
_PIXELS = 2
"""Of a PNG for each unit of the SVG."""

Values = Sequence[tuple[Point, float | None]]


def chart_svg(name: str, values: Values, steps: Steps, *, unit: str | None) -> bytes:
    """An SVG of 480 by 160: the values as a line with gaps, the capacity above it in grey."""
    return write_svg(_drawing(name, values, steps, unit), _title(name, unit))


def chart_png(name: str, values: Values, steps: Steps, *, unit: str | None) -> bytes:
    """The same as a PNG of twice as many pixels.

    Raises:
        FontMissing: the machine has no font for Chinese.
    """
    if chinese_font() is None:
        raise FontMissing
    return png_bytes(draw_image(_drawing(name, values, steps, unit), _PIXELS))


def _title(name: str, unit: str | None) -> str:
    return f"{name} · {unit}" if unit else f"{name} · 可用 available"


def _drawing(name: str, values: Values, steps: Steps, unit: str | None) -> Drawing:
    most = max((v for v in _numbers(values)), default=0.0) or 1.0
    shapes: list[Shape] = [Text(_LEFT, 17, _title(name, unit), _LARGE, _INK)]
    shapes += [*_axes(steps, most), *_lines(values, steps, most)]
    if not any(value is not None for _, value in values):
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        shapes.append(_text(middle, _HEIGHT / 2, "暂无数据 no figures", 0.5, _CAPACITY))
    return Drawing(_WIDTH, _HEIGHT, tuple(shapes), _PAPER)


def _text(x: float, y: float, text: str, share: float, color: str = _INK) -> Text:
    """A small text, so much of which lies before ``x``."""
    return Text(x - share * estimated_width(text, _SMALL), y, text, _SMALL, color)


def _numbers(values: Values) -> Iterator[float]:
    for point, value in values:
        if value is not None:
            yield value
        if point.capacity is not None:
            yield float(point.capacity)


def _axes(steps: Steps, most: float) -> Iterator[Shape]:
    bottom = _HEIGHT - _BOTTOM
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - _TOP)
        yield Path(rectangle(_LEFT, y - 0.5, _WIDTH - _LEFT - _RIGHT, 1), closed=True, fill=_GRID)
        yield _text(_LEFT - 6, y + 4, f"{most * share:g}", 1.0)
    is_long = (steps.end - steps.begin).days > 1
    form = "%m-%d" if is_long else "%H:%M"
    for share in (0.0, 0.5, 1.0):
        at = (steps.begin + share * (steps.end - steps.begin)).astimezone(steps.zone)
        x = _LEFT + share * (_WIDTH - _LEFT - _RIGHT)
        yield _text(x, _HEIGHT - 8, at.strftime(form), share)


def _lines(values: Values, steps: Steps, most: float) -> Iterator[Shape]:
    capacity = [(p.start, None if p.capacity is None else float(p.capacity)) for p, _ in values]
    yield from _line(capacity, steps, most, _CAPACITY, 1)
    figures = [(point.start, value) for point, value in values]
    yield from _line(figures, steps, most, _LINE, 2)


def _line(
    points: Sequence[tuple[datetime, float | None]],
    steps: Steps,
    most: float,
    color: str,
    width: float,
) -> Iterator[Shape]:
    """A stepped line: a value holds for its step, and where there is none there is a gap."""
    across, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    span = (steps.end - steps.begin).total_seconds()
    drawn: list[tuple[float, float]] = []
    for number, (start, value) in enumerate(points):
        if value is None:
            if drawn:
                yield Path(tuple(drawn), stroke=color, width=width)
            drawn = []
            continue
        end = points[number + 1][0] if number + 1 < len(points) else steps.end
        y = _TOP + down * (1 - max(0.0, value) / most)
        drawn += [
            (_LEFT + across * ((at - steps.begin).total_seconds() / span), y) for at in (start, end)
        ]
    if drawn:
        yield Path(tuple(drawn), stroke=color, width=width)

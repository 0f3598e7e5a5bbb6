"""Small pictures of figures over time, for pages that have no charts of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from layers.series import Point, Steps

_WIDTH, _HEIGHT = 480, 160
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 28, 24
_LINE, _CAPACITY, _INK = "#2f6fb2", "#9aa3ad", "#222b33"

Values = Sequence[tuple[Point, float | None]]


def series_chart(name: str, values: Values, steps: Steps, *, unit: str | None) -> str:
    """An SVG of 480 by 160 pixels: the values as a line with gaps, the capacity dashed above."""
    most = max((v for v in _numbers(values)), default=0.0) or 1.0
    title = f"{name} · {unit}" if unit else f"{name} · 可用 available"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="11" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="17" fill="{_INK}" font-size="13">{escape(title)}</text>',
        *_axes(steps, most),
        *_lines(values, steps, most),
    ]
    if not any(value is not None for _, value in values):
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(
            f'<text x="{middle}" y="{_HEIGHT / 2}" text-anchor="middle" fill="{_CAPACITY}">'
            "暂无数据 no figures</text>"
        )
    return "".join([*parts, "</svg>"])


def _numbers(values: Values) -> Iterator[float]:
    for point, value in values:
        if value is not None:
            yield value
        if point.capacity is not None:
            yield float(point.capacity)


def _axes(steps: Steps, most: float) -> Iterator[str]:
    bottom = _HEIGHT - _BOTTOM
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - _TOP)
        yield (
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:g}" y2="{y:g}" stroke="#e3e7eb"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:g}" text-anchor="end" fill="{_INK}">'
            f"{most * share:g}</text>"
        )
    is_long = (steps.end - steps.begin).days > 1
    form = "%m-%d" if is_long else "%H:%M"
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        at = (steps.begin + share * (steps.end - steps.begin)).astimezone(steps.zone)
        x = _LEFT + share * (_WIDTH - _LEFT - _RIGHT)
        yield (
            f'<text x="{x:g}" y="{_HEIGHT - 8}" text-anchor="{anchor}" fill="{_INK}">'
            f"{at.strftime(form)}</text>"
        )


def _lines(values: Values, steps: Steps, most: float) -> Iterator[str]:
    capacity = [(p.start, None if p.capacity is None else float(p.capacity)) for p, _ in values]
    yield from _line(capacity, steps, most, f'stroke="{_CAPACITY}" stroke-dasharray="4 3"')
    figures = [(point.start, value) for point, value in values]
    yield from _line(figures, steps, most, f'stroke="{_LINE}" stroke-width="2"')


def _line(
    points: Sequence[tuple[datetime, float | None]], steps: Steps, most: float, style: str
) -> Iterator[str]:
    """A stepped line: a value holds for its step, and where there is none there is a gap."""
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    span = (steps.end - steps.begin).total_seconds()
    drawn, is_down = [], False
    for number, (start, value) in enumerate(points):
        if value is None:
            is_down = False
            continue
        end = points[number + 1][0] if number + 1 < len(points) else steps.end
        y = _TOP + height * (1 - max(0.0, value) / most)
        begin_x, end_x = (
            _LEFT + width * ((at - steps.begin).total_seconds() / span) for at in (start, end)
        )
        drawn.append(f"{'L' if is_down else 'M'}{begin_x:.1f} {y:.1f}H{end_x:.1f}")
        is_down = True
    if drawn:
        yield f'<path d="{"".join(drawn)}" fill="none" {style}/>'

"""Legends as pictures: one drawing for SVG and PNG, in Chinese, English or both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from shapely import LineString, box

from layers.access import Clearance
from layers.base import Attribute, Layer, Title
from layers.errors import FontMissing
from tiles.drawing import (
    Circle,
    Drawing,
    Path,
    Shape,
    Text,
    draw_image,
    moved,
    png_bytes,
    rectangle,
    write_svg,
)
from tiles.fonts import chinese_font, estimated_width
from tiles.legend import LegendEntry, legend_entries
from tiles.looks import Look
from tiles.sprites import pattern, pattern_codes
from tiles.symbols import FIELD, SYMBOLS, symbol_shapes

Language = Literal["zh", "en", "both"]

_MARGIN = 12
_ROW = 24
_TITLE_SIZE = 15
_TEXT_SIZE = 13
_SWATCH_WIDTH, _SWATCH_HEIGHT = 30, 16
_TEXT_X = _MARGIN + _SWATCH_WIDTH + 10


@dataclass(frozen=True)
class LegendOptions:
    """How a legend is drawn, and for whom."""

    level: Clearance
    look: Look
    language: Language = "both"


@dataclass(frozen=True)
class _Row:
    title: Title
    swatch: tuple[Shape, ...]


def legend_svg(layer: Layer, options: LegendOptions) -> bytes:
    """The legend of a layer as SVG, its texts in fonts of the reader."""
    return write_svg(legend_drawing(layer, options), _in_language(layer.title, options.language))


def legend_png(layer: Layer, options: LegendOptions, ratio: int = 2) -> bytes:
    """The legend of a layer as PNG.

    Args:
        ratio: Pixels for each unit of the SVG.

    Raises:
        FontMissing: there is Chinese to write and the machine has no font for it.
    """
    if options.language != "en" and chinese_font() is None:
        raise FontMissing
    return png_bytes(draw_image(legend_drawing(layer, options), ratio))


def legend_drawing(layer: Layer, options: LegendOptions) -> Drawing:
    """The rows of a layer's legend below its title; promises nothing that the level cannot see."""
    look = options.look
    title = _in_language(layer.title, options.language)
    shapes: list[Shape] = [Text(_MARGIN, _MARGIN + _TITLE_SIZE, title, _TITLE_SIZE, look.ink)]
    widths = [_MARGIN + estimated_width(title, _TITLE_SIZE)]
    y = _MARGIN + _TITLE_SIZE + 10.0
    for row in (*_coded_rows(layer, options), *_symbol_rows(layer, options)):
        text = _in_language(row.title, options.language)
        shapes += moved(row.swatch, _MARGIN, y + (_ROW - _SWATCH_HEIGHT) / 2)
        shapes.append(Text(_TEXT_X, y + _ROW / 2 + _TEXT_SIZE * 0.36, text, _TEXT_SIZE, look.ink))
        widths.append(_TEXT_X + estimated_width(text, _TEXT_SIZE))
        y += _ROW
    return Drawing(
        round(max(widths) + _MARGIN), round(y + _MARGIN / 2), tuple(shapes), look.background
    )


def _coded_rows(layer: Layer, options: LegendOptions) -> Iterator[_Row]:
    for entry in legend_entries(layer, options.level, options.look):
        yield _Row(entry.title, _swatch(layer, entry, options.look))


def _symbol_rows(layer: Layer, options: LegendOptions) -> Iterator[_Row]:
    """What the symbols mean, each once; words that have one in common stand in one row."""
    by = layer.attribute.get(layer.style.symbol_by or "")
    if by is None or by not in layer.attributes_at(options.level):
        return
    values: dict[str, list[str]] = {}
    for value, symbol in layer.style.symbols.items():
        values.setdefault(symbol, []).append(value)
    for symbol, alike in values.items():
        if symbol in SYMBOLS:
            yield _Row(_meaning(by, symbol, alike), moved(symbol_shapes(symbol), 5, -2, 20 / FIELD))


def _meaning(by: Attribute, symbol: str, values: list[str]) -> Title:
    """Titles of codes; values without a list are Chinese words, beside the symbol's English one."""
    if by.codes is None:
        return Title(symbol.replace("-", " ").capitalize(), "、".join(values))
    titles = [by.codes.by_code[value].title for value in values]
    return Title(", ".join(one.en for one in titles), "、".join(one.zh for one in titles))


def _swatch(layer: Layer, entry: LegendEntry, look: Look) -> tuple[Shape, ...]:
    """A line, an area or a dot as the look draws it, in a box of the swatch's size."""
    width, height = _SWATCH_WIDTH, _SWATCH_HEIGHT
    outline = layer.style.outline
    if entry.shape == "circle":
        rim = look.line("#5b6470")
        return (Circle(width / 2, height / 2, 5.5, fill=entry.color, stroke=rim),)
    if entry.shape == "line":
        line = ((2.0, height / 2), (width - 2.0, height / 2))
        drawn = Path(line, stroke=entry.color, width=4)
        casing = Path(line, stroke=look.casing(outline), width=6) if outline else None
        return (casing, drawn) if casing else (drawn,)
    edge = look.outline(outline or "#5b6470")
    corners = rectangle(1, 1, width - 2, height - 2)
    fill = Path(corners, closed=True, fill=entry.color)
    frame = Path(corners, closed=True, stroke=edge, width=0.8)
    return (fill, *_hatch(layer, entry, look), frame)


def _hatch(layer: Layer, entry: LegendEntry, look: Look) -> tuple[Shape, ...]:
    """The pattern of an area in print, as much of it as the swatch holds."""
    if not (look.is_for_paper and layer.style.color_by):
        return ()
    codes = [code for code, _ in pattern_codes(layer)]
    colors = dict(pattern_codes(layer))
    tile = pattern(codes.index(entry.code), look.line(colors[entry.code]), look)
    return tuple(
        cut
        for x in (0.0, 16.0)
        for shape in moved(tile.shapes, x, 0)
        if (cut := _within_swatch(shape)) is not None
    )


def _within_swatch(shape: Shape) -> Shape | None:
    """A part of a pattern cut to the swatch; None where nothing of it is left."""
    left, top, right, bottom = 1.0, 1.0, _SWATCH_WIDTH - 1.0, _SWATCH_HEIGHT - 1.0
    if isinstance(shape, Circle):
        inside = left < shape.x - 1 and shape.x + 1 < right
        return shape if inside else None
    if not isinstance(shape, Path):
        return None
    line = LineString(shape.points).intersection(box(left, top, right, bottom))
    if not isinstance(line, LineString) or line.is_empty:
        return None
    return replace(shape, points=tuple((x, y) for x, y in line.coords))


def _in_language(title: Title, language: Language) -> str:
    if language == "both":
        return title.zh if title.zh == title.en else f"{title.zh} {title.en}"
    return title.zh if language == "zh" else title.en

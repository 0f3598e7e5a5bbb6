"""Sprites: the sheet of symbols and print patterns that a MapLibre style refers to.

A sheet is made from the descriptors of the layers that a level may see, so it names no code of a
theme that is hidden from it. The same layers give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from PIL import Image

from layers.base import Layer
from tiles.colors import clear_of
from tiles.drawing import Circle, Drawing, Path, Shape, draw_image, png_bytes
from tiles.looks import Look
from tiles.symbols import FIELD, SYMBOLS, symbol_shapes

RATIOS = (1, 2)
"""Pixels of a sheet for each pixel of the map; the second is ``@2x``."""

_PATTERN_FIELD = 16
_PATTERN_CONTRAST = 1.9
_COLUMNS = 10
_GAP = 2
"""Between two pictures, so that none takes colour from its neighbour when it is scaled."""


@dataclass(frozen=True)
class Sprite:
    """A sheet: its index, as the style specification has it, and the picture as PNG."""

    index: dict[str, dict[str, Any]]
    png: bytes


def symbol_name(symbol: str) -> str:
    """The name of a symbol in the sheet."""
    return f"symbol-{symbol}"


def pattern_name(layer: Layer, code: str) -> str:
    """The name of the pattern of a code of an area layer; no code is the layer's own."""
    return f"pattern-{layer.name}-{code}" if code else f"pattern-{layer.name}"


def pattern_codes(layer: Layer) -> tuple[tuple[str, str], ...]:
    """Codes of an area layer and their colours; the first one, without code, is the layer's own."""
    if layer.geometry_type.dimension < 2:
        return ()
    codes = layer.attribute[layer.style.color_by].codes if layer.style.color_by else None
    coded = ((one.code, one.color) for one in (codes.codes if codes else ()) if one.color)
    return ("", layer.style.color), *coded


@lru_cache(maxsize=64)
def make_sprite(layers: tuple[Layer, ...], look: Look, ratio: int) -> Sprite:
    """The sheet of layers; patterns are in the one for paper only.

    Args:
        ratio: One of ``RATIOS``.
    """
    pictures = dict(_pictures(layers, look))
    cell = FIELD + _GAP
    rows = -(-len(pictures) // _COLUMNS) or 1
    sheet = Image.new("RGBA", (cell * _COLUMNS * ratio, cell * rows * ratio))
    index = {}
    for place, (name, drawing) in enumerate(sorted(pictures.items())):
        x, y = place % _COLUMNS * cell * ratio, place // _COLUMNS * cell * ratio
        picture = draw_image(drawing, ratio)
        sheet.paste(picture, (x, y))
        width, height = picture.size
        index[name] = {"x": x, "y": y, "width": width, "height": height, "pixelRatio": ratio}
    return Sprite(index, png_bytes(sheet))


def _pictures(layers: Sequence[Layer], look: Look) -> Iterator[tuple[str, Drawing]]:
    for layer in layers:
        for symbol in layer.style.symbols.values():
            if symbol in SYMBOLS:
                yield symbol_name(symbol), Drawing(FIELD, FIELD, symbol_shapes(symbol))
        if look.is_for_paper:
            for place, (code, color) in enumerate(pattern_codes(layer)):
                yield pattern_name(layer, code), pattern(place, look.line(color), look)


def pattern(place: int, color: str, look: Look) -> Drawing:
    """A hatch that joins on all sides, another one for each place in a list of codes."""
    color = clear_of(color, look.background, _PATTERN_CONTRAST)
    shapes = _HATCHES[place % len(_HATCHES)]
    inked = tuple(_inked(shape, color) for shape in shapes)
    return Drawing(_PATTERN_FIELD, _PATTERN_FIELD, inked)


def _inked(shape: Path | Circle, color: str) -> Shape:
    if isinstance(shape, Circle):
        return Circle(shape.x, shape.y, shape.radius, fill=color)
    return Path(shape.points, stroke=color, width=shape.width)


def _diagonals(step: int, *, falling: bool = False) -> tuple[Path, ...]:
    size = _PATTERN_FIELD
    starts = range(-size, 2 * size, step)
    lines = [((x - 1.0, size + 1.0), (x + size + 1.0, -1.0)) for x in starts]
    if falling:
        lines = [((x0, size - y0), (x1, size - y1)) for (x0, y0), (x1, y1) in lines]
    return tuple(Path(line, width=0.8) for line in lines)


def _rows(step: int) -> tuple[Path, ...]:
    size = _PATTERN_FIELD
    ys = range(step // 2, size, step)
    return tuple(Path(((-1, y), (size + 1, y)), width=0.8) for y in ys)


def _columns(step: int) -> tuple[Path, ...]:
    return tuple(Path(tuple((y, x) for x, y in row.points), width=0.8) for row in _rows(step))


def _dots(radius: float) -> tuple[Circle, ...]:
    quarter = _PATTERN_FIELD / 4
    return (Circle(quarter, quarter, radius), Circle(3 * quarter, 3 * quarter, radius))


_WAVES = tuple(
    Path(tuple((x, y + (1.2 if x // 4 % 2 else -1.2)) for x in range(-2, 20, 4)), width=0.8)
    for y in (4, 12)
)

_HATCHES: tuple[tuple[Path | Circle, ...], ...] = (
    _diagonals(8),
    _dots(1.1),
    _diagonals(8, falling=True),
    _rows(8),
    _columns(8),
    (*_rows(16), *_columns(16)),
    _diagonals(16),
    (*_diagonals(16), *_diagonals(16, falling=True)),
    _WAVES,
    _dots(0.7),
    _rows(16),
    _columns(16),
    _diagonals(16, falling=True),
)
"""Hatches by place; as many as land has uses, the ninth for the water among them."""

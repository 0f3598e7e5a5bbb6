"""Small drawings made once and written as SVG or as pixels: symbols, patterns, legends.

Units are pixels at the usual scale, x to the right and y down.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from xml.etree import ElementTree as ET

from PIL import Image, ImageColor, ImageDraw

from tiles.fonts import FONT_FAMILIES, load_font

SVG = "http://www.w3.org/2000/svg"
_FINER = 4
"""Lines are drawn so many times larger and scaled down, which smooths their edges."""

_MOST_AT_ONCE = 16_000_000
"""Of the finer pixels; of a larger drawing, bands are drawn one after another."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Path:
    """A line through points, or an area within them; None paints nothing."""

    points: tuple[Point, ...]
    closed: bool = False
    fill: str | None = None
    stroke: str | None = None
    width: float = 1.0


@dataclass(frozen=True)
class Circle:
    """A circle around a point."""

    x: float
    y: float
    radius: float
    fill: str | None = None
    stroke: str | None = None
    width: float = 1.0


@dataclass(frozen=True)
class Text:
    """A line of text that begins at ``x`` and stands on ``y``."""

    x: float
    y: float
    text: str
    size: float
    color: str


Shape = Path | Circle | Text


@dataclass(frozen=True)
class Drawing:
    """Shapes, the later ones above; without a background it is transparent."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    background: str | None = None


def rectangle(x: float, y: float, width: float, height: float) -> tuple[Point, ...]:
    """The corners of a box."""
    return ((x, y), (x + width, y), (x + width, y + height), (x, y + height))


def moved(shapes: Iterable[Shape], x: float, y: float, scale: float = 1.0) -> tuple[Shape, ...]:
    """Shapes scaled around the origin and then moved."""
    return tuple(_moved(shape, x, y, scale) for shape in shapes)


def _moved(shape: Shape, x: float, y: float, scale: float) -> Shape:
    if isinstance(shape, Path):
        points = tuple((x + px * scale, y + py * scale) for px, py in shape.points)
        return replace(shape, points=points, width=shape.width * scale)
    x, y = x + shape.x * scale, y + shape.y * scale
    if isinstance(shape, Circle):
        return replace(shape, x=x, y=y, radius=shape.radius * scale, width=shape.width * scale)
    return replace(shape, x=x, y=y, size=shape.size * scale)


def write_svg(drawing: Drawing, title: str) -> bytes:
    """A drawing as an SVG document of its own; texts are written in fonts of the reader."""
    ET.register_namespace("", SVG)
    width, height = _number(drawing.width), _number(drawing.height)
    root = ET.Element(
        f"{{{SVG}}}svg",
        {"width": width, "height": height, "viewBox": f"0 0 {width} {height}", "role": "img"},
    )
    ET.SubElement(root, f"{{{SVG}}}title").text = title
    if drawing.background:
        box = {"width": width, "height": height, "fill": drawing.background}
        ET.SubElement(root, f"{{{SVG}}}rect", box)
    for shape in drawing.shapes:
        _add_to_svg(root, shape)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _add_to_svg(root: ET.Element, shape: Shape) -> None:
    if isinstance(shape, Text):
        attributes = {"fill": shape.color, "font-family": FONT_FAMILIES}
        at = {"x": shape.x, "y": shape.y, "font-size": shape.size}
        text = ET.SubElement(root, f"{{{SVG}}}text", attributes | _numbers(at))
        text.text = shape.text
        return
    paint = {"fill": shape.fill or "none"}
    if shape.stroke:
        paint |= {"stroke": shape.stroke, "stroke-width": _number(shape.width)}
    if isinstance(shape, Circle):
        at = {"cx": shape.x, "cy": shape.y, "r": shape.radius}
        ET.SubElement(root, f"{{{SVG}}}circle", _numbers(at) | paint)
        return
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in shape.points)
    rounded = {"stroke-linecap": "round", "stroke-linejoin": "round"} if shape.stroke else {}
    kind = "polygon" if shape.closed else "polyline"
    ET.SubElement(root, f"{{{SVG}}}{kind}", {"points": points} | paint | rounded)


def _numbers(values: dict[str, float]) -> dict[str, str]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def draw_image(drawing: Drawing, ratio: int = 1) -> Image.Image:
    """A drawing as pixels with transparency, ``ratio`` of them for each unit.

    Texts need a font of the machine; characters that it lacks come out as boxes.
    """
    size = (round(drawing.width * ratio), round(drawing.height * ratio))
    image = Image.new("RGBA", size, _rgba(drawing.background))
    scaled = moved(
        (shape for shape in drawing.shapes if not isinstance(shape, Text)), 0, 0, ratio * _FINER
    )
    rows = max(1, _MOST_AT_ONCE // (size[0] * _FINER**2))
    for top in range(0, size[1], rows):
        height = min(rows, size[1] - top)
        shapes = [one for one in scaled if _reaches(one, top * _FINER, (top + height) * _FINER)]
        if shapes:
            band = _draw_band(shapes, (size[0], height), top, drawing.background)
            image.paste(band, (0, top))
    pen = ImageDraw.Draw(image)
    for shape in drawing.shapes:
        if isinstance(shape, Text):
            font = load_font(shape.size * ratio)
            at = (shape.x * ratio, shape.y * ratio)
            pen.text(at, shape.text, fill=_rgba(shape.color), font=font, anchor="ls")
    return image


def _reaches(shape: Shape, top: float, bottom: float) -> bool:
    """Whether any of a shape may lie between two heights."""
    if isinstance(shape, Path):
        heights = [y for _, y in shape.points]
        low, high, reach = min(heights), max(heights), shape.width
    elif isinstance(shape, Circle):
        low, high, reach = shape.y, shape.y, shape.radius + shape.width
    else:
        return False
    return low - reach - 1 <= bottom and high + reach + 1 >= top


def _draw_band(
    shapes: Sequence[Shape], size: tuple[int, int], top: int, background: str | None
) -> Image.Image:
    """The pixels of a drawing from ``top`` on, of shapes in finer pixels."""
    large = Image.new("RGBA", (size[0] * _FINER, size[1] * _FINER), _rgba(background))
    pen = ImageDraw.Draw(large)
    for shape in moved(shapes, 0, -top * _FINER):
        _draw(pen, shape)
    # Colours of transparent pixels must not bleed into the edges.
    return large.convert("RGBa").resize(size, Image.Resampling.BOX).convert("RGBA")


def png_bytes(image: Image.Image) -> bytes:
    """An image as PNG; equal images give equal bytes."""
    held = io.BytesIO()
    image.save(held, "PNG", optimize=True)
    return held.getvalue()


def _draw(pen: ImageDraw.ImageDraw, shape: Shape) -> None:
    if isinstance(shape, Circle):
        _draw_circle(pen, shape)
    elif isinstance(shape, Path):
        _draw_path(pen, shape)


def _draw_circle(pen: ImageDraw.ImageDraw, shape: Circle) -> None:
    reach = shape.radius + (shape.width / 2 if shape.stroke else 0)
    box = (shape.x - reach, shape.y - reach, shape.x + reach, shape.y + reach)
    fill = _rgba(shape.fill) if shape.fill else None
    if shape.stroke:
        pen.ellipse(box, fill, _rgba(shape.stroke), max(1, round(shape.width)))
    else:
        pen.ellipse(box, fill)


def _draw_path(pen: ImageDraw.ImageDraw, shape: Path) -> None:
    if shape.fill:
        pen.polygon(shape.points, fill=_rgba(shape.fill))
    if not shape.stroke:
        return
    line = (*shape.points, *shape.points[:1]) if shape.closed else shape.points
    pen.line(line, _rgba(shape.stroke), max(1, round(shape.width)), joint="curve")
    for x, y in _ends(line):
        _draw_circle(pen, Circle(x, y, shape.width / 2, fill=shape.stroke))


def _ends(line: Sequence[Point]) -> tuple[Point, Point]:
    """Where a line is rounded off; its bends are rounded by the pen."""
    return line[0], line[-1]


def _rgba(color: str | None) -> tuple[int, ...]:
    return (*ImageColor.getrgb(color), 255) if color else (0, 0, 0, 0)

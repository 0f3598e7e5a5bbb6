"""What a legend says of a layer: titles and colours, and only of what a level may see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from layers.access import Clearance
from layers.base import Attribute, Code, Layer, Title
from tiles.looks import Look

LegendShape = Literal["circle", "line", "fill"]

STATUS_COLORS: dict[str, tuple[str, Title]] = {
    "spacesAvailable": ("#009e73", Title("Free", "有空位")),
    "almostFull": ("#e69f00", Title("Almost full", "即将满")),
    "full": ("#d1341f", Title("Full", "已满")),
    "closed": ("#6b7280", Title("Closed", "关闭")),
    "unknown": ("#ffffff", Title("Unknown", "未知")),
}


@dataclass(frozen=True)
class LegendEntry:
    """One row of a legend.

    Attributes:
        color: As the look draws it.
        code: Of the code list; empty for the layer as a whole.
        status: Live status, where the row explains one.
    """

    title: Title
    color: str
    shape: LegendShape
    code: str = ""
    status: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The entry as it stands in the metadata of a style."""
        described = {"label": self.title.as_json(), "color": self.color, "shape": self.shape}
        return described | ({"status": self.status} if self.status else {})


def legend_entries(layer: Layer, level: Clearance, look: Look) -> Iterator[LegendEntry]:
    """The rows of a layer's legend in their order; promises nothing that the level cannot see."""
    shapes: tuple[LegendShape, ...] = ("circle", "line", "fill")
    shape = shapes[layer.geometry_type.dimension]
    if is_live(layer, look):
        for status, (color, title) in STATUS_COLORS.items():
            yield LegendEntry(title, look.line(color), shape, status=status)
        return
    colored = layer.attribute[layer.style.color_by] if layer.style.color_by else None
    if colored is None or colored.codes is None:
        yield LegendEntry(layer.title, swatch_color(layer, layer.style.color, look), shape)
        return
    for attribute, entry in _legend_codes(layer, colored):
        if entry.color and _may_show(layer, attribute, entry.code, level):
            color = swatch_color(layer, entry.color, look)
            yield LegendEntry(entry.title, color, shape, entry.code)


def is_live(layer: Layer, look: Look) -> bool:
    """Whether colours tell what is free now; never on paper, which cannot change."""
    return layer.style.live and not look.is_for_paper


def swatch_color(layer: Layer, color: str, look: Look) -> str:
    """The colour by which a legend tells a code, without the transparency of areas."""
    if layer.geometry_type.dimension == 2:
        return look.fill(color, layer.style.opacity if look.is_for_paper else 1.0)[0]
    return drawn_color(layer, color, look)


def drawn_color(layer: Layer, color: str, look: Look) -> str:
    """The colour in which a look draws a code of a layer of points or lines."""
    is_ribbon = layer.geometry_type.dimension == 1 and layer.style.outline is not None
    return look.ribbon(color) if is_ribbon else look.line(color)


def _legend_codes(layer: Layer, colored: Attribute) -> Iterator[tuple[Attribute, Code]]:
    """The codes of a legend: classes that sum up the kinds, then kinds of another colour."""
    summed = layer.attribute[layer.style.legend_by] if layer.style.legend_by else colored
    sums = summed.codes.codes if summed.codes else ()
    yield from ((summed, entry) for entry in sums)
    if summed is not colored and colored.codes:
        told = {entry.color for entry in sums}
        yield from ((colored, entry) for entry in colored.codes.codes if entry.color not in told)


def _may_show(layer: Layer, colored: Attribute, code: str, level: Clearance) -> bool:
    """Whether rows of a code can be open to a level, so that a legend promises nothing hidden."""
    rule = layer.row_clearance
    if rule is None:
        return True
    deciding = layer.attribute[rule.attribute]
    if deciding.derived and deciding.derived.attribute == colored.name and deciding.derived.mapping:
        code = deciding.derived.mapping.get(code, "")
    elif deciding.name != colored.name:
        return True
    return rule.of(code) <= level

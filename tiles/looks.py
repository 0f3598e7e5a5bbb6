"""The looks of a map: one table of what day, night and print do to the colours of descriptors.

Colours of codes are what standards fix; a look moves their lightness as far as its ground demands
and leaves their hue. By day they are drawn as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

from layers.base import Title
from tiles.colors import calmed, clear_of, lightness, mixed, pressed, relit

LINE_CONTRAST = 3.0
"""Least contrast of what is drawn with its ground (WCAG 2.2, 1.4.11), where a look keeps one."""

LABEL_CONTRAST = 4.5
"""The same for names (WCAG 2.2, 1.4.3)."""

_QUIET_CONTRAST = 4.2
"""Most contrast of roads and outlines by night, so that they do not outshine what lies on them."""


_FILL_CHROMA = 0.6
_FILL_OPACITY = 0.25
"""By night areas are less colourful and more opaque: colour on a dark ground glows."""


@dataclass(frozen=True)
class Look:
    """What one look makes of colours.

    Attributes:
        name: As in the address of its style.
        background: Where nothing is drawn.
        ground: What contrast is measured against: of all that areas may be painted with, the
            colour nearest to that of lines.
        halo: Around names.
        ink: Of texts that belong to no layer, as in legends.
        label: The one colour of names; None leaves each layer's own.
        label_contrast: Least contrast of names with the ground.
        width_factor: By how much lines are thinner.
        keeps_contrast: Whether colours are moved until they stand out from the ground.
        fill_light: Between which lightnesses areas lie, black to white; None leaves them.
        is_for_paper: Whether there is no transparency, and no colour but those of a press.
    """

    name: str
    title: Title
    background: str
    ground: str
    halo: str
    ink: str
    label: str | None = None
    label_contrast: float = LABEL_CONTRAST
    width_factor: float = 1.0
    keeps_contrast: bool = True
    fill_light: tuple[float, float] | None = None
    is_for_paper: bool = False

    def line(self, color: str) -> str:
        """The colour of a line or a point that is told by it."""
        color = pressed(color) if self.is_for_paper else color
        return clear_of(color, self.ground, LINE_CONTRAST) if self.keeps_contrast else color

    def outline(self, color: str) -> str:
        """The colour of an area's outline: to be seen, and no louder than that."""
        color = self.line(color)
        return calmed(color, self.ground, _QUIET_CONTRAST) if self.keeps_contrast else color

    def ribbon(self, color: str) -> str:
        """The colour inside of a line that has a casing, such as a road."""
        if self.is_for_paper:
            return pressed(color)
        return self.outline(color)

    def casing(self, color: str) -> str:
        """The colour of the casing; by night the dark of the ground parts lines that cross."""
        if self.is_for_paper:
            return self.line(color)
        return self.background if self.keeps_contrast else color

    def rim(self, color: str) -> str:
        """The colour of the ring around a point."""
        return self.background if self.keeps_contrast and not self.is_for_paper else color

    def fill(self, color: str, opacity: float) -> tuple[str, float]:
        """The colour and the opacity of an area."""
        if self.is_for_paper:
            return mixed(pressed(color), self.background, opacity), 1.0
        if self.fill_light is None:
            return color, opacity
        darkest, lightest = self.fill_light
        light = darkest + (lightest - darkest) * lightness(color)
        return relit(color, light, _FILL_CHROMA), min(1.0, opacity + _FILL_OPACITY)

    def name_color(self, color: str) -> str:
        """The colour of a name."""
        color = self.label or color
        return clear_of(color, self.ground, self.label_contrast) if self.keeps_contrast else color


DAY = Look(
    name="day",
    title=Title("Day", "日间"),
    background="#e8eff4",
    ground="#ffffff",
    halo="#ffffff",
    ink="#17212b",
    keeps_contrast=False,
)
NIGHT = Look(
    name="night",
    title=Title("Night", "夜间"),
    background="#0c131a",
    ground="#272d33",
    halo="#0c131a",
    ink="#e3e9ef",
    fill_light=(0.17, 0.28),
    label_contrast=7.0,
)
PRINT = Look(
    name="print",
    title=Title("Print", "打印"),
    background="#ffffff",
    ground="#e0e0e0",
    halo="#ffffff",
    ink="#000000",
    label="#000000",
    width_factor=0.6,
    is_for_paper=True,
)

LOOKS = {look.name: look for look in (DAY, NIGHT, PRINT)}
"""The looks by name."""

"""Colours: lightness and chroma as people see them, contrast, and what a printing press can do.

A colour is ``#rrggbb`` in sRGB. Lightness is moved in OKLab (Ottosson, 2020), where hue stays while
lightness changes: a gas pipe stays magenta on dark ground. Contrast is that of WCAG 2.2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

_BISECTIONS = 24

_TO_CONES = np.array(
    (
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    )
)
_TO_LAB = np.array(
    (
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    )
)
_FROM_CONES = np.linalg.inv(_TO_CONES)
_FROM_LAB = np.linalg.inv(_TO_LAB)

_INKS: dict[tuple[int, ...], str] = {
    (0, 0, 0): "#ffffff",
    (1, 0, 0): "#009fe3",
    (0, 1, 0): "#e6007e",
    (0, 0, 1): "#ffed00",
    (0, 1, 1): "#e30613",
    (1, 0, 1): "#009640",
    (1, 1, 0): "#312783",
    (1, 1, 1): "#1d1d1b",
}
"""What solid cyan, magenta and yellow and their overprints look like on coated paper."""


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2, contrast ratio)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@cache
def lightness(color: str) -> float:
    """How light a colour is in OKLab, 0 (black) to 1 (white)."""
    return float(_lab(color)[0])


@cache
def relit(color: str, light: float, chroma: float = 1.0) -> str:
    """A colour of the same hue with another lightness (0 to 1), as colourful as sRGB allows.

    Args:
        chroma: By how much it becomes more (above 1) or less colourful.
    """
    _, a, b = _lab(color)

    def shown(scale: float) -> Vector:
        return _linear_of(np.array((light, a * scale, b * scale)))

    def is_in_gamut(scale: float) -> bool:
        rgb = shown(scale)
        return bool((rgb > -1e-4).all() and (rgb < 1 + 1e-4).all())

    scale = chroma if is_in_gamut(chroma) else _last(is_in_gamut, 0.0, chroma)
    return _hex(_encoded(np.clip(shown(scale), 0, 1)))


@cache
def clear_of(color: str, ground: str, ratio: float) -> str:
    """The colour itself where it stands out enough from the ground, else moved until it does."""
    if contrast(color, ground) >= ratio:
        return color
    far = 1.0 if _luminance(ground) < _luminance("#767676") else 0.0
    light = _last(lambda at: contrast(relit(color, at), ground) >= ratio, far, lightness(color))
    return relit(color, light)


@cache
def calmed(color: str, ground: str, ratio: float) -> str:
    """The colour itself where it is quiet enough on the ground, else moved until it is."""
    if contrast(color, ground) <= ratio:
        return color
    light = _last(
        lambda at: contrast(relit(color, at), ground) <= ratio, lightness(ground), lightness(color)
    )
    return relit(color, light)


@cache
def mixed(color: str, ground: str, opacity: float) -> str:
    """What a colour of some opacity looks like over a ground."""
    return _hex(_rgb(color) * opacity + _rgb(ground) * (1 - opacity))


@cache
def pressed(color: str) -> str:
    """What a press makes of a colour: its inks by simple separation, printed over each other.

    Colours of overlapping dots follow Neugebauer's equations, so no screen-only cyan, magenta or
    green is promised that paper cannot show.
    """
    rgb = _rgb(color)
    black = 1 - float(rgb.max())
    inks = np.zeros(3) if black >= 1 else (1 - rgb - black) / (1 - black)
    paper = np.zeros(3)
    for dots in product((0, 1), repeat=3):
        share = float(np.prod(np.where(np.array(dots) == 1, inks, 1 - inks)))
        paper += share * _linear(_INKS[dots])
    dark = _linear(_INKS[1, 1, 1])
    return _hex(_encoded(paper * (1 - black) + dark * black))


def _last(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """The number nearest to ``outside`` for which something holds as it does at ``inside``."""
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside


@cache
def _luminance(color: str) -> float:
    return float(_linear(color) @ np.array((0.2126, 0.7152, 0.0722)))


def _rgb(color: str) -> Vector:
    return np.array([int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)])


def _linear(color: str) -> Vector:
    """Light of the three primaries, 0 to 1 (IEC 61966-2-1)."""
    rgb = _rgb(color)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _encoded(linear: Vector) -> Vector:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def _hex(rgb: Vector) -> str:
    return "#" + "".join(f"{round(float(part) * 255):02x}" for part in np.clip(rgb, 0, 1))


def _lab(color: str) -> Vector:
    lab: Vector = _TO_LAB @ np.cbrt(_TO_CONES @ _linear(color))
    return lab


def _linear_of(lab: Vector) -> Vector:
    linear: Vector = _FROM_CONES @ (_FROM_LAB @ lab) ** 3
    return linear

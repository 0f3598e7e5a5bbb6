"""Numbers with their units, and widths by heights, as offices write them.

``DN300``, ``φ300``, ``0.3 m``, ``30cm``, ``300*400``, ``1,234.5``; full-width signs count as plain
ones. What has two meanings is an error that says which two: nobody gains from a guess.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Dimension = Literal["length", "area", "angle"]
DecimalMark = Literal[".", ","]


class UnclearText(ValueError):
    """A text has two meanings; ``word`` is the kind of finding, ``str()`` the two meanings."""

    def __init__(self, word: str, reason: str) -> None:
        super().__init__(reason)
        self.word = word


@dataclass(frozen=True)
class Unit:
    """A unit, as so many of the base unit of its dimension: metre, square metre or degree."""

    name: str
    dimension: Dimension
    size: Decimal

    def per(self, other: Unit) -> Decimal:
        """How many of another unit one of this is.

        Raises:
            ValueError: one is a length and the other an area, say.
        """
        if self.dimension != other.dimension:
            message = f"{self.name} is no unit of {other.dimension}"
            raise ValueError(message)
        return self.size / other.size


def _units(dimension: Dimension, *rows: tuple[str, str, str]) -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for name, size, words in rows:
        unit = Unit(name, dimension, Decimal(size))
        found |= dict.fromkeys((name, *words.split()), unit)
    return found


UNITS = {
    **_units(
        "length",
        ("mm", "0.001", "毫米 millimetre millimeter millimetres millimeters"),
        ("cm", "0.01", "厘米 公分 centimetre centimeter"),
        ("dm", "0.1", "分米 decimetre decimeter"),
        ("m", "1", "米 公尺 metre meter metres meters"),
        ("km", "1000", "千米 公里 kilometre kilometer"),
        ("in", "0.0254", "inch inches 英寸"),
        ("ft", "0.3048", "foot feet 英尺"),
    ),
    **_units(
        "area",
        ("mm2", "0.000001", "mm^2 平方毫米"),
        ("cm2", "0.0001", "cm^2 平方厘米"),
        ("m2", "1", "m^2 sqm 平方米 平米 平方公尺"),
        ("ha", "10000", "hectare hectares 公顷 hm2 hm^2"),
        ("km2", "1000000", "km^2 平方千米 平方公里"),
    ),
    # One mu is a fifteenth of a hectare.
    "mu": (_MU := Unit("mu", "area", Decimal(10000) / Decimal(15))),
    "亩": _MU,
    **_units("angle", ("deg", "1", "degree degrees ° 度")),
}
"""Word to unit, case folded and in Unicode NFKC (``m²`` is ``m2``)."""

UNIT_NAMES = tuple(dict.fromkeys(unit.name for unit in UNITS.values()))

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
_BARE = re.compile(_NUMBER)
_WITH_UNIT = re.compile(rf"({_NUMBER})\s*([^\d\s.,+-][^\d]*[23]?)")
_NOMINAL = re.compile(rf"(?:dn|de|d|φ|ϕ|ф|ø|⌀|∅)\s*({_NUMBER})\s*(mm|毫米)?", re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?(?!\d)")
_TIMES = re.compile(r"\s*[*xX×✕╳]\s*")
_SIGNS = str.maketrans({"−": "-", "﹣": "-", "–": "-", "＊": "*", "Φ": "φ"})
_WALL_MM = 30
_WALL_SHARE = 10


@dataclass(frozen=True)
class Quantity:
    """A number and its unit; None where the text names none."""

    value: Decimal
    unit: Unit | None


def plain(text: str) -> str:
    """The text in NFKC and without spaces around it, its signs as a keyboard has them."""
    return unicodedata.normalize("NFKC", text).translate(_SIGNS).strip()


def find_unit(word: str) -> Unit | None:
    """The unit that a word names, such as ``毫米`` or ``MM``; None if it names none."""
    return UNITS.get(plain(word).casefold().rstrip("."))


def unit_in_name(column: str) -> tuple[str, Unit | None]:
    """The name of a column without the unit that stands after it, and that unit.

    ``管径(mm)`` is ``管径`` in millimetres; ``depth_m`` stays as it is and is in metres.
    """
    name = plain(column)
    bracketed = re.fullmatch(r"(.+?)\s*[(\[/【]\s*(?:单位[:：]?\s*)?([^()\[\]/]+?)[)\]】]?", name)
    if bracketed is not None and (unit := find_unit(bracketed[2])) is not None:
        return bracketed[1], unit
    _, underscore, word = name.rpartition("_")
    return column, find_unit(word) if underscore else None


def parse_quantity(text: str, decimal_mark: DecimalMark = ".") -> Quantity:
    """The number of a text, with its unit where the text names one.

    ``DN300``, ``D300`` and ``φ300`` are nominal or outer diameters, which are in millimetres.

    Raises:
        ValueError: another form.
    """
    word = _with_points(plain(text), decimal_mark)
    if _BARE.fullmatch(word):
        return Quantity(Decimal(word), None)
    if (nominal := _NOMINAL.fullmatch(word)) is not None:
        return Quantity(Decimal(nominal[1]), UNITS["mm"])
    with_unit = _WITH_UNIT.fullmatch(word)
    unit = find_unit(with_unit[2]) if with_unit is not None else None
    if with_unit is None or unit is None:
        raise ValueError(text)
    return Quantity(Decimal(with_unit[1]), unit)


def _with_points(word: str, decimal_mark: DecimalMark) -> str:
    """A number's text without marks between thousands, and with a decimal point."""
    if "," not in word and decimal_mark == ".":
        return word
    if decimal_mark == ",":
        word = word.translate(str.maketrans(",.", ".,"))
    grouped = _GROUPED.match(word)
    return word if grouped is None else grouped[0].replace(",", "") + word[grouped.end() :]


def has_decimal_comma(words: list[str]) -> bool:
    """Whether a comma in some texts can only be a decimal one, as in ``12,5``."""
    with_comma = (word for word in map(plain, words) if "," in word)
    return any(
        _BARE.fullmatch(w.replace(",", ".", 1)) and not _GROUPED.match(w) for w in with_comma
    )


@dataclass(frozen=True)
class Section:
    """Width and height of a pipe that is not round, or of a duct bank; unit None if not named."""

    width: Decimal
    height: Decimal
    unit: Unit | None

    def as_text(self, factor: Decimal = Decimal(1)) -> str:
        """``300*400``, both sides multiplied by a factor."""
        return "*".join(f"{(side * factor).normalize():f}" for side in (self.width, self.height))


def parse_section(text: str, unit: Unit | None = None) -> Section | None:
    """Width and height of ``300*400``, ``300×400mm`` or ``0.3m*0.4m``; None for another form.

    Args:
        unit: Of bare numbers, where it is known.

    Raises:
        UnclearText: it may be an outer diameter and a thickness of wall, or may be in metres.
    """
    parts = _TIMES.split(plain(text))
    if len(parts) != 2:
        return None
    try:
        width, height = (parse_quantity(part) for part in parts)
    except ValueError:
        return None
    if width.value <= 0 or height.value <= 0:
        return None
    if (width.unit or height.unit) != (height.unit or width.unit):
        return None
    section = Section(width.value, height.value, height.unit or unit)
    sides = sorted((section.width, section.height))
    if _NOMINAL.match(parts[0]) or (
        section.unit in (None, UNITS["mm"])
        and sides[0] <= _WALL_MM
        and sides[1] >= _WALL_SHARE * sides[0]
    ):
        word = "unclear_section"
        raise UnclearText(word, "width by height, or outer diameter by thickness of the wall?")
    return section

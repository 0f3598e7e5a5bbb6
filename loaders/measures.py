"""Numbers of texts and columns, in the unit of the attribute; widths by heights."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from layers.base import Attribute, AttributeType
from loaders.columns import (
    Converted,
    Forms,
    Problems,
    Reading,
    problem,
    spread_problems,
    without,
)
from loaders.quantities import (
    UNITS,
    Section,
    UnclearText,
    has_decimal_comma,
    parse_quantity,
    parse_section,
)

NULL_NUMBERS = frozenset((-9999.0, -99999.0, -999999.0, -32768.0))
"""What files write for "no number", unless the attribute's range holds it. ``_NEAR_INFINITY`` and
beyond, which rasters and ESRI software write, is none either."""

_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$"
_NEAR_INFINITY = 1e38
_LEAST_BARE_MM = 5
"""A bare number above 0 and below this is as likely in metres: no pipe is 0.3 mm wide."""
_INT32 = 2**31


def read_numbers(words: pa.Array, reading: Reading) -> Converted:
    """Numbers of texts: plain ones all at once, the others one by one."""
    plain = pc.utf8_normalize(words, form="NFKC")
    fits = pc.match_substring_regex(plain, _NUMBER).fill_null(True)
    if reading.forms.decimal_mark == ",":
        fits = pc.and_(fits, pc.invert(pc.match_substring(plain, ".")))
    converted = measure_numbers(pc.if_else(fits, plain, None).cast(pa.float64()), reading, words)
    odd = np.flatnonzero(~fits.to_numpy(zero_copy_only=False)).tolist()
    if not odd:
        return converted
    quantities = np.full(len(words), np.nan)
    texts = words.take(pa.array(odd)).to_pylist()
    is_mixed = reading.forms.decimal_mark == "." and has_decimal_comma(texts)
    kind = _not_a_number(reading.attribute)
    for at, word in zip(odd, texts, strict=True):
        try:
            quantities[at] = _quantity(word, reading, is_mixed=is_mixed)
        except (ValueError, ArithmeticError) as error:
            converted.problems[at] = reading.fault(kind, word, error)
    others = _checked_numbers(pa.array(quantities, from_pandas=True), reading.attribute, words)
    values = pc.coalesce(converted.values, others.values)
    return Converted(values, {**others.problems, **converted.problems})


def _not_a_number(attribute: Attribute) -> str:
    return "not_an_integer" if attribute.type is AttributeType.INTEGER else "not_a_number"


def _quantity(word: str, reading: Reading, *, is_mixed: bool) -> float:
    """The number of a text in the unit of the attribute.

    Args:
        is_mixed: Whether other texts of the column have decimal commas.

    Raises:
        UnclearText: it has two meanings.
        ValueError: it is no number, or its unit is none of the attribute's.
    """
    if is_mixed and word.count(",") + word.count("，") == 1 and "." not in word:
        kind = "unclear_number"
        raise UnclearText(kind, "thousands, or a decimal comma? Say decimal_mark in the mapping")
    quantity = parse_quantity(word, reading.forms.decimal_mark)
    wanted = UNITS.get(reading.attribute.unit or "")
    unit = quantity.unit or reading.forms.unit
    if unit is None:
        _check_bare(quantity.value, reading.attribute)
        return float(quantity.value)
    if wanted is None:
        raise ValueError(word)
    return float(quantity.value * unit.per(wanted))


def measure_numbers(numbers: pa.Array, reading: Reading, shown: pa.Array) -> Converted:
    """Bare numbers in the unit of the attribute, checked; words for no number are null."""
    values = numbers.fill_null(np.nan).to_numpy(zero_copy_only=False)
    values = np.where(_is_nothing(values, reading.attribute), np.nan, values)
    attribute, unit = reading.attribute, reading.forms.unit
    if unit is not None and attribute.unit is not None:
        values = _scaled(values, unit.per(UNITS[attribute.unit]))
    converted = _checked_numbers(pa.array(values, from_pandas=True), attribute, shown)
    if unit is None and attribute.unit == "mm":
        small = np.flatnonzero((values > 0) & (values < _LEAST_BARE_MM)).tolist()
        for at in small:
            try:
                _check_bare(values[at], attribute)
            except UnclearText as error:
                converted.problems[at] = reading.fault("", shown[at].as_py(), error)
        return Converted(without(converted.values, converted.problems), converted.problems)
    return converted


def _is_nothing(values: npt.NDArray[np.float64], attribute: Attribute) -> npt.NDArray[np.bool_]:
    """Which numbers stand for none: those of ``NULL_NUMBERS`` that could be no value."""
    least = -np.inf if attribute.minimum is None else attribute.minimum
    words = [n for n in NULL_NUMBERS if attribute.minimum is None or n < least]
    far = np.isfinite(values) & (np.abs(values) >= _NEAR_INFINITY)
    return np.isin(values, words) | far


def _scaled(values: npt.NDArray[np.float64], factor: Decimal) -> npt.NDArray[np.float64]:
    """Products as decimal arithmetic gives them: 4.35 times 100 is 435, not 434.99999999999994."""
    if factor < 1:
        return values / float(1 / factor)
    return np.round(values * float(factor), 6)


def _checked_numbers(numbers: pa.Array, attribute: Attribute, shown: pa.Array) -> Converted:
    """Numbers in the range of the attribute; NaN is no number and means nothing."""
    numbers = pc.if_else(pc.is_nan(numbers), None, numbers)
    filled = numbers.fill_null(0.0).to_numpy(zero_copy_only=False)
    given = numbers.is_valid().to_numpy(zero_copy_only=False)
    problems: Problems = {}
    for kind, bad in _number_faults(filled, attribute):
        for at in np.flatnonzero(bad & given).tolist():
            problems.setdefault(at, problem(kind, attribute, shown[at].as_py()))
    good = without(numbers, problems)
    is_integer = attribute.type is AttributeType.INTEGER
    return Converted(good.cast(pa.int32()) if is_integer else good, problems)


def _number_faults(
    numbers: npt.NDArray[np.float64], attribute: Attribute
) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    faults = [("not_a_number", ~np.isfinite(numbers))]
    if attribute.type is AttributeType.INTEGER:
        whole = (np.floor(numbers) == numbers) & (np.abs(numbers) < _INT32)
        faults.append(("not_an_integer", ~whole))
    if attribute.minimum is not None:
        faults.append(("below_minimum", numbers < attribute.minimum))
    if attribute.maximum is not None:
        faults.append(("above_maximum", numbers > attribute.maximum))
    return faults


def read_sections(words: pa.Array, reading: Reading) -> tuple[pa.Array, Problems]:
    """Widths by heights in the unit of the attribute; other texts as they are."""
    sections, problems = _sections(words, reading)
    return without(pc.coalesce(sections, words), problems), problems


@dataclass(frozen=True)
class Divided:
    """A column that holds diameters of round pipes and sections of others.

    Attributes:
        rest: What is no section; null where one is, and where a problem stands.
        sections: Texts of the sections; null elsewhere.
    """

    rest: pa.Array
    sections: pa.Array
    problems: Problems


def divide_sections(
    column: pa.Array, attribute: Attribute, forms: Forms, replaced: Container[str] = ()
) -> Divided:
    """Put the sections of a column apart from its diameters.

    Args:
        column: Texts; a column of numbers has no sections.
        attribute: The one that the column fills; sections are in its unit.
        forms: Of the column.
        replaced: Texts for which the mapping has others, and which are left as they are.
    """
    if not pa.types.is_string(column.type):
        return Divided(column, pa.nulls(len(column), pa.string()), {})
    encoded = column.dictionary_encode()
    reading = Reading(attribute, forms, "UTC", are_numbers=False)
    sections, problems = _sections(encoded.dictionary, reading, replaced)
    rest = pc.if_else(sections.is_null(), without(encoded.dictionary, problems), None)
    at = encoded.indices
    return Divided(rest.take(at), sections.take(at), spread_problems(problems, at))


def _sections(
    words: pa.Array, reading: Reading, left: Container[str] = ()
) -> tuple[pa.Array, Problems]:
    """Texts of the words that are sections, null for the others and for those to be left."""
    problems: Problems = {}
    meant: list[str | None] = []
    for at, word in enumerate(words.to_pylist()):
        text = None
        if word is not None and word.strip() not in left:
            try:
                text = _section_text(parse_section(word, reading.forms.unit), reading.attribute)
            except UnclearText as error:
                problems[at] = reading.fault("", word, error)
        meant.append(text)
    return pa.array(meant, pa.string()), problems


def _section_text(section: Section | None, attribute: Attribute) -> str | None:
    """The text of a section in the unit of an attribute.

    Raises:
        UnclearText: it bears no unit and would be too small.
    """
    if section is None:
        return None
    wanted = UNITS[attribute.unit or "mm"]
    if section.unit is None:
        _check_bare(min(section.width, section.height), attribute)
    return section.as_text(section.unit.per(wanted) if section.unit else Decimal(1))


def _check_bare(value: Decimal | float, attribute: Attribute) -> None:
    if attribute.unit == "mm" and 0 < value < _LEAST_BARE_MM:
        word = "unclear_unit"
        raise UnclearText(word, "millimetres, or metres? Name the unit under units")

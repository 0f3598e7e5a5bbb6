"""Values of a column as values of an attribute, with the reason for each that cannot be one.

Work is done once per distinct text of a batch: codes, owners and dates repeat themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from layers.base import Attribute, AttributeType
from loaders.dates import DateForm, parse_date, parse_instant
from loaders.quantities import (
    UNITS,
    DecimalMark,
    Section,
    UnclearText,
    Unit,
    has_decimal_comma,
    parse_quantity,
    parse_section,
)

NULL_WORDS = frozenset(
    (
        *("", "null", "<null>", "(null)", "none", "nil", "n/a", "#n/a", "na", "nan", "unknown"),
        *("-", "--", "—", "——", "/", "\\", "?", "？", "空", "<空>", "(空)"),
        *("无", "未知", "不详", "不明", "未查明", "待查", "无数据"),
    )
)
"""What files write for "nothing", case folded; words of a code list are never taken for it."""

NULL_NUMBERS = frozenset((-9999.0, -99999.0, -999999.0, -32768.0))
"""What files write for "no number", unless the attribute's range holds it. ``_NEAR_INFINITY`` and
beyond, which rasters and ESRI software write, is none either."""

_TRUE = frozenset(("是", "true", "t", "1", "yes", "y", "有"))
_FALSE = frozenset(("否", "false", "f", "0", "no", "n"))
_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$"
_NEAR_INFINITY = 1e38
_LEAST_BARE_MM = 5
"""A bare number above 0 and below this is as likely in metres: no pipe is 0.3 mm wide."""
_INT32 = 2**31
_SHOWN_CHARS = 60

ARROW_TYPES: Mapping[AttributeType, pa.DataType] = {
    AttributeType.TEXT: pa.string(),
    AttributeType.INTEGER: pa.int32(),
    AttributeType.NUMBER: pa.float64(),
    AttributeType.BOOLEAN: pa.bool_(),
    AttributeType.DATE: pa.date32(),
    AttributeType.TIMESTAMP: pa.timestamp("us", "UTC"),
}
"""Attribute type to Arrow type, as COPY needs it for the column of ``layers.tables.sql_type``."""

Problems = dict[int, str]
"""Position to reason."""


@dataclass(frozen=True)
class Converted:
    """Values of an attribute, null where there is none or a reason stands in ``problems``."""

    values: pa.Array
    problems: Problems


@dataclass(frozen=True)
class Forms:
    """How the values of one column are written, where the usual forms do not say it.

    Attributes:
        unit: Of bare numbers; None for the unit of the attribute.
        dates: Of days.
        nodata: Words for "nothing" besides ``NULL_WORDS``, case folded.
        decimal_mark: Of numbers; the other of point and comma stands between thousands.
    """

    unit: Unit | None = None
    dates: DateForm = "ymd"
    nodata: frozenset[str] = frozenset()
    decimal_mark: DecimalMark = "."


USUAL = Forms()


@dataclass(frozen=True)
class _Reading:
    """What is known of a column whose words are read; ``are_numbers`` if the file has numbers."""

    attribute: Attribute
    forms: Forms
    time_zone: str
    are_numbers: bool

    def problem(self, kind: str, word: object, reason: str = "") -> str:
        """Kind, attribute and word, and what it may mean where that is unclear."""
        found = _problem(kind, self.attribute, word)
        return f"{found}: {reason}" if reason else found

    def fault(self, kind: str, word: object, error: Exception) -> str:
        """The problem that an exception tells of."""
        if isinstance(error, UnclearText):
            return self.problem(error.word, word, str(error))
        return self.problem(kind, word)


def convert(
    column: pa.Array,
    attribute: Attribute,
    *,
    replacements: Mapping[str, str] | None = None,
    time_zone: str = "UTC",
    forms: Forms = USUAL,
) -> Converted:
    """The values of one attribute.

    Args:
        column: As read, of any simple type.
        replacements: Text in the file to text meant; trimmed texts are compared exactly.
        time_zone: IANA name, for instants without an offset.
    """
    numeric = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
    reading = _Reading(attribute, forms, time_zone, numeric)
    if numeric and _takes_numbers(attribute) and not replacements and not forms.nodata:
        converted = _measured(column.cast(pa.float64()), reading, column)
    else:
        encoded = as_text(column).dictionary_encode()
        words = _words(encoded.dictionary, reading, replacements or {})
        converted = _spread(_CONVERTERS[attribute.type](words, reading), encoded.indices)
    return _with_required(converted, attribute)


def _takes_numbers(attribute: Attribute) -> bool:
    is_number = attribute.type in (AttributeType.NUMBER, AttributeType.INTEGER)
    return is_number and attribute.codes is None and attribute.section is None


def as_text(column: pa.Array) -> pa.Array:
    """A column as texts; nothing is lost of numbers and dates."""
    if pa.types.is_string(column.type):
        return column
    return column.cast(pa.string())


def _words(distinct: pa.Array, reading: _Reading, replacements: Mapping[str, str]) -> pa.Array:
    """Trimmed texts, replaced where the mapping says so, null where they mean nothing."""
    words = pc.utf8_trim_whitespace(distinct)
    words = pc.replace_substring(words, "\x00", "")
    if replacements:
        words = pa.array([replacements.get(w, w) for w in words.to_pylist()], pa.string())
    codes = reading.attribute.codes
    usual = (word for word in NULL_WORDS if codes is None or word not in codes.by_word)
    nothing = pa.array([*usual, *reading.forms.nodata], pa.string())
    return pc.if_else(pc.is_in(pc.utf8_lower(words), nothing), None, words)


def _spread(distinct: Converted, indices: pa.Array) -> Converted:
    """From distinct values to rows."""
    values = distinct.values.take(indices)
    if not distinct.problems:
        return Converted(values, {})
    bad = np.isin(indices.fill_null(-1).to_numpy(), list(distinct.problems))
    rows = np.flatnonzero(bad).tolist()
    which = indices.take(pa.array(rows)).to_pylist()
    return Converted(values, {r: distinct.problems[w] for r, w in zip(rows, which, strict=True)})


def _with_required(converted: Converted, attribute: Attribute) -> Converted:
    if not attribute.required or not converted.values.null_count:
        return converted
    empty = np.flatnonzero(converted.values.is_null().to_numpy(zero_copy_only=False)).tolist()
    missing = dict.fromkeys(empty, f"missing: {attribute.name}")
    return Converted(converted.values, {**missing, **converted.problems})


def _problem(kind: str, attribute: Attribute, word: object) -> str:
    return f"{kind}: {attribute.name}={str(word)[:_SHOWN_CHARS]!r}"


def _text(words: pa.Array, reading: _Reading) -> Converted:
    attribute = reading.attribute
    problems: Problems = {}
    if attribute.codes is not None:
        words, problems = _codes(words, attribute)
    elif attribute.unit is not None:
        words, problems = _sections(words, reading)
    if attribute.pattern is not None:
        fits = pc.match_substring_regex(words, f"^(?:{attribute.pattern})$").fill_null(True)
        for at in np.flatnonzero(~fits.to_numpy(zero_copy_only=False)).tolist():
            problems[at] = _problem("not_of_pattern", attribute, words[at].as_py())
    return Converted(_without(words, problems), problems)


def _sections(words: pa.Array, reading: _Reading) -> tuple[pa.Array, Problems]:
    """Widths by heights in the unit of the attribute; other texts as they are."""
    problems: Problems = {}
    meant: list[str | None] = []
    for at, word in enumerate(words.to_pylist()):
        try:
            section = None if word is None else parse_section(word, reading.forms.unit)
            meant.append(word if section is None else _section_text(section, reading.attribute))
        except UnclearText as error:
            problems[at] = reading.fault("", word, error)
            meant.append(None)
    return pa.array(meant, pa.string()), problems


def _section_text(section: Section, attribute: Attribute) -> str:
    """The text of a section in the unit of an attribute.

    Raises:
        UnclearText: it bears no unit and would be too small.
    """
    wanted = UNITS[attribute.unit or "mm"]
    if section.unit is None:
        _check_bare(min(section.width, section.height), attribute)
    return section.as_text(section.unit.per(wanted) if section.unit else Decimal(1))


def _check_bare(value: Decimal | float, attribute: Attribute) -> None:
    if attribute.unit == "mm" and 0 < value < _LEAST_BARE_MM:
        word = "unclear_unit"
        raise UnclearText(word, "millimetres, or metres? Name the unit under units")


def _codes(words: pa.Array, attribute: Attribute) -> tuple[pa.Array, Problems]:
    codes = attribute.codes
    assert codes is not None  # noqa: S101  # for mypy: the caller has looked
    problems: Problems = {}
    meant: list[str | None] = []
    for at, word in enumerate(words.to_pylist()):
        code = None if word is None else codes.by_word.get(word.casefold())
        if code is None and word is not None:
            if codes.closed:
                problems[at] = _problem("not_in_code_list", attribute, word)
            else:
                code = word
        meant.append(code)
    return pa.array(meant, pa.string()), problems


def _without(values: pa.Array, problems: Problems) -> pa.Array:
    if not problems:
        return values
    good = np.ones(len(values), bool)
    good[list(problems)] = False
    return pc.if_else(pa.array(good), values, None)


def _number(words: pa.Array, reading: _Reading) -> Converted:
    """Numbers of texts: plain ones all at once, the others one by one."""
    plain = pc.utf8_normalize(words, form="NFKC")
    fits = pc.match_substring_regex(plain, _NUMBER).fill_null(True)
    if reading.forms.decimal_mark == ",":
        fits = pc.and_(fits, pc.invert(pc.match_substring(plain, ".")))
    converted = _measured(pc.if_else(fits, plain, None).cast(pa.float64()), reading, words)
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


def _quantity(word: str, reading: _Reading, *, is_mixed: bool) -> float:
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


def _measured(numbers: pa.Array, reading: _Reading, shown: pa.Array) -> Converted:
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
        return Converted(_without(converted.values, converted.problems), converted.problems)
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
            problems.setdefault(at, _problem(kind, attribute, shown[at].as_py()))
    good = _without(numbers, problems)
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


def _by_word(
    kind: str, words: pa.Array, reading: _Reading, parse: Callable[[str], object]
) -> Converted:
    problems: Problems = {}
    values: list[object] = []
    for at, word in enumerate(words.to_pylist()):
        value = None
        if word is not None:
            try:
                value = parse(word)
            except (ValueError, OverflowError) as error:
                problems[at] = reading.fault(kind, word, error)
        values.append(value)
    return Converted(pa.array(values, ARROW_TYPES[reading.attribute.type]), problems)


def _boolean(words: pa.Array, reading: _Reading) -> Converted:
    return _by_word("not_a_boolean", words, reading, parse_boolean)


def parse_boolean(word: str) -> bool:
    """The truth of a word such as ``是`` or ``Y``.

    Raises:
        ValueError: it is none of those known.
    """
    plain = word.casefold()
    if plain in _TRUE:
        return True
    if plain in _FALSE:
        return False
    raise ValueError(word)


def _date(words: pa.Array, reading: _Reading) -> Converted:
    def parse(word: str) -> object:
        _check_month(word, reading)
        return parse_date(word, reading.forms.dates)

    return _by_word("not_a_date", words, reading, parse)


def _timestamp(words: pa.Array, reading: _Reading) -> Converted:
    def parse(word: str) -> object:
        _check_month(word, reading)
        return parse_instant(word, reading.time_zone, reading.forms.dates)

    return _by_word("not_an_instant", words, reading, parse)


def _check_month(word: str, reading: _Reading) -> None:
    """Refuse a number such as 2016.1, which a column of numbers has for 2016.10 as well."""
    is_serial = reading.forms.dates.startswith("excel")
    if reading.are_numbers and not is_serial and "." in word.removesuffix(".0"):
        kind = "unclear_date"
        raise UnclearText(kind, "the first month or the tenth? Make the column one of texts")


_CONVERTERS: Mapping[AttributeType, Callable[[pa.Array, _Reading], Converted]] = {
    AttributeType.TEXT: _text,
    AttributeType.INTEGER: _number,
    AttributeType.NUMBER: _number,
    AttributeType.BOOLEAN: _boolean,
    AttributeType.DATE: _date,
    AttributeType.TIMESTAMP: _timestamp,
}


def derive(values: pa.Array, attribute: Attribute) -> pa.Array:
    """The values of a derived attribute from those of the attribute it follows from."""
    derived = attribute.derived
    assert derived is not None  # noqa: S101  # for mypy: the caller has looked
    encoded = values.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    if derived.mapping is not None:
        meant = [derived.mapping.get(word) for word in words]
    else:
        meant = [word[: derived.prefix] for word in words]
    return pa.array(meant, pa.string()).take(encoded.indices)

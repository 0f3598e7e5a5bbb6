"""Values of a column as values of an attribute, with the reason for each that cannot be one.

Work is done once per distinct text of a batch: codes, owners and dates repeat themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from layers.base import Attribute, AttributeType

NULL_WORDS = frozenset(
    ("", "null", "<null>", "(null)", "<空>", "n/a", "#n/a", "nan", "-", "--", "/", "\\", "无")
)
"""What files write for "nothing", case folded; words of a code list are never taken for it."""

_TRUE = frozenset(("是", "true", "t", "1", "yes", "y", "有"))
_FALSE = frozenset(("否", "false", "f", "0", "no", "n"))
_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$"
_DATE = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ].*)?|(\d{4})(\d{2})(\d{2})"
    r"|(\d{4})[-/.年](\d{1,2})月?|(\d{4})年?"
)
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


def convert(
    column: pa.Array,
    attribute: Attribute,
    *,
    replacements: Mapping[str, str] | None = None,
    time_zone: str = "UTC",
) -> Converted:
    """The values of one attribute.

    Args:
        column: As read, of any simple type.
        replacements: Text in the file to text meant; trimmed texts are compared exactly.
        time_zone: IANA name, for instants without an offset.
    """
    numeric = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
    wants_number = attribute.type in (AttributeType.NUMBER, AttributeType.INTEGER)
    if numeric and wants_number and not replacements and attribute.codes is None:
        converted = _checked_numbers(column.cast(pa.float64()), attribute, column)
    else:
        encoded = as_text(column).dictionary_encode()
        words = _words(encoded.dictionary, attribute, replacements or {})
        distinct = _CONVERTERS[attribute.type](words, attribute, time_zone)
        converted = _spread(distinct, encoded.indices)
    return _with_required(converted, attribute)


def as_text(column: pa.Array) -> pa.Array:
    """A column as texts; nothing is lost of numbers and dates."""
    if pa.types.is_string(column.type):
        return column
    return column.cast(pa.string())


def _words(distinct: pa.Array, attribute: Attribute, replacements: Mapping[str, str]) -> pa.Array:
    """Trimmed texts, replaced where the mapping says so, null where they mean nothing."""
    words = pc.utf8_trim_whitespace(distinct)
    words = pc.replace_substring(words, "\x00", "")
    if replacements:
        words = pa.array([replacements.get(w, w) for w in words.to_pylist()], pa.string())
    known = attribute.codes.by_word if attribute.codes else {}
    nothing = pa.array([word for word in NULL_WORDS if word not in known], pa.string())
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


def _text(words: pa.Array, attribute: Attribute, _time_zone: str) -> Converted:
    problems: Problems = {}
    if attribute.codes is not None:
        words, problems = _codes(words, attribute)
    if attribute.pattern is not None:
        fits = pc.match_substring_regex(words, f"^(?:{attribute.pattern})$").fill_null(True)
        for at in np.flatnonzero(~fits.to_numpy(zero_copy_only=False)).tolist():
            problems[at] = _problem("not_of_pattern", attribute, words[at].as_py())
    return Converted(_without(words, problems), problems)


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


def _number(words: pa.Array, attribute: Attribute, _time_zone: str) -> Converted:
    plain = pc.utf8_normalize(words, form="NFKC")
    fits = pc.match_substring_regex(plain, _NUMBER).fill_null(True)
    numbers = pc.if_else(fits, plain, None).cast(pa.float64())
    checked = _checked_numbers(numbers, attribute, words)
    kind = "not_an_integer" if attribute.type is AttributeType.INTEGER else "not_a_number"
    for at in np.flatnonzero(~fits.to_numpy(zero_copy_only=False)).tolist():
        checked.problems[at] = _problem(kind, attribute, words[at].as_py())
    return checked


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
    kind: str, words: pa.Array, attribute: Attribute, parse: Callable[[str], object]
) -> Converted:
    problems: Problems = {}
    values: list[object] = []
    for at, word in enumerate(words.to_pylist()):
        value = None
        if word is not None:
            try:
                value = parse(word)
            except (ValueError, OverflowError):
                problems[at] = _problem(kind, attribute, word)
        values.append(value)
    return Converted(pa.array(values, ARROW_TYPES[attribute.type]), problems)


def _boolean(words: pa.Array, attribute: Attribute, _time_zone: str) -> Converted:
    return _by_word("not_a_boolean", words, attribute, parse_boolean)


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


def _date(words: pa.Array, attribute: Attribute, _time_zone: str) -> Converted:
    return _by_word("not_a_date", words, attribute, parse_date)


def parse_date(word: str) -> date:
    """The day of a text: ``2015-06-01``, ``2015/6/1``, ``20150601``, ``2015年6月1日``, ``2015``.

    A year or a month alone means its first day; a time of day is left out.

    Raises:
        ValueError: another form, or no such day.
    """
    found = _DATE.fullmatch(word.removesuffix(".0"))
    if found is None:
        raise ValueError(word)
    parts = [int(part) for part in found.groups() if part is not None]
    return date(*[*parts, 1, 1][:3])


def _timestamp(words: pa.Array, attribute: Attribute, time_zone: str) -> Converted:
    zone = ZoneInfo(time_zone)

    def parse(word: str) -> datetime:
        instant = datetime.fromisoformat(word.replace("/", "-"))
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)

    return _by_word("not_an_instant", words, attribute, parse)


_CONVERTERS: Mapping[AttributeType, Callable[[pa.Array, Attribute, str], Converted]] = {
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

"""Values of a column as values of an attribute, with the reason for each that cannot be one.

Work is done once per distinct text of a batch: codes, owners and dates repeat themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from layers.base import Attribute, AttributeType
from loaders.columns import (
    ARROW_TYPES,
    USUAL,
    Converted,
    Forms,
    Problems,
    Reading,
    problem,
    spread_problems,
    without,
)
from loaders.dates import parse_date, parse_instant
from loaders.measures import measure_numbers, read_numbers, read_sections
from loaders.quantities import UnclearText

NULL_WORDS = frozenset(
    (
        *("", "null", "<null>", "(null)", "none", "n/a", "#n/a", "nan", "unknown"),
        *("-", "--", "—", "——", "/", "\\", "?", "？", "空", "<空>", "(空)"),
        *("无", "未知", "不详", "不明", "未查明", "待查", "无数据"),
    )
)
"""What files write for "nothing", case folded; words of a code list are never taken for it."""

_TRUE = frozenset(("是", "true", "t", "1", "yes", "y", "有"))
_FALSE = frozenset(("否", "false", "f", "0", "no", "n"))


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
    reading = Reading(attribute, forms, time_zone, numeric)
    if numeric and _takes_numbers(attribute) and not replacements and not forms.nodata:
        converted = measure_numbers(column.cast(pa.float64()), reading, column)
    else:
        encoded = as_text(column).dictionary_encode()
        words = _words(encoded.dictionary, reading, replacements or {})
        distinct = _CONVERTERS[attribute.type](words, reading)
        at = encoded.indices
        converted = Converted(distinct.values.take(at), spread_problems(distinct.problems, at))
    return _with_required(converted, attribute)


def _takes_numbers(attribute: Attribute) -> bool:
    is_number = attribute.type in (AttributeType.NUMBER, AttributeType.INTEGER)
    return is_number and attribute.codes is None and attribute.section is None


def as_text(column: pa.Array) -> pa.Array:
    """A column as texts; nothing is lost of numbers and dates."""
    if pa.types.is_string(column.type):
        return column
    return column.cast(pa.string())


def _words(distinct: pa.Array, reading: Reading, replacements: Mapping[str, str]) -> pa.Array:
    """Trimmed texts, replaced where the mapping says so, null where they mean nothing."""
    words = pc.utf8_trim_whitespace(distinct)
    words = pc.replace_substring(words, "\x00", "")
    if replacements:
        words = pa.array([replacements.get(w, w) for w in words.to_pylist()], pa.string())
    codes = reading.attribute.codes
    usual = (word for word in NULL_WORDS if codes is None or word not in codes.by_word)
    nothing = pa.array([*usual, *reading.forms.nodata], pa.string())
    return pc.if_else(pc.is_in(pc.utf8_lower(words), nothing), None, words)


def _with_required(converted: Converted, attribute: Attribute) -> Converted:
    if not attribute.required or not converted.values.null_count:
        return converted
    empty = np.flatnonzero(converted.values.is_null().to_numpy(zero_copy_only=False)).tolist()
    missing = dict.fromkeys(empty, f"missing: {attribute.name}")
    return Converted(converted.values, {**missing, **converted.problems})


def _text(words: pa.Array, reading: Reading) -> Converted:
    attribute = reading.attribute
    problems: Problems = {}
    if attribute.codes is not None:
        words, problems = _codes(words, attribute)
    elif attribute.unit is not None:
        words, problems = read_sections(words, reading)
    if attribute.pattern is not None:
        fits = pc.match_substring_regex(words, f"^(?:{attribute.pattern})$").fill_null(True)
        for at in np.flatnonzero(~fits.to_numpy(zero_copy_only=False)).tolist():
            problems[at] = problem("not_of_pattern", attribute, words[at].as_py())
    return Converted(without(words, problems), problems)


def _codes(words: pa.Array, attribute: Attribute) -> tuple[pa.Array, Problems]:
    codes = attribute.codes
    assert codes is not None  # noqa: S101  # for mypy: the caller has looked
    problems: Problems = {}
    meant: list[str | None] = []
    for at, word in enumerate(words.to_pylist()):
        code = None if word is None else codes.by_word.get(word.casefold())
        if code is None and word is not None:
            if codes.closed:
                problems[at] = problem("not_in_code_list", attribute, word)
            else:
                code = word
        meant.append(code)
    return pa.array(meant, pa.string()), problems


def _by_word(
    kind: str, words: pa.Array, reading: Reading, parse: Callable[[str], object]
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


def _boolean(words: pa.Array, reading: Reading) -> Converted:
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


def _date(words: pa.Array, reading: Reading) -> Converted:
    def parse(word: str) -> object:
        _check_month(word, reading)
        return parse_date(word, reading.forms.dates)

    return _by_word("not_a_date", words, reading, parse)


def _timestamp(words: pa.Array, reading: Reading) -> Converted:
    def parse(word: str) -> object:
        _check_month(word, reading)
        return parse_instant(word, reading.time_zone, reading.forms.dates)

    return _by_word("not_an_instant", words, reading, parse)


def _check_month(word: str, reading: Reading) -> None:
    """Refuse a number such as 2016.1, which a column of numbers has for 2016.10 as well."""
    is_serial = reading.forms.dates.startswith("excel")
    if reading.are_numbers and not is_serial and "." in word.removesuffix(".0"):
        kind = "unclear_date"
        raise UnclearText(kind, "the first month or the tenth? Make the column one of texts")


_CONVERTERS: Mapping[AttributeType, Callable[[pa.Array, Reading], Converted]] = {
    AttributeType.TEXT: _text,
    AttributeType.INTEGER: read_numbers,
    AttributeType.NUMBER: read_numbers,
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

"""What the columns of a file hold: type, unit, code list, and whether one may be a key.

All is decided on the distinct texts of a column, so codes and dates that repeat themselves
are looked at once. A type counts only if every value is of it: one odd value among a million
makes a column of texts, and is shown by ``InferredColumn.exceptions``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from layers.base import AttributeType
from loaders.convert import NULL_WORDS, as_text, parse_boolean
from loaders.dates import parse_date, parse_instant
from loaders.formats.stream import DEFECT, GEOMETRY
from loaders.quantities import Quantity, Unit, parse_quantity, plain, unit_in_name

MAX_DISTINCT = 100_000
"""Distinct texts of a column that are looked at; the others are counted as filled only."""

_MAX_TEXTS = 2_000_000
"""Of all columns of a file together, so that a wide one does not fill the memory."""

MAX_CODES = 50
MAX_CODE_CHARS = 30
_CODE_SHARE = 0.2
_SAMPLES = 5
_EXCEPTIONS = 3
_NEARLY = 0.95
_INT32 = 2**31
_DIGITS_OF_A_NUMBER = 15
"""More digits than a double keeps are those of a code."""

_NAMES_OF_DATES = re.compile(
    r"日期|年代|年份|年月|时间|date|year|(?:^|_)on$|(?:sj|rq|nd|nf)$", re.IGNORECASE
)
_NAMES_OF_CODES = re.compile(
    r"code|编码|代码|编号|点号|(?:^|_)(?:id|no)$|bm$|dm$|bh$", re.IGNORECASE
)
_PARTIAL_DATE = re.compile(r"\d{4,8}(?:\.0)?")


@dataclass(frozen=True)
class InferredColumn:
    """What one column holds.

    Attributes:
        name: As in the file.
        title: The name without the unit that stands after it.
        type: The narrowest type that all values are of; TEXT where there are none.
        unit: Name of the unit that the values or the column's name bear, as ``quantities.UNITS``
            knows it; None for bare numbers.
        rows: Rows seen.
        filled: Rows with a value; words for "nothing" are none.
        distinct: Distinct values, up to ``MAX_DISTINCT``.
        is_unique: Whether no value comes twice and no row is without one; None where there are too
            many to know.
        codes: All distinct texts, most frequent first, where they are few, short and come again:
            what a code list would hold. Empty otherwise.
        samples: The most frequent values.
        minimum: Least number, for numbers.
        maximum: Greatest number, for numbers.
        max_chars: Characters of the longest text.
        nearly: A narrower type that nearly all values are of, if any.
        exceptions: The first values that are not of ``nearly``.
    """

    name: str
    title: str
    type: AttributeType
    unit: str | None
    rows: int
    filled: int
    distinct: int
    is_unique: bool | None
    codes: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    max_chars: int = 0
    nearly: AttributeType | None = None
    exceptions: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """A plain dictionary, without what is empty."""
        facts = {
            "name": self.name,
            "title": self.title if self.title != self.name else None,
            "type": self.type.value,
            "unit": self.unit,
            "rows": self.rows,
            "filled": self.filled,
            "distinct": self.distinct,
            "is_unique": self.is_unique,
            "codes": list(self.codes),
            "samples": list(self.samples),
            "minimum": self.minimum,
            "maximum": self.maximum,
            "max_chars": self.max_chars,
            "nearly": self.nearly.value if self.nearly else None,
            "exceptions": list(self.exceptions),
        }
        return {name: fact for name, fact in facts.items() if fact not in (None, [])}


def infer_columns(batches: Iterable[pa.RecordBatch]) -> tuple[InferredColumn, ...]:
    """What each column holds, in the order of the file.

    Args:
        batches: As ``reader.Features`` gives them; the columns of geometry and defect are left out.
            They are read to their end, and none is kept.
    """
    seen: dict[str, ColumnEvidence] = {}
    for batch in batches:
        observe(seen, batch)
    return tuple(column.inferred() for column in seen.values())


def observe(seen: dict[str, ColumnEvidence], batch: pa.RecordBatch) -> None:
    """Take in one batch; for callers that read the batches for more than one purpose."""
    for name in batch.schema.names:
        if name not in (GEOMETRY, DEFECT):
            if name not in seen:
                most = min(MAX_DISTINCT, _MAX_TEXTS // batch.num_columns)
                seen[name] = ColumnEvidence(name, most)
            seen[name].observe(batch.column(name))


class ColumnEvidence:
    """What has been seen of one column so far.

    Args:
        most: Distinct texts that are kept.
    """

    def __init__(self, name: str, most: int = MAX_DISTINCT) -> None:
        self.name = name
        self._most = most
        self.rows = 0
        self.filled = 0
        self.counts: Counter[str] = Counter()
        self.overflowed = False
        self.arrow_type: pa.DataType = pa.null()

    def observe(self, column: pa.Array) -> None:
        """Take in the values of one batch."""
        self.rows += len(column)
        self.arrow_type = column.type
        for entry in pc.value_counts(pc.utf8_trim_whitespace(as_text(column))).to_pylist():
            word, count = entry["values"], entry["counts"]
            if word is None or word.casefold() in NULL_WORDS:
                continue
            self.filled += count
            if word in self.counts or len(self.counts) < self._most:
                self.counts[word] += count
            else:
                self.overflowed = True

    def add(self, other: ColumnEvidence) -> None:
        """Take in what has been seen of a column of the same name elsewhere."""
        self.rows += other.rows
        self.filled += other.filled
        self.overflowed |= other.overflowed
        self.counts.update(other.counts)
        if other.arrow_type != self.arrow_type:
            self.arrow_type = pa.string()

    def inferred(self) -> InferredColumn:
        """What the column holds, by all that has been seen."""
        title, named_unit = unit_in_name(self.name)
        common = [word for word, _ in self.counts.most_common()]
        kind, unit, nearly, exceptions = self._kind(common)
        if kind is not AttributeType.NUMBER and kind is not AttributeType.INTEGER:
            named_unit = None
        unit = unit or named_unit
        numbers = _numbers(common) if unit or kind in _NUMERIC else []
        return InferredColumn(
            self.name,
            title if named_unit else self.name,
            kind,
            unit.name if unit else None,
            self.rows,
            self.filled,
            len(self.counts),
            self._is_unique(),
            tuple(common) if self._is_coded(kind, common) else (),
            tuple(common[:_SAMPLES]),
            min(numbers, default=None),
            max(numbers, default=None),
            max(map(len, common), default=0),
            nearly,
            tuple(exceptions),
        )

    def _is_unique(self) -> bool | None:
        if self.filled < self.rows or (len(self.counts) < self.filled and not self.overflowed):
            return False
        return None if self.overflowed else self.rows > 0

    def _is_coded(self, kind: AttributeType, words: Sequence[str]) -> bool:
        return (
            kind is AttributeType.TEXT
            and not self.overflowed
            and 0 < len(words) <= MAX_CODES
            and max(map(len, words)) <= MAX_CODE_CHARS
            and len(words) <= max(self.filled * _CODE_SHARE, 1)
        )

    def _kind(
        self, words: Sequence[str]
    ) -> tuple[AttributeType, Unit | None, AttributeType | None, list[str]]:
        """The type, the unit of the values, the type of nearly all, and what is not of that."""
        stated = _stated(self.arrow_type)
        if stated is not None or not words:
            return stated or AttributeType.TEXT, None, None, []
        for kind, wrong in ((kind, self._misfits(kind, words)) for kind in _NARROW_FIRST):
            misfits = sum(self.counts[word] for word in wrong)
            if not wrong and (kind not in _NUMERIC or self._bears_one_unit(words)):
                return kind, _unit(words) if kind in _NUMERIC else None, None, []
            if misfits <= (1 - _NEARLY) * self.filled and kind is not AttributeType.BOOLEAN:
                return AttributeType.TEXT, None, kind, wrong[:_EXCEPTIONS]
        return AttributeType.TEXT, None, None, []

    def _misfits(self, kind: AttributeType, words: Sequence[str]) -> list[str]:
        named_date = _NAMES_OF_DATES.search(self.name) is not None
        named_code = _NAMES_OF_CODES.search(self.name) is not None
        if kind is AttributeType.INTEGER and pa.types.is_floating(self.arrow_type):
            return list(words)
        if kind in _NUMERIC and named_code and not pa.types.is_integer(self.arrow_type):
            return list(words)
        if kind is AttributeType.DATE and not named_date:
            # Eight digits or a year may be anything unless the name says that they are a date.
            return [w for w in words if _PARTIAL_DATE.fullmatch(w) or not _fits(kind, w)]
        return [word for word in words if not _fits(kind, word)]

    def _bears_one_unit(self, words: Sequence[str]) -> bool:
        """Whether all texts name units of one dimension, or none names one.

        Bare numbers among them are in the unit of the column's name, where it has one.
        """
        units = [_measure(word).unit for word in words]
        dimensions = {unit.dimension for unit in units if unit is not None}
        is_mixed = None in units and any(units) and unit_in_name(self.name)[1] is None
        return len(dimensions) <= 1 and not is_mixed


_NUMERIC = (AttributeType.INTEGER, AttributeType.NUMBER)
_NARROW_FIRST = (
    AttributeType.BOOLEAN,
    AttributeType.DATE,
    AttributeType.TIMESTAMP,
    AttributeType.INTEGER,
    AttributeType.NUMBER,
)


def _stated(kind: pa.DataType) -> AttributeType | None:
    """The type that the format itself states.

    Returns:
        None for texts and for numbers, which may be codes or years.
    """
    if pa.types.is_boolean(kind):
        return AttributeType.BOOLEAN
    if pa.types.is_date(kind):
        return AttributeType.DATE
    if pa.types.is_timestamp(kind):
        return AttributeType.TIMESTAMP
    return None


def _fits(kind: AttributeType, word: str) -> bool:
    try:
        return _FITS[kind](word)
    except (ValueError, OverflowError):
        return False


def _fits_boolean(word: str) -> bool:
    parse_boolean(word)
    return not word.replace(".", "", 1).isdecimal()  # 0 and 1 are numbers as well


def _fits_date(word: str) -> bool:
    return 1800 <= parse_date(word).year <= 2200 and ":" not in word


def _fits_timestamp(word: str) -> bool:
    return ":" in word and parse_instant(word, "UTC") is not None


def _fits_integer(word: str) -> bool:
    value = _measure(word).value
    return value == value.to_integral_value() and abs(value) < _INT32


def _fits_number(word: str) -> bool:
    return _measure(word).value.is_finite()


def _measure(word: str) -> Quantity:
    """The quantity of a text, unless it is a code that looks like one.

    Raises:
        ValueError: it has a leading zero or more digits than a number keeps.
    """
    text = plain(word)
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdecimal():
        raise ValueError(word)
    if digits.isdecimal() and len(digits) > _DIGITS_OF_A_NUMBER:
        raise ValueError(word)
    return parse_quantity(text)


_FITS = {
    AttributeType.BOOLEAN: _fits_boolean,
    AttributeType.DATE: _fits_date,
    AttributeType.TIMESTAMP: _fits_timestamp,
    AttributeType.INTEGER: _fits_integer,
    AttributeType.NUMBER: _fits_number,
}


def _unit(words: Sequence[str]) -> Unit | None:
    """The smallest unit that texts bear, in which all of them are whole numbers at best."""
    units = {unit for word in words if (unit := _measure(word).unit) is not None}
    return min(units, key=lambda unit: unit.size, default=None)


def _numbers(words: Sequence[str]) -> list[float]:
    found: list[Decimal] = []
    for word in words:
        try:
            found.append(_measure(word).value)
        except ValueError:
            continue
    return [float(number) for number in found if number.is_finite()]

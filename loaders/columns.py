"""What is known of a column while its values are read, and what comes out of reading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from layers.base import Attribute, AttributeType
from loaders.dates import DateForm
from loaders.quantities import DecimalMark, UnclearText, Unit

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
class Reading:
    """What is known of a column whose words are read; ``are_numbers`` if the file has numbers."""

    attribute: Attribute
    forms: Forms
    time_zone: str
    are_numbers: bool

    def problem(self, kind: str, word: object, reason: str = "") -> str:
        """Kind, attribute and word, and what it may mean where that is unclear."""
        found = problem(kind, self.attribute, word)
        return f"{found}: {reason}" if reason else found

    def fault(self, kind: str, word: object, error: Exception) -> str:
        """The problem that an exception tells of."""
        if isinstance(error, UnclearText):
            return self.problem(error.word, word, str(error))
        return self.problem(kind, word)


def problem(kind: str, attribute: Attribute, word: object) -> str:
    """A reason, as ``loaders.findings`` has them: kind, attribute and the text of the file."""
    return f"{kind}: {attribute.name}={str(word)[:_SHOWN_CHARS]!r}"


def without(values: pa.Array, problems: Problems) -> pa.Array:
    """The values, null where there is a problem."""
    if not problems:
        return values
    good = np.ones(len(values), bool)
    good[list(problems)] = False
    return pc.if_else(pa.array(good), values, None)


def spread_problems(problems: Problems, indices: pa.Array) -> Problems:
    """Problems of rows, from those of the distinct words that the rows point at."""
    if not problems:
        return {}
    bad = np.isin(indices.fill_null(-1).to_numpy(), list(problems))
    rows = np.flatnonzero(bad).tolist()
    which = indices.take(pa.array(rows)).to_pylist()
    return {row: problems[word] for row, word in zip(rows, which, strict=True)}

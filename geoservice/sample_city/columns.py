"""Arrow columns from arrays of integers and of indices into words."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geoservice.sample_city.hashing import Bools, Ints

DECIMAL_DIGITS = 14


def decimals(values: Ints, places: int, *, null: Bools | None = None) -> pa.Array:
    """Exact decimals of whole units: 1250 with 3 places is 1.250.

    Args:
        values: Whole units.
        places: Digits after the point.
        null: Where there is no value.
    """
    words = np.empty((len(values), 2), np.int64)
    words[:, 0] = values
    words[:, 1] = values >> 63
    kind = pa.decimal128(DECIMAL_DIGITS, places)
    column = pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(words)])
    return column if null is None else pc.if_else(pa.array(~null), column, pa.scalar(None, kind))


def words(choices: Sequence[str | None], index: Ints) -> pa.Array:
    """The word of each index; None makes a null."""
    return pa.array(choices, pa.string()).take(pa.array(index))


def numbers(choices: Sequence[int | None], index: Ints) -> pa.Array:
    """The number of each index; None makes a null."""
    return pa.array(choices, pa.int64()).take(pa.array(index))


def text(values: Ints, width: int = 0) -> pa.Array:
    """Integers as text, with leading zeros up to a width."""
    column = pa.array(values).cast(pa.string())
    return pc.utf8_lpad(column, width, "0") if width else column


def joined(*parts: pa.Array | str) -> pa.Array:
    """Texts put together row by row; a plain word stands in every row."""
    return pc.binary_join_element_wise(*parts, "")


def dates(days: Ints) -> pa.Array:
    """Dates of days since 1970-01-01."""
    return pa.array(days.astype(np.int32)).cast(pa.date32())

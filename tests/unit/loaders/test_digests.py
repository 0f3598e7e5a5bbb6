"""Digests of rows: equal for equal rows however they lie in memory, and different for others."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.digests import digests, text_digests

SEED = b"0123456789abcdef"
SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("bytes", pa.binary()),
        ("number", pa.float64()),
        ("small", pa.int32()),
        ("flag", pa.bool_()),
        ("day", pa.date32()),
        ("nothing", pa.null()),
    ]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | st.text(max_size=30),
            "bytes": st.none() | st.binary(max_size=40),
            "number": st.none() | st.floats(allow_nan=False).map(lambda x: x + 0.0),
            "small": st.none() | st.integers(-(2**31), 2**31 - 1),
            "flag": st.none() | st.booleans(),
            "day": st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1)),
        }
    ),
    min_size=1,
    max_size=20,
)


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, SCHEMA)


@given(ROWS)
def test_rows_have_equal_digests_if_and_only_if_they_are_equal(rows: list[dict[str, Any]]) -> None:
    found = digests(batch_of(rows), SEED)

    # -0.0 was made 0.0 above; no other two values that are equal have different bits.
    assert len({repr(sorted(row.items())) for row in rows}) == len(np.unique(found))


@given(ROWS, st.data())
def test_a_slice_has_the_digests_of_its_rows(rows: list[dict[str, Any]], data: Any) -> None:
    first = data.draw(st.integers(0, len(rows)))
    batch = batch_of(rows)

    found = digests(batch.slice(first), SEED)

    assert digests(batch, SEED)[first:].tolist() == found.tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": ["xy"], "b": ["z"]}, {"a": ["x"], "b": ["yz"]}),
        ({"a": ["x"], "b": [None]}, {"a": [None], "b": ["x"]}),
        ({"a": [""]}, {"a": [None]}),
        ({"a": ["x"]}, {"b": ["x"]}),
        ({"a": [1]}, {"a": [1.0]}),
        ({"a": ["abcdefgh"]}, {"a": ["abcdefgh\0"]}),
        ({"a": ["abcdefgh12345678"]}, {"a": ["12345678abcdefgh"]}),
    ],
)
def test_where_a_value_stands_and_of_what_type_it_is_counts(one: Any, other: Any) -> None:
    found = [digests(pa.RecordBatch.from_pydict(batch), SEED)[0] for batch in (one, other)]

    assert found[0] != found[1]


def test_another_seed_gives_other_digests() -> None:
    batch = pa.RecordBatch.from_pydict({"a": ["x", "y"]})

    assert not (digests(batch, SEED) == digests(batch, b"another")).any()


def test_texts_have_digests_of_their_own() -> None:
    found = text_digests(pa.array(["a", "b", "a", "a" * 9]), SEED)

    assert found[0] == found[2]
    assert 3 == len(np.unique(found))

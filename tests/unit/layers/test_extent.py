"""Boxes and times as requests write them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.errors import InvalidParameter
from layers.extent import BBox, TimeInterval, parse_instant
from layers.features import Cursor


def test_a_box_of_six_numbers_leaves_heights_out() -> None:
    assert BBox(1, 2, 4, 5) == BBox.parse("1,2,3,4,5,6")


def test_a_box_across_the_antimeridian_has_two_parts() -> None:
    parts = BBox.parse("170,-10,-170,10").parts()

    assert (BBox(170, -10, 180, 10), BBox(-180, -10, -170, 10)) == parts


@given(st.text(max_size=40))
def test_any_text_is_a_box_or_a_clear_error(text: str) -> None:
    box = None
    with suppress(InvalidParameter):
        box = BBox.parse(text)

    assert box is None or -90 <= box.south <= box.north <= 90


@given(st.text(max_size=60))
def test_any_text_is_a_time_or_a_clear_error(text: str) -> None:
    interval = None
    with suppress(InvalidParameter):
        interval = TimeInterval.parse(text)

    assert interval is None or interval.start is not None or interval.end is not None


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # bounds are naive by contract
def test_an_instant_survives_being_written_and_read(instant: datetime) -> None:
    assert instant == parse_instant(instant.isoformat().replace("+00:00", "Z")) or (
        instant.microsecond == 0 and instant == parse_instant(instant.isoformat())
    )


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2020-01-01T00:00:00Z", 2020, 2020),
        ("2020-01-01T00:00:00Z/..", 2020, None),
        ("../2021-01-01T08:00:00+08:00", None, 2021),
        ("/2021-01-01T00:00:00Z", None, 2021),
        ("2020-01-01/2021-01-01", 2020, 2021),
    ],
)
def test_intervals_are_read_as_ogc_writes_them(
    text: str, start: int | None, end: int | None
) -> None:
    def year(number: int | None) -> datetime | None:
        return datetime(number, 1, 1, tzinfo=UTC) if number else None

    assert TimeInterval(year(start), year(end)) == TimeInterval.parse(text)


@given(st.integers(1, 2**53), st.timedeltas(timedelta(0), timedelta(days=80_000)))
def test_a_cursor_survives_being_written_and_read(feature_id: int, since: timedelta) -> None:
    cursor = Cursor(feature_id, datetime(1900, 1, 1, tzinfo=UTC) + since)

    assert cursor == Cursor.parse(str(cursor))

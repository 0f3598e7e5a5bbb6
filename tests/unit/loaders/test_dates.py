"""Days and instants in the forms of offices."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.dates import DATE_FORMS, DateForm, parse_date, parse_instant
from loaders.quantities import UnclearText

DAY = date(2016, 8, 30)


@pytest.mark.parametrize(
    "word",
    [
        "2016年8月30日",
        "2016年08月30号",
        "２０１６年８月３０日",
        "20160830",
        "20160830.0",
        "2016/8/30",
        "2016.8.30",
        "2016-8-30",
        "2016-08-30 10:11:12",
        "2016/8/30 0:00",
        "2016-08-30T10:11:12+08:00",
        "2016年8月30日 10时11分12秒",
        "30/8/2016",
        "8/30/2016",
    ],
)
def test_a_day_is_read_in_the_forms_of_offices(word: str) -> None:
    assert parse_date(word) == DAY


@pytest.mark.parametrize("word", ["2016年8月", "2016-08", "2016/8", "2016.8", "201608"])
def test_a_month_means_its_first_day(word: str) -> None:
    assert parse_date(word) == date(2016, 8, 1)


@pytest.mark.parametrize("word", ["3/4/2016", "03-04-2016", "201210", "200108", "42612"])
def test_what_may_be_two_days_is_refused_with_the_reason(word: str) -> None:
    with pytest.raises(UnclearText) as caught:
        parse_date(word)

    assert caught.value.word == "unclear_date"


@pytest.mark.parametrize(
    "word",
    ["", "bad", "16-08-30", "2016-08-30 garbage", "2016-08/30", "2016-13-01", "1990年代", "99999"],
)
def test_what_is_no_day_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_date(word)


@pytest.mark.parametrize(
    ("word", "form", "day"),
    [
        ("3/4/2016", "dmy", date(2016, 4, 3)),
        ("3/4/2016", "mdy", date(2016, 3, 4)),
        ("42612", "excel", DAY),
        ("42612.75", "excel", DAY),
        ("1", "excel", date(1900, 1, 1)),
        ("59", "excel", date(1900, 2, 28)),
        ("61", "excel", date(1900, 3, 1)),
        ("41150", "excel-1904", DAY),
        ("2016-08-30", "excel", DAY),
        ("2016-08-30", "dmy", DAY),
    ],
)
def test_a_form_that_is_said_decides(word: str, form: DateForm, day: date) -> None:
    assert parse_date(word, form) == day


@pytest.mark.parametrize("word", ["0", "60", "2958466"])
def test_serial_numbers_that_no_calendar_has_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_date(word, "excel")


def test_an_instant_without_offset_is_in_the_time_zone() -> None:
    assert parse_instant("2016年8月30日 8时0分", "Asia/Shanghai") == datetime(
        2016, 8, 30, tzinfo=UTC
    )
    assert parse_instant("2016-08-30", "Asia/Shanghai") == datetime(2016, 8, 29, 16, tzinfo=UTC)
    assert parse_instant("42612.5", "UTC", "excel") == datetime(2016, 8, 30, 12, tzinfo=UTC)


def test_an_offset_stands_over_the_time_zone() -> None:
    found = parse_instant("2016-08-30T10:11:12.5-03:30", "Asia/Shanghai")

    assert found == datetime(2016, 8, 30, 13, 41, 12, 500_000, tzinfo=UTC)


FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日", "%Y-%m-%dT%H:%M:%S")


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)), st.sampled_from(FORMATS))
def test_a_written_day_is_read_back(day: date, form: str) -> None:
    assert parse_date(day.strftime(form)) == day


@given(st.dates(date(1900, 3, 1), date(2199, 12, 31)))
def test_serial_numbers_count_days(day: date) -> None:
    serial = (day - date(1899, 12, 30)).days

    assert parse_date(str(serial), "excel") == day
    assert parse_date(str(serial + 1), "excel") == day + timedelta(days=1)


@given(st.text(max_size=30), st.sampled_from(DATE_FORMS))
def test_no_text_does_more_than_be_refused(text: str, form: DateForm) -> None:
    with suppress(ValueError, OverflowError):
        parse_date(text, form)
    with suppress(ValueError, OverflowError):
        parse_instant(text, "UTC", form)

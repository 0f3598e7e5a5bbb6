"""Days and instants, in the forms in which offices write them.

A year comes first unless the mapping says otherwise. A form that could be two days is an error that
says so: ``3/4/2016``, ``201210``, and a bare serial number of Excel.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from loaders.quantities import UnclearText, plain

DateForm = Literal["ymd", "dmy", "mdy", "excel", "excel-1904"]
"""``excel`` counts days from 1900 and ``excel-1904`` from 1904, as Excel for Macintosh did."""

DATE_FORMS: tuple[DateForm, ...] = get_args(DateForm)

_TIME = (
    r"(?:[T ]\s*(?P<hour>\d{1,2})[:时](?P<minute>\d{1,2})分?"
    r"(?:(?::|(?<=分))(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,9}))?秒?)?"
    r"\s*(?P<offset>Z|[+-]\d{2}:?\d{2})?)?"
)
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})(?:\s*年\s*|(?P<sep>[-/.]))(?P<month>\d{1,2})"
    rf"(?(sep)(?P=sep)|\s*月\s*)(?P<day>\d{{1,2}})\s*[日号]?{_TIME}"
)
_COMPACT = re.compile(rf"(?P<year>\d{{4}})(?P<month>\d\d)(?P<day>\d\d){_TIME}")
_YEAR_LAST = re.compile(
    rf"(?P<first>\d{{1,2}})(?P<sep>[-/.])(?P<second_>\d{{1,2}})(?P=sep)(?P<year>\d{{4}}){_TIME}"
)
_MONTH = re.compile(r"(\d{4})(?:\s*年\s*|[-/.])(\d{1,2})\s*月?")
_YEAR = re.compile(r"(\d{4})\s*年?")
_SIX_DIGITS = re.compile(r"(\d{4})(\d\d)")
_SERIAL = re.compile(r"\d{1,7}(?:\.\d+)?")
_LIKELY_SERIALS = range(10_000, 80_000)
_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  # Excel has no time zones
_EXCEL_1904_EPOCH = datetime(1904, 1, 1)  # noqa: DTZ001
_LAST_SERIAL = 2_958_465
_SERIAL_OF_29_FEBRUARY_1900 = 60


def parse_date(word: str, form: DateForm = "ymd") -> date:
    """The day of a text: ``2015-06-01``, ``2015/6/1``, ``20150601``, ``2015年6月1日``, ``2015``.

    A year or a month alone means its first day; a time of day is left out.

    Args:
        form: How days are written besides those forms, or that they are serial numbers.

    Raises:
        UnclearText: it may be one of two days.
        ValueError: another form, or no such day.
    """
    text = plain(word)
    if form in ("excel", "excel-1904") and _SERIAL.fullmatch(text):
        return _of_serial(text, form).date()
    text = text.removesuffix(".0")
    found = _full(text, form)
    return _whole_day(found) if found is not None else _partial(text)


def parse_instant(word: str, time_zone: str, form: DateForm = "ymd") -> datetime:
    """The instant of a text in UTC; a day alone is its midnight, first day where part is missing.

    Args:
        time_zone: IANA name, for texts without an offset.

    Raises:
        UnclearText: it may be one of two days.
        ValueError: another form, or no such instant.
    """
    text = plain(word)
    zone = ZoneInfo(time_zone)
    if form in ("excel", "excel-1904") and _SERIAL.fullmatch(text):
        return _of_serial(text, form).replace(tzinfo=zone).astimezone(UTC)
    found = _full(text, form)
    if found is None:
        return datetime.combine(parse_date(text, form), time(), zone).astimezone(UTC)
    local = datetime.combine(_whole_day(found), _time_of_day(found))
    return local.replace(tzinfo=_offset(found["offset"]) or zone).astimezone(UTC)


def _full(text: str, form: DateForm) -> re.Match[str] | None:
    """The parts of a text that names a whole day."""
    found = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)
    if found is not None:
        return found
    last = _YEAR_LAST.fullmatch(text)
    if last is None:
        return None
    if form not in ("dmy", "mdy") and int(last["first"]) <= 12 and int(last["second_"]) <= 12:
        word = "unclear_date"
        raise UnclearText(word, "is the day first, or the month? Say dmy or mdy under dates")
    month = last["second_"] if _day_is_first(last, form) else last["first"]
    day = last["first"] if _day_is_first(last, form) else last["second_"]
    tail = text[last.end("year") :]
    return _YEAR_FIRST.fullmatch(f"{last['year']}-{month}-{day}{tail}")


def _day_is_first(last: re.Match[str], form: DateForm) -> bool:
    return form == "dmy" or (form != "mdy" and int(last["first"]) > 12)


def _whole_day(found: re.Match[str]) -> date:
    return date(int(found["year"]), int(found["month"]), int(found["day"]))


def _time_of_day(found: re.Match[str]) -> time:
    if found["hour"] is None:
        return time()
    microseconds = int((found["fraction"] or "").ljust(6, "0")[:6])
    return time(int(found["hour"]), int(found["minute"]), int(found["second"] or 0), microseconds)


def _offset(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _partial(text: str) -> date:
    """The first day of a month or of a year."""
    if (month := _MONTH.fullmatch(text)) is not None:
        return date(int(month[1]), int(month[2]), 1)
    if (year := _YEAR.fullmatch(text)) is not None:
        return date(int(year[1]), 1, 1)
    if (six := _SIX_DIGITS.fullmatch(text)) is not None:
        return _of_six_digits(text, date(int(six[1]), int(six[2]), 1))
    if text.isdecimal() and int(text) in _LIKELY_SERIALS:
        word = "unclear_date"
        raise UnclearText(word, "is it a serial number of Excel? Say excel under dates")
    raise ValueError(text)


def _of_six_digits(text: str, month: date) -> date:
    try:
        date(2000 + int(text[:2]), int(text[2:4]), int(text[4:]))
    except ValueError:
        return month
    word = "unclear_date"
    raise UnclearText(word, "is it a year and a month, or a day of a year of two digits?")


def _of_serial(text: str, form: DateForm) -> datetime:
    """The local time of a serial number of Excel.

    Raises:
        ValueError: below 1, or the 29th of February 1900, which Excel has and the calendar has not.
    """
    days = float(text)
    if not 1 <= days <= _LAST_SERIAL or int(days) == _SERIAL_OF_29_FEBRUARY_1900:
        raise ValueError(text)
    if form == "excel-1904":
        return _EXCEL_1904_EPOCH + timedelta(days=days)
    early = int(days) < _SERIAL_OF_29_FEBRUARY_1900
    return _EXCEL_EPOCH + timedelta(days=days + early)

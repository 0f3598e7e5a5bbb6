"""Batches made ahead of who takes them, and what a report must add up to."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from loaders.pipeline import ahead
from loaders.report import LoadReport, column_of


def test_items_come_in_order() -> None:
    items = (n for n in range(100))

    assert list(ahead(items)) == list(range(100))


def test_a_failure_comes_where_it_happened() -> None:
    def items() -> Generator[int, None, None]:
        yield 1
        message = "broken"
        raise ValueError(message)

    taken = ahead(items())

    assert next(taken) == 1
    with pytest.raises(ValueError, match="broken"):
        next(taken)


def test_a_maker_stops_when_nobody_takes() -> None:
    closed = threading.Event()

    def items() -> Generator[int, None, None]:
        try:
            yield from range(1_000_000)
        finally:
            closed.set()

    taken = ahead(items())
    next(taken)
    taken.close()  # type: ignore[attr-defined]  # it is a generator

    assert closed.is_set()


def test_a_report_accounts_for_every_row() -> None:
    report = LoadReport(
        1, "roads", (), read=4, new=1, changed=1, unchanged=1, vanished=2, rejected=1
    )

    counts = {"read": 4, "new": 1, "changed": 1, "unchanged": 1, "vanished": 2, "rejected": 1}
    assert counts == report.counts()
    with pytest.raises(AssertionError, match="5 rows were read but 4 are accounted for"):
        LoadReport(1, "roads", (), read=5, new=1, changed=1, unchanged=1, vanished=0, rejected=1)


def test_a_reason_names_its_column() -> None:
    assert column_of("not_a_number: diameter_mm='x=1'") == "diameter_mm"
    assert column_of("outside_city: 0 0") is None

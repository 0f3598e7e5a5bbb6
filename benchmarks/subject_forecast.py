"""Expectations tried on real car parks, beside the last value and the same hour of last week.

The figures are those of the shared data (ten days of July 2020, German cities, every quarter of an
hour); each forecast knows what came before its instant and nothing else.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from zoneinfo import ZoneInfo

from rich.console import Console

from benchmark_city import BenchmarkCity
from layers.forecast import Tried, back_test
from measured import new_table

AHEAD_H = (0.25, 0.5, 1, 2, 3, 6, 12, 24)
_FOLDER = Path(
    os.environ.get("GEOSERVICE_SHARED", Path(__file__).resolve().parents[2] / "shared"),
    "data/04_facilities_timeseries/parking_de",
)
_ZONE = ZoneInfo("Europe/Berlin")
_NOWS = [
    datetime(2020, 7, day, hour, tzinfo=UTC)
    for day in (8, 9, 10)
    for hour in (5, 8, 11, 14, 17, 20)
]


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print."""
    del city, repeats
    if not _FOLDER.is_dir():
        console.print("[dim]the real car parks are not here: set GEOSERVICE_SHARED[/]")
        return
    series = [figures for figures in _figures() if len(set(figures.values())) > 1]
    table = new_table(
        f"Mean absolute error in spaces, {len(series)} car parks with 7 to 9 days of history",
        "ahead",
        "tries",
        "expected",
        "last value",
        "last week",
        "within the interval of 80 %",
    )
    for ahead_h in AHEAD_H:
        tried = list(_tried(series, timedelta(hours=ahead_h)))
        errors = [f"{fmean(one[n] for one in tried):.1f}" for n in range(3)]
        inside = fmean(one.is_inside for one in tried)
        table.add_row(f"{ahead_h:g} h", f"{len(tried):,}", *errors, f"{inside:.0%}")
    console.print(table)


def _tried(series: list[dict[datetime, float]], ahead: timedelta) -> Iterator[Tried]:
    for figures in series:
        for now in _NOWS:
            one = back_test(figures, now, ahead, _ZONE, lambda _: False)
            if one is not None:
                yield one


def _figures() -> Iterator[dict[datetime, float]]:
    found: dict[str, dict[datetime, float]] = {}
    for file in sorted(_FOLDER.glob("2020-*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                at = datetime.fromisoformat(row.pop("timestamp"))
                slot = at.replace(minute=at.minute // 15 * 15, second=0)
                for name, value in row.items():
                    if value:
                        found.setdefault(name, {})[slot] = float(value)
    yield from found.values()

"""Contestants measured in turns, and tables of what came out.

Each round measures every contestant once; every other round goes the other way round (ABBA), so
that a machine which grows slower or faster favours nobody. Ratios are taken within a round, because
its measurements are neighbours in time, and their median is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from rich.table import Table

Measurements = dict[str, list[float]]
"""What each contestant reached, one value of each round."""


@dataclass(frozen=True)
class Aim:
    """What a ratio is hoped to be; shown beside it, never a condition."""

    ratio: float
    at_least: bool = True

    def __str__(self) -> str:
        """Such as ``>= 3``."""
        return f"{'>=' if self.at_least else '<='} {self.ratio:g}"


def measure_in_turns(contestants: Mapping[str, Callable[[], float]], repeats: int) -> Measurements:
    """Measure all contestants ``repeats`` times, in ABBA order."""
    measured: Measurements = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(repeats):
        for name in names if turn % 2 == 0 else reversed(names):
            measured[name].append(contestants[name]())
    return measured


def ratios(measured: Measurements, name: str, reference: str) -> list[float]:
    """The ratio of one contestant to another in each round; NaN where the other reached 0."""
    return [
        ours / theirs if theirs else float("nan")
        for ours, theirs in zip(measured[name], measured[reference], strict=True)
    ]


def spread_text(values: Sequence[float], form: Callable[[float], str]) -> str:
    """Median with the least and the greatest value, such as ``12.0 (11.5 to 13.1)``."""
    if len(values) == 1:
        return form(values[0])
    return f"{form(median(values))} ({form(min(values))} to {form(max(values))})"


def ratio_text(values: Sequence[float]) -> str:
    """Ratios of several rounds as their median and spread."""
    return spread_text(values, lambda value: f"{value:.2f}")


def number_text(value: float) -> str:
    """A number with about three digits that mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def new_table(title: str, *columns: str, note: str = "") -> Table:
    """A table whose first column is text and whose others are figures."""
    table = Table(title=title, title_justify="left", title_style="bold", caption=note)
    table.caption_justify = "left"
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table

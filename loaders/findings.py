"""What is wrong with rows: reasons within a batch, and findings of a whole load.

A **reason** is the short text of a fault within a batch, kept with a rejected row: the id of its
rule, and after a colon what is shown to people, such as ``outside_city: 0 0`` or
``not_a_number: diameter_mm='x'``. A **finding** says the same with its key, its place and its
details, and can be told in both languages. Findings are counted exactly and kept up to a bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from layers.base import Title
from layers.city import BoolArray
from loaders.rules import Severity, find_rule

KEPT_PER_RULE = 1000
"""Findings of a rule that one load keeps; the others are counted."""

_EXCERPTS_PER_BATCH = KEPT_PER_RULE


@dataclass(frozen=True)
class Finding:
    """One breach of one rule.

    Attributes:
        row: Number of the row, from 1 over all files of the load; None where no row is at fault.
        clearance: Reading level of the rows that it tells of.
        place: Longitude and latitude, EPSG:4490, degrees; None where not known.
        details: What the sentences of the rule are filled with; plain JSON values.
    """

    rule: str
    severity: Severity
    row: int | None
    key: str | None
    clearance: int
    place: tuple[float, float] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def told(self) -> Title:
        """What is wrong, as a sentence in both languages."""
        return find_rule(self.rule).told(self.details)

    def as_json(self) -> dict[str, object]:
        """A plain dictionary."""
        told = self.told
        return {
            "rule": self.rule,
            "severity": self.severity.value,
            "row": self.row,
            "key": self.key,
            "place": list(self.place) if self.place else None,
            "details": dict(self.details),
            "sentence": told.as_json(),
        }


def finding_of(
    reason: str,
    *,
    severity: Severity,
    row: int | None,
    key: str | None,
    clearance: int,
    place: tuple[float, float] | None = None,
) -> Finding:
    """The finding that a reason tells of."""
    rule, _, detail = reason.partition(": ")
    return Finding(rule, severity, row, key, clearance, place, details_of(detail))


def details_of(detail: str) -> dict[str, str]:
    """Details of what stands after the colon of a reason.

    ``start_depth_m=16; limit=15`` has a column, its value, and more by name.
    """
    column, equals, rest = detail.partition("=")
    if not equals or not column:
        return {"detail": detail}
    if rest.startswith(("'", '"')):  # a text of the file, in which anything may stand
        return {"detail": detail, "column": column, "value": rest}
    value, *more = rest.split("; ")
    named = dict(part.split("=", 1) for part in more if "=" in part)
    return {"detail": detail, "column": column, "value": value, **named}


class FindingLog:
    """Findings of a load: exact counts, and the first of each rule.

    Attributes:
        counts: Findings by rule.
        kept: At most ``KEPT_PER_RULE`` of each.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.kept: list[Finding] = []
        self._kept: Counter[str] = Counter()

    def add(self, findings: Iterable[Finding], counts: Mapping[str, int]) -> None:
        """Take in findings, and how many there are of each rule, those not among them included."""
        self.counts.update(counts)
        for finding in findings:
            if self._kept[finding.rule] < KEPT_PER_RULE:
                self._kept[finding.rule] += 1
                self.kept.append(finding)

    def of_severity(self, severity: Severity) -> Counter[str]:
        """Counts of the rules of one severity, as found."""
        rules = {f.rule for f in self.kept if f.severity is severity}
        return Counter({rule: n for rule, n in self.counts.items() if rule in rules})


class Findings:
    """Reasons by row of one batch; a row with a reason is rejected.

    Attributes:
        bad: Whether each row is rejected.
        reasons: Why, by row.
        warned: Rows that breach a rule and are loaded, by rule; their details by row stand in
            ``warnings`` for the first of them.
    """

    def __init__(self, rows: int, strict: frozenset[str] = frozenset()) -> None:
        self.bad: BoolArray = np.zeros(rows, bool)
        self.reasons: dict[int, list[str]] = {}
        self.warned: dict[str, BoolArray] = {}
        self.warnings: dict[str, dict[int, str]] = {}
        self._strict = strict

    @property
    def clean(self) -> BoolArray:
        """Shape (rows,): whether nothing was found of a row."""
        clean = ~self.bad
        for rows in self.warned.values():
            clean &= ~rows
        return clean

    def add(self, row: int, reason: str) -> None:
        """Find fault with a row."""
        self.bad[row] = True
        self.reasons.setdefault(row, []).append(reason)

    def add_all(self, reasons: Mapping[int, str]) -> None:
        """Find fault with several rows, one reason each."""
        for row, reason in reasons.items():
            self.add(row, reason)

    def warn(self, row: int, reason: str) -> None:
        """Find fault with a row that is loaded all the same, unless the load is strict about it."""
        word, _, detail = reason.partition(": ")
        rows = np.zeros(len(self.bad), bool)
        rows[row] = True
        self.warn_all(word, rows, lambda _: detail)

    def warn_all(self, rule: str, rows: BoolArray, detail: Callable[[int], str]) -> None:
        """Find fault with rows that are loaded all the same, unless the load is strict about it.

        Args:
            rows: Whether each row breaches the rule.
            detail: What is shown of a row; asked for the first rows only.
        """
        found = np.flatnonzero(rows)
        if not len(found):
            return
        if rule in self._strict:
            for row in found.tolist():
                self.add(row, f"{rule}: {detail(row)}")
            return
        self.warned[rule] = self.warned.get(rule, np.zeros(len(self.bad), bool)) | rows
        shown = self.warnings.setdefault(rule, {})
        for row in found[: max(_EXCERPTS_PER_BATCH - len(shown), 0)].tolist():
            shown[row] = detail(row)

    def warning_counts(self) -> dict[str, int]:
        """How many rows that are loaded breach each rule."""
        counts = {rule: int((rows & ~self.bad).sum()) for rule, rows in self.warned.items()}
        return {rule: count for rule, count in counts.items() if count}


def reason_word(reason: str) -> str:
    """The id of the rule of a reason, by which reasons are counted."""
    return reason.partition(":")[0]

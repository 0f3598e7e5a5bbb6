"""What is wrong with the rows of a batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from layers.city import BoolArray


class Findings:
    """Reasons by row of one batch; a row with a reason is rejected.

    A reason is a short word, and after a colon what is shown to people: ``outside_city: 0 0``.
    ``repaired`` counts the rows with a fault that was mended without changing what they say.
    """

    def __init__(self, rows: int) -> None:
        self.bad: BoolArray = np.zeros(rows, bool)
        self.reasons: dict[int, list[str]] = {}
        self.repaired = 0

    @property
    def clean(self) -> BoolArray:
        """Shape (rows,): whether nothing was found of a row; repairs are not told by row."""
        return np.zeros_like(self.bad) if self.repaired else ~self.bad

    def add(self, row: int, reason: str) -> None:
        """Find fault with a row."""
        self.bad[row] = True
        self.reasons.setdefault(row, []).append(reason)

    def add_all(self, reasons: Mapping[int, str]) -> None:
        """Find fault with several rows, one reason each."""
        for row, reason in reasons.items():
            self.add(row, reason)


def reason_word(reason: str) -> str:
    """The short word of a reason, by which reasons are counted."""
    return reason.partition(":")[0]

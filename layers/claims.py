"""What the rows of a load say of time: since when they are true, and whether they are the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from layers.errors import InvalidParameter

RowRange = tuple[int, int]
"""Numbers of the first and the last row, both inside."""


@dataclass(frozen=True)
class Claim:
    """What staged rows claim besides what stands in them.

    A *change* says that the world became so: from ``valid_from`` on, features are as staged. A
    *correction* says that what was held was wrong: over the period in question the features were as
    staged all along. Either replaces what is held over its period and nothing outside of it.

    Attributes:
        valid_from: Since when; None means the recorded instant for a change, and the beginning of
            the version that is held without an end for a correction. A row's own date
            (``Layer.valid_from``) comes before None, and for a feature that is new before both.
        valid_to: The end of a correction's period, not part of it; None means without an end.
        is_correction: Whether the rows correct the past.
        is_complete: Whether the rows are all there are: what is held and not among them has ended.
        ends: Natural keys of features that are not staged and end with a change, at ``valid_from``.
        silent: Columns of the tables for which the files of some rows have none. What is held of
            them stays as it is.
    """

    valid_from: datetime | None = None
    valid_to: datetime | None = None
    is_correction: bool = False
    is_complete: bool = False
    ends: frozenset[str] = frozenset()
    silent: Mapping[str, tuple[RowRange, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.ends and self.is_correction:
            raise InvalidParameter("ends", sorted(self.ends), "features end with a change only")
        if self.valid_to is None:
            return
        if not self.is_correction or self.valid_from is None:
            raise InvalidParameter("valid_to", self.valid_to, "ends the period of a correction")
        if self.valid_to <= self.valid_from:
            raise InvalidParameter("valid_to", self.valid_to, "lies before valid_from")

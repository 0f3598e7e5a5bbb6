"""How much of something one caller may have: buckets of tokens that fill up again by themselves."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Hashable

from layers.errors import RateExceeded

_REMEMBERED = 10_000


class Rates:
    """One bucket for each caller of this worker.

    Args:
        per_s: Tokens that come back each second.
        burst: Tokens that a full bucket holds.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        # Tokens that were left, and when.
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, caller: Hashable, tokens: int) -> None:
        """Take tokens out of a caller's bucket.

        More than a full bucket holds is given when it is full, and makes the next ones wait longer.

        Raises:
            RateExceeded: there are too few; nothing is taken.
        """
        now = time.monotonic()
        left, since = self._left.get(caller, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_s)
        wanted = min(tokens, self._burst)
        if left < wanted:
            raise RateExceeded(math.ceil((wanted - left) / self._per_s))
        self._left[caller] = left - tokens, now
        self._left.move_to_end(caller)
        while len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)

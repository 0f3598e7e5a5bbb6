"""The ground along a line, as a terrain model gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

GroundSource = Literal["survey", "terrain"]


@dataclass(frozen=True)
class Ground:
    """Elevations along a line; of a city without a terrain model there are none.

    Attributes:
        raster: Name of the model; None where there is none.
        distances_m: From the line's start in the plane system, rising.
        elevations_m: None where none is known.
    """

    raster: str | None = None
    distances_m: Sequence[float] = ()
    elevations_m: Sequence[float | None] = ()

    def at(self, distance_m: float) -> float | None:
        """Between the samples on both sides; None unless both are known."""
        if not self.distances_m:
            return None
        after = int(np.searchsorted(self.distances_m, distance_m))
        after = min(max(after, 1), len(self.distances_m) - 1)
        before = after - 1
        left, right = self.elevations_m[before], self.elevations_m[after]
        if left is None or right is None:
            return None
        span = self.distances_m[after] - self.distances_m[before]
        share = min(1.0, max(0.0, (distance_m - self.distances_m[before]) / span))
        return left + (right - left) * share

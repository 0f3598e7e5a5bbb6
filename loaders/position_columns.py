"""Columns that hold positions by their numbers, where their names do not say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from layers.base import AttributeType
from layers.city import CityFrame
from layers.crs import SWAPPED
from layers.crs_candidates import candidates
from loaders.inference import InferredColumn

_LEAST_METRES, _MOST_METRES = 1e4, 5e7
_MAX_PAIRS = 10
_NUMERIC = (AttributeType.INTEGER, AttributeType.NUMBER)


@dataclass(frozen=True)
class PositionColumns:
    """Two columns whose numbers would lie in the city.

    Attributes:
        x: Column of easting or longitude.
        y: Column of northing or latitude.
        systems: In which they would, likely first, as ``--crs`` takes them.
    """

    x: str
    y: str
    systems: tuple[str, ...]


def find_position_columns(
    columns: Sequence[InferredColumn], city: CityFrame, source: Path
) -> PositionColumns | None:
    """The first two columns whose ranges lie in the city in some system; None without any."""
    likely = [column for column in columns if _may_be_ordinate(column)]
    pairs = [(a, b) for a, b in combinations(likely, 2) if _is_metric(a) == _is_metric(b)]
    for first, second in pairs[:_MAX_PAIRS]:
        corners = [[first.minimum, second.minimum], [first.maximum, second.maximum]]
        found = candidates(np.array(corners, float), city, source)
        names = tuple(text.split(" ")[0] for text in found)
        if names:
            is_swapped = names[0].endswith(SWAPPED)
            x, y = (second, first) if is_swapped else (first, second)
            same = (name for name in names if name.endswith(SWAPPED) == is_swapped)
            systems = tuple(name.removesuffix(SWAPPED) for name in same)
            return PositionColumns(x.name, y.name, systems)
    return None


def _may_be_ordinate(column: InferredColumn) -> bool:
    """Whether a column holds numbers that vary, of the size of degrees or of plane coordinates."""
    low, high = column.minimum, column.maximum
    if column.type not in _NUMERIC or low is None or high is None or not column.filled:
        return False
    is_plane = low >= _LEAST_METRES and high <= _MOST_METRES
    is_degrees = low >= -180 and high <= 180 and high - low < 5 and column.type is _NUMERIC[1]
    return is_plane or is_degrees


def _is_metric(column: InferredColumn) -> bool:
    return column.maximum is not None and column.maximum > 180

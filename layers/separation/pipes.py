"""Pipes as bodies in the ground: axes in the plane system, sizes, heights where they are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

FloatArray = npt.NDArray[np.float64]

LARGEST_SIDE_MM = 20_000
"""What is wider or higher is no size; the layer takes no larger diameter either."""

LARGEST_HALF_M = LARGEST_SIDE_MM / 2_000

_SECTION = re.compile(r"\s*(\d{1,6}(?:\.\d{1,3})?)\s*[*xX×]\s*(\d{1,6}(?:\.\d{1,3})?)\s*")
_ON_LINE_M = 1e-3


@dataclass(frozen=True, eq=False)
class Pipe:
    """A segment, held or proposed.

    Attributes:
        feature_id: None of a proposed pipe.
        line: Axis in the plane system of the city, metres, easting first, without Z.
        elevation_m: Of the axis at each vertex; None where it is not known.
        depth_m: Of the axis below ground at each vertex, shape as ``elevation_m``; None where it is
            not known.
        told: What else answers say of it.
    """

    feature_id: int | None
    kind: str | None
    category: str | None
    line: Any
    diameter_mm: float | None = None
    section: str | None = None
    burial: str | None = None
    pressure: str | None = None
    ends: tuple[str | None, str | None] = (None, None)
    elevation_m: FloatArray | None = None
    depth_m: FloatArray | None = None
    data_source: str | None = None
    told: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def half_m(self) -> tuple[float, float]:
        """Half of the width and half of the height; 0 where the size is not known."""
        return half_size(self.diameter_mm, self.section)

    @property
    def is_sized(self) -> bool:
        """Whether the size is known."""
        return self.half_m[0] > 0

    @property
    def largest_side_mm(self) -> float | None:
        """The diameter, or the larger side of the section; None where neither is known."""
        return self.diameter_mm or 2_000 * max(self.half_m) or None

    @cached_property
    def vertices(self) -> FloatArray:
        """Shape (n, 2), metres in the plane system."""
        return shapely.get_coordinates(self.line)


def half_size(diameter_mm: float | None, section: str | None) -> tuple[float, float]:
    """Half of the width and of the height of a pipe, metres; zeros where they are not known.

    A section of width times height counts before the diameter.
    """
    sides = _SECTION.fullmatch(section or "")
    width, height = map(float, sides.groups()) if sides else (0.0, 0.0)
    if not (0 < width <= LARGEST_SIDE_MM and 0 < height <= LARGEST_SIDE_MM):
        width = height = diameter_mm or 0.0
    if not 0 < width <= LARGEST_SIDE_MM:
        return 0.0, 0.0
    return width / 2_000, height / 2_000


def axis_depths(
    line: Any,
    start_m: float | None,
    end_m: float | None,
    *,
    reference: str,
    half_height_m: float,
) -> FloatArray | None:
    """Depth of the axis at each vertex, between those of the ends; None if one is not known.

    Args:
        line: In the plane system.
        start_m: Surveyed, of the crown or of the invert; so is ``end_m``.
        reference: ``crown`` or ``invert``.
        half_height_m: Of the pipe.
    """
    if start_m is None or end_m is None:
        return None
    along = stations(shapely.get_coordinates(line))
    to_axis = half_height_m if reference == "crown" else -half_height_m
    share = along / along[-1] if along[-1] > 0 else np.linspace(0, 1, len(along))
    return np.asarray(start_m + (end_m - start_m) * share + to_axis)


def stations(vertices: FloatArray) -> FloatArray:
    """Distance along a line of each of its vertices, metres; shape (n,)."""
    steps = np.hypot(*np.diff(vertices, axis=0).T)
    return np.concatenate([[0.0], np.cumsum(steps)])


def heights_at(pipe: Pipe, values: FloatArray, x: float, y: float) -> tuple[float, float]:
    """The least and the greatest of values along a pipe at a place on it.

    They differ where the pipe drops straight down, or comes by again.

    Args:
        values: At the vertices of the pipe, shape (n,).
        x: Easting in the plane system, metres; ``y`` northing.
    """
    start, end = pipe.vertices[:-1], pipe.vertices[1:]
    step = end - start
    length2 = np.einsum("ij,ij->i", step, step)
    offset = np.array([x, y]) - start
    flat = length2 == 0
    share = np.einsum("ij,ij->i", offset, step) / np.where(flat, 1, length2)
    share = np.clip(share, 0, 1)
    away = np.hypot(*(offset - share[:, None] * step).T)
    on_it = away <= max(_ON_LINE_M, float(away.min()))
    between = values[:-1] + share * (values[1:] - values[:-1])
    low = np.where(flat, np.minimum(values[:-1], values[1:]), between)
    high = np.where(flat, np.maximum(values[:-1], values[1:]), between)
    return float(low[on_it].min()), float(high[on_it].max())

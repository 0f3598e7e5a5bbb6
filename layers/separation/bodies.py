"""Pipes as bodies in the ground: axes in the plane system, sizes, heights where they are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from sqlalchemy import ColumnElement, LargeBinary, Select, TableClause, and_, bindparam, cast, func

from layers.access import Clearance
from layers.base import STORAGE_SRID, TILE_SRID
from layers.city import FloatArray
from layers.pipelines import LAYER as PIPELINES
from layers.underground.lines import from_plane, to_plane
from layers.underground.pipes import Pipe, pipes_of, select_versions_at

MOST_PIPES = 2_000
"""Pipes that one answer looks at."""

LARGEST_SIDE_MM = 20_000
LARGEST_HALF_M = LARGEST_SIDE_MM / 2_000
"""Half of the largest size that is believed."""

PROPOSED = 0
"""The id of a pipe that is not held."""

_ON_LINE_M = 1e-3
_LONGEST_EDGE_M = 100
"""Edges of an area are cut to this, so that they stay where they are in another projection."""

_ROUND = 1.01
"""By which arcs are widened: they are made of chords, which lie inside."""


@dataclass(frozen=True, eq=False)
class Body:
    """A pipe that takes up room, held or proposed."""

    pipe: Pipe

    def __getitem__(self, attribute: str) -> Any:
        """The value of an attribute; None where it is unknown or hidden."""
        return self.pipe.attributes.get(attribute)

    @cached_property
    def line(self) -> Any:
        """The axis in plan, metres in the plane system, easting first."""
        return shapely.force_2d(self.pipe.axis)

    @cached_property
    def vertices(self) -> FloatArray:
        """Of the axis in plan, shape (n, 2)."""
        return shapely.get_coordinates(self.line)

    @cached_property
    def half_m(self) -> tuple[float, float]:
        """Half of the width and half of the height; 0 where the size is not known."""
        size = self.pipe.size
        return (0.0, 0.0) if size is None else (size.width_m / 2, size.height_m / 2)

    @property
    def largest_side_mm(self) -> float | None:
        """The diameter, or the larger side of the section; None where neither is known."""
        return self["diameter_mm"] or 2_000 * max(self.half_m) or None

    @cached_property
    def elevation_m(self) -> FloatArray | None:
        """Of the axis at each vertex; None where it is not known."""
        values = shapely.get_coordinates(self.pipe.axis, include_z=True)[:, 2]
        return None if np.isnan(values).any() else values

    @cached_property
    def depth_m(self) -> FloatArray | None:
        """Of the axis below ground at each vertex, between those of the ends; None if unknown."""
        start, end = self["start_depth_m"], self["end_depth_m"]
        if start is None or end is None:
            return None
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(self.vertices, axis=0).T))])
        share = along / along[-1] if along[-1] > 0 else np.linspace(0, 1, len(along))
        to_axis = self.half_m[1] if self.pipe.depth_ref == "crown" else -self.half_m[1]
        return np.asarray(start + (end - start) * share + to_axis)

    def heights_at(self, values: FloatArray, x: float, y: float) -> tuple[float, float]:
        """The least and the greatest of values along the pipe at a place on it.

        They differ where the pipe drops straight down, or comes by again.

        Args:
            values: At the vertices, shape (n,).
            x: Easting in the plane system, metres; ``y`` northing.
        """
        start, end = self.vertices[:-1], self.vertices[1:]
        step, offset = end - start, np.array([x, y]) - start
        length2 = np.einsum("ij,ij->i", step, step)
        is_drop = length2 == 0
        share = np.einsum("ij,ij->i", offset, step) / np.where(is_drop, 1, length2)
        share = np.clip(share, 0, 1)
        away = np.hypot(*(offset - share[:, None] * step).T)
        on_it = away <= max(_ON_LINE_M, float(away.min()))
        between = values[:-1] + share * (values[1:] - values[:-1])
        low = np.where(is_drop, np.minimum(values[:-1], values[1:]), between)
        high = np.where(is_drop, np.maximum(values[:-1], values[1:]), between)
        return float(low[on_it].min()), float(high[on_it].max())


def proposed_body(axis: Any, attributes: Mapping[str, Any]) -> Body:
    """A pipe that is not held.

    Args:
        axis: In the plane system, with Z, which is NaN where it is not known.
        attributes: As those of the layer.
    """
    return Body(Pipe(PROPOSED, attributes, axis))


def in_plane(shape: Any, plane_srid: int) -> Any:
    """A shape of degrees in the plane system, metres, easting first, without Z."""
    return shapely.transform(shape, lambda lon_lat: to_plane(lon_lat, plane_srid))


def pipes_within(
    level: Clearance,
    shape: Any,
    reach_m: float,
    plane_srid: int,
    at: datetime,
    as_recorded: datetime | None,
) -> Select[Any]:
    """The statement of the pipes within reach of a shape, by feature; ``bodies_of`` reads it.

    It gives at most one more than ``MOST_PIPES``, so that it can be told that they are too many.

    Args:
        shape: In the plane system.
        at: Of valid time, aware.
        as_recorded: Of recorded time, aware; None is what is believed now.
    """
    around = shapely.segmentize(shapely.buffer(shape, max(reach_m, 0.01) * _ROUND), _LONGEST_EDGE_M)
    degrees = shapely.transform(around, lambda metres: from_plane(metres, plane_srid))
    wkb = shapely.to_wkb(shapely.set_srid(degrees, STORAGE_SRID), include_srid=True)

    def touches(view: TableClause) -> ColumnElement[bool]:
        asked = func.ST_Transform(
            func.geometry(cast(bindparam(None, wkb, LargeBinary), LargeBinary)), TILE_SRID
        )
        return and_(view.c.geom_3857.op("&&")(asked), func.ST_Intersects(view.c.geom_3857, asked))

    return select_versions_at(PIPELINES, level, touches, at, as_recorded, MOST_PIPES + 1)


def bodies_of(rows: Iterable[Mapping[Any, Any]], plane_srid: int) -> list[Body]:
    """Rows of ``pipes_within`` or ``layers.underground.pipes.pipes_numbered`` as bodies."""
    return [Body(pipe) for pipe in pipes_of(rows, plane_srid)]

"""Pipes as engineers look at them: where the axis lies, how large they are, how high.

Only what is known is told. The elevation of an axis whose source is ``unknown`` is never read: the
number that stands there fills a place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString
from sqlalchemy import BigInteger, ColumnElement, Select, TableClause, and_, bindparam, func
from sqlalchemy import select as sql_select

from layers.access import Clearance
from layers.base import STORAGE_SRID, TILE_SRID, Layer
from layers.codes import PIPE_CATEGORIES
from layers.pipelines import LAYER as PIPELINES
from layers.pipelines import PIPE_CLEARANCE
from layers.underground.lines import to_plane
from layers.versions import Condition, Versions

_NEAR_DEG = 5e-5
"""Candidates lie within some metres: a line that is straight in the plane bends in degrees."""

_SECTION = re.compile(r"([0-9]{1,6}\.?[0-9]{0,3})\s*[*xX×]\s*([0-9]{1,6}\.?[0-9]{0,3})")
_LARGEST_MM = 20_000


@dataclass(frozen=True)
class Size:
    """Width and height of a pipe, metres; equal for a round one."""

    width_m: float
    height_m: float


@dataclass(frozen=True, slots=True)
class Heights:
    """Elevations of a pipe at one place, metres; None is not known.

    Attributes:
        elevation_m: Of what was measured.
        elevation_of: What that is: ``axis``, or ``crown`` or ``invert`` of a pipe whose size is
            not known; None where no elevation is.
    """

    elevation_m: float | None = None
    elevation_of: str | None = None
    crown_m: float | None = None
    invert_m: float | None = None


@dataclass(frozen=True)
class Pipe:
    """One version of a segment.

    Attributes:
        attributes: Those that the caller may read; of a hidden one None is told.
        axis: In the plane system, metres; Z is NaN where the elevation is not known.
    """

    feature_id: int
    attributes: Mapping[str, Any]
    axis: LineString

    @cached_property
    def size(self) -> Size | None:
        """None where it is not known or cannot be."""
        section = _SECTION.search(self.attributes.get("section") or "")
        diameter = self.attributes.get("diameter_mm")
        sides = [float(side) for side in section.groups()] if section else [diameter or 0.0] * 2
        if not all(0 < side <= _LARGEST_MM for side in sides):
            return None
        return Size(sides[0] / 1000, sides[1] / 1000)

    @property
    def depth_ref(self) -> str:
        """``crown`` or ``invert``; where it is not said, what surveys measure of its class."""
        said: str | None = self.attributes.get("depth_ref")
        return said or ("invert" if self.attributes.get("category") == "PS" else "crown")

    @property
    def name(self) -> str:
        """Its number, else that of the feature."""
        return self.attributes.get("code") or f"#{self.feature_id}"

    def heights(self, axis_m: float | None) -> Heights:
        """What is known where the axis, as it is stored, has this elevation.

        Of a pipe without a size, the stored elevation of a survey is that of the crown or of the
        invert.
        """
        if axis_m is None:
            return Heights()
        if self.size is not None:
            half = self.size.height_m / 2
            return Heights(axis_m, "axis", axis_m + half, axis_m - half)
        if self.attributes.get("z_source") not in ("surveyed", "depth"):
            return Heights(axis_m, "axis")
        if self.depth_ref == "crown":
            return Heights(axis_m, "crown", crown_m=axis_m)
        return Heights(axis_m, "invert", invert_m=axis_m)

    def surveyed_cover(self, share: float) -> float | None:
        """Ground to crown by the depths of the survey, at a share of the pipe from its start."""
        depths = [self.attributes.get(f"{end}_depth_m") for end in ("start", "end")]
        if depths[0] is None or depths[1] is None:
            return None
        depth = depths[0] + (depths[1] - depths[0]) * share
        if self.depth_ref == "crown":
            return float(depth)
        return None if self.size is None else float(depth - self.size.height_m)


def cover_below(ground_m: float | None, heights: Heights) -> float | None:
    """From the ground to the crown; None unless both are known."""
    if ground_m is None or heights.crown_m is None:
        return None
    return ground_m - heights.crown_m


def hidden_categories(level: Clearance) -> tuple[str, ...]:
    """Codes of the classes that a level cannot see, whether any pipe of them is there or not."""
    return tuple(c.code for c in PIPE_CATEGORIES.codes if PIPE_CLEARANCE.of(c.code) > level)


def pipes_along(
    level: Clearance, line: LineString, at: datetime, as_recorded: datetime | None, most: int
) -> Select[Any]:
    """The statement of the pipes within some metres of a line, by feature; ``pipes_of`` reads it.

    Args:
        line: Degrees, EPSG:4490.
        at: Of valid time, aware.
        as_recorded: Of recorded time, aware; None is what is believed now.
        most: Rows at most.
    """

    def is_near(view: TableClause) -> ColumnElement[bool]:
        drawn = func.ST_GeomFromText(line.wkt, STORAGE_SRID)
        around = func.ST_Transform(func.ST_Expand(func.ST_Envelope(drawn), _NEAR_DEG), TILE_SRID)
        return and_(
            view.c.geom_3857.op("&&")(around), func.ST_DWithin(view.c.geom, drawn, _NEAR_DEG)
        )

    return select_versions_at(PIPELINES, level, is_near, at, as_recorded, most)


def pipes_numbered(
    level: Clearance, numbers: Sequence[int], at: datetime, as_recorded: datetime | None
) -> Select[Any]:
    """The statement of the pipes with these ids, otherwise as ``pipes_along``."""

    def is_one(view: TableClause) -> ColumnElement[bool]:
        return view.c.feature_id.in_([bindparam(None, n, BigInteger) for n in numbers])

    return select_versions_at(PIPELINES, level, is_one, at, as_recorded, len(numbers))


def select_versions_at(
    layer: Layer,
    level: Clearance,
    condition: Condition,
    at: datetime,
    as_recorded: datetime | None,
    most: int,
) -> Select[Any]:
    """Versions that hold at an instant, by feature: id, attributes, and ``wkb`` with Z."""
    names = [attribute.name for attribute in layer.attributes_at(level)]

    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        wkb = func.ST_AsBinary(view.c.geom).label("wkb")
        return [view.c.feature_id, *(view.c[name] for name in names), wkb]

    read = Versions(layer, level, is_earlier_belief=as_recorded is not None)
    instants = {"at": at} | ({} if as_recorded is None else {"as_recorded": as_recorded})
    versions = read.select_at(columns, [condition]).params(**instants).subquery("versions")
    return sql_select(versions).order_by(versions.c.feature_id).limit(most)


def pipes_of(rows: Iterable[Mapping[Any, Any]], plane_srid: int) -> list[Pipe]:
    """Rows of ``pipes_along`` or ``pipes_numbered`` as pipes in the plane system."""
    held = [{str(name): value for name, value in row.items()} for row in rows]
    axes = shapely.from_wkb([bytes(row.pop("wkb")) for row in held])
    coordinates, owners = shapely.get_coordinates(axes, include_z=True, return_index=True)
    if not len(owners):
        return []
    is_known = np.array([row.get("z_source") not in (None, "unknown") for row in held])
    elevations = np.where(is_known[owners], coordinates[:, 2], np.nan)
    placed = np.column_stack((to_plane(coordinates[:, :2], plane_srid), elevations))
    lines = np.asarray(shapely.linestrings(placed, indices=owners))
    return [Pipe(row.pop("feature_id"), row, line) for row, line in zip(held, lines, strict=True)]

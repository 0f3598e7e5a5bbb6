"""The history of one feature: what was believed of it after each step, and what each step changed.

A step is an instant of recorded time at which what a level can see of the feature changed. What
was believed then is a timeline: periods of valid time, each with what held in it; neighbours that a
level cannot tell apart are one period.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import zip_longest
from typing import Any

import numpy as np
import shapely
from pyproj import Transformer
from sqlalchemy import BigInteger, CompoundSelect, bindparam, func, select, union_all

from layers.access import Clearance
from layers.base import STORAGE_SRID, Layer
from layers.features import COORDINATE_DECIMALS
from layers.versions import readable, readable_past

MAX_VERSIONS = 10_000
MAX_STEPS = 1_000
MAX_PERIODS = 10_000
"""Of the timelines of all steps that are shown: each may hold as many as there were changes."""

_MAX_LOOKS = 5_000_000
"""How often a version may be looked at for the timelines of one feature."""

_SUPERSEDED = "_superseded"
"""No attribute may have this name: theirs begin with a letter."""


class StepKind(StrEnum):
    """What a step did to a feature."""

    NEW = "new"
    CHANGED = "changed"
    CORRECTED = "corrected"
    VANISHED = "vanished"
    TAKEN_BACK = "taken_back"


@dataclass(frozen=True)
class Period:
    """What held in a period of valid time; half open, without an end where ``end`` is None.

    Attributes:
        attributes: What the level may read.
        geometry: GeoJSON, degrees, x before y.
    """

    start: datetime
    end: datetime | None
    attributes: Mapping[str, Any]
    geometry: str

    def is_like(self, other: Period) -> bool:
        """Whether the same held in both."""
        return self.attributes == other.attributes and self.geometry == other.geometry

    def holds(self, at: datetime) -> bool:
        """Whether an instant is in the period."""
        return self.start <= at and (self.end is None or at < self.end)


@dataclass(frozen=True)
class Step:
    """One change of what is believed.

    Attributes:
        recorded_at: When it was recorded.
        changed: Attribute to its values before and after, of the period that changed last.
        moved_m: Hausdorff distance by which the geometry moved, metres in the plane system; None
            where it did not, or was not there.
        timeline: What has been believed since, in the order of valid time.
    """

    recorded_at: datetime
    kind: StepKind
    changed: Mapping[str, tuple[Any, Any]]
    moved_m: float | None
    timeline: Sequence[Period]


def select_versions(layer: Layer, level: Clearance, feature_id: int) -> CompoundSelect[Any]:
    """All versions of a feature that a level may read, held and past, of any instant.

    Rows: the attributes, admin_code, ``began``, ``ended``, ``recorded``, ``_superseded`` (null
    where it is held) and ``geometry`` (GeoJSON text).
    """
    branches = []
    for view in (readable(layer, level), readable_past(layer, level)):
        columns = [
            *(view.c[attribute.name] for attribute in layer.attributes_at(level)),
            view.c.admin_code,
            func.lower(view.c.valid_during).label("began"),
            func.upper(view.c.valid_during).label("ended"),
            func.lower(view.c.recorded_during).label("recorded"),
            func.upper(view.c.recorded_during).label(_SUPERSEDED),
            func.ST_AsGeoJSON(view.c.geom, COORDINATE_DECIMALS, 0).label("geometry"),
        ]
        is_it = view.c.feature_id == bindparam("id", feature_id, BigInteger)
        is_open = func.upper_inf(view.c.valid_during)
        # Each of the two kinds of versions has its own index by feature.
        branches += [select(*columns).where(is_it, which) for which in (is_open, ~is_open)]
    return union_all(*branches).limit(MAX_VERSIONS)


def steps_of(versions: Sequence[Mapping[Any, Any]], plane_srid: int) -> tuple[Sequence[Step], bool]:
    """The newest steps that versions show, oldest first, and whether there may be earlier ones.

    Args:
        versions: Rows of ``select_versions``.
        plane_srid: EPSG code of the plane system in which distances are measured.
    """
    instants = {row["recorded"] for row in versions}
    instants |= {row[_SUPERSEDED] for row in versions if row[_SUPERSEDED] is not None}
    newest_first = sorted(instants, reverse=True)
    looked_at = newest_first[: max(1, _MAX_LOOKS // len(versions))]
    steps: list[Step] = []
    periods = 0
    now = _timeline(versions, looked_at[0])
    for instant, earlier in zip_longest(looked_at, newest_first[1 : len(looked_at) + 1]):
        before = _timeline(versions, earlier) if earlier is not None else []
        if now != before:
            periods += len(now)
            if steps and (len(steps) == MAX_STEPS or periods > MAX_PERIODS):
                return steps[::-1], True
            steps.append(_step(instant, before, now, plane_srid))
        now = before
    return steps[::-1], len(looked_at) < len(newest_first)


_TIMES = frozenset({"began", "ended", "recorded", _SUPERSEDED, "geometry"})


def _timeline(versions: Sequence[Mapping[Any, Any]], instant: datetime) -> list[Period]:
    believed = [
        Period(
            row["began"],
            row["ended"],
            {name: value for name, value in row.items() if name not in _TIMES},
            row["geometry"],
        )
        for row in versions
        if row["recorded"] <= instant and (row[_SUPERSEDED] is None or instant < row[_SUPERSEDED])
    ]
    merged: list[Period] = []
    for period in sorted(believed, key=lambda one: one.start):
        last = merged[-1] if merged else None
        if last is not None and last.end == period.start and last.is_like(period):
            merged[-1] = Period(last.start, period.end, last.attributes, last.geometry)
        else:
            merged.append(period)
    return merged


def _step(
    recorded_at: datetime, before: Sequence[Period], now: Sequence[Period], plane_srid: int
) -> Step:
    fresh = [period for period in now if period not in before]
    shown = fresh[-1] if fresh else None
    replaced = next(
        (old for old in reversed(before) if shown is not None and old.holds(shown.start)),
        before[-1] if before else None,
    )
    changed: dict[str, tuple[Any, Any]] = {}
    moved_m = None
    if shown is not None and replaced is not None:
        changed = {
            name: (replaced.attributes[name], value)
            for name, value in shown.attributes.items()
            if replaced.attributes[name] != value
        }
        if replaced.geometry != shown.geometry:
            moved_m = _moved_m(replaced.geometry, shown.geometry, plane_srid)
    return Step(recorded_at, _kind(before, now), changed, moved_m, now)


def _kind(before: Sequence[Period], now: Sequence[Period]) -> StepKind:
    if not before:
        return StepKind.NEW
    if not now:
        return StepKind.TAKEN_BACK
    if before[-1].end is None and now[-1].end is not None:
        return StepKind.VANISHED
    begins_later = now[-1].start > before[-1].start
    return StepKind.CHANGED if begins_later and now[-1].end is None else StepKind.CORRECTED


def _moved_m(before: str, after: str, plane_srid: int) -> float:
    to_plane = Transformer.from_crs(STORAGE_SRID, plane_srid, always_xy=True)

    def on_plane(text: str) -> shapely.Geometry:
        degrees = shapely.from_geojson(text)
        return shapely.transform(
            degrees, lambda lonlat: np.column_stack(to_plane.transform(*lonlat.T))
        )

    return float(shapely.hausdorff_distance(on_plane(before), on_plane(after)))

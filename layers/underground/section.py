"""Cross-sections (横断面): every pipe that a drawn line cuts, with the ground above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shapely.geometry import LineString, Point

from layers.underground.crossings import Crossing, crossings
from layers.underground.ground import Ground
from layers.underground.pipes import Heights, Pipe, cover_below

CoverSource = Literal["terrain", "depth"]


@dataclass(frozen=True, slots=True)
class Cut:
    """A pipe where a line cuts it; what is None is not known.

    Attributes:
        cover_m: From the ground to the crown; below 0 for what lies above ground.
        cover_from: ``terrain``, where ground and crown are known, else ``depth`` of the survey.
    """

    pipe: Pipe
    crossing: Crossing
    heights: Heights
    ground_m: float | None
    cover_m: float | None
    cover_from: CoverSource | None

    @property
    def unknown(self) -> list[str]:
        """What is not known of it, in words."""
        known = {
            "elevation": self.heights.elevation_m,
            "size": self.pipe.size,
            "ground": self.ground_m,
            "cover": self.cover_m,
        }
        return [word for word, value in known.items() if value is None]


def cuts_of(line: LineString, pipes: Sequence[Pipe], ground: Ground) -> list[Cut]:
    """Every cut, in the order of the line.

    Args:
        line: In the plane system.
        ground: Along that line.
    """
    found = crossings(line, [pipe.axis for pipe in pipes]) if pipes else []
    return [_cut(pipes[one.pipe], one, ground.at(one.distance_m)) for one in found]


def _cut(pipe: Pipe, crossing: Crossing, ground_m: float | None) -> Cut:
    heights = pipe.heights(crossing.axis_elevation_m)
    at = Point(crossing.x_m, crossing.y_m)
    share = pipe.axis.project(at) / pipe.axis.length if pipe.axis.length else 0.0
    cover_m = cover_below(ground_m, heights)
    if cover_m is not None:
        return Cut(pipe, crossing, heights, ground_m, cover_m, "terrain")
    cover_m = pipe.surveyed_cover(share)
    return Cut(pipe, crossing, heights, ground_m, cover_m, None if cover_m is None else "depth")

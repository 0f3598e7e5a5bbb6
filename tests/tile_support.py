"""What tiles must hold, said by shapely: features of a made-up source against decoded tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import mapbox_vector_tile
import numpy as np
import shapely
from mapbox_vector_tile.Mapbox import vector_tile_pb2
from pyproj import Transformer
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from layers.access import Clearance
from layers.base import TILE_SRID

EXTENT, BUFFER = 4096, 64

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class SourceVersion:
    """A version of a feature as it was published.

    Attributes:
        geometry: EPSG:4490, degrees.
        start: From here on it is true.
        end: Up to here; None is for good.
        values: Attributes, without those that are null.
    """

    code: str
    geometry: BaseGeometry
    clearance: Clearance
    start: datetime
    end: datetime | None = None
    values: dict[str, Any] = field(default_factory=dict)

    def holds(self, at: datetime, level: Clearance) -> bool:
        """Whether a reader of a level sees it at an instant."""
        return self.clearance <= level and self.start <= at and (self.end is None or at < self.end)


_TO_MERCATOR = Transformer.from_crs(4326, TILE_SRID, always_xy=True)


def to_crs(geometry: BaseGeometry, srid: int) -> BaseGeometry:
    """A stored geometry in the plane of a grid, without heights; CGCS2000 and WGS 84 are one."""
    flat = shapely.force_2d(geometry)
    if srid != TILE_SRID:
        return flat
    return shapely.transform(
        flat, lambda xy: np.column_stack(_TO_MERCATOR.transform(xy[:, 0], xy[:, 1]))
    )


def in_units(geometry: BaseGeometry, box: Box) -> BaseGeometry:
    """A projected geometry in units of a tile, y downward."""
    west, south, east, north = box
    scale = np.array([EXTENT / (east - west), -EXTENT / (north - south)])
    return shapely.transform(geometry, lambda xy: (xy - [west, north]) * scale)


def window(margin: float = BUFFER) -> BaseGeometry:
    """The square of a tile with a margin on each side, units."""
    return shapely.box(-margin, -margin, EXTENT + margin, EXTENT + margin)


def is_needed(clipped: BaseGeometry) -> bool:
    """Whether what is left of a geometry in a tile is too large to vanish between its units."""
    if clipped.is_empty:
        return False
    if clipped.geom_type.endswith("Polygon"):
        return not clipped.buffer(-1.5).is_empty
    if clipped.geom_type.endswith("LineString"):
        return bool(clipped.length > 3)
    return True


def decoded(content: bytes, layer: str) -> dict[int, dict[str, Any]]:
    """The features of a layer by id; each must be there once."""
    if not content:
        return {}
    tile = mapbox_vector_tile.decode(content, default_options={"y_coord_down": True})
    features = tile[layer]["features"] if layer in tile else []
    found = {feature["id"]: feature for feature in features}
    assert len(found) == len(features)
    return found


def faults(
    versions: list[SourceVersion],
    ids: dict[str, int],
    tile: dict[int, dict[str, Any]],
    box: Box,
    srid: int,
) -> Iterator[str]:
    """What is wrong with a tile: missing, superfluous, displaced, or of other attributes.

    Args:
        versions: All that its reader sees at its instant.
    """
    left = dict(tile)
    for version in versions:
        units = in_units(to_crs(version.geometry, srid), box)
        clipped = units.intersection(window())
        found = left.pop(ids[version.code], None)
        if found is None:
            if is_needed(units.intersection(window(BUFFER - 2))):
                yield f"{version.code} is missing"
            continue
        yield from _differences(version, found, units, clipped)
    yield from (f"{feature_id} does not belong here" for feature_id in left)


def _differences(
    version: SourceVersion, found: dict[str, Any], units: BaseGeometry, clipped: BaseGeometry
) -> Iterator[str]:
    if version.values != found["properties"]:
        yield f"{version.code} has {found['properties']} and not {version.values}"
    drawn = shape(found["geometry"])
    if not drawn.is_valid:
        yield f"{version.code}: {shapely.is_valid_reason(drawn)}"
        return
    # Within a unit of the source, both ways; cutting may leave out what is thinner than that.
    # What has no area on the grid is drawn as a speck of two or three units, so as not to be lost.
    is_speck = units.area < 2 and drawn.area <= 9
    if not units.buffer(3 if is_speck else 1.5).covers(drawn):
        yield f"{version.code} is drawn where it is not"
    core = clipped.buffer(-1.5) if clipped.geom_type.endswith("Polygon") else clipped
    core = core.intersection(window(BUFFER - 2))
    if not core.is_empty and not drawn.buffer(1.5).covers(core):
        yield f"{version.code} is not drawn where it is"


def ring_areas(content: bytes, layer: str) -> Iterator[list[float]]:
    """Twice the signed areas of the rings of each polygon feature, in the order of the tile.

    By the surveyor's formula in units of the tile, as MVT 2.1 has it (4.3.3.3): above zero begins
    a polygon, below zero is a hole in it.
    """
    message = vector_tile_pb2.tile.FromString(content)
    for found in message.layers:
        for feature in found.features:
            if found.name == layer and feature.type == vector_tile_pb2.tile.Polygon:
                yield list(_ring_areas(list(feature.geometry)))


def _ring_areas(numbers: list[int]) -> Iterator[float]:
    x = y = at = 0
    ring: list[tuple[int, int]] = []
    while at < len(numbers):
        command, count = numbers[at] & 7, numbers[at] >> 3
        at += 1
        if command == 7:
            following = zip(ring, ring[1:] + ring[:1], strict=True)
            yield sum(a[0] * b[1] - b[0] * a[1] for a, b in following)
            ring = []
            continue
        for _ in range(count):
            dx, dy = ((n >> 1) ^ -(n & 1) for n in numbers[at : at + 2])
            x, y, at = x + dx, y + dy, at + 2
            ring.append((x, y))

"""Vector tiles of what is in no table: encoded here, with ``mapbox-vector-tile``.

That package drops values of types that it does not know without a word (numpy's integers, dates,
decimals). Here they are converted, or refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import mapbox_vector_tile
import numpy as np
import numpy.typing as npt
import shapely
from mapbox_vector_tile.encoder import on_invalid_geometry_make_valid
from shapely.geometry.base import BaseGeometry, BaseMultipartGeometry

from tiles.grids import Box
from tiles.matrix import TileAddress
from tiles.vector import TileOptions

TileValue = str | bool | int | float
Geometries = npt.NDArray[np.object_]


@dataclass(frozen=True)
class TileFeature:
    """One feature to encode.

    Attributes:
        geometry: In units of the tile, y downward, see ``to_tile``.
        properties: None values are left out, as a tile has no null.
    """

    feature_id: int
    geometry: BaseGeometry
    properties: Mapping[str, Any] = field(default_factory=dict)


def tile_box(address: TileAddress, margin: float = 0.0) -> Box:
    """The box of a tile as (west, south, east, north), in the system of its grid.

    Args:
        margin: Share of the tile's width added on each side.
    """
    west, south, east, north = address.box
    more = margin * (east - west)
    return west - more, south - more, east + more, north + more


def to_tile(geometries: Geometries, address: TileAddress, options: TileOptions) -> Geometries:
    """Geometries cut to a tile, in its units, y downward; empty where nothing is left.

    Args:
        geometries: EPSG:3857, two-dimensional.
    """
    west, _, east, north = tile_box(address)
    scale = options.extent / (east - west)

    def project(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        units = np.column_stack([(xy[:, 0] - west) * scale, (north - xy[:, 1]) * scale])
        return np.round(units, 3)

    least, most = -options.buffer, options.extent + options.buffer
    # GEOS leaves flags of the processor set, which numpy takes for faults of its own.
    with np.errstate(all="ignore"):
        moved = shapely.make_valid(shapely.transform(geometries, project))
        cut = shapely.clip_by_rect(moved, least, least, most, most)
        simplified: Geometries = np.asarray(shapely.simplify(cut, 1.0))
    return simplified


def encode_layer(name: str, features: Sequence[TileFeature], options: TileOptions) -> bytes:
    """The encoded layer of a tile; empty bytes where no feature is left.

    Raises:
        TypeError: a property is of a type that a tile has no value for.
    """
    encoded = [
        {
            "id": int(feature.feature_id),
            "geometry": part,
            "properties": _tile_values(feature.properties),
        }
        for feature in features
        for part in _single_kind(feature.geometry)
    ]
    if not encoded:
        return b""
    content: bytes = mapbox_vector_tile.encode(
        {"name": name, "features": encoded},
        default_options={
            "extents": options.extent,
            "y_coord_down": True,
            "on_invalid_geometry": on_invalid_geometry_make_valid,
        },
    )
    return content


def _single_kind(geometry: BaseGeometry) -> list[BaseGeometry]:
    """The parts of a geometry that a tile can hold: cutting may leave collections."""
    if geometry.is_empty:
        return []
    if geometry.geom_type == "GeometryCollection" and isinstance(geometry, BaseMultipartGeometry):
        return [part for one in geometry.geoms for part in _single_kind(one)]
    return [geometry]


def _tile_values(properties: Mapping[str, Any]) -> dict[str, TileValue]:
    return {k: tile_value(k, v) for k, v in properties.items() if v is not None}


def tile_value(name: str, value: Any) -> TileValue:
    """A value as a tile holds it; instants and dates become RFC 3339 texts.

    Raises:
        TypeError: there is no such value in a tile, or the number is not finite.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, dt.date | dt.time):  # datetime is a date
        return value.isoformat()
    if isinstance(value, float) and not np.isfinite(value):
        message = f"{name}: {value} has no place in a tile"
        raise TypeError(message)
    if isinstance(value, str | bool | int | float):
        return value
    message = f"{name}: a tile holds no {type(value).__name__}"
    raise TypeError(message)

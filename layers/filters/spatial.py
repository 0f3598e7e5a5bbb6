"""Spatial operators of CQL2: the geometry of a feature against one that the filter holds.

Geometries of a filter are in CRS84 (x longitude, y latitude, degrees), which is taken for one with
the stored CGCS2000. The index on the stored Web Mercator geometry finds candidates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, Double, TableClause, Text, and_, func, literal

from layers.base import STORAGE_SRID, TILE_SRID
from layers.errors import InvalidParameter
from layers.extent import BBox
from layers.filters.parsing import refused
from layers.filters.queryables import GEOMETRY_NAMES
from layers.filters.values import Expression, arguments

MERCATOR_LIMIT_DEG = 85.051128

_Relation = Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[bool]]

OPERATORS: dict[str, _Relation] = {
    "s_contains": func.ST_Contains,
    "s_crosses": func.ST_Crosses,
    "s_disjoint": func.ST_Disjoint,
    "s_equals": func.ST_Equals,
    "s_intersects": func.ST_Intersects,
    "s_overlaps": func.ST_Overlaps,
    "s_touches": func.ST_Touches,
    "s_within": func.ST_Within,
}

_CONVERSE = {"s_contains": "s_within", "s_within": "s_contains"}

_TYPES = frozenset(
    ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon")
)


def read_spatial(node: Mapping[str, Any]) -> Expression:
    """The condition of a spatial operation.

    Raises:
        InvalidParameter: its arguments are not the geometry of the features and a valid geometry.
    """
    name = str(node["op"]).lower()
    first, second = arguments(node, 2)
    if not _is_feature(first):
        # The geometry of the filter came first: the same, said from the other side.
        first, second, name = second, first, _CONVERSE.get(name, name)
    if not _is_feature(first):
        raise refused(f"{name} takes the property geometry and a geometry")
    given = _geometry(second)
    relation = OPERATORS[name]

    def condition(view: TableClause) -> ColumnElement[bool]:
        asked = func.ST_GeomFromText(literal(given.wkt, Text()), STORAGE_SRID)
        related = relation(view.c.geom, asked)
        if name == "s_disjoint":
            return related
        return and_(view.c.geom_3857.op("&&")(_candidates(given)), related)

    return condition


def _is_feature(node: Any) -> bool:
    return isinstance(node, dict) and node.get("property") in GEOMETRY_NAMES


def _candidates(given: BaseGeometry) -> ColumnElement[Any]:
    """The box of a geometry in Web Mercator, which ends before the poles."""
    west, south, east, north = given.bounds
    south, north = (max(-MERCATOR_LIMIT_DEG, min(MERCATOR_LIMIT_DEG, y)) for y in (south, north))
    ends: list[ColumnElement[float]] = [
        literal(end, Double()) for end in (west, south, east, north)
    ]
    return func.ST_Transform(func.ST_MakeEnvelope(*ends, STORAGE_SRID), TILE_SRID)


def _geometry(node: Any) -> BaseGeometry:
    if not isinstance(node, dict):
        raise refused("a geometry is written as a WKT or as GeoJSON")
    if "bbox" in node:
        return _box(node["bbox"])
    if node.get("type") not in _TYPES or not _is_finite(node.get("coordinates")):
        raise refused(f"a geometry is one of {', '.join(sorted(_TYPES))} with finite coordinates")
    try:
        found = shapely.force_2d(shape(node))
    except (ShapelyError, ValueError, TypeError, IndexError):
        raise refused("a geometry cannot be read") from None
    _check(found)
    return found


def _check(geometry: BaseGeometry) -> None:
    if geometry.is_empty:
        raise refused("a geometry is empty")
    west, south, east, north = geometry.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise refused("geometries are in degrees, longitude first")
    if not geometry.is_valid:
        raise refused(f"a geometry is not valid: {shapely.is_valid_reason(geometry)}")


def _is_finite(coordinates: Any) -> bool:
    if isinstance(coordinates, list):
        return all(map(_is_finite, coordinates))
    is_number = isinstance(coordinates, int | float) and not isinstance(coordinates, bool)
    return is_number and math.isfinite(coordinates)


def _box(ends: Any) -> BaseGeometry:
    if not isinstance(ends, Sequence) or not _is_finite(ends):
        raise refused("a bbox has 4 or 6 finite numbers")
    try:
        asked = BBox.parse(",".join(repr(float(end)) for end in ends), "filter")
    except InvalidParameter as error:
        raise refused(f"bbox: {error.reason}") from None
    parts = [box(part.west, part.south, part.east, part.north) for part in asked.parts()]
    return shapely.MultiPolygon(parts) if len(parts) > 1 else parts[0]

"""Shapes that requests bring, as GeoJSON."""

from __future__ import annotations

import math
from typing import Any

import shapely
from shapely.geometry import shape as as_shape

from layers.errors import InvalidBody

MAX_VERTICES = 20_000


def posted_shape(document: Any, *kinds: str) -> Any:
    """The shape of a geometry or a feature of GeoJSON, degrees; with Z where it has some.

    Raises:
        InvalidBody: it is none, is of another kind, too fine, or lies outside the earth.
    """
    if isinstance(document, dict) and document.get("type") == "Feature":
        document = document.get("geometry")
    if not isinstance(document, dict) or document.get("type") not in kinds:
        raise InvalidBody(f"needs GeoJSON of type {' or '.join(kinds)}")
    try:
        shape = as_shape(document)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, shapely.GEOSException):
        raise InvalidBody("has coordinates that make no shape", "/coordinates") from None
    if shape.is_empty or not all(map(math.isfinite, shape.bounds)):
        raise InvalidBody("has no coordinates, or some that are no numbers", "/coordinates")
    west, south, east, north = shape.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise InvalidBody("lies outside of -180 to 180 and -90 to 90 degrees", "/coordinates")
    if shapely.get_num_coordinates(shape) > MAX_VERTICES:
        raise InvalidBody(f"has more than {MAX_VERTICES} points", "/coordinates")
    if not shape.is_valid:
        # A line is not valid only where all its points are one.
        is_line = shape.geom_type == "LineString"
        raise InvalidBody("has no length" if is_line else "crosses itself", "/coordinates")
    return shape

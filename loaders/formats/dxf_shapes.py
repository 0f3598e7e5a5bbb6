"""Entities of a drawing as geometries: arcs get a vertex per degree, Z is kept, blocks are points.

A closed polyline, one whose last vertex is its first, a circle, an ellipse and a filled area are
polygons; what is open is a line. Coordinates of an entity that lies in a plane of its own (object
coordinates) come out in those of the drawing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import shapely
from ezdxf.entities.dxfentity import DXFEntity
from ezdxf.math import OCS, Vec3, bulge_to_arc
from shapely.geometry.base import BaseGeometry

POINTS, LINES, POLYGONS, TEXTS = "points", "lines", "polygons", "texts"

_STEP_DEG = 1.0
_SPLINE_SAGITTA = 0.001
"""Greatest distance between a spline and its straight form, in units of the drawing."""

_SPLINE_FRAME = 16
"""Flag of vertices that control a fitted polyline and are not on it."""

Shape = tuple[str, BaseGeometry]
"""Layer to which an entity belongs, and its geometry."""


def shape_of(entity: DXFEntity) -> Shape | None:
    """The layer and the geometry of an entity; None for entities of kinds that are not read."""
    maker = _MAKERS.get(entity.dxftype())
    return None if maker is None else maker(entity)


def _point(entity: Any) -> Shape:
    return POINTS, shapely.Point(entity.dxf.location)


def _insert(entity: Any) -> Shape:
    return POINTS, shapely.Point(entity.ocs().to_wcs(Vec3(entity.dxf.insert)))


def _text(entity: Any) -> Shape:
    """Lettering at the point to which it is aligned."""
    _, first, _ = entity.get_placement()
    return TEXTS, shapely.Point(entity.ocs().to_wcs(Vec3(first)))


def _mtext(entity: Any) -> Shape:
    return TEXTS, shapely.Point(Vec3(entity.dxf.insert))


def _line(entity: Any) -> Shape:
    return LINES, shapely.LineString([Vec3(entity.dxf.start), Vec3(entity.dxf.end)])


def _lwpolyline(entity: Any) -> Shape:
    vertices = list(_bulged(entity.get_points("xyb"), entity.closed))
    return _open_or_closed(_placed(vertices, entity.ocs(), entity.dxf.elevation), entity.closed)


def _polyline(entity: Any) -> Shape | None:
    if entity.is_polygon_mesh or entity.is_poly_face_mesh:
        return None
    kept = [vertex for vertex in entity.vertices if not vertex.dxf.flags & _SPLINE_FRAME]
    if entity.is_3d_polyline:
        return _open_or_closed([Vec3(v.dxf.location) for v in kept], entity.is_closed)
    flat = [vertex.format("xyb") for vertex in kept]
    heights = [Vec3(vertex.dxf.location).z for vertex in kept[:1]]
    elevation = Vec3(entity.dxf.elevation).z if entity.dxf.hasattr("elevation") else 0.0
    vertices = list(_bulged(flat, entity.is_closed))
    placed = _placed(vertices, entity.ocs(), elevation or next(iter(heights), 0.0))
    return _open_or_closed(placed, entity.is_closed)


def _arc(entity: Any) -> Shape:
    start, end = entity.dxf.start_angle, entity.dxf.end_angle
    angles = _steps(start, start + ((end - start) % 360 or 360))
    return _open_or_closed(list(entity.vertices(angles)), closed=False)


def _circle(entity: Any) -> Shape:
    return _open_or_closed(list(entity.vertices(_steps(0, 360)[:-1])), closed=True)


def _ellipse(entity: Any) -> Shape:
    start, end = math.degrees(entity.dxf.start_param), math.degrees(entity.dxf.end_param)
    params = np.radians(_steps(start, start + ((end - start) % 360 or 360)))
    return _open_or_closed(list(entity.vertices(params.tolist())), closed=False)


def _spline(entity: Any) -> Shape:
    return _open_or_closed(list(entity.flattening(_SPLINE_SAGITTA)), entity.closed)


def _quadrilateral(entity: Any) -> Shape:
    return _open_or_closed(list(entity.wcs_vertices(close=False)), closed=True)


def _hatch(entity: Any) -> Shape | None:
    """Areas of all boundaries; one inside another is a hole, one inside that an area again."""
    ocs, elevation = entity.ocs(), Vec3(entity.dxf.elevation).z
    rings = [ring for path in entity.paths if len(ring := _boundary(path)) >= 3]
    if not rings:
        return None
    placed = [_placed(ring, ocs, elevation) for ring in rings]
    if len(placed) == 1:
        return _open_or_closed(placed[0], closed=True)
    areas = shapely.build_area(
        shapely.GeometryCollection([shapely.LinearRing(ring) for ring in placed])
    )
    return POLYGONS, areas if not areas.is_empty else shapely.MultiPolygon(
        [shapely.Polygon(ring) for ring in placed]
    )


_MAKERS: dict[str, Callable[[Any], Shape | None]] = {
    "POINT": _point,
    "INSERT": _insert,
    "TEXT": _text,
    "ATTDEF": _text,
    "MTEXT": _mtext,
    "LINE": _line,
    "LWPOLYLINE": _lwpolyline,
    "POLYLINE": _polyline,
    "ARC": _arc,
    "CIRCLE": _circle,
    "ELLIPSE": _ellipse,
    "SPLINE": _spline,
    "HELIX": _spline,
    "SOLID": _quadrilateral,
    "TRACE": _quadrilateral,
    "3DFACE": _quadrilateral,
    "HATCH": _hatch,
    "MPOLYGON": _hatch,
}


def _open_or_closed(vertices: Sequence[Vec3], closed: bool) -> Shape:
    """A polygon where the vertices are the closed boundary of an area, else a line."""
    if len(vertices) < 2:
        # No line: the empty geometry is found fault with like any other.
        return LINES, shapely.LineString()
    is_ring = len(vertices) >= 4 and vertices[0].isclose(vertices[-1])
    if (closed or is_ring) and len(vertices) >= 3:
        return POLYGONS, shapely.Polygon(vertices)
    return LINES, shapely.LineString(vertices)


def _placed(vertices: Iterable[tuple[float, float]], ocs: OCS, elevation: float) -> list[Vec3]:
    """Vertices of a plane at an elevation, in the coordinates of the drawing."""
    return list(ocs.points_to_wcs(Vec3(x, y, elevation) for x, y in vertices))


def _bulged(points: Sequence[Sequence[float]], closed: bool) -> Iterator[tuple[float, float]]:
    """Vertices of a polyline whose points may begin an arc to the next: (x, y, bulge)."""
    following = [*points[1:], points[0]] if closed and points else points[1:]
    for (x, y, bulge), after in zip(points, following, strict=False):
        yield x, y
        if bulge and (x, y) != tuple(after[:2]):
            yield from _between((x, y), (after[0], after[1]), bulge)
    if points and not closed:
        yield points[-1][0], points[-1][1]


def _between(
    start: tuple[float, float], end: tuple[float, float], bulge: float
) -> list[tuple[float, float]]:
    """Vertices of an arc between its ends, without them."""
    center, first, last, radius = bulge_to_arc(start, end, bulge)
    turned = math.degrees(last - first) % 360
    angles = np.radians(_steps(math.degrees(first), math.degrees(first) + turned)[1:-1])
    xy = np.column_stack(
        [center.x + radius * np.cos(angles), center.y + radius * np.sin(angles)]
    ).tolist()
    return [(x, y) for x, y in (xy if bulge > 0 else reversed(xy))]


def _steps(start_deg: float, end_deg: float) -> list[float]:
    """Angles from start to end, at most a degree apart."""
    count = max(2, math.ceil(abs(end_deg - start_deg) / _STEP_DEG - 1e-9) + 1)
    return [float(angle) for angle in np.linspace(start_deg, end_deg, count)]


def _boundary(path: Any) -> list[tuple[float, float]]:
    """Vertices of one boundary of a filled area, in its plane."""
    if hasattr(path, "vertices"):
        return list(_bulged(path.vertices, closed=True))
    return [vertex for edge in path.edges for vertex in _edge(edge)]


def _edge(edge: Any) -> list[tuple[float, float]]:
    """Vertices of an edge without its last, which is the first of the next."""
    if hasattr(edge, "start"):
        return [(edge.start.x, edge.start.y)]
    if hasattr(edge, "control_points"):
        vertices = list(edge.construction_tool().flattening(_SPLINE_SAGITTA))
        return [(vertex.x, vertex.y) for vertex in vertices[:-1]]
    turned = (edge.end_angle - edge.start_angle) % 360 or 360
    angles = np.radians(_steps(edge.start_angle, edge.start_angle + turned))
    axis, ratio = (edge.major_axis, edge.ratio) if hasattr(edge, "ratio") else (None, 1.0)
    a = axis or Vec3(edge.radius, 0)
    x = edge.center.x + a.x * np.cos(angles) - a.y * ratio * np.sin(angles)
    y = edge.center.y + a.y * np.cos(angles) + a.x * ratio * np.sin(angles)
    vertices = list(zip(x.tolist(), y.tolist(), strict=True))
    return (vertices if edge.ccw else vertices[::-1])[:-1]

"""How parcels are parted and joined, so that boundaries which were shared stay shared.

All shapes are of one ``Plane``, in metres. Nothing here knows of codes, rights or the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from shapely import Geometry, LinearRing, LineString, MultiPolygon, Point, Polygon
from shapely.geometry.polygon import orient

from layers.cadastre.plane import Plane
from layers.errors import InvalidTransaction

TOLERANCE_M = 0.001
"""Places that are no further apart are one; boundaries that are further apart are not shared."""

AREA_TOLERANCE_M2 = 0.01
"""By no more may areas differ between before and after, and a parcel must be larger."""

GAP_M = 0.1
"""A hole that is nowhere wider is a gap between surveys, not land of somebody else."""

_XY = tuple[float, float]


def split(
    plane: Plane, parcel: MultiPolygon, line: LineString, beside: Sequence[MultiPolygon]
) -> tuple[Polygon, Polygon, Sequence[Point]]:
    """Part a parcel by a line that crosses it once.

    Args:
        parcel: One piece.
        line: Beginning and ending outside of the parcel, or on its boundary.
        beside: Other parcels around; a vertex of theirs on the boundary is taken rather than a new
            one next to it.

    Returns:
        The part to the left of the line, the part to the right, and the two ends of the new
        boundary.

    Raises:
        InvalidTransaction: the line does not part the parcel into two.
    """
    if len(parcel.geoms) != 1:
        raise InvalidTransaction("has several pieces, and only one piece can be split", "/parcel")
    line = shapely.remove_repeated_points(line)
    if not line.is_simple or not line.length:
        raise InvalidTransaction("crosses itself, or has no length", "/line")
    piece = orient(parcel.geoms[0], 1.0)
    path = _path_inside(plane, piece, _lengthened(line), beside)
    ends = [Point(path[0]), Point(path[-1])]
    for end in ends:
        if piece.exterior.distance(end) > TOLERANCE_M:
            raise InvalidTransaction("ends at a hole", "/line", plane.place_of(end))
    ring = _open(piece.exterior)
    for end in ends:
        ring = _with_vertex(ring, end)
    left = _part(piece, path, _walk(ring, path[-1], path[0]))
    right = _part(piece, path[::-1], _walk(ring, path[0], path[-1]))
    for part in (left, right):
        if not part.is_valid or part.area <= AREA_TOLERANCE_M2:
            raise InvalidTransaction("leaves a part of no area", "/line", plane.place_of(ends[0]))
    return left, right, ends


def merge(plane: Plane, parcels: Sequence[MultiPolygon]) -> Polygon:
    """Join parcels that touch along edges into one piece.

    Raises:
        InvalidTransaction: they do not touch, or leave a gap, or overlap.
    """
    noded = [_noded(parcel, parcels) for parcel in parcels]
    for parcel, one in zip(parcels, noded, strict=True):
        if not one.is_valid:
            place = plane.place_of(parcel.representative_point())
            raise InvalidTransaction("do not share their boundary exactly", "/parcels", place)
    joined = shapely.union_all(noded)
    if not isinstance(joined, Polygon):
        smallest = min(shapely.get_parts(joined), key=shapely.area)
        place = plane.place_of(smallest.representative_point())
        raise InvalidTransaction("do not touch along an edge", "/parcels", place)
    _refuse_loss(plane, noded, joined)
    return joined


def _refuse_loss(plane: Plane, parcels: Sequence[MultiPolygon], joined: Polygon) -> None:
    """See that the parcels neither overlapped nor left a gap between them."""
    for x, y in shapely.get_coordinates(joined).tolist():
        if not plane.is_known(x, y):
            raise InvalidTransaction("overlap", "/parcels", plane.place(x, y))
    if sum(one.area for one in parcels) - joined.area > AREA_TOLERANCE_M2:
        place = plane.place_of(parcels[0].representative_point())
        raise InvalidTransaction("overlap", "/parcels", place)
    for hole in joined.interiors:
        if Polygon(hole).buffer(-GAP_M / 2).is_empty:
            place = plane.place_of(Point(hole.coords[0]))
            raise InvalidTransaction("leave a gap between them", "/parcels", place)


def with_vertex(plane: Plane, parcel: MultiPolygon, vertex: Point) -> MultiPolygon | None:
    """A parcel whose boundary has the vertex too; None where it does not need to.

    Raises:
        InvalidTransaction: the parcel would be no valid shape any more.
    """
    if parcel.boundary.distance(vertex) > TOLERANCE_M or _has_vertex(parcel, vertex):
        return None
    changed = _inserted(parcel, vertex)
    if not changed.is_valid:
        reason = "ends at a boundary of a neighbour that cannot take the vertex"
        raise InvalidTransaction(reason, "/line", plane.place_of(vertex))
    return changed


def _lengthened(line: LineString) -> LineString:
    """A line that ends on a boundary but for what was rounded reaches across it."""
    xy = list(line.coords)
    reach = 2 * TOLERANCE_M
    for end, beside in ((0, 1), (-1, -2)):
        dx, dy = xy[end][0] - xy[beside][0], xy[end][1] - xy[beside][1]
        length = (dx * dx + dy * dy) ** 0.5
        xy[end] = (xy[end][0] + dx / length * reach, xy[end][1] + dy / length * reach)
    return LineString(xy)


def _path_inside(
    plane: Plane, piece: Polygon, line: LineString, beside: Sequence[MultiPolygon]
) -> list[_XY]:
    """The part of a line inside of a piece, its ends on vertices that are there where any are."""
    for end in (Point(line.coords[0]), Point(line.coords[-1])):
        if piece.contains(end):
            raise InvalidTransaction("ends inside of the parcel", "/line", plane.place_of(end))
    met = [one for one in shapely.get_parts(piece.boundary.intersection(line)) if not one.is_empty]
    along = next((one for one in met if not isinstance(one, Point)), None)
    if along is not None:
        place = plane.place(*along.coords[0])
        raise InvalidTransaction("runs along the boundary", "/line", place)
    vertices = _vertices([piece, *beside])
    crossings = sorted(met, key=line.project)
    where = [line.project(point) for point in crossings]
    snapped = [_snapped(point, piece, vertices) for point in crossings]
    kept = [n for n, point in enumerate(snapped) if point not in snapped[:n]]
    if len(kept) < 2:
        raise InvalidTransaction(
            "misses the parcel", "/line", plane.place_of(Point(line.coords[0]))
        )
    if len(kept) > 2:
        place = plane.place_of(snapped[kept[2]])
        raise InvalidTransaction("crosses the boundary more than twice", "/line", place)
    first, last = kept
    inner = [Point(xy) for xy in line.coords[1:-1]]
    bends = [_xy(one) for one in inner if where[first] < line.project(one) < where[last]]
    path = [_xy(snapped[first]), *bends, _xy(snapped[last])]
    middle = LineString(path).interpolate(0.5, normalized=True)
    if not piece.contains(middle):
        raise InvalidTransaction("misses the parcel", "/line", plane.place_of(middle))
    _refuse_touching(plane, piece, path)
    return path


def _refuse_touching(plane: Plane, piece: Polygon, path: Sequence[_XY]) -> None:
    """See that nothing but the ends of a path is on the boundary: no part hangs by a thread."""
    corners = [Point(xy) for xy in shapely.get_coordinates(piece)]
    near = [one for one in corners if LineString(path).distance(one) <= TOLERANCE_M]
    near += [one for one in map(Point, path[1:-1]) if piece.boundary.distance(one) <= TOLERANCE_M]
    ends = Point(path[0]), Point(path[-1])
    for one in near:
        if min(one.distance(end) for end in ends) > TOLERANCE_M:
            reason = "touches the boundary between its ends"
            raise InvalidTransaction(reason, "/line", plane.place_of(one))


def _snapped(point: Point, piece: Polygon, vertices: npt.NDArray[np.object_]) -> Point:
    nearest: Point = vertices[shapely.distance(vertices, point).argmin()]
    is_one = point.distance(nearest) <= TOLERANCE_M
    return nearest if is_one and piece.boundary.distance(nearest) <= TOLERANCE_M else point


def _xy(point: Point) -> _XY:
    return point.x, point.y


def _open(ring: LinearRing) -> list[_XY]:
    """The vertices of a ring, each once."""
    return [(float(x), float(y)) for x, y in shapely.get_coordinates(ring)[:-1]]


def _vertices(shapes: Sequence[Geometry]) -> npt.NDArray[np.object_]:
    return np.asarray(shapely.points(shapely.get_coordinates(shapes)))


def _walk(ring: Sequence[_XY], start: _XY, end: _XY) -> list[_XY]:
    """The vertices of a ring after one and before another."""
    first, last = ring.index(start), ring.index(end)
    turned = [*ring[first:], *ring[:first]]
    return turned[1 : (last - first) % len(ring)]


def _part(piece: Polygon, path: Sequence[_XY], rest: Sequence[_XY]) -> Polygon:
    shell = Polygon([*path, *rest])
    holes = [hole for hole in piece.interiors if shell.contains(Polygon(hole))]
    return Polygon(shell.exterior, holes)


def _with_vertex(ring: list[_XY], vertex: Point) -> list[_XY]:
    """An open ring with a vertex in the edge that is nearest to it, unless it has it."""
    if _xy(vertex) in ring:
        return ring
    edges = [LineString(edge) for edge in pairwise([*ring, ring[0]])]
    nearest = min(range(len(edges)), key=lambda n: edges[n].distance(vertex))
    return [*ring[: nearest + 1], _xy(vertex), *ring[nearest + 1 :]]


def _rings(parcel: MultiPolygon) -> Iterator[LinearRing]:
    for piece in parcel.geoms:
        yield from (piece.exterior, *piece.interiors)


def _has_vertex(parcel: MultiPolygon, vertex: Point) -> bool:
    return [vertex.x, vertex.y] in shapely.get_coordinates(parcel).tolist()


def _inserted(parcel: MultiPolygon, vertex: Point) -> MultiPolygon:
    """A parcel with a vertex in every ring that passes it."""

    def taking(ring: LinearRing) -> list[_XY]:
        open_ring = _open(ring)
        return (
            _with_vertex(open_ring, vertex) if ring.distance(vertex) <= TOLERANCE_M else open_ring
        )

    return MultiPolygon(
        [
            Polygon(taking(piece.exterior), [taking(hole) for hole in piece.interiors])
            for piece in parcel.geoms
        ]
    )


def _noded(parcel: MultiPolygon, others: Sequence[MultiPolygon]) -> MultiPolygon:
    """A parcel with the vertices that others have on its boundary."""
    for other in others:
        points = _vertices([other])
        for vertex in points[shapely.distance(points, parcel.boundary) <= TOLERANCE_M]:
            if not _has_vertex(parcel, vertex):
                parcel = _inserted(parcel, vertex)
    return parcel

"""Geometries as a layer stores them: its type, EPSG:4490, Z where it has one; or why not.

A vertical run has two vertices at one position and different heights, which is no line without
length. Z of 0 at every vertex is what software writes where there is none, and counts as unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely
from shapely import GeometryType as ShapelyType

from layers.base import STORAGE_SRID, GeometryType
from layers.city import BoolArray, CityFrame, FloatArray
from layers.crs import Operation
from loaders.findings import Findings
from loaders.formats.wkb import CURVE
from loaders.plain import Plain

_REPAIR_AREA_SHARE = 1e-9
"""Share of its area by which a repair may change a polygon: rounding, no land."""

NO_LENGTH = "zero_length: the line has one position only"

GeometryArray = npt.NDArray[np.object_]

_SINGLE = {
    "Point": ShapelyType.POINT,
    "LineString": ShapelyType.LINESTRING,
    "Polygon": ShapelyType.POLYGON,
}
_MULTI = {
    "Point": ShapelyType.MULTIPOINT,
    "LineString": ShapelyType.MULTILINESTRING,
    "Polygon": ShapelyType.MULTIPOLYGON,
}
_PROMOTE: Mapping[str, Callable[..., Any]] = {
    "Point": shapely.multipoints,
    "LineString": shapely.multilinestrings,
    "Polygon": shapely.multipolygons,
}


def parse_wkb(column: pa.Array, findings: Findings) -> GeometryArray:
    """Geometries of WKB as the reader hands it on; None where null or not readable."""
    values = column.to_numpy(zero_copy_only=False)
    geometries: GeometryArray = shapely.from_wkb(values, on_invalid="ignore")
    for at in np.flatnonzero(shapely.is_missing(geometries)).tolist():
        if values[at] == CURVE:
            findings.add(at, "curved_geometry: meshes of surfaces are not read")
        elif values[at] is not None:
            findings.add(at, "invalid_geometry: it cannot be read")
    return geometries


Form = GeometryArray | Plain
"""Geometries of a batch: bare coordinates where all are points or lines of one part, else objects,
None where there is none."""


def positions_of(form: Form) -> FloatArray:
    """Shape (vertices, 2): x and y of all vertices."""
    if isinstance(form, Plain):
        return form.coordinates[:, :2]
    return np.asarray(shapely.get_coordinates(form))


@dataclass(frozen=True)
class Shaped:
    """Geometries as stored; none where the file gives none or a finding stands.

    Attributes:
        has_z: Whether the file gave an elevation.
    """

    form: Form
    has_z: BoolArray
    geometry_type: GeometryType

    @property
    def missing(self) -> BoolArray:
        """Whether each row lacks a geometry."""
        if isinstance(self.form, Plain):
            return ~self.form.present
        return np.asarray(shapely.is_missing(self.form))

    def inner_positions(self) -> FloatArray:
        """Shape (rows, 2): a position on each geometry, degrees; NaN where there is none."""
        if isinstance(self.form, Plain):
            return self.form.inner_positions()
        points = inner_points(self.form)
        return np.column_stack([shapely.get_x(points), shapely.get_y(points)])

    def objects(self, rows: npt.NDArray[np.intp]) -> GeometryArray:
        """Two-dimensional shapely geometries of some rows, of the layer's type."""
        if isinstance(self.form, Plain):
            single = self.form.objects(rows)
            if self.geometry_type.is_multi:
                given = ~shapely.is_missing(single)
                single[given] = _promoted(single[given], self.geometry_type)
            return single
        flat: GeometryArray = shapely.force_2d(self.form[rows])
        return flat

    def raised(self, elevation_m: FloatArray) -> Shaped:
        """Points raised to elevations in metres; those whose elevation is NaN are left as is."""
        if isinstance(self.form, Plain):
            z = elevation_m[self.form.owner]
            z = np.where(np.isfinite(z), z, self.form.coordinates[:, 2])
            return replace(self, form=self.form.moved(self.form.coordinates[:, :2], z))
        return replace(self, form=_with_elevation(self.form, elevation_m))

    def as_ewkb(self) -> pa.Array:
        """Little-endian EWKB with SRID 4490, as the binary COPY of PostGIS takes it."""
        if isinstance(self.form, Plain):
            return self.form.as_ewkb(self.geometry_type)
        return _as_ewkb(self.form, self.geometry_type)


def shape(
    form: Form,
    geometry_type: GeometryType,
    operation: Operation,
    city: CityFrame,
    findings: Findings,
) -> Shaped:
    """Geometries of a layer's type in EPSG:4490; what cannot be one is found fault with."""
    if isinstance(form, Plain):
        return _shape_plain(form, geometry_type, operation, city, findings)
    return _shape_objects(form, geometry_type, operation, city, findings)


def _shape_plain(
    form: Plain,
    geometry_type: GeometryType,
    operation: Operation,
    city: CityFrame,
    findings: Findings,
) -> Shaped:
    rows = np.arange(len(form.counts))
    lon_lat, z, has_z = _move(form.coordinates, form.owner, rows, operation, city, findings)
    moved = form.moved(lon_lat, z if geometry_type.has_z else np.zeros_like(z))
    if geometry_type.dimension == 1:
        for at in np.flatnonzero(moved.without_length()).tolist():
            findings.add(at, NO_LENGTH)
    return Shaped(moved.without(findings.bad), has_z & form.present, geometry_type)


def _shape_objects(
    geometries: GeometryArray,
    geometry_type: GeometryType,
    operation: Operation,
    city: CityFrame,
    findings: Findings,
) -> Shaped:
    geometries = _of_type(geometries, geometry_type, findings)
    present = np.flatnonzero(~shapely.is_missing(geometries))
    with np.errstate(invalid="ignore"):  # GEOS on coordinates that are not finite; they are found
        moved, has_z = _moved(
            geometries[present], present, geometry_type, operation, city, findings
        )
        if geometry_type.dimension == 1:
            _refuse_without_length(moved, present, findings)
        if geometry_type.dimension == 2:
            _repair_or_refuse(moved, present, findings)
    result: GeometryArray = np.full(len(geometries), None, object)
    result[present] = moved
    result[findings.bad] = None
    known = np.zeros(len(geometries), bool)
    known[present] = has_z
    return Shaped(result, known, geometry_type)


def _of_type(
    geometries: GeometryArray, geometry_type: GeometryType, findings: Findings
) -> GeometryArray:
    """Geometries of the wanted type, single or of one part made the other where need be."""
    result = geometries.copy()
    result[shapely.is_empty(geometries)] = None
    single, multi = _SINGLE[geometry_type.simple_name], _MULTI[geometry_type.simple_name]
    _unwrap_collections(result)
    kinds = shapely.get_type_id(result)
    for at in np.flatnonzero((kinds != single) & (kinds != multi) & (kinds >= 0)).tolist():
        findings.add(at, f"wrong_geometry_type: {result[at].geom_type}")
        result[at] = None
    if geometry_type.is_multi:
        alone = np.flatnonzero(kinds == single)
        parts = result[alone]
        result[alone] = _promoted(parts, geometry_type)
        return result
    for at in np.flatnonzero(kinds == multi).tolist():
        if len(result[at].geoms) == 1:
            result[at] = result[at].geoms[0]
        else:
            count = len(result[at].geoms)
            findings.add(at, f"wrong_geometry_type: {result[at].geom_type} of {count} parts")
            result[at] = None
    return result


def _promoted(parts: GeometryArray, geometry_type: GeometryType) -> GeometryArray:
    """A collection of one part for each."""
    owners = np.arange(len(parts))
    collected: GeometryArray = _PROMOTE[geometry_type.simple_name](parts, indices=owners)
    return collected


def _unwrap_collections(geometries: GeometryArray) -> None:
    """KML and CAD wrap single geometries into collections."""
    kinds = shapely.get_type_id(geometries)
    for at in np.flatnonzero(kinds == ShapelyType.GEOMETRYCOLLECTION).tolist():
        if len(geometries[at].geoms) == 1:
            geometries[at] = geometries[at].geoms[0]


def _moved(
    geometries: GeometryArray,
    rows: npt.NDArray[np.intp],
    geometry_type: GeometryType,
    operation: Operation,
    city: CityFrame,
    findings: Findings,
) -> tuple[GeometryArray, BoolArray]:
    """The geometries in EPSG:4490, and whether each has an elevation."""
    coordinates, owner = shapely.get_coordinates(geometries, include_z=True, return_index=True)
    lon_lat, z, has_z = _move(coordinates, owner, rows, operation, city, findings)
    _drop_m(geometries)
    if not geometry_type.has_z:
        return shapely.set_coordinates(geometries, lon_lat), has_z
    flat = ~shapely.has_z(geometries)
    geometries[flat] = shapely.force_3d(geometries[flat])
    return shapely.set_coordinates(geometries, np.column_stack([lon_lat, z])), has_z


def _move(
    coordinates: FloatArray,
    owner: npt.NDArray[np.intp],
    rows: npt.NDArray[np.intp],
    operation: Operation,
    city: CityFrame,
    findings: Findings,
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Vertices in EPSG:4490, their heights (0 where unknown), and whether each geometry has any.

    Args:
        coordinates: Shape (vertices, 3), in the system of the file.
        owner: Shape (vertices,): place in ``rows`` of the geometry of each vertex, ascending.
        rows: The row of each geometry, for findings.
    """
    finite = np.isfinite(coordinates[:, :2]).all(axis=1)
    lon_lat = operation.apply(coordinates[:, :2])
    outside = ~city.holds(lon_lat)
    for at in np.unique(owner[~finite]).tolist():
        findings.add(int(rows[at]), "invalid_geometry: a coordinate is not finite")
    for at in np.unique(owner[outside & finite]).tolist():
        x, y = coordinates[np.searchsorted(owner, at), :2]
        findings.add(int(rows[at]), f"outside_city: {x:.10g} {y:.10g}")
    z = coordinates[:, 2]
    known = np.isfinite(z)
    has_z = _every(known, owner, len(rows)) & _any(known & (z != 0), owner, len(rows))
    return lon_lat, np.where(has_z[owner], z, 0.0), has_z


def _drop_m(geometries: GeometryArray) -> None:
    measured = shapely.has_m(geometries)
    geometries[measured] = shapely.force_2d(geometries[measured])


def _any(flags: BoolArray, owner: npt.NDArray[np.intp], count: int) -> BoolArray:
    result = np.zeros(count, bool)
    result[owner[flags]] = True
    return result


def _every(flags: BoolArray, owner: npt.NDArray[np.intp], count: int) -> BoolArray:
    return ~_any(~flags, owner, count)


def _refuse_without_length(
    geometries: GeometryArray, rows: npt.NDArray[np.intp], findings: Findings
) -> None:
    for at in np.flatnonzero(shapely.length(geometries) == 0).tolist():
        z = shapely.get_coordinates(geometries[at], include_z=True)[:, 2]
        if not z.max() > z.min():
            findings.add(int(rows[at]), NO_LENGTH)


def _repair_or_refuse(
    geometries: GeometryArray, rows: npt.NDArray[np.intp], findings: Findings
) -> None:
    """Write a ring that touches or crosses itself in a valid way, where that changes no area."""
    for at in np.flatnonzero(~shapely.is_valid(geometries)).tolist():
        invalid = geometries[at]
        repaired = shapely.make_valid(invalid, method="structure", keep_collapsed=False)
        kept = abs(repaired.area - invalid.area) <= _REPAIR_AREA_SHARE * invalid.area
        reason = _sentence(shapely.is_valid_reason(invalid))
        if kept and repaired.geom_type in ("Polygon", "MultiPolygon"):
            geometries[at] = shapely.multipolygons(shapely.get_parts(repaired))
            findings.warn(int(rows[at]), f"repaired_geometry: {reason}")
        else:
            findings.add(int(rows[at]), f"invalid_geometry: {reason}")


def _sentence(reason: str) -> str:
    """``Self-intersection[114.1 22.5]`` as ``Self-intersection at 114.1 22.5``."""
    what, _, where = reason.partition("[")
    return f"{what} at {where.removesuffix(']')}" if where else what


def _with_elevation(geometries: GeometryArray, elevation_m: FloatArray) -> GeometryArray:
    rows = np.flatnonzero(np.isfinite(elevation_m) & ~shapely.is_missing(geometries))
    result = geometries.copy()
    coordinates = shapely.get_coordinates(geometries[rows], include_z=True)
    coordinates[:, 2] = elevation_m[rows]
    result[rows] = shapely.set_coordinates(geometries[rows], coordinates)
    return result


def _as_ewkb(geometries: GeometryArray, geometry_type: GeometryType) -> pa.Array:
    texts = shapely.to_wkb(
        shapely.set_srid(geometries, STORAGE_SRID),
        output_dimension=3 if geometry_type.has_z else 2,
        byte_order=1,
        include_srid=True,
        flavor="extended",
    )
    return pa.array(texts, pa.binary())


def inner_points(geometries: GeometryArray) -> GeometryArray:
    """One point of each geometry: itself, a vertex in the middle of a line, a point in an area."""
    result: GeometryArray = np.full(len(geometries), None, object)
    kinds = shapely.get_dimensions(geometries)
    points, lines, areas = kinds == 0, kinds == 1, kinds == 2
    result[points] = geometries[points]
    result[lines] = _middle_vertices(geometries[lines])
    result[areas] = _points_in(geometries[areas])
    return result


def _middle_vertices(lines: GeometryArray) -> GeometryArray:
    coordinates, owner = shapely.get_coordinates(lines, return_index=True)
    counts = np.bincount(owner, minlength=len(lines))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
    middle: GeometryArray = shapely.points(coordinates[starts + counts // 2])
    return middle


def _points_in(areas: GeometryArray) -> GeometryArray:
    """Centroids where they lie inside, which is much cheaper than a point on the surface."""
    centres: GeometryArray = shapely.centroid(areas)
    inside = shapely.contains_xy(areas, shapely.get_x(centres), shapely.get_y(centres))
    centres[~inside] = shapely.point_on_surface(areas[~inside])
    return centres

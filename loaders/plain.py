"""Points and lines of one part each as bare coordinates: no object is made of any of them.

Most of what is loaded is of this kind. With arrays instead of an object for each geometry, all that
is done to 300,000 lines before COPY takes 0.6 s of processor time, not 1.8 s (measured).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from layers.base import STORAGE_SRID, GeometryType
from layers.city import BoolArray, FloatArray

_IntArray = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]

_LITTLE_ENDIAN = 1
_CODE = {"Point": 1, "LineString": 2}
_ISO_Z = 1000
_EWKB_Z = 0x80000000
_EWKB_SRID = 0x20000000
_TO_MULTI = 3
"""From the code of a geometry type to that of its collection (OGC 06-103r4, 8.2.8)."""


@dataclass(frozen=True)
class Plain:
    """Points or lines of a batch.

    Attributes:
        coordinates: Shape (vertices, 3): x, y and z of all vertices in order; z is NaN where there
            is none.
        counts: Shape (rows,): vertices of each row, 0 where it has no geometry.
    """

    coordinates: FloatArray
    counts: _IntArray

    @property
    def present(self) -> BoolArray:
        """Shape (rows,): whether each row has a geometry."""
        return self.counts > 0

    @property
    def owner(self) -> npt.NDArray[np.intp]:
        """Shape (vertices,): the row that each vertex belongs to."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def starts(self) -> _IntArray:
        """Shape (rows,): the first vertex of each row."""
        return np.cumsum(self.counts) - self.counts

    def without(self, rows: BoolArray) -> Plain:
        """The same without the geometries of some rows."""
        if not (rows & self.present).any():
            return self
        kept = np.where(rows, 0, self.counts)
        return Plain(self.coordinates[~rows[self.owner]], kept)

    def moved(self, lon_lat: FloatArray, z: FloatArray) -> Plain:
        """The same at other coordinates, shapes (vertices, 2) and (vertices,)."""
        return replace(self, coordinates=np.column_stack([lon_lat, z]))

    def inner_positions(self) -> FloatArray:
        """Shape (rows, 2): the vertex in the middle of each row; NaN where there is none."""
        found = np.full((len(self.counts), 2), np.nan)
        present = self.present
        middle = (self.starts + self.counts // 2)[present]
        found[present] = self.coordinates[middle, :2]
        return found

    def without_length(self) -> BoolArray:
        """Shape (rows,): lines whose vertices are all at one position and one height."""
        found = np.zeros(len(self.counts), bool)
        if len(self.coordinates):
            present = self.present
            starts = self.starts[present]
            least = np.minimum.reduceat(self.coordinates, starts)
            most = np.maximum.reduceat(self.coordinates, starts)
            found[present] = (np.isfinite(least) & (least == most)).all(axis=1)
        return found

    def objects(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.object_]:
        """Two-dimensional shapely geometries of some rows, None where there is none."""
        found: npt.NDArray[np.object_] = np.full(len(rows), None, object)
        starts, counts = self.starts[rows].tolist(), self.counts[rows].tolist()
        for at, (start, count) in enumerate(zip(starts, counts, strict=True)):
            if count:
                vertices = self.coordinates[start : start + count, :2]
                found[at] = shapely.Point(vertices) if count == 1 else shapely.LineString(vertices)
        return found

    def as_ewkb(self, geometry_type: GeometryType) -> pa.Array:
        """Little-endian EWKB with SRID 4490, as the binary COPY of PostGIS takes it."""
        dimensions = 3 if geometry_type.has_z else 2
        present = self.present
        counts = self.counts[present]
        head = _head(geometry_type)
        counted = geometry_type.dimension == 1
        head_bytes = len(head) + 4 * counted
        sizes = np.where(present, head_bytes + 8 * dimensions * self.counts, 0)
        ends = np.concatenate([[0], np.cumsum(sizes)])
        at = ends[:-1][present]
        written = np.empty(ends[-1], np.uint8)
        is_body = np.ones(ends[-1], bool)
        written[_places(at, len(head))] = head
        if counted:
            lengths = counts.astype("<u4").view(np.uint8).reshape(-1, 4)
            written[_places(at + len(head), 4)] = lengths
        is_body[_places(at, head_bytes)] = False
        body = np.ascontiguousarray(self.coordinates[:, :dimensions], "<f8")
        written[is_body] = body.view(np.uint8).ravel()
        validity = None if present.all() else pa.array(present).buffers()[1]
        buffers = [validity, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(written)]
        return pa.Array.from_buffers(pa.binary(), len(self.counts), buffers)


def _head(geometry_type: GeometryType) -> _Bytes:
    """What stands before the vertices, or before their number, in every EWKB of a type."""
    code = _CODE[geometry_type.simple_name] | (_EWKB_Z if geometry_type.has_z else 0)
    order = bytes([_LITTLE_ENDIAN])
    srid = STORAGE_SRID.to_bytes(4, "little")
    if not geometry_type.is_multi:
        head = order + (code | _EWKB_SRID).to_bytes(4, "little") + srid
    else:
        collection = (code + _TO_MULTI) | _EWKB_SRID
        one = (1).to_bytes(4, "little")
        head = order + collection.to_bytes(4, "little") + srid + one
        head += order + code.to_bytes(4, "little")
    return np.frombuffer(head, np.uint8)


def plain_of_wkb(column: pa.Array, geometry_type: GeometryType) -> Plain | None:
    """Points or lines of WKB, or None if one of them is anything else.

    Args:
        column: Binary; ISO WKB as GDAL and shapely write it.
        geometry_type: Of the layer; of areas there is no plain form.
    """
    if (
        geometry_type.simple_name not in _CODE
        or not len(column)
        or not pa.types.is_binary(column.type)
    ):
        return None
    _, ends_buffer, data_buffer = column.buffers()
    ends = np.frombuffer(ends_buffer, np.int32)[column.offset :][: len(column) + 1].astype(np.int64)
    present = np.diff(ends) > 0
    if not present.any() or np.count_nonzero(~present) != column.null_count:
        return None
    body = np.frombuffer(data_buffer, np.uint8)[ends[0] : ends[-1]]
    parsed = _vertices(body, ends[:-1][present] - ends[0], np.diff(ends)[present], geometry_type)
    if parsed is None:
        return None
    coordinates, vertices = parsed
    counts = np.zeros(len(column), np.int64)
    counts[present] = vertices
    return Plain(coordinates, counts)


def _vertices(
    body: _Bytes, at: _IntArray, sizes: _IntArray, geometry_type: GeometryType
) -> tuple[FloatArray, _IntArray] | None:
    """Coordinates, shape (vertices, 3), and the number of vertices of each geometry."""
    counted = geometry_type.dimension == 1
    head_bytes = 9 if counted else 5
    if (sizes < head_bytes).any() or (body[at] != _LITTLE_ENDIAN).any():
        return None
    codes = _unsigned(body, at + 1)
    flat = _CODE[geometry_type.simple_name]
    if (codes != codes[0]).any() or codes[0] not in (flat, flat + _ISO_Z):
        return None
    dimensions = 2 if codes[0] == flat else 3
    counts = _unsigned(body, at + 5) if counted else np.ones(len(at), np.int64)
    if (sizes != head_bytes + 8 * dimensions * counts).any() or (counted and (counts < 2).any()):
        return None
    is_vertex = np.ones(len(body), bool)
    is_vertex[_places(at, head_bytes)] = False
    values = body[is_vertex].view("<f8").reshape(-1, dimensions)
    if not counted and not np.isfinite(values[:, :2]).all():
        return None  # how WKB writes a point that is empty
    return _with_z(values), counts


def _with_z(values: FloatArray) -> FloatArray:
    if values.shape[1] == 3:
        return values
    return np.column_stack([values, np.full(len(values), np.nan)])


def plain_points(x: FloatArray, y: FloatArray) -> Plain:
    """Points of two columns; rows in which one is not finite have none."""
    given = np.isfinite(x) & np.isfinite(y)
    return Plain(_with_z(np.column_stack([x[given], y[given]])), given.astype(np.int64))


def _places(at: _IntArray, width: int) -> _IntArray:
    """Shape (n, width): places of the bytes that follow each of some places."""
    return at[:, np.newaxis] + np.arange(width)


def _unsigned(body: _Bytes, at: _IntArray) -> _IntArray:
    """The 32-bit numbers at some places."""
    return body[_places(at, 4)].view("<u4").ravel().astype(np.int64)

"""Geometries as WKB that has been parsed once here, so that no other process meets it unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .stream import GEOMETRY

CURVE = b"curve"
"""Stands for a geometry that has no straight form."""

_FIRST_CURVE, _LAST_CURVE = 8, 14
"""Types of WKB from CircularString to Surface; above are meshes, which have no straight form."""


def with_wkt(batches: Iterator[Any], column: str | None) -> Iterator[Any]:
    """The same batches with geometries from a column of WKT, if there is one."""
    if column is None:
        yield from batches
        return
    for batch in batches:
        arrays = [
            _from_wkt(batch.column(column)) if name == GEOMETRY else batch.column(name)
            for name in batch.schema.names
        ]
        yield type(batch).from_arrays(arrays, schema=batch.schema)


def _from_wkt(column: Any) -> Any:  # pyarrow is untyped
    import pyarrow as pa
    import shapely

    texts = [text or None for text in column.cast(pa.string()).to_pylist()]
    return pa.array(shapely.to_wkb(shapely.from_wkt(texts, on_invalid="ignore")), pa.binary())


def parsed(
    column: Any, ids: Any = None, straight: Callable[[list[int]], Any] | None = None
) -> tuple[Any, int]:
    """Geometries of several parts are parsed and written again here.

    Bytes of a file may come out unseen by the library that opens it, and collections nested without
    end crash whoever parses them: better this process than the one that asked for it. Points, lines
    and polygons do not nest. Curves are made straight, and counted; meshes become ``CURVE``, what
    cannot be parsed the empty text.

    Args:
        column: WKB.
        ids: Of the rows, for ``straight``.
        straight: Gives the straight forms of rows as WKB.
    """
    import pyarrow as pa

    column = column.cast(pa.binary()) if column.type != pa.binary() else column
    kinds = _kinds(column)
    curved = (kinds >= _FIRST_CURVE) & (kinds <= _LAST_CURVE)
    nesting, mesh = (kinds >= 4) & (kinds <= 7), kinds > _LAST_CURVE
    if not nesting.any() and not curved.any() and not mesh.any():
        return column, 0
    import shapely

    values = column.to_numpy(zero_copy_only=False)
    values[mesh] = CURVE
    if curved.any() and ids is not None and straight is not None:
        values[curved] = straight(ids.filter(pa.array(curved)).to_pylist())
        nesting |= curved
    elif curved.any():
        values[curved] = CURVE
    again = shapely.from_wkb(values[nesting], on_invalid="ignore")
    values[nesting] = [shapely.to_wkb(g, output_dimension=4) if g else b"" for g in again]
    return pa.array(values, pa.binary()), int(curved.sum())


def _kinds(column: Any) -> Any:
    """Types of geometries as in WKB, without flags of dimension; 0 where there is none."""
    import numpy as np

    _, offsets_buffer, data_buffer = column.buffers()
    ends = np.frombuffer(offsets_buffer, np.int32)[column.offset :][: len(column) + 1]
    data = np.frombuffer(data_buffer or b"", np.uint8)
    kinds = np.zeros(len(column), np.int64)
    written = np.diff(ends) >= 5
    at = ends[:-1][written]
    little = data[at] == 1
    low = np.where(little, data[at + 1], data[at + 4]).astype(np.int64)
    high = np.where(little, data[at + 2], data[at + 3]).astype(np.int64)
    kinds[written] = (low + 256 * high) % 1000
    return kinds

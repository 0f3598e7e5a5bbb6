"""GeoParquet and plain Parquet through Arrow.

Geometries are WKB or one of the native encodings of GeoParquet 1.1; the system of coordinates is
PROJJSON, OGC:CRS84 where the column says nothing of it, and unknown where it says null.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .columns import simple
from .stream import BATCH_ROWS, Contents, Reading, Refused, own_fields
from .wkb import parsed

_DEFAULT_CRS = "OGC:CRS84"
_NATIVE = ("point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon")
_USUAL_NAMES = ("geometry", "geom", "wkb_geometry", "wkb")
"""Of binary columns that hold WKB, where nothing says which does."""

_EXTENSION = b"ARROW:extension:name"
_EXTENSION_METADATA = b"ARROW:extension:metadata"


@dataclass(frozen=True)
class _Geometry:
    """The geometry column of a file.

    Attributes:
        encoding: ``wkb`` or one of ``_NATIVE``.
        kinds: Types that the file says it has; none where it does not say.
    """

    name: str
    encoding: str
    crs: str | None
    kinds: tuple[str, ...] = ()


def layers(request: dict[str, Any]) -> list[Contents]:
    """The one table of a file."""
    with _file(request) as file:
        schema = _schema(file)
        geometry = _geometry(schema)
        kind = None
        if geometry is not None:
            kind = geometry.kinds[0] if len(geometry.kinds) == 1 else "Unknown"
        columns = tuple(_columns(schema, geometry))
        return [Contents("table", columns, kind, file.metadata.num_rows)]


@contextmanager
def opened(request: dict[str, Any]) -> Iterator[Reading]:
    """The rows of a file; of several geometry columns the primary one is read."""
    import pyarrow as pa

    with _file(request) as file:
        schema = _schema(file)
        geometry = _geometry(schema)
        columns = _columns(schema, geometry)
        wanted = [*columns, *([geometry.name] if geometry else [])]
        batches = file.iter_batches(batch_size=BATCH_ROWS, columns=wanted, use_threads=False)
        plain = (_plain(batch, columns, geometry) for batch in batches)
        types = [schema.field(name).type for name in columns]
        empty = [simple(pa.array([], kind), "", []).type for kind in types]
        fields = [pa.field(name, kind) for name, kind in zip(columns, empty, strict=True)]
        yield Reading(
            columns,
            plain,
            geometry.crs if geometry else None,
            file.metadata.num_rows,
            _notes(schema, geometry),
            pa.schema([*fields, *own_fields()]),
        )


@contextmanager
def _file(request: dict[str, Any]) -> Iterator[Any]:
    """The opened file; what Arrow raises becomes a sentence."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(request["path"]) as file:
            yield file
    except pa.ArrowInvalid as error:
        if "magic bytes" in str(error) or "too small" in str(error):
            reason = "is not what its extension says: no Parquet file, or one cut short"
        else:
            reason = f"reading stopped: {error}"
        raise Refused(reason) from error
    except (pa.ArrowException, OSError) as error:
        raise Refused(f"reading stopped: {error}") from error


def _schema(file: Any) -> Any:
    """The schema with the metadata of the file, of which Arrow's own copy may be without."""
    schema = file.schema_arrow
    return schema.with_metadata({**(schema.metadata or {}), **(file.metadata.metadata or {})})


def _geometry(schema: Any) -> _Geometry | None:
    """The primary geometry column, as the metadata of the file or of the column tell it."""
    said = (schema.metadata or {}).get(b"geo")
    if said is not None:
        return _stated(schema, said)
    for field in schema:
        extension = (field.metadata or {}).get(_EXTENSION, b"").decode("utf-8", "replace")
        if extension in ("geoarrow.wkb", "ogc.wkb"):
            return _Geometry(field.name, "wkb", _crs_of_extension(field))
        if extension.removeprefix("geoarrow.") in _NATIVE:
            return _Geometry(
                field.name, extension.removeprefix("geoarrow."), _crs_of_extension(field)
            )
    named = (name for name in _USUAL_NAMES if name in schema.names)
    return next(
        (_Geometry(n, "wkb", None) for n in named if _is_binary(schema.field(n).type)), None
    )


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _stated(schema: Any, said: bytes) -> _Geometry:
    try:
        about = json.loads(said)
        name = about["primary_column"]
        column = about["columns"][name]
        encoding = str(column["encoding"]).casefold()
        crs = _crs(column.get("crs", _DEFAULT_CRS))
        kinds = tuple(map(str, column.get("geometry_types", ())))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = "its metadata of geometries are not those of GeoParquet"
        raise Refused(message) from error
    if name not in schema.names:
        message = f"its metadata name the geometry column {name!r}, which it has not"
        raise Refused(message)
    if encoding not in ("wkb", *_NATIVE):
        message = f"its geometries are encoded as {encoding!r}, which is not read here"
        raise Refused(message)
    return _Geometry(name, encoding, crs, kinds)


def _crs(said: Any) -> str | None:
    """A system as text: PROJJSON as JSON, WKT as it is; None where it is unknown."""
    return said if said is None or isinstance(said, str) else json.dumps(said)


def _crs_of_extension(field: Any) -> str | None:
    """The system that the metadata of an extension type state; unlike GeoParquet they may not."""
    try:
        crs = json.loads((field.metadata or {}).get(_EXTENSION_METADATA) or b"{}").get("crs")
    except (ValueError, AttributeError):
        return None
    return _crs(crs)


def _columns(schema: Any, geometry: _Geometry | None) -> list[str]:
    """Columns but those of geometries and of their bounding boxes."""
    left_out = {geometry.name, *_others(schema, geometry)} if geometry else set()
    return [name for name in schema.names if name not in left_out]


def _others(schema: Any, geometry: _Geometry) -> list[str]:
    """Geometry columns that are not the primary one, and columns of bounding boxes."""
    about = json.loads((schema.metadata or {}).get(b"geo", b"{}")).get("columns", {})
    others = [name for name in about if name != geometry.name]
    for column in about.values():
        box = column.get("covering", {}).get("bbox", {}).get("xmin")
        others += [box[0]] if isinstance(box, list) and box else []
    return [name for name in others if name in schema.names]


def _notes(schema: Any, geometry: _Geometry | None) -> tuple[str, ...]:
    if geometry is None:
        return ()
    about = json.loads((schema.metadata or {}).get(b"geo", b"{}")).get("columns", {})
    others = ", ".join(name for name in about if name != geometry.name)
    if not others:
        return ()
    return (f"geometries are those of the primary column {geometry.name}, not of {others}",)


def _plain(batch: Any, columns: list[str], geometry: _Geometry | None) -> Any:
    """A batch of columns of simple types, then the geometry as WKB that has been parsed once."""
    import pyarrow as pa

    defects: list[str | None] = [None] * batch.num_rows
    arrays = [simple(batch.column(name), name, defects) for name in columns]
    shapes = pa.nulls(batch.num_rows, pa.binary())
    if geometry is not None:
        column = batch.column(geometry.name)
        shapes = _wkb(column) if geometry.encoding == "wkb" else _from_native(column, geometry)
    fields = [pa.field(name, a.type) for name, a in zip(columns, arrays, strict=True)]
    return pa.RecordBatch.from_arrays(
        [*arrays, pa.array(defects, pa.string()), shapes],
        schema=pa.schema([*fields, *own_fields()]),
    )


def _wkb(column: Any) -> Any:
    import pyarrow as pa

    column = column.storage if isinstance(column, pa.ExtensionArray) else column
    if not _is_binary(column.type):
        message = f"its geometry column is of the type {column.type}, not WKB"
        raise Refused(message)
    return parsed(column)[0]


def _from_native(column: Any, geometry: _Geometry) -> Any:
    """WKB of a column of coordinates nested in lists, as GeoArrow has them."""
    import numpy as np
    import pyarrow as pa
    import shapely

    column = column.storage if isinstance(column, pa.ExtensionArray) else column
    present = column.is_valid()
    column = column.filter(present)
    offsets: list[Any] = []
    while pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        offsets.insert(0, np.asarray(column.offsets) - column.offsets[0].as_py())
        column = column.flatten()
    coordinates = _coordinates(column)
    kind = getattr(shapely.GeometryType, geometry.encoding.upper())
    # Points have no offsets; of all others the innermost come first, as shapely takes them.
    made = shapely.from_ragged_array(kind, coordinates, tuple(offsets) or None)
    found = np.full(len(present), None, object)
    found[present.to_numpy(zero_copy_only=False)] = shapely.to_wkb(made)
    return pa.array(found, pa.binary())


def _coordinates(column: Any) -> Any:
    """Shape (vertices, 2 or 3), of structs of x, y and z or of lists of fixed length."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_struct(column.type):
        names = [n for n in ("x", "y", "z") if column.type.get_field_index(n) >= 0]
        return np.column_stack([np.asarray(column.field(name), float) for name in names])
    if pa.types.is_fixed_size_list(column.type):
        size = column.type.list_size
        return np.asarray(column.flatten(), float).reshape(-1, size)[:, : min(size, 3)]
    message = f"its coordinates are of the type {column.type}"
    raise Refused(message)

"""The process that opens a file of strangers: bounded, with one driver, nothing of the project.

Run by path with a JSON request on standard input. It writes one Arrow IPC stream to standard
output; the schema's metadata say what the file is. What it cannot read it says in a last line of
JSON on standard error, with exit status 3; a crash or a passed limit shows in the status alone.

It imports neither the project nor what is not needed, because it starts anew for each file.
"""

from __future__ import annotations

import codecs
import json
import os
import resource
import sys
import warnings
from collections.abc import Iterator
from typing import IO, Any

REFUSED = 3
GEOMETRY = "__geometry__"
DEFECT = "__defect__"
CURVE = b"curve"
STRAIGHTENED = b"straightened"
BATCH_ROWS = 32768
_CSV_BLOCK_BYTES = 8 * 1024 * 1024
_ARC_STEP_DEGREES = "1"
"""Of an arc made straight: 4 mm off a circle of 100 m, where GDAL's own 4 degrees give 6 cm."""

_DECODER = codecs.getincrementaldecoder("utf-8")

_FIRST_CURVE, _LAST_CURVE = 8, 14
"""Types of WKB from CircularString to Surface; above are meshes, which have no straight form."""

# Drivers of the GDAL that pyogrio brings. Those that a later GDAL adds are found below, at the cost
# of one more start of the process.
_DRIVERS = [
    "ADBC",
    "AIVector",
    "AVCBin",
    "AVCE00",
    "AmigoCloud",
    "CSV",
    "CSW",
    "Carto",
    "DGN",
    "DXF",
    "EDIGEO",
    "EEDA",
    "ESRI Shapefile",
    "ESRIJSON",
    "Elasticsearch",
    "FlatGeobuf",
    "GDALG",
    "GML",
    "GPKG",
    "GPSBabel",
    "GPX",
    "GTFS",
    "GeoJSON",
    "GeoJSONSeq",
    "GeoRSS",
    "HTTP",
    "Idrisi",
    "JML",
    "JSONFG",
    "KML",
    "LIBKML",
    "LVBAG",
    "MBTiles",
    "MVT",
    "MapInfo File",
    "MapML",
    "MiraMonVector",
    "NGW",
    "OAPIF",
    "ODS",
    "OGCAPI",
    "OGR_GMT",
    "OGR_PDS",
    "OGR_VRT",
    "OSM",
    "OpenFileGDB",
    "PCIDSK",
    "PDF",
    "PDS4",
    "PGDUMP",
    "PLSCENES",
    "PMTiles",
    "S57",
    "SQLite",
    "SXF",
    "Selafin",
    "TopoJSON",
    "VDV",
    "VFK",
    "VICAR",
    "VRT",
    "WAsP",
    "WFS",
    "XLSX",
]


class Refused(Exception):
    """The file cannot be read, and the text says why."""


def main() -> int:
    """Read the file of the request on standard input; 0, or 3 where it cannot be read."""
    text = os.environ.get("GEOSERVICE_READ_REQUEST") or sys.stdin.read()
    request: dict[str, Any] = json.loads(text)
    _set_limits(request["limits"])
    try:
        pyogrio = _import_pyogrio(request, text) if request["driver"] else None
        # Libraries may print; only the stream may come out of standard output.
        out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        if pyogrio is None:
            _read_delimited(request, out)
        else:
            _read_with_gdal(pyogrio, request, out)
    except (Refused, MemoryError) as refusal:
        reason = str(refusal) or "needs more memory than is allowed"
        sys.stderr.write("\n" + json.dumps({"reason": reason}) + "\n")
        return REFUSED
    return 0


def _set_limits(limits: dict[str, int]) -> None:
    for name, value in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["timeout_s"]),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(name)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (bound, bound))


def _read_delimited(request: dict[str, Any], out: IO[bytes]) -> None:
    import pyarrow as pa
    from pyarrow import csv

    columns: list[str] = request["columns"]
    defects: list[str] = []

    def note(row: Any) -> str:  # pyarrow.csv.InvalidRow, an untyped library
        defects.append(
            f"row {row.number}: {row.actual_columns} fields instead of {row.expected_columns}: "
            f"{row.text[:200]}"
        )
        return "skip"

    try:
        reader = csv.open_csv(
            request["path"],
            csv.ReadOptions(
                use_threads=False,
                block_size=_CSV_BLOCK_BYTES,
                column_names=columns,
                skip_rows=1,
                encoding=request["encoding"],
            ),
            csv.ParseOptions(
                delimiter=request["separator"], newlines_in_values=True, invalid_row_handler=note
            ),
            csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
            ),
        )
        batches = _delimited_batches(reader, request.get("wkt"), defects)
        source = {"crs": None, "columns": columns, "count": None}
        _write(out, batches, source, pa.schema([*_texts(columns), *_own_fields()]))
    except (pa.ArrowInvalid, UnicodeError) as error:
        reason = str(error)
        if "straddling" in reason:
            reason = f"has a row longer than {_CSV_BLOCK_BYTES // 2**20} MiB; is a quote left open?"
        raise Refused(reason) from error


def _texts(columns: list[str]) -> list[Any]:
    import pyarrow as pa

    return [pa.field(name, pa.string()) for name in columns]


def _own_fields() -> list[Any]:
    import pyarrow as pa

    return [pa.field(DEFECT, pa.string()), pa.field(GEOMETRY, pa.binary())]


def _delimited_batches(reader: Any, wkt: str | None, defects: list[str]) -> Iterator[Any]:
    import pyarrow as pa

    for batch in reader:
        geometry = pa.nulls(batch.num_rows, pa.binary()) if wkt is None else _wkb(batch.column(wkt))
        defect = pa.nulls(batch.num_rows, pa.string())
        schema = pa.schema([*batch.schema, *_own_fields()])
        yield pa.RecordBatch.from_arrays([*batch.columns, defect, geometry], schema=schema)
    if defects:
        schema = pa.schema([*reader.schema, *_own_fields()])
        empty = [pa.nulls(len(defects), field.type) for field in schema]
        empty[-2] = pa.array(defects, pa.string())
        yield pa.RecordBatch.from_arrays(empty, schema=schema)


def _wkb(column: Any) -> Any:  # pyarrow is untyped
    import pyarrow as pa
    import shapely

    texts = [text or None for text in column.to_pylist()]
    return pa.array(shapely.to_wkb(shapely.from_wkt(texts, on_invalid="ignore")), pa.binary())


def _read_with_gdal(pyogrio: Any, request: dict[str, Any], out: IO[bytes]) -> None:
    options = dict(request["open_options"])
    if request["encoding"] is not None:
        options["encoding"] = request["encoding"]
    # Only a GeoPackage has curves, whose rows are then asked for again by their ids.
    numbered = request["driver"] == "GPKG"
    try:
        layer = _choose_layer(pyogrio, request)
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            with pyogrio.open_arrow(
                request["path"],
                layer=layer,
                batch_size=BATCH_ROWS,
                use_pyarrow=True,
                return_fids=numbered,
                **options,
            ) as (meta, reader):
                straight = _straightener(pyogrio, request["path"], layer) if numbered else None
                count = _count(pyogrio, request, layer)
                _write_features(request, out, meta, reader, count, straight)
        lost = [str(note.message) for note in notes if _means_loss(str(note.message))]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        reason = str(error)
        if "not recognized as being in a supported" in reason:
            reason = f"is not what its extension says: no {request['driver']} file"
        raise Refused(reason) from error
    except (RuntimeError, OSError, ValueError) as error:
        raise Refused(f"reading stopped: {error}") from error
    if lost:
        raise Refused("; ".join(lost[:3]))


def _import_pyogrio(request: dict[str, Any], text: str) -> Any:
    """GDAL through pyogrio, with the one driver of the request registered."""
    wanted = request["driver"]
    os.environ.setdefault("GDAL_SKIP", ",".join(d for d in _DRIVERS if d != wanted))
    os.environ["GDAL_DRIVER_PATH"] = "disable"
    os.environ["OGR_ARC_STEPSIZE"] = _ARC_STEP_DEGREES
    os.environ.update(request["configuration"])
    # pyogrio imports these for what is not used here; with them its import takes 1.3 s, not 0.25 s.
    blocked = ("geopandas", "pandas", "pyproj", "shapely")
    sys.modules.update(dict.fromkeys(blocked))  # type: ignore[arg-type]  # None blocks an import
    import pyogrio

    for name in blocked:
        del sys.modules[name]
    others = set(pyogrio.list_drivers()) - {wanted, "MEM"}
    if others and "GEOSERVICE_READ_REQUEST" not in os.environ:
        os.environ["GDAL_SKIP"] += "," + ",".join(sorted(others))
        os.environ["GEOSERVICE_READ_REQUEST"] = text
        os.execv(sys.executable, [sys.executable, "-I", __file__])  # noqa: S606
    if others:
        message = f"drivers cannot be turned off: {', '.join(sorted(others))}"
        raise Refused(message)
    return pyogrio


def _choose_layer(pyogrio: Any, request: dict[str, Any]) -> str | None:
    names = [str(name) for name, _ in pyogrio.list_layers(request["path"])]
    wanted: str | None = request["source_layer"]
    if not names:
        message = "holds no layers"
        raise Refused(message)
    if wanted is not None and wanted not in names:
        message = f"has no layer {wanted!r}; it has: {', '.join(names)}"
        raise Refused(message)
    if wanted is None and len(names) > 1:
        message = f"has several layers, name one with --layer: {', '.join(names)}"
        raise Refused(message)
    return wanted or names[0]


def _means_loss(note: str) -> bool:
    quiet = ("Measured (M) geometry", "organizePolygons", "appears to be", "CRS was not")
    loud = ("truncated", "corrupt", "malformed", "failed", "error", "cannot", "invalid utf")
    return not any(q in note for q in quiet) and any(word in note.lower() for word in loud)


def _count(pyogrio: Any, request: dict[str, Any], layer: str | None) -> int | None:
    """How many rows the file says it has, where asking costs no reading; for progress only."""
    if request["driver"] != "GPKG":
        return request["record_count"]  # type: ignore[no-any-return]  # a number of our own
    said: int = pyogrio.read_info(request["path"], layer=layer)["features"]
    return said if said >= 0 else None


def _write_features(
    request: dict[str, Any],
    out: IO[bytes],
    meta: Any,
    reader: Any,
    count: int | None,
    straight: Any,
) -> None:
    geometry = meta["geometry_name"] or "wkb_geometry"
    columns = [str(name) for name in meta["fields"]]
    if len(columns) > request["limits"]["max_fields"]:
        message = f"has {len(columns)} columns, more than {request['limits']['max_fields']}"
        raise Refused(message)
    source = {"crs": meta["crs"], "columns": columns, "count": count}
    batches = (
        _plain(batch, columns, geometry, meta.get("fid_column"), straight) for batch in reader
    )
    read = _write(out, _bounded(batches, request["limits"]["read_bytes"]), source, None)
    expected = request["record_count"]
    if expected is not None and read < expected - request["deleted_count"]:
        message = f"only {read} of {expected} records can be read"
        raise Refused(message)


def _bounded(batches: Iterator[Any], most_bytes: int) -> Iterator[Any]:
    """The same batches, up to a bound: a view in a small GeoPackage may have rows without end."""
    left = most_bytes
    for batch in batches:
        left -= batch.nbytes
        if left < 0:
            message = f"gives more than {most_bytes} bytes, far more than it has itself"
            raise Refused(message)
        yield batch


def _plain(batch: Any, columns: list[str], geometry: str, fid: str | None, straight: Any) -> Any:
    """A batch of columns of simple types, then the geometry as WKB that has been parsed once."""
    import pyarrow as pa

    names = batch.schema.names
    defects: list[str | None] = [None] * batch.num_rows
    arrays = [_simple(batch.column(names.index(name)), name, defects) for name in columns]
    metadata = None
    if geometry in names:
        ids = batch.column(names.index(fid)) if fid in names else None
        shapes, curves = _parsed(batch.column(names.index(geometry)), ids, straight)
        metadata = {STRAIGHTENED: str(curves)} if curves else None
    else:
        shapes = pa.nulls(batch.num_rows, pa.binary())
    fields = [pa.field(c, a.type) for c, a in zip(columns, arrays, strict=True)]
    schema = pa.schema([*fields, *_own_fields()], metadata)
    return pa.RecordBatch.from_arrays(
        [*arrays, pa.array(defects, pa.string()), shapes], schema=schema
    )


def _simple(column: Any, name: str, defects: list[str | None]) -> Any:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_nested(kind):
        return pa.array([None if v is None else json.dumps(v) for v in column.to_pylist()])
    if pa.types.is_dictionary(kind):
        return column.dictionary_decode()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array([None if v is None else v.hex() for v in column.to_pylist()], pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _utf8(column, name, defects)
    return column


def _utf8(column: Any, name: str, defects: list[str | None]) -> Any:
    """Texts as they are where all are UTF-8, which neither GDAL nor Arrow sees to.

    Half a character at the end is left out: a DBF cuts texts by bytes. Another text that is not
    UTF-8 is a defect of its row.
    """
    import pyarrow as pa

    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        pass
    else:
        return column
    texts: list[str | None] = []
    for row, value in enumerate(column.cast(pa.large_binary()).to_pylist()):
        try:
            texts.append(None if value is None else _DECODER().decode(value))
        except UnicodeDecodeError:
            texts.append(value.decode("utf-8", "replace"))
            defects[row] = f"{name} is not UTF-8"
    return pa.array(texts, pa.string())


def _straightener(pyogrio: Any, path: str, layer: str | None) -> Any:
    """Makes geometries of rows straight: GDAL does so when it reads features one by one."""

    def straight(ids: list[int]) -> Any:
        read = pyogrio.raw.read(path, layer=layer, columns=[], fids=ids)
        return read[2]

    return straight


def _parsed(column: Any, ids: Any, straight: Any) -> tuple[Any, int]:
    """Geometries of several parts are parsed and written again here.

    Bytes of a GeoPackage come out unseen by GDAL, and collections nested without end crash whoever
    parses them: better this process than the one that asked for it. Points, lines and polygons do
    not nest. Curves are made straight, and counted; meshes become ``CURVE``, what cannot be parsed
    the empty text.
    """
    import pyarrow as pa

    column = column.cast(pa.binary()) if column.type != pa.binary() else column
    kinds = _wkb_kinds(column)
    curved = (kinds >= _FIRST_CURVE) & (kinds <= _LAST_CURVE)
    nesting, mesh = (kinds >= 4) & (kinds <= 7), kinds > _LAST_CURVE
    if not nesting.any() and not curved.any() and not mesh.any():
        return column, 0
    import shapely

    values = column.to_numpy(zero_copy_only=False)
    values[mesh] = CURVE
    if curved.any() and ids is not None:
        values[curved] = straight(ids.filter(pa.array(curved)).to_pylist())
        nesting |= curved
    elif curved.any():
        values[curved] = CURVE
    again = shapely.from_wkb(values[nesting], on_invalid="ignore")
    values[nesting] = [shapely.to_wkb(g, output_dimension=4) if g else b"" for g in again]
    return pa.array(values, pa.binary()), int(curved.sum())


def _wkb_kinds(column: Any) -> Any:
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


def _write(out: IO[bytes], batches: Iterator[Any], source: dict[str, Any], schema: Any) -> int:
    import pyarrow as pa

    about = {"source": json.dumps(source).encode()}
    writer, read = None, 0
    with out:
        for batch in batches:
            if writer is None:
                writer = pa.ipc.new_stream(out, batch.schema.with_metadata(about))
            read += batch.num_rows
            writer.write_batch(batch, custom_metadata=batch.schema.metadata)
        if writer is None:
            plain = schema or pa.schema([*_texts(source["columns"]), *_own_fields()])
            writer = pa.ipc.new_stream(out, plain.with_metadata(about))
        writer.close()
    return read


if __name__ == "__main__":
    sys.exit(main())

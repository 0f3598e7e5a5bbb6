"""What all readers share: how rows leave the bounded process, and how a file is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

REFUSED = 3
"""Exit status of the process where a file cannot be read."""

GEOMETRY = "__geometry__"
DEFECT = "__defect__"
STRAIGHTENED = b"straightened"
BATCH_ROWS = 32768


class Refused(Exception):
    """The file cannot be read, and the text says why."""


@dataclass(frozen=True)
class Contents:
    """One layer of a file: a layer, a sheet, a table.

    Attributes:
        geometry_type: Such as ``Point`` or ``MultiPolygon Z``; None for tables without geometries.
        count: Number of rows, where the file tells it.
    """

    name: str
    columns: tuple[str, ...]
    geometry_type: str | None = None
    count: int | None = None


@dataclass(frozen=True)
class Reading:
    """A layer that is being read.

    Attributes:
        columns: Names of its columns, in the order of the batches.
        batches: Record batches of the columns and then those of ``own_fields``.
        crs: Coordinate reference system that the file states.
        count: Number of rows, where known; for progress only.
        notes: What was found amiss and dealt with.
        schema: Of the batches, where there may be none of them; None means texts.
    """

    columns: Sequence[str]
    batches: Iterator[Any]
    crs: str | None = None
    count: int | None = None
    notes: tuple[str, ...] = ()
    schema: Any = None


def own_fields() -> list[Any]:
    """Fields that every batch ends with: why a row could not be read, and its geometry as WKB."""
    import pyarrow as pa

    return [pa.field(DEFECT, pa.string()), pa.field(GEOMETRY, pa.binary())]


def nothing_of_our_own(rows: int) -> list[Any]:
    """Values of ``own_fields`` for rows of a table: no defects, no geometries."""
    import pyarrow as pa

    return [pa.nulls(rows, pa.string()), pa.nulls(rows, pa.binary())]


def texts_schema(columns: Sequence[str]) -> Any:
    """Schema of batches whose columns are all texts."""
    import pyarrow as pa

    return pa.schema([*(pa.field(name, pa.string()) for name in columns), *own_fields()])


def text_batches(
    columns: Sequence[str],
    rows: Iterable[tuple[Sequence[str | None], str | None, bytes | None]],
) -> Iterator[Any]:
    """Batches of rows of texts, each with its defect and its geometry."""
    import pyarrow as pa

    schema = texts_schema(columns)
    waiting = iter(rows)
    while some := list(islice(waiting, BATCH_ROWS)):
        texts = zip(*(values for values, _, _ in some), strict=True) if columns else ()
        arrays = [pa.array(column, pa.string()) for column in texts]
        arrays.append(pa.array([defect for _, defect, _ in some], pa.string()))
        arrays.append(pa.array([wkb for _, _, wkb in some], pa.binary()))
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def bounded(batches: Iterator[Any], most_bytes: int) -> Iterator[Any]:
    """The same batches, up to a bound: a view in a small GeoPackage may have rows without end."""
    left = most_bytes
    for batch in batches:
        left -= batch.nbytes
        if left < 0:
            message = f"gives more than {most_bytes} bytes, far more than it has itself"
            raise Refused(message)
        yield batch


def write(out: IO[bytes], batches: Iterator[Any], reading: Reading) -> None:
    """Write batches as an Arrow IPC stream; the metadata of the schema say what the file is."""
    import pyarrow as pa

    source = {
        "crs": reading.crs,
        "columns": list(reading.columns),
        "count": reading.count,
        "notes": list(reading.notes),
    }
    about = {"source": json.dumps(source).encode()}
    writer = None
    with out:
        for batch in batches:
            if writer is None:
                writer = pa.ipc.new_stream(out, batch.schema.with_metadata(about))
            writer.write_batch(batch, custom_metadata=batch.schema.metadata)
        if writer is None:
            plain = reading.schema or texts_schema(reading.columns)
            writer = pa.ipc.new_stream(out, plain.with_metadata(about))
        writer.close()


def choose(names: Sequence[str], wanted: str | None) -> str:
    """The layer to read of those that a file has: the one wanted, or the only one.

    Raises:
        Refused: there is none, none of that name, or several and none is wanted.
    """
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

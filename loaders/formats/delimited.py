"""Delimited text through Arrow: every column a text, malformed rows as defects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .stream import Reading, Refused, nothing_of_our_own, texts_schema

_BLOCK_BYTES = 8 * 1024 * 1024


@contextmanager
def opened(request: dict[str, Any]) -> Iterator[Reading]:
    """The rows of a text whose separator, columns and encoding the request names."""
    import pyarrow as pa

    columns: list[str] = request["columns"]
    defects: list[str] = []
    try:
        reader = _reader(request, columns, defects)
        yield Reading(columns, _batches(reader, defects), schema=texts_schema(columns))
    except (pa.ArrowInvalid, UnicodeError) as error:
        reason = str(error)
        if "straddling" in reason:
            reason = f"has a row longer than {_BLOCK_BYTES // 2**20} MiB; is a quote left open?"
        raise Refused(reason) from error


def _reader(request: dict[str, Any], columns: list[str], defects: list[str]) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    def note(row: Any) -> str:  # pyarrow.csv.InvalidRow, an untyped library
        defects.append(
            f"row {row.number}: {row.actual_columns} fields instead of {row.expected_columns}: "
            f"{row.text[:200]}"
        )
        return "skip"

    return csv.open_csv(
        request["path"],
        csv.ReadOptions(
            use_threads=False,
            block_size=_BLOCK_BYTES,
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


def _batches(reader: Any, defects: list[str]) -> Iterator[Any]:
    import pyarrow as pa

    schema = texts_schema(reader.schema.names)
    for batch in reader:
        arrays = [*batch.columns, *nothing_of_our_own(batch.num_rows)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
    if defects:
        empty = [pa.nulls(len(defects), field.type) for field in schema]
        empty[-2] = pa.array(defects, pa.string())
        yield pa.RecordBatch.from_arrays(empty, schema=schema)

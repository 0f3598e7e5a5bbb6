"""Columns of whatever type as columns of the simple types that leave the bounded process."""

from __future__ import annotations

import codecs
import json
from typing import Any

_DECODER = codecs.getincrementaldecoder("utf-8")


def simple(column: Any, name: str, defects: list[str | None]) -> Any:
    """A column of numbers, booleans, dates or texts; nested values as JSON, bytes as hex digits.

    Args:
        defects: Of the rows of the batch; filled where a text is not UTF-8.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return simple(column.dictionary_decode(), name, defects)
    if pa.types.is_nested(kind):
        values = column.to_pylist()
        texts = [None if v is None else json.dumps(v, default=str) for v in values]
        return pa.array(texts, pa.string())
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

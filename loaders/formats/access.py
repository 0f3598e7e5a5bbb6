"""Tables of Microsoft Access (Jet and ACE) through access-parser, whose values are decoded here.

access-parser finds pages, tables, columns and records. It gives 0 for an empty number, leaves out
the scale of currencies and reads texts of Access 97 as UTF-8; so what a record's bytes mean is
decided here, null bits first.
"""

from __future__ import annotations

import logging
import struct
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from access_parser.access_parser import AccessParser, AccessTable, TableObj
from access_parser.utils import (
    TYPE_BINARY,
    TYPE_BOOLEAN,
    TYPE_COMPLEX,
    TYPE_DATETIME,
    TYPE_FLOAT32,
    TYPE_FLOAT64,
    TYPE_GUID,
    TYPE_INT8,
    TYPE_INT16,
    TYPE_INT32,
    TYPE_MEMO,
    TYPE_MONEY,
    TYPE_TEXT,
    TYPE_96_bit_17_BYTES,
)
from construct import ConstructError

from .stream import Contents, Reading, Refused, choose, text_batches, texts_schema

_JET3 = 3
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  # the file knows no zone
_MEMO_HERE, _MEMO_IN_RECORD = 0x80000000, 0x40000000
_MEMO_HEAD_BYTES = 12
_COMPRESSED = b"\xff\xfe"
_JET3_ENCODINGS = ("utf-8", "gb18030", "cp1252")
_BROKEN = (
    ConstructError,
    struct.error,
    IndexError,
    KeyError,
    AttributeError,
    TypeError,
    ValueError,
)

_Row = tuple[Sequence[str | None], str | None, bytes | None]


def layers(request: dict[str, Any]) -> list[Contents]:
    """The user's tables."""
    database = _database(request)
    found = []
    for name in _names(database):
        table = _table(database, name)
        count = int(table.table_header.number_of_rows)
        found.append(Contents(name, table.names, None, count))
    return found


@contextmanager
def opened(request: dict[str, Any]) -> Iterator[Reading]:
    """The rows of a table."""
    database = _database(request)
    name = choose(_names(database), request["layer"])
    table = _table(database, name)
    try:
        table.parse()
    except _BROKEN as error:
        message = f"the table {name!r} is damaged"
        raise Refused(message) from error
    expected = int(table.table_header.number_of_rows)
    if len(table.rows) < expected:
        message = f"only {len(table.rows)} of {expected} records of {name!r} can be read"
        raise Refused(message)
    columns = table.names
    batches = text_batches(columns, table.rows)
    yield Reading(columns, batches, None, len(table.rows), schema=texts_schema(columns))


def _database(request: dict[str, Any]) -> Any:
    logging.disable(logging.CRITICAL)  # it writes whole pages into its log
    try:
        return AccessParser(request["path"])
    except _BROKEN as error:
        message = "is no Access database, or is encrypted or damaged"
        raise Refused(message) from error


def _names(database: Any) -> list[str]:
    return [str(name) for name in database.catalog if not str(name).startswith(("MSys", "~"))]


def _table(database: Any, name: str) -> _Table:
    offset = database.catalog[name] * database.page_size
    found = database._tables_with_data.get(offset)
    if found is None and offset in database._table_defs:
        found = TableObj(offset, database._table_defs[offset])
    try:
        return _Table(found, database)
    except _BROKEN as error:
        message = f"the table {name!r} is damaged"
        raise Refused(message) from error


class _Table(AccessTable):  # type: ignore[misc]  # an untyped library
    """A table whose records become rows of texts."""

    def __init__(self, table: Any, database: Any) -> None:
        pages, definitions = database._data_pages, database._table_defs
        super().__init__(table, database.version, database.page_size, pages, definitions)
        self.rows: list[_Row] = []
        self._ordered = sorted(self.columns.items())
        self.names = tuple(column.col_name_str for _, column in self._ordered)
        self._variable = [i for i, c in self._ordered if not c.column_flags.fixed_length]

    def _parse_row(self, record: bytes) -> None:
        try:
            values = self._values(record)
        except _BROKEN:
            self.rows.append(([None] * len(self.names), "the record is damaged", None))
        else:
            self.rows.append((values, None, None))

    def _values(self, record: bytes) -> list[str | None]:
        """Texts of a record: null bits, values of fixed places, values that the tail points to."""
        count = struct.unpack_from("<H" if self.version > _JET3 else "<B", record)[0]
        null_bytes = (count + 7) // 8  # a column added later has no bit in older records
        bits = record[-null_bytes:]
        variable = self._slices(record, null_bytes) if self._variable else {}
        fixed = record[2 if self.version > _JET3 else 1 :]
        values: list[str | None] = []
        for index, column in self._ordered:
            at = column.column_id
            is_set = at < count and bool(bits[at // 8] & (1 << at % 8))
            if column.type == TYPE_BOOLEAN:
                values.append("true" if is_set else "false")
            elif not is_set:
                values.append(None)
            elif column.column_flags.fixed_length:
                values.append(self._decoded(column, fixed[column.fixed_offset :]))
            else:
                values.append(self._decoded(column, variable.get(index, b"")))
        return values

    def _slices(self, record: bytes, null_bytes: int) -> dict[int, bytes]:
        """Bytes of the values of variable length, by the index of their column."""
        about = self._parse_dynamic_length_records_metadata(record[::-1], record, null_bytes)
        offsets = [*about.variable_length_field_offsets, about.var_len_count]
        jumps = list(about.variable_length_jump_table or ())
        found, added = {}, 0
        for at, index in enumerate(self._variable[: len(offsets) - 1]):
            added += 0x100 * jumps.count(at)
            found[index] = record[offsets[at] + added : offsets[at + 1] + added]
        return found

    def _decoded(self, column: Any, data: bytes) -> str | None:
        if column.type == TYPE_TEXT:
            return self._text(data) or None
        if column.type == TYPE_MEMO:
            return self._text(self._memo(data)) or None
        if column.type == TYPE_96_bit_17_BYTES:
            return _numeric(data, column.various.scale)
        decode = _DECODERS.get(column.type)
        return None if decode is None else decode(data)

    def _memo(self, data: bytes) -> bytes:
        """Bytes of a long text: here, in another record, or in a chain of records."""
        if not data:
            return b""
        length, pointer = struct.unpack_from("<II", data)
        if length & _MEMO_HERE:
            return data[_MEMO_HEAD_BYTES:]
        if length & _MEMO_IN_RECORD:
            return bytes(self._get_overflow_record(pointer))
        parts: list[bytes] = []
        while pointer and sum(map(len, parts)) < length:
            record = self._get_overflow_record(pointer)
            (pointer,) = struct.unpack_from("<I", record)
            parts.append(record[4:])
        return b"".join(parts)

    def _text(self, data: bytes) -> str:
        if self.version > _JET3:
            return _unicode(data)
        for name in _JET3_ENCODINGS:
            try:
                return data.decode(name)
            except UnicodeDecodeError:
                continue
        return data.decode("cp1252", "replace")


def _unicode(data: bytes) -> str:
    """UTF-16, or runs of single bytes and of UTF-16 in turn where it is compressed."""
    if not data.startswith(_COMPRESSED):
        return data.decode("utf-16-le")
    parts: list[str] = []
    is_single = True
    for run in data[2:].split(b"\0") if b"\0" in data[2:] else [data[2:]]:
        parts.append(run.decode("latin-1" if is_single else "utf-16-le"))
        is_single = not is_single
    return "".join(parts)


def _unpacked(form: str) -> Callable[[bytes], str]:
    return lambda data: str(struct.unpack_from(form, data)[0])


def _single(data: bytes) -> str:
    """A number of single precision in the decimals that it has."""
    import numpy as np

    return str(np.float32(struct.unpack_from("<f", data)[0]))


def _date(data: bytes) -> str:
    """Days since the end of 1899 as ISO 8601; the time of day of older ones runs forward too."""
    days = struct.unpack_from("<d", data)[0]
    whole = int(days)
    instant = _EPOCH + timedelta(days=whole) + timedelta(seconds=round(abs(days - whole) * 86400))
    return (instant.date() if instant.time() == time() else instant).isoformat()


def _numeric(data: bytes, scale: int) -> str:
    sign, *words = struct.unpack("<B4I", data[:17])
    number = 0
    for word in words:
        number = (number << 32) + word
    return str(Decimal(-number if sign else number).scaleb(-scale))


_DECODERS: dict[int, Callable[[bytes], str]] = {
    TYPE_INT8: _unpacked("<B"),
    TYPE_INT16: _unpacked("<h"),
    TYPE_INT32: _unpacked("<i"),
    TYPE_COMPLEX: _unpacked("<i"),
    TYPE_MONEY: lambda data: str(Decimal(struct.unpack_from("<q", data)[0]).scaleb(-4)),
    TYPE_FLOAT32: _single,
    TYPE_FLOAT64: _unpacked("<d"),
    TYPE_DATETIME: _date,
    TYPE_BINARY: bytes.hex,
    TYPE_GUID: lambda data: str(uuid.UUID(bytes_le=data[:16])),
}

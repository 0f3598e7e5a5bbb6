"""Writes small Access databases (Jet 4), for no library that is had here does.

The layout is that of the pages which every reader of Access files needs: a header, the catalog on
page 2, and for each table a definition and pages of records. Checked by hand with mdbtools.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

_PAGE = 4096
_RECORD_PAGE_HEAD = 14
_TYPES = {bool: 1, int: 4, Decimal: 5, float: 7, date: 8, str: 10, bytes: 12}
_WIDTHS = {1: 0, 4: 4, 5: 8, 7: 8, 8: 8, 10: 0, 12: 0}
_TEXTS = (str, bytes)
_MEMO_HERE = 0x80000000
_HEADER_KEY = (0xC7, 0xDA, 0x39, 0x6B)
_EPOCH = date(1899, 12, 30)

Table = tuple[Mapping[str, type], Sequence[Sequence[Any]]]
"""Names of columns with the types of their values, and rows."""


def write_access(path: Path, tables: Mapping[str, Table]) -> Path:
    """Write a database of tables of texts, numbers, currencies, booleans and days.

    Columns of the type ``bytes`` are long texts (memos). An .accdb is written as Access 2007 does.
    """
    pages: dict[int, bytes] = {0: _header(is_new=path.suffix == ".accdb")}
    catalog, maps, at = [], [_usage_map(range(3, 4))], 4
    for name, (columns, rows) in tables.items():
        records = [_record(columns, row) for row in rows]
        chunks = _chunks(records)
        pages[at] = _definition(columns, len(rows), usage_map=len(maps))
        maps.append(_usage_map(range(at + 1, at + 1 + len(chunks))))
        for number, chunk in enumerate(chunks, start=1):
            pages[at + number] = _data_page(at, chunk)
        catalog.append((at, 0, name, 1, 0, None))
        at += 1 + len(chunks)
    columns = {"Id": int, "ParentId": int, "Name": str, "Type": int, "Flags": int, "LvProp": str}
    pages[1] = _data_page(0, maps)
    pages[2] = _definition(columns, len(catalog), usage_map=0, kind=0x53)
    pages[3] = _data_page(2, [_record(columns, row) for row in catalog])
    path.write_bytes(b"".join(pages[number] for number in range(at)))
    return path


def _header(*, is_new: bool) -> bytes:
    """The first page; what follows the version is masked, nothing but zeros here: no password."""
    name, version = (b"ACE", 2) if is_new else (b"Jet", 1)
    head = b"\x00\x01\x00\x00Standard " + name + b" DB\x00" + struct.pack("<I", version)
    return (head + _mask(128)).ljust(_PAGE, b"\0")


def _mask(count: int) -> bytes:
    """Bytes of RC4 with the key by which every Jet database masks its header."""
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + _HEADER_KEY[i % 4]) % 256
        state[i], state[j] = state[j], state[i]
    mask, j = bytearray(), 0
    for i in range(1, count + 1):
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        mask.append(state[(state[i] + state[j]) % 256])
    return bytes(mask)


def _usage_map(pages: range) -> bytes:
    """Which pages hold the records of a table, a bit for each."""
    bits = sum(1 << page for page in pages)
    return struct.pack("<BI", 0, 0) + bits.to_bytes(64, "little")


def _definition(
    columns: Mapping[str, type], rows: int, *, usage_map: int, kind: int = 0x4E
) -> bytes:
    described, names, fixed, variable = [], [], 0, 0
    for number, (name, type_) in enumerate(columns.items()):
        code = _TYPES[type_]
        is_fixed = type_ not in _TEXTS
        described.append(
            struct.pack("<BIHHH4x", code, 0, number, variable, number)
            + struct.pack("<HI", 0x02 | is_fixed, 0)
            + struct.pack("<HH", fixed if is_fixed else 0, _WIDTHS[code] or 510)
        )
        fixed += _WIDTHS[code]
        variable += not is_fixed
        encoded = name.encode("utf-16-le")
        names.append(struct.pack("<H", len(encoded)) + encoded)
    body = b"".join((*described, *names))
    head = struct.pack("<IIIIIIII", len(body), 0, rows, 0, 1, 0, 0, 0)
    where = 1 << 8 | usage_map
    head += struct.pack("<BHHHII", kind, len(columns), variable, len(columns), 0, 0)
    head += struct.pack("<II", where, where)
    return (b"\x02\x01VC" + struct.pack("<I", 0) + head + body).ljust(_PAGE, b"\0")


def _record(columns: Mapping[str, type], row: Sequence[Any]) -> bytes:
    fixed, variable, mask = b"", [], 0
    for number, (value, type_) in enumerate(zip(row, columns.values(), strict=True)):
        is_set = value if type_ is bool else value is not None
        mask |= bool(is_set) << number
        if type_ in _TEXTS:
            text = (value or "").encode("utf-16-le")
            memo = struct.pack("<III", len(text) | _MEMO_HERE, 0, 0)
            variable.append(memo + text if type_ is bytes and value else text)
        else:
            fixed += _fixed(type_, value)
    start = struct.pack("<H", len(columns)) + fixed
    offsets, at = [], len(start)
    for text in variable:
        offsets.append(at)
        at += len(text)
    tail = struct.pack(f"<H{len(offsets)}HH", at, *reversed(offsets), len(offsets))
    null_bytes = mask.to_bytes((len(columns) + 7) // 8, "little")
    return start + b"".join(variable) + tail + null_bytes


def _fixed(type_: type, value: Any) -> bytes:
    if type_ is bool:
        return b""
    if type_ is date:
        return struct.pack("<d", (value - _EPOCH).days if value else 0)
    if type_ is Decimal:
        return struct.pack("<q", int((value or 0) * 10_000))
    return struct.pack("<i" if type_ is int else "<d", value or 0)


def _chunks(records: Sequence[bytes]) -> list[list[bytes]]:
    chunks: list[list[bytes]] = [[]]
    left = _PAGE - _RECORD_PAGE_HEAD
    for record in records:
        if left < len(record) + 2:
            chunks.append([])
            left = _PAGE - _RECORD_PAGE_HEAD
        chunks[-1].append(record)
        left -= len(record) + 2
    return chunks


def _data_page(owner: int, records: Sequence[bytes]) -> bytes:
    offsets, at = [], _PAGE
    for record in records:
        at -= len(record)
        offsets.append(at)
    free = at - _RECORD_PAGE_HEAD - 2 * len(records)
    head = b"\x01\x01" + struct.pack("<HIIH", free, owner, 0, len(records))
    head += struct.pack(f"<{len(offsets)}H", *offsets)
    return head + bytes(at - len(head)) + b"".join(reversed(records))

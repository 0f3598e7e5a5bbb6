"""Workbooks (Excel and OpenDocument) through calamine: sheets are layers, cells are texts.

The header is found: offices write titles above it, and group columns under a merged cell. Numbers
come out as they are stored and not as they are shown, dates in ISO 8601.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import python_calamine as calamine

from .stream import Contents, Reading, Refused, choose, text_batches, texts_schema

_ODS_CONTENT = "content.xml"
_INDENT = re.compile(rb">[ \t\r]*\n\s*<")

_HEADER_ROWS = 50
"""The header stands among so many first rows."""

_Cells = Sequence[Any]


@dataclass(frozen=True)
class _Table:
    """A sheet as a table.

    Attributes:
        columns: Names, made unique; those of columns without one are ``column_n``.
        rows: Rows below the header that hold anything.
        header_row: Number of the header's row, counted from 1 as in the sheet.
    """

    columns: tuple[str, ...]
    rows: list[_Cells]
    header_row: int


def layers(request: dict[str, Any]) -> list[Contents]:
    """Sheets that hold a table."""
    with _workbook(request) as workbook:
        tables = ((name, _table(workbook, name)) for name in _sheets(workbook))
        return [Contents(name, t.columns, None, len(t.rows)) for name, t in tables if t]


@contextmanager
def opened(request: dict[str, Any]) -> Iterator[Reading]:
    """The rows of a sheet."""
    with _workbook(request) as workbook:
        name = choose(_sheets(workbook), request["layer"])
        table = _table(workbook, name)
        if table is None:
            message = f"the sheet {name!r} holds no table"
            raise Refused(message)
        columns, width = table.columns, len(table.columns)
        rows = (([_text(cell) for cell in row[:width]], None, None) for row in table.rows)
        note = f"its header is row {table.header_row}"
        notes = (note,) if table.header_row > 1 else ()
        schema = texts_schema(columns)
        yield Reading(columns, text_batches(columns, rows), None, len(table.rows), notes, schema)


@contextmanager
def _workbook(request: dict[str, Any]) -> Iterator[Any]:
    try:
        with _opened(request["path"]) as workbook:
            yield workbook
    except calamine.PasswordError as error:
        message = "is protected by a password"
        raise Refused(message) from error
    except (calamine.CalamineError, zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        reason = f"is no workbook, or is damaged: {error}"
        raise Refused(reason) from error


def _opened(path: str) -> Any:
    """The workbook; one of OpenDocument without the line breaks that calamine stumbles over.

    GDAL, and so QGIS, writes each cell on a line of its own.
    """
    if not path.lower().endswith(".ods"):
        return calamine.CalamineWorkbook.from_path(path)
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as given, zipfile.ZipFile(packed, "w") as plain:
        for name in given.namelist():
            data = given.read(name)
            plain.writestr(name, _INDENT.sub(b"><", data) if name == _ODS_CONTENT else data)
    packed.seek(0)
    return calamine.CalamineWorkbook.from_filelike(packed)


def _sheets(workbook: Any) -> list[str]:
    """Names of sheets of cells, hidden ones too; not those of charts and macros."""
    return [
        str(sheet.name)
        for sheet in workbook.sheets_metadata
        if sheet.typ == calamine.SheetTypeEnum.WorkSheet
    ]


def _table(workbook: Any, name: str) -> _Table | None:
    """The table of a sheet; None where there is none."""
    sheet = workbook.get_sheet_by_name(name)
    rows: list[_Cells] = sheet.to_python(skip_empty_area=False)
    at = _header(rows)
    if at is None:
        return None
    names, below = rows[at], at + 1
    if below < len(rows) and _is_grouped(sheet, at) and _is_all_texts(rows[below]):
        names = [
            own if _is_filled(own) else group for own, group in zip(rows[below], names, strict=True)
        ]
        below += 1
    width = max((n + 1 for n, cell in enumerate(names) if _is_filled(cell)), default=0)
    kept = [row for row in rows[below:] if any(map(_is_filled, row[:width]))]
    return _Table(_unique(names[:width]), kept, below)


def _header(rows: list[_Cells]) -> int | None:
    """The first row of texts only that fills more than half of the widest row."""
    head = rows[:_HEADER_ROWS]
    filled = [sum(map(_is_filled, row)) for row in head]
    widest = max(filled, default=0)
    if not widest:
        return None
    for at, row in enumerate(head):
        if filled[at] * 2 > widest and _is_all_texts(row):
            return at
    return None


def _is_all_texts(row: _Cells) -> bool:
    return all(isinstance(cell, str) for cell in row) and any(map(_is_filled, row))


def _is_filled(cell: Any) -> bool:
    return bool(cell.strip()) if isinstance(cell, str) else cell is not None


def _is_grouped(sheet: Any, row: int) -> bool:
    """Whether a cell of the row is merged across columns, as above a group of them."""
    return any(
        start[0] == row == end[0] and end[1] > start[1]
        for start, end in sheet.merged_cell_ranges or ()
    )


def _unique(header: _Cells) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    names: list[str] = []
    for number, cell in enumerate(header, start=1):
        name = " ".join(str(cell).split()) if _is_filled(cell) else f"column_{number}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(names)


def _text(cell: Any) -> str | None:
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        # A whole number is stored like any other; 1001.0 is the point 1001.
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return None if cell is None else str(cell)

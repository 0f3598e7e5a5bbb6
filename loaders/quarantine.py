"""Quarantine: rows that were rejected, given out to be corrected, and taken in again.

A row that is released goes through an ordinary load of its own, with the coordinate system, the
columns and the value words of the load that rejected it. It is marked with that load: there it is
held, or in quarantine again with its new reasons. So releasing twice does nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import shapely
from sqlalchemy import BigInteger, Connection, any_, bindparam, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from layers.base import Layer
from layers.errors import InvalidParameter, SourceError, UnreadableSource
from layers.registry import get_layer
from layers.system_tables import loads, quarantine
from loaders.datasets import prepare
from loaders.folders import private_folder
from loaders.loading import load
from loaders.mapping import parse_mapping
from loaders.normalise import originals_of
from loaders.options import LoadConnections, LoadOptions, Progress
from loaders.reader import read
from loaders.report import LoadReport

GEOMETRY_COLUMN = "geometry"
"""Where an original has its geometry, as WKT in the system of its file."""
ROW_COLUMN = "quarantine_row"
REASONS_COLUMN = "quarantine_reasons"
EXPORTS = (".csv", ".json", ".gpkg")


@dataclass(frozen=True)
class QuarantinedRow:
    """A rejected row.

    Attributes:
        row_number: Within its load, from 1 over all files.
        original: Its columns as read.
        released_by: The load into which it went on; None while it waits.
    """

    load_id: int
    row_number: int
    file: str | None
    natural_key: str | None
    reasons: tuple[str, ...]
    original: Mapping[str, Any]
    released_by: int | None


@dataclass(frozen=True)
class Origin:
    """The load that rejected rows, as it was told and as it read its files."""

    layer: Layer
    source: Mapping[str, Any]
    valid_from: Any

    def of_file(self, name: str | None) -> Mapping[str, Any]:
        """How a file was read; the first one where it is not known."""
        sources: Sequence[Mapping[str, Any]] = self.source.get("sources", [])
        found = next((one for one in sources if one["name"] == name), None)
        return found or next(iter(sources), {})


def waiting_rows(connection: Connection, load_id: int) -> list[QuarantinedRow]:
    """The rows of a load that nobody has released, in their order."""
    columns = quarantine.c
    rows = connection.execute(
        select(
            columns.load_id,
            columns.row_number,
            columns.file,
            columns.natural_key,
            columns.reasons,
            columns.original,
            columns.released_by,
        )
        .where(columns.load_id == load_id, columns.released_by.is_(None))
        .order_by(columns.row_number)
    )
    return [
        QuarantinedRow(row[0], row[1], row[2], row[3], tuple(row[4]), row[5], row[6])
        for row in rows
    ]


def find_origin(connection: Connection, load_id: int) -> Origin:
    """The load of a number.

    Raises:
        InvalidParameter: there is none that was published.
    """
    row = connection.execute(
        select(loads.c.layer, loads.c.source, loads.c.valid_from).where(
            loads.c.load_id == load_id, loads.c.state == "published"
        )
    ).one_or_none()
    if row is None:
        raise InvalidParameter("load", load_id, f"there is no published load {load_id}")
    return Origin(get_layer(row.layer), row.source, row.valid_from)


def export_rows(rows: Sequence[QuarantinedRow], origin: Origin, path: Path) -> None:
    """Write rows with their original columns and their reasons, to be corrected.

    Args:
        path: ``.csv`` (UTF-8 with a mark, for Excel), ``.json`` or ``.gpkg`` (for QGIS, with the
            geometries in the system of the first file).

    Raises:
        InvalidParameter: another extension.
    """
    suffix = path.suffix.lower()
    if suffix not in EXPORTS:
        raise InvalidParameter("file", path.name, f"its extension is one of {', '.join(EXPORTS)}")
    columns = _columns_of(rows, origin)
    table = [
        {
            ROW_COLUMN: row.row_number,
            REASONS_COLUMN: "; ".join(row.reasons),
            **{name: row.original.get(name) for name in columns},
        }
        for row in rows
    ]
    if suffix == ".csv":
        _write_csv(table, (ROW_COLUMN, REASONS_COLUMN, *columns), path)
    elif suffix == ".json":
        features = [{"type": "Feature", "geometry": None, "properties": row} for row in table]
        collection = {"type": "FeatureCollection", "features": features}
        path.write_bytes(orjson.dumps(collection, option=orjson.OPT_INDENT_2))
    else:
        crs = origin.of_file(rows[0].file if rows else None).get("crs", "")
        _write_geopackage(table, crs, path)


def _columns_of(rows: Sequence[QuarantinedRow], origin: Origin) -> tuple[str, ...]:
    """Columns of all originals: those that fill attributes first, in the order of these."""
    held = dict.fromkeys(name for row in rows for name in row.original)
    mapped = [c for row in rows[:1] for c in origin.of_file(row.file).get("mapping", {}).values()]
    first = [name for name in mapped if name in held]
    last = [GEOMETRY_COLUMN] if GEOMETRY_COLUMN in held else []
    others = (name for name in held if name not in {*first, *last, ROW_COLUMN, REASONS_COLUMN})
    return tuple(dict.fromkeys([*first, *others, *last]))


def _write_csv(table: Sequence[Mapping[str, Any]], header: Sequence[str], path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, header, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({name: _text(row.get(name)) for name in header} for row in table)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _write_geopackage(table: Sequence[Mapping[str, Any]], crs: str, path: Path) -> None:
    import geopandas  # heavy, and only this needs it

    texts = [row.get(GEOMETRY_COLUMN) for row in table]
    geometries = [shapely.from_wkt(text, on_invalid="ignore") if text else None for text in texts]
    plain = [
        {
            name: value if name == ROW_COLUMN else None if value is None else _text(value)
            for name, value in row.items()
            if name != GEOMETRY_COLUMN
        }
        for row in table
    ]
    known = crs if crs.upper().startswith("EPSG:") and "/" not in crs else None
    frame = geopandas.GeoDataFrame(plain, geometry=geometries, crs=known)
    frame.to_file(path, driver="GPKG", layer="quarantine", engine="pyogrio")


def retry(
    connections: LoadConnections,
    load_id: int,
    options: LoadOptions,
    *,
    corrected: Path | None = None,
    progress: Progress | None = None,
) -> list[LoadReport]:
    """Load rows that wait in quarantine again, as they are or as they were corrected.

    Args:
        options: City, limits and rules; a mapping in it goes over that of the rejecting load, whose
            coordinate system, key and instant are used.
        corrected: A file that ``export_rows`` wrote, with values corrected; rows that are not in it
            go on waiting. None takes all as they are.

    Returns:
        The report of each load: one for each coordinate system and mapping among the files.

    Raises:
        InvalidParameter: there is no such load.
        SourceError: the file names a row that was never in quarantine, or cannot be read.
    """
    origin = find_origin(connections.sql, load_id)
    rows = waiting_rows(connections.sql, load_id)
    connections.sql.commit()
    with private_folder() as folder:
        if corrected is not None:
            rows = list(_corrected(connections.sql, rows, corrected, options, folder, load_id))
        reports = []
        for number, (told, group) in enumerate(_grouped(rows, origin, options)):
            path = folder / f"quarantine_{load_id}_{number}.csv"
            header = dict.fromkeys(name for row in group for name in row.original)
            _write_csv([row.original for row in group], tuple(header), path)
            report = load(connections, origin.layer, [path], told, progress)
            reports.append(report)
            if report.load_id is not None:
                _mark_released(connections.sql, load_id, group, report.load_id)
    return reports


def _corrected(
    connection: Connection,
    waiting: Sequence[QuarantinedRow],
    path: Path,
    options: LoadOptions,
    folder: Path,
    load_id: int,
) -> Iterator[QuarantinedRow]:
    """Rows of a file in the place of those that wait; what was released before is passed over."""
    by_number = {row.row_number: row for row in waiting}
    known = set(
        connection.execute(
            select(quarantine.c.row_number).where(quarantine.c.load_id == load_id)
        ).scalars()
    )
    connection.commit()
    for number, original in _read_corrected(path, options, folder):
        if number not in known:
            reason = f"row {number} of load {load_id} was never in quarantine"
            raise UnreadableSource(path, reason)
        if number in by_number:
            yield replace(by_number.pop(number), original=original)


def _read_corrected(
    path: Path, options: LoadOptions, folder: Path
) -> Iterator[tuple[int, dict[str, Any]]]:
    for source in prepare(path, LoadOptions(options.city, limits=options.limits), folder):
        with read(source, options.limits) as features:
            if ROW_COLUMN not in features.columns:
                reason = f"has no column {ROW_COLUMN}: correct a file that quarantine export wrote"
                raise UnreadableSource(path, reason)
            for batch in features.batches:
                for text in originals_of(batch, range(batch.num_rows)):
                    original = orjson.loads(text)
                    original.pop(REASONS_COLUMN, None)
                    yield _number(original.pop(ROW_COLUMN), path), original


def _number(value: object, path: Path) -> int:
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        raise UnreadableSource(path, f"{ROW_COLUMN} is no number: {value!r}") from None


def _grouped(
    rows: Sequence[QuarantinedRow], origin: Origin, options: LoadOptions
) -> list[tuple[LoadOptions, list[QuarantinedRow]]]:
    """Rows that are read in one way together, and how that is."""
    groups: dict[bytes, tuple[LoadOptions, list[QuarantinedRow]]] = {}
    for row in rows:
        told = _as_told(row, origin, options)
        shown = {"crs": told.crs, "mapping": told.mapping.as_json()}
        key = orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)
        groups.setdefault(key, (told, []))[1].append(row)
    return list(groups.values())


def _as_told(row: QuarantinedRow, origin: Origin, options: LoadOptions) -> LoadOptions:
    """The options of the load that rejected a row, and the words of this one over them."""
    source, said = origin.of_file(row.file), origin.source.get("options", {})
    before = parse_mapping(said.get("mapping") or {})
    columns = {
        **{name: column for name, column in before.columns.items() if column in row.original},
        **{name: c for name, c in source.get("mapping", {}).items() if c in row.original},
    }
    if GEOMETRY_COLUMN in row.original:
        columns = {name: c for name, c in columns.items() if name not in ("x", "y")}
        columns["geometry"] = GEOMETRY_COLUMN
    crs = source.get("crs")
    return replace(
        options,
        crs=crs if crs and crs != "none" else said.get("crs"),
        mapping=options.mapping.over(
            replace(before, columns=columns, constants=source.get("constants", {}))
        ),
        key=tuple(said["key"]) if said.get("key") else None,
        valid_from=origin.valid_from,
        is_correction=bool(said.get("is_correction")),
    )


def _mark_released(
    connection: Connection, load_id: int, rows: Sequence[QuarantinedRow], released_by: int
) -> None:
    numbers = bindparam("numbers", [row.row_number for row in rows], type_=ARRAY(BigInteger))
    marked = connection.execute(
        update(quarantine)
        .where(
            quarantine.c.load_id == load_id,
            quarantine.c.row_number == any_(numbers),
            quarantine.c.released_by.is_(None),
        )
        .values(released_by=released_by)
    ).rowcount
    if marked != len(rows):
        connection.rollback()
        message = f"rows of load {load_id} were released by somebody else at the same time"
        raise SourceError(message)
    connection.commit()

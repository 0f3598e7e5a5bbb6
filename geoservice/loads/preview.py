"""The preview of an upload: its rows as they would be loaded, in an indexed file of their own.

The dry run of a worker writes it beside the uploaded files, from the staged rows, before anything
is loaded; the web reads it. SQLite, because it needs no server and its R*Tree answers for one tile
without reading the rest. A row carries its clearance, and is shown to who may read it only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import atan, degrees, pi, sinh
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely

from layers.access import Clearance
from layers.base import Layer
from layers.extent import BBox
from loaders.report import column_of
from tiles.encode import TileFeature, encode_layer, tile_box, to_tile
from tiles.grids import EARTH_HALF_M
from tiles.matrix import TileAddress
from tiles.vector import TileOptions

FILE_NAME = "preview.sqlite"
LAYER_NAME = "preview"
MAX_TILE_FEATURES = 3_000
"""More take too long to encode; the largest are drawn, and how many are not is said."""

_SCHEMA = """
    CREATE TABLE feature (
        row INTEGER PRIMARY KEY, accepted INTEGER NOT NULL, clearance INTEGER NOT NULL,
        key TEXT, reasons TEXT NOT NULL, properties TEXT NOT NULL, shape BLOB NOT NULL,
        size REAL NOT NULL);
    CREATE VIRTUAL TABLE place USING rtree(row, west, east, south, north);"""

_TOUCHING = """
    SELECT f.row, f.accepted, f.key, f.reasons, f.properties, f.shape
    FROM place p JOIN feature f ON f.row = p.row
    WHERE p.west <= :east AND p.east >= :west AND p.south <= :north AND p.north >= :south
      AND f.clearance <= :level
    ORDER BY f.accepted, f.size DESC LIMIT :most"""

_BOUNDS = """
    SELECT min(west), min(south), max(east), max(north)
    FROM place p JOIN feature f ON f.row = p.row WHERE f.clearance <= ?
    GROUP BY f.accepted ORDER BY f.accepted DESC LIMIT 1"""

_COUNT_TOUCHING = """
    SELECT count(*) FROM place p JOIN feature f ON f.row = p.row
    WHERE p.west <= :east AND p.east >= :west AND p.south <= :north AND p.north >= :south
      AND f.clearance <= :level"""


@dataclass(frozen=True)
class PreviewRow:
    """One row of an upload.

    Attributes:
        row: Its number in the upload, from 1.
        reasons: Why it is rejected; empty for an accepted one.
        properties: Attributes of the layer.
        shape: WKB, EPSG:3857.
    """

    row: int
    clearance: int
    key: str | None
    reasons: tuple[str, ...]
    properties: Mapping[str, Any]
    shape: bytes

    @property
    def accepted(self) -> bool:
        """Whether it would be loaded."""
        return not self.reasons


@dataclass(frozen=True)
class PreviewTile:
    """A tile of a preview; ``left_out`` features touch it and are not in it."""

    content: bytes
    left_out: int


def write_preview(path: Path, rows: Iterable[PreviewRow]) -> None:
    """Write the preview of an upload; one that is there is replaced."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        path.chmod(0o600)
        # A preview that a crash cuts short is written again, so nothing is synced.
        database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_SCHEMA}")
        database.execute("BEGIN")
        for row in rows:
            _write(database, row)
        database.execute("COMMIT")


def _write(database: sqlite3.Connection, row: PreviewRow) -> None:
    shape = shapely.from_wkb(row.shape, on_invalid="ignore")
    if shapely.is_missing(shape) or not np.isfinite(shapely.bounds(shape)).all():
        return  # empty ones have no bounds
    west, south, east, north = shapely.bounds(shape).tolist()
    properties = orjson.dumps({k: _plain(v) for k, v in row.properties.items() if v is not None})
    database.execute(
        "INSERT INTO feature VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.row,
            row.accepted,
            row.clearance,
            row.key,
            orjson.dumps(row.reasons).decode(),
            properties.decode(),
            row.shape,
            max(east - west, north - south),
        ),
    )
    database.execute(
        "INSERT INTO place VALUES (?, ?, ?, ?, ?)", (row.row, west, east, south, north)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


class Preview:
    """The preview of one upload, opened for reading as a level sees it."""

    def __init__(self, path: Path, layer: Layer, level: Clearance) -> None:
        self._path = path
        self._layer = layer
        self._level = level

    @property
    def exists(self) -> bool:
        """Whether there is one; not before the check, nor after the files have been removed."""
        return self._path.is_file()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        address = f"{self._path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            yield database

    def bounds(self) -> BBox | None:
        """Where the accepted rows lie, else the rejected ones, degrees; None if there are none.

        Rejected rows may lie anywhere, such as in another country.
        """
        with self._opened() as database:
            found = database.execute(_BOUNDS, (int(self._level),)).fetchone()
        if found is None:
            return None
        west, south, east, north = found
        return BBox(_longitude(west), _latitude(south), _longitude(east), _latitude(north))

    def counts(self) -> dict[str, int]:
        """How many rows are on the map, accepted and rejected."""
        with self._opened() as database:
            found = dict(
                database.execute(
                    "SELECT accepted, count(*) FROM feature WHERE clearance <= ? GROUP BY accepted",
                    (int(self._level),),
                ).fetchall()
            )
        return {"accepted": found.get(1, 0), "rejected": found.get(0, 0)}

    def tile(self, address: TileAddress, options: TileOptions) -> PreviewTile:
        """One tile, with a layer ``preview``: row, accepted, reason, key and attributes."""
        west, south, east, north = tile_box(address, options.buffer / options.extent)
        box = {"west": west, "south": south, "east": east, "north": north}
        asked = {**box, "level": int(self._level), "most": MAX_TILE_FEATURES}
        with self._opened() as database:
            rows = database.execute(_TOUCHING, asked).fetchall()
            found = len(rows)
            if found == MAX_TILE_FEATURES:
                (found,) = database.execute(_COUNT_TOUCHING, asked).fetchone()
        if not rows:
            return PreviewTile(b"", 0)
        shapes = to_tile(shapely.from_wkb([row[-1] for row in rows]), address, options)
        features = [
            TileFeature(row[0], shape, self._properties(*row[:-1]))
            for row, shape in zip(rows, shapes, strict=True)
        ]
        return PreviewTile(encode_layer(LAYER_NAME, features, options), found - len(rows))

    def _properties(
        self, row: int, accepted: int, key: str | None, reasons: str, properties: str
    ) -> dict[str, Any]:
        held = orjson.loads(properties)
        visible = {a.name for a in self._layer.attributes_at(self._level)}
        told = visible_reasons(self._layer, self._level, orjson.loads(reasons))
        return {
            **{name: value for name, value in held.items() if name in visible},
            "row": row,
            "accepted": bool(accepted),
            "reason": "; ".join(told) or None,
            "key": key if shows_keys(self._layer, self._level) else None,
        }


def shows_keys(layer: Layer, level: Clearance) -> bool:
    """Whether a level may see natural keys: they are made of attributes, which may be hidden."""
    parts = {name for key in layer.natural_keys for name in key}
    return all(layer.clearance_of(layer.attribute[name]) <= level for name in parts)


def visible_reasons(layer: Layer, level: Clearance, reasons: Iterable[str]) -> list[str]:
    """Reasons as a level may read them: the rule alone, unless they quote what it may read."""
    return [
        reason if may_quote(layer, level, column_of(reason)) else reason.partition(":")[0]
        for reason in reasons
    ]


def may_quote(layer: Layer, level: Clearance, column: str | None) -> bool:
    """Whether a level may read what a finding quotes of a column, or of a row if of none."""
    visible = {attribute.name for attribute in layer.attributes_at(level)}
    return len(visible) == len(layer.attributes) or column in visible


def _longitude(x: float) -> float:
    return max(-180.0, min(180.0, x / EARTH_HALF_M * 180))


def _latitude(y: float) -> float:
    return degrees(atan(sinh(max(-pi, min(pi, y / EARTH_HALF_M * pi)))))

"""Which tiles a publication changed: written in its transaction, heard of by every cache of tiles.

A cache keeps the snapshot of the database that it has reached, and asks for the changes that this
does not see, so no order of commits can hide one. A notification says only that there is something
to ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from layers.base import TILE_SRID, Layer
from layers.overviews import Kept
from layers.tables import SCHEMA
from layers.touched import ALL_TIMES, COLUMNS, Touched

CHANNEL = "geoservice_tile_changes"
"""Of the notification."""

KEPT_H = 24
"""Hours for which changes are kept; a cache that was away for longer begins anew."""

LAST_ZOOM = 30
"""Beyond the zooms of all grids."""

MOST_SHAPES = 10_000
"""Touched versions from which on their places are told by boxes, one for each cell of a grid."""

_CELL_M = 2_500
"""Width of such a cell, about a tile at zoom 14."""


def write(connection: Connection, layer: Layer, touched: Touched, kept: Kept) -> None:
    """Say which tiles of a layer changed, in the transaction that changes them.

    Args:
        connection: Of the loader role, or of the owner for a theme that is edited.
        kept: What became of the overview.
    """
    run = _Statements(connection, layer.name)
    if touched.is_everything or kept.is_everything:
        run.execute(_INSERT + f"(:layer, 0, {ALL_TIMES}, 0, {LAST_ZOOM}, NULL)")
    else:
        _write_shapes(run, touched)
        for zoom, boxes in kept.boxes.items():
            places = ", ".join(
                f"ST_MakeEnvelope({west!r}, {south!r}, {east!r}, {north!r}, {TILE_SRID})"
                for west, south, east, north in boxes
            )
            run.execute(
                _INSERT + f"(:layer, 0, {ALL_TIMES}, :zoom, :zoom, ST_Collect(ARRAY[{places}]))",
                zoom=zoom,
            )
    for versions in _versions(touched):
        _write_instants(run, versions)
    _notify(run)


def write_everything(connection: Connection, layer: Layer) -> None:
    """Say that all tiles of a layer changed, in the transaction that changes them."""
    write(connection, layer, Touched(connection, 0, is_everything=True), Kept())


def write_catalogue(connection: Connection, name: str, versions: str) -> None:
    """Say that a catalogue changed from which tiles are made, in the transaction that changes it.

    Args:
        name: What caches call the catalogue, in the place of a layer's name.
        versions: Its table, with ``valid_during``.
    """
    run = _Statements(connection, name)
    run.execute(_INSERT + f"(:layer, 0, {ALL_TIMES}, 0, {LAST_ZOOM}, NULL)")
    _write_instants(run, versions)
    _notify(run)


_INSERT = (
    f"INSERT INTO {SCHEMA}.tile_changes "
    "(layer, clearance, valid_during, first_zoom, last_zoom, shape) VALUES "
)

_WITH_REFERENCE = "ST_Collect(geom_3857, ST_Centroid(ST_Envelope(geom_3857)))"
"""A version and the point by which low zooms count it, which may lie beside it."""


class _Statements:
    """Runs statements about one layer."""

    def __init__(self, connection: Connection, layer: str) -> None:
        self._connection = connection
        self._layer = layer

    def execute(self, statement: str, **parameters: Any) -> Any:
        """Run a statement, which may bind ``layer``."""
        if ":layer" in statement:
            parameters["layer"] = self._layer
        return self._connection.execute(text(statement), parameters)


def _notify(run: _Statements) -> None:
    """Have caches ask for what was written; what all of them have heard of long ago is dropped."""
    run.execute(
        f"DELETE FROM {SCHEMA}.tile_changes "
        f"WHERE changed_at < clock_timestamp() - interval '{KEPT_H} hours'"
    )
    run.execute(f"SELECT pg_notify('{CHANNEL}', '')")


def _write_shapes(run: _Statements, touched: Touched) -> None:
    count = run.execute(f"SELECT count(*) FROM {touched.table}").scalar_one()
    cell = "1, 1"
    shape = f"ST_Collect({_WITH_REFERENCE})"
    period = "valid_during"
    if count > MOST_SHAPES:
        center = "ST_Centroid(ST_Envelope(geom_3857))"
        cell = ", ".join(f"floor(ST_{axis}({center}) / {_CELL_M})" for axis in "XY")
        shape = f"ST_SetSRID(CAST(ST_Extent(geom_3857) AS geometry), {TILE_SRID})"
        period = "range_merge(range_agg(valid_during))"
    grouped = "clearance, valid_during" if period == "valid_during" else "clearance"
    run.execute(
        f"INSERT INTO {SCHEMA}.tile_changes "
        "(layer, clearance, valid_during, first_zoom, last_zoom, shape) "
        f"SELECT :layer, clearance, valid_during, 0, {LAST_ZOOM}, ST_Collect(shape) FROM ("
        f"SELECT clearance, {period} AS valid_during, {shape} AS shape "
        f"FROM (SELECT DISTINCT {COLUMNS} FROM {touched.table}) t "
        f"WHERE NOT isempty(valid_during) GROUP BY {grouped}, {cell}) s "
        "GROUP BY clearance, valid_during"
    )


def _versions(touched: Touched) -> Iterator[str]:
    """The tables whose versions may begin or end at instants of which nobody knows."""
    if touched.is_made:
        yield touched.table
    yield from touched.drafts.values()


def _write_instants(run: _Statements, versions: str) -> None:
    for side in ("lower", "upper"):
        run.execute(
            f"INSERT INTO {SCHEMA}.layer_instants (layer, instant) "
            f"SELECT DISTINCT :layer, {side}(valid_during) FROM {versions} "
            f"WHERE isfinite({side}(valid_during)) ON CONFLICT DO NOTHING"
        )

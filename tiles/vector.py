"""Vector tiles of layers: one prepared statement per layer and level, encoded by PostGIS.

A tile is read from the stored Web Mercator geometry, so nothing but the tile's own box is
transformed at request time. Ids are ``feature_id``; a feature is in a tile once, and an area that
has a name once more as the point where the name stands. Attributes are those that the descriptor
marks for tiles and that the level may read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy import (
    ColumnElement,
    Integer,
    TableClause,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from layers.access import Clearance
from layers.base import Attribute, Layer
from layers.versions import Versions
from tiles.labels import label_attributes, label_layer_name, label_points_from
from tiles.matrix import TileAddress

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"


@dataclass(frozen=True)
class TileOptions:
    """How tiles are cut: ``extent`` units across, ``buffer`` units beyond each edge."""

    extent: int = 4096
    buffer: int = 64


@lru_cache(maxsize=512)
def tile_statement(read: Versions, options: TileOptions) -> str:
    """The statement of one layer's tile, as psycopg text.

    Parameters: ``z``, ``x``, ``y`` (integers), ``at`` (aware instant of valid time) and, for a
    read of earlier belief, ``as_recorded`` (aware instant of recorded time). One row, one
    ``bytea``: the encoded layer, empty when no feature touches the tile.
    """
    layer = read.layer
    shapes = _Part(layer.name, layer.tile_attributes_at(read.level), options.buffer)
    return _statement(read, options, shapes)


@lru_cache(maxsize=512)
def label_statement(read: Versions, options: TileOptions) -> str:
    """The statement of the label points of an area layer, as ``tile_statement``.

    A point has no margin: what lies beyond the edge is in the neighbour.
    """
    attributes = label_attributes(read.layer, read.level)
    labels = _Part(label_layer_name(read.layer), attributes, 0, as_points=True)
    return _statement(read, options, labels)


@dataclass(frozen=True)
class _Part:
    """What one encoded layer of a tile holds."""

    name: str
    attributes: tuple[Attribute, ...]
    buffer: int
    as_points: bool = False


def _statement(read: Versions, options: TileOptions, part: _Part) -> str:
    z, x, y = (bindparam(name, type_=Integer) for name in "zxy")
    margin: ColumnElement[float] = literal_column(f"margin => {part.buffer / options.extent!r}")
    extent: ColumnElement[int] = literal_column(str(options.extent))
    buffer: ColumnElement[int] = literal_column(str(part.buffer))
    # As scalar subqueries the boxes are computed once for each branch, not once for each row.
    box = select(func.ST_TileEnvelope(z, x, y)).scalar_subquery()
    box_and_margin = select(func.ST_TileEnvelope(z, x, y, margin)).scalar_subquery()

    def touches_tile(view: TableClause) -> ColumnElement[bool]:
        return view.c.geom_3857.op("&&")(box_and_margin)

    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        shape = func.ST_PointOnSurface(view.c.geom_3857) if part.as_points else view.c.geom_3857
        return [
            view.c.feature_id,
            *(view.c[attribute.name] for attribute in part.attributes),
            func.ST_AsMVTGeom(shape, box, extent, buffer).label("geom"),
        ]

    tile = read.select_at(columns, [touches_tile]).subquery("tile")
    encoded = func.ST_AsMVT(
        literal_column("tile"),
        literal_column(f"'{part.name}'"),
        extent,
        literal_column("'geom'"),
        literal_column("'feature_id'"),
    )
    statement = select(encoded).select_from(tile)
    return str(statement.compile(dialect=psycopg_dialect()))  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy


@dataclass(frozen=True)
class TileTime:
    """The instants of a tile, both aware.

    Attributes:
        at: Of valid time.
        as_recorded: Of recorded time; None is what is believed now.
    """

    at: datetime
    as_recorded: datetime | None = None


async def render_layer(
    connection: AsyncConnection[Any],
    layer: Layer,
    level: Clearance,
    address: TileAddress,
    time: TileTime,
    options: TileOptions,
) -> bytes:
    """The encoded layer of one tile, empty when nothing of it touches the tile or below minzoom.

    The label points of an area layer follow it as a layer of their own.

    Args:
        connection: Logged in as the reader role of ``level``, in autocommit.
    """
    if address.z < layer.minzoom:
        return b""
    read = Versions(layer, level, is_earlier_belief=time.as_recorded is not None)
    parameters: dict[str, Any] = {"z": address.z, "x": address.x, "y": address.y, "at": time.at}
    if time.as_recorded is not None:
        parameters["as_recorded"] = time.as_recorded
    shapes = await _encoded(connection, tile_statement(read, options), parameters)
    has_labels = address.z >= label_points_from(layer) and label_attributes(layer, level)
    if not shapes or not has_labels:
        return shapes
    return shapes + await _encoded(connection, label_statement(read, options), parameters)


async def _encoded(
    connection: AsyncConnection[Any], statement: str, parameters: dict[str, Any]
) -> bytes:
    cursor = await connection.execute(statement, parameters, prepare=True, binary=True)
    row = await cursor.fetchone()
    return bytes(row[0]) if row and row[0] else b""


async def render_tile(
    connection: AsyncConnection[Any],
    layers: tuple[Layer, ...],
    level: Clearance,
    address: TileAddress,
    time: TileTime,
    options: TileOptions,
) -> bytes:
    """One tile of several layers, in the order given.

    Encoded layers are joined as they are: a tile is a protobuf message with repeated layers.
    """
    parts = [
        await render_layer(connection, layer, level, address, time, options) for layer in layers
    ]
    return b"".join(parts)

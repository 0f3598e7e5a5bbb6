"""Vector tiles of layers: one prepared statement per layer and level, encoded by PostGIS.

A tile is read from the stored Web Mercator geometry, so nothing but the tile's own box is
transformed at request time. Ids are ``feature_id``; a feature is in a tile once. Attributes are
those that the descriptor marks for tiles and that the level may read.
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
from layers.base import Layer
from layers.versions import readable, select_at
from tiles.matrix import TileAddress

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"


@dataclass(frozen=True)
class TileOptions:
    """How tiles are cut: ``extent`` units across, ``buffer`` units beyond each edge."""

    extent: int = 4096
    buffer: int = 64


@lru_cache(maxsize=256)
def tile_statement(layer: Layer, level: Clearance, options: TileOptions) -> str:
    """The statement of one layer's tile, as psycopg text.

    Parameters: ``z``, ``x``, ``y`` (integers) and ``at`` (aware instant of valid time). One
    row, one ``bytea``: the encoded layer, empty when no feature touches the tile.
    """
    view = readable(layer, level)
    z, x, y = (bindparam(name, type_=Integer) for name in "zxy")
    margin: ColumnElement[float] = literal_column(f"margin => {options.buffer / options.extent!r}")
    extent: ColumnElement[int] = literal_column(str(options.extent))
    buffer: ColumnElement[int] = literal_column(str(options.buffer))
    # As scalar subqueries the boxes are computed once for each branch, not once for each row.
    box = select(func.ST_TileEnvelope(z, x, y)).scalar_subquery()
    box_and_margin = select(func.ST_TileEnvelope(z, x, y, margin)).scalar_subquery()

    def touches_tile(view: TableClause) -> ColumnElement[bool]:
        return view.c.geom_3857.op("&&")(box_and_margin)

    columns: list[ColumnElement[Any]] = [
        view.c.feature_id,
        *(view.c[attribute.name] for attribute in layer.tile_attributes_at(level)),
        func.ST_AsMVTGeom(view.c.geom_3857, box, extent, buffer).label("geom"),
    ]
    tile = select_at(view, columns, [touches_tile]).subquery("tile")
    encoded = func.ST_AsMVT(
        literal_column("tile"),
        literal_column(f"'{layer.name}'"),
        extent,
        literal_column("'geom'"),
        literal_column("'feature_id'"),
    )
    statement = select(encoded).select_from(tile)
    return str(statement.compile(dialect=psycopg_dialect()))  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy


async def render_layer(
    connection: AsyncConnection[Any],
    layer: Layer,
    level: Clearance,
    address: TileAddress,
    at: datetime,
    options: TileOptions,
) -> bytes:
    """The encoded layer of one tile, empty when nothing of it touches the tile or below minzoom.

    Args:
        connection: Logged in as the reader role of ``level``, in autocommit.
        at: Aware instant of valid time.
    """
    if address.z < layer.minzoom:
        return b""
    parameters = {"z": address.z, "x": address.x, "y": address.y, "at": at}
    cursor = await connection.execute(
        tile_statement(layer, level, options), parameters, prepare=True, binary=True
    )
    row = await cursor.fetchone()
    return bytes(row[0]) if row and row[0] else b""


async def render_tile(
    connection: AsyncConnection[Any],
    layers: tuple[Layer, ...],
    level: Clearance,
    address: TileAddress,
    at: datetime,
    options: TileOptions,
) -> bytes:
    """One tile of several layers, in the order given.

    Encoded layers are joined as they are: a tile is a protobuf message with repeated layers.
    """
    parts = [await render_layer(connection, layer, level, address, at, options) for layer in layers]
    return b"".join(parts)

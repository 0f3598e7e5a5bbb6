"""Vector tiles of layers: one prepared statement per layer and level, encoded by PostGIS.

A tile of Web Mercator is read from the stored Mercator geometry, so nothing but the tile's own box
is transformed at request time; other grids are found by it and cut from the stored longitudes and
latitudes. Ids are ``feature_id``; a feature is in a tile once, and an area that has a name once
more as the point where the name stands. Attributes are those that the query asks for, or else those
that the descriptor marks for tiles, and that the level may read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    TableClause,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from layers.base import STORAGE_SRID, TILE_SRID, Attribute
from tiles.grids import WEB_MERCATOR, Grid
from tiles.labels import label_attributes, label_layer_name, label_points_from
from tiles.matrix import TileAddress
from tiles.query import TileQuery, TileTime

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"

_MERCATOR_LATITUDE = 89.9
"""Beyond it Mercator has no place for the corners of a box."""


@dataclass(frozen=True)
class TileOptions:
    """How tiles are cut: ``extent`` units across, ``buffer`` units beyond each edge."""

    extent: int = 4096
    buffer: int = 64


@dataclass(frozen=True)
class RenderedLayer:
    """One layer of a tile.

    Attributes:
        content: The encoded layer, empty when nothing of it touches the tile.
        left_out: How many features of the tile are not shown, because it would be too large.
        snapshot: The text of the database snapshot that the rows were read in.
    """

    content: bytes
    left_out: int
    snapshot: str


@dataclass(frozen=True)
class TileStatement:
    """A statement that gives one row: the encoded layer (or null) and the snapshot it was read in.

    Attributes:
        text: For psycopg. Takes the parameters of an address (``address_parameters``), ``at`` and,
            for a read of earlier belief, ``as_recorded``, both aware.
        parameters: Values of the query itself that it takes besides.
    """

    text: str
    parameters: dict[str, Any]


@lru_cache(maxsize=512)
def tile_statement(query: TileQuery, grid: Grid, options: TileOptions) -> TileStatement:
    """The statement of one layer's tile; of a query, whose own instants do not matter."""
    shapes = _Part(query.layer.name, query.attributes, options.buffer)
    return _statement(query, grid, options, shapes)


@lru_cache(maxsize=512)
def label_statement(query: TileQuery, grid: Grid, options: TileOptions) -> TileStatement:
    """The statement of the label points of an area layer, as ``tile_statement``.

    A point has no margin: what lies beyond the edge is in the neighbour.
    """
    labels = _Part(
        label_layer_name(query.layer),
        label_attributes(query.layer, query.level),
        0,
        as_points=True,
    )
    return _statement(query, grid, options, labels)


def address_parameters(address: TileAddress) -> dict[str, Any]:
    """What statements take of an address: numbers in Web Mercator, the box in other grids."""
    if address.grid is WEB_MERCATOR:
        return {"z": address.z, "x": address.x, "y": address.y}
    return dict(zip(_BOX, address.box, strict=True))


_BOX = ("west", "south", "east", "north")


@dataclass(frozen=True)
class _Part:
    """What one encoded layer of a tile holds."""

    name: str
    attributes: tuple[Attribute, ...]
    buffer: int
    as_points: bool = False


def _statement(query: TileQuery, grid: Grid, options: TileOptions, part: _Part) -> TileStatement:
    extent: ColumnElement[int] = literal_column(str(options.extent))
    buffer: ColumnElement[int] = literal_column(str(part.buffer))
    box, reach = _boxes(grid, part.buffer / options.extent)

    def touches_tile(view: TableClause) -> ColumnElement[bool]:
        return view.c.geom_3857.op("&&")(reach)

    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        shape: ColumnElement[Any] = view.c.geom_3857
        if grid is not WEB_MERCATOR:
            # The same numbers in CGCS2000 and WGS 84; boxes bear the one of the storage.
            shape = func.ST_Force2D(view.c.geom)
        shape = func.ST_PointOnSurface(shape) if part.as_points else shape
        return [
            view.c.feature_id,
            *(view.c[attribute.name] for attribute in part.attributes),
            func.ST_AsMVTGeom(shape, box, extent, buffer).label("geom"),
        ]

    conditions = [touches_tile]
    if query.condition is not None:
        conditions.append(query.condition.condition)
    tile = query.versions.select_at(columns, conditions).subquery("tile")
    encoded = func.ST_AsMVT(
        literal_column("tile"),
        literal_column(f"'{part.name}'"),
        extent,
        literal_column("'geom'"),
        literal_column("'feature_id'"),
    )
    snapshot = cast(func.pg_current_snapshot(), Text)
    compiled = select(encoded, snapshot).select_from(tile).compile(dialect=_DIALECT)
    given = {name: value for name, value in compiled.params.items() if value is not None}
    return TileStatement(str(compiled), given)


_DIALECT = psycopg_dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy


def _boxes(grid: Grid, margin: float) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The box of the tile in the system in which it is cut, and its reach in Web Mercator.

    As scalar subqueries they are computed once for each branch, not once for each row.
    """
    if grid is WEB_MERCATOR:
        z, x, y = (bindparam(name, type_=Integer) for name in "zxy")
        more: ColumnElement[float] = literal_column(f"margin => {margin!r}")
        return (
            select(func.ST_TileEnvelope(z, x, y)).scalar_subquery(),
            select(func.ST_TileEnvelope(z, x, y, more)).scalar_subquery(),
        )
    west, south, east, north = (bindparam(name, type_=Double) for name in _BOX)
    srid: ColumnElement[int] = literal_column(str(STORAGE_SRID))
    box = func.ST_MakeEnvelope(west, south, east, north, srid)
    more = (east - west) * literal_column(repr(margin))
    limit: ColumnElement[float] = literal_column(repr(_MERCATOR_LATITUDE))
    reach = func.ST_MakeEnvelope(
        west - more,
        func.greatest(south - more, -limit),
        east + more,
        func.least(north + more, limit),
        srid,
    )
    mercator = func.ST_Transform(reach, literal_column(str(TILE_SRID)))
    return select(box).scalar_subquery(), select(mercator).scalar_subquery()


async def render_layer(
    connection: AsyncConnection[Any],
    query: TileQuery,
    address: TileAddress,
    options: TileOptions,
) -> RenderedLayer:
    """The encoded layer of one tile; nothing below its minzoom.

    The label points of an area layer follow it as a layer of their own.

    Args:
        connection: Logged in as the reader role of the query's level, in autocommit.
    """
    layer = query.layer
    if address.mercator_zoom < layer.minzoom:
        return RenderedLayer(b"", 0, "")
    statement = tile_statement(_timeless(query), address.grid, options)
    shapes, snapshot = await _encoded(connection, statement, query, address)
    has_labels = address.mercator_zoom >= label_points_from(layer) and label_attributes(
        layer, query.level
    )
    if not shapes or not has_labels:
        return RenderedLayer(shapes, 0, snapshot)
    statement = label_statement(_timeless(query), address.grid, options)
    labels, _ = await _encoded(connection, statement, query, address)
    # The first snapshot is the one that stands for both: what it does not see, may be missing.
    return RenderedLayer(shapes + labels, 0, snapshot)


def _timeless(query: TileQuery) -> TileQuery:
    """One query for all instants, for which there is one statement."""
    as_recorded = _ANY_INSTANT if query.time.as_recorded is not None else None
    return replace(query, time=TileTime(_ANY_INSTANT, as_recorded))


_ANY_INSTANT = datetime.min.replace(tzinfo=UTC)


async def _encoded(
    connection: AsyncConnection[Any],
    statement: TileStatement,
    query: TileQuery,
    address: TileAddress,
) -> tuple[bytes, str]:
    parameters = {**statement.parameters, **address_parameters(address), "at": query.time.at}
    if query.time.as_recorded is not None:
        parameters["as_recorded"] = query.time.as_recorded
    cursor = await connection.execute(statement.text, parameters, prepare=True, binary=True)
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101  # for mypy: an aggregate without groups gives one row
    return bytes(row[0]) if row[0] else b"", row[1]


async def render_tile(
    connection: AsyncConnection[Any],
    queries: Sequence[TileQuery],
    address: TileAddress,
    options: TileOptions,
) -> list[RenderedLayer]:
    """The layers of one tile, in the order given.

    Encoded layers may be joined as they are: a tile is a protobuf message with repeated layers.
    """
    return [await render_layer(connection, query, address, options) for query in queries]

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
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    TableClause,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from layers.access import Clearance
from layers.base import STORAGE_SRID, TILE_SRID, Attribute, Layer
from layers.generalising import MAX_TILE_BYTES
from tiles.generalised import (
    Rendered,
    has_ready_tiles,
    render_bounded,
    render_overview,
)
from tiles.grids import WEB_MERCATOR, Grid
from tiles.labels import label_layer_name, label_points_from
from tiles.low_zooms import Shown, base_zoom_expression
from tiles.matrix import TileAddress
from tiles.query import TileQuery, timeless

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
    """A statement of a tile that shows all, if the layer's tiles do so at the zoom.

    It gives one row: the encoded layer (or null), the snapshot it was read in, and the base zoom.
    Below that it looks at nothing.

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
        query.label_attributes,
        0,
        as_points=True,
    )
    return _statement(query, grid, options, labels)


def address_parameters(address: TileAddress) -> dict[str, Any]:
    """What statements take of an address: numbers in Web Mercator, the box in other grids."""
    if address.grid is WEB_MERCATOR:
        return {"z": address.z, "x": address.x, "y": address.y}
    return {"z": address.mercator_zoom, **dict(zip(_BOX, address.box, strict=True))}


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
            _in_tile(query.layer, shape, box, extent, buffer).label("geom"),
        ]

    base_zoom: ColumnElement[Any] = literal_column(base_zoom_expression(query.layer))
    zoom = bindparam("z", type_=Integer)

    def shows_all(_view: TableClause) -> ColumnElement[bool]:
        return zoom >= func.coalesce(base_zoom, literal_column(str(WHOLE_FROM)))

    conditions = [touches_tile, shows_all]
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
    compiled = select(encoded, snapshot, base_zoom).select_from(tile).compile(dialect=_DIALECT)
    given = {name: value for name, value in compiled.params.items() if value is not None}
    return TileStatement(str(compiled), given)


def _in_tile(
    layer: Layer,
    shape: ColumnElement[Any],
    box: ColumnElement[Any],
    extent: ColumnElement[int],
    buffer: ColumnElement[int],
) -> ColumnElement[Any]:
    """A shape cut to the tile; a speck where nothing is left of one that lies in it.

    What is thinner than a unit has no area, or no length, on the grid of a tile. A tile that shows
    all must not lose it.
    """
    cut = func.ST_AsMVTGeom(shape, box, extent, buffer)
    if layer.geometry_type.dimension == 0:
        return cut
    place = func.ST_PointOnSurface(shape)
    unit = (func.ST_XMax(box) - func.ST_XMin(box)) / extent
    speck = func.ST_Expand(place, unit)
    if layer.geometry_type.dimension == 1:
        speck = func.ST_BoundingDiagonal(speck)
    lies_in_tile = and_(
        func.ST_X(place) >= func.ST_XMin(box),
        func.ST_X(place) < func.ST_XMax(box),
        func.ST_Y(place) > func.ST_YMin(box),
        func.ST_Y(place) <= func.ST_YMax(box),
    )
    # Looked at only where the cut gives nothing.
    return func.coalesce(cut, case((lies_in_tile, func.ST_AsMVTGeom(speck, box, extent, buffer))))


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
    half: ColumnElement[float] = literal_column("180.0")
    # Beyond the antimeridian a corner would come out on the other side of the world.
    reach = func.ST_MakeEnvelope(
        func.greatest(west - more, -half),
        func.greatest(south - more, -limit),
        func.least(east + more, half),
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

    The label points of an area layer follow it as a layer of their own. Below the base zoom a tile
    is one of the overview, and one that would be too large shows the first features by rank.

    Args:
        connection: Logged in as the reader role of the query's level, in autocommit.
    """
    if address.mercator_zoom < query.layer.minzoom:
        return RenderedLayer(b"", 0, "")
    key = (query.layer.name, query.level)
    if key not in _base_zooms:
        asked = await connection.execute(f"SELECT {base_zoom_expression(query.layer)}".encode())
        row = await asked.fetchone()
        _base_zooms[key] = row[0] if row else None
    while True:
        expected = _base_zooms[key]
        rendered = await _render(connection, query, address, options, expected)
        if rendered.base_zoom == expected:
            return RenderedLayer(rendered.content, rendered.left_out, rendered.snapshot)
        _base_zooms[key] = rendered.base_zoom


_base_zooms: dict[tuple[str, Clearance], int | None] = {}
"""The base zooms that were read last; every statement says whether the one it relied on stands."""

WHOLE_FROM = 14
"""The base zoom of layers of which no overview was made yet."""


async def _render(
    connection: AsyncConnection[Any],
    query: TileQuery,
    address: TileAddress,
    options: TileOptions,
    base_zoom: int | None,
) -> Rendered:
    """A tile as the base zoom, if it is this, has it."""
    zoom = address.mercator_zoom
    shown = _shown(query, zoom, options)
    if zoom >= (WHOLE_FROM if base_zoom is None else base_zoom):
        whole = await _render_whole(connection, query, address, options, shown)
        if len(whole.content) <= shown.max_bytes:
            return whole
    elif base_zoom is not None and has_ready_tiles(query, address):
        return await render_overview(connection, query, address, shown)
    return await render_bounded(connection, query, address, shown)


def _shown(query: TileQuery, zoom: int, options: TileOptions) -> Shown:
    layer = query.layer
    has_labels = zoom >= label_points_from(layer) and query.label_attributes
    return Shown(
        layer,
        query.level,
        tuple(attribute.name for attribute in query.attributes),
        options.extent,
        options.buffer,
        with_labels=bool(has_labels),
        max_bytes=MAX_TILE_BYTES,
    )


async def _render_whole(
    connection: AsyncConnection[Any],
    query: TileQuery,
    address: TileAddress,
    options: TileOptions,
    shown: Shown,
) -> Rendered:
    statement = tile_statement(timeless(query), address.grid, options)
    whole = await _encoded(connection, statement, query, address)
    if not whole.content or not shown.with_labels:
        return whole
    statement = label_statement(timeless(query), address.grid, options)
    labels = await _encoded(connection, statement, query, address)
    # The first snapshot is the one that stands for both: what it does not see, may be missing.
    return replace(whole, content=whole.content + labels.content)


async def _encoded(
    connection: AsyncConnection[Any],
    statement: TileStatement,
    query: TileQuery,
    address: TileAddress,
) -> Rendered:
    parameters = {**statement.parameters, **address_parameters(address), "at": query.time.at}
    if query.time.as_recorded is not None:
        parameters["as_recorded"] = query.time.as_recorded
    cursor = await connection.execute(statement.text, parameters, prepare=True, binary=True)
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101  # for mypy: an aggregate without groups gives one row
    return Rendered(bytes(row[0] or b""), 0, row[1], row[2])


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

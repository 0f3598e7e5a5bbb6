"""Rendering tiles that do not show all: which statement reads a tile, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy import (
    ColumnElement,
    Double,
    TableClause,
    bindparam,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect
from sqlalchemy.types import NullType

from layers.base import STORAGE_SRID, TILE_SRID
from layers.overview_tables import has_overview
from tiles.grids import WEB_MERCATOR, Grid
from tiles.low_zooms import (
    Shown,
    bounded_attributes,
    bounded_statement,
    cell_parameters,
    clusters_statement,
    overview_statement,
)
from tiles.matrix import TileAddress
from tiles.query import TileQuery, timeless

_MERCATOR_LATITUDE = 89.9
"""Beyond it Mercator has no place for the corners of a box."""

_BOX = ("box_west", "box_south", "box_east", "box_north")


@dataclass(frozen=True)
class Rendered:
    """A layer of a tile that keeps to a bound.

    Attributes:
        content: The encoded layer, and its label points; empty when nothing is shown.
        left_out: Features whose reference point lies in the tile and that are not shown.
        snapshot: Text of the snapshot of the statement that read the rows.
        base_zoom: Of the layer at the level of the reader in this snapshot; None where no overview
            has been made yet.
    """

    content: bytes
    left_out: int
    snapshot: str
    base_zoom: int | None


def has_ready_tiles(query: TileQuery, address: TileAddress) -> bool:
    """Whether an overview, if there is one, can answer: of what is held, whole, in Web Mercator."""
    is_plain = query.condition is None and query.time.as_recorded is None
    return is_plain and address.grid is WEB_MERCATOR


async def render_overview(
    connection: AsyncConnection[Any], query: TileQuery, address: TileAddress, shown: Shown
) -> Rendered:
    """A tile of the overview of a layer, or of clusters.

    To be read again in another way if ``base_zoom`` is not above the zoom.

    Args:
        connection: Logged in as the reader role of the level, in autocommit.
        query: One that has ready tiles.
    """
    clusters = not has_overview(shown.layer)
    statement = clusters_statement(shown) if clusters else overview_statement(shown)
    z, x, y = address.z, address.x, address.y
    parameters = {"z": z, "x": x, "y": y, "at": query.time.at}
    parameters |= cell_parameters(z, x, y, clusters=clusters)
    return await _rendered(connection, statement, parameters)


async def render_bounded(
    connection: AsyncConnection[Any], query: TileQuery, address: TileAddress, shown: Shown
) -> Rendered:
    """A tile of versions themselves, the first by rank, whatever its zoom, grid, filter and time.

    Args:
        connection: Logged in as the reader role of the level, in autocommit.
    """
    statement, values = _bounded(timeless(query), address.grid, shown)
    parameters = {**values, **dict(zip(_BOX, address.box, strict=True)), "at": query.time.at}
    west, _, east, _ = address.box
    parameters["margin"] = (east - west) * shown.buffer / shown.extent
    if query.time.as_recorded is not None:
        parameters["as_recorded"] = query.time.as_recorded
    return await _rendered(connection, statement, parameters)


@lru_cache(maxsize=512)
def _bounded(query: TileQuery, grid: Grid, shown: Shown) -> tuple[str, Mapping[str, Any]]:
    attributes = bounded_attributes(shown)
    is_mercator = grid is WEB_MERCATOR
    srid = TILE_SRID if is_mercator else STORAGE_SRID
    reach = select(_reach(is_mercator=is_mercator)).scalar_subquery()

    def touches_tile(view: TableClause) -> ColumnElement[bool]:
        return view.c.geom_3857.op("&&")(reach)

    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        # Without the conversion that geometries get when they are fetched.
        mercator = type_coerce(view.c.geom_3857, NullType())
        shape = mercator if is_mercator else func.ST_Force2D(view.c.geom, type_=NullType())
        named = (view.c[attribute.name] for attribute in attributes)
        places = (mercator.label("geom_3857"), shape.label("tile_shape"))
        return [view.c.feature_id, *named, *places]

    conditions = [touches_tile]
    if query.condition is not None:
        conditions.append(query.condition.condition)
    compiled = query.versions.select_at(columns, conditions).compile(
        dialect=psycopg_dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    )
    given = {name: value for name, value in compiled.params.items() if value is not None}
    return bounded_statement(shown, str(compiled), srid), given


def _reach(*, is_mercator: bool) -> ColumnElement[Any]:
    """The box of the tile with its margin in Web Mercator."""
    west, south, east, north, more = (bindparam(name, type_=Double) for name in (*_BOX, "margin"))
    corners = [west - more, south - more, east + more, north + more]
    if is_mercator:
        return func.ST_MakeEnvelope(*corners, literal_column(str(TILE_SRID)))
    limit: ColumnElement[float] = literal_column(repr(_MERCATOR_LATITUDE))
    half: ColumnElement[float] = literal_column("180.0")
    # Beyond the antimeridian a corner would come out on the other side of the world.
    corners[0], corners[2] = func.greatest(corners[0], -half), func.least(corners[2], half)
    corners[1], corners[3] = func.greatest(corners[1], -limit), func.least(corners[3], limit)
    box = func.ST_MakeEnvelope(*corners, literal_column(str(STORAGE_SRID)))
    return func.ST_Transform(box, literal_column(str(TILE_SRID)))


async def read_base_zooms(connection: AsyncConnection[Any]) -> Mapping[str, int]:
    """From which zoom on tiles show all of a layer to the reader's level, by name."""
    cursor = await connection.execute("SELECT layer, base_zoom FROM overviews")
    return dict(await cursor.fetchall())


async def _rendered(
    connection: AsyncConnection[Any], statement: str, parameters: Mapping[str, Any]
) -> Rendered:
    cursor = await connection.execute(statement.encode(), parameters, prepare=True, binary=True)
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101  # for mypy: an aggregate without groups gives one row
    return Rendered(bytes(row[0] or b""), int(row[1]), str(row[2]), row[3])

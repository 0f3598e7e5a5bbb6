"""Rendering tiles that do not show all: which statement reads a tile, and what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy import (
    ColumnElement,
    Float,
    TableClause,
    bindparam,
    func,
    literal_column,
    type_coerce,
)
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect
from sqlalchemy.types import NullType

from layers.base import Attribute
from layers.overview_tables import has_overview
from layers.versions import Condition, Versions
from tiles.low_zooms import (
    Shown,
    bounded_attributes,
    bounded_statement,
    cell_parameters,
    clusters_statement,
    overview_statement,
)

Box = tuple[float, float, float, float]


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


async def render_overview(
    connection: AsyncConnection[Any], shown: Shown, z: int, x: int, y: int, at: Any
) -> Rendered:
    """A tile of WebMercatorQuad below the base zoom, of what is held.

    To be read again in another way if ``base_zoom`` is not above ``z``.

    Args:
        connection: Logged in as the reader role of the level, in autocommit.
        at: Aware instant of valid time.
    """
    clusters = not has_overview(shown.layer)
    statement = clusters_statement(shown) if clusters else overview_statement(shown)
    parameters = {"z": z, "x": x, "y": y, "at": at}
    parameters |= cell_parameters(z, x, y, clusters=clusters)
    return await _rendered(connection, statement, parameters)


async def render_bounded(
    connection: AsyncConnection[Any],
    read: Versions,
    shown: Shown,
    box: Box,
    parameters: dict[str, Any],
    condition: Condition | None = None,
) -> Rendered:
    """A tile of versions themselves, the first by rank, whatever its zoom, grid and instant.

    Args:
        box: Of the tile in EPSG:3857, (xmin, ymin, xmax, ymax).
        parameters: ``at``, ``as_recorded`` where the read is of earlier belief, and what the
            condition binds.
        condition: Of a filter; hashable.
    """
    statement = _bounded(read, shown, condition)
    west, south, east, north = box
    margin = (east - west) * shown.buffer / shown.extent
    boxes = {
        "box_west": west,
        "box_south": south,
        "box_east": east,
        "box_north": north,
        "margin": margin,
    }
    return await _rendered(connection, statement, parameters | boxes)


@lru_cache(maxsize=512)
def _bounded(read: Versions, shown: Shown, condition: Condition | None) -> str:
    attributes: Sequence[Attribute] = bounded_attributes(shown)
    west, south, east, north, margin = (
        bindparam(name, type_=Float)
        for name in ("box_west", "box_south", "box_east", "box_north", "margin")
    )
    box = func.ST_MakeEnvelope(
        west - margin, south - margin, east + margin, north + margin, literal_column("3857")
    )

    def touches_tile(view: TableClause) -> ColumnElement[bool]:
        return view.c.geom_3857.op("&&")(box)

    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        named = (view.c[attribute.name] for attribute in attributes)
        # Without the conversion that geometries get when they are fetched.
        geometry = type_coerce(view.c.geom_3857, NullType()).label("geom_3857")
        return [view.c.feature_id, *named, geometry]

    conditions = [touches_tile] if condition is None else [touches_tile, condition]
    versions = read.select_at(columns, conditions)
    text = str(versions.compile(dialect=psycopg_dialect()))  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    return bounded_statement(shown, text)


async def _rendered(
    connection: AsyncConnection[Any], statement: str, parameters: dict[str, Any]
) -> Rendered:
    cursor = await connection.execute(statement.encode(), parameters, prepare=True, binary=True)
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101  # an aggregate without GROUP BY
    return Rendered(bytes(row[0] or b""), int(row[1]), str(row[2]), row[3])

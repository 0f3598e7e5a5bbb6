"""Which versions the tiles of low zooms show: chosen zoom by zoom, each from what the next one has.

Within a cell, a tile's 64th part, features are taken by rank until they would take more bytes than
the cell may; all held versions of a feature that lie in the cell go with it, so what is chosen does
not depend on the instant. The zoom below the base zoom chooses from the versions themselves, each
other one from what the next finer zoom shows: a change of few features is a change of few cells.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from layers.base import Layer
from layers.generalising import (
    LEAST_BYTES,
    SELECTED_BYTES,
    encoded_bytes,
    is_seen,
    rank,
    simplified,
    stored,
)
from layers.overview_tables import (
    FINEST_ZOOM,
    cell_number,
    qualified_overview,
    reference_point,
)
from layers.tables import column_names

CELL_LEVELS = 3
"""A tile has 8 x 8 cells."""

_MOST_IN_CELL = SELECTED_BYTES // LEAST_BYTES


_KEY = ("feature_id", "clearance", "valid_during")
"""What tells the rows of a zoom in a cell apart."""

_BY_INDEX = {
    "open": "upper_inf(o.valid_during)",
    "ended": "NOT upper_inf(o.valid_during)",
}
"""The two kinds of rows ``o`` of an overview: each has its own index."""


def smallint(zoom: int) -> str:
    """SQL of a zoom of the type of its column, without which the index by zoom is no use."""
    return f"CAST({zoom} AS smallint)"


def cell_zoom(zoom: int) -> int:
    """The zoom whose tiles are the cells of the tiles of a zoom."""
    return min(zoom + CELL_LEVELS, FINEST_ZOOM)


def version_columns(layer: Layer) -> str:
    """The columns of versions that an overview carries, besides their geometry."""
    columns = ("feature_id", *column_names(layer), "admin_code", "clearance", "valid_during")
    return ", ".join(columns)


def ranked(layer: Layer, versions: str) -> str:
    """Versions with what they are chosen by, as the finest overview is made from."""
    x, y = reference_point("v.geom_3857")
    return (
        f"SELECT {version_columns(layer)}, v.geom_3857, {rank(layer, 'v.geom_3857', stored)} "
        f"AS tile_rank, {x} AS reference_x, {y} AS reference_y FROM ({versions}) v"
    )


def choose(connection: Connection, layer: Layer, zoom: int, rows: str) -> None:
    """Choose the rows of a zoom and write them.

    Args:
        rows: SQL of the rows to choose from, as ``ranked`` or an overview has them; of all cells
            that are chosen for, and whole cells only.
    """
    columns = version_columns(layer)
    connection.execute(
        text(
            f"INSERT INTO {qualified_overview(layer)} "
            f"(tile_zoom, {columns}, tile_rank, reference_x, reference_y, geom_3857) "
            + _chosen(layer, zoom, rows)
        )
    )


def choose_again(
    connection: Connection, layer: Layer, zoom: int, cells: str, rows: str
) -> list[tuple[float, float, float, float]]:
    """Choose anew for some cells.

    Args:
        cells: SQL that selects them as x and y of ``cell_zoom(zoom)`` with their box.
        rows: As for ``choose``.

    Returns:
        Boxes of rows that came or went, EPSG:3857, (xmin, ymin, xmax, ymax); one for those of a
        tile.
    """
    column, row = (
        cell_number(
            f"coalesce(g.reference_{axis}, n.reference_{axis})", zoom, southward=axis == "y"
        )
        for axis in "xy"
    )
    overview, columns = qualified_overview(layer), version_columns(layer)
    written = f"tile_zoom, {columns}, tile_rank, reference_x, reference_y, geom_3857"
    returned = "feature_id, clearance, valid_during, geom_3857, reference_x, reference_y"
    # Nearly all rows stay as they are, and are left alone.
    compared = [name for name in written.split(", ") if name not in _KEY]
    is_same = " AND ".join(f"n.{name} = o.{name}" for name in _KEY) + (
        f" AND ({', '.join(f'n.{c}' for c in compared)}) IS NOT DISTINCT FROM "
        f"({', '.join(f'o.{c}' for c in compared)})"
    )
    deleted = ", ".join(
        f"gone_{name} AS (DELETE FROM {overview} o USING cells c "
        f"WHERE o.tile_zoom = {smallint(zoom)} AND {which} AND {_lies_in_cell('o', zoom)} "
        f"AND NOT EXISTS (SELECT FROM chosen n WHERE {is_same}) "
        f"RETURNING {', '.join(f'o.{name}' for name in returned.split(', '))})"
        for name, which in _BY_INDEX.items()
    )
    gone = " UNION ALL ".join(f"SELECT * FROM gone_{name}" for name in _BY_INDEX)
    were = " UNION ALL ".join(
        f"SELECT o.* FROM cells c JOIN {overview} o "
        f"ON o.tile_zoom = {smallint(zoom)} AND {which} AND {_lies_in_cell('o', zoom)}"
        for which in _BY_INDEX.values()
    )
    changed = connection.execute(
        text(
            f"""
            WITH cells AS MATERIALIZED ({cells}),
            chosen ({written}) AS MATERIALIZED ({_chosen(layer, zoom, rows)}),
            {deleted},
            came AS (
                INSERT INTO {overview} ({written})
                SELECT {written} FROM chosen n
                WHERE NOT EXISTS (SELECT FROM ({were}) o WHERE {is_same})
                RETURNING {returned}
            )
            SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b)
            FROM (SELECT ST_Extent(coalesce(g.geom_3857, n.geom_3857)) AS b
                  FROM ({gone}) g FULL JOIN came n USING (feature_id, clearance, valid_during)
                  GROUP BY {column}, {row}) d"""
        )
    ).all()
    return [(row[0], row[1], row[2], row[3]) for row in changed]


def in_cells(layer: Layer, zoom: int, cells: str) -> str:
    """The rows of the overview of a zoom that lie in cells, to choose from for the zoom above it.

    Args:
        zoom: Of the rows.
        cells: Table expression of the cells of ``cell_zoom(zoom - 1)``.
    """
    return " UNION ALL ".join(
        f"SELECT o.* FROM {cells} c JOIN {qualified_overview(layer)} o "
        f"ON o.tile_zoom = {smallint(zoom)} AND {which} AND {_lies_in_cell('o', zoom - 1)}"
        for which in _BY_INDEX.values()
    )


def _lies_in_cell(alias: str, zoom: int) -> str:
    column, row = _cell(alias, zoom)
    return f"{alias}.geom_3857 && c.box AND {lies_in(column, row)}"


def lies_in(column: str, row: str) -> str:
    """SQL of whether a column and a row are those of a cell ``c``.

    Written so that rows are looked up by the box of each cell, and not all of them hashed.
    """
    return f"{column} - c.x = 0 AND {row} - c.y = 0"


def _cell(alias: str, zoom: int) -> tuple[str, str]:
    cells = cell_zoom(zoom)
    return (
        cell_number(f"{alias}.reference_x", cells),
        cell_number(f"{alias}.reference_y", cells, southward=True),
    )


def _chosen(layer: Layer, zoom: int, rows: str) -> str:
    """SELECT of the rows of a zoom, out of others.

    First by rank alone, so that only few shapes are made coarser; then by the bytes of these.
    """
    columns = ", ".join(f"v.{name}" for name in version_columns(layer).split(", "))
    column, row = _cell("v", zoom)
    of_cell = "clearance, cell_x, cell_y"
    order = "tile_rank DESC, feature_id"
    size = encoded_bytes([a for a in layer.attributes if a.in_tile], "v.shape", stored)
    return f"""
        WITH placed AS (
            SELECT v.clearance, v.feature_id, v.tile_rank, {column} AS cell_x, {row} AS cell_y
            FROM ({rows}) v WHERE {is_seen("v.geom_3857", zoom)}
        ),
        features AS (
            SELECT {of_cell}, feature_id, max(tile_rank) AS tile_rank
            FROM placed GROUP BY {of_cell}, feature_id
        ),
        foremost AS (
            SELECT * FROM (
                SELECT f.*, row_number() OVER (PARTITION BY {of_cell} ORDER BY {order}) AS place
                FROM features f
            ) f WHERE place <= {_MOST_IN_CELL}
        ),
        shaped AS MATERIALIZED (
            SELECT v.*, f.cell_x, f.cell_y, f.place,
                   {simplified("v.geom_3857", zoom)} AS shape
            FROM ({rows}) v JOIN foremost f
              ON f.clearance = v.clearance AND f.feature_id = v.feature_id
             AND f.cell_x = {column} AND f.cell_y = {row}
            WHERE {is_seen("v.geom_3857", zoom)}
        ),
        sized AS (
            SELECT {of_cell}, place, max({size}) AS size
            FROM shaped v GROUP BY {of_cell}, place
        ),
        chosen AS (
            SELECT * FROM (
                SELECT s.*, sum(size) OVER (PARTITION BY {of_cell} ORDER BY place) AS upto
                FROM sized s
            ) s WHERE upto <= {SELECTED_BYTES} OR place = 1
        )
        SELECT {zoom}, {columns}, v.tile_rank, v.reference_x, v.reference_y, v.shape
        FROM shaped v JOIN chosen USING ({of_cell}, place)"""

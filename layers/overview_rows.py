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
    SELECTED_BYTES,
    encoded_bytes,
    is_seen,
    is_wide,
    least_bytes,
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


def overview_columns(layer: Layer) -> str:
    """The columns of an overview, as ``chosen_rows`` gives them."""
    return f"tile_zoom, {version_columns(layer)}, tile_rank, reference_x, reference_y, geom_3857"


def ranked(layer: Layer, versions: str) -> str:
    """Versions with what they are chosen by, as the finest overview is made from."""
    x, y = reference_point("v.geom_3857")
    return (
        f"SELECT {version_columns(layer)}, v.geom_3857, {rank(layer, 'v.geom_3857', stored)} "
        f"AS tile_rank, {x} AS reference_x, {y} AS reference_y FROM ({versions}) v"
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
    overview, written = qualified_overview(layer), overview_columns(layer)
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
            chosen AS MATERIALIZED ({chosen_rows(layer, zoom, rows, placed_rows(zoom, rows))}),
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


def _packed(clearance: str, column: str, row: str) -> str:
    """SQL of one number for a cell and the clearance of its rows: quicker to sort by than three."""
    bits = FINEST_ZOOM + 1
    return (
        f"(CAST({clearance} AS bigint) << {2 * bits} | CAST({column} AS bigint) << {bits} | {row})"
    )


def placed_rows(zoom: int, rows: str) -> str:
    """SQL of what is seen at a zoom, as it is chosen by: by feature, rank and cell.

    Args:
        rows: SQL of rows as ``ranked`` or an overview has them.
    """
    cell = _packed("v.clearance", *_cell("v", zoom))
    return (
        f"SELECT v.clearance, v.feature_id, v.tile_rank, {cell} AS cell "
        f"FROM ({rows}) v WHERE {is_seen('v.geom_3857', zoom)}"
    )


def placed_versions(zoom: int, placed: str) -> str:
    """The same of versions that are placed in a table (``layers.overview_cells.place_all``)."""
    shift = FINEST_ZOOM - cell_zoom(zoom)
    cell = _packed("p.clearance", f"(p.x >> {shift})", f"(p.y >> {shift})")
    return (
        f"SELECT p.clearance, p.feature_id, p.tile_rank, {cell} AS cell "
        f"FROM {placed} p WHERE {is_wide('p.width_m', zoom)}"
    )


def chosen_rows(
    layer: Layer, zoom: int, rows: str, placed: str, *, is_timeless: bool = False
) -> str:
    """SELECT of the rows of a zoom, out of others, as they stand in an overview.

    First by rank alone, so that only few shapes are made coarser; then by the bytes of these.

    Args:
        rows: SQL of the rows to choose from, as ``ranked`` or an overview has them; of all cells
            that are chosen for, and whole cells only.
        placed: SQL of the same rows, as ``placed_rows`` has them.
        is_timeless: Whether each feature has one row.
    """
    columns = ", ".join(f"v.{name}" for name in version_columns(layer).split(", "))
    cell = _packed("v.clearance", *_cell("v", zoom))
    in_tile = [attribute for attribute in layer.attributes if attribute.in_tile]
    size = encoded_bytes(in_tile, "v.shape", stored)
    features = (
        placed
        if is_timeless
        else "SELECT clearance, cell, feature_id, max(tile_rank) AS tile_rank "
        f"FROM ({placed}) p GROUP BY clearance, cell, feature_id"
    )
    return f"""
        WITH features AS ({features}),
        foremost AS (
            SELECT * FROM (
                SELECT f.*, row_number() OVER (
                    PARTITION BY cell ORDER BY tile_rank DESC, feature_id
                ) AS place
                FROM features f
            ) f WHERE place <= {SELECTED_BYTES // least_bytes(layer, in_tile)}
        ),
        shaped AS MATERIALIZED (
            SELECT v.*, f.cell, f.place, {simplified("v.geom_3857", zoom)} AS shape
            FROM ({rows}) v JOIN foremost f
              ON f.clearance = v.clearance AND f.feature_id = v.feature_id AND {cell} - f.cell = 0
            WHERE {is_seen("v.geom_3857", zoom)}
        ),
        sized AS (
            SELECT cell, place, max({size}) AS size FROM shaped v GROUP BY cell, place
        ),
        chosen AS (
            SELECT * FROM (
                SELECT s.*, sum(size) OVER (PARTITION BY cell ORDER BY place) AS upto
                FROM sized s
            ) s WHERE upto <= {SELECTED_BYTES} OR place = 1
        )
        SELECT {smallint(zoom)} AS tile_zoom, {columns}, v.tile_rank, v.reference_x, v.reference_y,
               v.shape AS geom_3857
        FROM shaped v JOIN chosen USING (cell, place)"""

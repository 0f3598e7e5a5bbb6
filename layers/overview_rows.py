"""The rows of an overview: chosen zoom by zoom, each from what the next finer one has.

The zoom below the base zoom chooses from the versions themselves, each other one from what the next
finer zoom shows: a change of few features is a change of few cells.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text

from layers.base import Layer
from layers.overview_choice import (
    cell_of,
    cell_zoom,
    foremost_rows,
    overview_columns,
    placed_rows,
    placed_versions,
    ranked,
    shaped_rows,
    smallint,
    unfit_rows,
)
from layers.overview_tables import EARTH_HALF_M, cell_box, cell_number, qualified_overview
from layers.tables import STAGING_SCHEMA, table_name

_KEY = ("feature_id", "clearance", "valid_during")
"""What tells the rows of a zoom in a cell apart."""

_BY_INDEX = {
    "open": "upper_inf(o.valid_during)",
    "ended": "NOT upper_inf(o.valid_during)",
}
"""The two kinds of rows ``o`` of an overview: each has its own index."""


def choose_all(
    connection: Connection, layer: Layer, base_zoom: int, versions: str, placed: str
) -> None:
    """Fill an overview, which must be empty.

    What each zoom shows is made in tables of its own: these are made and read by several processes,
    and the next zoom reads no more than it chooses from.

    Args:
        versions: SQL of all held versions.
        placed: Table of where they lie (``layers.overview_cells.place_all``).
    """
    is_timeless = not connection.execute(
        text(f"SELECT EXISTS (SELECT FROM {placed} WHERE ended IS NOT NULL)")
    ).scalar_one()
    rows, columns = ranked(layer, versions), overview_columns(layer)
    made: list[str] = []

    def make(what: str, statement: str) -> str:
        made.append(f"{STAGING_SCHEMA}.{table_name(layer)}_{what}")
        connection.execute(text(f"CREATE UNLOGGED TABLE {made[-1]} AS {statement}"))
        return made[-1]

    for zoom in reversed(range(base_zoom)):
        of_zoom = placed_rows(layer, zoom, rows)
        if zoom == base_zoom - 1:
            of_zoom = placed_versions(zoom, placed)
        foremost = make(f"foremost_{zoom}", foremost_rows(of_zoom, is_timeless=is_timeless))
        shaped = make(
            f"shaped_{zoom}", shaped_rows(layer, zoom, rows, foremost, is_timeless=is_timeless)
        )
        connection.execute(
            text(
                f"DELETE FROM {shaped} s USING ({unfit_rows(shaped)}) u "
                "WHERE s.cell = u.cell AND s.place = u.place"
            )
        )
        writing = f"INSERT INTO {qualified_overview(layer)} ({columns})"
        written = connection.execute(text(f"{writing} SELECT {columns} FROM {shaped}"))
        if not written.rowcount:
            break
        rows = f"SELECT {columns} FROM {shaped}"
    if made:
        connection.execute(text(f"DROP TABLE {', '.join(made)}"))


Cell = tuple[int, int]
"""Column and row."""

Box = tuple[float, float, float, float]
"""(xmin, ymin, xmax, ymax) in EPSG:3857, metres."""


def choose_again(
    connection: Connection, layer: Layer, zoom: int, cells: Collection[Cell], rows: str
) -> dict[Cell, Box]:
    """Choose anew for some cells.

    Args:
        cells: Those of ``cell_zoom(zoom)``.
        rows: SQL of the rows to choose from, as ``ranked`` or an overview has them; those of the
            cells, which it finds in ``cells`` with columns x, y and ``box``.

    Returns:
        The cells of the next coarser zoom in which rows came or went, with the boxes of these.
    """
    column, row = (
        cell_number(
            f"coalesce(g.reference_{axis}, n.reference_{axis})",
            cell_zoom(zoom - 1),
            southward=axis == "y",
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
    foremost = foremost_rows(placed_rows(layer, zoom, "SELECT * FROM found"), is_timeless=False)
    shaped = shaped_rows(layer, zoom, "SELECT * FROM found", "foremost", is_timeless=False)
    changed = connection.execute(
        text(
            f"""
            WITH cells AS MATERIALIZED ({_boxed_cells(zoom)}),
            found AS MATERIALIZED ({rows}),
            foremost AS ({foremost}),
            shaped AS MATERIALIZED ({shaped}),
            chosen AS MATERIALIZED (
                SELECT {written} FROM shaped s WHERE NOT EXISTS (
                    SELECT FROM ({unfit_rows("shaped")}) u
                    WHERE u.cell = s.cell AND u.place = s.place
                )
            ),
            {deleted},
            came AS (
                INSERT INTO {overview} ({written})
                SELECT {written} FROM chosen n
                WHERE NOT EXISTS (SELECT FROM ({were}) o WHERE {is_same})
                RETURNING {returned}
            )
            SELECT x, y, ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b)
            FROM (SELECT {column} AS x, {row} AS y,
                         ST_Extent(coalesce(g.geom_3857, n.geom_3857)) AS b
                  FROM ({gone}) g FULL JOIN came n USING (feature_id, clearance, valid_during)
                  GROUP BY 1, 2) d"""
        ),
        {"columns": [x for x, _ in cells], "rows": [y for _, y in cells]},
    ).all()
    return {(row[0], row[1]): (row[2], row[3], row[4], row[5]) for row in changed}


def _boxed_cells(zoom: int) -> str:
    """SQL of cells with the boxes by which rows with reference points there are looked up."""
    cells = cell_zoom(zoom)
    # A shape is coarser than the version's, so its box may miss its reference point by this.
    margin_m = 2 * EARTH_HALF_M / 2**zoom / 256
    return (
        f"SELECT x, y, {cell_box('x', 'y', cells, margin_m)} AS box FROM "
        "unnest(CAST(:columns AS integer[]), CAST(:rows AS integer[])) c (x, y)"
    )


def in_cells(layer: Layer, zoom: int) -> str:
    """SQL of the rows of the overview of a zoom, to choose from for the zoom above it.

    Those that lie in ``cells``, which are of ``cell_zoom(zoom - 1)``.
    """
    return " UNION ALL ".join(
        f"SELECT o.* FROM cells c JOIN {qualified_overview(layer)} o "
        f"ON o.tile_zoom = {smallint(zoom)} AND {which} AND {_lies_in_cell('o', zoom - 1)}"
        for which in _BY_INDEX.values()
    )


def _lies_in_cell(alias: str, zoom: int) -> str:
    return f"{alias}.geom_3857 && c.box AND {lies_in(*cell_of(alias, zoom))}"


def lies_in(column: str, row: str) -> str:
    """SQL of whether a column and a row are those of a cell ``c``.

    Written so that rows are looked up by the box of each cell, and not all of them hashed.
    """
    return f"{column} - c.x = 0 AND {row} - c.y = 0"

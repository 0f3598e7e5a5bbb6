"""How many versions there are in each cell at each instant: counted once, then kept by part.

A cell is a tile of one zoom of the ladder. Its numbers are sums, so what a publication changes is
counted anew in the finest cells that it touched, and the differences are added to the coarser ones.
"""

from __future__ import annotations

from itertools import pairwise

from sqlalchemy import Connection, text

from layers.base import Layer
from layers.generalising import rank, stored, width_m
from layers.overview_tables import (
    FINEST_ZOOM,
    LADDER,
    cell_number,
    clustered_by,
    has_overview,
    qualified_cells,
    reference_point,
)

_KEY = "cell, kind, clearance"
_SUMS = "versions, sum_x_cm, sum_y_cm"
_COLUMNS = f"cell_zoom, {_KEY}, present, last_at, {_SUMS}, instants, changes"
_EMPTY = "coalesce({}, '{{}}')"


def place_all(connection: Connection, layer: Layer, versions: str, placed: str) -> None:
    """Make a table of where all held versions lie, which all of an overview is made from.

    Args:
        versions: SQL that selects them.
        placed: Name of the table to make: feature_id, clearance, kind, ``began`` and ``ended`` (of
            valid time), x and y of the finest cell, ``x_cm`` and ``y_cm`` of the reference point,
            and of lines and areas the width of the box in metres, ``width_m``, and ``tile_rank``.
    """
    # A table that is made is read by several processes, as an INSERT would not be.
    connection.execute(text(f"CREATE UNLOGGED TABLE {placed} AS {_placed(layer, versions)}"))


def count_all(connection: Connection, layer: Layer, placed: str) -> None:
    """Fill the cells of a layer, which must be empty.

    Args:
        placed: Table of all versions, as ``place_all`` makes it.
    """
    cells = qualified_cells(layer)
    steps = _steps(f"SELECT * FROM {placed}")
    connection.execute(text(f"INSERT INTO {cells} ({_COLUMNS}) {_gathered(steps, FINEST_ZOOM)}"))
    for finer, zoom in pairwise(LADDER):
        shift = 2 * (finer - zoom)
        coarser = _of_cells(f"SELECT * FROM {cells} WHERE cell_zoom = {finer}", shift)
        connection.execute(text(f"INSERT INTO {cells} ({_COLUMNS}) {_gathered(coarser, zoom)}"))


def count_touched(
    connection: Connection, layer: Layer, touched: str, versions: str, differences: str
) -> None:
    """Count the finest cells that were touched anew, and all above them.

    Args:
        touched: Table with the numbers of the cells, ``cell``.
        versions: SQL that selects the held versions of these cells.
        differences: Name of a table to make, and to drop.
    """
    cells = qualified_cells(layer)
    before = (
        f"SELECT c.* FROM {cells} c JOIN {touched} t USING (cell) WHERE c.cell_zoom = {FINEST_ZOOM}"
    )
    # What no instant has stands by itself, as it does in the cells, so that equals cancel out.
    signed = f"""
        SELECT {_KEY}, at, n, 0 AS versions, 0 AS sum_x_cm, 0 AS sum_y_cm FROM now
        UNION ALL
        SELECT {_KEY}, CAST('-infinity' AS timestamptz), 0, {_SUMS} FROM now
        UNION ALL
        SELECT {_KEY}, at, -n, -versions, -sum_x_cm, -sum_y_cm FROM ({_of_cells(before, 0)}) was"""
    connection.execute(
        text(
            f"CREATE UNLOGGED TABLE {differences} AS WITH now AS ({_steps(_placed(layer, versions))}) "
            f"SELECT {_KEY}, at, sum(n) AS n, {_summed(_SUMS)} FROM ({signed}) s "
            f"GROUP BY {_KEY}, at "
            "HAVING sum(n) <> 0 OR sum(versions) <> 0 OR sum(sum_x_cm) <> 0 OR sum(sum_y_cm) <> 0"
        )
    )
    for zoom in LADDER:
        shift = 2 * (FINEST_ZOOM - zoom)
        moved = (
            f"SELECT cell >> {shift} AS cell, kind, clearance, at, n, {_SUMS} FROM {differences}"
        )
        connection.execute(
            text(
                f"""
                WITH moved AS ({moved}),
                gone AS (
                    DELETE FROM {cells} c USING (SELECT DISTINCT {_KEY} FROM moved) m
                    WHERE c.cell_zoom = {zoom} AND c.cell = m.cell AND c.kind = m.kind
                      AND c.clearance = m.clearance
                    RETURNING c.*
                ),
                steps AS (SELECT * FROM moved UNION ALL {_of_cells("SELECT * FROM gone", 0)})
                INSERT INTO {cells} ({_COLUMNS}) {_gathered("SELECT * FROM steps", zoom)}"""
            )
        )
    connection.execute(text(f"DROP TABLE {differences}"))


def _placed(layer: Layer, versions: str) -> str:
    """Versions as ``place_all`` keeps them."""
    x, y = reference_point("v.geom_3857")
    by = clustered_by(layer)
    kind = "CAST('' AS text)"
    if by is not None and by.codes is not None:
        codes = ", ".join("'" + c.code.replace("'", "''") + "'" for c in by.codes.codes)
        kind = f"CASE WHEN v.{by.column} IN ({codes}) THEN v.{by.column} ELSE '' END"
    chosen_by = ""
    if has_overview(layer):
        geometry = "v.geom_3857"
        chosen_by = (
            f", {width_m(geometry)} AS width_m, {rank(layer, geometry, stored)} AS tile_rank"
        )
    return f"""
        SELECT v.feature_id, v.clearance, {kind} AS kind,
               coalesce(lower(v.valid_during), '-infinity') AS began,
               upper(v.valid_during) AS ended,
               {cell_number(x, FINEST_ZOOM)} AS x,
               {cell_number(y, FINEST_ZOOM, southward=True)} AS y,
               CAST(round(({x}) * 100) AS bigint) AS x_cm,
               CAST(round(({y}) * 100) AS bigint) AS y_cm{chosen_by}
        FROM ({versions}) v"""


def _steps(placed: str) -> str:
    """Versions as steps of their cells: one more when it begins, one less when it ends.

    Args:
        placed: SQL of the versions, as ``place_all`` has them.
    """
    key = "x, y, kind, clearance"
    return f"""
        SELECT city.quadkey(s.x, s.y) AS cell, s.kind, s.clearance, s.at, s.n, {_SUMS}
        FROM (
            SELECT {key}, e.at, sum(e.n) AS n, sum(e.versions) AS versions,
                   sum(e.x_cm) AS sum_x_cm, sum(e.y_cm) AS sum_y_cm
            FROM (
                SELECT {key}, began, ended, count(*) AS n, sum(x_cm) AS x_cm, sum(y_cm) AS y_cm
                FROM ({placed}) p GROUP BY {key}, began, ended
            ) v
            CROSS JOIN LATERAL (
                VALUES (began, n, n, x_cm, y_cm), (ended, -n, 0, 0, 0)
            ) e (at, n, versions, x_cm, y_cm)
            WHERE e.at IS NOT NULL
            GROUP BY {key}, e.at
        ) s"""


def _of_cells(cells: str, shift: int) -> str:
    """Cells as steps of the cells ``shift`` bits above them."""
    key = f"c.cell >> {shift} AS cell, c.kind, c.clearance"
    # What no instant has goes with a step of its own that changes nothing.
    return f"""
        SELECT {key}, u.at, u.n, 0 AS versions, 0 AS sum_x_cm, 0 AS sum_y_cm
        FROM ({cells}) c CROSS JOIN LATERAL unnest(c.instants, c.changes) u (at, n)
        UNION ALL
        SELECT {key}, CAST('-infinity' AS timestamptz), 0, {_SUMS} FROM ({cells}) c"""


def _gathered(steps: str, zoom: int) -> str:
    """Steps put together to cells; a cell of which nothing is left is none."""
    changed = "FILTER (WHERE n <> 0)"
    return f"""
        SELECT {zoom}, {_KEY}, sum(n),
               coalesce(max(at) {changed}, '-infinity'), {_summed(_SUMS)},
               {_EMPTY.format(f"array_agg(at ORDER BY at) {changed}")},
               {_EMPTY.format(f"array_agg(CAST(n AS integer) ORDER BY at) {changed}")}
        FROM (SELECT {_KEY}, at, sum(n) AS n, {_summed(_SUMS)}
              FROM ({steps}) a GROUP BY {_KEY}, at) g
        GROUP BY {_KEY} HAVING sum(versions) > 0"""


def _summed(columns: str) -> str:
    return ", ".join(f"sum({column}) AS {column}" for column in columns.split(", "))


def most_in_tile(connection: Connection, layer: Layer, zoom: int, clearance: int) -> int:
    """How many features the fullest tile of a zoom holds now, of rows up to a clearance."""
    finer = min(step for step in LADDER if step >= zoom)
    most: int = connection.execute(
        text(
            "SELECT coalesce(max(n), 0) FROM (SELECT sum(present) AS n "
            f"FROM {qualified_cells(layer)} WHERE cell_zoom = {finer} "
            f"AND clearance <= :clearance GROUP BY cell >> {2 * (finer - zoom)}) t"
        ),
        {"clearance": clearance},
    ).scalar_one()
    return most

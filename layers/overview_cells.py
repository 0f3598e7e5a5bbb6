"""How many versions there are in each cell at each instant: counted once, then kept by part.

A cell is a tile of one zoom of the ladder. Its numbers are sums, so what a publication changes is
counted anew in the finest cells that it touched, and the differences are added to the coarser ones.
"""

from __future__ import annotations

from itertools import pairwise

from sqlalchemy import Connection, text

from layers.base import Layer
from layers.generalising import least_bytes, rank, stored, width_m
from layers.overview_tables import (
    FINEST_ZOOM,
    LADDER,
    cell_number,
    clustered_by,
    has_overview,
    qualified_cells,
    reference_point,
)

_KEY = "cell_zoom, cell, kind, clearance"
_SUMS = "versions, sum_x_cm, sum_y_cm"
_COLUMNS = f"{_KEY}, present, last_at, {_SUMS}, instants, changes"
_EMPTY = "coalesce({}, '{{}}')"


def place_all(connection: Connection, layer: Layer, versions: str, placed: str) -> None:
    """Make a table of where all held versions lie, which all of an overview is made from.

    Args:
        versions: SQL that selects them.
        placed: Name of the table to make: feature_id, clearance, kind, ``began`` and ``ended`` (of
            valid time), x and y of the finest cell, ``x_cm`` and ``y_cm`` of the reference point,
            and of lines and areas the width of the box in metres, ``width_m``, ``tile_rank`` and
            ``least_bytes``.
    """
    # A table that is made is read by several processes, as an INSERT would not be.
    connection.execute(text(f"CREATE UNLOGGED TABLE {placed} AS {_placed(layer, versions)}"))


def count_all(connection: Connection, layer: Layer, placed: str) -> None:
    """Fill the cells of a layer, which must be empty.

    Args:
        placed: Table of all versions, as ``place_all`` makes it.
    """
    cells, periods = qualified_cells(layer), f"{placed}_periods"
    connection.execute(
        text(f"CREATE UNLOGGED TABLE {periods} AS {_periods(f'SELECT * FROM {placed}')}")
    )
    finest = _gathered(_steps(f"SELECT * FROM {periods}"), key=_PLACE, named=_NAMED_PLACE)
    connection.execute(text(f"INSERT INTO {cells} ({_COLUMNS}) {finest}"))
    connection.execute(text(f"DROP TABLE {periods}"))
    for finer, zoom in pairwise(LADDER):
        steps = _of_cells(f"SELECT * FROM {cells} WHERE cell_zoom = {finer}")
        coarser = _gathered(f"SELECT {_above(finer, zoom)} FROM ({steps}) s")
        connection.execute(text(f"INSERT INTO {cells} ({_COLUMNS}) {coarser}"))


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
    steps = _steps(_periods(_placed(layer, versions)))
    now = f"SELECT {_NAMED_PLACE}, at, n, {_SUMS} FROM ({steps}) s"
    # What no instant has stands by itself, as it does in the cells, so that equals cancel out.
    signed = f"""
        SELECT {_KEY}, at, n, 0 AS versions, 0 AS sum_x_cm, 0 AS sum_y_cm FROM now
        UNION ALL
        SELECT {_KEY}, CAST('-infinity' AS timestamptz), 0, {_SUMS} FROM now
        UNION ALL
        SELECT {_KEY}, at, -n, -versions, -sum_x_cm, -sum_y_cm FROM ({_of_cells(before)}) was"""
    connection.execute(
        text(
            f"CREATE UNLOGGED TABLE {differences} AS WITH now AS ({now}) "
            f"SELECT {_KEY}, at, sum(n) AS n, {_summed(_SUMS)} FROM ({signed}) s "
            f"GROUP BY {_KEY}, at "
            "HAVING sum(n) <> 0 OR sum(versions) <> 0 OR sum(sum_x_cm) <> 0 OR sum(sum_y_cm) <> 0"
        )
    )
    moved = " UNION ALL ".join(
        f"SELECT {_above(FINEST_ZOOM, zoom)} FROM {differences}" for zoom in LADDER
    )
    is_key = " AND ".join(f"c.{name} = m.{name}" for name in _KEY.split(", "))
    connection.execute(
        text(
            f"""
            WITH moved AS MATERIALIZED ({moved}),
            gone AS (
                DELETE FROM {cells} c USING (SELECT DISTINCT {_KEY} FROM moved) m
                WHERE {is_key} RETURNING c.*
            ),
            steps AS (SELECT * FROM moved UNION ALL {_of_cells("SELECT * FROM gone")})
            INSERT INTO {cells} ({_COLUMNS}) {_gathered("SELECT * FROM steps")}"""
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
        geometry, in_tile = "v.geom_3857", [a for a in layer.attributes if a.in_tile]
        chosen_by = (
            f", {width_m(geometry)} AS width_m, {rank(layer, geometry, stored)} AS tile_rank, "
            f"{least_bytes(layer, in_tile, stored)} AS least_bytes"
        )
    return f"""
        SELECT v.feature_id, v.clearance, {kind} AS kind,
               coalesce(lower(v.valid_during), '-infinity') AS began,
               upper(v.valid_during) AS ended,
               {cell_number(x, FINEST_ZOOM)} AS x,
               {cell_number(y, FINEST_ZOOM, southward=True)} AS y,
               {_centimetres(x)} AS x_cm, {_centimetres(y)} AS y_cm{chosen_by}
        FROM ({versions}) v"""


def _centimetres(metres: str) -> str:
    # The square of tiles fits into the type whose sums are quick; what lies beyond it, near the
    # poles, is in no tile.
    most = 2**31 - 1
    return f"CAST(greatest({-most}, least({most}, round(({metres}) * 100))) AS integer)"


def _periods(placed: str) -> str:
    """Placed versions of one cell and period put together."""
    key = "x, y, kind, clearance, began, ended"
    return (
        f"SELECT {key}, count(*) AS n, sum(x_cm) AS x_cm, sum(y_cm) AS y_cm "
        f"FROM ({placed}) p GROUP BY {key}"
    )


_PLACE = "x, y, kind, clearance"

_NAMED_PLACE = f"{FINEST_ZOOM} AS cell_zoom, city.quadkey(x, y) AS cell, kind, clearance"
"""A place as the key of its cell: numbered only when few are left."""


def _steps(periods: str) -> str:
    """Periods as steps of their places: more where one begins, fewer where it ends."""
    return f"""
        SELECT {_PLACE}, e.at, e.n, {_SUMS}
        FROM ({periods}) p
        CROSS JOIN LATERAL (
            VALUES (began, n, n, x_cm, y_cm), (ended, -n, 0, 0, 0)
        ) e (at, n, versions, sum_x_cm, sum_y_cm)
        WHERE e.at IS NOT NULL"""


def _above(finer: int, zoom: int) -> str:
    """Columns of steps of cells as those of the cells above them."""
    cell = f"cell >> {2 * (finer - zoom)} AS cell"
    return f"{zoom} AS cell_zoom, {cell}, kind, clearance, at, n, {_SUMS}"


def _of_cells(cells: str) -> str:
    """Cells as their steps."""
    # What no instant has goes with a step of its own that changes nothing.
    return f"""
        SELECT {_KEY}, u.at, u.n, 0 AS versions, 0 AS sum_x_cm, 0 AS sum_y_cm
        FROM ({cells}) c CROSS JOIN LATERAL unnest(c.instants, c.changes) u (at, n)
        UNION ALL
        SELECT {_KEY}, CAST('-infinity' AS timestamptz), 0, {_SUMS} FROM ({cells}) c"""


def _gathered(steps: str, *, key: str = _KEY, named: str = _KEY) -> str:
    """Steps put together to cells; a cell of which nothing is left is none.

    Args:
        key: The columns by which they are put together.
        named: The key as cells have it.
    """
    changed = "FILTER (WHERE n <> 0)"
    return f"""
        SELECT {named}, sum(n),
               coalesce(max(at) {changed}, '-infinity'), {_summed(_SUMS)},
               {_EMPTY.format(f"array_agg(at ORDER BY at) {changed}")},
               {_EMPTY.format(f"array_agg(CAST(n AS integer) ORDER BY at) {changed}")}
        FROM (SELECT {key}, at, sum(n) AS n, {_summed(_SUMS)}
              FROM ({steps}) a GROUP BY {key}, at) g
        GROUP BY {key} HAVING sum(versions) > 0"""


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

"""Which rows a zoom of an overview shows, as SQL: by rank, until a cell of a tile is full.

Three steps, each of which may be a table of its own or a part of one statement: the foremost rows
of each cell, by what they take at least; these with coarser shapes, and what they take then; and
the keys of those that fit. All rows of a feature that lie in a cell go together, so what is chosen
does not depend on the instant.
"""

from __future__ import annotations

from layers.base import Attribute, Layer
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
from layers.overview_tables import FINEST_ZOOM, cell_number, reference_point
from layers.tables import column_names

CELL_LEVELS = 3
"""A tile has 8 x 8 cells."""


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
    """The columns of an overview."""
    return f"tile_zoom, {version_columns(layer)}, tile_rank, reference_x, reference_y, geom_3857"


def ranked(layer: Layer, versions: str) -> str:
    """Versions with what they are chosen by, as the finest overview is made from."""
    x, y = reference_point("v.geom_3857")
    return (
        f"SELECT {version_columns(layer)}, v.geom_3857, {rank(layer, 'v.geom_3857', stored)} "
        f"AS tile_rank, {x} AS reference_x, {y} AS reference_y FROM ({versions}) v"
    )


def cell_of(alias: str, zoom: int) -> tuple[str, str]:
    """SQL of column and row of the cell of a row of an overview, in tiles of a zoom."""
    cells = cell_zoom(zoom)
    return (
        cell_number(f"{alias}.reference_x", cells),
        cell_number(f"{alias}.reference_y", cells, southward=True),
    )


def placed_rows(layer: Layer, zoom: int, rows: str) -> str:
    """SQL of what is seen at a zoom, as it is chosen by: feature, rank, cell and least bytes.

    Args:
        rows: SQL of rows as ``ranked`` or an overview has them.
    """
    cell = _packed("v.clearance", *cell_of("v", zoom))
    return (
        f"SELECT v.clearance, v.feature_id, v.tile_rank, {cell} AS cell, "
        f"{least_bytes(layer, _in_tile(layer), stored)} AS least_bytes "
        f"FROM ({rows}) v WHERE {is_seen('v.geom_3857', zoom)}"
    )


def placed_versions(zoom: int, placed: str) -> str:
    """The same of versions that are placed in a table (``layers.overview_cells.place_all``)."""
    shift = FINEST_ZOOM - cell_zoom(zoom)
    cell = _packed("p.clearance", f"(p.x >> {shift})", f"(p.y >> {shift})")
    return (
        f"SELECT p.clearance, p.feature_id, p.tile_rank, {cell} AS cell, p.least_bytes "
        f"FROM {placed} p WHERE {is_wide('p.width_m', zoom)}"
    )


def foremost_rows(placed: str, *, is_timeless: bool) -> str:
    """SELECT of the features of each cell that may fit, by what they take at least.

    Args:
        placed: SQL of rows that are placed.
        is_timeless: Whether each feature has one row.
    """
    features = (
        placed
        if is_timeless
        else "SELECT clearance, cell, feature_id, max(tile_rank) AS tile_rank, "
        f"max(least_bytes) AS least_bytes FROM ({placed}) p GROUP BY clearance, cell, feature_id"
    )
    return f"""
        SELECT clearance, feature_id, cell, place FROM (
            SELECT f.*, row_number() OVER by_rank AS place,
                   sum(least_bytes) OVER (by_rank ROWS UNBOUNDED PRECEDING) AS upto
            FROM ({features}) f
            WINDOW by_rank AS (PARTITION BY cell ORDER BY tile_rank DESC, feature_id)
        ) f WHERE upto <= {SELECTED_BYTES} OR place = 1"""


def shaped_rows(layer: Layer, zoom: int, rows: str, foremost: str, *, is_timeless: bool) -> str:
    """SELECT of foremost rows with their coarser shapes, and of the most that they take.

    Args:
        rows: SQL of the rows, as ``ranked`` or an overview has them; of whole cells.
        foremost: Name of what ``foremost_rows`` gives.
    """
    columns = ", ".join(f"v.{name}" for name in version_columns(layer).split(", "))
    # A feature of several rows may have some in other cells, or such as are not seen.
    cell = _packed("v.clearance", *cell_of("v", zoom))
    seen = is_seen("v.geom_3857", zoom)
    of_cell = "true" if is_timeless else f"{cell} - f.cell = 0 AND {seen}"
    return f"""
        SELECT s.*, {encoded_bytes(_in_tile(layer), "s.geom_3857", stored)} AS size FROM (
            SELECT {smallint(zoom)} AS tile_zoom, {columns}, v.tile_rank,
                   v.reference_x, v.reference_y, f.cell, f.place,
                   {simplified("v.geom_3857", zoom)} AS geom_3857
            FROM ({rows}) v JOIN {foremost} f
              ON f.clearance = v.clearance AND f.feature_id = v.feature_id AND {of_cell}
            OFFSET 0
        ) s"""


def unfit_rows(shaped: str) -> str:
    """SELECT of the keys, ``cell`` and ``place``, of the rows that do not fit into their cells.

    Args:
        shaped: Name of what ``shaped_rows`` gives.
    """
    return f"""
        SELECT cell, place FROM (
            SELECT s.*, sum(size) OVER (PARTITION BY cell ORDER BY place) AS upto
            FROM (SELECT cell, place, max(size) AS size FROM {shaped} GROUP BY cell, place) s
        ) s WHERE upto > {SELECTED_BYTES} AND place > 1"""


def _packed(clearance: str, column: str, row: str) -> str:
    """SQL of one number for a cell and the clearance of its rows: quicker to sort by than three."""
    bits = FINEST_ZOOM + 1
    return (
        f"(CAST({clearance} AS bigint) << {2 * bits} | CAST({column} AS bigint) << {bits} | {row})"
    )


def _in_tile(layer: Layer) -> list[Attribute]:
    return [attribute for attribute in layer.attributes if attribute.in_tile]

"""Overviews: what low zooms show of a layer, made at publication and kept up to date by part.

Below its base zoom a layer's tiles would pass the bound of bytes; there they show the versions of
the overview, or clusters of points, and say how many features they leave out. Overviews are of what
is held, at every instant of valid time. What was believed at an earlier instant is read from the
versions themselves, so that an answer once given stays the same however overviews change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, func, insert, select, text

from layers.access import Clearance
from layers.base import Layer
from layers.generalising import MAX_TILE_BYTES
from layers.overview_cells import count_all, count_touched, most_in_tile, place_all
from layers.overview_choice import cell_zoom, ranked, version_columns
from layers.overview_rows import Box, Cell, choose_again, choose_all, in_cells, lies_in
from layers.overview_tables import (
    EARTH_HALF_M,
    FINEST_ZOOM,
    cell_box,
    cell_number,
    generalised_tables,
    has_overview,
    qualified_cells,
    qualified_overview,
    reference_point,
)
from layers.rewrite import BY_INDEX
from layers.system_tables import overviews
from layers.tables import STAGING_SCHEMA, qualified, row_clearances, table_name
from layers.touched import Touched

MOST_CELLS = 20_000
"""Touched cells from which on all of an overview is made anew."""

_COUNTED_AGAIN = 0.01
"""Share of the features that may come or go until the base zoom is looked at again."""

_FULL_BYTES, _EASY_BYTES = 0.8 * MAX_TILE_BYTES, 0.6 * MAX_TILE_BYTES
"""What the fullest tile of the base zoom may come to, if its features take as much as those of the
layer do on average (one that is too large all the same is bounded); and that of the zoom below it
before it becomes the base zoom, so that it does not go to and fro."""

_SAMPLED_ROWS = 5_000
_SAMPLED_ZOOM = 14
_SETTINGS = {
    "jit": "off",
    "enable_nestloop": "off",
    "enable_mergejoin": "off",
    "work_mem": "128MB",
}


@dataclass(frozen=True)
class Kept:
    """What became of an overview.

    Attributes:
        is_everything: Whether tiles of all zooms below the base zoom before and after may differ.
        boxes: Else: by zoom, boxes in EPSG:3857 (xmin, ymin, xmax, ymax) of what came or went
            besides what the publication touched itself.
    """

    is_everything: bool = False
    boxes: dict[int, list[Box]] = field(default_factory=dict)


def keep(connection: Connection, layer: Layer, touched: Touched) -> Kept:
    """Bring the overview of a layer up to date with a publication, in its transaction.

    Args:
        connection: Of the loader role, or of the owner for a theme that is edited.
        touched: What the publication opened and closed.
    """
    features = connection.execute(
        select(overviews.c.features).where(overviews.c.layer == layer.name).limit(1)
    ).scalar()
    if touched.is_everything or features is None:
        rebuild(connection, layer, touched)
        return Kept(is_everything=True)
    with _settings(connection):
        return _keep(connection, layer, touched, features)


def _keep(connection: Connection, layer: Layer, touched: Touched, features: int) -> Kept:
    cells = f"{STAGING_SCHEMA}.cells_{touched.number}"
    found = _find_cells(connection, touched, cells)
    if found > MOST_CELLS:
        _rebuild(connection, layer)
        kept = Kept(is_everything=True)
    else:
        kept = _keep_part(connection, layer, cells, touched.number) if found else Kept()
        highest = _base_zoom(connection, layer)
        if _has_grown(connection, layer, features) and _decide_base_zooms(connection, layer):
            if _base_zoom(connection, layer) != highest:
                versions = _held(layer)
                with _placed(connection, layer, versions) as placed:
                    _choose_all(connection, layer, versions, placed)
            kept = Kept(is_everything=True)
    connection.execute(text(f"DROP TABLE {cells}"))
    return kept


def rebuild(connection: Connection, layer: Layer, touched: Touched | None = None) -> None:
    """Make the overview of a layer anew, under the layer's lock.

    Args:
        touched: Names drafts that will be partitions of the layer when the transaction ends.
    """
    with _settings(connection):
        _rebuild(connection, layer, tuple(touched.drafts.values()) if touched else ())


def _rebuild(connection: Connection, layer: Layer, drafts: tuple[str, ...] = ()) -> None:
    for name in generalised_tables(layer):
        connection.execute(text(f"DELETE FROM {layer.schema}.{name}"))
    # Whatever the base zoom was: it need not stay where all is made anew.
    drop(connection, layer)
    versions = _held(layer, drafts)
    with _placed(connection, layer, versions) as placed:
        count_all(connection, layer, placed)
        _decide_base_zooms(connection, layer, drafts)
        _choose_all(connection, layer, versions, placed)


def _choose_all(connection: Connection, layer: Layer, versions: str, placed: str) -> None:
    if has_overview(layer):
        connection.execute(text(f"DELETE FROM {qualified_overview(layer)}"))
        choose_all(connection, layer, _base_zoom(connection, layer), versions, placed)


@contextmanager
def _placed(connection: Connection, layer: Layer, versions: str) -> Iterator[str]:
    """A table of where versions lie, for as long as it is needed."""
    placed = f"{STAGING_SCHEMA}.{table_name(layer)}_placed"
    place_all(connection, layer, versions, placed)
    yield placed
    connection.execute(text(f"DROP TABLE {placed}"))


def drop(connection: Connection, layer: Layer) -> None:
    """Forget the base zooms of a theme that is dropped."""
    connection.execute(delete(overviews).where(overviews.c.layer == layer.name))


@contextmanager
def _settings(connection: Connection) -> Iterator[None]:
    """Settings for statements over many rows.

    What these choose from is in tables of which the planner knows nothing yet: it would take them
    to be small, and look through them again and again.
    """
    before = {name: connection.execute(text(f"SHOW {name}")).scalar_one() for name in _SETTINGS}
    _set(connection, _SETTINGS)
    yield
    _set(connection, before)


def _set(connection: Connection, settings: Mapping[str, str]) -> None:
    statement = text("SELECT set_config(:name, :value, true)")
    for name, value in settings.items():
        connection.execute(statement, {"name": name, "value": value})


def _held(layer: Layer, drafts: tuple[str, ...] = ()) -> str:
    """SQL of all held versions, those of drafts too."""
    columns = f"{version_columns(layer)}, geom_3857"
    return " UNION ALL ".join(
        f"SELECT {columns} FROM {table}" for table in (qualified(layer), *drafts)
    )


def _held_in(layer: Layer, cells: str, zoom: int) -> str:
    """SQL of the held versions that lie in cells.

    Args:
        cells: Table expression with ``x``, ``y`` and ``box`` of cells of a zoom.
    """
    x, y = reference_point("h.geom_3857")
    columns = ", ".join(f"h.{name}" for name in version_columns(layer).split(", "))
    return " UNION ALL ".join(
        f"SELECT {columns}, h.geom_3857 FROM {cells} c JOIN {qualified(layer)} h "
        f"ON h.geom_3857 && c.box AND {which} AND "
        + lies_in(cell_number(x, zoom), cell_number(y, zoom, southward=True))
        for which in BY_INDEX.values()
    )


def _find_cells(connection: Connection, touched: Touched, cells: str) -> int:
    """Make the table of the finest cells that were touched, and say how many there are."""
    x, y = reference_point("geom_3857")
    found: int = connection.execute(
        text(
            f"CREATE UNLOGGED TABLE {cells} AS "
            f"SELECT x, y, city.quadkey(x, y) AS cell, {cell_box('x', 'y', FINEST_ZOOM, 0.01)} "
            f"AS box FROM (SELECT DISTINCT {cell_number(x, FINEST_ZOOM)} AS x, "
            f"{cell_number(y, FINEST_ZOOM, southward=True)} AS y FROM {touched.table}) t"
        )
    ).rowcount
    return found


def _keep_part(connection: Connection, layer: Layer, cells: str, number: int) -> Kept:
    count_touched(
        connection,
        layer,
        cells,
        _held_in(layer, cells, FINEST_ZOOM),
        f"{STAGING_SCHEMA}.steps_{number}",
    )
    kept = Kept()
    base = _base_zoom(connection, layer)
    if not has_overview(layer) or not base:
        return kept
    rows = ranked(layer, _held_in(layer, "cells", cell_zoom(base - 1)))
    shift = FINEST_ZOOM - cell_zoom(base - 1)
    found = connection.execute(text(f"SELECT DISTINCT x >> {shift}, y >> {shift} FROM {cells}"))
    changed: Collection[Cell] = [(row[0], row[1]) for row in found]
    for zoom in reversed(range(base)):
        boxes = choose_again(connection, layer, zoom, changed, rows)
        # What a zoom shows follows from what the next finer one does.
        if not boxes:
            break
        kept.boxes[zoom] = list(boxes.values())
        changed, rows = boxes.keys(), in_cells(layer, zoom)
    return kept


def _base_zoom(connection: Connection, layer: Layer) -> int:
    """The highest base zoom of all levels: overviews are made below it."""
    highest = select(func.max(overviews.c.base_zoom)).where(overviews.c.layer == layer.name)
    return connection.execute(highest).scalar() or 0


def _has_grown(connection: Connection, layer: Layer, before: int) -> bool:
    """Whether so many features came or went that the base zoom is to be looked at again."""
    now = _count_features(connection, layer)
    return abs(now - before) > _COUNTED_AGAIN * max(before, 1)


def _count_features(connection: Connection, layer: Layer) -> int:
    coarsest = f"SELECT coalesce(sum(present), 0) FROM {qualified_cells(layer)} WHERE cell_zoom = 3"
    counted: int = connection.execute(text(coarsest)).scalar_one()
    return counted


def _decide_base_zooms(connection: Connection, layer: Layer, drafts: tuple[str, ...] = ()) -> bool:
    """Find for each level the first zoom at which tiles show all; whether any of them moved."""
    features = _count_features(connection, layer)
    mean = _mean_bytes(connection, layer, features, drafts)
    before = {
        row.clearance: row.base_zoom
        for row in connection.execute(select(overviews).where(overviews.c.layer == layer.name))
    }
    after = {}
    for level in row_clearances(layer):

        def estimated(zoom: int, clearance: int = int(level)) -> float:
            return mean * most_in_tile(connection, layer, zoom, clearance)

        after[int(level)] = _first_easy(estimated, before.get(int(level)))
    drop(connection, layer)
    connection.execute(
        insert(overviews),
        [
            {"layer": layer.name, "clearance": level, "base_zoom": zoom, "features": features}
            for level, zoom in after.items()
        ],
    )
    return before != after


def _mean_bytes(
    connection: Connection, layer: Layer, features: int, drafts: tuple[str, ...]
) -> float:
    """What a feature takes in a tile of a middle zoom on average: some are encoded, to see."""
    every = max(1, features // _SAMPLED_ROWS)
    attributes = "".join(f", v.{a.column}" for a in layer.attributes if a.in_tile)
    half_m = EARTH_HALF_M / 2**_SAMPLED_ZOOM
    around = f"ST_Expand(ST_Centroid(ST_Envelope(v.geom_3857)), {half_m!r})"
    mean: float = connection.execute(
        text(
            "SELECT coalesce(CAST(length(ST_AsMVT(t, 'sample', 4096, 'geom', 'feature_id')) "
            "AS double precision) / nullif(count(*), 0), 1) FROM ("
            f"SELECT v.feature_id{attributes}, "
            f"ST_AsMVTGeom(v.geom_3857, {around}, 4096, 64) AS geom "
            f"FROM ({_held(layer, drafts)}) v WHERE v.feature_id % {every} = 0) t"
        )
    ).scalar_one()
    return mean


def _first_easy(estimated_bytes: Callable[[int], float], before: int | None) -> int:
    """The first zoom from which on no tile is too large, near the one before."""
    zooms = range(FINEST_ZOOM)
    first = next((z for z in zooms if estimated_bytes(z) <= _FULL_BYTES), FINEST_ZOOM)
    if before is None or first >= before:
        return first
    return next((z for z in range(first, before) if estimated_bytes(z) <= _EASY_BYTES), before)


def base_zoom_of(connection: Connection, layer: Layer, level: Clearance) -> int | None:
    """From which zoom on tiles show a layer whole to a level; None where nothing was made yet."""
    return connection.execute(
        select(overviews.c.base_zoom).where(
            overviews.c.layer == layer.name, overviews.c.clearance == int(level)
        )
    ).scalar()

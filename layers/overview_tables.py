"""Tables of what low zooms show of a layer: its overview and its cells.

Every layer has two tables more, LIST-partitioned by the clearance of the row like its versions:

- ``<layer>_overview`` (lines and areas): for each zoom below the layer's base zoom the held
  versions that tiles show, with generalised geometry and all attributes,
- ``<layer>_cells``: for a ladder of zooms, how many held versions have their reference point in
  each tile of the zoom, as steps over valid time, and for points by kind.

The reference point of a version is the centre of its box in EPSG:3857. Cells are numbered by
quadkey: a tile's cells of any zoom are one run of numbers. Columns that readers see beside
attributes bear names that no attribute has.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSTZRANGE

from layers.access import Clearance
from layers.base import THEME_SCHEMA, TILE_SRID, Attribute, Layer
from layers.tables import metadata, partition_name, sql_type, table_name

FINEST_ZOOM = 18
LADDER = (18, 15, 12, 9, 6, 3)
"""Zooms of the cells that are kept: the counts of a tile are the sum of at most 64 of them."""

EARTH_HALF_M = 20_037_508.342789244
"""Half the width of the Web Mercator square (EPSG:3857), metres."""

_BEYOND_M = 1e9
"""Farther from the equator than any latitude of double precision in EPSG:3857, metres."""


def overview_name(layer: Layer) -> str:
    """Name of the readers' view of the overview."""
    return f"{layer.name}_overview"


def cells_name(layer: Layer) -> str:
    """Name of the readers' view of the cells."""
    return f"{layer.name}_cells"


def overview_table_name(layer: Layer) -> str:
    """Name of the table of the overview, without its schema."""
    return f"{table_name(layer)}_overview"


def cells_table_name(layer: Layer) -> str:
    """Name of the table of cells, without its schema."""
    return f"{table_name(layer)}_cells"


def qualified_overview(layer: Layer) -> str:
    """The table of the overview with its schema, as SQL."""
    return f"{layer.schema}.{overview_table_name(layer)}"


def qualified_cells(layer: Layer) -> str:
    """The table of cells with its schema, as SQL."""
    return f"{layer.schema}.{cells_table_name(layer)}"


def has_overview(layer: Layer) -> bool:
    """Whether low zooms show a choice of features; points are shown as clusters instead."""
    return layer.geometry_type.dimension > 0


def generalised_tables(layer: Layer) -> tuple[str, ...]:
    """Names of the tables of a layer that low zooms read, without their schema."""
    cells = cells_table_name(layer)
    return (overview_table_name(layer), cells) if has_overview(layer) else (cells,)


@lru_cache(maxsize=256)
def overview_table(layer: Layer) -> Table:
    """The table of the overview of lines or areas."""
    return Table(
        overview_table_name(layer),
        _metadata(layer),
        Column("tile_zoom", SmallInteger, nullable=False),
        Column("feature_id", BigInteger, nullable=False),
        *(Column(attribute.column, sql_type(attribute)) for attribute in layer.attributes),
        Column("admin_code", Text),
        Column("clearance", SmallInteger, nullable=False),
        Column("valid_during", TSTZRANGE, nullable=False),
        Column("tile_rank", Double, nullable=False),
        Column("reference_x", Double, nullable=False),
        Column("reference_y", Double, nullable=False),
        Column("geom_3857", Geometry(srid=TILE_SRID, spatial_index=False), nullable=False),
        postgresql_partition_by="LIST (clearance)",
    )


@lru_cache(maxsize=256)
def cells_table(layer: Layer) -> Table:
    """The table of cells.

    ``present`` is the sum of ``changes``, and what holds from the last of ``instants`` on;
    ``versions`` counts them all, ``sum_x_cm`` and ``sum_y_cm`` add up their reference points.
    """
    whole = BigInteger
    return Table(
        cells_table_name(layer),
        _metadata(layer),
        Column("cell_zoom", SmallInteger, nullable=False),
        Column("cell", BigInteger, nullable=False),
        Column("kind", Text, nullable=False),
        Column("clearance", SmallInteger, nullable=False),
        Column("present", Integer, nullable=False),
        Column("last_at", DateTime(timezone=True), nullable=False),
        Column("versions", Integer, nullable=False),
        Column("sum_x_cm", whole, nullable=False),
        Column("sum_y_cm", whole, nullable=False),
        Column("instants", ARRAY(DateTime(timezone=True)), nullable=False),
        Column("changes", ARRAY(Integer), nullable=False),
        postgresql_partition_by="LIST (clearance)",
    )


def _metadata(layer: Layer) -> MetaData:
    # Themes come and go, and no migration knows of them.
    return MetaData(schema=THEME_SCHEMA) if layer.schema == THEME_SCHEMA else metadata


def overview_indexes(layer: Layer, clearance: Clearance) -> Iterator[str]:
    """The indexes of the partitions of one clearance: rows of a zoom by place, cells by number."""
    if has_overview(layer):
        name = partition_name(overview_table_name(layer), clearance)
        using = f"ON {layer.schema}.{name} USING gist"
        open_ones = "(tile_zoom, geom_3857) WHERE upper_inf(valid_during)"
        yield f"CREATE INDEX {name}_geom {using} {open_ones}"
        ended = "(tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during)"
        yield f"CREATE INDEX {name}_ended_geom {using} {ended}"
    name = partition_name(cells_table_name(layer), clearance)
    yield f"CREATE INDEX {name}_cell ON {layer.schema}.{name} (cell_zoom, cell)"


def open_attribute(layer: Layer, name: str | None) -> Attribute | None:
    """An attribute by which a layer is generalised, unless it is more secret than the layer."""
    attribute = layer.attribute.get(name or "")
    if attribute is None or layer.clearance_of(attribute) > layer.clearance:
        return None
    return attribute


def clustered_by(layer: Layer) -> Attribute | None:
    """The attribute by whose codes the points of a cluster are counted, if there is one."""
    if has_overview(layer):
        return None
    by = open_attribute(layer, layer.generalisation.cluster_by or layer.style.color_by)
    return by if by is not None and by.codes is not None else None


def readable_overview_columns(layer: Layer, level: Clearance) -> tuple[str, ...]:
    """Columns of the view of the overview at a level, in order."""
    own = ("admin_code", "clearance", "valid_during", "tile_rank", "reference_x", "reference_y")
    attributes = tuple(attribute.name for attribute in layer.attributes_at(level))
    return ("tile_zoom", "feature_id", *attributes, *own, "geom_3857")


CELL_COLUMNS = (
    *("cell_zoom", "cell", "kind", "present", "last_at"),
    *("versions", "sum_x_cm", "sum_y_cm", "instants", "changes"),
)
"""Columns of the view of cells, in order."""


def quadkey(x: int, y: int) -> int:
    """The number of a tile among those of its zoom: bits of x and y by turns, y before x."""
    key = 0
    for bit in range(max(x.bit_length(), y.bit_length())):
        key |= (x >> bit & 1) << 2 * bit | (y >> bit & 1) << 2 * bit + 1
    return key


def cell_number(coordinate: str, zoom: int, *, southward: bool = False) -> str:
    """SQL of the column (or, southward, the row) of the tile that holds a coordinate.

    Args:
        coordinate: SQL of an x (or a y) in EPSG:3857, metres.
    """
    finest, size = 2**FINEST_ZOOM, 2 * EARTH_HALF_M / 2**FINEST_ZOOM
    metres = (
        f"{EARTH_HALF_M!r} - ({coordinate})" if southward else f"({coordinate}) + {EARTH_HALF_M!r}"
    )
    number = f"CAST(greatest(0, least({finest - 1}, floor(({metres}) / {size!r}))) AS integer)"
    # Cells of all zooms nest exactly, whatever the rounding of the finest.
    return number if zoom == FINEST_ZOOM else f"({number} >> {FINEST_ZOOM - zoom})"


def cell_box(x: str, y: str, zoom: int, margin_m: float) -> str:
    """SQL of a box that reaches all geometries whose reference points a tile of a zoom holds.

    Args:
        x: SQL of its column; ``y`` of its row.
        margin_m: How far reference points may lie beside the boxes of the geometries, metres.
    """
    width, last = 2 * EARTH_HALF_M / 2**zoom, 2**zoom - 1
    less, more = EARTH_HALF_M - margin_m, EARTH_HALF_M + margin_m
    # Outermost cells hold what lies beyond them too: near the poles the square of tiles ends.
    sides = (
        f"CASE {x} WHEN 0 THEN {-_BEYOND_M} ELSE {x} * {width!r} - {more!r} END",
        f"CASE {y} WHEN {last} THEN {-_BEYOND_M} ELSE {less!r} - ({y} + 1) * {width!r} END",
        f"CASE {x} WHEN {last} THEN {_BEYOND_M} ELSE ({x} + 1) * {width!r} - {less!r} END",
        f"CASE {y} WHEN 0 THEN {_BEYOND_M} ELSE {more!r} - {y} * {width!r} END",
    )
    return f"ST_MakeEnvelope({', '.join(sides)}, {TILE_SRID})"


def reference_point(geometry: str) -> tuple[str, str]:
    """SQL of x and y of the reference point of a geometry in EPSG:3857."""
    x = f"(ST_XMin({geometry}) + ST_XMax({geometry})) / 2"
    return x, f"(ST_YMin({geometry}) + ST_YMax({geometry})) / 2"

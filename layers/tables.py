"""Tables of the layers, derived from their descriptors.

Every layer has two tables in its schema, both LIST-partitioned by the clearance of the row:

- ``<layer>``: held versions, what is believed now (``recorded_during`` has no end),
- ``<layer>_past``: versions no longer believed.

Those of a typed layer lie in schema ``city`` and are called as the layer and its attributes are;
those of a theme lie in schema ``themes`` under names of ours, so that no word of a file is an
identifier. Whoever writes SQL on tables takes names from here; readers' views bear the names of the
descriptor.

Both time columns are half-open ``tstzrange``. ``geom`` is EPSG:4490 (x longitude, y latitude,
degrees), ``geom_3857`` is generated from it, without Z, and serves tiles. Uniqueness across
partitions rests on the layer lock and the set-wise check of ``layers.publish``; each partition has
its own indexes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    Double,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE
from sqlalchemy.types import TypeEngine

from layers.access import Clearance
from layers.base import (
    CITY_SCHEMA,
    STORAGE_SRID,
    THEME_SCHEMA,
    TILE_SRID,
    Attribute,
    AttributeType,
    GeometryType,
    Layer,
)
from layers.registry import LAYERS

SCHEMA = CITY_SCHEMA
STAGING_SCHEMA = "staging"
FEATURE_ID_SEQUENCE = "feature_id_seq"

metadata = MetaData(schema=SCHEMA)

_SQL_TYPE: dict[AttributeType, type[TypeEngine[Any]]] = {
    AttributeType.TEXT: Text,
    AttributeType.INTEGER: Integer,
    AttributeType.NUMBER: Double,
    AttributeType.BOOLEAN: Boolean,
    AttributeType.DATE: Date,
    AttributeType.TIMESTAMP: DateTime,
}

VERSION_COLUMNS = ("feature_id", "natural_key", "key_derived", "admin_code", "clearance", "load_id")
"""Columns that every version has besides its attributes, its times and its geometry."""


def sql_type(attribute: Attribute) -> TypeEngine[Any]:
    """The SQL type of an attribute's column; instants are ``timestamptz``."""
    if attribute.type is AttributeType.TIMESTAMP:
        return DateTime(timezone=True)
    return _SQL_TYPE[attribute.type]()


def geometry_column_type(
    geometry_type: GeometryType, srid: int, *, keeps_z: bool = True
) -> Geometry:
    """The PostGIS type of a geometry column; indexes are made apart, on the partitions."""
    has_z = geometry_type.has_z and keeps_z
    name = geometry_type.value if has_z else geometry_type.value.removesuffix("Z")
    return Geometry(name.upper(), srid=srid, dimension=3 if has_z else 2, spatial_index=False)


def _version_columns(layer: Layer) -> Iterator[Column[Any]]:
    yield Column("feature_id", BigInteger, nullable=False)
    yield Column("natural_key", Text, nullable=False)
    yield Column("key_derived", Boolean, nullable=False)
    for attribute in layer.attributes:
        yield Column(attribute.column, sql_type(attribute))
    yield Column("admin_code", Text)
    yield Column("clearance", SmallInteger, nullable=False)
    yield Column("load_id", BigInteger, nullable=False)
    yield Column("valid_during", TSTZRANGE, nullable=False)
    yield Column("recorded_during", TSTZRANGE, nullable=False)
    yield Column("geom", geometry_column_type(layer.geometry_type, STORAGE_SRID), nullable=False)
    yield Column(
        "geom_3857",
        geometry_column_type(layer.geometry_type, TILE_SRID, keeps_z=False),
        Computed(
            f"st_force2d(st_transform(geom, {TILE_SRID}))"
            if layer.geometry_type.has_z
            else f"st_transform(geom, {TILE_SRID})",
            persisted=True,
        ),
    )


def _build_table(layer: Layer, name: str) -> Table:
    return Table(
        name,
        # Themes come and go, and no migration knows of them.
        MetaData(schema=THEME_SCHEMA) if layer.schema == THEME_SCHEMA else metadata,
        *_version_columns(layer),
        postgresql_partition_by="LIST (clearance)",
    )


@lru_cache(maxsize=256)
def held_table(layer: Layer) -> Table:
    """The table of what is believed now."""
    return _build_table(layer, table_name(layer))


@lru_cache(maxsize=256)
def past_table(layer: Layer) -> Table:
    """The table of what was believed once and is no longer."""
    return _build_table(layer, past_table_name(layer))


def table_name(layer: Layer) -> str:
    """Name of the table of held versions, without its schema."""
    return layer.stored_as or layer.name


def past_table_name(layer: Layer) -> str:
    """Name of the table of versions no longer believed, without its schema."""
    return f"{table_name(layer)}_past"


def qualified(layer: Layer) -> str:
    """The table of held versions with its schema, as SQL."""
    return f"{layer.schema}.{table_name(layer)}"


def qualified_past(layer: Layer) -> str:
    """The table of versions no longer believed with its schema, as SQL."""
    return f"{layer.schema}.{past_table_name(layer)}"


def column_names(layer: Layer) -> list[str]:
    """The columns of the attributes, in order, in the tables and in staging."""
    return [attribute.column for attribute in layer.attributes]


def past_name(layer: Layer) -> str:
    """Name of the readers' view of versions no longer believed."""
    return f"{layer.name}_past"


def partition_name(table_name: str, clearance: Clearance) -> str:
    """Name of the partition that holds the rows of one clearance."""
    return f"{table_name}_{clearance:d}"


def row_clearances(layer: Layer) -> tuple[Clearance, ...]:
    """The clearances that rows of a layer can have: the layer's own and all above it."""
    return tuple(level for level in Clearance if level >= layer.clearance)


def all_tables() -> tuple[Table, ...]:
    """Both tables of every typed layer."""
    return tuple(build(layer) for layer in LAYERS for build in (held_table, past_table))

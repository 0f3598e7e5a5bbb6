"""DDL of a layer: tables, partitions and indexes, as statements a migration can freeze.

The indexes serve four readers: tiles and maps at the present (a partial GiST over versions that
have no end), the same at other instants (a GiST over the versions that have one), single features
and paging (``feature_id``), and the comparison of a load with what is held (``natural_key``).
Of the versions of a feature that have ended, the one that held at an instant is found within the
index; pages at the present find the few that have not ended yet by their end.
Past versions are indexed by place and by feature only: they are read seldom and written always.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from layers.access import Clearance
from layers.base import STORAGE_SRID, Layer
from layers.overview_tables import (
    cells_table,
    generalised_tables,
    has_overview,
    overview_indexes,
    overview_table,
)
from layers.tables import (
    STAGING_SCHEMA,
    held_table,
    partition_name,
    past_table,
    past_table_name,
    row_clearances,
    sql_type,
    table_name,
)

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy

OPEN = "upper_inf(valid_during)"
ENDED = "NOT upper_inf(valid_during)"


def layer_ddl(layer: Layer) -> list[str]:
    """The statements that make the tables, partitions and indexes of a layer."""
    statements = [_create(held_table(layer)), _create(past_table(layer))]
    statements += generalised_tables_ddl(layer)
    for clearance in row_clearances(layer):
        statements += partitions_ddl(layer, clearance)
    return statements


def generalised_tables_ddl(layer: Layer) -> list[str]:
    """The statements that make the tables that low zooms read, without partitions."""
    overview = [_create(overview_table(layer))] if has_overview(layer) else []
    return [*overview, _create(cells_table(layer))]


def generalised_partitions_ddl(layer: Layer, clearance: Clearance) -> list[str]:
    """The statements that make their partitions of one clearance with their indexes."""
    partitions = [_partition(layer, table, clearance) for table in generalised_tables(layer)]
    return [*partitions, *overview_indexes(layer, clearance)]


def partitions_ddl(layer: Layer, clearance: Clearance) -> list[str]:
    """The statements that make the partitions of one clearance with their indexes."""
    return [
        _partition(layer, table_name(layer), clearance),
        *_held_indexes(layer, partition_name(table_name(layer), clearance)),
        _partition(layer, past_table_name(layer), clearance),
        *_past_indexes(layer, partition_name(past_table_name(layer), clearance)),
        *generalised_partitions_ddl(layer, clearance),
    ]


def _create(table: Table) -> str:
    return str(CreateTable(table).compile(dialect=_DIALECT)).strip()


def _partition(layer: Layer, table: str, clearance: Clearance) -> str:
    return (
        f"CREATE TABLE {layer.schema}.{partition_name(table, clearance)} "
        f"PARTITION OF {layer.schema}.{table} FOR VALUES IN ({clearance:d})"
    )


def _held_indexes(layer: Layer, name: str) -> Iterator[str]:
    on = f"ON {layer.schema}.{name}"
    yield f"CREATE UNIQUE INDEX {name}_feature_id {on} (feature_id) WHERE {OPEN}"
    yield f"CREATE UNIQUE INDEX {name}_natural_key {on} (natural_key) WHERE {OPEN}"
    yield f"CREATE INDEX {name}_geom {on} USING gist (geom_3857) WHERE {OPEN}"
    ends = "upper(valid_during)"
    by_feature = f"feature_id, {ends}, lower(valid_during)"
    yield f"CREATE INDEX {name}_ended_feature_id {on} ({by_feature}) WHERE {ENDED}"
    yield f"CREATE INDEX {name}_ended_until {on} ({ends}) WHERE {ENDED}"
    yield f"CREATE INDEX {name}_ended_natural_key {on} (natural_key) WHERE {ENDED}"
    yield f"CREATE INDEX {name}_ended_geom {on} USING gist (geom_3857, valid_during) WHERE {ENDED}"
    if layer.knn_by:
        columns = f"{layer.attribute[layer.knn_by].column}, geom_3857"
        yield f"CREATE INDEX {name}_nearest {on} USING gist ({columns}) WHERE {OPEN}"
    if layer.lookup_by:
        column = layer.attribute[layer.lookup_by].column
        yield f"CREATE INDEX {name}_lookup {on} ({column}) WHERE {OPEN}"


def _past_indexes(layer: Layer, name: str) -> Iterator[str]:
    on = f"ON {layer.schema}.{name}"
    yield f"CREATE INDEX {name}_feature_id {on} (feature_id)"
    yield f"CREATE INDEX {name}_natural_key {on} (natural_key)"
    yield f"CREATE INDEX {name}_geom {on} USING gist (geom_3857, recorded_during)"


def staged_table_ddl(layer: Layer, name: str) -> str:
    """The statement that makes a table in schema ``staging`` for rows to be published.

    Unlogged: what a crash leaves of it is worth nothing.
    """
    attributes = "".join(
        f"{attribute.column} {sql_type(attribute).compile(dialect=_DIALECT)}, "
        for attribute in layer.attributes
    )
    return (
        f"CREATE UNLOGGED TABLE {STAGING_SCHEMA}.{name} (row_number bigint, natural_key text, "
        f"key_derived boolean, {attributes}admin_code text, clearance smallint, "
        f"valid_from timestamptz, geom geometry({layer.geometry_type.value}, {STORAGE_SRID}))"
    )

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
from layers.tables import (
    SCHEMA,
    STAGING_SCHEMA,
    held_table,
    partition_name,
    past_name,
    past_table,
    row_clearances,
    sql_type,
)

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy

OPEN = "upper_inf(valid_during)"
ENDED = "NOT upper_inf(valid_during)"


def layer_ddl(layer: Layer) -> list[str]:
    """The statements that make the tables, partitions and indexes of a layer."""
    statements = [_create(held_table(layer)), _create(past_table(layer))]
    for clearance in row_clearances(layer):
        statements += partition_ddl(layer.name, clearance)
        statements += held_index_ddl(layer, clearance)
        statements += partition_ddl(past_name(layer), clearance)
        statements += _past_index_ddl(layer, clearance)
    return statements


def _create(table: Table) -> str:
    return str(CreateTable(table).compile(dialect=_DIALECT)).strip()


def partition_ddl(table_name: str, clearance: Clearance) -> list[str]:
    """The statement that makes the partition of one clearance."""
    name = partition_name(table_name, clearance)
    return [
        f"CREATE TABLE {SCHEMA}.{name} PARTITION OF {SCHEMA}.{table_name} "
        f"FOR VALUES IN ({clearance:d})"
    ]


def held_index_ddl(layer: Layer, clearance: Clearance) -> list[str]:
    """The indexes of one partition of held versions."""
    return list(_held_indexes(layer, partition_name(layer.name, clearance)))


def _held_indexes(layer: Layer, name: str) -> Iterator[str]:
    on = f"ON {SCHEMA}.{name}"
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
        columns = f"{layer.knn_by}, geom_3857"
        yield f"CREATE INDEX {name}_nearest {on} USING gist ({columns}) WHERE {OPEN}"


def _past_index_ddl(layer: Layer, clearance: Clearance) -> list[str]:
    name = partition_name(past_name(layer), clearance)
    on = f"ON {SCHEMA}.{name}"
    return [
        f"CREATE INDEX {name}_feature_id {on} (feature_id)",
        f"CREATE INDEX {name}_natural_key {on} (natural_key)",
        f"CREATE INDEX {name}_geom {on} USING gist (geom_3857, recorded_during)",
    ]


def staged_table_ddl(layer: Layer, name: str) -> str:
    """The statement that makes a table in schema ``staging`` for rows to be published.

    Unlogged: what a crash leaves of it is worth nothing.
    """
    attributes = ", ".join(
        f"{attribute.name} {sql_type(attribute).compile(dialect=_DIALECT)}"
        for attribute in layer.attributes
    )
    return (
        f"CREATE UNLOGGED TABLE {STAGING_SCHEMA}.{name} (row_number bigint, natural_key text, "
        f"key_derived boolean, {attributes}, admin_code text, clearance smallint, "
        f"valid_from timestamptz, geom geometry({layer.geometry_type.value}, {STORAGE_SRID}))"
    )

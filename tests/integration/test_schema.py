"""The migrated database is what the descriptors say, and migrating again changes nothing."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from geoservice.cluster import Cluster
from geoservice.db import DatabaseAddress
from geoservice.revision import sql_text
from geoservice.schema import (
    assert_current,
    base_ddl,
    migrate,
    new_layers_ddl,
    upgrade_tables,
)
from layers.registry import LAYERS
from layers.roles import Role
from layers.tables import SCHEMA, all_tables, metadata
from tests.support import City


def test_the_database_has_no_drift_from_the_descriptors(city: City) -> None:
    all_tables()
    names = {table.name for table in metadata.tables.values()}

    def is_ours(name: str | None, kind: str, _parents: Any) -> bool:
        if kind == "schema":
            return name == SCHEMA
        return kind != "table" or name in names

    with city.address.connect(Role.OWNER) as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_schemas": True, "include_name": is_ours, "compare_type": True},
        )
        differences = compare_metadata(context, metadata)

    assert [] == differences


def test_the_migrations_lead_to_what_the_descriptors_give(cluster: Cluster, city: City) -> None:
    name = f"{city.settings.database.name}_d"
    cluster.create_database(name)
    settings = city.settings.database.model_copy(update={"name": name})
    try:
        with DatabaseAddress(settings).connect(Role.OWNER) as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
            connection.exec_driver_sql(sql_text(base_ddl()))
            described = shape_of_tables(connection)
    finally:
        cluster.drop_database(name)

    with city.address.connect(Role.OWNER) as connection:
        assert described == shape_of_tables(connection)


def shape_of_tables(connection: Connection) -> set[tuple[str, ...]]:
    """Columns, indexes and constraints of the schema of tables, without what migrations keep."""
    rows = connection.execute(
        text("""
        SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
               a.attnotnull::text, coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attidentity
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        WHERE c.relnamespace = 'city'::regnamespace AND c.relkind IN ('r', 'p')
          AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT 'index', tablename, indexname, indexdef, '', '', '' FROM pg_indexes
        WHERE schemaname = 'city'
        UNION ALL
        SELECT 'constraint', conrelid::regclass::text, conname,
               pg_get_constraintdef(oid), '', '', ''
        FROM pg_constraint WHERE connamespace = 'city'::regnamespace
        """)
    )
    return {tuple(row) for row in rows if "alembic_version" not in row[1]}


def test_migrating_again_changes_nothing(city: City) -> None:
    def shape() -> list[Any]:
        with city.address.connect(Role.OWNER) as connection:
            return list(
                connection.execute(
                    text("SELECT oid, relname, relacl::text FROM pg_class ORDER BY oid")
                )
            )

    before = shape()
    with city.address.connect(Role.OWNER) as connection:
        migrate(connection)
        assert_current(connection)

    assert before == shape()


def test_tables_are_upgraded_without_views_for_a_layer_that_waits_for_its_migration(
    cluster: Cluster, city: City
) -> None:
    name = f"{city.settings.database.name}_b"
    cluster.create_database(name)
    settings = city.settings.database.model_copy(update={"name": name})
    try:
        with DatabaseAddress(settings).connect(Role.OWNER) as connection:
            upgrade_tables(connection)
            made = connection.execute(text("SELECT views_fingerprint FROM city.installation"))
            assert made.scalar_one() is None
            assert [] == new_layers_ddl(connection)
    finally:
        cluster.drop_database(name)


def test_no_layer_waits_for_a_migration(city: City) -> None:
    with city.address.connect(Role.OWNER) as connection:
        assert [] == new_layers_ddl(connection)


def test_every_read_of_a_layer_at_the_present_uses_its_partial_index(city: City) -> None:
    with city.address.connect(Role.READ_RESTRICTED) as connection:
        connection.execute(text("SET enable_seqscan = off"))
        for layer in LAYERS:
            plan = connection.execute(
                text(
                    f"EXPLAIN SELECT feature_id FROM {layer.name} "
                    "WHERE geom_3857 && ST_TileEnvelope(14, 13387, 7140) "
                    "AND upper_inf(valid_during)"
                )
            ).scalars()
            assert "Index Cond: (geom_3857 &&" in "\n".join(plan)

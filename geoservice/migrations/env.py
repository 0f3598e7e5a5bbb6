"""Alembic's entry: runs migrations on the connection that ``geoservice.schema`` hands over."""

from __future__ import annotations

from alembic import context

from layers.tables import SCHEMA

connection = context.config.attributes["connection"]
connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
context.configure(
    connection=connection,
    version_table_schema=SCHEMA,
    transactional_ddl=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()

"""The shape of the database: migrations, and the views and grants that follow the descriptors.

Tables change by Alembic migrations only, frozen when they are written. Views and grants are made
anew from today's descriptors whenever these differ from what the database was given last.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from layers import system_tables
from layers.base import THEME_SCHEMA, Layer
from layers.ddl import layer_ddl
from layers.errors import MigrationError
from layers.registry import LAYERS
from layers.system_tables import installation
from layers.tables import FEATURE_ID_SEQUENCE, SCHEMA, STAGING_SCHEMA
from layers.themes import read_themes
from layers.views import fingerprint, view_statements

MIGRATIONS = Path(__file__).with_name("migrations")

MIN_POSTGRESQL = 15
MAX_POSTGRESQL = 17
MIN_POSTGIS = (3, 3)


def migrate(connection: Connection) -> None:
    """Bring a database to the shape of this version; connection of the owner role.

    Raises:
        MigrationError: the server is too old or too new, or newer than this version of the service.
    """
    upgrade_tables(connection)
    _refresh_views(connection)
    connection.commit()


def upgrade_tables(connection: Connection) -> None:
    """Run the migrations alone: what a new layer needs, whose tables no migration makes yet.

    The caller commits.

    Raises:
        MigrationError: as ``migrate``.
    """
    _assert_server(connection)
    # One migration at a time, whoever else starts the service now.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('geoservice migration'))"))
    command.upgrade(_config(connection), "head")


def assert_current(connection: Connection) -> None:
    """Refuse to work on a database of another shape.

    Raises:
        MigrationError: the database has not been migrated to this version.
    """
    found = MigrationContext.configure(
        connection, opts={"version_table_schema": SCHEMA}
    ).get_current_revision()
    wanted = ScriptDirectory.from_config(_config(connection)).get_current_head()
    if found != wanted:
        message = f"the database is at revision {found}, this version needs {wanted}"
        raise MigrationError(message)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _assert_server(connection: Connection) -> None:
    version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10000
    if not MIN_POSTGRESQL <= version <= MAX_POSTGRESQL:
        message = f"PostgreSQL {MIN_POSTGRESQL} to {MAX_POSTGRESQL} is needed, this is {version}"
        raise MigrationError(message)
    extensions = connection.execute(text("SELECT extname, extversion FROM pg_extension"))
    installed = {row.extname: row.extversion for row in extensions}
    missing = {"postgis", "btree_gist", "pgrouting"} - installed.keys()
    if missing:
        message = f"extensions are missing in the database: {', '.join(sorted(missing))}"
        raise MigrationError(message)
    postgis = tuple(int(part) for part in installed["postgis"].split(".")[:2])
    if postgis < MIN_POSTGIS:
        message = f"PostGIS 3.3 or later is needed, this is {installed['postgis']}"
        raise MigrationError(message)


def _refresh_views(connection: Connection) -> None:
    database = connection.execute(text("SELECT current_database()")).scalar_one()
    statements = view_statements(database, read_themes(connection))
    wanted = fingerprint(statements)
    if connection.execute(select(installation.c.views_fingerprint)).scalar() == wanted:
        return
    for statement in statements:
        connection.exec_driver_sql(statement)
    connection.execute(update(installation).values(views_fingerprint=wanted))


def base_ddl() -> list[str]:
    """The statements that make an empty database: what all migrations together come to."""
    return [
        f"CREATE SEQUENCE {SCHEMA}.{FEATURE_ID_SEQUENCE} MAXVALUE {2**53 - 1} CACHE 1",
        *_system_ddl(),
        *(statement for layer in LAYERS for statement in layer_ddl(layer)),
    ]


def new_layers_ddl(connection: Connection) -> list[str]:
    """The statements for layers that have no table yet; what ``geoservice db revision`` freezes."""
    held = set(
        connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = :schema"), {"schema": SCHEMA}
        ).scalars()
    )
    missing: list[Layer] = [layer for layer in LAYERS if layer.name not in held]
    return [statement for layer in missing for statement in layer_ddl(layer)]


def _system_ddl() -> list[str]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    statements = [f"CREATE SCHEMA {schema}" for schema in (STAGING_SCHEMA, THEME_SCHEMA)]
    for table in system_tables.ALL:
        statements.append(str(CreateTable(table).compile(dialect=dialect)).strip())
        statements += [
            str(CreateIndex(index).compile(dialect=dialect)).strip()
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ]
    return statements

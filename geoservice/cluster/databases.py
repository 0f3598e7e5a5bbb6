"""The statements that make a city's database: its roles, extensions and first rights.

One source for the embedded cluster and for the script that the administrator of a given database
runs. Every statement may be run again. Rights on schemas and tables are not here: migrations, run
by the owner, give them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from geoservice.cluster.installation import EXTENSIONS
from layers.errors import ClusterError
from layers.roles import READERS, Role, role_name

_RESERVED = ("postgres", "template0", "template1")

_READER_SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
    # Readers' statements take milliseconds: compiling them, or starting processes for them, costs
    # more than it saves, and a crowd of readers keeps every processor busy anyway.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}

_TEMPORARY_TABLES = (Role.LOADER, Role.INGEST)
"""Roles that stage rows in temporary tables; the owner may make them anyway."""

_LARGE_OBJECT_MAKERS = ("lo_creat(integer)", "lo_create(oid)", "lo_from_bytea(oid, bytea)")

_SCRIPT_HEADER = """\
-- Roles, extensions and rights of the database {database}, for its administrator. Run it as
-- a role that may create roles and these extensions:
--     psql --set ON_ERROR_STOP=1 --dbname {database} --file THIS_FILE
-- It may be run again. The roles are made without passwords: set them with \\password, or map
-- them in pg_ident.conf.
"""


def admin_sql(database: str) -> str:
    """The script that an administrator runs once in a database that is given to the service.

    Raises:
        InvalidParameter: role names cannot be made from the database's name.
    """
    purposes = [f"-- {role_name(database, role)}: {role.purpose}" for role in Role]
    statements = [*role_statements(database), *database_statements(database)]
    lines = [
        _SCRIPT_HEADER.format(database=shlex.quote(database)),
        *purposes,
        *(f"{statement.as_string(None)};" for statement in statements),
    ]
    return "\n".join(lines) + "\n"


def check_not_reserved(database: str) -> None:
    """Keep a city out of the server's own databases.

    Raises:
        ClusterError: the name is one of theirs.
    """
    if database in _RESERVED:
        message = f"{database} is one of PostgreSQL's own databases; choose another name"
        raise ClusterError(message)


def role_statements(database: str) -> Iterator[Composed]:
    """Statements that make the roles of a database; they run in any database of the server."""
    for role in Role:
        name = role_name(database, role)
        yield _do(
            SQL(
                "IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {}) "
                "THEN CREATE ROLE {} LOGIN; END IF"
            ).format(Literal(name), Identifier(name))
        )


def create_database_statement(database: str) -> Composed:
    """The statement that makes an empty database.

    Text sorts by code point (collation C: the same on every machine, and its indexes serve prefix
    searches), while the character type C.UTF-8 tells letters from signs in Chinese too.
    """
    return SQL(
        "CREATE DATABASE {} OWNER {} TEMPLATE template0 "
        "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
    ).format(Identifier(database), Identifier(role_name(database, Role.OWNER)))


def database_statements(database: str) -> Iterator[Composed]:
    """Statements that run inside a database once its roles exist, by its administrator."""
    for extension in EXTENSIONS:
        yield SQL("CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA public").format(
            Identifier(extension)
        )
    yield from _ownership_statements(database)
    yield from _right_statements(database)
    for role in READERS:
        yield from _reader_statements(role_name(database, role), schema=role.value)


def drop_statements(database: str) -> Iterator[Composed]:
    """Statements that remove a database, ending its connections, and then its roles."""
    yield SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(database))
    for role in Role:
        yield SQL("DROP ROLE IF EXISTS {}").format(Identifier(role_name(database, role)))


def _ownership_statements(database: str) -> Iterator[Composed]:
    owner = Identifier(role_name(database, Role.OWNER))
    # Only a member of a role may give it a database; a superuser needs no membership.
    yield _do(
        SQL(
            "IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) "
            "THEN GRANT {} TO CURRENT_USER; END IF"
        ).format(owner)
    )
    yield SQL("ALTER DATABASE {} OWNER TO {}").format(Identifier(database), owner)


def _right_statements(database: str) -> Iterator[Composed]:
    name = Identifier(database)
    everyone = _role_list(database, tuple(Role))
    yield SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name)
    yield SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, everyone)
    yield SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(
        name, _role_list(database, _TEMPORARY_TABLES)
    )
    yield SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC").format()
    yield SQL("GRANT USAGE ON SCHEMA public TO {}").format(everyone)
    for function in _LARGE_OBJECT_MAKERS:  # else every role could fill the disk with them
        yield SQL("REVOKE EXECUTE ON FUNCTION pg_catalog.{} FROM PUBLIC").format(SQL(function))


def _reader_statements(role: str, *, schema: str) -> Iterator[Composed]:
    for setting, value in _READER_SETTINGS.items():
        yield SQL("ALTER ROLE {} SET {} = {}").format(
            Identifier(role), Identifier(setting), Literal(value)
        )
    yield SQL("ALTER ROLE {} SET search_path = {}, public").format(
        Identifier(role), Identifier(schema)
    )


def _role_list(database: str, roles: tuple[Role, ...]) -> Composed:
    return SQL(", ").join(Identifier(role_name(database, role)) for role in roles)


def _do(body: Composable) -> Composed:
    block = SQL("BEGIN {}; END").format(body)
    return SQL("DO {}").format(Literal(block.as_string(None)))

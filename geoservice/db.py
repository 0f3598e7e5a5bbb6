"""Connections: the only place that opens any. One small pool for each role that a worker may use.

Readers are in autocommit: each statement is one round trip. Hot reads (tiles, searches) have pools
of psycopg's own connections, all else goes through SQLAlchemy. Nobody in a web worker logs in as
the owner of the data.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import URL, Connection, NullPool, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from geoservice.cluster import Cluster
from geoservice.readers import ReaderPool, is_stale
from geoservice.settings import DatabaseSettings
from layers.access import Access
from layers.errors import DatabaseUnavailable
from layers.roles import READERS, Role, reader_role, role_name

if TYPE_CHECKING:
    from loaders.options import LoadConnections

APPLICATION_NAME = "geoservice"
POOL_TIMEOUT_S = 10
_CONNECT_OPTIONS: dict[str, Any] = {
    "application_name": APPLICATION_NAME,
    "connect_timeout": 5,
}

_COMMAND_CONNECT_TIMEOUT_S = 10
"""How long a command waits for an address that does not answer, such as behind a firewall."""


class DatabaseAddress:
    """Where the database is, for every role; says nothing of secrets when shown."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        given = settings.url
        self._given = make_url(given.get_secret_value()) if given else None
        self.cluster = None if given else Cluster(settings.folder)

    @property
    def database(self) -> str:
        """Name of the database; role names carry it."""
        return (self._given.database if self._given else None) or self._settings.name

    def prepare(self) -> None:
        """Have the embedded cluster running and its database made; a given one is left alone."""
        if self.cluster:
            self.cluster.ensure_running()
            self.cluster.create_database(self.database)

    def url(self, role: Role) -> URL:
        """The address for one role, for SQLAlchemy with psycopg."""
        name = role_name(self.database, role)
        if self.cluster:
            return make_url(self.cluster.url(self.database, name)).set(
                drivername="postgresql+psycopg"
            )
        # An address without a database would mean one with the name of the user.
        assert_given = (self._given or URL.create("postgresql")).set(database=self.database)
        if role is Role.OWNER:
            return assert_given.set(drivername="postgresql+psycopg")
        password = self._settings.role_password
        return assert_given.set(
            drivername="postgresql+psycopg",
            username=name,
            password=password.get_secret_value() if password else None,
        )

    def libpq_url(self, role: Role) -> str:
        """The address for one role, for libpq; holds the password of a given database."""
        return self.url(role).set(drivername="postgresql").render_as_string(hide_password=False)

    @contextmanager
    def connect(self, role: Role) -> Iterator[Connection]:
        """One connection for a command; closed at the end, rolled back unless committed.

        Raises:
            DatabaseUnavailable: nobody answers, or the role is not let in.
        """
        engine = create_engine(
            self.url(role),
            poolclass=NullPool,
            connect_args={"connect_timeout": _COMMAND_CONNECT_TIMEOUT_S},
        )
        try:
            connection = engine.connect()
        except DBAPIError as error:
            raise self._unavailable(role, str(error.orig)) from error
        with connection:
            yield connection
        engine.dispose()

    @contextmanager
    def connect_loader(self) -> Iterator[LoadConnections]:
        """The connections that a load needs, all as the loader role.

        When the block has ended well, no worker answers from what was before it.

        Raises:
            DatabaseUnavailable: nobody answers, or the role is not let in.
        """
        # Heavy to import, and only loads need it.
        import adbc_driver_postgresql
        from adbc_driver_manager import AdbcConnection

        from geoservice.tile_cache.confirmation import wait_for_readers
        from loaders.options import LoadConnections

        # The first to connect is the one that waits for a bounded time and says what is wrong.
        with (
            self.connect(Role.LOADER) as sql,
            adbc_driver_postgresql.connect(self.libpq_url(Role.LOADER)) as database,
            AdbcConnection(database) as bulk,
        ):
            bulk.set_autocommit(enabled=False)
            yield LoadConnections(sql, bulk, connect=partial(self.connect, Role.LOADER))
            wait_for_readers(self)

    def _unavailable(self, role: Role, said: str) -> DatabaseUnavailable:
        """What is told of a role that cannot connect; libpq gives the reason in its first line."""
        url = self.url(role)
        host = url.host or url.query.get("host") or "the default socket"
        where = f"{host}:{url.port}" if url.port else host
        reason = said.strip().partition("\n")[0] or "no answer"
        hint = ". Is it running? geoservice up starts it" if self.cluster else ""
        message = f"database {url.database} at {where}, as {url.username}: {reason}{hint}"
        return DatabaseUnavailable(message)


class Database:
    """The pools of one worker."""

    def __init__(self, address: DatabaseAddress, pool_size: int) -> None:
        self._address = address
        self._pool_size = pool_size
        self._engines: dict[Role, AsyncEngine] = {}
        self._readers: dict[Role, ReaderPool] = {}

    def _engine(self, role: Role) -> AsyncEngine:
        if role not in self._engines:
            engine = create_async_engine(
                self._address.url(role),
                pool_size=self._pool_size,
                max_overflow=0,
                pool_timeout=POOL_TIMEOUT_S,
                isolation_level="AUTOCOMMIT" if role in READERS else None,
                connect_args=_CONNECT_OPTIONS,
            )
            event.listen(engine.sync_engine, "checkout", _refuse_stale)
            self._engines[role] = engine
        return self._engines[role]

    @asynccontextmanager
    async def read(self, access: Access) -> AsyncIterator[AsyncConnection]:
        """A connection that reads what the caller may read, in autocommit."""
        async with self._engine(reader_role(access.level)).connect() as connection:
            try:
                yield connection
            except DBAPIError as error:
                if isinstance(error.orig, psycopg.errors.FeatureNotSupported):
                    # A statement that is prepared on it has other columns since a theme changed.
                    await connection.invalidate()
                raise

    def readers(self, access: Access) -> ReaderPool:
        """Connections that read what the caller may read, for prepared statements."""
        role = reader_role(access.level)
        if role not in self._readers:
            self._readers[role] = ReaderPool(
                self._address.libpq_url(role),
                size=self._pool_size,
                timeout_s=POOL_TIMEOUT_S,
                options=_CONNECT_OPTIONS,
            )
        return self._readers[role]

    @asynccontextmanager
    async def write(self, role: Role) -> AsyncIterator[AsyncConnection]:
        """A transaction of a writing role: committed at the end, rolled back on an error."""
        async with self._engine(role).begin() as connection:
            yield connection

    async def open_connection(self, role: Role) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        """A connection of its own for a task that keeps it, in autocommit."""
        url = self._address.libpq_url(role)
        return await psycopg.AsyncConnection.connect(url, autocommit=True, **_CONNECT_OPTIONS)

    async def close(self) -> None:
        """Give all connections back to the server."""
        for engine in self._engines.values():
            await engine.dispose()
        for pool in self._readers.values():
            await pool.close()


def _refuse_stale(connection: Any, _record: Any, _proxy: Any) -> None:
    """Have the pool replace a connection that was lost while idle, before it is used.

    Raises:
        DisconnectionError: SQLAlchemy's word for that.
    """
    if is_stale(connection.driver_connection):
        raise DisconnectionError

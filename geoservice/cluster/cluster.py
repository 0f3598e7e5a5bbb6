"""One private PostgreSQL cluster in one folder: found, made, started, adopted, stopped.

Any number of processes may call these methods on one folder at once: whatever changes the cluster
is done under the folder's lock. The server belongs to the folder, not to the process that started
it, and goes on when that process ends.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.sql import SQL

from geoservice.cluster import databases, server
from geoservice.cluster.account import Account, running_account, server_account, write_private_file
from geoservice.cluster.configuration import (
    PORT,
    SETTINGS_FILE,
    SUPERUSER,
    ClusterOptions,
    ident_text,
    mapped_databases,
    server_settings,
    settings_text,
)
from geoservice.cluster.folders import ClusterFolders
from geoservice.cluster.postmaster import clear_remains, server_pid
from layers.errors import ClusterError
from layers.roles import Role, check_database_name, role_name

_MAINTENANCE_DATABASE = "postgres"
_RELOAD_MAY_LAST_S = 30.0


@dataclass(frozen=True)
class ClusterStatus:
    """What there is in a cluster's folder.

    Attributes:
        running: Whether the server runs.
        pid: Its process number, None when it does not run.
        version: Of the running server, such as "15.18"; else the major version that made the
            folder, such as "15"; None when there is no cluster yet.
        folder: The cluster's folder.
        socket_directory: Where the socket lies while the server runs.
        port: The number in the socket's name.
        databases: The databases made by ``create_database``, sorted.
    """

    running: bool
    pid: int | None
    version: str | None
    folder: Path
    socket_directory: Path
    port: int
    databases: tuple[str, ...]


class Cluster:
    """A PostgreSQL cluster that belongs to the service, reached through a Unix socket only."""

    def __init__(self, folder: Path, *, options: ClusterOptions | None = None) -> None:
        """Describe the cluster of a folder; nothing is made or started yet."""
        self.options = options or ClusterOptions()
        self._folders = ClusterFolders(folder)

    @classmethod
    def default_folder(cls) -> Path:
        """Where the service keeps its data: of the machine for root, else of the user."""
        if os.geteuid() == 0:
            return Path("/var/lib/geoservice")
        data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        return Path(data_home) / "geoservice"

    @property
    def folder(self) -> Path:
        """The cluster's folder."""
        return self._folders.root

    def ensure_running(self) -> None:
        """Have the server running: make the cluster if it is new, start it if it does not run.

        A server that died is started again, and PostgreSQL recovers what was committed.

        Raises:
            ClusterError: no suitable PostgreSQL is installed, the folder cannot be used, or the
                server does not start; the text says what to do, or quotes the server.
        """
        with _told("start"), self._folders.locked() as lock:
            data = self._folders.data
            account = server_account(data)
            self._check_kind()
            self._folders.make(account, socket_group=self._worker_group())
            if not data.exists():
                self._make(account, lock)
            if server_pid(data) is None:
                self._start(account)
            else:
                self._map_users(account, self._databases())
            self._wait_for(_MAINTENANCE_DATABASE, SUPERUSER, self.options.start_timeout_s)

    def stop(self) -> None:
        """Stop the server; nothing happens if it does not run.

        Raises:
            ClusterError: it does not stop, or belongs to another user.
        """
        data = self._folders.data
        if not data.exists():
            return
        with _told("stop"), self._folders.locked():
            account = server_account(data)
            if server_pid(data) is not None:
                server.stop(self._folders, server.installation_for(data), account)

    def status(self) -> ClusterStatus:
        """What there is in the folder, without changing anything.

        Raises:
            ClusterError: the folder may not be read.
        """
        with _told("look at"):
            pid = server_pid(self._folders.data)
            return ClusterStatus(
                running=pid is not None,
                pid=pid,
                version=self._version(running=pid is not None),
                folder=self.folder,
                socket_directory=self._folders.socket,
                port=PORT,
                databases=self._databases(),
            )

    def url(self, database: str, role: str) -> str:
        """The address of a database for one of its roles, for libpq and SQLAlchemy alike.

        Args:
            database: The database's name.
            role: A ``Role`` or its value, for that role of this database; anything else is a role's
                full name, such as ``SUPERUSER``.

        Returns:
            ``postgresql://ROLE@/DATABASE?host=SOCKET_DIRECTORY&port=PORT``.
        """
        user = role_name(database, Role(role)) if role in set(Role) else role
        user, path, host = (
            quote(part, safe="") for part in (user, database, str(self._folders.socket))
        )
        return f"postgresql://{user}@/{path}?host={host}&port={PORT}"

    def create_database(self, name: str) -> None:
        """Have a database with its roles, extensions and first rights; it may be there already.

        Raises:
            InvalidParameter: role names cannot be made from the name.
            ClusterError: the server does not run, or refuses.
        """
        check_database_name(name)
        databases.check_not_reserved(name)
        with _told(f"make the database {name} in"), self._folders.locked():
            account = server_account(self._folders.data)
            self._create_empty(name)
            with self._connect(name) as connection, connection.transaction():
                for statement in databases.database_statements(name):
                    connection.execute(statement)
            self._map_users(account, {*self._databases(), name})
            self._wait_for(name, role_name(name, Role.OWNER), _RELOAD_MAY_LAST_S)

    def drop_database(self, name: str) -> None:
        """Remove a database with all that is in it, and its roles; it may be gone already.

        Raises:
            InvalidParameter: role names cannot be made from the name.
            ClusterError: the server does not run, or refuses.
        """
        check_database_name(name)
        databases.check_not_reserved(name)
        with _told(f"drop the database {name} of"), self._folders.locked():
            self._map_users(server_account(self._folders.data), {*self._databases()} - {name})
            with self._connect(_MAINTENANCE_DATABASE) as connection:
                for statement in databases.drop_statements(name):
                    connection.execute(statement)

    def _check_kind(self) -> None:
        """Keep a durable cluster from being run without durability, and the other way round."""
        thrown_away = self._folders.throw_away.exists()
        if self._folders.data.exists() and thrown_away == self.options.durable:
            kind = "without" if thrown_away else "with"
            message = f"the cluster in {self.folder} was made {kind} durability; it stays so"
            raise ClusterError(message)

    def _worker_group(self) -> int | None:
        """The group that may pass to the socket; only root can give it the folder."""
        worker = self.options.worker_user
        return None if worker is None or os.geteuid() != 0 else Account.named(worker).gid

    def _make(self, account: Account, lock: int) -> None:
        if self.options.durable:
            self._folders.throw_away.unlink(missing_ok=True)
        else:
            self._folders.throw_away.touch()
        server.initialise(
            self._folders,
            server.installation_for(self._folders.data),
            account,
            durable=self.options.durable,
            lock=lock,
        )

    def _start(self, account: Account) -> None:
        installation = server.installation_for(self._folders.data)
        clear_remains(self._folders.data, self._folders.socket_lock)
        settings = server_settings(
            self.options,
            socket_directory=self._folders.socket,
            log_directory=self._folders.log,
        )
        write_private_file(self._folders.data / SETTINGS_FILE, settings_text(settings), account)
        self._map_users(account, self._databases())
        server.start(self._folders, installation, account, timeout_s=self.options.start_timeout_s)

    def _map_users(self, account: Account, names: Iterable[str]) -> None:
        """Let the operating system's users in; a running server reads the new map at once."""
        users = {account.name, running_account().name}
        text = ident_text(names, users, self.options.worker_user)
        if text == self._folders.ident.read_text():
            return
        write_private_file(self._folders.ident, text, account)
        pid = server_pid(self._folders.data)
        if pid is not None:
            os.kill(pid, signal.SIGHUP)

    def _databases(self) -> tuple[str, ...]:
        """The databases made here; the map of users in the data folder keeps the list."""
        ident = self._folders.ident
        return mapped_databases(ident.read_text()) if ident.exists() else ()

    def _version(self, *, running: bool) -> str | None:
        if not self._folders.data.exists():
            return None
        if running:
            # A server that is still starting, or does not know this user, tells nothing.
            with suppress(psycopg.OperationalError), self._connect(_MAINTENANCE_DATABASE) as asked:
                return "{}.{}".format(*divmod(asked.info.server_version, 10_000))
        return str(server.data_major(self._folders.data))

    def _create_empty(self, name: str) -> None:
        with self._connect(_MAINTENANCE_DATABASE) as connection:
            # Nobody but the superuser has any business in the server's own databases.
            connection.execute(SQL("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC"))
            for statement in databases.role_statements(name):
                connection.execute(statement)
            found = "SELECT FROM pg_catalog.pg_database WHERE datname = %s"
            if connection.execute(found, [name]).fetchone() is None:
                connection.execute(databases.create_database_statement(name))

    def _connect(self, database: str, role: str = SUPERUSER) -> psycopg.Connection:
        return psycopg.connect(self.url(database, role), autocommit=True, connect_timeout=10)

    def _wait_for(self, database: str, role: str, timeout_s: float) -> None:
        """Wait until a role can connect: the server may be starting, or reading its map anew."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self._connect(database, role).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or server_pid(self._folders.data) is None:
                    raise
                time.sleep(0.05)
            else:
                return


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Tell failures of the system and of the database as errors of the cluster."""
    try:
        yield
    except (OSError, psycopg.Error) as exc:
        message = f"cannot {doing} the cluster: {exc}"
        raise ClusterError(message) from exc

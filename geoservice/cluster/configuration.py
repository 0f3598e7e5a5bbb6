"""How the server is configured: options, settings made from the machine, and who may connect.

The settings are written to a file of their own at each start, because the machine may have changed.
``postgresql.conf`` only includes that file, so what an administrator adds below the include stays
and wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from geoservice.cluster.machine import memory_bytes, processor_count
from layers.errors import ClusterError
from layers.roles import Role, role_name

SUPERUSER = "postgres"
PORT = 5432
SETTINGS_FILE = "geoservice.conf"

_MIB = 1024 * 1024
_IDENT_MAP = "geoservice"

POSTGRESQL_CONF = f"""\
include = '{SETTINGS_FILE}'   # written anew at each start
# Settings of your own go below; they win over the included ones.
"""

PG_HBA_CONF = f"""\
# Only through the socket, only as the operating system's users that pg_ident.conf lists.
local  all          all          peer map={_IDENT_MAP}
local  replication  {SUPERUSER}  peer map={_IDENT_MAP}
"""


@dataclass(frozen=True)
class ClusterOptions:
    """How a cluster is run.

    Attributes:
        durable: Whether a power cut may lose nothing that was committed. False only for clusters
            that are thrown away, as in tests; a folder keeps what it was made with.
        memory_fraction: Share of the machine's memory (or the container's) that the server may
            plan with, in (0, 1]; the rest is for the service and the operating system.
        memory_limit_bytes: Upper bound of that share; none if None.
        max_connections: Connections that the server takes.
        start_timeout_s: How long a start may last; recovery after a crash is part of it.
        worker_user: Operating system user that web workers drop to: may pass to the socket and
            connect as every role except the owners and the superuser.
    """

    durable: bool = True
    memory_fraction: float = 0.5
    memory_limit_bytes: int | None = None
    max_connections: int = 100
    start_timeout_s: int = 300
    worker_user: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no server could be run with."""
        if not 0 < self.memory_fraction <= 1:
            message = f"memory_fraction must lie in (0, 1], not {self.memory_fraction}"
            raise ClusterError(message)


def server_settings(
    options: ClusterOptions, *, socket_directory: Path, log_directory: Path
) -> dict[str, str]:
    """All settings of the server that differ from PostgreSQL's own."""
    return {
        **_connection_settings(options, socket_directory),
        **_memory_settings(options),
        **_processor_settings(),
        **_durability_settings(options),
        **_log_settings(log_directory),
        "random_page_cost": "1.1",  # solid-state disks: a random page costs about a sequential one
        "effective_io_concurrency": "200",
        "jit": "off",  # compiling costs more than our short statements take
        "track_io_timing": "on",
        "timezone": "UTC",
        "lc_messages": "C",
        "default_text_search_config": "pg_catalog.simple",
    }


def settings_text(settings: Mapping[str, str]) -> str:
    """Settings in the form of a configuration file."""
    return "".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items())


def ident_text(databases: Iterable[str], users: Iterable[str], worker_user: str | None) -> str:
    """The map of operating system users to the database roles that each may be.

    Written out line by line: PostgreSQL 15 knows neither groups nor patterns on the role's side.

    Args:
        databases: Databases whose roles are mapped.
        users: Users that may be every role, the superuser too.
        worker_user: User that may be every role of the databases but their owners.
    """
    names = sorted(set(databases))
    full = [SUPERUSER, *(role_name(name, role) for name in names for role in Role)]
    lines = [_ident_line(user, role) for user in sorted(set(users)) for role in full]
    if worker_user is not None and worker_user not in users:
        worker_roles = [role for role in Role if role is not Role.OWNER]
        lines += [
            _ident_line(worker_user, role_name(name, role))
            for name in names
            for role in worker_roles
        ]
    return "# Written by the service; who may be whom.\n" + "".join(lines)


def mapped_databases(ident: str) -> tuple[str, ...]:
    """The databases of a map that ``ident_text`` wrote, sorted: those whose owner it names."""
    suffix = f"_{Role.OWNER}"
    roles = {line.split('"')[3] for line in ident.splitlines() if line.startswith(_IDENT_MAP)}
    return tuple(sorted(role.removesuffix(suffix) for role in roles if role.endswith(suffix)))


def _ident_line(user: str, role: str) -> str:
    return f'{_IDENT_MAP}  "{user}"  "{role}"\n'


def _connection_settings(options: ClusterOptions, socket_directory: Path) -> dict[str, str]:
    listed = str(socket_directory).replace('"', '""')
    return {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": f'"{listed}"',
        "max_connections": str(options.max_connections),
    }


def _memory_settings(options: ClusterOptions) -> dict[str, str]:
    """Half of the share for shared buffers, the rest for work and the system's file cache."""
    share = int(memory_bytes() * options.memory_fraction)
    if options.memory_limit_bytes is not None:
        share = min(share, options.memory_limit_bytes)
    return {
        "shared_buffers": _megabytes(share // 2, least=16, most=8192),
        "effective_cache_size": _megabytes(share * 3 // 2, least=64, most=1_048_576),
        "work_mem": _megabytes(share // (4 * options.max_connections), least=4, most=64),
        "maintenance_work_mem": _megabytes(share // 16, least=32, most=1024),
        "autovacuum_work_mem": _megabytes(share // 32, least=16, most=256),
    }


def _processor_settings() -> dict[str, str]:
    processors = processor_count()
    helpers = max(1, min(4, processors // 2))
    return {
        "max_worker_processes": str(max(8, processors)),
        "max_parallel_workers": str(processors),
        "max_parallel_workers_per_gather": str(helpers),
        "max_parallel_maintenance_workers": str(helpers),
    }


def _durability_settings(options: ClusterOptions) -> dict[str, str]:
    switch = "on" if options.durable else "off"
    return {
        "fsync": switch,
        "full_page_writes": switch,
        "synchronous_commit": switch,
        "wal_level": "replica",
        "wal_compression": "on",
        "max_wal_size": "4GB" if options.durable else "1GB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
    }


def _log_settings(log_directory: Path) -> dict[str, str]:
    """One file per day of the week, each overwritten a week later."""
    return {
        "logging_collector": "on",
        "log_directory": str(log_directory),
        "log_filename": "postgresql-%a.log",
        "log_file_mode": "0600",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_truncate_on_rotation": "on",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_timezone": "UTC",
    }


def _megabytes(size_bytes: int, *, least: int, most: int) -> str:
    return f"{max(least, min(most, size_bytes // _MIB))}MB"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"

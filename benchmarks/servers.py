"""The two tile servers that are compared, each as one worker process on the city's database."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from benchmark_city import DATABASE, BenchmarkCity, tipg_python
from children import ChildFailed, running
from geoservice.cluster import SUPERUSER
from geoservice.cluster.configuration import PORT
from plain_tables import SCHEMA
from tiles.vector import TileOptions

CONNECTIONS = 4
"""Connections of the client, and of each server to the database."""

_HOST = "127.0.0.1"
_CACHE_BYTES = 1_000_000_000
_NO_LIMIT = 10_000_000


@contextmanager
def our_service(
    city: BenchmarkCity, *, caches: bool = False, workers: int = 1, database: str = DATABASE
) -> Iterator[str]:
    """``geoservice serve``; gives its address.

    Args:
        caches: Whether it keeps tiles.
    """
    port = free_port()
    environment = city.environment(
        database,
        GEOSERVICE_HTTP__HOST=_HOST,
        GEOSERVICE_HTTP__PORT=str(port),
        GEOSERVICE_HTTP__WORKERS=str(workers),
        GEOSERVICE_DATABASE__POOL_SIZE=str(CONNECTIONS),
        GEOSERVICE_TILES__CACHE_BYTES=str(_CACHE_BYTES if caches else 0),
        GEOSERVICE_LOG__LEVEL="WARNING",
    )
    command = [*service_command(), "serve"]
    url = f"http://{_HOST}:{port}"
    log = city.folder / "geoservice.log"
    with running(command, environment=environment, log=log, ready_url=f"{url}/readyz"):
        yield url


@contextmanager
def tipg_server(city: BenchmarkCity) -> Iterator[str]:
    """The other server, tipg, on the plain tables, one worker, our extent and buffer; its address.

    Raises:
        ChildFailed: tipg is not installed.
    """
    python = tipg_python()
    if python is None:
        message = "tipg is not installed: run make bench"
        raise ChildFailed(message)
    port = free_port()
    options = TileOptions()
    environment = city.environment(
        DATABASE_URL=_url_for_asyncpg(city),
        DB_MIN_CONN_SIZE=str(CONNECTIONS),
        DB_MAX_CONN_SIZE=str(CONNECTIONS),
        TIPG_DB_SCHEMAS=f'["{SCHEMA}"]',
        TIPG_DB_EXCLUDE_FUNCTION_SCHEMAS='["public"]',
        TIPG_TILE_RESOLUTION=str(options.extent),
        TIPG_TILE_BUFFER=str(options.buffer),
        TIPG_MAX_FEATURES_PER_TILE=str(_NO_LIMIT),
    )
    command = [str(python), "-P", "-m", "uvicorn", "tipg.main:app", "--workers", "1"]
    command += ["--host", _HOST, "--port", str(port), "--no-access-log", "--log-level", "warning"]
    url = f"http://{_HOST}:{port}"
    with running(
        command, environment=environment, log=city.folder / "tipg.log", ready_url=f"{url}/healthz"
    ):
        yield url


def service_command() -> list[str]:
    """How ``geoservice`` is run."""
    return [sys.executable, "-P", "-m", "geoservice"]


def _url_for_asyncpg(city: BenchmarkCity) -> str:
    """The database's address in the form in which asyncpg takes a socket's folder: as the host."""
    host = quote(str(city.cluster.status().socket_directory), safe="")
    return f"postgresql://{SUPERUSER}@{host}:{PORT}/{DATABASE}"


def free_port() -> int:
    """A port that nobody listened at a moment ago."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
    return port

"""What a client costs the others: its turns, and nothing once it is gone."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection, text

from geoservice.cluster import SUPERUSER
from layers.roles import Role, role_name
from tests.integration.test_server import started_service
from tests.integration.test_tiles import tile_path
from tests.support import City, parcel


def kept_waiting(connection: Connection) -> int:
    """How many statements wait for the lock on parcels."""
    found: int = connection.execute(
        text(
            "SELECT count(*) FROM pg_locks "
            "WHERE NOT granted AND relation = 'city.parcels_0'::regclass"
        )
    ).scalar_one()
    connection.rollback()
    return found


def wait_for(connection: Connection, wanted: int) -> None:
    deadline = time.monotonic() + 8
    while kept_waiting(connection) != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_rendering_ends_with_the_client_that_waits_for_it(city: City, tmp_path: Path) -> None:
    city.publish("parcels", [parcel("L1", 114.07, 22.57)])
    with (
        started_service(city, tmp_path / "service.log") as service,
        city.address.connect(Role.OWNER) as connection,
        city.address.connect(Role.OWNER) as blocking,
    ):
        # Whoever locks a layer out keeps its readers waiting, as a very large tile would.
        blocking.execute(text("LOCK TABLE city.parcels_0 IN ACCESS EXCLUSIVE MODE"))
        address = urlsplit(service.url)
        with socket.create_connection((address.hostname or "", address.port or 0)) as client:
            path = tile_path("parcels", 114.0705, 22.5705, 15)
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            wait_for(connection, 1)

        wait_for(connection, 0)
        blocking.rollback()
        assert 200 == service.get(path).status_code


def limit_statements(city: City, milliseconds: int) -> None:
    """Let the statements of the public's role take no longer, as those of all roles that read."""
    database = city.address.database
    assert city.address.cluster is not None
    url = city.address.cluster.url(database, SUPERUSER)
    with psycopg.connect(url, autocommit=True) as connection:
        role = Identifier(role_name(database, Role.READ_PUBLIC))
        limit = SQL("ALTER ROLE {} SET statement_timeout = {}").format(role, milliseconds)
        connection.execute(limit)


def test_past_the_bound_tiles_are_refused_and_slow_ones_end(city: City, tmp_path: Path) -> None:
    city.publish("parcels", [parcel("L2", 114.17, 22.57)])
    limit_statements(city, 2_000)
    paths = [tile_path("parcels", 114.1705, 22.5705, z) for z in (15, 16, 17)]
    turns = {"MAX_RENDERS": "1", "MAX_WAITING": "1", "MAX_WAITING_PER_CLIENT": "1"}
    more = {f"GEOSERVICE_TILES__{name}": value for name, value in turns.items()}
    with (
        started_service(city, tmp_path / "service.log", **more) as service,
        city.address.connect(Role.OWNER) as connection,
        city.address.connect(Role.OWNER) as blocking,
        ThreadPoolExecutor(2) as clients,
    ):
        blocking.execute(text("LOCK TABLE city.parcels_0 IN ACCESS EXCLUSIVE MODE"))
        slow = clients.submit(service.get, paths[0])
        wait_for(connection, 1)
        waiting = clients.submit(service.get, paths[1])
        time.sleep(0.2)  # until it waits, which nothing outside the worker can see
        refused = service.get(paths[2])

        assert (503, "2") == (refused.status_code, refused.headers["retry-after"])
        assert "application/problem+json" == refused.headers["content-type"]
        ended = slow.result(10)
        assert 504 == ended.status_code
        assert "application/problem+json" == ended.headers["content-type"]
        blocking.rollback()
        assert 200 == waiting.result(10).status_code
        assert 200 == service.get(paths[2]).status_code

"""What a client costs the others: its turns, and nothing once it is gone."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Connection, text

from layers.roles import Role
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

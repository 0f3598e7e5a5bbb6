"""The service as processes: start, health, graceful stop, a database that goes and comes back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest

from geoservice.cluster import Cluster
from tests.support import City, parcel


@dataclass
class Service:
    """A service in a process of its own."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str) -> httpx.Response:
        """An answer of the service."""
        return httpx.get(self.url + path, timeout=15)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started_service(city: City, log: Path, **more: str) -> Iterator[Service]:
    """``geoservice serve`` on a city's database, with more settings, until the block ends."""
    port = free_port()
    environment = os.environ | {
        "GEOSERVICE_DATABASE__FOLDER": str(city.settings.database.folder),
        "GEOSERVICE_DATABASE__NAME": city.settings.database.name,
        "GEOSERVICE_HTTP__PORT": str(port),
        "GEOSERVICE_LOG__JSON_LINES": "true",
        **more,
    }
    command = [sys.executable, "-P", "-m", "geoservice", "serve"]
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stderr=file)
    running = Service(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_until_ready(running)
        yield running
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def service(city: City, tmp_path: Path) -> Iterator[Service]:
    """``geoservice serve`` on the module's database."""
    with started_service(city, tmp_path / "service.log") as running:
        yield running


def _wait_until_ready(service: Service) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if service.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the service did not become ready in 30 seconds")


def test_it_starts_answers_and_stops_gracefully_on_a_signal(service: Service) -> None:
    alive = service.get("/healthz")
    service.process.send_signal(signal.SIGTERM)
    code = service.process.wait(timeout=15)

    assert 200 == alive.status_code
    assert code in (0, -signal.SIGTERM)
    log = service.log.read_text(encoding="utf-8")
    assert '"event": "worker stopped"' in log
    assert '"request_id"' in log


def test_a_database_that_goes_is_503_and_that_returns_is_used_again(
    cluster: Cluster, city: City, service: Service
) -> None:
    city.publish("parcels", [parcel("A", 114.05, 22.55)])
    before = service.get("/collections/parcels/items")

    cluster.stop()
    try:
        gone = service.get("/collections/parcels/items")
        not_ready = service.get("/readyz")
        alive = service.get("/healthz")
    finally:
        cluster.ensure_running()
    back = service.get("/collections/parcels/items")

    assert (200, 503, 503, 200) == (
        before.status_code,
        gone.status_code,
        not_ready.status_code,
        alive.status_code,
    )
    assert "retry-after" in gone.headers
    assert "sock" not in gone.text
    assert before.json()["features"] == back.json()["features"]


def test_a_restart_of_the_database_is_not_noticed(
    cluster: Cluster, city: City, service: Service
) -> None:
    city.publish("parcels", [parcel("R", 114.05, 22.55)])
    paths = (
        "/collections/parcels/items",
        "/tiles/parcels/10/836/446.mvt",
        "/availability?lon=114&lat=22",
    )
    before = [service.get(path).status_code for path in paths]

    cluster.stop()
    cluster.ensure_running()

    assert before == [service.get(path).status_code for path in paths]
    assert all(status < 300 for status in before)


def test_a_misspelt_setting_is_refused() -> None:
    environment = os.environ | {"GEOSERVICE_TILE__BUFER": "1"}
    command = [sys.executable, "-P", "-m", "geoservice", "db", "status"]

    done = subprocess.run(command, env=environment, capture_output=True, check=False)

    assert 64 == done.returncode
    assert b"GEOSERVICE_TILE__BUFER" in done.stderr

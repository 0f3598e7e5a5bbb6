"""What tests of loading through the web share: a service with its worker, and a client of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.support import City

Upload = tuple[str, tuple[str, bytes, str]]
WAIT_S = 60


def square(x: float, y: float, size: float = 0.001) -> list[list[list[float]]]:
    """The ring of a square whose south-west corner is (x, y), degrees."""
    return [[[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]]


def parcels_geojson(
    codes: Sequence[str], *, bad: Sequence[str] = (), step: float = 0.002, **more: Any
) -> bytes:
    """Parcels in a row from west to east as GeoJSON; ``bad`` ones lie outside of the city."""
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, **more},
            "geometry": {
                "type": "Polygon",
                "coordinates": square(114.0 + step * number, 22.55, step / 2),
            },
        }
        for number, code in enumerate(codes)
    ]
    features += [
        {
            "type": "Feature",
            "properties": {"code": code, **more},
            "geometry": {"type": "Polygon", "coordinates": square(120.0, 30.0)},
        }
        for code in bad
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def part(name: str, content: bytes) -> Upload:
    """One file of an upload."""
    return ("file", (name, content, "application/octet-stream"))


@dataclass
class WebService:
    """``geoservice serve`` in a process of its own, which starts its worker itself."""

    city: City
    url: str
    folder: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    clients: list[httpx.Client] = field(default_factory=list)

    def start(self) -> None:
        """Serve, and wait until requests are answered."""
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "geoservice", "serve"],
                env=dict(self.environment),
                stderr=log,
                stdout=log,
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        pytest.fail("the service did not become ready in 30 seconds")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the service and wait until it is gone."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=30)
            self.process = None

    @property
    def log(self) -> str:
        """What service and worker have said."""
        return (self.folder / "service.log").read_text(encoding="utf-8")

    @property
    def workers(self) -> list[int]:
        """Processes of workers that the service has started."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        pids = [int(pid) for file in children for pid in file.read_text().split()]
        return [pid for pid in pids if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    @property
    def uploads(self) -> list[Path]:
        """The folders of uploads."""
        return sorted((self.folder / "uploads").glob("*"))

    def client(self, headers: Mapping[str, str]) -> Client:
        """A client that sends a key."""
        http = httpx.Client(base_url=self.url, headers=dict(headers), timeout=60)
        self.clients.append(http)
        return Client(http)


@dataclass
class Client:
    """Somebody who loads through the web."""

    http: httpx.Client

    def upload(self, layer: str, *files: Upload, **parameters: str) -> httpx.Response:
        """Upload files."""
        return self.http.post("/loads", params={"layer": layer, **parameters}, files=list(files))

    def job(self, job_id: int) -> dict[str, Any]:
        """A job as it is now."""
        document: dict[str, Any] = self.http.get(f"/loads/{job_id}").json()
        return document

    def wait(self, job_id: int, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of some states."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            job = self.job(job_id)
            if job["state"] in states and job["asked"] is None:
                return job
            if job["state"] in ("failed", "cancelled", "undone"):
                break
            time.sleep(0.1)
        pytest.fail(f"job {job_id} is {job['state']} ({job['message']}), not {states}")

    def load(self, layer: str, *files: Upload, **parameters: str) -> dict[str, Any]:
        """Upload, confirm and wait for the end."""
        job_id = self.upload(layer, *files, **parameters).json()["id"]
        self.wait(job_id, "ready")
        self.http.post(f"/loads/{job_id}/confirm")
        return self.wait(job_id, "done", "failed")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def web_service(city: City, folder: Path, **more: str) -> Iterator[WebService]:
    """A service on a city's database, with uploads in a folder; settings as in the environment."""
    port = free_port()
    environment = os.environ | {
        "GEOSERVICE_DATABASE__FOLDER": str(city.settings.database.folder),
        "GEOSERVICE_DATABASE__NAME": city.settings.database.name,
        "GEOSERVICE_HTTP__PORT": str(port),
        "GEOSERVICE_LOAD__UPLOAD_FOLDER": str(folder / "uploads"),
        **more,
    }
    service = WebService(city, f"http://127.0.0.1:{port}", folder, environment)
    try:
        service.start()
        yield service
    finally:
        service.stop(signal.SIGKILL)
        for client in service.clients:
            client.close()

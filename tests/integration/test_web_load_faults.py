"""Loading through the web when processes die: a job goes on, or is reported; it is never lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from geoservice.cluster import Cluster
from geoservice.loads.folders import UploadFolders
from layers.access import Clearance
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.support import City
from tests.web_loads import Client, WebService, parcels_geojson, part, web_service

MANY = 8_000


@pytest.fixture
def service(city: City, tmp_path: Path) -> Iterator[WebService]:
    """A service of its own for each test: it will be killed."""
    with web_service(city, tmp_path) as service:
        yield service


@pytest.fixture
def client(service: WebService, headers_of: KeyMaker) -> Client:
    """Somebody who may load parcels."""
    return service.client(headers_of(Clearance.GOVERNMENT, "load:parcels"))


@pytest.fixture(scope="module")
def many() -> bytes:
    """Parcels that take seconds to load."""
    return parcels_geojson([f"many{n % 40}-{n}" for n in range(MANY)], step=0.00004)


def has_begun(city: City, job_id: int, attempt: int) -> bool:
    """Whether a worker has taken a job for so many times."""
    with city.address.connect(Role.LOADER) as connection:
        attempts = connection.execute(
            text("SELECT attempts FROM city.load_jobs WHERE job_id = :job"), {"job": job_id}
        ).scalar_one()
    return bool(attempts == attempt)


def wait_until(condition: Callable[[], object], within_s: float = 30) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("it never came true")
        time.sleep(0.01)


def count_held(city: City, prefix: str) -> int:
    """How many parcels are held whose code begins so."""
    with city.address.connect(Role.READ_RESTRICTED) as connection:
        found = connection.execute(
            text("SELECT count(*) FROM parcels WHERE code LIKE :like AND upper_inf(valid_during)"),
            {"like": f"{prefix}%"},
        )
        return int(found.scalar_one())


def publications(city: City, job_id: int) -> int:
    """How many published loads a job has."""
    with city.address.connect(Role.LOADER) as connection:
        found = connection.execute(
            text(
                "SELECT count(*) FROM city.loads WHERE state = 'published' "
                "AND source ->> 'job_id' = CAST(:job AS text)"
            ),
            {"job": job_id},
        )
        return int(found.scalar_one())


def staged_tables(city: City) -> list[str]:
    """What loads have left in the schema of staging."""
    with city.address.connect(Role.LOADER) as connection:
        names = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'staging'")
        )
        return list(names.scalars())


@pytest.mark.parametrize("delay_s", [0.0, 0.5])
def test_a_check_whose_worker_is_killed_is_begun_anew(
    service: WebService, client: Client, many: bytes, delay_s: float
) -> None:
    job_id = client.upload("parcels", part("many.geojson", many)).json()["id"]
    wait_until(lambda: client.job(job_id)["state"] == "checking")
    time.sleep(delay_s)

    for worker in service.workers:
        os.kill(worker, signal.SIGKILL)
    job = client.wait(job_id, "ready")

    assert MANY == job["report"]["read"]
    assert 0 == count_held(service.city, "many")


@pytest.mark.parametrize("delay_s", [0.1, 0.7, 1.5])
def test_a_load_whose_worker_is_killed_is_loaded_once(
    service: WebService, client: Client, many: bytes, delay_s: float
) -> None:
    prefix = f"k{int(delay_s * 10)}x"
    job_id = client.upload(
        "parcels", part("m.geojson", many.replace(b"many", prefix.encode()))
    ).json()["id"]
    client.wait(job_id, "ready")
    client.http.post(f"/loads/{job_id}/confirm")
    wait_until(lambda: client.job(job_id)["state"] in ("loading", "done"))
    time.sleep(delay_s)

    for worker in service.workers:
        os.kill(worker, signal.SIGKILL)
    job = client.wait(job_id, "done")

    assert MANY == count_held(service.city, prefix)
    assert 1 == publications(service.city, job_id)
    assert MANY == job["result"]["new"]
    assert [] == staged_tables(service.city)


def test_a_job_survives_a_kill_of_the_service_and_goes_on_with_the_next(
    service: WebService, client: Client, many: bytes
) -> None:
    content = many.replace(b"many", b"srv")
    job_id = client.upload("parcels", part("m.geojson", content)).json()["id"]
    wait_until(lambda: client.job(job_id)["state"] == "checking")
    workers = service.workers

    service.stop(signal.SIGKILL)
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    service.start()
    client.wait(job_id, "ready")
    client.http.post(f"/loads/{job_id}/confirm")
    service.stop(signal.SIGKILL)
    service.start()
    job = client.wait(job_id, "done")

    assert MANY == job["result"]["new"] == count_held(service.city, "srv")


def test_a_job_waits_for_a_worker_where_the_service_starts_none(
    city: City, tmp_path: Path, headers_of: KeyMaker
) -> None:
    with web_service(city, tmp_path, GEOSERVICE_LOAD__WORKERS="0") as service:
        client = service.client(headers_of(Clearance.GOVERNMENT, "load:parcels"))
        job_id = client.upload("parcels", part("w.geojson", parcels_geojson(["W1"]))).json()["id"]
        time.sleep(1.5)
        before = client.job(job_id)["state"]

        command = [sys.executable, "-P", "-m", "geoservice", "worker"]
        worker = subprocess.Popen(command, env=dict(service.environment))
        try:
            client.wait(job_id, "ready")
        finally:
            worker.terminate()
        code = worker.wait(timeout=20)

    assert ("uploaded", 0) == (before, code)


def test_a_worker_that_is_stopped_gives_its_job_back(
    service: WebService, client: Client, many: bytes
) -> None:
    job_id = client.upload("parcels", part("m.geojson", many)).json()["id"]
    wait_until(lambda: client.job(job_id)["state"] == "checking")

    for worker in service.workers:
        os.kill(worker, signal.SIGTERM)

    assert "ready" == client.wait(job_id, "ready")["state"]


def test_a_job_that_kills_its_workers_is_given_up_and_says_so(
    service: WebService, client: Client, many: bytes
) -> None:
    job_id = client.upload("parcels", part("m.geojson", many)).json()["id"]

    for attempt in (1, 2, 3):
        wait_until(partial(has_begun, service.city, job_id, attempt))
        for worker in service.workers:
            os.kill(worker, signal.SIGKILL)
    job = client.wait(job_id, "failed")

    assert "given up: 3 workers have died of it" == job["message"]


def test_a_restart_of_the_database_is_waited_for(
    cluster: Cluster, client: Client, many: bytes
) -> None:
    job_id = client.upload("parcels", part("m.geojson", many)).json()["id"]
    wait_until(lambda: client.job(job_id)["state"] == "checking")

    cluster.stop()
    cluster.ensure_running()

    assert MANY == client.wait(job_id, "ready")["report"]["read"]


def test_files_that_belong_to_no_job_are_removed(service: WebService, client: Client) -> None:
    root = service.folder / "uploads"
    folders = UploadFolders(root, 1_000_000_000)
    with folders.receive() as coming_in:
        (coming_in / "half").write_bytes(b"half")
        orphan = root / ("a" * 32)
        orphan.mkdir()
        service.stop(signal.SIGKILL)
        service.start()  # a worker looks when it starts

        wait_until(lambda: not orphan.exists())

        assert coming_in.exists()

"""Loads whose process, whose database or whose disk fails: all of a load is there, or nothing."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from geoservice.cluster import Cluster, ClusterOptions
from geoservice.db import DatabaseAddress
from geoservice.schema import migrate
from geoservice.settings import DatabaseSettings, LogSettings, Settings
from layers.invariants import violations
from layers.registry import get_layer
from layers.roles import Role

ROWS = 30_000
"""Enough that a draft of the partition is filled apart, on connections of its own."""

POINTS = 10
SEED = 20161130


@dataclass(frozen=True)
class Place:
    """A cluster of its own with a database, and a file of roads in two states."""

    cluster: Cluster
    address: DatabaseAddress
    first: Path
    second: Path

    def start_load(self, file: Path) -> subprocess.Popen[bytes]:
        """Begin to load a file in a process of its own."""
        command = [sys.executable, "-m", "geoservice", "load", "roads", str(file)]
        environment = {
            **os.environ,
            "GEOSERVICE_DATABASE__FOLDER": str(self.cluster.folder),
            "GEOSERVICE_DATABASE__NAME": "city",
        }
        return subprocess.Popen(
            [*command, "--crs", "EPSG:4490"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def load(self, file: Path) -> tuple[int, str]:
        """Load a file; the exit code and what was said."""
        child = self.start_load(file)
        _, said = child.communicate(timeout=100)
        return child.returncode, said.decode()

    def state(self) -> tuple[int, int]:
        """How many roads are held, and how many of them are of the second state."""
        with self.address.connect(Role.READ_PUBLIC) as connection:
            row = connection.execute(
                text(
                    "SELECT count(*), count(*) FILTER (WHERE name = 'second') FROM roads "
                    "WHERE upper_inf(valid_during)"
                )
            ).one()
        return row[0], row[1]

    def check(self) -> None:
        """See that every rule of the data holds."""
        with self.address.connect(Role.LOADER) as connection:
            assert [] == list(violations(connection, get_layer("roads")))

    def leftovers(self) -> list[str]:
        """Tables of staging, and loads that are under way according to their rows."""
        with self.address.connect(Role.OWNER) as connection:
            tables = connection.execute(
                text("SELECT tablename FROM pg_tables WHERE schemaname = 'staging'")
            )
            loads = connection.execute(
                text("SELECT load_id::text FROM city.loads WHERE state = 'staging'")
            )
            return [*tables.scalars(), *loads.scalars()]


def write_roads(path: Path, name: str) -> Path:
    lines = (
        f'R{n},{name},"LINESTRING({114 + n % 200 / 1000} {22.5 + n // 200 / 1000},'
        f'{114.0005 + n % 200 / 1000} {22.5 + n // 200 / 1000})"'
        for n in range(ROWS)
    )
    path.write_text("\n".join(["code,name,wkt", *lines, ""]), encoding="utf-8")
    return path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    folder.chmod(0o711)
    cluster = Cluster(folder / "c", options=ClusterOptions(durable=False))
    cluster.ensure_running()
    cluster.create_database("city")
    settings = Settings(
        database=DatabaseSettings(folder=cluster.folder, name="city"),
        log=LogSettings(level="WARNING"),
    )
    address = DatabaseAddress(settings.database)
    with address.connect(Role.OWNER) as connection:
        migrate(connection)
    try:
        yield Place(
            cluster,
            address,
            write_roads(tmp_path / "first.csv", "first"),
            write_roads(tmp_path / "second.csv", "second"),
        )
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def kill_at_random(place: Place, kill: Callable[[subprocess.Popen[bytes]], None]) -> None:
    """Break loads at ten random points, first into an empty layer and then over a full one."""
    chance = random.Random(SEED)
    began = time.monotonic()
    assert place.load(place.second)[0] == 0
    takes_s = time.monotonic() - began
    with place.address.connect(Role.LOADER) as connection:
        number = connection.execute(text("SELECT max(load_id) FROM city.loads")).scalar_one()
    assert run(place, "loads", "undo", str(number)).returncode == 0
    allowed: set[tuple[int, int]] = {(0, 0), (ROWS, 0)}
    for point in range(POINTS):
        if point == POINTS // 2:
            assert place.load(place.first)[0] == 0
            allowed = {(ROWS, 0), (ROWS, ROWS)}
        child = place.start_load(place.first if point < POINTS // 2 else place.second)
        time.sleep(chance.uniform(0.2, 1.0) * takes_s)
        kill(child)
        child.communicate(timeout=60)
        place.cluster.ensure_running()
        assert place.state() in allowed, f"point {point} of seed {SEED}"
        place.check()
    assert place.load(place.second)[0] == 0
    assert (ROWS, ROWS) == place.state()
    place.check()
    assert [] == place.leftovers()


def run(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "GEOSERVICE_DATABASE__FOLDER": str(place.cluster.folder),
        "GEOSERVICE_DATABASE__NAME": "city",
    }
    command = [sys.executable, "-m", "geoservice", *arguments]
    return subprocess.run(
        command, env=environment, check=False, capture_output=True, encoding="utf-8"
    )


@pytest.mark.timeout(300)
def test_a_loader_that_is_killed_leaves_all_or_nothing(place: Place) -> None:
    def kill(child: subprocess.Popen[bytes]) -> None:
        child.kill()

    kill_at_random(place, kill)


@pytest.mark.timeout(300)
def test_a_database_that_is_killed_leaves_all_or_nothing(place: Place) -> None:
    def kill(child: subprocess.Popen[bytes]) -> None:
        pids = [server_pid(place.cluster)]
        pids += children_of(pids[0])
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until_gone(pids)

    kill_at_random(place, kill)


def server_pid(cluster: Cluster) -> int:
    pid = cluster.status().pid
    assert pid is not None
    return pid


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in found.split()]


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 20
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "the server did not die"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_the_next_command_says_what_was_interrupted(place: Place) -> None:
    child = place.start_load(place.first)
    wait_for_staging(place)
    child.kill()
    child.communicate(timeout=60)

    listed = run(place, "loads", "list")
    shown = run(place, "loads", "show", "1")

    assert "interrupted; nothing of it was written" in listed.stdout
    assert "failed" in shown.stdout
    assert [] == place.leftovers()


def wait_for_staging(place: Place) -> None:
    deadline = time.monotonic() + 60
    while not place.leftovers():
        assert time.monotonic() < deadline, "the load did not begin"
        time.sleep(0.02)


def test_a_full_disk_refuses_the_load_and_the_next_one_goes_on(
    place: Place, tmp_path: Path
) -> None:
    assert place.load(place.first)[0] == 0
    wide = write_roads(tmp_path / "wide.csv", "second" * 100)
    with no_file_larger_than(WAL_SEGMENT_BYTES, place.cluster):
        code, said = place.load(wide)

    assert code == 69, said
    assert "Traceback" not in said
    assert (ROWS, 0) == place.state()
    place.check()
    assert place.load(place.second)[0] == 0
    assert (ROWS, ROWS) == place.state()
    assert [] == place.leftovers()


WAL_SEGMENT_BYTES = 16 * 1024**2


@contextmanager
def no_file_larger_than(most_bytes: int, cluster: Cluster) -> Iterator[None]:
    """A server that cannot let a file grow beyond a size: writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    cluster.stop()
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        cluster.ensure_running()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    yield
    cluster.stop()
    cluster.ensure_running()


def test_a_half_load_is_never_seen_by_those_who_read_meanwhile(place: Place) -> None:
    seen: set[tuple[int, int]] = set()
    done = threading.Event()

    def watch() -> None:
        with psycopg.connect(place.address.libpq_url(Role.READ_PUBLIC), autocommit=True) as reader:
            while not done.is_set():
                row = reader.execute(
                    "SELECT count(*), count(*) FILTER (WHERE name = 'second') FROM roads "
                    "WHERE upper_inf(valid_during)"
                ).fetchone()
                assert row is not None
                seen.add((row[0], row[1]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    codes = [place.load(file)[0] for file in (place.first, place.second)]
    done.set()
    watcher.join()

    assert [0, 0] == codes
    assert {(0, 0), (ROWS, 0), (ROWS, ROWS)} >= seen


def test_two_loads_of_one_layer_at_once_both_end_well(place: Place) -> None:
    children = [place.start_load(file) for file in (place.first, place.second)]
    codes = [(child.communicate(timeout=100), child.returncode)[1] for child in children]

    assert [0, 0] == codes
    assert place.state() in {(ROWS, 0), (ROWS, ROWS)}
    place.check()
    assert [] == place.leftovers()

"""A given database that cannot be used: one sentence, no secret, an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from geoservice.cluster import SUPERUSER, Cluster

SECRET = "S3CRET-WORD"


def run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command of the service on a given database."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "geoservice", *arguments],
        env=os.environ
        | {"GEOSERVICE_DATABASE__URL": url, "GEOSERVICE_DATABASE__ROLE_PASSWORD": SECRET},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def assert_told(done: subprocess.CompletedProcess[str], code: int, word: str) -> None:
    """One sentence on the last line, which names the fault and no secret."""
    said = done.stdout + done.stderr
    assert code == done.returncode, said
    assert "Traceback" not in said
    assert SECRET not in said
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("geoservice: ")
    assert word in last


@pytest.mark.parametrize(
    "command", [("db", "migrate"), ("serve",), ("keys", "list"), ("loads", "list"), ("load",)]
)
def test_a_database_that_does_not_answer_is_told(tmp_path: Path, command: tuple[str, ...]) -> None:
    file = tmp_path / "parcels.geojson"
    file.write_text('{"type": "FeatureCollection", "features": []}')
    arguments = ("load", "parcels", str(file)) if command == ("load",) else command

    done = run(f"postgresql://somebody:{SECRET}@127.0.0.1:1/city", *arguments)

    assert_told(done, 69, "database city at 127.0.0.1:1")


def test_a_refused_login_is_told(cluster: Cluster) -> None:
    host = quote(str(cluster.status().socket_directory), safe="")

    done = run(f"postgresql://nobody:{SECRET}@/city?host={host}&port=5432", "db", "migrate")

    assert_told(done, 69, "authentication failed")


def test_a_database_without_our_tables_is_told(cluster: Cluster) -> None:
    host = quote(str(cluster.status().socket_directory), safe="")

    done = run(f"postgresql://{SUPERUSER}@/postgres?host={host}&port=5432", "keys", "list")

    assert_told(done, 69, "geoservice db migrate")


@pytest.mark.parametrize(
    "url",
    [f"postgresql://u:p@{SECRET}:x@localhost:abc/city", SECRET, f"mysql://u:{SECRET}@localhost/c"],
)
def test_an_address_that_is_none_is_told_without_being_shown(url: str) -> None:
    assert_told(run(url, "loads", "list"), 64, "GEOSERVICE_DATABASE__URL")


def test_an_unknown_option_of_an_address_is_told() -> None:
    done = run(f"postgresql://u:{SECRET}@localhost/city?nonsense=1", "keys", "list")

    assert_told(done, 69, "nonsense")

"""What tests share: a throw-away PostGIS cluster, databases in it, and the service on them.

Everything is real: the cluster is made by the code that ``geoservice up`` uses, migrated by the
same migrations, and read through the same roles.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import Connection
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.cluster import Cluster, ClusterOptions
from geoservice.db import DatabaseAddress
from geoservice.keys import create_key
from geoservice.logs import configure_logs
from geoservice.schema import migrate
from geoservice.settings import DatabaseSettings, LogSettings, Settings
from layers.access import Clearance, Grant
from layers.roles import Role
from tests.support import City

# A busy machine must not fail a property; nobody looks at how long an example took.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")

# An app that runs in a test's own process logs while a command is read: never into its output.
configure_logs(LogSettings(level="WARNING"))

SHARED = Path(os.environ.get("GEOSERVICE_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real files made by others; tests that need them skip where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("the real files are not on this machine: set GEOSERVICE_SHARED")
    return folder


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running throw-away cluster, stopped and removed at the end of the session."""
    folder = Path(tempfile.mkdtemp(prefix="geoservice-test-"))
    folder.chmod(0o755)
    cluster = Cluster(folder, options=ClusterOptions(durable=False))
    cluster.ensure_running()
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def city(cluster: Cluster) -> Iterator[City]:
    """An empty, migrated database of its own for the tests of one module."""
    name = f"city_{secrets.token_hex(4)}"
    settings = Settings(
        database=DatabaseSettings(folder=cluster.folder, name=name, pool_size=2),
        log=LogSettings(level="WARNING"),
    )
    cluster.create_database(name)
    address = DatabaseAddress(settings.database)
    with address.connect(Role.OWNER) as connection:
        migrate(connection)
    yield City(settings, address)
    cluster.drop_database(name)


@pytest.fixture
def loader_connection(city: City) -> Iterator[Connection]:
    """A transaction as the loader role, rolled back at the end of the test."""
    with city.address.connect(Role.LOADER) as connection:
        yield connection
        connection.rollback()


@pytest.fixture(scope="module")
def client(city: City) -> Iterator[TestClient]:
    """The service on the module's database, called in process."""
    with TestClient(create_app(city.settings), raise_server_exceptions=False) as client:
        yield client


KeyMaker = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def headers_of(city: City) -> KeyMaker:
    """Makes a key in the module's database and returns the headers that carry it."""

    def make(clearance: Clearance, *grants: str) -> dict[str, str]:
        with city.address.connect(Role.OWNER) as connection:
            key = create_key(
                connection,
                label="test",
                clearance=clearance,
                grants=[Grant.parse(text) for text in grants],
            )
            connection.commit()
        return {"Authorization": f"Bearer {key}"}

    return make

"""The city that is measured: the sample city, loaded into a cluster of its own and kept.

Cluster and files lie in a cache folder, one for each scale and seed, so that a second run finds
them. The cluster is durable like one that holds a city's only copy, because the cost of durability
belongs to the figures; it runs only while the benchmarks do.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from geoservice.cluster import SUPERUSER, Cluster
from geoservice.cluster.installation import find_installation
from geoservice.db import DatabaseAddress
from geoservice.demo import load_city, make_city
from geoservice.keys import create_key
from geoservice.sample_city import observations_at
from geoservice.schema import migrate
from geoservice.settings import ENV_PREFIX, DatabaseSettings
from layers.access import Clearance
from layers.intake import record_observations
from layers.observations import Observation
from layers.roles import Role

DATABASE = "bench"
FEATURES = 1_000_000
LEAST_FEATURES = 1_000
_CHECKOUT = Path(__file__).resolve().parents[1]
_FIGURES_LAST_S = 86_400
_BATCH = 5_000


@dataclass(frozen=True)
class BenchmarkCity:
    """A loaded city and where it is.

    Attributes:
        folder: Of everything that belongs to it.
        cluster: Its running server.
        scale: Million features.
    """

    folder: Path
    cluster: Cluster
    scale: float
    seed: int

    @property
    def files(self) -> Path:
        """The files that the city was loaded from."""
        return self.folder / "files"

    def settings(self, database: str = DATABASE) -> DatabaseSettings:
        """Settings of a database in the city's cluster."""
        return DatabaseSettings(folder=self.cluster.folder, name=database, url=None)

    def address(self, database: str = DATABASE) -> DatabaseAddress:
        """Address of a database in the city's cluster."""
        return DatabaseAddress(self.settings(database))

    def environment(self, database: str = DATABASE, **more: str) -> dict[str, str]:
        """The environment of a child that works on the city: no other settings of the service."""
        return environment_for(self.cluster.folder, database) | more

    def program(self, name: str) -> str:
        """Path of one of PostgreSQL's own programs."""
        return str(find_installation().programs / name)

    def url(self, database: str = DATABASE, role: str = SUPERUSER) -> str:
        """Address of a database for libpq; as the superuser unless another role is named."""
        return self.cluster.url(database, role)

    @contextmanager
    def as_superuser(self, database: str = DATABASE) -> Iterator[Connection]:
        """A connection in autocommit that may do anything."""
        url = self.url(database).replace("postgresql://", "postgresql+psycopg://", 1)
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    def key(self, clearance: Clearance) -> str:
        """A new API key of a clearance."""
        with self.address().connect(Role.OWNER) as connection:
            key = create_key(connection, label="benchmark", clearance=clearance)
            connection.commit()
        return key

    def server_processor_s(self) -> float:
        """Processor time of the server's processes that have ended, seconds."""
        lock = self.cluster.folder / "postgres" / "data" / "postmaster.pid"
        server = lock.read_text().splitlines()[0]
        fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def settle(self) -> None:
        """Write out what earlier work left, so that it does not disturb what comes."""
        with self.as_superuser() as connection:
            connection.execute(text("CHECKPOINT"))


def default_folder() -> Path:
    """Where cities are kept: a cache folder, of the machine for root, else of the user.

    Started by root, the server runs as another user, who cannot pass through root's home.
    """
    if os.geteuid() == 0:
        return Path("/var/cache/geoservice-benchmarks")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "geoservice-benchmarks"


def tipg_python() -> Path | None:
    """The interpreter of the environment that tipg is installed in, or None."""
    python = _CHECKOUT / ".venv-bench" / "bin" / "python"
    return python if python.exists() else None


def environment_for(folder: Path, database: str) -> dict[str, str]:
    """This process's environment without other settings of the service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    return kept | {
        "GEOSERVICE_DATABASE__FOLDER": str(folder),
        "GEOSERVICE_DATABASE__NAME": database,
    }


@contextmanager
def benchmark_city(cache: Path, *, scale: float, seed: int, fresh: bool) -> Iterator[BenchmarkCity]:
    """The city of a scale and a seed, made and loaded if need be; its server runs meanwhile.

    Args:
        cache: Folder that cities are kept in.
        fresh: Make it anew even if it is there.
    """
    folder = cache / f"scale-{scale:g}-seed-{seed}"
    cluster = Cluster(folder / "cluster")
    if fresh:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
    cluster.ensure_running()
    try:
        city = BenchmarkCity(folder, cluster, scale, seed)
        # A .env file in the folder that make runs in is meant for another installation.
        with chdir(folder):
            _load(city, features=max(LEAST_FEATURES, round(FEATURES * scale)))
            yield city
    finally:
        cluster.stop()


def _load(city: BenchmarkCity, *, features: int) -> None:
    city.cluster.create_database(DATABASE)
    with city.address().connect(Role.OWNER) as connection:
        migrate(connection)
    make_city(city.files, features=features, seed=city.seed)
    os.environ.update(city.environment())
    load_city(city.address(), city.files)
    vacuumed = city.folder / "vacuumed"
    if not vacuumed.exists():
        with city.as_superuser() as connection:
            connection.execute(text("VACUUM (ANALYZE)"))
        vacuumed.touch()


async def refresh_figures(city: BenchmarkCity) -> int:
    """Give every facility with a capacity its figure of this minute, good for a day.

    Returns:
        How many facilities have one.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    figures = [
        Observation(
            feature=one["facility"],
            observed_at=now,
            available=one["available"],
            capacity=one["capacity"],
            resource_type=one["resource_type"],
            ttl_s=_FIGURES_LAST_S,
        )
        for one in observations_at(city.files, city.seed, now)
    ]
    engine = create_async_engine(city.address().url(Role.INGEST), poolclass=NullPool)
    for start in range(0, len(figures), _BATCH):
        async with engine.begin() as connection:
            await record_observations(
                connection,
                figures[start : start + _BATCH],
                level=Clearance.RESTRICTED,
                source="benchmark",
                received_at=now,
            )
    await engine.dispose()
    with city.as_superuser() as connection:
        connection.execute(text("VACUUM (ANALYZE) city.series, city.series_status"))
    return len(figures)

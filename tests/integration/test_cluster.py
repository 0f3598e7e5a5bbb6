"""The embedded cluster: real servers in throw-away folders, as root and as any other user."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import create_engine, text

from geoservice.cluster import SUPERUSER, Cluster, ClusterOptions, admin_sql
from geoservice.cluster.account import Account, run_as, running_account, server_account
from geoservice.cluster.installation import find_installation
from layers.access import Clearance
from layers.errors import ClusterError, InvalidParameter
from layers.roles import MAX_DATABASE_NAME_BYTES, READERS, Role, reader_role, role_name

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(
    not ROOT, reason="only root can change users and mount file systems"
)

DURABLE = ClusterOptions(memory_limit_bytes=256 * 1024**2)
THROW_AWAY = ClusterOptions(durable=False, memory_limit_bytes=256 * 1024**2)

START = """
import sys
from pathlib import Path
from geoservice.cluster import Cluster, ClusterOptions
options = ClusterOptions(durable=False, memory_limit_bytes=256 * 1024**2)
Cluster(Path(sys.argv[1]), options=options).ensure_running()
"""


def start_in_a_child(folder: Path) -> subprocess.Popen[bytes]:
    repository = Path(__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", START, str(folder)], cwd=repository)


def wait_until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.005)


def stop_and_remove(folder: Path) -> None:
    durable = not (folder / "throw-away").exists()
    Cluster(folder, options=DURABLE if durable else THROW_AWAY).stop()
    shutil.rmtree(folder.parent)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a cluster, not made yet, which the server's user can reach."""
    parent = Path(tempfile.mkdtemp(prefix="cluster-"))
    parent.chmod(0o711)
    yield parent / "c"
    stop_and_remove(parent / "c")


@pytest.fixture
def throw_away(folder: Path) -> Cluster:
    """A running cluster without durability."""
    cluster = Cluster(folder, options=THROW_AWAY)
    cluster.ensure_running()
    return cluster


@pytest.fixture(scope="module")
def durable() -> Iterator[Cluster]:
    """A running durable cluster with the databases ``city`` and ``other``; not to be changed."""
    parent = Path(tempfile.mkdtemp(prefix="cluster-"))
    parent.chmod(0o711)
    cluster = Cluster(parent / "c", options=DURABLE)
    try:
        cluster.ensure_running()
        cluster.create_database("city")
        cluster.create_database("other")
        yield cluster
    finally:
        stop_and_remove(parent / "c")


def ask(cluster: Cluster, role: str, statement: str, database: str = "city") -> object:
    with psycopg.connect(cluster.url(database, role), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def server_log(cluster: Cluster) -> str:
    return "".join(path.read_text() for path in (cluster.folder / "log").glob("postgresql-*.log"))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("wal_level", "replica"),
        ("listen_addresses", ""),
        ("jit", "off"),
        ("random_page_cost", "1.1"),
        ("shared_buffers", "128MB"),
        ("server_encoding", "UTF8"),
        ("lc_ctype", "C.UTF-8"),
        ("TimeZone", "UTC"),
    ],
)
def test_a_running_durable_cluster_has_the_setting(
    durable: Cluster, setting: str, expected: str
) -> None:
    assert expected == ask(durable, "owner", f"SHOW {setting}")


def test_folders_are_private_and_the_socket_is_the_only_way_in(durable: Cluster) -> None:
    for name in ("postgres", "postgres/data", "log", "socket"):
        assert stat.S_IMODE((durable.folder / name).stat().st_mode) == 0o700
    rules = (durable.folder / "postgres/data/pg_hba.conf").read_text()
    used = [line.split() for line in rules.splitlines() if not line.startswith("#")]
    assert {"local"} == {fields[0] for fields in used}
    assert {"peer"} == {fields[3] for fields in used}


def test_a_second_start_finds_the_running_server(durable: Cluster) -> None:
    before = durable.status()

    durable.ensure_running()

    assert before == durable.status()
    assert before.running
    assert ("city", "other") == before.databases
    assert before.version is not None
    assert before.version.startswith("15.") or before.version.startswith(("16.", "17."))


def test_the_server_has_a_session_of_its_own(durable: Cluster) -> None:
    pid = durable.status().pid

    assert pid is not None
    assert os.getsid(0) != os.getsid(pid)


def test_a_folder_without_a_cluster_is_looked_at_and_stopped_without_a_trace(folder: Path) -> None:
    cluster = Cluster(folder, options=THROW_AWAY)

    cluster.stop()

    assert not cluster.status().running
    assert cluster.status().version is None
    assert not folder.exists()
    folder.mkdir()


def test_two_concurrent_starts_end_with_one_server(folder: Path) -> None:
    starting = [start_in_a_child(folder) for _ in range(2)]

    assert [0, 0] == [child.wait(timeout=60) for child in starting]
    cluster = Cluster(folder, options=THROW_AWAY)
    assert cluster.status().running
    assert 1 == server_log(cluster).count("starting PostgreSQL")


def test_a_stopped_cluster_starts_again_with_its_databases(throw_away: Cluster) -> None:
    throw_away.create_database("city")
    throw_away.stop()
    throw_away.stop()
    assert not throw_away.status().running
    assert throw_away.status().pid is None

    throw_away.ensure_running()

    assert ("city",) == throw_away.status().databases
    assert "city_owner" == ask(throw_away, "owner", "SELECT current_user")


def test_what_was_committed_outlives_a_killed_server(folder: Path) -> None:
    cluster = Cluster(folder, options=DURABLE)
    cluster.ensure_running()
    cluster.create_database("city")
    ask(cluster, "owner", "CREATE TABLE public.kept AS SELECT generate_series(1, 1000)")
    pid = cluster.status().pid
    assert pid is not None

    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not cluster.status().running)
    cluster.ensure_running()

    assert pid != cluster.status().pid
    assert 1000 == ask(cluster, "owner", "SELECT count(*) FROM public.kept")
    assert "automatic recovery in progress" in server_log(cluster)


def test_a_busy_process_of_a_killed_server_does_not_stop_the_next_start(
    throw_away: Cluster,
) -> None:
    endless = "SELECT count(*) FROM generate_series(1, 1e9::bigint) a, generate_series(1, 1000) b"
    failures: list[psycopg.Error] = []
    busy = threading.Thread(target=_collect, args=(failures, throw_away, endless))
    busy.start()
    active = f"SELECT count(*) FROM pg_stat_activity WHERE query = '{endless}'"
    wait_until(lambda: ask(throw_away, SUPERUSER, active, "postgres") == 1)
    pid = throw_away.status().pid
    assert pid is not None

    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not throw_away.status().running)
    throw_away.ensure_running()

    busy.join(timeout=20)
    assert 1 == len(failures)
    assert throw_away.status().running


def _collect(failures: list[psycopg.Error], cluster: Cluster, statement: str) -> None:
    try:
        ask(cluster, SUPERUSER, statement, "postgres")
    except psycopg.OperationalError as exc:
        failures.append(exc)


def test_a_stale_pid_file_with_the_number_of_another_process_is_no_server(
    throw_away: Cluster,
) -> None:
    data = throw_away.folder / "postgres/data"
    locks = [data / "postmaster.pid", throw_away.folder / "socket/.s.PGSQL.5432.lock"]
    left = [path.read_text().split("\n", 1)[1] for path in locks]
    throw_away.stop()
    user = server_account(data).uid if ROOT else None
    other = subprocess.Popen(["/bin/sleep", "120"], user=user)
    for path, text_after_pid in zip(locks, left, strict=True):
        path.write_text(f"{other.pid}\n{text_after_pid}")
    try:
        assert not throw_away.status().running

        throw_away.ensure_running()

        assert other.poll() is None
        assert throw_away.status().pid not in (None, other.pid)
    finally:
        other.kill()
        other.wait()


def test_a_start_killed_while_the_cluster_was_being_made_is_made_good(folder: Path) -> None:
    making = folder / "postgres/making/base"
    starting = start_in_a_child(folder)
    wait_until(making.exists)

    starting.kill()
    starting.wait()
    assert not (folder / "postgres/data").exists()
    cluster = Cluster(folder, options=THROW_AWAY)
    cluster.ensure_running()

    assert cluster.status().running
    assert not (folder / "postgres/making").exists()


def test_a_half_made_cluster_of_another_day_is_made_anew(folder: Path) -> None:
    (folder / "postgres/making").mkdir(parents=True)
    (folder / "postgres/making/PG_VERSION").write_text("15\n")
    folder.chmod(0o711)
    account = server_account(folder / "postgres/data")
    os.chown(folder / "postgres", account.uid, account.gid)

    cluster = Cluster(folder, options=THROW_AWAY)
    cluster.ensure_running()

    assert cluster.status().running


@pytest.fixture
def mounted(folder: Path) -> Iterator[Path]:
    """A file system of 96 MiB, mounted where the cluster goes."""
    folder.mkdir(mode=0o711)
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=96m,mode=711", "tmpfs", str(folder)]
    if not ROOT or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system can be mounted by root only")
    yield folder
    Cluster(folder, options=THROW_AWAY).stop()
    # The process that writes the log ends a moment after the server.
    unmount = ["/bin/umount", str(folder)]
    wait_until(lambda: subprocess.run(unmount, capture_output=True, check=False).returncode == 0)


def fill(folder: Path, *, leave_bytes: int) -> Path:
    ballast = folder / "ballast"
    free = shutil.disk_usage(folder).free
    ballast.write_bytes(b"\0" * (free - leave_bytes))
    return ballast


def test_a_disk_too_small_for_a_cluster_is_told_and_leaves_nothing(mounted: Path) -> None:
    ballast = fill(mounted, leave_bytes=10 * 1024**2)
    cluster = Cluster(mounted, options=THROW_AWAY)

    with pytest.raises(ClusterError, match="No space left on device"):
        cluster.ensure_running()

    assert [] == list((mounted / "postgres").iterdir())
    ballast.unlink()
    cluster.ensure_running()
    assert cluster.status().running


def test_a_full_disk_at_the_start_is_told_in_the_words_of_the_server(mounted: Path) -> None:
    cluster = Cluster(mounted, options=THROW_AWAY)
    cluster.ensure_running()
    cluster.stop()
    ballast = fill(mounted, leave_bytes=0)

    with pytest.raises(ClusterError, match="No space left on device"):
        cluster.ensure_running()

    ballast.unlink()
    cluster.ensure_running()
    assert cluster.status().running


def test_a_full_disk_while_a_database_is_made_is_told_and_made_good(mounted: Path) -> None:
    cluster = Cluster(mounted, options=THROW_AWAY)
    cluster.ensure_running()
    ballast = fill(mounted, leave_bytes=6 * 1024**2)

    with pytest.raises(ClusterError, match="No space left on device"):
        cluster.create_database("city")

    assert () == cluster.status().databases
    ballast.unlink()
    cluster.ensure_running()
    cluster.create_database("city")
    assert ("city",) == cluster.status().databases


def test_a_failing_start_quotes_the_log_of_the_server(throw_away: Cluster) -> None:
    throw_away.stop()
    own = throw_away.folder / "postgres/data/postgresql.conf"
    own.write_text(own.read_text() + "work_mem = 'a lot'\n")

    with pytest.raises(ClusterError, match='invalid value for parameter "work_mem": "a lot"'):
        throw_away.ensure_running()


def test_a_folder_keeps_the_durability_it_was_made_with(throw_away: Cluster) -> None:
    with pytest.raises(ClusterError, match="was made without durability"):
        Cluster(throw_away.folder, options=DURABLE).ensure_running()


def test_a_folder_of_another_major_version_is_refused_with_the_ways_to_upgrade(
    folder: Path,
) -> None:
    data = folder / "postgres/data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("14\n")
    folder.chmod(0o711)
    account = Account.named("postgres") if ROOT else running_account()
    for path in (data, data.parent):
        os.chown(path, account.uid, account.gid)

    with pytest.raises(ClusterError, match="made by PostgreSQL 14") as refused:
        Cluster(folder).ensure_running()

    assert "pg_upgrade" in str(refused.value)
    assert "export" in str(refused.value)


@needs_root
def test_a_folder_that_the_server_cannot_reach_is_named(folder: Path) -> None:
    folder.parent.chmod(0o700)

    with pytest.raises(ClusterError, match=f"postgres cannot pass through {folder.parent} "):
        Cluster(folder).ensure_running()


@needs_root
def test_data_that_belongs_to_root_is_refused(folder: Path) -> None:
    (folder / "postgres/data").mkdir(parents=True)

    with pytest.raises(ClusterError, match="belongs to root"):
        Cluster(folder).ensure_running()

    shutil.rmtree(folder / "postgres/data")


def test_a_path_too_long_for_a_socket_gets_a_short_one_elsewhere(folder: Path) -> None:
    deep = folder.parent / ("d" * 60) / ("e" * 60) / "c"
    cluster = Cluster(deep, options=THROW_AWAY)
    cluster.ensure_running()
    try:
        socket = cluster.status().socket_directory
        assert deep not in socket.parents
        assert str(socket) == (deep / "socket_directory").read_text()
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        assert 1 == ask(cluster, SUPERUSER, "SELECT 1", "postgres")
    finally:
        cluster.stop()
        socket.rmdir()


@pytest.mark.parametrize("role", list(Role))
def test_every_role_connects_as_itself_and_is_no_superuser(durable: Cluster, role: Role) -> None:
    who = ask(durable, role, "SELECT current_user || ' ' || current_setting('is_superuser')")

    assert f"city_{role} off" == who


def test_the_address_serves_sqlalchemy_as_well(durable: Cluster) -> None:
    url = durable.url("city", Role.OWNER).replace("postgresql:", "postgresql+psycopg:", 1)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert "city_owner" == connection.scalar(text("SELECT current_user"))
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMPORARY TABLE t (a int)",
        "CREATE TABLE public.t (a int)",
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA s",
        "CREATE ROLE somebody",
        "CREATE EXTENSION hstore",
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'x')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
        "INSERT INTO public.spatial_ref_sys (srid) VALUES (999999)",
        "SET ROLE city_owner",
    ],
)
@pytest.mark.parametrize("role", READERS)
def test_a_reader_may_make_nothing_even_outside_its_read_only_transactions(
    durable: Cluster, role: Role, statement: str
) -> None:
    with psycopg.connect(durable.url("city", role), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(InsufficientPrivilege):
            connection.execute(statement.encode())


def test_a_reader_starts_read_only_and_bounded_in_its_own_schema(durable: Cluster) -> None:
    role = reader_role(Clearance.GOVERNMENT)

    assert "on" == ask(durable, role, "SHOW transaction_read_only")
    assert "10s" == ask(durable, role, "SHOW statement_timeout")
    assert "30s" == ask(durable, role, "SHOW idle_in_transaction_session_timeout")
    assert "off" == ask(durable, role, "SHOW jit")
    assert "0" == ask(durable, role, "SHOW max_parallel_workers_per_gather")
    assert "read_government, public" == ask(durable, role, "SHOW search_path")


@pytest.mark.parametrize("database", ["other", "postgres", "template1"])
def test_a_role_connects_to_its_own_database_only(durable: Cluster, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        ask(durable, role_name("city", Role.LOADER), "SELECT 1", database)


def test_the_owner_makes_schemas_and_the_loader_stages_in_temporary_tables(
    durable: Cluster,
) -> None:
    ask(durable, "owner", "CREATE SCHEMA made_by_owner; DROP SCHEMA made_by_owner")
    ask(durable, "loader", "CREATE TEMPORARY TABLE staged (geom geometry)")


@needs_root
def test_the_worker_user_may_be_every_role_but_the_owner_and_the_superuser(folder: Path) -> None:
    cluster = Cluster(folder, options=ClusterOptions(durable=False, worker_user="nobody"))
    cluster.ensure_running()
    cluster.create_database("city")
    psql = find_installation().programs / "psql"
    who = ["--no-psqlrc", "-Atc", "SELECT current_user"]

    def as_worker(role: str) -> str:
        return run_as(Account.named("nobody"), [psql, cluster.url("city", role), *who]).stdout

    assert "city_read_public\n" == as_worker("read_public")
    assert "city_loader\n" == as_worker("loader")
    assert "Peer authentication failed" in as_worker("owner")
    assert "Peer authentication failed" in as_worker(SUPERUSER)


@needs_root
def test_another_user_of_the_machine_gets_nowhere(durable: Cluster) -> None:
    psql = find_installation().programs / "psql"

    told = run_as(Account.named("nobody"), [psql, durable.url("city", "read_public"), "-c", ""])

    assert told.returncode != 0
    assert "Permission denied" in told.stdout


def test_databases_are_made_twice_and_dropped_twice_without_complaint(
    throw_away: Cluster,
) -> None:
    name = "Shen-zhen 深圳 %#?/'"
    for _ in range(2):
        throw_away.create_database(name)
    assert (name,) == throw_away.status().databases
    assert f"{name}_desk" == ask(throw_away, "desk", "SELECT current_user", name)

    for _ in range(2):
        throw_away.drop_database(name)

    assert () == throw_away.status().databases
    left = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'Shen%'"
    assert 0 == ask(throw_away, SUPERUSER, left, "postgres")


@pytest.mark.parametrize("name", ["", "a" * (MAX_DATABASE_NAME_BYTES + 1), 'a"b', "a\nb"])
def test_a_name_that_gives_no_role_names_is_refused(durable: Cluster, name: str) -> None:
    with pytest.raises(InvalidParameter):
        durable.create_database(name)


def test_the_databases_of_the_server_itself_are_refused(durable: Cluster) -> None:
    with pytest.raises(ClusterError, match="choose another name"):
        durable.drop_database("postgres")


def test_the_script_for_administrators_needs_no_superuser_and_may_be_run_again(
    throw_away: Cluster,
) -> None:
    with psycopg.connect(throw_away.url("postgres", SUPERUSER), autocommit=True) as connection:
        connection.execute("CREATE ROLE administrator CREATEROLE CREATEDB")
        connection.execute("CREATE DATABASE given OWNER administrator")
    with psycopg.connect(throw_away.url("given", SUPERUSER), autocommit=True) as connection:
        # What a managed database does for its administrators.
        connection.execute("CREATE EXTENSION postgis; CREATE EXTENSION btree_gist")
        connection.execute("CREATE EXTENSION pgrouting; SET ROLE administrator")
        for _ in range(2):
            connection.execute(admin_sql("given").encode())
        owner = connection.execute(
            "SELECT rolname FROM pg_database JOIN pg_roles ON datdba = pg_roles.oid "
            "WHERE datname = 'given'"
        ).fetchone()

    assert ("given_owner",) == owner


@pytest.fixture
def relocated(tmp_path: Path) -> Path:
    """The pg_config of a copy of the installed PostgreSQL, whose parts a test may take away."""
    programs = find_installation().programs
    shared = Path(
        subprocess.check_output([programs / "pg_config", "--sharedir"], text=True).strip()
    )
    copy = tmp_path / programs.relative_to("/")
    copy.mkdir(parents=True)
    for name in ("pg_config", "postgres", "initdb", "pg_ctl"):
        shutil.copy(programs / name, copy)
    extensions = tmp_path / shared.relative_to("/") / "extension"
    extensions.mkdir(parents=True)
    for name in ("postgis", "btree_gist", "pgrouting"):
        shutil.copy(shared / "extension" / f"{name}.control", extensions)
    return copy / "pg_config"


def test_a_whole_installation_is_taken(relocated: Path) -> None:
    found = find_installation(pg_configs=[relocated])

    assert relocated.parent == found.programs
    assert found.version.startswith(f"{found.major}.")


def test_a_missing_extension_is_named_with_what_to_install(relocated: Path, tmp_path: Path) -> None:
    next(tmp_path.rglob("pgrouting.control")).unlink()

    with pytest.raises(ClusterError, match=r"without pgrouting .*\n.*apt-get install"):
        find_installation(pg_configs=[relocated])


def test_an_old_postgis_is_refused(relocated: Path, tmp_path: Path) -> None:
    next(tmp_path.rglob("postgis.control")).write_text("default_version = '3.2.7'\n")

    with pytest.raises(ClusterError, match=r"PostGIS older than 3\.3"):
        find_installation(pg_configs=[relocated])


def test_a_missing_server_is_told(relocated: Path) -> None:
    relocated.with_name("postgres").unlink()

    with pytest.raises(ClusterError, match="without the server"):
        find_installation(pg_configs=[relocated])


def test_an_unsupported_version_is_told(tmp_path: Path) -> None:
    pg_config = tmp_path / "pg_config"
    pg_config.write_text("#!/bin/sh\necho /bin\necho /share\necho PostgreSQL 14.9\n")
    pg_config.chmod(0o755)

    with pytest.raises(ClusterError, match=r"PostgreSQL 14\.9 is not supported"):
        find_installation(pg_configs=[pg_config])


def test_a_machine_without_postgresql_is_told_where_was_looked() -> None:
    with pytest.raises(ClusterError, match=r"(?s)no PostgreSQL 15 to 17 .*PATH.*apt-get install"):
        find_installation(pg_configs=[])

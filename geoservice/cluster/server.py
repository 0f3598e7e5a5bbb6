"""Making, starting and stopping the server of a cluster with PostgreSQL's own programs."""

from __future__ import annotations

import shutil
import subprocess
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from geoservice.cluster.account import Account, run_as, sync_folder, write_private_file
from geoservice.cluster.configuration import (
    PG_HBA_CONF,
    POSTGRESQL_CONF,
    SUPERUSER,
    ident_text,
)
from geoservice.cluster.folders import ClusterFolders
from geoservice.cluster.installation import SUPPORTED_MAJORS, Installation, find_installation
from layers.errors import ClusterError

_QUOTED_LINES = 12
_STOP_TIMEOUT_S = 300
_GRACE_S = 30
"""How much longer than its own limit pg_ctl may take before it is given up."""


def initialise(
    folders: ClusterFolders,
    installation: Installation,
    account: Account,
    *,
    durable: bool,
    lock: int,
) -> None:
    """Make a new cluster; it stands under its name only when it is whole.

    Args:
        folders: Where; the folders must have been made.
        installation: The PostgreSQL that makes it.
        account: The user that it will belong to.
        durable: Whether to force the new files to disk.
        lock: Descriptor of the cluster's lock, handed to initdb so that an initdb which outlives
            this process keeps everybody else out until it ends.

    Raises:
        ClusterError: initdb failed; the text quotes it. Nothing half-made is left.
    """
    shutil.rmtree(folders.making, ignore_errors=True)
    if folders.making.exists():
        message = f"{folders.making}, left by an interrupted start, cannot be removed"
        raise ClusterError(message)
    try:
        _initdb(folders.making, installation, account, durable=durable, lock=lock)
        _write_first_configuration(folders.making, account)
        folders.making.rename(folders.data)
        sync_folder(folders.private)
    finally:
        shutil.rmtree(folders.making, ignore_errors=True)


def start(
    folders: ClusterFolders, installation: Installation, account: Account, *, timeout_s: int
) -> None:
    """Start the server and wait until it takes connections.

    Raises:
        ClusterError: it did not start in time; the text quotes the end of its log.
    """
    folders.start_log.unlink(missing_ok=True)
    log_sizes = {path: path.stat().st_size for path in folders.log.iterdir()}
    failure = _pg_ctl(
        installation, account, folders.data, ["-l", folders.start_log, "start"], timeout_s
    )
    if failure is not None:
        said = [*_tail(folders.start_log), *_new_lines(folders.log, log_sizes)]
        quoted = "\n".join(f"  {line}" for line in said[-_QUOTED_LINES:]) or f"  {failure}"
        message = f"PostgreSQL did not start in {folders.data}. It says:\n{quoted}"
        raise ClusterError(message)


def stop(folders: ClusterFolders, installation: Installation, account: Account) -> None:
    """Stop the server: connections are ended, open transactions rolled back, all is written.

    Raises:
        ClusterError: it did not stop.
    """
    command = ["-m", "fast", "stop"]
    failure = _pg_ctl(installation, account, folders.data, command, _STOP_TIMEOUT_S)
    if failure is not None:
        message = f"PostgreSQL did not stop in {folders.data}: {failure}"
        raise ClusterError(message)


def installation_for(data: Path) -> Installation:
    """The PostgreSQL that can run a data folder, or make one where none is.

    Raises:
        ClusterError: none on this machine can; for a folder of another major version the text
            names the ways to upgrade.
    """
    if not data.exists():
        return find_installation()
    major = data_major(data)
    try:
        return find_installation(major)
    except ClusterError as exc:
        raise ClusterError(_how_to_upgrade(data, major, str(exc))) from exc


def data_major(data: Path) -> int:
    """The major version of PostgreSQL that made a data folder.

    Raises:
        ClusterError: the folder does not hold a cluster.
    """
    try:
        return int((data / "PG_VERSION").read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError) as exc:
        message = f"{data} does not hold a PostgreSQL cluster (it has no PG_VERSION)"
        raise ClusterError(message) from exc


def _initdb(
    target: Path, installation: Installation, account: Account, *, durable: bool, lock: int
) -> None:
    command = [
        installation.programs / "initdb",
        *("--pgdata", target, "--username", SUPERUSER, "--encoding", "UTF8"),
        *("--locale", "C", "--lc-ctype", "C.UTF-8", "--data-checksums"),
        *("--auth-local", "peer", "--auth-host", "reject", "--no-instructions"),
        *(() if durable else ("--no-sync",)),
    ]
    done = run_as(account, command, pass_fds=(lock,))
    if done.returncode != 0:
        said = "\n".join(f"  {line}" for line in done.stdout.splitlines()[-_QUOTED_LINES:])
        message = f"PostgreSQL could not make a cluster in {target}. It says:\n{said}"
        raise ClusterError(message)


def _write_first_configuration(data: Path, account: Account) -> None:
    write_private_file(data / "postgresql.conf", POSTGRESQL_CONF, account)
    write_private_file(data / "pg_hba.conf", PG_HBA_CONF, account)
    write_private_file(data / "pg_ident.conf", ident_text([], [account.name], None), account)


def _pg_ctl(
    installation: Installation,
    account: Account,
    data: Path,
    action: Sequence[str | Path],
    timeout_s: int,
) -> str | None:
    """Run pg_ctl and wait; what it said if it failed, else None."""
    program = installation.programs / "pg_ctl"
    command = [program, "-D", data, "-w", "-s", "-t", str(timeout_s), *action]
    try:
        done = run_as(account, command, timeout_s=timeout_s + _GRACE_S)
    except subprocess.TimeoutExpired:
        return f"no answer within {timeout_s + _GRACE_S} s"
    return None if done.returncode == 0 else done.stdout.strip()


def _tail(path: Path, offset_bytes: int = 0) -> list[str]:
    if not path.exists():
        return []
    with path.open(errors="replace") as file:
        file.seek(offset_bytes)
        return [line.rstrip() for line in deque(file, maxlen=_QUOTED_LINES)]


def _new_lines(log: Path, sizes: dict[Path, int]) -> Iterator[str]:
    """What the server has written to its log since the sizes were taken."""
    for path in sorted(log.glob("postgresql-*.log")):
        before, now = sizes.get(path, 0), path.stat().st_size
        yield from _tail(path, before if now >= before else 0)  # smaller: begun anew


def _how_to_upgrade(data: Path, major: int, reason: str) -> str:
    first, last = SUPPORTED_MAJORS[0], SUPPORTED_MAJORS[-1]
    return (
        f"{data} was made by PostgreSQL {major}, which alone can run it.\n{reason}\n"
        f"To move it to another version ({first} to {last}), stop the service and run pg_upgrade "
        f"with the programs of both versions; or export the layers where PostgreSQL {major} still "
        f"runs and load them into a new folder."
    )

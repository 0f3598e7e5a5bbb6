"""The server process of a data folder: whether it lives, and what a dead one left behind.

``postmaster.pid`` alone does not tell: after a crash its number may belong to another process.
Every PostgreSQL process has the data folder as its working directory: that is what is looked at.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from layers.errors import ClusterError

_PROCESSES = Path("/proc")
_ORPHANS_MAY_LAST_S = 10.0


def server_pid(data: Path) -> int | None:
    """The process number of the server that runs in a data folder, or None."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    return pid if _works_in(pid, data) else None


def clear_remains(data: Path, socket_lock: Path) -> None:
    """Remove what a server that died has left: processes that still run, then its two lock files.

    PostgreSQL would refuse to start beside any of them, if the dead server's number is in use again
    or not yet given back. The files may only go after the processes, because they are also
    PostgreSQL's guard against two servers in one folder.

    Args:
        data: The data folder, in which no server runs.
        socket_lock: The lock file beside the socket; left alone if it names another data folder.

    Raises:
        ClusterError: processes of the dead server do not end.
    """
    deadline = time.monotonic() + _ORPHANS_MAY_LAST_S
    while orphans := list(_server_children(data)):
        if time.monotonic() > deadline:
            message = f"processes of a server that died still run in {data}: {orphans}"
            raise ClusterError(message)
        for pid in orphans:  # what the postmaster itself sends them when one of them crashes
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
        time.sleep(0.1)
    (data / "postmaster.pid").unlink(missing_ok=True)
    if _named_folder(socket_lock) == str(data):
        socket_lock.unlink()


def _named_folder(lock: Path) -> str | None:
    """The data folder that a lock file of PostgreSQL names in its second line."""
    try:
        return lock.read_text().splitlines()[1]
    except (FileNotFoundError, IndexError):
        return None


def _works_in(pid: int, data: Path) -> bool:
    if not _PROCESSES.joinpath("self", "cwd").exists():  # not Linux: do as PostgreSQL does
        return _is_alive(pid)
    try:
        return (_PROCESSES / str(pid) / "cwd").samefile(data)
    except OSError:  # no such process, a zombie, or another user's
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _server_children(data: Path) -> Iterator[int]:
    for entry in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):
            title = (entry / "cmdline").read_bytes()
            if title.startswith(b"postgres: ") and _works_in(int(entry.name), data):
                yield int(entry.name)

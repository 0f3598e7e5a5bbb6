"""The operating system's user that a cluster belongs to, and doing things as that user.

PostgreSQL refuses to run as root: started by root, the server runs as ``postgres``. Root also
writes the server's configuration, in folders that the other user could change under its hands:
files are therefore made by name inside a folder that was opened without following links.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from layers.errors import ClusterError

_SERVER_USER = "postgres"


@dataclass(frozen=True)
class Account:
    """A user of the operating system."""

    name: str
    uid: int
    gid: int

    @classmethod
    def of(cls, uid: int) -> Account:
        """The account of a user number.

        Raises:
            ClusterError: the number has no name here; PostgreSQL needs one to know who connects.
        """
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            message = f"user number {uid} has no name on this machine (no line in /etc/passwd)"
            raise ClusterError(message) from None
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    @classmethod
    def named(cls, name: str) -> Account:
        """The account of a user name.

        Raises:
            ClusterError: there is no such user.
        """
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            message = f"there is no operating system user {name!r}"
            raise ClusterError(message) from None
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)


def running_account() -> Account:
    """The account that runs this process."""
    return Account.of(os.geteuid())


def server_account(data: Path) -> Account:
    """The account that the server of a data folder runs as: its owner, or who is to own it.

    Raises:
        ClusterError: the folder belongs to root or, unless root asks, to somebody else.
    """
    caller = running_account()
    if not data.exists():
        return Account.named(_SERVER_USER) if caller.uid == 0 else caller
    owner = Account.of(data.stat().st_uid)
    if owner.uid == 0:
        message = f"{data} belongs to root, and PostgreSQL refuses to run as root"
        raise ClusterError(message)
    if caller.uid not in (0, owner.uid):
        message = f"{data} belongs to {owner.name}: run this as {owner.name} or as root"
        raise ClusterError(message)
    return owner


def run_as(
    account: Account,
    command: Sequence[str | Path],
    *,
    timeout_s: float | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a program as an account, away from this process's session, folder and environment.

    Its own session keeps a Ctrl-C at our terminal from the server. Of the environment only the
    search path is passed: PGDATA, PGOPTIONS, PROJ_DATA and the like are meant for other servers.

    Returns:
        The ended process, with both its outputs as text in ``stdout``.
    """
    other = os.geteuid() != account.uid
    return subprocess.run(
        [str(part) for part in command],
        cwd="/",
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        user=account.uid if other else None,
        group=account.gid if other else None,
        extra_groups=[account.gid] if other else None,
        umask=0o077,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout_s,
        pass_fds=pass_fds,
        check=False,
    )


def make_private_folder(folder: Path, account: Account, *, group: int | None = None) -> None:
    """Make a folder that only an account may enter; a group, where given, may pass through it.

    Raises:
        ClusterError: something else stands there, or it belongs to somebody else.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    descriptor = _open_folder(folder)
    try:
        owner = os.fstat(descriptor).st_uid
        if owner != account.uid:
            message = f"{folder} belongs to user number {owner}, not to {account.name}"
            raise ClusterError(message)
        if group is not None:
            os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, 0o700 if group is None else 0o710)
    finally:
        os.close(descriptor)


def write_private_file(path: Path, text: str, account: Account) -> None:
    """Write a file that only an account may read; after a crash it is the old one or the new."""
    folder = _open_folder(path.parent)
    temporary = f".{path.name}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=folder), "w") as file:
            file.write(text)
            file.flush()
            os.fchown(file.fileno(), account.uid, account.gid)
            os.fsync(file.fileno())
        os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    finally:
        os.close(folder)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to disk, so that a rename outlives a power cut."""
    descriptor = _open_folder(folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_reachable(folder: Path, account: Account) -> None:
    """See that an account can pass through every folder above one.

    Raises:
        ClusterError: it cannot; the text names the folder that stops it.
    """
    if account.uid == os.geteuid():
        return
    for parent in reversed(folder.resolve().parents):
        if run_as(account, ["test", "-x", parent]).returncode != 0:
            message = (
                f"the server runs as {account.name}, and {account.name} cannot pass through "
                f"{parent} (on the way to {folder}). Put the data elsewhere, or run: "
                f"chmod o+x {parent}"
            )
            raise ClusterError(message)


def _open_folder(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)

"""Where the parts of a cluster lie in its folder, and the lock that lets one process change them.

FOLDER/                 passable by the server's user
  lock                  held while a cluster is made, started, stopped or changed
  postgres/data/        the cluster (postgres/making/ until initdb has ended)
  log/                  the server's log, a week of it
  socket/               the server's socket
  socket_directory      where the socket lies instead, when the folder's path is too long
  throw-away            stands in clusters that were made without durability
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geoservice.cluster.account import (
    Account,
    check_reachable,
    make_private_folder,
    write_private_file,
)
from geoservice.cluster.configuration import PORT

_SOCKET_NAME = f".s.PGSQL.{PORT}"
_LONGEST_SOCKET_PATH_BYTES = 103
"""What fits into sockaddr_un: 107 on Linux, 103 on macOS."""


class ClusterFolders:
    """The paths of one cluster."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.private = self.root / "postgres"
        self.data = self.private / "data"
        self.making = self.private / "making"
        self.log = self.root / "log"
        self.start_log = self.log / "start.log"
        self.ident = self.data / "pg_ident.conf"
        self.throw_away = self.root / "throw-away"
        self._socket_pointer = self.root / "socket_directory"

    @property
    def socket(self) -> Path:
        """The folder of the socket, whether or not the server runs."""
        if self._socket_pointer.exists():
            return Path(self._socket_pointer.read_text())
        return self.root / "socket" if _fits(self.root / "socket") else _short_folder(self.root)

    @property
    def socket_lock(self) -> Path:
        """The file with which a running server guards its socket."""
        return self.socket / f"{_SOCKET_NAME}.lock"

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Be the only process that changes the cluster; gives the lock's file descriptor.

        A child that inherits the descriptor keeps the lock should this process be killed.
        """
        self._make_root()
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def make(self, account: Account, *, socket_group: int | None) -> None:
        """Make the folders that the server writes to; what stands is left as it is.

        Raises:
            ClusterError: the server's user cannot reach the folder, or one belongs to another user.
        """
        check_reachable(self.private, account)
        make_private_folder(self.private, account)
        make_private_folder(self.log, account)
        socket = self.socket
        make_private_folder(socket, account, group=socket_group)
        if socket.parent != self.root:
            self._remember_socket(socket)

    def _make_root(self) -> None:
        """Root's folders let the server's user pass through; anybody else's are their own."""
        mode = 0o711 if os.geteuid() == 0 else 0o700
        missing = [path for path in (self.root, *self.root.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=mode, exist_ok=True)
            path.chmod(mode)  # whatever the umask is

    def _remember_socket(self, socket: Path) -> None:
        """Keep the place for processes whose environment would choose another."""
        write_private_file(self._socket_pointer, str(socket), Account.of(os.geteuid()))
        self._socket_pointer.chmod(0o644)


def _fits(folder: Path) -> bool:
    """Whether a socket can lie in a folder; libpq takes a comma for the end of a host's name."""
    path = os.fsencode(folder / _SOCKET_NAME)
    return len(path) <= _LONGEST_SOCKET_PATH_BYTES and b"," not in path


def _short_folder(root: Path) -> Path:
    name = f"geoservice-{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}"
    if os.geteuid() == 0 and Path("/run").is_dir():
        return Path("/run") / name
    own = os.environ.get("XDG_RUNTIME_DIR")
    candidates = [Path(own) / name] if own else []
    fitting = [folder for folder in candidates if folder.parent.is_dir() and _fits(folder)]
    return (fitting or [Path("/tmp") / name])[0]  # noqa: S108  # its owner is checked when made

"""Private folders of loads, where archives are unpacked: gone when a load ends, however it ends.

A load that is killed cannot remove its folder, so the next one does. A lock on the folder, which
dies with its process, tells a folder that is in use from one that was left.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "geoservice-load-"
_GRACE_S = 60
"""Younger folders are left alone: their load may be about to take the lock."""


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that nobody else may enter, for as long as the block lasts."""
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, _opened(Path(name)) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Path(name)


def _sweep(parent: Path) -> None:
    """Remove the folders of this user's loads that died."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another's, in use, or gone meanwhile
            found = folder.lstat()
            if found.st_uid == os.geteuid() and time.time() - found.st_mtime > _GRACE_S:
                with _opened(folder) as descriptor:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)

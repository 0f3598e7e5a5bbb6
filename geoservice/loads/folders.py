"""The folder of uploads: one folder an upload, for its owner only, bounded together.

A lock on a folder, which dies with its process, tells an upload that is coming in from one that
was cut off by a death of the service.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from layers.errors import StorageFull

_TOKEN = re.compile("[0-9a-f]{32}")
_RESERVE_BYTES = 200_000_000
"""Room on the disk that uploads leave to the database and its logs."""


class UploadFolders:
    """The folders of all uploads.

    Args:
        root: Made when it is first needed, mode 0700.
        quota_bytes: Most bytes of all files together.
    """

    def __init__(self, root: Path, quota_bytes: int) -> None:
        self._root = root
        self._quota_bytes = quota_bytes

    def of(self, token: str) -> Path:
        """The folder of an upload.

        Raises:
            ValueError: the token is none of ours, which is a fault of the database's content.
        """
        if not _TOKEN.fullmatch(token):
            message = "not the name of an upload's folder"
            raise ValueError(message)
        return self._root / token

    @contextmanager
    def receive(self) -> Iterator[Path]:
        """A new folder for files that are coming in; gone unless the block ends well.

        Its name is the upload's token.
        """
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = self._root / secrets.token_hex(16)
        folder.mkdir(mode=0o700)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            os.close(descriptor)

    def room_bytes(self) -> int:
        """How many bytes may still come in: within the quota, and on the disk.

        Raises:
            StorageFull: none.
        """
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(self._root).free - _RESERVE_BYTES
        room = min(self._quota_bytes - self.used_bytes(), free)
        if room <= 0:
            message = f"uploads may take no more room ({self._quota_bytes} bytes, {free} free)"
            raise StorageFull(message)
        return room

    def used_bytes(self) -> int:
        """Bytes of all files that are kept."""
        total = 0
        for file in self._root.glob("*/*"):
            with suppress(FileNotFoundError):  # removed meanwhile
                total += file.stat().st_size
        return total

    def tokens(self) -> list[str]:
        """The uploads that have a folder."""
        if not self._root.is_dir():
            return []
        return [f.name for f in self._root.iterdir() if _TOKEN.fullmatch(f.name)]

    def is_coming_in(self, token: str) -> bool:
        """Whether the files of an upload are being received now."""
        try:
            descriptor = os.open(self.of(token), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def remove(self, token: str) -> None:
        """Remove the files of an upload, if they are there."""
        shutil.rmtree(self.of(token), ignore_errors=True)

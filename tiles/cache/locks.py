"""One rendering of a tile at a time, over all processes of a host: locks that die with their owner.

A lock is one byte of a file far beyond its end, at a place that follows from the key. Two keys may
share a place; then one waits for the other for nothing, which is rare and harmless. Locks are those
of POSIX: of the process, so whoever is within one process keeps order by itself.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from hashlib import blake2b
from pathlib import Path

_PLACES = 2**48


class TileLocks:
    """The locks of a host's tiles.

    Args:
        file: Empty, made if it is not there.
    """

    def __init__(self, file: Path) -> None:
        self._held: Counter[int] = Counter()
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Let go of all locks."""
        os.close(self._descriptor)

    def take(self, key: bytes) -> bool:
        """Take the lock of a key if no other process has it."""
        place = _place(key)
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            return False
        self._held[place] += 1
        return True

    def give_back(self, key: bytes) -> None:
        """Give the lock of a key back."""
        place = _place(key)
        self._held[place] -= 1
        if not self._held[place]:
            del self._held[place]
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, place)


def _place(key: bytes) -> int:
    return int.from_bytes(blake2b(key, digest_size=8).digest()) % _PLACES

"""Reads that end when nobody waits for them any more.

A read of GDAL cannot be broken off, but what makes a picture or figures is many of them: between
two of them it looks whether to go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

_R = TypeVar("_R")


class NobodyWaits(Exception):
    """Whoever asked for it has gone, or was told that it takes too long."""


class Patience:
    """How long somebody waits for reads, in whatever thread these are.

    Args:
        seconds: From now on, at most.
    """

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    def end(self) -> None:
        """Wait no longer."""
        self._ends_at = 0.0

    def run(self, read: Callable[[], _R]) -> _R:
        """What is read, as long as somebody waits.

        Raises:
            NobodyWaits: nobody does.
        """
        token = _patience.set(self)
        try:
            go_on()
            return read()
        finally:
            _patience.reset(token)

    @property
    def is_over(self) -> bool:
        """Whether nobody waits any more."""
        return time.monotonic() >= self._ends_at


_patience: ContextVar[Patience | None] = ContextVar("patience", default=None)


def go_on() -> None:
    """Go on reading, unless nobody waits for it.

    Raises:
        NobodyWaits: nobody does.
    """
    patience = _patience.get()
    if patience is not None and patience.is_over:
        raise NobodyWaits

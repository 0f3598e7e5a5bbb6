"""One worker of a host makes a tile; the others wait for it and take it out of the cache."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tiles.cache import CachedTile, TileLocks

_LOOK_AGAIN_S = 0.005
_LOOK_AGAIN_AT_MOST_S = 0.1
"""How often a worker looks whether another one has made what it waits for."""


@asynccontextmanager
async def claimed(
    locks: TileLocks | None, key: bytes, look: Callable[[], CachedTile | None]
) -> AsyncIterator[CachedTile | None]:
    """The tile that another worker has made meanwhile; None is for the caller to make.

    Until the block ends no other worker of the host makes it.

    Args:
        locks: Of the host; None where nothing is shared.
        key: Packed.
        look: Takes the tile out of the cache, if it is there.
    """
    pause_s, is_ours = _LOOK_AGAIN_S, locks is not None and locks.take(key)
    while locks is not None and not is_ours:
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LOOK_AGAIN_AT_MOST_S)
        found = look()
        if found is not None:
            yield found
            return
        is_ours = locks.take(key)
    try:
        # It may have been stored between the first look and the lock.
        yield look()
    finally:
        if locks is not None:
            locks.give_back(key)

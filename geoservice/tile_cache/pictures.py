"""Pictures of raster tiles: in the memory of a worker, and in the cache that the host shares.

Their keys name the very files that they are made of, and the clearance as which these were found,
so no change makes one wrong.
"""

from __future__ import annotations

import asyncio
import time
from struct import Struct

from geoservice.raster_work import MemoryCache
from geoservice.tile_cache.keeper import CacheKeeper
from tiles.cache import CachedTile, Seen, TileCache, TileKey
from tiles.grids import WEB_MERCATOR

_DIGEST = Struct(">qq8s")
"""The end of a key of a picture, as the fields of a key that are wide enough for it."""

_NO_TAG = bytes(16)
"""Pictures are kept with their own tags."""


class KeptPictures:
    """A ``RasterCache`` of a worker, over that of the host."""

    def __init__(self, keeper: CacheKeeper, memory: MemoryCache) -> None:
        self._keeper = keeper
        self._memory = memory
        self._storing: set[asyncio.Future[bool]] = set()

    def get(self, key: bytes) -> bytes | None:
        """What is kept under a key."""
        content = self._memory.get(key)
        cache = self._keeper.cache
        if content is not None or cache is None:
            return content
        found = cache.get(_tile_key(cache, key))
        if found is None:
            return None
        self._memory.put(key, found.body)
        return found.body

    def put(self, key: bytes, content: bytes) -> None:
        """Keep something, if there is room; the host's cache takes it a moment later."""
        self._memory.put(key, content)
        cache = self._keeper.cache
        if cache is None:
            return
        picture = CachedTile.of(content, _NO_TAG, gzip_level=0)
        seen = Seen(cache.last_change, (), has_cached_parts=False, began_at=time.time())
        # Another process may be writing, and nobody should wait for it.
        loop = asyncio.get_running_loop()
        storing = loop.run_in_executor(None, cache.store, _tile_key(cache, key), picture, seen)
        self._storing.add(storing)
        storing.add_done_callback(self._stored)

    async def finish(self) -> None:
        """Wait until what is being stored is stored."""
        while self._storing:
            await asyncio.gather(*self._storing, return_exceptions=True)

    def _stored(self, storing: asyncio.Future[bool]) -> None:
        self._storing.discard(storing)
        if not storing.cancelled():
            storing.exception()  # a picture that is not kept is drawn again


def _tile_key(cache: TileCache, key: bytes) -> TileKey:
    at, recorded, variant = _DIGEST.unpack(key[-_DIGEST.size :])
    number = cache.number_of_set(("rasters",), "", 0.0)
    return TileKey(number, WEB_MERCATOR, 0, 0, 0, 0, at, recorded, variant)

"""Pictures of rasters in the cache that all processes of a host share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from geoservice import __version__
from geoservice.tile_cache.keeper import CacheKeeper
from layers.access import Clearance
from tiles.cache import CachedTile, Seen, TileKey
from tiles.cache.keys import variant_of
from tiles.matrix import TileAddress
from tiles.raster.rendering import Drawing
from tiles.raster.source import RasterSource

SET_NAME = "rasters/pictures"
"""What the cache calls the set of these tiles; no layer can be named so."""


class RasterCache:
    """Pictures under keys that name the very files, so that no change ever touches one.

    Who may see a raster is decided before a key is made, from the catalogue.
    """

    def __init__(self, keeper: CacheKeeper) -> None:
        self._keeper = keeper

    def key(
        self,
        sources: Sequence[RasterSource],
        level: Clearance,
        address: TileAddress,
        drawing: Drawing,
    ) -> TileKey | None:
        """The key of a tile; None while nothing is cached."""
        cache = self._keeper.cache
        if cache is None:
            return None
        files = ",".join(source.sha256 for source in sources)
        said = f"{files}|{drawing.canonical}".encode()
        return TileKey(
            cache.number_of_set([SET_NAME], __version__, 0),
            address.grid,
            address.z,
            address.x,
            address.y,
            int(level),
            variant=variant_of(said),
        )

    def get(self, key: TileKey) -> CachedTile | None:
        """What is kept under a key."""
        cache = self._keeper.cache
        found = cache.get(key) if cache is not None else None
        if found is not None:
            self._keeper.count("hits")
        return found

    async def put(self, key: TileKey, tile: CachedTile) -> None:
        """Keep a tile, if there is room."""
        self._keeper.count("misses")
        cache = self._keeper.cache
        if cache is not None:
            seen = Seen(cache.last_change, (), False, time.time())
            await asyncio.to_thread(cache.store, key, tile, seen)

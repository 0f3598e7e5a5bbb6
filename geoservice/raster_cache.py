"""Pictures of rasters in the cache that all processes of a host share."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from geoservice import __version__
from geoservice.db import Database
from geoservice.tile_answer import TileForm
from geoservice.tile_cache.claims import claimed
from geoservice.tile_cache.keeper import CacheKeeper
from geoservice.tile_cache.times import KeyTimes, LayerTimes
from layers.access import Access, Clearance
from layers.rasters import LAYER_NAME
from tiles.cache import CachedTile, Seen, TileCache, TileKey
from tiles.cache.entries import FOREVER
from tiles.cache.keys import variant_of
from tiles.matrix import TileAddress
from tiles.raster.rendering import FORMATS, Drawing
from tiles.raster.source import RasterSource

SET_NAME = "rasters/pictures"
"""What the cache calls the set of these tiles; no layer can be named so."""

_REMEMBERED_REQUESTS = 50_000


@dataclass(frozen=True)
class Said:
    """A request as it came: what is said again means the same."""

    path: str
    query: bytes


@dataclass(frozen=True)
class _Known:
    """What a request is known to ask for.

    Attributes:
        key: Packed.
        catalogue: Version of the catalogue's instants, which rises with each change of it.
        expires_at: Microseconds since 1970 from which on other versions may hold.
    """

    cache: TileCache
    key: bytes
    catalogue: int
    expires_at: int
    form: TileForm


class RasterCache:
    """Pictures under keys that name the very files, so that no change ever touches one.

    Who may see a raster is decided from the catalogue, before a key is made. What a request was
    found to ask for is known until the catalogue changes.
    """

    def __init__(self, database: Database, keeper: CacheKeeper) -> None:
        self._keeper = keeper
        self._times = LayerTimes(database)
        self._known: OrderedDict[tuple[str, bytes, int], _Known] = OrderedDict()

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

    def catalogue(self) -> KeyTimes | None:
        """What is known of the catalogue, asked before it is read; None while nothing is cached."""
        cache = self._keeper.cache
        return None if cache is None else self._times.of(cache, [LAYER_NAME], None)

    def remember(
        self,
        said: Said,
        level: Clearance,
        key: TileKey,
        drawing: Drawing,
        catalogue: KeyTimes,
        *,
        is_now: bool,
    ) -> None:
        """Know what a request asks for, for ``hit``.

        Args:
            catalogue: What was known of it before the rasters of the key were looked up.
            is_now: Whether the present was asked for, whenever that is.
        """
        cache = self._keeper.cache
        if cache is None:
            return
        ((_, version),) = catalogue.instants
        expires_at = catalogue.expires_at if is_now else FOREVER
        form = TileForm.picture(FORMATS[drawing.extension])
        known = _Known(cache, key.packed(), version, expires_at, form)
        self._known[said.path, said.query, int(level)] = known
        while len(self._known) > _REMEMBERED_REQUESTS:
            self._known.popitem(last=False)

    def hit(self, path: str, query: bytes, access: Access) -> tuple[CachedTile, TileForm] | None:
        """The picture of a request that is known and cached, without waiting for anything."""
        cache = self._keeper.cache
        name = (path, query, int(access.level))
        known = self._known.get(name)
        if cache is None or known is None:
            return None
        if (
            known.cache is not cache
            or known.catalogue != cache.instants_version(LAYER_NAME)
            or known.expires_at <= time.time() * 1e6
        ):
            del self._known[name]
            return None
        found = cache.get_packed(known.key)
        if found is None:
            return None
        self._keeper.count("hits")
        return found, known.form

    def get(self, key: TileKey) -> CachedTile | None:
        """What is kept under a key."""
        cache = self._keeper.cache
        return cache.get(key) if cache is not None else None

    def count(self, name: str) -> None:
        """Count a hit, a miss or what was made for several."""
        self._keeper.count(name)

    def claimed(self, key: TileKey) -> AbstractAsyncContextManager[CachedTile | None]:
        """As ``geoservice.tile_cache.claims.claimed``."""
        return claimed(self._keeper.locks, key.packed(), lambda: self.get(key))

    async def put(self, key: TileKey, tile: CachedTile) -> None:
        """Keep a tile, if there is room."""
        cache = self._keeper.cache
        if cache is not None:
            seen = Seen(cache.last_change, (), False, time.time())
            await asyncio.to_thread(cache.store, key, tile, seen)

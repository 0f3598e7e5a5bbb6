"""The service of tiles for a command, which serves nobody over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from geoservice.db import Database, DatabaseAddress
from geoservice.settings import Settings
from geoservice.tile_cache.keeper import CacheKeeper
from geoservice.tile_service import TileService
from tiles.cache import CacheFolder
from tiles.vector import TileOptions

_POOL_SIZE = 2


@dataclass(frozen=True)
class OpenedTiles:
    """Tiles, and the database that they come from."""

    database: Database
    service: TileService
    options: TileOptions


@asynccontextmanager
async def opened_tiles(settings: Settings, *, uses_cache: bool) -> AsyncIterator[OpenedTiles]:
    """Tiles as the service gives them, with the cache of this host or without any."""
    database = Database(DatabaseAddress(settings.database), _POOL_SIZE)
    options = TileOptions(settings.tiles.extent, settings.tiles.buffer)
    folder = CacheFolder(settings.tile_cache_folder, settings.tiles.cache_bytes)
    keeper = CacheKeeper(database, folder if uses_cache else None)
    service = TileService(database, keeper, settings.tiles)
    try:
        async with keeper.running():
            yield OpenedTiles(database, service, options)
            await service.settled()
    finally:
        await database.close()

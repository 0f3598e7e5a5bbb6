"""Pictures of raster tiles outlive the worker that drew them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from geoservice.db import Database
from geoservice.raster_work import MemoryCache
from geoservice.tile_cache.keeper import CacheKeeper
from geoservice.tile_cache.pictures import KeptPictures
from tests.support import City
from tiles.cache import CacheFolder

KEYS = [b"raster" + bytes([number]) * 24 for number in range(2)]


async def _kept_by_another_worker(city: City, folder: CacheFolder) -> list[bytes | None]:
    database = Database(city.address, 1)
    async with CacheKeeper(database, folder).running() as first:
        pictures = KeptPictures(first, MemoryCache(10_000))
        pictures.put(KEYS[0], b"drawn once")
        await pictures.finish()
    async with CacheKeeper(database, folder).running() as second:
        pictures = KeptPictures(second, MemoryCache(10_000))
        found = [pictures.get(key) for key in KEYS]
    await database.close()
    return found


def test_a_picture_that_one_worker_drew_another_one_answers(city: City, tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path / "tiles", 1_000_000)

    found = asyncio.run(_kept_by_another_worker(city, folder))

    assert [b"drawn once", None] == found

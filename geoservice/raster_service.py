"""Rasters as the service gives them: found at the caller's level, read in threads, kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from psycopg.rows import namedtuple_row
from sqlalchemy import text

from geoservice.db import Database
from geoservice.raster_cache import RasterCache, Said
from geoservice.raster_work import RasterThreads
from geoservice.shared_work import SharedWork
from geoservice.tile_answer import TileForm
from layers.access import Access
from layers.errors import InvalidParameter, UnknownRaster
from layers.extent import BBox
from layers.raster_reads import all_versions, numbers_among, versions_by_name
from layers.rasters import LAYER_NAME, RasterKind
from layers.recorded import SETTLED, refuse_unsettled
from tiles.cache import CachedTile, TileKey
from tiles.matrix import TileAddress
from tiles.query import TileTime
from tiles.raster.rendering import Drawing, check_drawing, render_tile
from tiles.raster.source import RasterSource

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True)
class RasterAsk:
    """One picture that somebody asks for.

    Attributes:
        names: Of rasters, the first on top.
        at: Of valid time; None is the present, whenever that is.
    """

    names: tuple[str, ...]
    address: TileAddress
    drawing: Drawing
    at: datetime | None = None
    as_recorded: datetime | None = None


class RasterService:
    """Rasters for one worker.

    Args:
        folder: Of the rasters' files.
        most: Rasters that may be joined.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        threads: RasterThreads,
        cache: RasterCache,
        most: int,
    ) -> None:
        self._database = database
        self._folder = folder
        self._threads = threads
        self._cache = cache
        self._most = most
        self._making: SharedWork[CachedTile] = SharedWork()

    async def find(self, access: Access, names: Sequence[str], time: TileTime) -> list[Any]:
        """Rows of the catalogue, in the order of the names.

        Raises:
            UnknownRaster: there is none of a name at that instant, or it is hidden.
            InvalidParameter: there are too many, or one is named twice.
        """
        if len(names) > self._most:
            raise InvalidParameter("rasters", len(names), f"at most {self._most} at once")
        await self._refuse_unsettled(access, time.as_recorded)
        statement = versions_by_name(is_earlier_belief=time.as_recorded is not None)
        parameters = {
            "names": list(names),
            "numbers": numbers_among(names),
            "at": time.at,
            "as_recorded": time.as_recorded,
        }
        async with self._database.readers(access).connection() as connection:
            cursor = connection.cursor(row_factory=namedtuple_row)
            rows: list[Any] = await (
                await cursor.execute(statement, parameters, prepare=True)
            ).fetchall()
        by_name = {row.name: row for row in rows} | {str(row.raster_id): row for row in rows}
        for name in names:
            if name not in by_name:
                raise UnknownRaster(name)
        found = [by_name[name] for name in names]
        if len({row.raster_id for row in found}) < len(found):
            raise InvalidParameter("rasters", ",".join(names), "names a raster twice")
        return found

    async def held(self, access: Access, time: TileTime) -> list[Any]:
        """Rows of all rasters that the caller may see, by name."""
        await self._refuse_unsettled(access, time.as_recorded)
        async with self._database.read(access) as connection:
            return list((await connection.execute(all_versions(time.at, time.as_recorded))).all())

    async def _refuse_unsettled(self, access: Access, as_recorded: datetime | None) -> None:
        if as_recorded is None:
            return
        parameters = {"layer": LAYER_NAME, "as_recorded": as_recorded}
        async with self._database.read(access) as connection:
            found = (await connection.execute(text(SETTLED), parameters)).one()
        refuse_unsettled(as_recorded, is_ahead=found.is_ahead, is_open=found.is_open)

    def source(self, row: Any) -> RasterSource:
        """What a row of the catalogue says of its file."""
        return RasterSource(
            name=row.name,
            path=self._folder / row.file_name,
            sha256=row.sha256,
            kind=RasterKind(row.kind),
            bounds=BBox(*row.bounds),
            bands=row.bands,
            dtype=row.dtype,
            nodata=row.nodata,
            resolution_m=row.resolution_m,
        )

    async def tile(self, access: Access, ask: RasterAsk, said: Said | None = None) -> CachedTile:
        """One tile of rasters, the first on top; of those that nobody keeps, each is made once.

        Args:
            said: What asks for it; said again, it is answered by ``hit``.

        Raises:
            UnknownRaster: as ``find``; so does InvalidParameter.
            InvalidParameter: the drawing cannot be.
            ServiceBusy: too much is under way.
            QueryTimedOut: it took too long.
        """
        catalogue = self._cache.catalogue()
        rows = await self.find(access, ask.names, time_asked(ask.at, ask.as_recorded))
        sources = [self.source(row) for row in rows]
        check_drawing(ask.drawing, sources)
        key = self._cache.key(sources, access.level, ask.address, ask.drawing)
        if key is None:
            return await self._render(sources, ask.address, ask.drawing)
        tile = self._cache.get(key)
        if tile is None:
            tile = await self._made_once(key, sources, ask)
        else:
            self._cache.count("hits")
        if said is not None and catalogue is not None:
            self._cache.remember(
                said, access.level, key, ask.drawing, catalogue, is_now=ask.at is None
            )
        return tile

    def hit(self, path: str, query: bytes, access: Access) -> tuple[CachedTile, TileForm] | None:
        """As ``RasterCache.hit``."""
        return self._cache.hit(path, query, access)

    async def _made_once(
        self, key: TileKey, sources: Sequence[RasterSource], ask: RasterAsk
    ) -> CachedTile:
        name = key.packed()
        self._cache.count("coalesced" if self._making.is_under_way(name) else "misses")

        async def make(result: asyncio.Future[CachedTile]) -> None:
            async with self._cache.claimed(key) as found:
                tile = found or await self._render(sources, ask.address, ask.drawing)
                result.set_result(tile)
                if found is None:
                    await self._cache.put(key, tile)

        return await self._making.result(name, make)

    async def _render(
        self, sources: Sequence[RasterSource], address: TileAddress, drawing: Drawing
    ) -> CachedTile:
        made = await self._threads.run(render_tile, sources, address, drawing, most=self._most)
        tag = blake2b(made.content, digest_size=16).digest()
        # Pictures are compressed as they are.
        return CachedTile.of(made.content, tag, gzip_level=0, left_out=made.left_out)

    async def run(self, read: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """What a blocking read returns, as ``RasterThreads.run``."""
        return await self._threads.run(read, *args, **kwargs)

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.close()


def time_asked(at: datetime | None, as_recorded: datetime | None) -> TileTime:
    """The instants of a request; now where it says none."""
    return TileTime(at or datetime.now(UTC), as_recorded)

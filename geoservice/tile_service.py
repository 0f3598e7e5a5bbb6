"""Vector tiles as the service gives them: out of the cache, or rendered once for all who wait."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from weakref import WeakValueDictionary

from geoservice import __version__
from geoservice.api.parameters import refuse_unsettled_belief
from geoservice.db import Database
from geoservice.fair_queue import FairQueue, Party
from geoservice.settings import TileSettings
from geoservice.shared_work import SharedWork
from geoservice.tile_answer import VECTOR_TILE, TileForm
from geoservice.tile_cache.claims import claimed
from geoservice.tile_cache.keeper import CacheKeeper
from geoservice.tile_cache.times import KeyTimes, LayerTimes, instant_of
from layers.access import Access
from layers.base import Layer
from layers.registry import is_registered
from tiles.cache import CachedTile, Seen, TileCache, TileKey
from tiles.cache.keys import variant_of
from tiles.matrix import TileAddress
from tiles.query import TileQuery
from tiles.vector import RenderedLayer, TileOptions, render_layer

_REMEMBERED_REQUESTS = 50_000

_COMPRESS_ASIDE_FROM_BYTES = 20_000
"""From here on compressing takes longer than going to another thread and back."""


@dataclass(frozen=True)
class TileAsk:
    """One tile that somebody asks for.

    Attributes:
        queries: One for each layer, in order, all of one level and at the same times.
        is_now: Whether the present is asked for, whenever that is.
    """

    queries: tuple[TileQuery, ...]
    address: TileAddress
    is_now: bool

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in order."""
        return tuple(query.layer for query in self.queries)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the layers, in order."""
        return tuple(query.layer.name for query in self.queries)

    def at(self, instant: datetime) -> TileAsk:
        """The same, of another instant of valid time."""
        queries = [replace(q, time=replace(q.time, at=instant)) for q in self.queries]
        return replace(self, queries=tuple(queries))

    @property
    def as_recorded(self) -> datetime | None:
        """The instant of recorded time, if one is asked for."""
        return self.queries[0].time.as_recorded


@dataclass(slots=True)
class _Known:
    """What a request is known to ask for.

    Attributes:
        present: A cache, and the packed key of the tile in it, where the tile is one of the present
            as it is believed now: its key does not change with the clock.
    """

    ask: TileAsk
    present: tuple[TileCache, bytes] | None = None


class TileService:
    """The tiles of one worker."""

    def __init__(self, database: Database, keeper: CacheKeeper, settings: TileSettings) -> None:
        self._database = database
        self._keeper = keeper
        self._options = TileOptions(settings.extent, settings.buffer)
        self._gzip_level = settings.gzip_level
        self._times = LayerTimes(database)
        self._queue = FairQueue(
            settings.max_renders, settings.max_waiting, settings.max_waiting_per_client
        )
        self._making: SharedWork[CachedTile] = SharedWork()
        # For whom each is made, as long as it is.
        self._parties: WeakValueDictionary[tuple[bytes, int], Party] = WeakValueDictionary()
        self._asked: OrderedDict[tuple[str, bytes, int], _Known] = OrderedDict()

    def remember(self, path: str, query: bytes, ask: TileAsk) -> None:
        """Know what a request of a path and a query string asks for, for ``hit``.

        It was answered, so an instant of recorded time that it names is settled, and stays so.
        """
        self._asked[path, query, int(ask.queries[0].level)] = _Known(ask)
        while len(self._asked) > _REMEMBERED_REQUESTS:
            self._asked.popitem(last=False)

    def hit(self, path: str, query: bytes, access: Access) -> tuple[CachedTile, TileForm] | None:
        """The tile of a request that is known and cached, without waiting for anything."""
        cache = self._keeper.cache
        name = (path, query, int(access.level))
        known = self._asked.get(name)
        if cache is None or known is None:
            return None
        if not all(is_registered(query.layer) for query in known.ask.queries):
            # A theme was edited: the same words mean another layer.
            del self._asked[name]
            return None
        found = self._found(cache, known)
        if found is None:
            return None
        self._keeper.count("hits")
        return found, VECTOR_TILE

    def _found(self, cache: TileCache, known: _Known) -> CachedTile | None:
        if known.present is not None and known.present[0] is cache:
            found = cache.get_packed(known.present[1])
            return found if found is not None and found.expires_at > time.time() * 1e6 else None
        ask = known.ask
        times = self._known_times_of(cache, ask)
        if times is None:
            return None
        key = self._key(cache, ask, times)
        if ask.is_now and ask.as_recorded is None:
            known.present = cache, key.packed()
        return self._get(cache, key, times)

    async def answer(
        self, access: Access, ask: TileAsk, client: str = "", *, gzip: bool = True
    ) -> CachedTile:
        """One tile.

        Args:
            client: For whom, as far as turns are concerned.
            gzip: Whether it is to be sent compressed. What is kept is compressed in any case.

        Raises:
            InvalidParameter: the instant of recorded time is ahead of the clock.
            NotYetSettled: a publication under way may lie before it.
            ServiceBusy: too many tiles are being waited for, or too many by the client.
        """
        return await self._answer(access, ask, Party(client), gzip=gzip)

    async def _answer(
        self, access: Access, ask: TileAsk, party: Party, *, gzip: bool = True
    ) -> CachedTile:
        await refuse_unsettled_belief(self._database, access, ask.layers, ask.as_recorded)
        cache = self._keeper.cache
        if cache is None:
            return await self._rendered(access, ask, party, gzip=gzip)
        times = await self._times_of(cache, ask)
        key = self._key(cache, ask, times)
        found = self._get(cache, key, times)
        if found is not None:
            self._keeper.count("hits")
            return found
        return await self._made_once(access, ask, key, times, cache.last_change, party)

    async def settled(self) -> None:
        """Wait until what was rendered is stored."""
        await self._making.settled()

    async def _times_of(self, cache: TileCache, ask: TileAsk) -> KeyTimes:
        time_ = ask.queries[0].time
        if time_.as_recorded is None:
            return self._times.of(cache, ask.names, None if ask.is_now else time_.at)
        return await self._times.as_recorded(cache, ask.names, time_.at, time_.as_recorded)

    def _known_times_of(self, cache: TileCache, ask: TileAsk) -> KeyTimes | None:
        """The times of what was asked for before, if they are known without asking for them."""
        at = ask.queries[0].time.at
        if ask.as_recorded is None:
            return self._times.of(cache, ask.names, None if ask.is_now else at)
        at = datetime.now(UTC) if ask.is_now else at
        return self._times.known_as_recorded(cache, ask.names, at, ask.as_recorded)

    def _key(self, cache: TileCache, ask: TileAsk, times: KeyTimes) -> TileKey:
        fingerprint = _fingerprint(ask.layers, self._options)
        margin = self._options.buffer / self._options.extent
        address = ask.address
        return TileKey(
            cache.number_of_set(ask.names, fingerprint, margin),
            address.grid,
            address.z,
            address.x,
            address.y,
            int(ask.queries[0].level),
            times.at,
            times.recorded,
            variant_of(b"\n\n".join(query.canonical for query in ask.queries)),
        )

    @staticmethod
    def _get(cache: TileCache, key: TileKey, times: KeyTimes) -> CachedTile | None:
        found = cache.get(key)
        if found is None or found.expires_at <= times.now:
            return None
        return found

    async def _made_once(
        self,
        access: Access,
        ask: TileAsk,
        key: TileKey,
        times: KeyTimes,
        change_no: int,
        party: Party,
    ) -> CachedTile:
        """The tile, which is rendered only once however many ask for it meanwhile.

        Args:
            change_no: Of the last change that was heard of. What began before a change is not for
                those who ask after it.
        """
        name = (key.packed(), change_no)
        self._join(name, party)

        async def make(result: asyncio.Future[CachedTile]) -> None:
            await self._make(access, ask, key, times, party, result)

        return await self._making.result(name, make)

    def _join(self, name: tuple[bytes, int], party: Party) -> None:
        """Let those who make a tile do so for a party too, or the party make it."""
        if not self._making.is_under_way(name):
            self._keeper.count("misses")
            self._parties[name] = party
            return
        self._keeper.count("coalesced")
        made_for = self._parties.get(name)
        if made_for is not None:
            # What a busy client asked for comes in the turn of another one, if that is sooner.
            for client in party.clients:
                self._queue.join(made_for, client)

    async def _make(
        self,
        access: Access,
        ask: TileAsk,
        key: TileKey,
        times: KeyTimes,
        party: Party,
        result: asyncio.Future[CachedTile],
    ) -> None:
        def look() -> CachedTile | None:
            cache = self._keeper.cache
            return self._get(cache, key, times) if cache is not None else None

        async with claimed(self._keeper.locks, key.packed(), look) as found:
            if found is not None:
                result.set_result(found)
                return
            tile, seen = await self._render(access, ask, times, party)
            result.set_result(tile)
            cache = self._keeper.cache
            if cache is not None and seen is not None:
                await asyncio.to_thread(cache.store, key, tile, seen)

    async def _render(
        self, access: Access, ask: TileAsk, times: KeyTimes, party: Party
    ) -> tuple[CachedTile, Seen | None]:
        """The tile, and what may be known of it when it is stored; None if it cannot be."""
        began_at = time.time()
        if ask.is_now:
            # The very instant for which it was found out until when the present lasts.
            ask = ask.at(instant_of(times.now))
        cache = self._keeper.cache
        change_no = cache.last_change if cache is not None else 0
        if len(ask.queries) == 1:
            part = await self._render_layer(access, ask.queries[0], ask.address, party)
            seen = Seen(change_no, (part.snapshot,), False, began_at, times.instants)
            tile = await self._tile_of(part.content, part.left_out, times)
            # A layer that has nothing to say at a zoom was not read.
            return tile, seen if part.snapshot else None
        # Each part is made, and cached, as a tile of its own.
        singles = [TileAsk((query,), ask.address, ask.is_now) for query in ask.queries]
        parts = [await self._answer(access, single, party) for single in singles]
        content = b"".join([part.content for part in parts])
        times = times.until(min(part.expires_at for part in parts))
        tile = await self._tile_of(content, sum(part.left_out for part in parts), times)
        return tile, Seen(change_no, (), True, began_at, times.instants)

    async def _rendered(
        self, access: Access, ask: TileAsk, party: Party, *, gzip: bool
    ) -> CachedTile:
        """The tile without any cache."""
        parts = [
            await self._render_layer(access, query, ask.address, party) for query in ask.queries
        ]
        content = b"".join(part.content for part in parts)
        left_out = sum(part.left_out for part in parts)
        return await self._tile_of(content, left_out, KeyTimes(), gzip=gzip)

    async def _render_layer(
        self, access: Access, query: TileQuery, address: TileAddress, party: Party
    ) -> RenderedLayer:
        async with (
            self._queue.turn(party),
            self._database.readers(access).connection() as connection,
        ):
            began = time.perf_counter()
            rendered = await render_layer(connection, query, address, self._options)
            self._keeper.note_render(time.perf_counter() - began, query, address)
            return rendered

    async def _tile_of(
        self, content: bytes, left_out: int, times: KeyTimes, *, gzip: bool = True
    ) -> CachedTile:
        def tile() -> CachedTile:
            return CachedTile.of(
                content,
                blake2b(content, digest_size=16).digest(),
                gzip_level=self._gzip_level if gzip else 0,
                left_out=left_out,
                expires_at=times.expires_at,
                until=times.ends,
            )

        if not gzip or len(content) < _COMPRESS_ASIDE_FROM_BYTES:
            return tile()
        # Off the event loop: zlib lets other threads run.
        return await asyncio.to_thread(tile)


@lru_cache(maxsize=1024)
def _fingerprint(layers: Sequence[Layer], options: TileOptions) -> str:
    """Changes with anything in descriptors or options that makes tiles others."""
    return blake2b(f"{__version__} {options} {layers}".encode(), digest_size=16).hexdigest()

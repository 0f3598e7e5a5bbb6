"""The store of cached tiles: one LMDB environment for all processes of a host.

Reads take no lock. Writes are one transaction at a time over all processes, and each keeps what the
others rely on: a tile is stored only if no change that its rendering did not see lies over it, and
a change deletes the tiles that it touches and is remembered, both before the transaction ends.

Nothing is synced to the disk: what a crash of the machine may leave half written is thrown away
when the machine has started again.
"""

from __future__ import annotations

import json
import pickle
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Any, TypeVar

import lmdb

from layers.errors import StoreUnavailable
from tiles.cache.entries import CachedTile, sizes_of, stamp_of, until_of
from tiles.cache.keys import GRID_NAMES, TileKey, place_key, set_key
from tiles.cache.purging import TileChange, boxes_of, columns_of
from tiles.cache.snapshots import is_visible
from tiles.grids import GRIDS

CHANGES_KEPT_S = 300
"""How long a change is remembered: no rendering may take longer and still be stored."""

_RESTAMPED_AFTER_S = 300
"""Age of a stamp from which on it is renewed when the tile is wanted."""

_FILLED = 0.9
"""Share of the bound above which the oldest tiles are dropped, a few with each that is stored."""

_DROPPED_AT_ONCE = 256
"""A transaction needs new pages for what it drops, so it must not drop much."""

_CHANGES_PARSED = 1_000
"""How many changes are remembered as objects, too."""

_MAP_FACTOR = 2
"""LMDB keeps pages of transactions that are still read, so its map is larger than what it holds."""

_FORMAT = 3
"""Of keys and tiles; a cache of another one is emptied."""

_LEAST_MAP_BYTES = 64 << 20

_LAST_ZOOM = 30
_AGE = Struct(">I")
_NUMBER = Struct(">Q")


_Done = TypeVar("_Done")


@dataclass(frozen=True)
class CacheFolder:
    """Where the cache lies and how much it may hold.

    Attributes:
        max_bytes: Of tiles; the file may take twice as much.
    """

    path: Path
    max_bytes: int


@dataclass(frozen=True)
class SlowRender:
    """A rendering that took long.

    Attributes:
        level: Clearance as which it was rendered.
        at: Seconds since 1970.
    """

    milliseconds: float
    layers: str
    grid: str
    z: int
    x: int
    y: int
    level: int
    at: float


SLOW_KEPT = 20
"""How many of the slowest renderings are remembered."""


@dataclass(frozen=True)
class Seen:
    """What a rendering saw of the layers of its tile.

    Attributes:
        change_no: ``TileCache.last_change`` before the first part was read, whatever its source.
        snapshots: Of the statements that read rows.
        has_cached_parts: Whether a part came out of the cache, of which no snapshot is known.
        began_at: When it began, ``time.time()``.
        instants: For each layer the version of its instants that the key was made with.
    """

    change_no: int
    snapshots: tuple[str, ...]
    has_cached_parts: bool
    began_at: float
    instants: tuple[tuple[str, int], ...] = ()


class TileCache:
    """The tiles of one database on this host.

    Args:
        identity: Of the database; a cache of another one is emptied. None looks at the cache as it
            is, whatever it is of.
    """

    def __init__(self, folder: CacheFolder, identity: str | None) -> None:
        self._folder = folder
        self._clean = folder.path / "synced"
        self._environment = _open(folder)
        open_db = self._environment.open_db
        self._tiles, self._ages = open_db(b"tiles"), open_db(b"ages")
        self._sets, self._meta = open_db(b"sets"), open_db(b"meta")
        self._changes = open_db(b"changes")
        self._wanted: set[bytes] = set()
        self._parsed: OrderedDict[bytes, TileChange] = OrderedDict()
        if identity is not None:
            self._forget_if_foreign(identity)

    def close(self) -> None:
        """Let go of the store, with everything on disk."""
        self._environment.sync(True)
        self._clean.write_text(str(self._environment.info()["last_txnid"]))
        self._environment.close()

    def get(self, key: TileKey) -> CachedTile | None:
        """The tile of a key, if there is one."""
        return self.get_packed(key.packed())

    def get_packed(self, key: bytes) -> CachedTile | None:
        """The tile of a packed key, if there is one."""
        with self._environment.begin(db=self._tiles, buffers=True) as transaction:
            value = transaction.get(key)
            if value is None:
                return None
            tile = CachedTile.unpacked(value)
        if time.time() - tile.stamp > _RESTAMPED_AFTER_S:
            self._wanted.add(key)
        return tile

    def number_of_set(self, layers: Sequence[str], fingerprint: str, margin: float) -> int:
        """The number of a set of layers as they are described now; given once, never again.

        Args:
            layers: Names, in the order of the tile.
            fingerprint: Changes with anything that makes their tiles others.
            margin: Share of a tile's width that its buffer takes.
        """
        digest = _digest(tuple(layers), fingerprint, margin)
        with self._environment.begin(db=self._sets) as reading:
            known = reading.get(digest)
        if known is not None:
            return _number(known)

        def add(transaction: lmdb.Transaction) -> int:
            known = transaction.get(digest, db=self._sets)
            if known is not None:
                return _number(known)
            number = self._count(transaction, b"sets")
            said = {"layers": list(layers), "margin": margin}
            transaction.put(digest, _NUMBER.pack(number), db=self._sets)
            transaction.put(_number_key(number), json.dumps(said).encode(), db=self._sets)
            return number

        return self._write(add)

    @property
    def last_change(self) -> int:
        """The number of the last change that was applied here."""
        with self._environment.begin(db=self._meta) as transaction:
            return _number(transaction.get(b"changes"))

    def instants(self, layer: str) -> tuple[int, bytes]:
        """The instants at which a layer changes: their version, and sorted int64 microseconds."""
        with self._environment.begin(db=self._meta) as transaction:
            version = _number(transaction.get(b"version:" + layer.encode()))
            return version, transaction.get(b"instants:" + layer.encode()) or b""

    def instants_version(self, layer: str) -> int:
        """The version of the instants of a layer, which rises when there are others."""
        with self._environment.begin(db=self._meta) as transaction:
            return _number(transaction.get(b"version:" + layer.encode()))

    def store(self, key: TileKey, tile: CachedTile, seen: Seen) -> bool:
        """Keep a tile, unless something changed that its rendering did not see."""
        if time.time() - seen.began_at > CHANGES_KEPT_S / 2:
            return False
        stamp = int(time.time())
        packed, value = key.packed(), tile.packed(stamp)

        def put(transaction: lmdb.Transaction) -> bool:
            if not self._may_store(transaction, key, tile, seen):
                return False
            self._put(transaction, packed, value, stamp)
            self._drop_oldest(transaction, _FILLED * self._folder.max_bytes)
            return True

        return self._write(put)

    def _may_store(
        self, transaction: lmdb.Transaction, key: TileKey, tile: CachedTile, seen: Seen
    ) -> bool:
        said = transaction.get(_number_key(key.tile_set), db=self._sets)
        if said is None:
            # The cache was emptied meanwhile, and nobody would purge the tiles of this number.
            return False
        for layer, version in seen.instants:
            if version != _number(transaction.get(b"version:" + layer.encode(), db=self._meta)):
                return False
        return not self._is_overtaken(transaction, key, tile, seen, json.loads(bytes(said)))

    def apply(
        self,
        reached_before: str | None,
        reached: str,
        changes: Sequence[TileChange],
        instants: dict[str, bytes],
    ) -> int | None:
        """Delete the tiles that changes touch, and remember that these were heard of.

        Args:
            reached_before: The snapshot that the changes were asked from.
            reached: The one that they were read in.
            instants: For each layer that has others now, all its instants.

        Returns:
            How many tiles were deleted; None if another process got further meanwhile.

        Raises:
            StoreUnavailable: there is no room to write it down.
        """

        def purge(transaction: lmdb.Transaction) -> int | None:
            if _text(transaction.get(b"reached", db=self._meta)) != reached_before:
                return None
            purged = sum(self._purge(transaction, change) for change in changes)
            for change in changes:
                self._remember(transaction, change)
            self._reach(transaction, reached, instants)
            self._restamp(transaction)
            self._forget_old_changes(transaction)
            return purged

        return self._write(purge)

    def begin_anew(
        self, reached_before: str | None, reached: str, instants: dict[str, bytes]
    ) -> None:
        """Empty the cache, and take a snapshot as reached with the instants of all layers.

        Nothing is done if another process got further than ``reached_before`` meanwhile.
        """

        def begin(transaction: lmdb.Transaction) -> None:
            if _text(transaction.get(b"reached", db=self._meta)) == reached_before:
                self._empty(transaction)
                self._reach(transaction, reached, instants)

        self._write(begin)

    def reached(self) -> tuple[str | None, float]:
        """The snapshot up to which changes were applied, and when, ``time.time()``."""
        with self._environment.begin(db=self._meta) as transaction:
            return (
                _text(transaction.get(b"reached")),
                _number(transaction.get(b"reached_at")) / 1e3,
            )

    def restamp(self) -> None:
        """Write down which tiles were wanted since the last time."""
        if self._wanted:
            self._write(self._restamp)

    def used_bytes(self) -> int:
        """How much the tiles take, in whole pages."""
        with self._environment.begin() as transaction:
            return self._used(transaction)

    def tiles(self) -> Iterator[tuple[TileKey, CachedTile]]:
        """All tiles with their keys."""
        with self._environment.begin(db=self._tiles, buffers=True) as transaction:
            for key, value in transaction.cursor():
                yield TileKey.unpacked(bytes(key)), CachedTile.unpacked(value)

    def sizes(self) -> Iterator[tuple[TileKey, int, int]]:
        """The keys of all tiles, with their bytes as they are kept and before compression."""
        with self._environment.begin(db=self._tiles, buffers=True) as transaction:
            for key, value in transaction.cursor():
                yield TileKey.unpacked(bytes(key)), *sizes_of(value)

    def slowest(self) -> list[SlowRender]:
        """The renderings that took longest since the cache was made, the slowest first."""
        with self._environment.begin(db=self._meta) as transaction:
            return _unpacked_slow(transaction.get(_SLOWEST))

    def remember_slow(self, renders: Iterable[SlowRender]) -> None:
        """Keep the slowest of some renderings and of those that are remembered."""

        def remember(transaction: lmdb.Transaction) -> None:
            known = _unpacked_slow(transaction.get(_SLOWEST, db=self._meta))
            slowest = sorted({*known, *renders}, key=lambda one: -one.milliseconds)[:SLOW_KEPT]
            packed = json.dumps([astuple(one) for one in slowest]).encode()
            transaction.put(_SLOWEST, packed, db=self._meta)

        self._write(remember)

    def layers_of_sets(self) -> dict[int, tuple[str, ...]]:
        """The layers of all sets by their numbers."""
        with self._environment.begin(db=self._sets) as transaction:
            found = self._described_sets(transaction)
            return {number: tuple(said["layers"]) for number, said in found}

    def count(self, counts: dict[str, int]) -> None:
        """Add to the counters of the host."""

        def add(transaction: lmdb.Transaction) -> None:
            for name, more in counts.items():
                key = b"count:" + name.encode()
                before = _number(transaction.get(key, db=self._meta))
                transaction.put(key, _NUMBER.pack(before + more), db=self._meta)

        self._write(add)

    def counts(self) -> dict[str, int]:
        """The counters of the host since the cache was made."""
        with self._environment.begin(db=self._meta) as transaction:
            cursor = transaction.cursor()
            found = {}
            if cursor.set_range(b"count:"):
                for key, value in cursor:
                    name = bytes(key)
                    if not name.startswith(b"count:"):
                        break
                    found[name.removeprefix(b"count:").decode()] = _number(value)
            return found

    def _forget_if_foreign(self, identity: str) -> None:
        """Empty a cache of another database, or one that a crash of the machine may have torn."""
        wanted = {"database": identity, "boot": _boot_id(), "format": _FORMAT}
        synced = self._clean.read_text() if self._clean.exists() else ""
        last = str(self._environment.info()["last_txnid"])
        with self._environment.begin(write=True) as transaction:
            found = json.loads(transaction.get(b"mark", db=self._meta) or b"{}")
            if synced == last:
                # All of it is on disk, whatever became of the machine since.
                found["boot"] = wanted["boot"]
            if found != wanted:
                self._empty(transaction)
            transaction.put(b"mark", json.dumps(wanted).encode(), db=self._meta)

    def _empty(self, transaction: lmdb.Transaction) -> None:
        mark = transaction.get(b"mark", db=self._meta)
        kept = {key: _number(transaction.get(key, db=self._meta)) for key in (b"changes", b"sets")}
        versions = self._versions(transaction)
        for database in (self._tiles, self._ages, self._sets, self._meta, self._changes):
            transaction.drop(database, delete=False)
        # Numbers never come again: a rendering under way may still hold one.
        for key, number in (*kept.items(), *versions.items()):
            transaction.put(key, _NUMBER.pack(number + 1), db=self._meta)
        if mark is not None:
            transaction.put(b"mark", mark, db=self._meta)

    def _versions(self, transaction: lmdb.Transaction) -> dict[bytes, int]:
        found = {}
        cursor = transaction.cursor(db=self._meta)
        if cursor.set_range(b"version:"):
            for key, value in cursor:
                if not bytes(key).startswith(b"version:"):
                    break
                found[bytes(key)] = _number(value)
        return found

    def _count(self, transaction: lmdb.Transaction, name: bytes) -> int:
        """The next number of a row of numbers."""
        number = _number(transaction.get(name, db=self._meta)) + 1
        transaction.put(name, _NUMBER.pack(number), db=self._meta)
        return number

    def _put(self, transaction: lmdb.Transaction, key: bytes, value: bytes, stamp: int) -> None:
        self._delete(transaction, key)
        transaction.put(key, value, db=self._tiles)
        transaction.put(_AGE.pack(stamp) + key, b"", db=self._ages)

    def _delete(self, transaction: lmdb.Transaction, key: bytes) -> bool:
        value = transaction.get(key, db=self._tiles)
        if value is None:
            return False
        transaction.delete(_AGE.pack(stamp_of(value)) + key, db=self._ages)
        transaction.delete(key, db=self._tiles)
        return True

    def _used(self, transaction: lmdb.Transaction) -> int:
        pages, page_bytes = 0, 0
        for database in (self._tiles, self._ages):
            said = transaction.stat(database)
            pages += said["branch_pages"] + said["leaf_pages"] + said["overflow_pages"]
            page_bytes = said["psize"]
        return pages * page_bytes

    def _drop_oldest(self, transaction: lmdb.Transaction, most_bytes: float) -> None:
        """Drop tiles that nobody has wanted for longest, until the others take so much or less."""
        oldest = transaction.cursor(db=self._ages)
        for _ in range(_DROPPED_AT_ONCE):
            if self._used(transaction) <= most_bytes or not oldest.first():
                return
            self._delete(transaction, bytes(oldest.key())[_AGE.size :])

    def _reach(
        self, transaction: lmdb.Transaction, reached: str, instants: dict[str, bytes]
    ) -> None:
        for layer, packed in instants.items():
            name = layer.encode()
            transaction.put(b"instants:" + name, packed, db=self._meta)
            self._count(transaction, b"version:" + name)
        transaction.put(b"reached", reached.encode(), db=self._meta)
        transaction.put(b"reached_at", _pack_time(time.time()), db=self._meta)

    def _write(self, work: Callable[[lmdb.Transaction], _Done]) -> _Done:
        """Do something in a transaction; where there is no page left, without any tiles.

        Raises:
            StoreUnavailable: it cannot be written to.
        """
        try:
            with self._environment.begin(write=True) as transaction:
                return work(transaction)
        except lmdb.MapFullError:
            self._drop_tiles()
        try:
            with self._environment.begin(write=True) as transaction:
                return work(transaction)
        except lmdb.Error as error:
            message = f"the cache of tiles cannot be written to: {type(error).__name__}"
            raise StoreUnavailable(message) from error

    def _drop_tiles(self) -> None:
        """Drop all tiles of a store without a free page; what is known of changes stays.

        Raises:
            StoreUnavailable: not even that can be done.
        """
        # Readers of long ago may hold pages that were given up since.
        self._environment.reader_check()
        try:
            with self._environment.begin(write=True) as transaction:
                for database in (self._tiles, self._ages):
                    transaction.drop(database, delete=False)
        except lmdb.Error as error:
            message = f"the cache of tiles cannot be emptied: {type(error).__name__}"
            raise StoreUnavailable(message) from error

    def _restamp(self, transaction: lmdb.Transaction) -> None:
        wanted, self._wanted = self._wanted, set()
        stamp = int(time.time())
        for key in wanted:
            value = transaction.get(key, db=self._tiles)
            if value is not None:
                tile = CachedTile.unpacked(value)
                self._put(transaction, key, tile.packed(stamp), stamp)

    def _is_overtaken(
        self,
        transaction: lmdb.Transaction,
        key: TileKey,
        tile: CachedTile,
        seen: Seen,
        said: dict[str, Any],
    ) -> bool:
        now = int(seen.began_at * 1e6)
        for change in self._unseen(transaction, seen):
            if (
                change.layer in said["layers"]
                and change.concerns(key, tile.until, now)
                and change.touches(boxes_of([key], said["margin"]))[0]
            ):
                return True
        return False

    def _unseen(self, transaction: lmdb.Transaction, seen: Seen) -> Iterator[TileChange]:
        """Changes that a rendering may not have seen; most it saw, and these are not parsed."""
        for key, value in transaction.cursor(db=self._changes):
            is_new = seen.has_cached_parts and _number(key) > seen.change_no
            xid = _xid_of(value)
            if is_new or not all(is_visible(xid, one) for one in seen.snapshots):
                yield self._parsed_change(bytes(key), bytes(value))

    def _parsed_change(self, key: bytes, value: bytes) -> TileChange:
        parsed = self._parsed.get(key)
        if parsed is None:
            parsed = self._parsed[key] = _unpacked_change(value)
            while len(self._parsed) > _CHANGES_PARSED:
                self._parsed.popitem(last=False)
        return parsed

    def _remember(self, transaction: lmdb.Transaction, change: TileChange) -> None:
        number = self._count(transaction, b"changes")
        transaction.put(_NUMBER.pack(number), _packed_change(change), db=self._changes)

    def _forget_old_changes(self, transaction: lmdb.Transaction) -> None:
        cursor = transaction.cursor(db=self._changes)
        while cursor.first():
            if time.time() - _applied_at(cursor.value()) < CHANGES_KEPT_S:
                return
            cursor.delete()

    def _purge(self, transaction: lmdb.Transaction, change: TileChange) -> int:
        now = int(time.time() * 1e6)
        purged = 0
        for number, said in list(self._described_sets(transaction)):
            if change.layer in said["layers"]:
                found = list(self._candidates(transaction, change, number, said["margin"]))
                concerned = [key for key, until in found if change.concerns(key, until, now)]
                touched = change.touches(boxes_of(concerned, said["margin"]))
                for key, is_touched in zip(concerned, touched, strict=True):
                    purged += bool(is_touched) and self._delete(transaction, key.packed())
        return purged

    def _candidates(
        self, transaction: lmdb.Transaction, change: TileChange, tile_set: int, margin: float
    ) -> Iterator[tuple[TileKey, int]]:
        """The tiles of a set in the columns that a change reaches, each with its ``until``."""
        cursor = transaction.cursor(db=self._tiles)
        for number, name in enumerate(GRID_NAMES):
            z = 0
            while cursor.set_range(place_key(tile_set, number, z, 0, 0)):
                found = cursor.key()
                if found[: len(set_key(tile_set))] != set_key(tile_set) or found[4] != number:
                    break
                z = found[5]
                first, last = columns_of(change.bounds, GRIDS[name], z, margin)
                end = place_key(tile_set, number, z, last + 1, 0)
                if cursor.set_range(place_key(tile_set, number, z, first, 0)):
                    for key, value in cursor.iternext():
                        if bytes(key) >= end:
                            break
                        yield TileKey.unpacked(bytes(key)), until_of(value)
                z += 1
                if z > _LAST_ZOOM:
                    break

    def _described_sets(
        self, transaction: lmdb.Transaction
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        cursor = transaction.cursor(db=self._sets)
        if cursor.set_range(_NUMBERED):
            for key, value in cursor:
                if not bytes(key).startswith(_NUMBERED):
                    return
                yield _number(key[len(_NUMBERED) :]), json.loads(bytes(value))


_SLOWEST = b"slowest"


def _unpacked_slow(value: bytes | memoryview | None) -> list[SlowRender]:
    return [SlowRender(*fields) for fields in json.loads(bytes(value or b"[]"))]


_NUMBERED, _DIGESTED = b"#", b"="
"""How keys of sets begin: by number, or by what they are."""


def _number_key(number: int) -> bytes:
    return _NUMBERED + _NUMBER.pack(number)


@lru_cache(maxsize=4096)
def _digest(layers: tuple[str, ...], fingerprint: str, margin: float) -> bytes:
    name = json.dumps([layers, fingerprint, margin]).encode()
    return _DIGESTED + blake2b(name, digest_size=16).digest()


def _number(value: bytes | memoryview | None) -> int:
    number: int = _NUMBER.unpack(value)[0] if value is not None else 0
    return number


def _text(value: bytes | memoryview | None) -> str | None:
    return bytes(value).decode() if value is not None else None


def _pack_time(seconds: float) -> bytes:
    return _NUMBER.pack(int(seconds * 1e3))


_CHANGE = Struct(">Qd")
"""The transaction of a change and when it was applied, ``time.time()``."""


def _packed_change(change: TileChange) -> bytes:
    return _CHANGE.pack(change.xid, time.time()) + pickle.dumps(astuple(change))


def _unpacked_change(value: bytes) -> TileChange:
    return TileChange(*pickle.loads(value[_CHANGE.size :]))  # noqa: S301  # written by us into a folder of ours


def _xid_of(value: bytes | memoryview) -> int:
    xid: int = _CHANGE.unpack_from(value)[0]
    return xid


def _applied_at(value: bytes | memoryview) -> float:
    seconds: float = _CHANGE.unpack_from(value)[1]
    return seconds


def _boot_id() -> str:
    """A text that is another one after the machine has started again."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def _open(folder: CacheFolder) -> lmdb.Environment:
    """The environment, in a folder for its owner alone.

    Raises:
        StoreUnavailable: the folder cannot be made or written to.
    """
    try:
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.path.chmod(0o700)
        return lmdb.open(
            str(folder.path),
            map_size=max(_LEAST_MAP_BYTES, _MAP_FACTOR * folder.max_bytes),
            max_dbs=8,
            max_readers=1024,
            max_spare_txns=8,
            sync=False,
            metasync=False,
            mode=0o600,
        )
    except (OSError, lmdb.Error) as error:
        message = f"the cache of tiles cannot be opened: {type(error).__name__}"
        raise StoreUnavailable(message) from error

"""Encoded tiles kept on this host: one cache for all processes, bounded, and never stale."""

from tiles.cache.entries import CachedTile, gzipped
from tiles.cache.keys import BELIEVED_NOW, NOW, TileKey
from tiles.cache.locks import TileLocks
from tiles.cache.purging import TileChange
from tiles.cache.store import SLOW_KEPT, CacheFolder, Seen, SlowRender, TileCache

__all__ = [
    "BELIEVED_NOW",
    "NOW",
    "SLOW_KEPT",
    "CacheFolder",
    "CachedTile",
    "Seen",
    "SlowRender",
    "TileCache",
    "TileChange",
    "TileKey",
    "TileLocks",
    "gzipped",
]

"""What a cache holds: by layers and zoom, and its largest tiles."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass, field

from tiles.cache.keys import TileKey
from tiles.cache.store import TileCache


@dataclass
class Group:
    """The tiles of some layers at a zoom.

    Attributes:
        kept_bytes: Of all, as they are kept.
        largest_bytes: Of the largest, before compression.
    """

    tiles: int = 0
    kept_bytes: int = 0
    largest_bytes: int = 0


@dataclass(frozen=True)
class LargeTile:
    """A large tile; ``size_bytes`` is before compression."""

    size_bytes: int
    kept_bytes: int
    layers: str
    key: TileKey


@dataclass
class Contents:
    """What a cache holds.

    Attributes:
        groups: By names of layers, joined by commas, and zoom.
        largest: The largest tiles, the largest first.
    """

    groups: dict[tuple[str, int], Group] = field(default_factory=lambda: defaultdict(Group))
    largest: list[LargeTile] = field(default_factory=list)

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return sum(group.tiles for group in self.groups.values())


def contents_of(cache: TileCache, *, largest: int) -> Contents:
    """Look through a cache, of which tiles may come and go meanwhile.

    Args:
        largest: How many of the largest tiles to name.
    """
    found = Contents()
    names = {number: ",".join(layers) for number, layers in cache.layers_of_sets().items()}
    heap: list[tuple[int, int, LargeTile]] = []
    for number, (key, kept_bytes, size_bytes) in enumerate(cache.sizes()):
        layers = names.get(key.tile_set, "")
        group = found.groups[layers, key.z]
        group.tiles += 1
        group.kept_bytes += kept_bytes
        group.largest_bytes = max(group.largest_bytes, size_bytes)
        entry = (size_bytes, number, LargeTile(size_bytes, kept_bytes, layers, key))
        if len(heap) < largest:
            heapq.heappush(heap, entry)
        elif heap and size_bytes > heap[0][0]:
            heapq.heapreplace(heap, entry)
    found.largest = [tile for _, _, tile in sorted(heap, reverse=True)]
    return found

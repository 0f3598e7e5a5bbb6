"""What is kept of a tile: its bytes as they go out, and what their headers say."""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct

import deflate

FOREVER = 2**63 - 1
"""``expires_at`` of a tile that does not change by itself."""

_HEADER = Struct(">BIqqII16s")
_GZIPPED, _PLAIN = 1, 0

_GZIP_FROM_BYTES = 200
"""Below it gzip gains nothing that a packet would feel."""


@dataclass(frozen=True, slots=True)
class CachedTile:
    """One encoded tile.

    Attributes:
        body: As it is kept; empty where there is nothing in the tile.
        is_gzipped: Whether ``body`` is.
        tag: Digest of the content, from which the entity tag is made.
        left_out: How many features are not shown.
        expires_at: Microseconds since 1970 until which it is right without any change.
        until: End of the span of valid time that it is for, likewise; ``FOREVER`` where open.
        stamp: Seconds since 1970 at which it was last wanted, about.
        size: Bytes of the content before compression.
        fresh: The content before compression, where the tile was made just now.
    """

    body: bytes
    is_gzipped: bool
    tag: bytes
    left_out: int = 0
    expires_at: int = FOREVER
    until: int = FOREVER
    stamp: int = 0
    size: int = 0
    fresh: bytes | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        content: bytes,
        tag: bytes,
        *,
        gzip_level: int,
        left_out: int = 0,
        expires_at: int = FOREVER,
        until: int = FOREVER,
    ) -> CachedTile:
        """A tile of uncompressed content, compressed once if that pays."""
        body, is_gzipped = content, False
        if gzip_level and len(content) >= _GZIP_FROM_BYTES:
            body, is_gzipped = gzipped(content, gzip_level), True
        return cls(body, is_gzipped, tag, left_out, expires_at, until, 0, len(content), content)

    @property
    def content(self) -> bytes:
        """The tile before compression."""
        if self.fresh is not None:
            return self.fresh
        return bytes(deflate.gzip_decompress(self.body)) if self.is_gzipped else self.body

    def packed(self, stamp: int) -> bytes:
        """The tile as the store has it."""
        coding = _GZIPPED if self.is_gzipped else _PLAIN
        times = (self.expires_at, self.until)
        return _HEADER.pack(coding, stamp, *times, self.left_out, self.size, self.tag) + self.body

    @classmethod
    def unpacked(cls, value: bytes | memoryview) -> CachedTile:
        """The tile that was packed."""
        coding, stamp, expires_at, until, left_out, size, tag = _HEADER.unpack_from(value)
        body = bytes(value[_HEADER.size :])
        return cls(body, coding == _GZIPPED, tag, left_out, expires_at, until, stamp, size)


def gzipped(content: bytes, level: int) -> bytes:
    """Content as one gzip member, the same bytes each time.

    Args:
        level: Of libdeflate, 1 to 12.
    """
    return bytes(deflate.gzip_compress(content, level))


def until_of(value: bytes | memoryview) -> int:
    """``until`` of a packed tile."""
    until: int = _HEADER.unpack_from(value)[3]
    return until


def stamp_of(value: bytes | memoryview) -> int:
    """``stamp`` of a packed tile."""
    stamp: int = _HEADER.unpack_from(value)[1]
    return stamp


def sizes_of(value: bytes | memoryview) -> tuple[int, int]:
    """Bytes of a packed tile's body, and of its content before compression."""
    size: int = _HEADER.unpack_from(value)[5]
    return len(value) - _HEADER.size, size

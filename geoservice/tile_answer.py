"""What is sent of a tile, by what the request accepts and has already (RFC 9110)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from geoservice.api.answers import cache_control, names_tag
from layers.access import Access
from tiles.cache import CachedTile
from tiles.vector import MEDIA_TYPE

LEFT_OUT_HEADER = "X-Features-Left-Out"
_VARY = b"Accept-Encoding, Authorization"

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class TileAnswer:
    """One answer, as ASGI has it."""

    status: int
    headers: list[Header]
    body: bytes


def tile_answer(
    tile: CachedTile,
    access: Access,
    *,
    accept_encoding: str,
    if_none_match: str,
    media_type: str = MEDIA_TYPE,
) -> TileAnswer:
    """The answer to a request for a tile: 204 where there is nothing, 304 where it is known.

    Args:
        if_none_match: All lines of the header, joined by commas.
    """
    headers: list[Header] = [(b"cache-control", _cache_control(access)), (b"vary", _VARY)]
    if tile.left_out:
        headers.append((LEFT_OUT_HEADER.lower().encode(), str(tile.left_out).encode()))
    if not tile.body:
        return TileAnswer(204, headers, b"")
    is_gzipped = tile.is_gzipped and accepts_gzip(accept_encoding)
    etag = f'"{tile.tag.hex()}{"-gzip" if is_gzipped else ""}"'
    headers.append((b"etag", etag.encode()))
    if if_none_match and names_tag(if_none_match, etag):
        return TileAnswer(304, headers, b"")
    body = tile.body if is_gzipped else tile.content
    if is_gzipped:
        headers.append((b"content-encoding", b"gzip"))
    headers += [
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    return TileAnswer(200, headers, body)


@lru_cache(maxsize=64)
def _cache_control(access: Access) -> bytes:
    return cache_control(access).encode()


@lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip is acceptable (RFC 9110 12.5.3): named, or a star, with a weight above 0."""
    weights: dict[str, float] = {}
    for part in accept_encoding.split(","):
        coding, _, parameter = part.strip().partition(";")
        try:
            weight = float(parameter.partition("=")[2]) if parameter else 1.0
        except ValueError:
            weight = 0.0
        weights[coding.strip().lower()] = weight
    return weights.get("gzip", weights.get("*", 0.0)) > 0

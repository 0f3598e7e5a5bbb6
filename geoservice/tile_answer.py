"""What is sent of a tile, by what the request accepts and has already (RFC 9110)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from geoservice.api.answers import cache_control, names_tag
from layers.access import Access
from tiles.cache import CachedTile
from tiles.vector import MEDIA_TYPE

LEFT_OUT_HEADER = "X-Features-Left-Out"
RASTERS_LEFT_OUT_HEADER = "X-Rasters-Left-Out"

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class TileAnswer:
    """One answer, as ASGI has it."""

    status: int
    headers: list[Header]
    body: bytes


@dataclass(frozen=True)
class TileForm:
    """What headers say of all tiles of a kind.

    Attributes:
        left_out: Name of the header that counts what is not shown, in small letters.
        vary: On which headers of a request the answer depends.
    """

    media_type: bytes
    left_out: bytes
    vary: bytes

    @classmethod
    @lru_cache(maxsize=16)
    def picture(cls, media_type: str) -> TileForm:
        """Tiles of rasters, whose pictures are compressed as they are."""
        left_out = RASTERS_LEFT_OUT_HEADER.lower().encode()
        return cls(media_type.encode(), left_out, b"Authorization")


VECTOR_TILE = TileForm(
    MEDIA_TYPE.encode(), LEFT_OUT_HEADER.lower().encode(), b"Accept-Encoding, Authorization"
)


def tile_answer(
    tile: CachedTile, access: Access, form: TileForm, *, accept_encoding: str, if_none_match: str
) -> TileAnswer:
    """The answer to a request for a tile: 204 where there is nothing, 304 where it is known.

    Args:
        if_none_match: All lines of the header, joined by commas.
    """
    headers: list[Header] = [(b"cache-control", _cache_control(access)), (b"vary", form.vary)]
    if tile.left_out:
        headers.append((form.left_out, str(tile.left_out).encode()))
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
        (b"content-type", form.media_type),
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

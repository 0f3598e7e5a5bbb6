"""Glyphs as signed distance fields, for clients that have no fonts of their own.

The protocol is that of MapLibre and Mapbox: ranges of 256 code points as Protocol Buffers, each
glyph 24 pixels high with a margin of 3, a byte for each pixel that tells how far the outline is.
They are made from the Chinese font of the machine, whatever font stack is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
from fontTools.ttLib import TTFont
from PIL import ImageFont
from scipy.ndimage import distance_transform_edt

from layers.errors import FontMissing
from tiles.fonts import FontFace, chinese_font

MEDIA_TYPE = "application/x-protobuf"
RANGE = 256
LAST = 0xFFFF
"""MapLibre asks for the Basic Multilingual Plane only."""

_SIZE_PX = 24
_MARGIN_PX = 3
_REACH_PX = 8
_EDGE = 0.25
"""Distances from -0.25 to 0.75 of the reach fill a byte, so the outline lies at 191."""

_ORIGIN_PX = 27
"""Tops are counted from so far above the base line, as MapLibre counts those of local fonts."""

_FINER = 4

Pixels = npt.NDArray[np.uint8]


def glyph_range(stack: str, first: int) -> bytes:
    """The glyphs of 256 code points as a message; those that the font lacks are left out.

    Args:
        stack: Name of the font stack that was asked for; the message bears it.
        first: The first code point, a multiple of 256.

    Raises:
        FontMissing: the machine has no font for Chinese.
    """
    face = chinese_font()
    if face is None:
        raise FontMissing
    named = _member(1, stack.encode()) + _member(2, f"{first}-{first + RANGE - 1}".encode())
    return _member(1, named + _glyphs(face, first))


@lru_cache(maxsize=RANGE)
def _glyphs(face: FontFace, first: int) -> bytes:
    """The glyphs of a range, whatever stack they are asked for by: making them takes long."""
    held = _code_points(face)
    wanted = (point for point in range(first, first + RANGE) if point in held)
    return b"".join(_member(3, _glyph(face, point)) for point in wanted)


@cache
def _code_points(face: FontFace) -> frozenset[int]:
    with TTFont(face.path, fontNumber=face.index, lazy=True) as font:
        return frozenset(font.getBestCmap())


@cache
def _large_font(face: FontFace) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(face.path), _SIZE_PX * _FINER, index=face.index)


def _glyph(face: FontFace, point: int) -> bytes:
    """The message of one glyph; one without ink, such as a space, has an advance only."""
    font, character = _large_font(face), chr(point)
    advance = _number(7, round(font.getlength(character) / _FINER))
    left, top, right, bottom = font.getbbox(character, anchor="ls")
    if right <= left or bottom <= top:
        return _number(1, point) + _number(3, 0) + _number(4, 0) + advance
    x, y = int(left // _FINER), int(top // _FINER)
    width, height = int(-(-right // _FINER)) - x, int(-(-bottom // _FINER)) - y
    mask, offset = font.getmask2(character, mode="L", anchor="ls")
    ink = np.frombuffer(bytes(mask), np.uint8).reshape(mask.size[1], mask.size[0]) >= 128
    field = np.zeros(((height + 2 * _MARGIN_PX) * _FINER, (width + 2 * _MARGIN_PX) * _FINER), bool)
    row, column = (offset[1] - (y - _MARGIN_PX) * _FINER, offset[0] - (x - _MARGIN_PX) * _FINER)
    field[row : row + ink.shape[0], column : column + ink.shape[1]] = ink
    members = (
        _number(1, point),
        _member(2, _distances(field).tobytes()),
        _number(3, width),
        _number(4, height),
        _number(5, _zigzag(x)),
        _number(6, _zigzag(-y - _ORIGIN_PX)),
        advance,
    )
    return b"".join(members)


def _distances(ink: npt.NDArray[np.bool_]) -> Pixels:
    """How far each pixel is from the outline, as the protocol has it in a byte."""
    outward = distance_transform_edt(~ink) - distance_transform_edt(ink)
    rows, columns = ink.shape[0] // _FINER, ink.shape[1] // _FINER
    blocks = outward.reshape(rows, _FINER, columns, _FINER).mean(axis=(1, 3)) / _FINER
    levels = 255 * (1 - _EDGE - blocks / _REACH_PX)
    pixels: Pixels = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return pixels


def _member(field: int, content: bytes) -> bytes:
    return bytes(_varint(field << 3 | 2)) + bytes(_varint(len(content))) + content


def _number(field: int, value: int) -> bytes:
    return bytes(_varint(field << 3)) + bytes(_varint(value))


def _zigzag(value: int) -> int:
    """A signed number as Protocol Buffers write ``sint32``."""
    return 2 * value if value >= 0 else -2 * value - 1


def _varint(value: int) -> Iterator[int]:
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value

"""Glyphs follow the protocol of MapLibre: what is there, how large, and where its outline lies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from layers.errors import FontMissing
from tiles import glyphs
from tiles.fonts import chinese_font
from tiles.glyphs import glyph_range

has_font = pytest.mark.skipif(chinese_font() is None, reason="the machine has no Chinese font")


def members(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Fields and values of a message of Protocol Buffers, as far as glyphs use them."""
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = number()
        if key & 7 == 2:
            size = number()
            yield key >> 3, message[at : at + size]
            at += size
        else:
            yield key >> 3, number()


def glyphs_of(message: bytes) -> dict[str, dict[int, bytes | int]]:
    """The glyphs of a range by their character."""
    [(_, stack)] = members(message)
    assert isinstance(stack, bytes)
    held = [value for field, value in members(stack) if field == 3 and isinstance(value, bytes)]
    found = [dict(members(value)) for value in held]
    return {chr(int(glyph[1])): glyph for glyph in found}


@has_font
def test_a_range_holds_its_letters_with_a_margin_of_three_pixels() -> None:
    found = glyphs_of(glyph_range("Any Font", 0))

    assert set("Az09~é") <= set(found)
    for glyph in found.values():
        bitmap, width, height = glyph.get(2, b""), int(glyph[3]), int(glyph[4])
        assert isinstance(bitmap, bytes)
        assert len(bitmap) == ((width + 6) * (height + 6) if width else 0)
    assert b"" == found[" "].get(2, b"")
    assert int(found[" "][7]) > 3


@has_font
def test_the_outline_lies_where_the_protocol_has_it() -> None:
    glyph = glyphs_of(glyph_range("Any Font", 0x4E00))["一"]
    bitmap, width = glyph[2], int(glyph[3]) + 6
    assert isinstance(bitmap, bytes)

    field = np.frombuffer(bitmap, np.uint8).reshape(-1, width)

    middle = field[:, width // 2]
    assert middle.max() > 191 > middle.min()
    assert (np.diff(middle[: middle.argmax()].astype(int)) >= 0).all(), "brighter towards the ink"
    assert 24 == glyph[7], "a Chinese character is as wide as high"


@has_font
def test_a_range_without_letters_is_a_stack_without_glyphs() -> None:
    assert {} == glyphs_of(glyph_range("Any Font", 0xE800))


def test_without_a_font_there_are_no_glyphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glyphs, "chinese_font", lambda: None)

    with pytest.raises(FontMissing):
        glyph_range("Any Font", 0)

"""Damage: files as they come off broken disks, cut transfers, wrong tools and bad intentions."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

_WORDS = (
    b"", b"nan", b"-inf", b"1e308", b"-1", b"0", b"99999999999999999999", b"\x00", b"\xff\xfe",
    b"[[[[[[[[[[[[[[[[", b'"', b"'; DROP TABLE loads; --", "龘".encode(), b"%s%n", b"../../etc",
    b"2147483648", b"-9223372036854775809", b"<!DOCTYPE x [<!ENTITY y 'z'>]>", b"[" * 5000,
)  # fmt: skip
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_TOKEN = re.compile(rb"[0-9.+-]+|[A-Za-z_]+|[\x80-\xff]+")


def damage(folder: Path, file: Path, random: Random) -> None:
    """Damage one file of a folder in place: the one to load, or one beside it."""
    beside = sorted(other for other in folder.iterdir() if other != file)
    victim = random.choice(beside) if beside and random.random() < 0.6 else file
    if victim != file and random.random() < 0.1:
        victim.unlink()
        return
    data = victim.read_bytes()
    if zipfile.is_zipfile(victim) and random.random() < 0.7:
        data = _damaged_member(data, random)
    else:
        data = _damaged(data, random)
    victim.write_bytes(data)


def _damaged_member(data: bytes, random: Random) -> bytes:
    """The archive with one of its members damaged, or listed under another name."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as held, zipfile.ZipFile(out, "w") as made:
        names = held.namelist()
        victim = random.choice(names)
        for name in names:
            content = held.read(name)
            if name == victim:
                content = _damaged(content, random)
                name = random.choice((name, name, name, f"../{name}", f"{name}\n", "a.shp"))
            made.writestr(name, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _damaged(data: bytes, random: Random) -> bytes:
    is_text = b"\0" not in data[:4096]
    ways = _TEXT_WAYS + _BYTE_WAYS if is_text else _BYTE_WAYS
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        data = random.choice(ways)(data, random)
    return data


def _place(data: bytes, random: Random) -> int:
    """Anywhere, but half of the time near the beginning, where headers are."""
    end = len(data) if random.random() < 0.5 else min(len(data), 200)
    return random.randrange(end + 1)


def _flip(data: bytes, random: Random) -> bytes:
    if not data:
        return data
    at = min(_place(data, random), len(data) - 1)
    return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]


def _number(data: bytes, random: Random) -> bytes:
    at, form = _place(data, random), random.choice(("<I", ">I", "<H", ">H", "B"))
    value = random.choice(_NUMBERS) & (256 ** struct.calcsize(form) - 1)
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: _place(data, random)]


def _leave_out(data: bytes, random: Random) -> bytes:
    at = _place(data, random)
    return data[:at] + data[at + random.choice((1, 2, 8, 100, 4096)) :]


def _repeat(data: bytes, random: Random) -> bytes:
    at, length = _place(data, random), random.choice((1, 16, 512))
    return data[:at] + data[at : at + length] * random.choice((2, 3, 50)) + data[at + length :]


def _noise(data: bytes, random: Random) -> bytes:
    at = _place(data, random)
    return data[:at] + random.randbytes(random.choice((1, 4, 64))) + data[at:]


def _splice(data: bytes, random: Random) -> bytes:
    first, second = _place(data, random), _place(data, random)
    return data[:first] + data[second:]


def _word(data: bytes, random: Random) -> bytes:
    tokens = list(_TOKEN.finditer(data))
    if not tokens:
        return data
    token = random.choice(tokens)
    return data[: token.start()] + random.choice(_WORDS) + data[token.end() :]


def _line(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    at = random.randrange(len(lines))
    lines[at : at + 1] = random.choice(([], [lines[at]] * 2, [lines[at], random.choice(lines)]))
    return b"\n".join(lines)


Way = Callable[[bytes, Random], bytes]

_BYTE_WAYS: tuple[Way, ...] = (_flip, _flip, _number, _number, _cut, _leave_out, _repeat, _noise)
_BYTE_WAYS += (_splice,)
_TEXT_WAYS: tuple[Way, ...] = (_word, _word, _word, _line)

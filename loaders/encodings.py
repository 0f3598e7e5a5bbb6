"""Which encoding texts of a file have: what is said of it if that fits, else what the bytes show.

An encoding counts only if it reads every byte of every text; so a ``.cpg`` that says UTF-8 over GBK
bytes is passed over, and the report says so.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from layers.errors import UnreadableSource

_BLOCK_BYTES = 4 * 1024 * 1024
_DELETED = ord("*")

_LANGUAGE_DRIVERS = {
    0x01: "cp437",
    0x02: "cp850",
    0x03: "cp1252",
    0x4D: "gb18030",
    0x4E: "cp949",
    0x4F: "big5",
    0x78: "big5",
    0x79: "cp949",
    0x7A: "gb18030",
    0x7B: "cp932",
    0xC8: "cp1250",
    0xC9: "cp1251",
}
"""Language driver byte of a DBF to encoding; 0x57 (the writer's own code page) says nothing."""

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Encoding:
    """An encoding by its Python name, and how it was found."""

    name: str
    found: str


def known_codec(name: str) -> str | None:
    """The Python name of a text encoding such as ``936`` or ``GBK``; None if there is none.

    GB2312 and GBK become GB18030, which reads all that they read and the rare characters that
    offices write nevertheless.
    """
    text = name.strip().strip('"')
    for word in (text, f"cp{text}", text.replace("ANSI", "cp").replace(" ", "")):
        try:
            info = codecs.lookup(word)
        except (LookupError, ValueError):
            continue
        if info._is_text_encoding:
            return "gb18030" if info.name in ("gbk", "gb2312", "hz") else info.name
    return None


def text_encoding(path: Path, said: str | None) -> Encoding:
    """The encoding of a text file.

    Args:
        said: What the user said; must fit.

    Raises:
        UnreadableSource: neither what was said, UTF-8 nor GB18030 reads the file.
    """
    if said is not None:
        given = _said(path, said, lambda name: _reads(path, name))
        # A byte order mark is no part of the first column's name, whoever wrote it.
        return Encoding("utf-8-sig", given.found) if given.name == "utf-8" else given
    with path.open("rb") as file:
        start = file.read(4)
    for mark, name in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark) and _reads(path, name):
            return Encoding(name, "byte order mark")
    for name in ("utf-8", "gb18030"):
        if _reads(path, name):
            return Encoding(name, "reads all bytes")
    raise UnreadableSource(path, "is neither UTF-8 nor GB18030; name its encoding with --encoding")


def _said(path: Path, said: str, reads: Callable[[str], bool]) -> Encoding:
    name = known_codec(said)
    if name is None:
        raise UnreadableSource(path, f"{said!r} is not an encoding")
    if not reads(name):
        raise UnreadableSource(path, f"is not in the encoding {said!r} that was given")
    return Encoding(name, "given")


def _reads(path: Path, name: str) -> bool:
    decoder = codecs.getincrementaldecoder(name)()
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK_BYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeError:
            return False
    return True


def dbf_encoding(dbf: Path, cpg: Path | None, said: str | None) -> Encoding:
    """The encoding of a DBF: given, or of its .cpg, or of its language driver, or what fits.

    Args:
        cpg: The file beside it that names an encoding, if there is one.
        said: What the user said; must fit.

    Raises:
        UnreadableSource: not a DBF, or not in the encoding that the user said.
    """
    texts = DbfTexts(dbf)
    if said is not None:
        return _said(dbf, said, texts.decodes)
    passed_over = ""
    for name, found in _claims(texts, cpg):
        if texts.decodes(name):
            return Encoding(name, found + passed_over)
        passed_over += f"; {found} says {name}, which does not read all texts"
    for name in ("utf-8", "gb18030"):
        if texts.decodes(name):
            return Encoding(name, "reads all texts" + passed_over)
    return Encoding("latin-1", "nothing else reads all texts" + passed_over)


def _claims(texts: DbfTexts, cpg: Path | None) -> Iterator[tuple[str, str]]:
    if cpg is not None:
        name = known_codec(cpg.read_bytes()[:64].decode("ascii", "ignore"))
        if name is not None:
            yield name, "cpg file"
    if texts.language_driver in _LANGUAGE_DRIVERS:
        yield _LANGUAGE_DRIVERS[texts.language_driver], "language driver of the DBF"


class DbfTexts:
    """The bytes of all texts of a DBF: names of its fields, and character fields of live records.

    Source: dBASE III and IV table file format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            head = file.read(32)
            if len(head) < 32:
                raise UnreadableSource(path, "is too short for a DBF")
            self.record_count, self.header_bytes, self.record_bytes = struct.unpack(
                "<IHH", head[4:12]
            )
            self.language_driver = head[29]
            fields = file.read(max(self.header_bytes - 32, 0))
        self.names: list[bytes] = []
        self.spans: list[slice] = []
        start = 1
        for at in range(0, len(fields) - 31, 32):
            if fields[at] == 0x0D:
                break
            self.names.append(fields[at : at + 11].split(b"\0")[0])
            width = fields[at + 16]
            if fields[at + 11 : at + 12] == b"C":
                width += fields[at + 17] << 8
                self.spans.append(slice(start, start + width))
            start += width

    def decodes(self, encoding: str) -> bool:
        """Whether an encoding reads every name and every text."""
        try:
            for name in self.names:
                name.decode(encoding)
            for block in self._text_blocks():
                block.decode(encoding)
        except UnicodeError:
            return False
        return True

    def count_deleted(self) -> int:
        """Number of records that are marked as deleted."""
        return sum(int((block[:, 0] == _DELETED).sum()) for block in self._records())

    def _text_blocks(self) -> Iterator[bytes]:
        for records in self._records():
            live = records[records[:, 0] != _DELETED]
            for span in self.spans:
                yield live[:, span].tobytes()

    def _records(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Records in blocks of shape (n, record_bytes)."""
        width = self.record_bytes
        if width <= 1:
            return
        left = self.record_count
        with self.path.open("rb") as file:
            file.seek(self.header_bytes)
            while left and (block := file.read(min(left, _BLOCK_BYTES // width + 1) * width)):
                whole = len(block) // width
                left -= whole
                yield np.frombuffer(block[: whole * width], np.uint8).reshape(whole, width)

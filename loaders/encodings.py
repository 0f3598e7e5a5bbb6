"""Which encoding texts of a file have: what is said of it if that fits, else what the bytes show.

An encoding counts only if it reads every byte of every text; so a ``.cpg`` that says UTF-8 over GBK
bytes is passed over, and the report says so. Only the end of a text that fills its field may be
half a character: that is where software which counts bytes has cut it.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from layers.errors import UnreadableSource

_BLOCK_BYTES = 4 * 1024 * 1024
_DELETED = ord("*")
_WHOLE_UTF8 = re.compile(
    rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)

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
        given = _said(dbf, said, lambda name: texts.count_cut(name) is not None)
        return Encoding(given.name, given.found + _cut(texts.count_cut(given.name)))
    passed_over = ""
    for name, found in _claims(texts, cpg):
        cut = texts.count_cut(name)
        if cut is not None:
            return Encoding(name, found + _cut(cut) + passed_over)
        passed_over += f"; {found} says {name}, which does not read all texts"
    for name in ("utf-8", "gb18030"):
        cut = texts.count_cut(name)
        # Half a character at the end of Latin letters is no sign of UTF-8 rather than of GB18030.
        if cut is not None and (cut == 0 or name != "utf-8" or texts.has_whole_utf8):
            return Encoding(name, "reads all texts" + _cut(cut) + passed_over)
    return Encoding("latin-1", "nothing else reads all texts" + passed_over)


def _cut(count: int | None) -> str:
    if not count:
        return ""
    return f"; of {count} texts cut in mid-character that character is left out"


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

    @cached_property
    def has_whole_utf8(self) -> bool:
        """Whether a text holds a whole character of UTF-8 that is more than a Latin letter."""
        blocks = (block.tobytes() for block in self._text_blocks())
        return any(_WHOLE_UTF8.search(block) for block in (*self.names, *blocks))

    def count_cut(self, encoding: str) -> int | None:
        """Number of texts whose last character is cut at the full width of their field.

        Returns:
            None where the encoding does not read a name, or a text before its last character.
        """
        count = 0
        try:
            for name in self.names:
                name.decode(encoding)
            for block in self._text_blocks():
                count += _count_cut(block, encoding)
        except UnicodeError:
            return None
        return count

    def count_deleted(self) -> int:
        """Number of records that are marked as deleted."""
        return sum(int((block[:, 0] == _DELETED).sum()) for block in self._records())

    def _text_blocks(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Texts of one field in blocks of shape (n, width of the field)."""
        for records in self._records():
            live = records[records[:, 0] != _DELETED]
            for span in self.spans:
                yield live[:, span]

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


def _count_cut(texts: npt.NDArray[np.uint8], encoding: str) -> int:
    """Number of texts that end in half a character.

    Raises:
        UnicodeError: a text is not in the encoding, or half a character stands elsewhere.
    """
    # The line's end keeps half a character from joining what follows.
    fenced = np.pad(texts, ((0, 0), (0, 1)), constant_values=ord("\n"))
    try:
        fenced.tobytes().decode(encoding)
    except UnicodeError:
        pass
    else:
        return 0
    decoder = codecs.getincrementaldecoder(encoding)()
    count = 0
    for text in texts:
        decoder.reset()
        decoder.decode(text.tobytes())
        count += bool(decoder.getstate()[0])
    return count

"""An upload as it arrives: multipart/form-data, parsed piece by piece, written piece by piece.

Nothing is held in memory but the piece at hand, and nothing is believed: sizes, parts and headers
are counted as they come (RFC 7578).
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from geoservice.loads.names import Namer, StoredFile, plain_name
from layers.errors import BodyTooLarge, InvalidBody, InvalidMapping, StorageFull, UploadTimedOut

FILE_PART = "file"
MAPPING_PART = "mapping"
_MAX_MAPPING_BYTES = 256 * 1024
_MAX_HEADERS = 8
_MAX_HEADER_BYTES = 4096


@dataclass(frozen=True)
class UploadLimits:
    """Bounds on one upload.

    Attributes:
        max_bytes: Of the body.
        room_bytes: What the disk and the quota leave.
        idle_s: Longest time between two pieces.
        timeout_s: Longest time of the whole.
    """

    max_bytes: int
    room_bytes: int
    max_files: int
    idle_s: float
    timeout_s: float


@dataclass(frozen=True)
class Received:
    """What an upload held; ``mapping`` as ``loaders.parse_mapping`` takes it."""

    files: tuple[StoredFile, ...]
    mapping: dict[str, Any]


async def receive(
    pieces: AsyncIterator[bytes], content_type: str | None, folder: Path, limits: UploadLimits
) -> Received:
    """Write the files of a body into a folder, under names of ours.

    Args:
        pieces: The body as it arrives.
        folder: New and empty; its name becomes part of the files' names.

    Raises:
        InvalidBody: not multipart/form-data, damaged, without a file, or with unknown parts.
        BodyTooLarge: larger than ``max_bytes``.
        StorageFull: the disk or the quota is full.
        UploadTimedOut: too slow, or it stopped coming.
    """
    parser = _UploadParser(_boundary(content_type), folder, limits.max_files)
    received = 0
    try:
        async for piece in _in_time(pieces, limits):
            received += len(piece)
            if received > limits.max_bytes:
                raise BodyTooLarge(limits.max_bytes)
            if received > limits.room_bytes:
                message = "the upload does not fit into the room that is left"
                raise StorageFull(message)
            # Off the event loop: the disk may be slow.
            await asyncio.to_thread(parser.feed, piece)
        return await asyncio.to_thread(parser.finish)
    finally:
        parser.close()


async def _in_time(pieces: AsyncIterator[bytes], limits: UploadLimits) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.timeout_s
    while True:
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + limits.idle_s)):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            message = f"the files did not arrive in time ({limits.idle_s:g} s without a byte, or "
            raise UploadTimedOut(message + f"{limits.timeout_s:g} s in all)") from None
        yield piece


def _boundary(content_type: str | None) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        message = f"send the files as multipart/form-data, in parts called {FILE_PART!r}"
        raise InvalidBody(message)
    return boundary


@dataclass
class _Part:
    """The part at hand."""

    headers: dict[str, bytes] = field(default_factory=dict)
    name: str = ""
    file: StoredFile | None = None
    opened: IO[bytes] | None = None
    size_bytes: int = 0


class _UploadParser:
    """Files out of the pieces of a body; ``close`` it however it ends."""

    def __init__(self, boundary: bytes, folder: Path, max_files: int) -> None:
        self._folder = folder
        self._max_files = max_files
        self._namer = Namer(folder.name)
        self._files: list[StoredFile] = []
        self._mapping: bytearray | None = None
        self._part = _Part()
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._has_ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_header_name,
                    "on_header_value": self._add_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open_part,
                    "on_part_data": self._write,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
                max_header_count=_MAX_HEADERS,
                max_header_size=_MAX_HEADER_BYTES,
            )
        except FormParserError as error:
            message = "its boundary is not one of RFC 2046"
            raise InvalidBody(message) from error

    def feed(self, piece: bytes) -> None:
        """Take in the next piece of the body."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            message = "is no multipart/form-data that can be read"
            raise InvalidBody(message) from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            message = "the disk is full"
            raise StorageFull(message) from error

    def finish(self) -> Received:
        """What the whole body held."""
        if not self._has_ended:
            message = "ends before its last part does"
            raise InvalidBody(message)
        if not self._files:
            message = f"holds no file: send at least one part {FILE_PART!r} with a file name"
            raise InvalidBody(message)
        return Received(tuple(self._files), _parse_mapping(self._mapping))

    def close(self) -> None:
        """Close the file that is open, if one is."""
        if self._part.opened is not None:
            self._part.opened.close()

    def _begin_part(self) -> None:
        self._part = _Part()

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        name = self._header_name.decode("latin-1").lower()
        self._part.headers[name] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _open_part(self) -> None:
        kind, options = parse_options_header(self._part.headers.get("content-disposition"))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        self._part.name = name
        if kind != b"form-data" or name not in (FILE_PART, MAPPING_PART):
            message = (
                f"takes parts {FILE_PART!r} and {MAPPING_PART!r}, not {name[:100]!r}; "
                "parameters stand in the address"
            )
            raise InvalidBody(message)
        if name == MAPPING_PART:
            self._begin_mapping()
        else:
            self._begin_file(options.get(b"filename"))

    def _begin_mapping(self) -> None:
        if self._mapping is not None:
            message = f"has more than one part {MAPPING_PART!r}"
            raise InvalidBody(message)
        self._mapping = bytearray()

    def _begin_file(self, sent_name: bytes | None) -> None:
        if sent_name is None:
            message = f"a part {FILE_PART!r} needs a file name"
            raise InvalidBody(message)
        if len(self._files) >= self._max_files:
            message = f"takes at most {self._max_files} files at once"
            raise InvalidBody(message)
        name = plain_name(sent_name)
        self._part.file = StoredFile(name, self._namer.store_as(name))
        # Closed when the part ends, or by close().
        self._part.opened = (self._folder / self._part.file.stored).open("xb")

    def _write(self, data: bytes, start: int, end: int) -> None:
        if self._part.opened is not None:
            self._part.opened.write(memoryview(data)[start:end])
            self._part.size_bytes += end - start
            return
        assert self._mapping is not None  # noqa: S101  # for mypy: the part was begun
        self._mapping += data[start:end]
        if len(self._mapping) > _MAX_MAPPING_BYTES:
            message = f"a mapping has at most {_MAX_MAPPING_BYTES} bytes"
            raise InvalidBody(message)

    def _end_part(self) -> None:
        part = self._part
        if part.opened is not None and part.file is not None:
            part.opened.close()
            self._files.append(StoredFile(part.file.name, part.file.stored, part.size_bytes))

    def _end(self) -> None:
        self._has_ended = True


def _parse_mapping(sent: bytearray | None) -> dict[str, Any]:
    if sent is None:
        return {}
    # Heavy to import, and only this needs it.
    from loaders import parse_mapping

    try:
        return parse_mapping(orjson.loads(sent)).as_json()
    except orjson.JSONDecodeError as error:
        message = f"mapping is not JSON: {error.msg} at character {error.pos}"
        raise InvalidBody(message) from error
    except InvalidMapping as error:
        raise InvalidBody(str(error)) from error

"""Reading a source through the bounded process, as Arrow batches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pyarrow as pa

from layers.errors import UnreadableSource
from loaders.formats.stream import REFUSED, STRAIGHTENED, Contents
from loaders.options import MEBIBYTE, ReadLimits
from loaders.source import Source
from loaders.texts import storable

_CHILD = Path(__file__).with_name("formats") / "__main__.py"
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
_NO_MEMORY = (b"MemoryError", b"bad_alloc", b"memory allocation of")
"""What Python, C++ and Rust write where there is none left."""
_LOG_BYTES = 64 * 1024
_ANSWER_BYTES = 64 * MEBIBYTE


@dataclass(frozen=True)
class Features:
    """What comes out of a source.

    Attributes:
        crs: Coordinate reference system that the file states; None if it states none.
        columns: Names of the source's columns.
        count: Number of rows, where known before they are read.
        batches: Columns, then ``formats.stream.DEFECT`` (why a row could not be read) and
            ``formats.stream.GEOMETRY`` (WKB). Read once.
        notes: What the reading process dealt with, once all batches have been read.
    """

    crs: str | None
    columns: tuple[str, ...]
    count: int | None
    batches: Iterator[pa.RecordBatch]
    notes: list[str] = field(default_factory=list)


@contextmanager
def read(source: Source, limits: ReadLimits) -> Iterator[Features]:
    """Open a source; the process that reads it ends with the context.

    Raises:
        UnreadableSource: now or while batches are read: the file is damaged, is not what its
            extension says, or passes a limit.
    """
    with _process(source, limits, "read") as (child, log):
        yield _features(source, child, log, limits)


def contents(source: Source, limits: ReadLimits) -> tuple[Contents, ...]:
    """The layers of a file, its sheets or tables, with their columns.

    Raises:
        UnreadableSource: the file is damaged, is not what its extension says, or passes a limit.
    """
    with _process(source, limits, "list") as (child, log):
        assert child.stdout is not None  # noqa: S101  # for mypy: it is a pipe
        answer = child.stdout.read(_ANSWER_BYTES + 1)
        if len(answer) > _ANSWER_BYTES:
            raise UnreadableSource(source.path, "has more layers and columns than are read")
        if child.wait() != 0:
            raise _failure(source, child, log, limits)
    listed = json.loads(answer)
    return tuple(Contents(**{**one, "columns": tuple(one["columns"])}) for one in listed)


@contextmanager
def _process(
    source: Source, limits: ReadLimits, action: str
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """The process that reads, and its log; it ends with the context, or when its time is over."""
    with tempfile.TemporaryFile() as log:
        child = _start(source, limits, action, log)
        timer = threading.Timer(limits.timeout_s, child.kill)
        timer.start()
        try:
            yield child, log
        finally:
            timer.cancel()
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()


def _start(
    source: Source, limits: ReadLimits, action: str, log: IO[bytes]
) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-I", str(_CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={
            **{name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
            # Thread pools and arenas would reserve more address space than the limit allows.
            "ARROW_DEFAULT_MEMORY_POOL": "system",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "LC_ALL": "C.UTF-8",
        },
        bufsize=MEBIBYTE,
    )
    assert child.stdin is not None  # noqa: S101  # for mypy: it is a pipe
    with child.stdin as request:
        request.write(json.dumps(_request(source, limits, action)).encode())
    return child


def _request(source: Source, limits: ReadLimits, action: str) -> dict[str, object]:
    return {
        "action": action,
        "reader": source.reader,
        "path": str(source.opened.absolute()),
        "driver": source.driver,
        "layer": source.layer,
        "encoding": source.encoding.name if source.encoding else None,
        "separator": source.separator,
        "columns": list(source.columns),
        "wkt": source.coordinates.wkt if source.coordinates else None,
        "record_count": source.record_count,
        "deleted_count": source.deleted_count,
        "configuration": dict(source.configuration),
        "open_options": dict(source.open_options),
        "limits": {
            "memory_bytes": limits.memory_bytes,
            "timeout_s": limits.timeout_s,
            "max_fields": limits.max_fields,
            "file_bytes": max(source.file_bytes, MEBIBYTE),
            "read_bytes": max(limits.max_unpacked_bytes, source.stamp.size * limits.max_ratio),
        },
    }


def _features(
    source: Source, child: subprocess.Popen[bytes], log: IO[bytes], limits: ReadLimits
) -> Features:
    assert child.stdout is not None  # noqa: S101  # for mypy: it is a pipe
    try:
        stream = pa.ipc.open_stream(child.stdout)
        about = json.loads(stream.schema.metadata[b"source"])
    except (pa.ArrowException, OSError, EOFError) as error:
        raise _failure(source, child, log, limits) from error
    notes: list[str] = about["notes"]
    return Features(
        about["crs"],
        tuple(about["columns"]),
        about["count"],
        _batches(stream, source, child, log, limits, notes),
        notes,
    )


def _batches(
    stream: pa.RecordBatchReader,
    source: Source,
    child: subprocess.Popen[bytes],
    log: IO[bytes],
    limits: ReadLimits,
    notes: list[str],
) -> Iterator[pa.RecordBatch]:
    straightened = 0
    while True:
        try:
            batch, about = stream.read_next_batch_with_custom_metadata()
        except StopIteration:
            break
        except (pa.ArrowException, OSError, EOFError) as error:
            raise _failure(source, child, log, limits) from error
        straightened += int(about[STRAIGHTENED]) if about else 0
        yield batch
    # A stream that ends well proves nothing: what is lost at its end shows in the exit status.
    if child.wait() != 0:
        raise _failure(source, child, log, limits)
    source.check_unchanged()
    if straightened:
        notes.append(f"{straightened} curved geometries were made straight, a vertex per degree")


def _failure(
    source: Source, child: subprocess.Popen[bytes], log: IO[bytes], limits: ReadLimits
) -> UnreadableSource:
    status = child.wait()
    if status == REFUSED:
        return UnreadableSource(source.path, _reason(source, log))
    if status in (-signal.SIGKILL, -signal.SIGXCPU):
        reason = f"took longer than {limits.timeout_s} s or more memory than it may"
    elif any(word in _tail(log) for word in _NO_MEMORY):
        reason = f"needs more than {limits.memory_bytes // MEBIBYTE} MiB of memory"
    else:
        reason = "is damaged: the process that read it broke down"
    return UnreadableSource(source.path, reason)


def _reason(source: Source, log: IO[bytes]) -> str:
    """The reason in the last line of the log, without paths of this machine."""
    last = _tail(log).strip().splitlines()[-1]
    reason = storable(str(json.loads(last)["reason"]))
    return reason.replace(f"{source.opened.absolute().parent}/", "")


def _tail(log: IO[bytes]) -> bytes:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(size - _LOG_BYTES, 0))
    return log.read()

"""Asking the bounded process about a raster, and having it converted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from layers.errors import UnreadableSource
from layers.rasters import RasterKind
from loaders.options import MEBIBYTE, ReadLimits
from loaders.rasters.child import REFUSED
from loaders.rasters.sources import RasterSource
from loaders.texts import storable

_CHILD = Path(__file__).with_name("child.py")
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
_LOG_BYTES = 64 * 1024
_RESAMPLING = {RasterKind.TERRAIN: "average", RasterKind.IMAGERY: "average"}
"""How overviews come out of pixels; of other rasters, which may be classes, by the nearest."""


@dataclass(frozen=True)
class Header:
    """What a raster says of itself before its pixels are read.

    Attributes:
        nodata: The value that stands for none; may be NaN.
        has_mask: Whether a mask beside the pixels says which have a value.
        crs: WKT; None if it states none.
        transform: Affine coefficients a to f from column and row to x and y of the pixel's corner;
            None if it has none.
        control_points: Ground control points that place it.
        colors: What each band stands for, such as ``red``, ``gray`` or ``palette``.
    """

    width: int
    height: int
    count: int
    dtype: str
    nodata: float | None
    has_mask: bool
    crs: str | None
    transform: tuple[float, float, float, float, float, float] | None
    control_points: int
    has_rational_polynomials: bool
    colors: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A file and where its first pixel lies in the raster that it is a part of."""

    source: RasterSource
    column: int = 0
    row: int = 0


def inspect(source: RasterSource, limits: ReadLimits) -> Header:
    """Read the header of a raster.

    Raises:
        UnreadableSource: it is damaged, is not what its extension says, or passes a limit.
    """
    answer = _ask(source, limits, {"task": "inspect"})
    transform = answer.pop("transform")
    return Header(
        **answer | {"colors": tuple(answer["colors"])},
        transform=tuple(transform) if transform else None,
    )


def convert(
    parts: Sequence[Part], limits: ReadLimits, whole: Header, kind: RasterKind, output: Path
) -> list[dict[str, object]]:
    """Write a raster as a COG, lossless, placed by ``crs`` (WKT) and ``transform`` of ``whole``.

    Args:
        parts: Files of one format that together are the raster.
        output: Beside it temporary files are written, in a folder that the caller removes.

    Returns:
        What was found of each band while all pixels were read.

    Raises:
        UnreadableSource: pixels cannot be read, or a limit is passed; the output is worth nothing.
    """
    answer = _ask(
        parts[0].source,
        limits,
        {
            "task": "convert",
            "parts": [
                {"path": str(p.source.opened.absolute()), "column": p.column, "row": p.row}
                for p in parts
            ],
            "width": whole.width,
            "height": whole.height,
            "crs": whole.crs,
            "transform": whole.transform,
            "folder": str(output.parent),
            "output": str(output),
            "resampling": _RESAMPLING.get(kind, "nearest"),
        },
    )
    bands: list[dict[str, object]] = answer["bands"]
    return bands


def _ask(source: RasterSource, limits: ReadLimits, task: Mapping[str, object]) -> dict[str, Any]:
    request = {
        "path": str(source.opened.absolute()),
        "driver": source.driver,
        "limits": {
            "memory_bytes": limits.memory_bytes,
            "timeout_s": limits.timeout_s,
            "max_bands": limits.max_fields,
            "pixel_bytes": limits.max_unpacked_bytes,
            # Overviews add a third, and what does not pack grows a little.
            "file_bytes": 2 * limits.max_unpacked_bytes,
        },
        **task,
    }
    with tempfile.TemporaryFile() as log:
        done = _run(json.dumps(request).encode(), limits.timeout_s, log)
        if done is None or done.returncode != 0:
            status = None if done is None else done.returncode
            raise _failure(source, status, log, limits)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _run(
    request: bytes, timeout_s: int, log: IO[bytes]
) -> subprocess.CompletedProcess[bytes] | None:
    """The ended process; None if it took too long."""
    try:
        return subprocess.run(
            [sys.executable, "-I", str(_CHILD)],
            input=request,
            stdout=subprocess.PIPE,
            stderr=log,
            env={
                **{name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                "OPENBLAS_NUM_THREADS": "1",
                "OMP_NUM_THREADS": "1",
                "LC_ALL": "C.UTF-8",
            },
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def _failure(
    source: RasterSource, status: int | None, log: IO[bytes], limits: ReadLimits
) -> UnreadableSource:
    said = _tail(log)
    if status == REFUSED:
        reason = storable(str(json.loads(said.strip().splitlines()[-1])["reason"]))
        return UnreadableSource(source.path, _without_paths(reason, source))
    if status in (None, -signal.SIGKILL, -signal.SIGXCPU):
        return UnreadableSource(source.path, f"took longer than {limits.timeout_s} s")
    if b"MemoryError" in said or b"bad_alloc" in said:
        bound = limits.memory_bytes // MEBIBYTE
        return UnreadableSource(source.path, f"needs more than {bound} MiB of memory")
    return UnreadableSource(source.path, "is damaged: the process that read it broke down")


def _without_paths(reason: str, source: RasterSource) -> str:
    return reason.replace(str(source.opened.absolute()), source.path.name)


def _tail(log: IO[bytes]) -> bytes:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(size - _LOG_BYTES, 0))
    return log.read()

"""The process that feeds damaged files to the readers, many in one life, and says what came of it.

Run as ``python -m tests.fuzz.harness KIND SEED FIRST COUNT FOLDER``. Everything of a load up to the
database is done here, also what a load does in its own process; only the bounded process that opens
files is not started anew for each: its readers are called directly, under its limits. A line of
JSON comes out before each input and another one after it, so that whoever started this knows which
input ended it.
"""

from __future__ import annotations

import io
import json
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from layers.city import CityFrame
from layers.errors import SourceError, UnreadableSource
from layers.extent import BBox
from layers.registry import get_layer
from loaders import datasets, pipeline, reader
from loaders.formats import child, stream
from loaders.options import LoadOptions, ReadLimits
from loaders.pipeline import Pipeline
from loaders.source import Source
from tests.fuzz.corpus import KINDS, Kind
from tests.fuzz.mutate import damage

MEMORY_BYTES = 3 * 1024**3
SECONDS = 20
"""The longest that one input may take; sound ones take a hundredth of a second."""

_SHENZHEN = CityFrame("Shenzhen", BBox(113.75, 22.40, 114.65, 22.87), 4547, "Asia/Shanghai")
LIMITS = ReadLimits(
    max_unpacked_bytes=200_000_000, memory_bytes=MEMORY_BYTES, timeout_s=SECONDS, max_fields=500
)


class TooSlow(BaseException):
    """An input took too long; no reader may take this for an error of the file."""


class BrokeDown(UnreadableSource):
    """A reader ended in another error than a refusal: its process would have broken down."""


def main() -> None:
    """Feed inputs FIRST to FIRST + COUNT of a seed."""
    kind, seed, first, count, folder = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000_000, 500_000_000))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, _too_slow)
    warnings.simplefilter("ignore")
    _read_here()
    for number in range(int(first), int(first) + int(count)):
        _say({"begins": number})
        _say({"number": number, **_feed(KINDS[kind], f"{seed}-{kind}-{number}", Path(folder))})


def make_input(kind: Kind, seed: str, folder: Path) -> Path:
    """The input of a seed, in an empty folder."""
    file = kind.write(folder)
    damage(folder, file, Random(seed))
    return file


def _feed(kind: Kind, seed: str, parent: Path) -> dict[str, Any]:
    shutil.rmtree(parent, ignore_errors=True)
    inputs, work = parent / "input", parent / "work"
    inputs.mkdir(parents=True)
    work.mkdir()
    file = make_input(kind, seed, inputs)
    started = time.monotonic()
    signal.alarm(SECONDS)
    try:
        outcome = _load_raster(file, work) if kind.layer is None else _load(kind, file, work)
    except BrokeDown as error:
        outcome = {"outcome": "broke down", "why": error.reason}
    except SourceError as error:
        outcome = {"outcome": "refused", "why": str(error)[:300]}
    except TooSlow:
        outcome = {"outcome": "FAILED", "why": f"took longer than {SECONDS} s"}
    except BaseException:
        outcome = {"outcome": "FAILED", "why": traceback.format_exc(limit=-8)}
    finally:
        signal.alarm(0)
    return outcome | {"seconds": round(time.monotonic() - started, 3)}


def _load(kind: Kind, file: Path, work: Path) -> dict[str, Any]:
    assert kind.layer is not None
    if not file.exists():
        raise UnreadableSource(file, "there is no such file")
    options = LoadOptions(city=_SHENZHEN, crs="EPSG:4490", limits=LIMITS)
    rows = Pipeline(get_layer(kind.layer), options, None, work)
    accepted = rejected = 0
    for normalised in rows.batches([file]):
        accepted += normalised.accepted.num_rows
        rejected += len(normalised.rejected)
    if accepted + rejected != rows.rows_read:
        why = f"{accepted} accepted + {rejected} rejected of {rows.rows_read} read"
        return {"outcome": "FAILED", "why": why}
    return {"outcome": "read", "why": ""}


def _load_raster(file: Path, work: Path) -> dict[str, Any]:
    from layers.rasters import RasterKind
    from loaders.rasters import process
    from loaders.rasters.place import complete, place
    from loaders.rasters.sources import prepare_raster

    source = prepare_raster(file, LIMITS, work)
    output = work / "output.tif"
    header = complete(process.inspect(source, LIMITS), source, None)
    placement = place(header, source, _SHENZHEN)
    part = process.Part(source)
    process.convert([part], LIMITS, placement.header, RasterKind.TERRAIN, output)
    return {"outcome": "read", "why": ""}


def _read_here() -> None:
    """Have the readers called in this process instead of one of their own."""
    pipeline.read = _read  # type: ignore[attr-defined]  # that is how it gets its reader
    datasets.contents = _contents  # type: ignore[attr-defined]
    from loaders.rasters import process

    process._ask = _ask_raster


@contextmanager
def _read(source: Source, limits: ReadLimits) -> Iterator[reader.Features]:
    answer = pa.ipc.open_stream(_answer(source, limits, "read"))
    about = json.loads(answer.schema.metadata[b"source"])
    yield reader.Features(about["crs"], tuple(about["columns"]), about["count"], iter(answer))


def _contents(source: Source, limits: ReadLimits) -> tuple[stream.Contents, ...]:
    listed = json.loads(_answer(source, limits, "list"))
    return tuple(stream.Contents(**{**one, "columns": tuple(one["columns"])}) for one in listed)


class _Kept(io.BytesIO):
    """What is written, also after the writer has closed it."""

    kept = b""

    def close(self) -> None:
        self.kept = self.getvalue()
        super().close()


def _answer(source: Source, limits: ReadLimits, action: str) -> bytes:
    request = reader._request(source, limits, action)
    module = import_module(f"loaders.formats.{source.reader}")
    out = _Kept()
    with _as_a_process(source.path):
        child._answer(module, json.loads(json.dumps(request)), out)
    return out.kept or out.getvalue()


def _ask_raster(source: Any, limits: ReadLimits, task: Any) -> dict[str, Any]:
    from loaders.rasters import child as raster_child

    request = {
        "path": str(source.opened.absolute()),
        "driver": source.driver,
        "limits": {"max_bands": limits.max_fields, "pixel_bytes": limits.max_unpacked_bytes},
        **task,
    }
    request = json.loads(json.dumps(request))
    with _as_a_process(source.path):
        done = raster_child._inspect if task["task"] == "inspect" else raster_child._convert
        answer: dict[str, Any] = json.loads(json.dumps(done(request)))
    return answer


@contextmanager
def _as_a_process(path: Path) -> Iterator[None]:
    """What a reader raises, as its process would have told it."""
    from loaders.rasters.child import Refused as RefusedRaster

    try:
        yield
    except (stream.Refused, RefusedRaster) as error:
        raise UnreadableSource(path, str(error)) from error
    except MemoryError as error:
        raise UnreadableSource(path, "needs more memory than is allowed") from error
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        raise BrokeDown(path, f"{type(error).__name__} in {where}: {error}"[:300]) from error


def _too_slow(*_: object) -> None:
    raise TooSlow


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

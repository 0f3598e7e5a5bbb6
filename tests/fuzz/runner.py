"""Runs the harness over kinds of files, goes on after an input that ended it, and sums up."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from loaders.formats.gdal import _DRIVERS
from tests.fuzz.corpus import KINDS
from tests.fuzz.harness import SECONDS, make_input

ROOT = Path(__file__).resolve().parents[2]
CHUNK = 250
_GRACE_S = 20
_RASTER_DRIVERS = ("VRT", "HTTP", "WMS", "WMTS", "WCS", "OGCAPI", "STACTA", "DAAS", "PLMOSAIC")


@dataclass
class Summary:
    """What came of the inputs of one kind.

    Attributes:
        outcomes: How many ended how.
        broke_down: Why readers broke down, which their processes contain, and how often.
        failures: Number of the input and what went wrong.
        slowest_s: The longest that one input took.
    """

    kind: str
    outcomes: Counter[str] = field(default_factory=Counter)
    broke_down: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)
    slowest_s: float = 0.0

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {n:,}" for name, n in sorted(self.outcomes.items()))
        return f"{self.kind:8} {counts}; slowest {self.slowest_s:.2f} s"


def run_kind(name: str, seed: int, count: int) -> Summary:
    """Feed the first inputs of a seed, in processes of ``CHUNK`` inputs each."""
    summary = Summary(name)
    number = 0
    while number < count:
        number = _run_chunk(summary, seed, number, min(CHUNK, count - number))
    return summary


def run(names: Sequence[str], seed: int, seconds: float) -> list[Summary]:
    """Feed inputs of all kinds in turn until the time is over."""
    summaries = {name: Summary(name) for name in names}
    numbers = dict.fromkeys(names, 0)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for name in names:
            numbers[name] = _run_chunk(summaries[name], seed, numbers[name], CHUNK)
    return list(summaries.values())


def save(name: str, seed: int, number: int, folder: Path) -> Path:
    """Write an input once more, to look at it."""
    kept = folder / f"{name}-{seed}-{number}"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    return make_input(KINDS[name], f"{seed}-{name}-{number}", kept)


def _run_chunk(summary: Summary, seed: int, first: int, count: int) -> int:
    """The number of the input to go on with."""
    kind = KINDS[summary.kind]
    with tempfile.TemporaryDirectory(prefix="geoservice-fuzz-") as folder:
        child = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "tests.fuzz.harness"),
                *(kind.name, str(seed), str(first), str(count), f"{folder}/fuzz"),
            ],
            env=_environment(kind.driver),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert child.stdout is not None
        try:
            return _follow(summary, child, child.stdout, first, first + count)
        finally:
            child.kill()
            child.wait()
            child.stdout.close()


def _environment(driver: str | None) -> dict[str, str]:
    """What the bounded process sets before it imports GDAL: one driver, no plugins, no threads."""
    skipped = [name for name in (*_DRIVERS, *_RASTER_DRIVERS) if name != driver]
    # Sound files are written first, by their driver; GML needs no other to be written.
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "GDAL_SKIP": ",".join(skipped),
        "GDAL_DRIVER_PATH": "disable",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR" if driver in ("GTiff", "AAIGrid") else "NO",
        "GDAL_PAM_ENABLED": "NO",
        "OGR_ARC_STEPSIZE": "1",
        "SHAPE_RESTORE_SHX": "YES",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "GDAL_NUM_THREADS": "1",
        "CPL_LOG": "/dev/null",
    }


def _follow(
    summary: Summary, child: subprocess.Popen[str], out: IO[str], number: int, end: int
) -> int:
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_pass_on, args=(out, lines), daemon=True).start()
    begun = None
    while True:
        try:
            line = lines.get(timeout=SECONDS + _GRACE_S)
        except queue.Empty:
            _note(summary, number, "FAILED", "hung where no signal reaches it")
            return number + 1
        if line is None:
            break
        said = json.loads(line)
        if "begins" in said:
            begun = number = int(said["begins"])
            continue
        begun, number = None, int(said["number"]) + 1
        _note(summary, said["number"], said["outcome"], said["why"])
        summary.slowest_s = max(summary.slowest_s, said["seconds"])
    if begun is not None:
        _note(summary, begun, "broke down", f"the process ended with {child.wait()}")
        return begun + 1
    if number < end:
        _note(summary, number, "FAILED", "the harness did not start")
        return end
    return end


def _pass_on(out: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in out:
        lines.put(line)
    lines.put(None)


def _note(summary: Summary, number: int, outcome: str, why: str) -> None:
    summary.outcomes[outcome] += 1
    if outcome == "FAILED":
        summary.failures[number] = why
    elif outcome == "broke down":
        summary.broke_down[why.partition(":")[0] if " in " in why else why] += 1

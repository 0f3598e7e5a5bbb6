"""Child processes of a benchmark: started, watched, measured, and stopped by their process id."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STARTS_WITHIN_S = 120
STOPS_WITHIN_S = 20
QUOTED_LINES = 12
SAMPLE_EVERY_S = 0.05
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ChildFailed(RuntimeError):
    """A program that a benchmark needs did not do its work; the text quotes its last words."""


@dataclass(frozen=True)
class Cost:
    """What a program took: seconds on the clock, and the most memory it held at once.

    ``peak_bytes`` is the resident memory of the process and all its descendants together, sampled
    every 50 ms; pages that they share are counted once for each. ``processor_s`` is the processor
    time of the same processes, which other work on the machine changes little.
    """

    seconds: float
    peak_bytes: int
    output: str
    processor_s: float = 0.0


@contextmanager
def running(
    command: Sequence[str], *, environment: Mapping[str, str], log: Path, ready_url: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A server for as long as the block lasts.

    Args:
        log: File that takes what the server says.
        ready_url: Answers 200 once the server can be used.

    Raises:
        ChildFailed: it ended, or was not ready in time.
    """
    with log.open("wb") as said:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(child, ready_url, log)
        yield child
    finally:
        _stop(child)


def run_measured(command: Sequence[str], *, environment: Mapping[str, str], cwd: Path) -> Cost:
    """Run a program to its end and measure it with all its descendants.

    Raises:
        ChildFailed: it ended with another code than 0.
    """
    started, spent = time.monotonic(), _spent_by_children_s()
    child = subprocess.Popen(
        command,
        env=dict(environment),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watch = _MemoryWatch(child.pid)
    try:
        output, errors = child.communicate()
    finally:
        seconds = time.monotonic() - started
        watch.end()
        _stop(child)
    if child.returncode != 0:
        raise ChildFailed(_last_words(command, output + errors))
    return Cost(seconds, watch.peak_bytes, output, _spent_by_children_s() - spent)


def _spent_by_children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def find_program(name: str) -> str | None:
    """The path of a program of this machine, or None."""
    return shutil.which(name)


def _wait_until_ready(child: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own address
                if answer.status == 200:
                    return
        except (OSError, urllib.error.URLError):
            pass
        if child.poll() is not None or time.monotonic() > deadline:
            raise ChildFailed(_last_words([str(log)], log.read_text(errors="replace")))
        time.sleep(0.1)


def _last_words(command: Sequence[str], said: str) -> str:
    lines = "\n".join(f"  {line}" for line in said.splitlines()[-QUOTED_LINES:])
    return f"{Path(command[0]).name} failed. It says:\n{lines}"


def _stop(child: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class _MemoryWatch:
    """Samples the resident memory of a process and its descendants until told to end."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self.peak_bytes = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_EVERY_S):
            held = sum(resident_bytes(pid) for pid in family(self._pid))
            self.peak_bytes = max(self.peak_bytes, held)


def family(pid: int) -> Iterator[int]:
    """A process and its descendants, as far as they still live."""
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [(task / "children").read_text().split() for task in tasks]
    except OSError:
        return
    for child in {int(one) for listed in children for one in listed}:
        yield from family(child)


def resident_bytes(pid: int) -> int:
    """The memory that a process holds; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0

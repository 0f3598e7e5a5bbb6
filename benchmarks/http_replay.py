"""Asking a server for a list of paths, each equally often, and how long that took.

wrk does it where it is installed; else a client of our own in a process of its own
(``socket_client.py``), which costs the machine more for each request.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from children import ChildFailed, find_program

_HERE = Path(__file__).resolve().parent
_MAY_LAST_S = 1800


@dataclass(frozen=True)
class Replay:
    """What came of a replay.

    Attributes:
        seconds: From the first request to the last answer.
        answered: Answers, good or bad.
        failed: Answers with a status other than 200 and 204.
        body_bytes: Of all answers, as sent.
        latencies_s: Of each answer; measured with one connection only, else empty.
    """

    seconds: float
    answered: int
    failed: int
    body_bytes: int
    latencies_s: list[float]

    @property
    def per_second(self) -> float:
        """Answers in a second."""
        return self.answered / self.seconds


@dataclass(frozen=True)
class _Job:
    base_url: str
    paths: tuple[str, ...]
    headers: dict[str, str]
    connections: int
    requests: int

    def as_lua(self) -> str:
        """The job as Lua; JSON writes paths and header values, which are ASCII, as Lua does."""
        lines = [
            f"local paths = {{{', '.join(json.dumps(path) for path in self.paths)}}}",
            f"local requests, connections = {self.requests}, {self.connections}",
        ]
        for name, value in self.headers.items():
            lines.append(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}")
        return "\n".join(lines) + "\n"


def replay(
    base_url: str,
    paths: Sequence[str],
    headers: Mapping[str, str],
    *,
    connections: int,
    requests: int,
) -> Replay:
    """Ask for the paths in turn, over and over, until so many requests are answered.

    Args:
        base_url: ``http://HOST:PORT``.
        connections: Kept open; on each one request is under way at any time.

    Raises:
        ChildFailed: an answer was bad, or the client gave up.
    """
    job = _Job(base_url, tuple(paths), dict(headers), connections, requests)
    wrk = find_program("wrk")
    done = Replay(**(_by_wrk(wrk, job) if wrk else _by_own_client(job)))
    if done.failed:
        message = f"{done.failed} of {done.answered} answers of {base_url} were bad"
        raise ChildFailed(message)
    return done


def _by_wrk(wrk: str, job: _Job) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(job.as_lua())
        script.write((_HERE / "replay.lua").read_text())
        script.flush()
        # The script ends wrk once all is answered; the duration is a bound only.
        command = [wrk, "-t", "1", "-c", str(job.connections), "-d", f"{_MAY_LAST_S}s"]
        command += ["--timeout", "120s", "-s", script.name, job.base_url]
        return _answer(command, None)


def _by_own_client(job: _Job) -> dict[str, Any]:
    command = [sys.executable, "-P", str(_HERE / "socket_client.py")]
    return _answer(command, json.dumps(asdict(job)))


def _answer(command: list[str], given: str | None) -> dict[str, Any]:
    done = subprocess.run(
        command, check=False, input=given, capture_output=True, text=True, timeout=_MAY_LAST_S + 60
    )
    last = done.stdout.strip().splitlines()[-1:]
    if done.returncode != 0 or not last or not last[0].startswith("{"):
        message = f"{Path(command[0]).name} gave up: {(done.stdout + done.stderr)[-500:]}"
        raise ChildFailed(message)
    answer: dict[str, Any] = json.loads(last[0])
    return answer

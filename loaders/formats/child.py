"""The process that opens a file of strangers: bounded, with one reader, nothing of the project.

It takes a JSON request on standard input. Asked to ``read`` it writes one Arrow IPC stream to
standard output, whose schema's metadata say what the file is; asked to ``list`` it writes JSON of
the layers of the file. What it cannot read it says in a last line of JSON on standard error, with
exit status 3; a crash or a passed limit shows in the status alone.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from dataclasses import asdict
from importlib import import_module
from typing import IO, Any

from .stream import REFUSED, Refused, bounded, write
from .wkb import with_wkt

AGAIN = "GEOSERVICE_READ_REQUEST"
"""Variable that holds the request where the process has started itself once more."""


def main() -> int:
    """Do what the request on standard input says; 0, or 3 where the file cannot be read."""
    text = os.environ.get(AGAIN) or sys.stdin.read()
    request: dict[str, Any] = json.loads(text)
    _set_limits(request["limits"])
    try:
        reader = import_module(f".{request['reader']}", __package__)
        if hasattr(reader, "prepare"):
            reader.prepare(request, text)
        # Libraries may print; only the stream may come out of standard output.
        out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        _answer(reader, request, out)
    except (Refused, MemoryError) as refusal:
        reason = str(refusal) or "needs more memory than is allowed"
        sys.stderr.write("\n" + json.dumps({"reason": reason}) + "\n")
        return REFUSED
    return 0


def _set_limits(limits: dict[str, int]) -> None:
    for name, value in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["timeout_s"]),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(name)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (bound, bound))


def _answer(reader: Any, request: dict[str, Any], out: IO[bytes]) -> None:
    if request["action"] == "list":
        with out:
            out.write(json.dumps([asdict(layer) for layer in reader.layers(request)]).encode())
        return
    with reader.opened(request) as reading:
        if len(reading.columns) > request["limits"]["max_fields"]:
            most = request["limits"]["max_fields"]
            message = f"has {len(reading.columns)} columns, more than {most}"
            raise Refused(message)
        batches = bounded(reading.batches, request["limits"]["read_bytes"])
        write(out, with_wkt(batches, request["wkt"]), reading)

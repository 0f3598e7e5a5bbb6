"""A small HTTP/1.1 client for machines without wrk: a job as JSON in, what it measured as JSON out.

It writes requests that were put together beforehand and reads no more of an answer than its status
and its length, so that it takes little of the processor that the server is to have.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class _Measured:
    seconds: float = 0.0
    answered: int = 0
    failed: int = 0
    body_bytes: int = 0
    latencies_s: list[float] = field(default_factory=list)


async def _replay(job: dict[str, Any]) -> _Measured:
    address = urlsplit(job["base_url"])
    lines = "".join(f"{name}: {value}\r\n" for name, value in job["headers"].items())
    prepared = [
        f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n{lines}\r\n".encode()
        for path in job["paths"]
    ]
    turns = iter(range(job["requests"]))
    measured = _Measured()

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for turn in turns:
            asked = time.perf_counter()
            writer.write(prepared[turn % len(prepared)])
            await _read_answer(reader, measured)
            if job["connections"] == 1:
                measured.latencies_s.append(time.perf_counter() - asked)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(one_connection() for _ in range(job["connections"])))
    measured.seconds = time.perf_counter() - started
    return measured


async def _read_answer(reader: asyncio.StreamReader, measured: _Measured) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = 0
    if b"content-length:" in head:
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    elif b"transfer-encoding: chunked" in head:
        raise ValueError("this client reads answers of a known length only")
    if length:
        await reader.readexactly(length)
    measured.answered += 1
    measured.body_bytes += length
    measured.failed += head.split(b" ", 2)[1] not in (b"200", b"204")


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_replay(json.load(sys.stdin))))))

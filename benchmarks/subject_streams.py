"""Open streams on one worker: how long a change takes to every client, and what a stream weighs.

Each of the streams hears of every change. The delay is from the moment at which the event was
written, shortly before its transaction was committed, to that at which the client has read it; the
client, in the same process as all others, is a part of it.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

import httpx2
import orjson
from rich.console import Console
from sqlalchemy import text

from benchmark_city import BenchmarkCity
from geoservice.keys import create_key
from layers.access import Clearance, Grant
from layers.roles import Role
from measured import new_table
from servers import our_service

STREAMS = 2_000
CHANGES = 60
EVERY_S = 0.25
_SOURCE = "benchmark-streams"
_TOGETHER = 100
_REQUEST = b"GET /availability/stream HTTP/1.1\r\nHost: benchmark\r\n\r\n"


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print; one round, as it has thousands of measurements in itself."""
    del repeats
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with city.as_superuser() as connection:
        code = connection.execute(
            text("SELECT natural_key FROM city.facilities WHERE capacity > 100 ORDER BY 1 LIMIT 1")
        ).scalar_one()
    with city.address().connect(Role.OWNER) as connection:
        key = create_key(
            connection,
            label="benchmark",
            clearance=Clearance.RESTRICTED,
            grants=[Grant.parse(f"observe:{_SOURCE}")],
        )
        connection.commit()
    with our_service(city) as url:
        delays, kilobytes = asyncio.run(_measure(url, key, code))
    cuts = quantiles(delays, n=100)
    table = new_table(
        f"{STREAMS:,} streams on one worker, {CHANGES} changes told to all, every {EVERY_S} s",
        "told",
        "p50 ms",
        "p99 ms",
        "longest ms",
        "aim p99",
        "kB of the worker a stream",
        note=f"load of the machine at the end {os.getloadavg()[0]:.1f}",
    )
    milliseconds = [f"{1000 * value:.0f}" for value in (cuts[49], cuts[98], max(delays))]
    table.add_row(f"{len(delays):,}", *milliseconds, "<= 1000", f"{kilobytes:.0f}")
    console.print(table)


async def _measure(url: str, key: str, code: str) -> tuple[list[float], float]:
    address = urlsplit(url)
    pid = _worker_of(address.port or 0)
    before = _resident_kb(pid)
    delays: list[float] = []
    readers: list[asyncio.StreamReader] = []
    for _ in range(0, STREAMS, _TOGETHER):
        opened = await asyncio.gather(
            *(_open(address.hostname or "", address.port or 0) for _ in range(_TOGETHER))
        )
        readers += opened
    kilobytes = (_resident_kb(pid) - before) / STREAMS
    listening = [asyncio.create_task(_listen(reader, delays)) for reader in readers]
    await _change(url, key, code)
    deadline = asyncio.get_running_loop().time() + 30
    while len(delays) < STREAMS * CHANGES and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.1)
    for task in listening:
        task.cancel()
    if len(delays) != STREAMS * CHANGES:
        message = f"{len(delays):,} changes were told instead of {STREAMS * CHANGES:,}"
        raise RuntimeError(message)
    return delays, kilobytes


async def _open(host: str, port: int) -> asyncio.StreamReader:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(_REQUEST)
    await reader.readuntil(b'"after"')
    # Kept open by the reader's protocol; the writer must not be collected.
    reader.writer = writer  # type: ignore[attr-defined]  # for its life only
    return reader


async def _listen(reader: asyncio.StreamReader, delays: list[float]) -> None:
    while True:
        line = await reader.readline()
        if line.startswith(b"data: ") and b"occurred_at" in line:
            now = datetime.now(UTC)
            at = datetime.fromisoformat(orjson.loads(line[6:])["occurred_at"])
            delays.append((now - at).total_seconds())


async def _change(url: str, key: str, code: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers) as client:
        for number in range(CHANGES):
            body = {
                "facility": code,
                "observed_at": datetime.now(UTC).isoformat(),
                "available": number,
                "source": _SOURCE,
            }
            answer = await client.post("/observations", json=body)
            answer.raise_for_status()
            await asyncio.sleep(EVERY_S)


def _worker_of(port: int) -> int:
    """The process that listens at a port of this machine."""
    found: Sequence[str] = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    wanted = f":{port:04X}"
    inode = next(f[9] for line in found if (f := line.split())[1].endswith(wanted) and f[3] == "0A")
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(str(file.readlink()) == f"socket:[{inode}]" for file in folder.iterdir()):
                return int(folder.parent.name)
        except OSError:
            continue
    message = f"nobody listens at {port}"
    raise RuntimeError(message)


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS")))

"""Figures a second over HTTP with everything on, beside COPY of the same rows into a bare table.

Batches of a thousand come over a few connections, each row another figure of one of the city's
facilities, so that each changes an answer: it is checked, written, becomes the newest, leaves an
event and marks its rollup. Meanwhile the worker numbers the events and makes the rollups.
"""

from __future__ import annotations

import http.client
import io
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median
from urllib.parse import urlsplit

import orjson
import psycopg
from rich.console import Console
from sqlalchemy import text

from benchmark_city import BenchmarkCity
from geoservice.keys import create_key
from layers.access import Clearance, Grant
from layers.roles import Role
from measured import Aim, new_table, number_text
from servers import our_service

BATCH = 1_000
CONNECTIONS = 4
SECONDS = 10
AIM = Aim(10_000)
_SOURCE = "benchmark-intake"
_TIMEOUT_S = 60
_LAST_S = 86_400


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print."""
    with city.as_superuser() as connection:
        codes = list(
            connection.execute(
                text(
                    "SELECT natural_key FROM city.facilities "
                    "WHERE upper_inf(valid_during) AND capacity > 60 ORDER BY 1"
                )
            ).scalars()
        )
    key = _key(city)
    overs, copies = [], []
    with our_service(city) as url:
        _send(url, key, _batches(codes, Random(0), datetime.now(UTC) - timedelta(days=1), 5))
        for number in range(repeats):
            begin = datetime.now(UTC) - timedelta(hours=repeats - number)
            batches = _batches(codes, Random(number + 1), begin, 12 * SECONDS)
            seconds = _send(url, key, batches)
            overs.append(len(batches) * BATCH / seconds)
            copies.append(_copy(city, len(batches) * BATCH))
        waiting = _wait_for_upkeep(city)
    table = new_table(
        f"Figures a second in batches of {BATCH:,}, {CONNECTIONS} connections, one worker",
        "way",
        "per second",
        "aim",
        note=f"of {len(codes):,} facilities; events and rollups were done {waiting:.1f} s after "
        f"the last batch; load of the machine at the end {os.getloadavg()[0]:.1f}",
    )
    table.add_row("POST /observations", number_text(median(overs)), str(AIM))
    table.add_row("COPY into a bare table with the same key", number_text(median(copies)), "")
    table.add_row("the first of the second", f"{median(overs) / median(copies):.2f}", "")
    console.print(table)


def _key(city: BenchmarkCity) -> str:
    with city.address().connect(Role.OWNER) as connection:
        key = create_key(
            connection,
            label="benchmark",
            clearance=Clearance.RESTRICTED,
            grants=[Grant.parse(f"observe:{_SOURCE}")],
        )
        connection.commit()
    return key


def _batches(codes: Sequence[str], random: Random, begin: datetime, count: int) -> list[bytes]:
    """Bodies in which no facility has two figures of one instant."""
    bodies = []
    place, at = 0, begin
    for _ in range(count):
        rows = []
        for _ in range(BATCH):
            if place == len(codes):
                place, at = 0, at + timedelta(seconds=10)
            rows.append(
                {
                    "facility": codes[place],
                    "observed_at": at.isoformat(),
                    "available": random.randrange(60),
                    "source": _SOURCE,
                    # What has expired when it comes is told without its number.
                    "ttl_s": _LAST_S,
                }
            )
            place += 1
        bodies.append(orjson.dumps(rows))
    return bodies


def _send(url: str, key: str, bodies: Sequence[bytes]) -> float:
    """Seconds until all is answered."""
    address = urlsplit(url)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def send(part: Sequence[bytes]) -> None:
        line = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_S)
        for body in part:
            line.request("POST", "/observations", body, headers)
            answer = line.getresponse()
            said = orjson.loads(answer.read())
            if answer.status != 200 or said["accepted"] != BATCH:  # HTTP's own
                message = f"a batch was not taken: {str(said)[:300]}"
                raise RuntimeError(message)
        line.close()

    parts = [bodies[number::CONNECTIONS] for number in range(CONNECTIONS)]
    began = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(send, parts))
    return time.perf_counter() - began


def _copy(city: BenchmarkCity, rows: int) -> float:
    """Rows a second that COPY writes, in the form of observations, from ready text."""
    now = datetime.now(UTC)
    content = io.StringIO()
    for number in range(rows):
        at = now + timedelta(seconds=number // BATCH)
        content.write(f"{number % BATCH}\t{at}\t{now}\t\\N\t{number % 60}\t60\t0\n")
    with psycopg.connect(city.url(), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS public.bare_observations")
        connection.execute(
            "CREATE TABLE public.bare_observations "
            "(LIKE city.observations INCLUDING DEFAULTS, PRIMARY KEY (series_id, observed_at))"
        )
        began = time.perf_counter()
        with connection.cursor().copy("COPY public.bare_observations FROM STDIN") as copy:
            copy.write(content.getvalue())
        elapsed = time.perf_counter() - began
        connection.execute("DROP TABLE public.bare_observations")
    return rows / elapsed


def _wait_for_upkeep(city: BenchmarkCity) -> float:
    """Seconds until nothing waits to be numbered or rolled up."""
    began = time.perf_counter()
    statement = text(
        "SELECT (SELECT count(*) FROM city.outbox) + (SELECT count(*) FROM city.rollup_queue)"
    )
    with city.as_superuser() as connection:
        while connection.execute(statement).scalar_one():
            time.sleep(0.2)
    return time.perf_counter() - began

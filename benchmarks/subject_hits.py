"""Tiles out of the cache, beside a server without one, nginx with the same bytes, and nginx before.

The tiles of the trace that compress to something like 10 KB are asked for once, and then over and
over. nginx gets the very bytes of the answers as files; before the service it is as
``docker/nginx.conf`` has it, which answers for two seconds by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random

import httpx2
from rich.console import Console

from benchmark_city import BenchmarkCity, tipg_python
from children import find_program
from http_replay import replay
from layers.base import TILE_SRID
from layers.registry import get_layer
from measured import (
    Aim,
    Measurements,
    measure_in_turns,
    new_table,
    number_text,
    ratio_text,
    ratios,
    spread_text,
)
from nginx_servers import caching_nginx, static_nginx
from plain_tables import SCHEMA, make_plain_tables, plain_name
from servers import our_service, tipg_server
from tile_trace import tile_trace

LAYER = get_layer("parcels")
CONNECTIONS = 32
TILES = 40
REQUESTS = 40_000
_ABOUT_BYTES = 10_000

OURS, BEHIND, FILES, TIPG = "geoservice, 1 worker", "nginx before it", "nginx, files", "tipg"
_NOT_MODIFIED = "geoservice, 304"
_HEADERS = {"Accept-Encoding": "gzip"}
_AIMS: Mapping[str, Aim] = {FILES: Aim(0.5), TIPG: Aim(10)}


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print."""
    with city.as_superuser() as connection:
        make_plain_tables(connection)
        trace = tile_trace(connection, Random(city.seed))
    city.settle()
    paths = [f"/tiles/{LAYER.name}/{tile.z}/{tile.x}/{tile.y}.mvt" for tile in trace]
    with ExitStack() as servers:
        url = servers.enter_context(our_service(city, caches=True))
        chosen = _about(url, paths)
        requests = max(1, REQUESTS // len(chosen)) * len(chosen)
        runs = dict(_contestants(city, servers, url, chosen, requests))
        measured = measure_in_turns(runs, repeats)
    _print(console, measured, sum(chosen.values()) / len(chosen))


def _about(url: str, paths: Sequence[str]) -> dict[str, int]:
    """The tiles whose compressed size is nearest to what is wanted, with their bytes."""
    sizes = {}
    with httpx2.Client(base_url=url, headers=_HEADERS) as client:
        for path in paths:
            with client.stream("GET", path) as answer:
                sizes[path] = sum(len(part) for part in answer.iter_raw())
    nearest = sorted(paths, key=lambda path: abs(sizes[path] - _ABOUT_BYTES))
    return {path: sizes[path] for path in nearest[:TILES]}


def _contestants(
    city: BenchmarkCity,
    servers: ExitStack,
    url: str,
    chosen: Mapping[str, int],
    requests: int,
) -> Iterator[tuple[str, Callable[[], float]]]:
    paths = list(chosen)
    yield OURS, partial(_ask, url, paths, requests)
    if find_program("nginx") is not None:
        root = city.folder / "static"
        _write_files(url, paths, root)
        yield FILES, partial(_ask, servers.enter_context(static_nginx(root)), paths, requests)
        behind = servers.enter_context(caching_nginx(root.with_name("nginx"), url))
        yield BEHIND, partial(_ask, behind, paths, requests)
    if tipg_python() is not None:
        tipg = servers.enter_context(tipg_server(city))
        name = f"{SCHEMA}.{plain_name(LAYER, TILE_SRID)}"
        theirs = [
            f"/collections/{name}/tiles/WebMercatorQuad/"
            + path.removeprefix(f"/tiles/{LAYER.name}/").removesuffix(".mvt")
            for path in paths
        ]
        yield TIPG, partial(_ask, tipg, theirs, max(len(paths), requests // 100))


def _ask(url: str, paths: Sequence[str], requests: int) -> float:
    done = replay(url, paths, _HEADERS, connections=CONNECTIONS, requests=requests)
    if done.failed:
        message = f"{done.failed} answers of {url} failed"
        raise RuntimeError(message)
    return done.per_second


def _write_files(url: str, paths: Sequence[str], root: Path) -> None:
    """The answers as files that nginx serves as they are."""
    with httpx2.Client(base_url=url, headers=_HEADERS) as client:
        for path in paths:
            file = root / path.removeprefix("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            with client.stream("GET", path) as answer:
                file.write_bytes(b"".join(answer.iter_raw()))


def _print(console: Console, measured: Measurements, mean_bytes: float) -> None:
    load = os.getloadavg()[0]
    table = new_table(
        f"Tiles of the cache a second, {CONNECTIONS} connections, {mean_bytes:,.0f} bytes each",
        "server",
        "per second",
        "geoservice to it",
        "aim",
        note=f"load of the machine at the end {load:.1f}, of which the client is a part",
    )
    for name, values in measured.items():
        is_other = name != OURS
        table.add_row(
            name,
            spread_text(values, number_text),
            ratio_text(ratios(measured, OURS, name)) if is_other else "",
            str(_AIMS[name]) if name in _AIMS else "",
        )
    console.print(table)

"""Tiles per second without a cache: our service, tipg, and the statement alone.

All answer the same trace of tiles on the same server with the same number of connections. tipg
gets plain tables of the same rows without history, once in degrees and once in Web Mercator, where
nobody has to transform anything. Answers are uncompressed, so that all do the same work;
compression, which browsers ask for, is measured apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from random import Random

from rich.console import Console

from benchmark_city import DATABASE, BenchmarkCity, tipg_python
from http_replay import replay
from layers.access import Clearance
from layers.base import TILE_SRID, Layer
from layers.roles import Role
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
from pgbench_replay import PackedList, as_pgbench, run_pgbench
from plain_tables import GEOGRAPHIC_SRID, SCHEMA, make_plain_tables, plain_name
from servers import CONNECTIONS, our_service, tipg_server
from tile_contents import Contents, contents_of
from tile_statements import Parameters, statements_of_tiles
from tile_trace import LAYERS, tile_trace, tiles_of
from tiles.matrix import TileAddress

LEVEL = Clearance.RESTRICTED
OURS, RAW = "geoservice", "the SQL alone (pgbench)"
TIPG = {
    GEOGRAPHIC_SRID: "tipg, table in EPSG:4326",
    TILE_SRID: "tipg, table in EPSG:3857",
}
AIMS = {OURS: "", RAW: Aim(0.95), TIPG[GEOGRAPHIC_SRID]: Aim(5), TIPG[TILE_SRID]: Aim(5)}
_RUN_S = 2.0
"""About how long our service is measured at a time; the others answer as many tiles."""


@dataclass(frozen=True)
class _Contestant:
    """Who answers, where, and with which headers."""

    base_url: str
    path: Callable[[Layer, TileAddress], str]
    headers: Mapping[str, str]

    def paths(self, layer: Layer, tiles: Sequence[TileAddress]) -> list[str]:
        """The paths of tiles of a layer."""
        return [self.path(layer, tile) for tile in tiles]

    def asking_gzip(self) -> _Contestant:
        """The same, asked for compressed answers."""
        headers = {**self.headers, "Accept-Encoding": "gzip"}
        return _Contestant(self.base_url, self.path, headers)


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print."""
    random = Random(city.seed)
    with city.as_superuser() as connection:
        make_plain_tables(connection)
        trace = tile_trace(connection, random)
    city.settle()
    with ExitStack() as servers:
        contestants = dict(_contestants(city, servers))
        per_layer: dict[str, Measurements] = {}
        zipped: dict[str, Measurements] = {}
        counts: dict[str, int] = {}
        for layer in LAYERS:
            tiles = tiles_of(layer, trace)
            counts[layer.name] = len(tiles)
            _print_contents(console, layer, tiles, contestants)
            console.print(f"[dim]measuring {layer.name} ...[/]")
            per_layer[layer.name] = _measure(city, contestants, layer, tiles, repeats)
            asking = {name: one.asking_gzip() for name, one in contestants.items()}
            zipped[layer.name] = _measure(None, asking, layer, tiles, repeats)
    _print_speeds(console, per_layer, counts, f"Tiles per second, {CONNECTIONS} connections")
    _print_speeds(console, zipped, counts, "The same with Accept-Encoding: gzip")


def _contestants(city: BenchmarkCity, servers: ExitStack) -> Iterator[tuple[str, _Contestant]]:
    url = servers.enter_context(our_service(city))
    headers = {"Authorization": f"Bearer {city.key(LEVEL)}"}
    yield OURS, _Contestant(url, _our_path, headers)
    if tipg_python() is not None:
        url = servers.enter_context(tipg_server(city))
        for srid, name in TIPG.items():
            yield name, _Contestant(url, partial(_tipg_path, srid), {})


def _our_path(layer: Layer, tile: TileAddress) -> str:
    return f"/tiles/{layer.name}/{tile.z}/{tile.x}/{tile.y}.mvt"


def _tipg_path(srid: int, layer: Layer, tile: TileAddress) -> str:
    collection = f"{SCHEMA}.{plain_name(layer, srid)}"
    address = f"{tile.z}/{tile.x}/{tile.y}"
    return f"/collections/{collection}/tiles/WebMercatorQuad/{address}"


def _measure(
    city: BenchmarkCity | None,
    contestants: Mapping[str, _Contestant],
    layer: Layer,
    tiles: Sequence[TileAddress],
    repeats: int,
) -> Measurements:
    """Tiles per second of each contestant; the statement alone takes part if a city is given."""
    warm = _ask(contestants[OURS], layer, tiles, len(tiles))
    requests = max(1, round(warm * _RUN_S / len(tiles))) * len(tiles)
    runs: dict[str, Callable[[], float]] = {
        name: partial(_ask, one, layer, tiles, requests) for name, one in contestants.items()
    }
    if city is not None:
        url = city.url(DATABASE, Role.READ_RESTRICTED)
        asked = asyncio.run(statements_of_tiles(url, layer, LEVEL, tiles))
        runs[RAW] = partial(_run_statements, city, asked, len(tiles), requests / len(tiles))
    return measure_in_turns(runs, repeats)


def _ask(
    contestant: _Contestant, layer: Layer, tiles: Sequence[TileAddress], requests: int
) -> float:
    return replay(
        contestant.base_url,
        contestant.paths(layer, tiles),
        contestant.headers,
        connections=CONNECTIONS,
        requests=requests,
    ).per_second


def _run_statements(
    city: BenchmarkCity, asked: Mapping[str, Sequence[Parameters]], tiles: int, passes: float
) -> float:
    """Tiles per second of the database alone: each statement by itself, all their times together.

    Args:
        asked: Statements with the parameters of those tiles that take them.
        passes: How often each is asked.
    """
    seconds = 0.0
    for statement, parameters in asked.items():
        names = tuple(n for n, value in parameters[0].items() if isinstance(value, int))
        rows = [tuple(one[name] for name in names) for one in parameters]
        constants = {n: str(v) for n, v in parameters[0].items() if n not in names}
        done = run_pgbench(
            city.program("pgbench"),
            city.url(DATABASE, Role.READ_RESTRICTED),
            as_pgbench(statement),
            PackedList(names, rows, (1,) * len(names)),
            constants=constants,
            clients=CONNECTIONS,
            transactions=round(passes * len(rows)),
        )
        seconds += len(rows) / done.per_second
    return tiles / seconds


def _print_contents(
    console: Console,
    layer: Layer,
    tiles: Sequence[TileAddress],
    contestants: Mapping[str, _Contestant],
) -> None:
    """What each contestant puts into the tiles: a fast answer with less in it is not a fast one."""
    table = new_table(f"What the {len(tiles)} tiles of {layer.name} hold", *_CONTENT_COLUMNS)
    for name, one in contestants.items():
        found: Contents = contents_of(one.base_url, one.paths(layer, tiles), one.headers)
        table.add_row(
            name,
            f"{found.empty}",
            f"{found.features:,}",
            f"{found.body_bytes / 1e6:,.1f}",
            f"{found.largest_bytes / 1e6:,.2f}",
        )
    console.print(table)


_CONTENT_COLUMNS = ("tiles of", "empty", "features", "MB", "largest MB")


def _print_speeds(
    console: Console, per_layer: Mapping[str, Measurements], counts: Mapping[str, int], title: str
) -> None:
    table = new_table(title, "layer", "who", "tiles/s", "geoservice is ... times that", "aim")
    for layer, measured in {**per_layer, "all": _together(per_layer, counts)}.items():
        for name, values in measured.items():
            is_ours = name == OURS
            table.add_row(
                f"{layer}" if is_ours else "",
                name,
                spread_text(values, number_text),
                "" if is_ours else ratio_text(ratios(measured, OURS, name)),
                "" if is_ours else str(AIMS[name]),
            )
        table.add_section()
    console.print(table)


def _together(per_layer: Mapping[str, Measurements], counts: Mapping[str, int]) -> Measurements:
    """The speed over the traces of all layers, each once: all tiles by all their time."""
    names = next(iter(per_layer.values()))
    tiles = sum(counts.values())
    together: Measurements = {}
    for name in names:
        turns = zip(*(per_layer[layer][name] for layer in counts), strict=True)
        together[name] = [
            tiles / sum(count / speed for count, speed in zip(counts.values(), turn, strict=True))
            for turn in turns
        ]
    return together

"""Nearest facilities with free places: over HTTP, its SQL alone, and a bare KNN query.

All answer for the same places, one at a time. The bare query asks a plain table with the best index
for the 20 nearest of a kind in the order of Web Mercator: no figures, no history, no radius, no
geodesic metres. Like ours it is given the place in Web Mercator and makes it once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import Random
from statistics import median, quantiles

from rich.console import Console
from sqlalchemy import Connection, text

from benchmark_city import DATABASE, BenchmarkCity, refresh_figures
from http_replay import replay
from layers.access import Clearance
from layers.availability import SPARE, Place, SearchQuery, search_parameters, search_statement
from layers.base import TILE_SRID
from layers.facilities import LAYER as FACILITIES
from layers.facility_filters import Filters
from layers.roles import Role
from measured import Aim, Measurements, measure_in_turns, new_table, ratio_text, ratios, spread_text
from pgbench_replay import PackedList, as_pgbench, run_pgbench
from plain_tables import NEAREST, make_plain_tables
from servers import our_service

KIND = "parking"
MIN_AVAILABLE = 1
RADIUS_M = 5_000
LIMIT = 20
POINTS = 500
PASSES = 4
LEVEL = Clearance.PUBLIC
BARE = "bare KNN, plain table"
BARE_CITY = "bare KNN, the city's current rows"
STATEMENT = "the SQL of the search alone"
HTTP = "GET /availability"
HEALTH = "GET /healthz (HTTP alone)"
AIM = Aim(1.5, at_least=False)
_MICRODEGREES = 1_000_000
_CENTIMETRES = 100
_STRAY_DEGREES = 0.005


@dataclass(frozen=True)
class Places:
    """Where is asked: whole microdegrees, longitude and latitude."""

    rows: Sequence[tuple[int, int]]

    def degrees(self) -> list[tuple[float, float]]:
        """The same in degrees."""
        return [(lon / _MICRODEGREES, lat / _MICRODEGREES) for lon, lat in self.rows]

    def packed(self) -> PackedList:
        """The same in centimetres of Web Mercator, for pgbench, which divides."""
        rows = []
        for lon, lat in self.degrees():
            parameters = search_parameters(_query(lon, lat), LIMIT)
            rows.append(
                (
                    round(parameters["here_x"] * _CENTIMETRES),
                    round(parameters["here_y"] * _CENTIMETRES),
                )
            )
        return PackedList(("here_x", "here_y"), rows, (_CENTIMETRES, _CENTIMETRES))


def _query(lon: float, lat: float) -> SearchQuery:
    return SearchQuery(
        at=datetime.now(UTC),
        place=Place(lon, lat, RADIUS_M),
        filters=Filters(kinds=(KIND,), min_available=MIN_AVAILABLE),
        limit=LIMIT,
    )


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print."""
    with city.as_superuser() as connection:
        make_plain_tables(connection)
        places = places_to_ask(connection, Random(city.seed))
    figures = asyncio.run(refresh_figures(city))
    city.settle()
    console.print(f"[dim]searching around {POINTS} places; {figures:,} facilities have figures[/]")
    slowest: dict[str, list[float]] = {}
    with our_service(city) as url:
        runs = _runs(city, url, places)
        middle = measure_in_turns(
            {
                name: partial(_median_s, one, slowest.setdefault(name, []))
                for name, one in runs.items()
            },
            repeats,
        )
    _print(console, middle, slowest)


def places_to_ask(connection: Connection, random: Random) -> Places:
    """Places near facilities, as people ask who are where the city is."""
    rows = connection.execute(
        text("SELECT ST_X(geom), ST_Y(geom) FROM read_public.facilities ORDER BY feature_id")
    ).all()
    return Places([_stray(row[0], row[1], random) for row in random.choices(rows, k=POINTS)])


def _stray(lon: float, lat: float, random: Random) -> tuple[int, int]:
    moved = (at + random.uniform(-_STRAY_DEGREES, _STRAY_DEGREES) for at in (lon, lat))
    x, y = (round(at * _MICRODEGREES) for at in moved)
    return x, y


Run = Callable[[], Sequence[float]]
"""Asks for all places and gives the seconds of each answer."""


def _runs(city: BenchmarkCity, url: str, places: Places) -> dict[str, Run]:
    paths = [
        f"/availability?lon={lon:.6f}&lat={lat:.6f}&kind={KIND}&min_available={MIN_AVAILABLE}"
        f"&radius_m={RADIUS_M}&limit={LIMIT}"
        for lon, lat in places.degrees()
    ]
    run_sql = partial(_sql_latencies, city, places)
    return {
        BARE: partial(run_sql, bare_statement(NEAREST, ""), {"kind": KIND}),
        BARE_CITY: partial(
            run_sql, bare_statement(FACILITIES.name, _CURRENT), {"kind": KIND, "at": _now()}
        ),
        STATEMENT: partial(run_sql, as_pgbench(our_statement()), search_constants(places)),
        HTTP: partial(_http_latencies, url, paths),
        HEALTH: partial(_http_latencies, url, ["/healthz"]),
    }


_CURRENT = "AND upper_inf(valid_during) AND lower(valid_during) <= :at"


def bare_statement(table: str, condition: str) -> str:
    """The bare nearest-neighbour query, in pgbench's form."""
    attributes = ", ".join(a.name for a in FACILITIES.attributes_at(LEVEL))
    place = f"(SELECT ST_SetSRID(ST_MakePoint(:here_x, :here_y), {TILE_SRID}))"
    return (
        f"SELECT feature_id, {attributes}, ST_X(geom), ST_Y(geom), geom_3857 <-> {place} "
        f"FROM {table} WHERE kind = :kind {condition} ORDER BY geom_3857 <-> {place} LIMIT {LIMIT}"
    )


def our_statement() -> str:
    """The statement of the search, as psycopg text."""
    return search_statement(LEVEL, _query(0.0, 0.0))


def search_constants(places: Places) -> dict[str, str]:
    """What does not depend on the place; the reach is that of the northernmost place."""
    lon, lat = max(places.degrees(), key=lambda place: place[1])
    parameters = search_parameters(_query(lon, lat), LIMIT + SPARE)
    varying = ("here_x", "here_y")
    return {name: str(value) for name, value in parameters.items() if name not in varying}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _sql_latencies(
    city: BenchmarkCity, places: Places, statement: str, constants: Mapping[str, str]
) -> Sequence[float]:
    return run_pgbench(
        city.program("pgbench"),
        city.url(DATABASE, Role.READ_PUBLIC),
        statement,
        places.packed(),
        constants=constants,
        clients=1,
        transactions=PASSES * POINTS,
    ).latencies_s


def _http_latencies(url: str, paths: Sequence[str]) -> Sequence[float]:
    return replay(url, paths, {}, connections=1, requests=PASSES * POINTS).latencies_s


def _median_s(run: Run, slowest: list[float]) -> float:
    latencies = run()
    slowest.append(quantiles(latencies, n=20)[-1])
    return median(latencies)


def _print(console: Console, middle: Measurements, slowest: Mapping[str, Sequence[float]]) -> None:
    title = f"The {LIMIT} nearest of kind {KIND} with a place free, {POINTS} places, one at a time"
    table = new_table(title, "who", "p50 ms", "p95 ms", "times the bare KNN", "aim")
    for name, values in middle.items():
        of_search = name in (STATEMENT, HTTP)
        table.add_row(
            name,
            spread_text(values, _milliseconds),
            spread_text(slowest[name], _milliseconds),
            "" if name == BARE else ratio_text(ratios(middle, name, BARE)),
            str(AIM) if of_search else "",
        )
    console.print(table)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"

"""Searches in a whole city's history: 200,000 facilities, 50 million figures, and half a million.

Both histories are of the same facilities, in databases of their own that are kept between runs. The
newest figures come through the intake, as live ones do; those before them are written straight into
the partitions. What is measured is the nearest search of ``subject_nearest`` beside its SQL alone
and the bare KNN query, and each other form of a search over HTTP.
"""

from __future__ import annotations

import asyncio
import csv
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from statistics import median, quantiles

from rich.console import Console
from sqlalchemy import Connection, NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmark_city import BenchmarkCity
from geoservice.schema import migrate
from http_replay import replay
from layers.access import Clearance
from layers.intake import record_observations
from layers.observations import Observation
from layers.roles import Role
from measured import Aim, Measurements, measure_in_turns, new_table, ratio_text, ratios, spread_text
from pgbench_replay import as_pgbench, run_pgbench
from plain_tables import NEAREST, make_nearest_table
from servers import our_service, service_command
from subject_nearest import (
    BARE,
    HTTP,
    KIND,
    LIMIT,
    MIN_AVAILABLE,
    PASSES,
    POINTS,
    RADIUS_M,
    STATEMENT,
    Places,
    Run,
    bare_statement,
    our_statement,
    places_to_ask,
    search_constants,
)

FACILITIES = 200_000
HISTORIES = {"short": 2, "long": 250}
"""Figures of each facility, by the name of the history."""

AIM = Aim(3, at_least=False)
_KINDS = ("parking", "sports_hall.badminton", "library", "toilet", "charging")
_CAPACITY = 60
_EVERY = timedelta(minutes=15)
_FIGURES_LAST_S = 30 * 86_400
_BATCH = 5_000
_WEST, _SOUTH, _EAST, _NORTH = 113.80, 22.50, 114.30, 22.80
_CENTRES = 400
_SPREAD_DEGREES = 0.012


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print."""
    for name, figures in HISTORIES.items():
        _make(city, _database(name), figures, console)
    with city.as_superuser(_database("long")) as connection:
        places = places_to_ask(connection, Random(city.seed))
    city.settle()
    slowest: dict[str, list[float]] = {}
    runs: dict[str, Run] = {}
    with (
        our_service(city, database=_database("short")) as short,
        our_service(city, database=_database("long")) as long,
    ):
        for name, url in (("short", short), ("long", long)):
            runs |= _nearest_runs(city, name, url, places)
        runs |= _other_forms(long, places)
        middle = measure_in_turns(
            {
                name: partial(_median_s, one, slowest.setdefault(name, []))
                for name, one in runs.items()
            },
            repeats,
        )
    _print(console, middle, slowest)


def _database(history: str) -> str:
    return f"search_{history}"


def _make(city: BenchmarkCity, database: str, figures: int, console: Console) -> None:
    """A database of the facilities with so many figures of each, unless it is there."""
    done = city.folder / f"{database}.made"
    if done.exists():
        return
    console.print(f"[dim]making {database}: {FACILITIES:,} facilities, {figures} figures each[/]")
    city.cluster.drop_database(database)
    city.cluster.create_database(database)
    with city.address(database).connect(Role.OWNER) as connection:
        migrate(connection)
    file = city.folder / "search_facilities.csv"
    codes = _write_facilities(file, Random(city.seed))
    subprocess.run(
        [*service_command(), "load", "facilities", str(file), "--crs", "EPSG:4490"],
        check=True,
        env=city.environment(database),
        cwd=city.folder,
        capture_output=True,
    )
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    asyncio.run(_observe(city, database, codes, now))
    with city.as_superuser(database) as connection:
        _write_history(connection, figures - 1, now)
        make_nearest_table(connection)
        connection.execute(text("VACUUM (ANALYZE)"))
    done.touch()


def _write_facilities(file: Path, random: Random) -> list[str]:
    """Facilities that lie together as those of a city do; returns their codes."""
    centres = [
        (random.uniform(_WEST, _EAST), random.uniform(_SOUTH, _NORTH)) for _ in range(_CENTRES)
    ]
    codes = [f"S{number:06}" for number in range(FACILITIES)]
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        head = ("code", "name", "kind", "capacity", "resource_type", "opening_hours", "lon", "lat")
        writer.writerow(head)
        for code in codes:
            lon, lat = random.choice(centres)
            kind = random.choice(_KINDS)
            writer.writerow(
                (
                    code,
                    f"设施{code}",
                    kind,
                    _CAPACITY,
                    "space" if kind == "parking" else "",
                    "24/7" if kind == "parking" else "Mo-Su 08:00-22:00",
                    f"{lon + random.gauss(0, _SPREAD_DEGREES):.7f}",
                    f"{lat + random.gauss(0, _SPREAD_DEGREES):.7f}",
                )
            )
    return codes


async def _observe(city: BenchmarkCity, database: str, codes: Sequence[str], now: datetime) -> None:
    """The newest figure of each facility, through the intake."""
    random = Random(city.seed)
    engine = create_async_engine(city.address(database).url(Role.INGEST), poolclass=NullPool)
    for start in range(0, len(codes), _BATCH):
        figures = [
            Observation(
                feature=code,
                observed_at=now,
                available=max(0, random.randrange(-15, _CAPACITY)),
                ttl_s=_FIGURES_LAST_S,
            )
            for code in codes[start : start + _BATCH]
        ]
        async with engine.begin() as connection:
            await record_observations(
                connection, figures, level=Clearance.RESTRICTED, source="search", received_at=now
            )
    await engine.dispose()


def _write_history(connection: Connection, figures: int, now: datetime) -> None:
    """So many figures of each series before the newest, as if they had been taken in then."""
    for step in range(1, figures + 1):
        at = {"at": now - step * _EVERY}
        connection.execute(text("SELECT city.ensure_observation_partition(:at)"), at)
        connection.execute(
            text(
                "INSERT INTO city.observations "
                "(series_id, observed_at, received_at, available, status) "
                f"SELECT series_id, :at, :at, (series_id * 7 + :step) % {_CAPACITY}, 0 "
                "FROM city.series"
            ),
            at | {"step": step},
        )
    # Nothing of it is to be rolled up while searches are measured.
    connection.execute(text("TRUNCATE city.rollup_queue"))


def _nearest_runs(city: BenchmarkCity, history: str, url: str, places: Places) -> dict[str, Run]:
    def sql(statement: str, constants: Mapping[str, str]) -> Sequence[float]:
        return run_pgbench(
            city.program("pgbench"),
            city.url(_database(history), Role.READ_PUBLIC),
            statement,
            places.packed(),
            constants=constants,
            clients=1,
            transactions=PASSES * POINTS,
        ).latencies_s

    paths = [
        f"/availability?lon={lon:.6f}&lat={lat:.6f}&kind={KIND}&min_available={MIN_AVAILABLE}"
        f"&radius_m={RADIUS_M}&limit={LIMIT}"
        for lon, lat in places.degrees()
    ]
    return {
        f"{BARE}, {history}": partial(sql, bare_statement(NEAREST, ""), {"kind": KIND}),
        f"{STATEMENT}, {history}": partial(
            sql, as_pgbench(our_statement()), search_constants(places)
        ),
        f"{HTTP}, {history}": partial(_http_latencies, url, paths),
    }


def _other_forms(url: str, places: Places) -> dict[str, Run]:
    """Each other form of a search, in the long history."""
    now = datetime.now(UTC)
    past = (now - timedelta(hours=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    forms = {
        "all kinds": "lon={lon:.6f}&lat={lat:.6f}",
        "name or address": "lon={lon:.6f}&lat={lat:.6f}&q=S00&radius_m=5000",
        "window": "bbox={west:.6f},{south:.6f},{east:.6f},{north:.6f}&limit=100",
        "polygon": "within=POLYGON(({west:.6f}%20{south:.6f},{east:.6f}%20{south:.6f},"
        "{lon:.6f}%20{north:.6f},{west:.6f}%20{south:.6f}))",
        "route": "route=LINESTRING({west:.6f}%20{south:.6f},{east:.6f}%20{north:.6f})",
        "open at an instant": "lon={lon:.6f}&lat={lat:.6f}&open_at=" + past,
        "30 hours ago": "lon={lon:.6f}&lat={lat:.6f}&datetime=" + past,
    }
    half = 0.01
    boxes = [
        {
            "lon": lon,
            "lat": lat,
            "west": lon - half,
            "south": lat - half,
            "east": lon + half,
            "north": lat + half,
        }
        for lon, lat in places.degrees()
    ]
    return {
        name: partial(_http_latencies, url, [f"/availability?{form.format(**b)}" for b in boxes])
        for name, form in forms.items()
    }


def _http_latencies(url: str, paths: Sequence[str]) -> Sequence[float]:
    done = replay(url, paths, {}, connections=1, requests=PASSES * POINTS)
    if done.failed:
        message = f"{done.failed} answers to {paths[0]} were errors"
        raise RuntimeError(message)
    return done.latencies_s


def _median_s(run: Run, slowest: list[float]) -> float:
    latencies = run()
    slowest.append(quantiles(latencies, n=100)[-1])
    return median(latencies)


def _print(console: Console, middle: Measurements, slowest: Measurements) -> None:
    counts = ", ".join(f"{name}: {FACILITIES * n:,}" for name, n in HISTORIES.items())
    table = new_table(
        f"Searches among {FACILITIES:,} facilities ({counts} figures), {POINTS} places",
        "who",
        "p50 ms",
        "p99 ms",
        "p99 / bare KNN",
        "aim",
    )
    for name, values in middle.items():
        history = name.rpartition(", ")[2]
        bare = f"{BARE}, {history if history in HISTORIES else 'long'}"
        of_search = name.startswith((STATEMENT, HTTP))
        table.add_row(
            name,
            spread_text(values, _milliseconds),
            spread_text(slowest[name], _milliseconds),
            "" if name == bare else ratio_text(ratios(slowest, name, bare)),
            str(AIM) if of_search else "",
        )
    console.print(table)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"

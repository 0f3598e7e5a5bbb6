"""Rows per second and memory of a load: ours, ogr2ogr with COPY, and geopandas.

All read the same GeoPackage into an empty layer or table with a spatial index, on the same server.
Ours recognises columns and codes, checks every row, finds its district, keeps its history and a
second geometry for tiles; the others copy. Memory is measured at one and at four times the rows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from statistics import median

from rich.console import Console
from sqlalchemy import Connection, text

from benchmark_city import BenchmarkCity
from children import ChildFailed, Cost, find_program, run_measured
from geoservice.cluster.configuration import PORT
from geoservice.schema import migrate
from layers.pipelines import LAYER
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
from pipe_file import write_pipes

DATABASE = "bench_load"
SCHEMA = "others"
OURS, OGR, GEOPANDAS = "geoservice load", "ogr2ogr, PG_USE_COPY", "geopandas to_postgis"
AIMS = {OGR: str(Aim(2)), GEOPANDAS: ""}
ROWS = 300_000
LEAST_ROWS = 1_000
TIMES = 4
MOST_REPEATS = 3
_HERE = Path(__file__).resolve().parent

Loader = Callable[[Path], Cost]


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print."""
    _prepare_database(city)
    rows = max(LEAST_ROWS, round(ROWS * city.scale))
    file, larger = _files(city, rows)
    loaders = _loaders(city)
    costs: dict[str, list[Cost]] = {name: [] for name in loaders}
    console.print(f"[dim]loading {rows:,} pipes from {file.name} ...[/]")
    speeds = measure_in_turns(
        {
            name: partial(_load, city, load, file, rows, costs[name])
            for name, load in loaders.items()
        },
        min(repeats, MOST_REPEATS),
    )
    _print_speeds(console, speeds, costs, rows)
    again, larger_costs = _once_more(city, loaders, larger, rows * TIMES)
    _print_memory(console, costs, larger_costs, again, rows)


def _prepare_database(city: BenchmarkCity) -> None:
    """A database with nothing but the districts, which a load looks rows up in."""
    city.cluster.drop_database(DATABASE)
    city.cluster.create_database(DATABASE)
    with city.address(DATABASE).connect(Role.OWNER) as connection:
        migrate(connection)
    districts = [str(city.files / "districts.gpkg")]
    _run_ours(city, "districts", districts)
    with _superuser(city) as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))


def _files(city: BenchmarkCity, rows: int) -> tuple[Path, Path]:
    files = tuple(city.folder / f"pipes-{count}.gpkg" for count in (rows, TIMES * rows))
    with city.as_superuser() as connection:
        for file, count in zip(files, (rows, TIMES * rows), strict=True):
            write_pipes(connection, file, count)
    return files[0], files[1]


def _loaders(city: BenchmarkCity) -> dict[str, Loader]:
    loaders: dict[str, Loader] = {OURS: partial(_by_us, city)}
    ogr2ogr = find_program("ogr2ogr")
    if ogr2ogr:
        loaders[OGR] = partial(_by_ogr2ogr, city, ogr2ogr)
    loaders[GEOPANDAS] = partial(_by_geopandas, city)
    return loaders


def _load(city: BenchmarkCity, load: Loader, file: Path, rows: int, costs: list[Cost]) -> float:
    """Rows in a second of one load into an empty layer or table."""
    _empty(city)
    cost = load(file)
    costs.append(cost)
    return rows / cost.seconds


def _empty(city: BenchmarkCity) -> None:
    with _superuser(city) as connection:
        connection.execute(text(f"TRUNCATE city.{LAYER.name}, city.{LAYER.name}_past"))
        connection.execute(text(f"DROP TABLE IF EXISTS {SCHEMA}.{LAYER.name}"))
    city.settle()


def _by_us(city: BenchmarkCity, file: Path) -> Cost:
    cost = _run_ours(city, LAYER.name, [str(file)])
    report = json.loads(cost.output)
    if report["rejected"] or report["changed"]:
        message = f"the load did not take all rows as they are: {report['reasons']}"
        raise ChildFailed(message)
    return cost


def _run_ours(city: BenchmarkCity, layer: str, files: Sequence[str]) -> Cost:
    command = [sys.executable, "-P", "-m", "geoservice", "load", layer, *files, "--json"]
    return run_measured(command, environment=city.environment(DATABASE), cwd=city.folder)


def _by_ogr2ogr(city: BenchmarkCity, program: str, file: Path) -> Cost:
    place = f"host={city.cluster.status().socket_directory} port={PORT} user=postgres"
    command = [program, "--config", "PG_USE_COPY", "YES", "-f", "PostgreSQL"]
    command += [f"PG:dbname={DATABASE} {place}", str(file), "-nln", LAYER.name]
    command += ["-lco", f"SCHEMA={SCHEMA}", "-lco", "SPATIAL_INDEX=GIST"]
    return run_measured(command, environment=city.environment(DATABASE), cwd=city.folder)


def _by_geopandas(city: BenchmarkCity, file: Path) -> Cost:
    url = city.url(DATABASE).replace("postgresql://", "postgresql+psycopg://", 1)
    command = [sys.executable, "-P", str(_HERE / "geopandas_load.py"), str(file), url]
    command += [SCHEMA, LAYER.name]
    return run_measured(command, environment=city.environment(DATABASE), cwd=city.folder)


def _once_more(
    city: BenchmarkCity, loaders: Mapping[str, Loader], larger: Path, rows: int
) -> tuple[Cost, dict[str, Cost]]:
    """Load the larger file with everyone, with us last, and then with us again."""
    costs: dict[str, Cost] = {}
    for name, load in reversed(list(loaders.items())):
        kept: list[Cost] = []
        _load(city, load, larger, rows, kept)
        costs[name] = kept[0]
    city.settle()
    return _by_us(city, larger), costs


def _print_speeds(
    console: Console, speeds: Measurements, costs: Mapping[str, Sequence[Cost]], rows: int
) -> None:
    columns = ("who", "seconds", "rows/s", "geoservice is ... times that", "aim", "peak MB")
    table = new_table(f"Loading {rows:,} pipes from GeoPackage into an empty layer", *columns)
    for name, values in speeds.items():
        table.add_row(
            name,
            spread_text([cost.seconds for cost in costs[name]], number_text),
            spread_text(values, number_text),
            "" if name == OURS else ratio_text(ratios(speeds, OURS, name)),
            AIMS.get(name, ""),
            _megabytes(_peak_bytes(costs[name])),
        )
    if OGR not in speeds:
        table.add_row(OGR, "missing", "", "", AIMS[OGR], "")
    console.print(table)


def _print_memory(
    console: Console,
    costs: Mapping[str, Sequence[Cost]],
    larger: Mapping[str, Cost],
    again: Cost,
    rows: int,
) -> None:
    columns = ("who", "rows/s", f"peak MB, {rows:,} rows", "peak MB", "growth", "aim")
    table = new_table(f"{TIMES} times the rows: {TIMES * rows:,} pipes", *columns)
    for name in costs:
        one, four = _peak_bytes(costs[name]), larger[name].peak_bytes
        table.add_row(
            name,
            number_text(TIMES * rows / larger[name].seconds),
            _megabytes(one),
            _megabytes(four),
            f"{four / one:.2f}",
            "does not grow" if name == OURS else "",
        )
    speed = number_text(TIMES * rows / again.seconds)
    table.add_row(f"{OURS}, the same again", speed, "", _megabytes(again.peak_bytes), "", "")
    console.print(table)


def _peak_bytes(costs: Sequence[Cost]) -> float:
    return median(cost.peak_bytes for cost in costs)


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f}"


def _superuser(city: BenchmarkCity) -> AbstractContextManager[Connection]:
    return city.as_superuser(DATABASE)

"""Rows per second and memory of a load: ours, ogr2ogr with COPY, and geopandas.

All read the same GeoPackage into an empty layer or table with a spatial index, on the same server.
Ours recognises columns and codes, checks every row, finds its district, keeps its history and a
second geometry for tiles; the others copy. Then ours loads the file again with one row in a hundred
changed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

from rich.console import Console
from sqlalchemy import Connection, text

from benchmark_city import BenchmarkCity
from children import ChildFailed, Cost, find_program, run_measured
from geoservice.cluster.configuration import PORT
from geoservice.schema import migrate
from layer_file import CHANGED_EVERY, write_changed, write_features
from layers.base import Layer
from layers.parcels import LAYER as PARCELS
from layers.pipelines import LAYER as PIPELINES
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

DATABASE = "bench_load"
SCHEMA = "others"
LOADED = (PIPELINES, PARCELS)
OURS, AGAIN = "geoservice load", "geoservice load, again with 1 % changed"
OGR, GEOPANDAS = "ogr2ogr, PG_USE_COPY", "geopandas to_postgis"
FIRST_AIM, AGAIN_AIM = Aim(1), Aim(3)
ROWS = 1_000_000
LEAST_ROWS = 1_000
GEOPANDAS_ROWS = 300_000
"""More take gigabytes and tell nothing new."""

MOST_REPEATS = 5
_SESSIONS_END_WITHIN_S = 0.3
"""After which the server counts their processor time."""

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class _Files:
    """What is loaded: so many rows, and the same with some of them changed."""

    layer: Layer
    rows: int
    first: Path
    changed: Path


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print."""
    prepare_database(city)
    rows = max(LEAST_ROWS, round(ROWS * city.scale))
    for layer in LOADED:
        files = _files(city, layer, rows)
        console.print(f"[dim]loading {rows:,} {layer.name} from {files.first.name} ...[/]")
        costs: dict[str, list[Cost]] = {}
        contestants = {
            name: partial(_speed, city, load, files, costs.setdefault(name, []))
            for name, load in _contestants(city, files).items()
        }
        speeds = measure_in_turns(contestants, min(repeats, MOST_REPEATS))
        _print(console, speeds, costs, files)


def prepare_database(city: BenchmarkCity) -> None:
    """A database with nothing but the districts, which a load looks rows up in."""
    city.cluster.drop_database(DATABASE)
    city.cluster.create_database(DATABASE)
    with city.address(DATABASE).connect(Role.OWNER) as connection:
        migrate(connection)
    run_ours(city, "districts", [str(city.files / "districts.gpkg")])
    with _superuser(city) as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))


def _files(city: BenchmarkCity, layer: Layer, rows: int) -> _Files:
    first = city.folder / f"{layer.name}-{rows}.gpkg"
    changed = city.folder / f"{layer.name}-{rows}-changed.gpkg"
    with city.as_superuser() as connection:
        write_features(connection, layer, first, rows)
    write_changed(layer, first, changed)
    return _Files(layer, rows, first, changed)


def _contestants(city: BenchmarkCity, files: _Files) -> dict[str, Callable[[], Cost]]:
    """Ours and, right after it, ours again; then who is compared with it."""
    found: dict[str, Callable[[], Cost]] = {}
    # Every other round goes the other way round, so the load again sees to the first by itself.
    held: list[Cost] = []
    found[OURS] = partial(_first, city, files, held)
    found[AGAIN] = partial(_again, city, files, held)
    ogr2ogr = find_program("ogr2ogr")
    if ogr2ogr:
        found[OGR] = partial(_by_ogr2ogr, city, ogr2ogr, files)
    if files.rows <= GEOPANDAS_ROWS:
        found[GEOPANDAS] = partial(_by_geopandas, city, files)
    return found


def _speed(
    city: BenchmarkCity, load: Callable[[], Cost], files: _Files, costs: list[Cost]
) -> float:
    """Rows in a second of one load; its cost with the processor time of the server."""
    before = city.server_processor_s()
    cost = load()
    time.sleep(_SESSIONS_END_WITHIN_S)
    server_s = city.server_processor_s() - before
    costs.append(replace(cost, processor_s=cost.processor_s + server_s))
    return files.rows / cost.seconds


def _first(city: BenchmarkCity, files: _Files, held: list[Cost]) -> Cost:
    _empty(city, files.layer)
    cost = run_ours(city, files.layer.name, [str(files.first)])
    _expect(cost, {"new": files.rows, "changed": 0, "rejected": 0})
    held.append(cost)
    return cost


def _again(city: BenchmarkCity, files: _Files, held: list[Cost]) -> Cost:
    if not held:
        _first(city, files, held)
    held.clear()
    city.settle()
    cost = run_ours(city, files.layer.name, [str(files.changed)])
    _expect(cost, {"new": 0, "changed": files.rows // CHANGED_EVERY, "rejected": 0})
    return cost


def _expect(cost: Cost, counts: Mapping[str, int]) -> None:
    report = json.loads(cost.output)
    if any(report[name] != count for name, count in counts.items()):
        message = f"the load did not do what it should: {cost.output[:2000]}"
        raise ChildFailed(message)


def _empty(city: BenchmarkCity, layer: Layer) -> None:
    with _superuser(city) as connection:
        connection.execute(text(f"TRUNCATE city.{layer.name}, city.{layer.name}_past"))
        connection.execute(text(f"DROP TABLE IF EXISTS {SCHEMA}.{layer.name}"))
    city.settle()


def run_ours(city: BenchmarkCity, layer: str, files: Sequence[str]) -> Cost:
    """One ``geoservice load`` into the database of this benchmark; its output is the report."""
    command = [sys.executable, "-P", "-m", "geoservice", "load", layer, *files, "--json"]
    # What each row is by itself; how rows stand to each other, nobody else here looks at.
    command += ["--checks", "rows"]
    return run_measured(command, environment=city.environment(DATABASE), cwd=city.folder)


def _by_ogr2ogr(city: BenchmarkCity, program: str, files: _Files) -> Cost:
    _empty(city, files.layer)
    place = f"host={city.cluster.status().socket_directory} port={PORT} user=postgres"
    command = [program, "--config", "PG_USE_COPY", "YES", "-f", "PostgreSQL"]
    command += [f"PG:dbname={DATABASE} {place}", str(files.first), "-nln", files.layer.name]
    command += ["-lco", f"SCHEMA={SCHEMA}", "-lco", "SPATIAL_INDEX=GIST"]
    return run_measured(command, environment=city.environment(DATABASE), cwd=city.folder)


def _by_geopandas(city: BenchmarkCity, files: _Files) -> Cost:
    _empty(city, files.layer)
    url = city.url(DATABASE).replace("postgresql://", "postgresql+psycopg://", 1)
    command = [sys.executable, "-P", str(_HERE / "geopandas_load.py"), str(files.first), url]
    command += [SCHEMA, files.layer.name]
    return run_measured(command, environment=city.environment(DATABASE), cwd=city.folder)


def _print(
    console: Console, speeds: Measurements, costs: Mapping[str, Sequence[Cost]], files: _Files
) -> None:
    title = f"Loading {files.rows:,} {files.layer.name} from GeoPackage into an empty layer"
    columns = ("who", "seconds", "processor s", "rows/s", "ours ... times that", "aim", "peak MB")
    table = new_table(title, *columns)
    for name, values in speeds.items():
        table.add_row(
            name,
            spread_text([cost.seconds for cost in costs[name]], number_text),
            number_text(median(cost.processor_s for cost in costs[name])),
            spread_text(values, number_text),
            "" if name in (OURS, AGAIN) else ratio_text(ratios(speeds, OURS, name)),
            str(FIRST_AIM) if name == OGR else "",
            f"{median(cost.peak_bytes for cost in costs[name]) / 1e6:,.0f}",
        )
    if OGR not in speeds:
        table.add_row(OGR, "missing", "", "", "", str(FIRST_AIM), "")
    console.print(table)
    again = ratio_text(ratios(speeds, AGAIN, OURS))
    console.print(f"again with 1 % changed is {again} times as fast as first, aim {AGAIN_AIM}\n")


def _superuser(city: BenchmarkCity) -> AbstractContextManager[Connection]:
    return city.as_superuser(DATABASE)

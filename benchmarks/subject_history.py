"""What history costs its readers: the same reads on a layer with 20 versions of each feature.

Two databases hold the same pipes. One was loaded once; the other twenty times, each time with every
pipe changed since the year after the last. Tiles, pages of features in a box and single features
are read by the very statements of the service, prepared, through pgbench, in turns: as they are now
in both, and as they were half-way through the history.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from benchmark_city import BenchmarkCity
from children import ChildFailed, run_measured
from geoservice.schema import migrate
from layer_file import update_rows, write_features
from layers.access import Clearance
from layers.extent import BBox, TimeInterval
from layers.features import FeatureQuery, select_features
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
from pgbench_replay import PackedList, as_pgbench, run_pgbench
from tile_statements import current_tile_statement
from tile_trace import tile_around

PLAIN, HISTORY = "bench_plain", "bench_history"
FEATURES = 200_000
LEAST_FEATURES = 1_000
VERSIONS = 20
FIRST_YEAR = 2000
LEVEL = Clearance.RESTRICTED
WITHOUT = "without history"
NOW = "20 versions, now"
THEN = "20 versions, datetime"
AIMS = {NOW: Aim(1.1, at_least=False), THEN: Aim(1.5, at_least=False)}
PLACES = 300
PAGE = 100
ZOOM = 15
_RUN_S = 3.0
_COLUMN = "压力"
"""What differs from version to version: a text without a code list, which tiles do not show."""

_BOX_DEGREES = 0.005
_PER_DEGREE = 100_000
_WEST, _SOUTH = 100.0, 20.0
"""Stand for the corner of the box while the statement is made."""

_BIND = psycopg_dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy


@dataclass(frozen=True)
class _Read:
    """A statement in pgbench's form and what it is asked for; ``at`` is bound apart."""

    statement: str
    parameters: PackedList
    constants: Mapping[str, str]


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print."""
    features = max(LEAST_FEATURES, round(FEATURES * city.scale))
    _prepare(city, console, features)
    reads = _reads(city)
    table = new_table(
        f"Reads of {features:,} pipes, one connection", "read", "who", "ms", "times that", "aim"
    )
    for name, read in reads.items():
        console.print(f"[dim]measuring {name} ...[/]")
        for who, *cells in _rows(_measure(city, read, repeats)):
            table.add_row(name if who == WITHOUT else "", who, *cells)
        table.add_section()
    console.print(table)


def _rows(measured: Measurements) -> list[tuple[str, ...]]:
    return [
        (
            who,
            spread_text([1000 / value for value in values], number_text),
            "" if who == WITHOUT else ratio_text(ratios(measured, WITHOUT, who)),
            "" if who == WITHOUT else str(AIMS[who]),
        )
        for who, values in measured.items()
    ]


def _measure(city: BenchmarkCity, read: _Read, repeats: int) -> Measurements:
    """Reads per second of each contestant."""
    now, then = datetime.now(UTC), datetime(FIRST_YEAR + VERSIONS // 2, 6, 1, tzinfo=UTC)
    contestants: dict[str, Callable[[int], float]] = {
        WITHOUT: partial(_ask, city, PLAIN, read, now),
        NOW: partial(_ask, city, HISTORY, read, now),
        THEN: partial(_ask, city, HISTORY, read, then),
    }
    for ask in contestants.values():
        ask(PLACES)
    count = PLACES * max(1, round(contestants[WITHOUT](PLACES) * _RUN_S / PLACES))
    return measure_in_turns({n: partial(ask, count) for n, ask in contestants.items()}, repeats)


def _ask(city: BenchmarkCity, database: str, read: _Read, at: datetime, count: int) -> float:
    return run_pgbench(
        city.program("pgbench"),
        city.url(database, Role.READ_RESTRICTED),
        read.statement,
        read.parameters,
        constants={**read.constants, "at": at.isoformat()},
        clients=1,
        transactions=count,
    ).per_second


def _reads(city: BenchmarkCity) -> dict[str, _Read]:
    random = Random(city.seed)
    with city.as_superuser(PLAIN) as connection:
        rows = connection.execute(
            text(
                "SELECT feature_id, ST_X(ST_StartPoint(geom)), ST_Y(ST_StartPoint(geom)) "
                f"FROM city.{LAYER.name} ORDER BY natural_key"
            )
        ).all()
    chosen = random.sample(rows, min(PLACES, len(rows)))
    places = [(row[1], row[2]) for row in chosen]
    # Both databases number features alike: they were loaded from the same file first.
    ids = [(int(row[0]),) for row in chosen]
    return {
        f"tile at zoom {ZOOM}": _tile_read(places),
        f"page of {PAGE} in a box of 500 m": _box_read(places),
        "single feature": _feature_read(ids),
    }


def _tile_read(places: Sequence[tuple[float, float]]) -> _Read:
    tiles = [tile_around(lon, lat, ZOOM) for lon, lat in places]
    return _Read(
        as_pgbench(current_tile_statement(LAYER, LEVEL)),
        PackedList(("z", "x", "y"), [(t.z, t.x, t.y) for t in tiles], (1, 1, 1)),
        {},
    )


def _box_read(places: Sequence[tuple[float, float]]) -> _Read:
    box = BBox(_WEST, _SOUTH, _WEST + _BOX_DEGREES, _SOUTH + _BOX_DEGREES)
    corners = [
        (
            round((lon - _BOX_DEGREES / 2) * _PER_DEGREE),
            round((lat - _BOX_DEGREES / 2) * _PER_DEGREE),
        )
        for lon, lat in places
    ]
    meant = {
        box.west: ":west",
        box.south: ":south",
        box.east: f"(:west + {_BOX_DEGREES})",
        box.north: f"(:south + {_BOX_DEGREES})",
    }
    parameters = PackedList(("west", "south"), corners, (_PER_DEGREE, _PER_DEGREE))
    return _page_read(FeatureQuery(_instant(), PAGE, bbox=box), parameters, meant)


def _feature_read(ids: Sequence[tuple[int]]) -> _Read:
    query = FeatureQuery(_instant(), 1, feature_id=-1)
    return _page_read(query, PackedList(("id",), ids, (1,)), {-1: ":id"})


def _instant() -> TimeInterval:
    at = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    return TimeInterval(at, at)


def _page_read(query: FeatureQuery, parameters: PackedList, meant: Mapping[Any, str]) -> _Read:
    """A read of the service with the values in ``meant`` made variables, all others constants."""
    compiled = select_features(LAYER, LEVEL, query).compile(
        dialect=_BIND, compile_kwargs={"render_postcompile": True}
    )
    statement = str(compiled)
    constants: dict[str, str] = {}
    for name, value in compiled.params.items():
        if name == "at":
            continue
        if value in meant:
            statement = statement.replace(f"%({name})s", meant[value])
        else:
            constants[name] = str(value)
    return _Read(as_pgbench(statement), parameters, constants)


def _prepare(city: BenchmarkCity, console: Console, features: int) -> None:
    """Both databases, unless they are there for so many features."""
    made = city.folder / f"history-{features}-{VERSIONS}"
    if made.exists():
        # They may have been made by an older version.
        for database in (PLAIN, HISTORY):
            with city.address(database).connect(Role.OWNER) as connection:
                migrate(connection)
        return
    first = city.folder / f"{LAYER.name}-{features}.gpkg"
    with city.as_superuser() as connection:
        write_features(connection, LAYER, first, features)
    for database, versions in ((PLAIN, 1), (HISTORY, VERSIONS)):
        city.cluster.drop_database(database)
        city.cluster.create_database(database)
        with city.address(database).connect(Role.OWNER) as connection:
            migrate(connection)
        _load(city, database, "districts", city.files / "districts.gpkg")
        for version in range(VERSIONS - versions, VERSIONS):
            console.print(f"[dim]loading version {version + 1} into {database} ...[/]")
            file = _write_version(first, version)
            _load(city, database, LAYER.name, file, f"--valid-from={FIRST_YEAR + version}-01-01")
            file.unlink()
        with city.as_superuser(database) as connection:
            connection.execute(text("VACUUM (ANALYZE)"))
    made.touch()


def _write_version(first: Path, version: int) -> Path:
    """The file with every pipe as of one version; without dates, which would say since when."""
    file = first.with_name(f"version-{version}-{first.name}")
    shutil.copyfile(first, file)
    # Names of ours.
    statement = f'UPDATE {LAYER.name} SET "{_COLUMN}" = ?, "建设年代" = NULL'
    update_rows(file, statement, str(version))
    return file


def _load(city: BenchmarkCity, database: str, layer: str, file: Path, *options: str) -> None:
    command = [sys.executable, "-P", "-m", "geoservice", "load", layer, str(file), "--json"]
    cost = run_measured(
        [*command, *options], environment=city.environment(database), cwd=city.folder
    )
    report = json.loads(cost.output)
    if report["rejected"] or report["unchanged"]:
        message = f"the load did not do what it should: {cost.output[:2000]}"
        raise ChildFailed(message)

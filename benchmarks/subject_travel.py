"""Searches by travel time on a real network of roads: a part of São Paulo from OpenStreetMap.

Each start is asked over HTTP with facilities all over the place, and beside it pgRouting alone (the
same edges, the same bound, no way from and to a road, no facilities) and networkx on a graph that
is in memory already.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from statistics import median, quantiles

import networkx
import psycopg
from rich.console import Console

from benchmark_city import BenchmarkCity
from children import find_program
from geoservice.schema import migrate
from http_replay import Replay, replay
from layers.network_tables import rebuild
from layers.roles import Role
from layers.travel import Travel
from measured import measure_in_turns, new_table, spread_text
from servers import our_service, service_command

DATABASE = "travel"
FACILITIES = 500
STARTS = 500
MINUTES = {Travel.WALKING: 15, Travel.DRIVING: 10}
_FILE = Path(
    os.environ.get("GEOSERVICE_SHARED", Path(__file__).resolve().parents[2] / "shared"),
    "data/08_osm_large/spo_osm.pbf",
)
_EXTENT = "[-46.75,-23.65,-46.55,-23.45]"
_CLASSES = ("motorway", "trunk", "primary", "secondary", "tertiary", "residential", "service")
_NO_ROADS = ("steps", "construction", "proposed", "corridor")

Start = tuple[float, float]


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print."""
    if not _FILE.exists():
        console.print("[dim]the real roads are not here: set GEOSERVICE_SHARED[/]")
        return
    edges = _make(city, console)
    starts = _starts(city, Random(city.seed))
    graphs = {travel: _graph(city, travel) for travel in Travel}
    nodes = {t: Random(city.seed).choices(list(graph), k=STARTS) for t, graph in graphs.items()}
    slowest: dict[str, list[float]] = {}
    with our_service(city, database=DATABASE) as url:
        runs: dict[str, Callable[[], Sequence[float]]] = {}
        for travel in Travel:
            name = f"{travel}, {MINUTES[travel]} min"
            runs[f"GET /availability, {name}"] = partial(_over_http, url, starts, travel)
            runs[f"pgr_drivingDistance alone, {name}"] = partial(
                _pgrouting, city, nodes[travel], travel
            )
            runs[f"networkx in memory, {name}"] = partial(
                _networkx, graphs[travel], nodes[travel], MINUTES[travel] * 60
            )
        runs["GET .../catchment, walking, 15 min"] = partial(_catchments, city, url, Travel.WALKING)
        runs["GET .../catchment, driving, 10 min"] = partial(_catchments, city, url, Travel.DRIVING)
        middle = measure_in_turns(
            {n: partial(_median_s, one, slowest.setdefault(n, [])) for n, one in runs.items()},
            repeats,
        )
    table = new_table(
        f"Travel times, {STARTS} starts, {edges:,} edges of real roads, {FACILITIES} facilities",
        "who",
        "p50 ms",
        "p99 ms",
    )
    for name, values in middle.items():
        table.add_row(name, spread_text(values, _ms), spread_text(slowest[name], _ms))
    console.print(table)


def _make(city: BenchmarkCity, console: Console) -> int:
    """The database of the roads, unless it is there; how many edges it has."""
    done = city.folder / f"{DATABASE}.made"
    if not done.exists():
        console.print("[dim]loading the real roads[/]")
        city.cluster.drop_database(DATABASE)
        city.cluster.create_database(DATABASE)
        with city.address(DATABASE).connect(Role.OWNER) as connection:
            migrate(connection)
        roads, facilities = city.folder / "travel_roads.geojson", city.folder / "travel.csv"
        _write_roads(roads)
        _write_facilities(facilities, Random(city.seed))
        environment = city.environment(DATABASE, GEOSERVICE_CITY__EXTENT=_EXTENT)
        for layer, file in (("roads", roads), ("facilities", facilities)):
            command = [*service_command(), "load", layer, str(file), "--crs", "EPSG:4490"]
            subprocess.run(command, check=True, env=environment, cwd=city.folder)
        with city.address(DATABASE).connect(Role.LOADER) as connection:
            rebuild(connection)
            connection.commit()
        done.touch()
    with psycopg.connect(city.url(DATABASE)) as connection:
        row = connection.execute("SELECT count(*) FROM read_public.road_edges").fetchone()
    return int(row[0]) if row else 0


def _write_roads(file: Path) -> None:
    lines = file.with_name("osm_lines.geojson")
    lines.unlink(missing_ok=True)
    ogr2ogr = find_program("ogr2ogr") or "ogr2ogr"
    select = "SELECT osm_id, name, highway, other_tags FROM lines WHERE highway IS NOT NULL"
    subprocess.run([ogr2ogr, str(lines), str(_FILE), "-sql", select], check=True)
    features = []
    for one in json.loads(lines.read_text(encoding="utf-8"))["features"]:
        said = one["properties"]
        base = str(said["highway"]).removesuffix("_link")
        if base in _NO_ROADS:
            continue
        kind = base if base in _CLASSES else "service"
        oneway = '"oneway"=>"yes"' in str(said.get("other_tags"))
        one["properties"] = {"code": said["osm_id"], "road_class": kind, "oneway": oneway}
        features.append(one)
    document = {"type": "FeatureCollection", "features": features}
    file.write_text(json.dumps(document), encoding="utf-8")


def _write_facilities(file: Path, random: Random) -> None:
    lines = json.loads(file.with_name("travel_roads.geojson").read_text(encoding="utf-8"))
    places = [random.choice(one["geometry"]["coordinates"]) for one in lines["features"]]
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(("code", "name", "kind", "capacity", "lon", "lat"))
        for number, (lon, lat) in enumerate(random.sample(places, FACILITIES)):
            writer.writerow((f"F{number}", f"F{number}", "library", 10, lon + 1e-4, lat))


def _starts(city: BenchmarkCity, random: Random) -> list[Start]:
    with psycopg.connect(city.url(DATABASE)) as connection:
        rows = connection.execute("SELECT ST_X(geom), ST_Y(geom) FROM city.facilities").fetchall()
    return [
        (x + random.gauss(0, 0.002), y + random.gauss(0, 0.002))
        for x, y in random.choices(rows, k=STARTS)
    ]


def _costs(travel: Travel) -> tuple[str, str]:
    return ("walk_s", "walk_s") if travel is Travel.WALKING else ("drive_s", "drive_back_s")


def _graph(city: BenchmarkCity, travel: Travel) -> networkx.DiGraph:
    there, back = _costs(travel)
    graph = networkx.DiGraph()
    with psycopg.connect(city.url(DATABASE)) as connection:
        for source, target, along, against in connection.execute(
            f"SELECT source, target, {there}, {back} FROM read_public.road_edges"
        ):
            for one, other, seconds in ((source, target, along), (target, source, against)):
                known = graph.get_edge_data(one, other)
                if seconds >= 0 and (known is None or known["weight"] > seconds):
                    graph.add_edge(one, other, weight=seconds)
    return graph


def _over_http(url: str, starts: Sequence[Start], travel: Travel) -> Sequence[float]:
    paths = [
        f"/availability?lon={lon:.6f}&lat={lat:.6f}&travel={travel}"
        f"&max_minutes={MINUTES[travel]}&limit=20"
        for lon, lat in starts
    ]
    return _answered(replay(url, paths, {}, connections=1, requests=STARTS))


def _catchments(city: BenchmarkCity, url: str, travel: Travel) -> Sequence[float]:
    paths = [
        f"/availability/{number}/catchment?travel={travel}&minutes={MINUTES[travel]}"
        for number in _some_facilities(city)
    ]
    return _answered(replay(url, paths, {}, connections=1, requests=100))


def _some_facilities(city: BenchmarkCity) -> list[int]:
    with psycopg.connect(city.url(DATABASE)) as connection:
        rows = connection.execute("SELECT feature_id FROM city.facilities ORDER BY 1 LIMIT 100")
        return [row[0] for row in rows.fetchall()]


def _answered(done: Replay) -> Sequence[float]:
    if done.failed:
        message = f"{done.failed} answers were errors"
        raise RuntimeError(message)
    return done.latencies_s


def _pgrouting(city: BenchmarkCity, nodes: Sequence[int], travel: Travel) -> Sequence[float]:
    there, back = _costs(travel)
    edges = (
        f"SELECT edge_id AS id, source, target, {there} AS cost, {back} AS reverse_cost "
        "FROM road_edges"
    )
    seconds = []
    with psycopg.connect(city.url(DATABASE, Role.READ_PUBLIC)) as connection:
        for node in nodes:
            began = time.perf_counter()
            connection.execute(
                "SELECT count(*) FROM pgr_drivingDistance(%s, %s::bigint, %s::float8)",
                (edges, node, MINUTES[travel] * 60),
            ).fetchone()
            seconds.append(time.perf_counter() - began)
    return seconds


def _networkx(graph: networkx.DiGraph, nodes: Sequence[int], cutoff_s: float) -> Sequence[float]:
    seconds = []
    for node in nodes:
        began = time.perf_counter()
        networkx.single_source_dijkstra_path_length(graph, node, cutoff=cutoff_s)
        seconds.append(time.perf_counter() - began)
    return seconds


def _median_s(run: Callable[[], Sequence[float]], slowest: list[float]) -> float:
    latencies = run()
    slowest.append(quantiles(latencies, n=100)[-1])
    return median(latencies)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"

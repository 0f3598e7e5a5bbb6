"""Traces and bursts in a network of a million segments of the database, beside networkx.

The network is a grid of streets, half of whose crossings have valves, with four sources, in a
database of its own that is kept between runs. Ours reads it from PostGIS and keeps it; networkx is
given the same rows, which it need not read, and builds its graph of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from statistics import median

import networkx
import numpy as np
import psycopg
from rich.console import Console
from sqlalchemy import Connection, text

from benchmark_city import BenchmarkCity
from geoservice.db import Database
from geoservice.pipe_networks import Moment, PipeNetworks
from geoservice.schema import migrate
from layers.access import Access, Clearance
from layers.pipe_network.graph import SOURCE, VALVE, PipeGraph
from layers.pipe_network.isolation import isolate
from layers.pipe_network.roles import network_kinds
from layers.pipe_network.tracing import Direction, trace
from layers.roles import Role
from measured import Aim, new_table, spread_text

DATABASE = "network"
SIDE = 708
"""Crossings on a side; about two segments for each crossing."""

BURSTS = 20
TRACED = 100_000
AIM = Aim(0.1, at_least=False)
_ACCESS = Access(Clearance.RESTRICTED, frozenset(), None)


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print."""
    _make(city, console)
    graph, first_s, kept_s = asyncio.run(_read(city))
    random = Random(city.seed)
    bursts = [random.randrange(len(graph.edges)) for _ in range(BURSTS)]
    none = np.zeros(0, np.int64)
    ours = [
        _timed(lambda edge=edge: isolate(graph, np.array([edge]), none, none)) for edge in bursts
    ]
    built: list[float] = []
    theirs: list[float] = []
    for edge in bursts[:repeats]:
        began = time.perf_counter()
        plain = _networkx(graph)
        built.append(time.perf_counter() - began)
        theirs.append(_timed(lambda plain=plain, edge=edge: _isolate_plainly(graph, plain, edge)))
    stops = np.zeros(graph.node_count, bool)
    walks = [
        _timed(
            lambda: trace(
                graph, np.array([random.randrange(graph.node_count)]), none,
                Direction.CONNECTED, stops, TRACED,
            )
        )
        for _ in range(repeats)
    ]  # fmt: skip
    whole = median(built) + median(theirs)
    table = new_table(
        f"A network of {len(graph.edges):,} segments, {int(graph.is_role(VALVE).sum()):,} valves",
        "what",
        "seconds",
        "of networkx with its build",
        "aim",
    )
    for name, values, is_aimed in (
        ("reading the network from PostGIS, once a publication", [first_s], False),
        ("the first burst after that, network read", [first_s + median(ours)], True),
        ("each further burst", [kept_s + one for one in ours], True),
        (f"a trace of {TRACED:,} segments, network kept", walks, False),
        ("networkx: building its graph from rows in memory", built, False),
        ("networkx: a burst", theirs, False),
    ):
        ratio = f"{median(values) / whole:.2f}" if is_aimed else ""
        table.add_row(name, spread_text(values, "{:.3f}".format), ratio, str(AIM) if ratio else "")
    console.print(table)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


async def _read(city: BenchmarkCity) -> tuple[PipeGraph, float, float]:
    """The network, the seconds to read it, and those to look up that it is still right."""
    database = Database(city.address(DATABASE), 2)
    networks = PipeNetworks(database)
    moment = Moment(datetime.now(UTC))
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        graph = await networks.network(_ACCESS, network_kinds("JS"), moment)
        seconds.append(time.perf_counter() - began)
    await database.close()
    return graph, seconds[0], seconds[1]


def _networkx(graph: PipeGraph) -> networkx.Graph:
    plain = networkx.Graph()
    plain.add_edges_from(
        (one, other, {"edge": number})
        for number, (one, other) in enumerate(
            zip(graph.start.tolist(), graph.end.tolist(), strict=True)
        )
    )
    return plain


def _isolate_plainly(graph: PipeGraph, plain: networkx.Graph, burst: int) -> int:
    """The same answer with networkx: what is shut off, and what no source reaches then."""
    valves = set(np.flatnonzero(graph.is_role(VALVE)).tolist())
    sources = np.flatnonzero(graph.is_role(SOURCE)).tolist()
    shut, front = {burst}, [burst]
    while front:
        edge = front.pop()
        for node in {int(graph.start[edge]), int(graph.end[edge])} - valves:
            for _, _, number in plain.edges(node, data="edge"):
                if number not in shut:
                    shut.add(number)
                    front.append(number)
    left = plain.copy()
    left.remove_edges_from((int(graph.start[e]), int(graph.end[e])) for e in shut)
    fed = set().union(*(networkx.node_connected_component(left, s) for s in sources))
    return len(shut) + len(plain) - len(fed)


def _make(city: BenchmarkCity, console: Console) -> None:
    """The database of the network, unless it is there."""
    done = city.folder / f"{DATABASE}.made"
    if done.exists():
        return
    console.print(f"[dim]making a network of {2 * SIDE * SIDE:,} segments[/]")
    city.cluster.drop_database(DATABASE)
    city.cluster.create_database(DATABASE)
    with city.address(DATABASE).connect(Role.OWNER) as connection:
        migrate(connection)
    with city.as_superuser(DATABASE) as connection:
        _write(connection)
    with psycopg.connect(city.url(DATABASE), autocommit=True) as plain:
        plain.execute("VACUUM (ANALYZE) city.pipelines, city.pipeline_nodes")
    done.touch()


def _write(connection: Connection) -> None:
    """Rows as a load leaves them, written at once: what is measured is reading them."""
    connection.execute(
        text(
            "INSERT INTO city.loads (layer, source, state, recorded_at) VALUES "
            "('pipelines', '{}', 'published', now()), ('pipeline_nodes', '{}', 'published', now())"
        )
    )
    held = (
        "2, (SELECT max(load_id) FROM city.loads), "
        "tstzrange('2000-01-01', NULL), tstzrange(now(), NULL)"
    )
    side = {"side": SIDE}
    place = "113.9 + {x} * 0.0005, 22.5 + {y} * 0.0004"
    connection.execute(
        text(
            "INSERT INTO city.pipeline_nodes (feature_id, natural_key, key_derived, code, kind, "
            "category, appurtenance, clearance, load_id, valid_during, recorded_during, geom) "
            "SELECT 1 + x * :side + y, x || '-' || y, false, x || '-' || y, 'JP', 'JS', "
            "CASE WHEN (x, y) IN ((0, 0), (0, :side - 1), (:side - 1, 0), (:side / 2, :side / 2)) "
            f"THEN '水厂' WHEN (x + y) % 2 = 1 THEN '阀门' END, {held}, "
            f"ST_SetSRID(ST_MakePoint({place.format(x='x', y='y')}, 5), 4490) "
            "FROM generate_series(0, :side - 1) x, generate_series(0, :side - 1) y"
        ),
        side,
    )
    for number, (dx, dy) in enumerate(((1, 0), (0, 1))):
        connection.execute(
            text(
                "INSERT INTO city.pipelines (feature_id, natural_key, key_derived, code, kind, "
                "category, start_node, end_node, diameter_mm, status, clearance, load_id, "
                "valid_during, recorded_during, geom) "
                f"SELECT 10000000 + {number} * 5000000 + x * :side + y, "
                f"'{number}-' || x || '-' || y, false, '{number}-' || x || '-' || y, 'JP', 'JS', "
                f"x || '-' || y, (x + {dx}) || '-' || (y + {dy}), 200, '0', {held}, "
                "ST_SetSRID(ST_MakeLine("
                f"ST_MakePoint({place.format(x='x', y='y')}, 3), "
                f"ST_MakePoint({place.format(x=f'(x + {dx})', y=f'(y + {dy})')}, 3)), 4490) "
                f"FROM generate_series(0, :side - 1 - {dx}) x, "
                f"generate_series(0, :side - 1 - {dy}) y"
            ),
            side,
        )

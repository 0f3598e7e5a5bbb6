"""Walks over networks of pipes, compared with networkx; bursts, compared with wntr and by force."""

from __future__ import annotations

import warnings
from pathlib import Path
from random import Random
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.pipe_network.graph import EDGE, NODE, SOURCE, VALVE, PipeGraph
from layers.pipe_network.isolation import isolate, segments_of
from layers.pipe_network.roles import network_kinds
from layers.pipe_network.tracing import Direction, shortest_path, trace

MODELS = ("water_Net3.inp", "water_ky4.inp", "water_exnet-3.inp")
NONE = np.zeros(0, np.int64)

Row = tuple[int, int, float, int]
"""Start, end, length and flow of a segment."""


def made(rows: list[Row], roles: dict[int, int] | None = None) -> PipeGraph:
    """A network whose nodes go by their own numbers; segments are numbered from 1."""
    edges = np.array([(n + 1, *row) for n, row in enumerate(rows)], EDGE)
    nodes = np.array([(1000 + n, n, role) for n, role in sorted((roles or {}).items())], NODE)
    return PipeGraph(edges, nodes)


def node(graph: PipeGraph, hash_: int) -> int:
    found = graph.node_of(hash_)
    assert found is not None
    return found


rows = st.lists(
    st.tuples(
        st.integers(0, 9), st.integers(0, 9), st.floats(0.5, 50), st.sampled_from([-1, 0, 1])
    ),
    min_size=1,
    max_size=25,
)
some = st.sets(st.integers(0, 9), max_size=4)


@given(rows=rows, stops=some, direction=st.sampled_from(Direction), pick=st.integers(0, 999))
@settings(max_examples=150)
def test_a_walk_reaches_what_a_plain_search_reaches(
    rows: list[Row], stops: set[int], direction: Direction, pick: int
) -> None:
    graph = made(rows)
    start = graph.hashes[pick % graph.node_count]
    blocked = np.isin(graph.hashes, list(stops))

    found = trace(graph, np.array([node(graph, start)]), NONE, direction, blocked, 1_000)

    reached, passed, front = {int(start)}, set(), [int(start)]
    while front:
        at = front.pop()
        if at in stops and at != start:
            continue
        for number, (one, other, _, flow) in enumerate(rows):
            for here, there, along in ((one, other, 1), (other, one, -1)):
                goes = direction is Direction.CONNECTED or (
                    flow == (along if direction is Direction.DOWNSTREAM else -along)
                )
                if here == at and goes:
                    passed.add(number)
                    if there not in reached:
                        reached.add(there)
                        front.append(there)
    assert passed == set(found.edges.tolist())
    assert reached == set(graph.hashes[found.nodes].tolist())
    directed = nx.DiGraph(
        (rows[n][0], rows[n][1]) if rows[n][3] == 1 else (rows[n][1], rows[n][0])
        for n in passed
        if rows[n][3]
    )
    is_cyclic = direction is not Direction.CONNECTED and not nx.is_directed_acyclic_graph(directed)
    assert is_cyclic == found.has_cycle


@given(rows=rows, blocked=some, ends=st.tuples(st.integers(0, 999), st.integers(0, 999)))
@settings(max_examples=150)
def test_the_shortest_way_is_that_of_networkx(
    rows: list[Row], blocked: set[int], ends: tuple[int, int]
) -> None:
    graph = made(rows)
    here, there = (int(graph.hashes[n % graph.node_count]) for n in ends)

    found = shortest_path(
        graph, node(graph, here), node(graph, there), np.isin(graph.hashes, list(blocked))
    )

    plain = nx.MultiGraph()
    plain.add_nodes_from(graph.hashes.tolist())
    plain.add_edges_from((one, other, {"length": m}) for one, other, m, _ in rows)
    plain.remove_nodes_from(blocked - {here, there})
    try:
        length = nx.dijkstra_path_length(plain, here, there, weight="length")
    except nx.NetworkXNoPath:
        assert found is None
        return
    assert found is not None
    assert length == pytest.approx(found[1])
    assert length == pytest.approx(sum(rows[n][2] for n in found[0]))


def test_no_more_is_walked_than_is_allowed_and_that_is_told() -> None:
    graph = made([(n, n + 1, 1.0, 1) for n in range(100)])

    found = trace(graph, np.array([0]), NONE, Direction.DOWNSTREAM, np.zeros(101, bool), 10)

    assert found.is_cut_off
    assert 10 == len(found.edges)


@given(rows=rows, valves=some, sources=some, pick=st.integers(0, 999), stuck=some)
@settings(max_examples=200)
def test_a_burst_is_isolated_as_by_trying(
    rows: list[Row], valves: set[int], sources: set[int], pick: int, stuck: set[int]
) -> None:
    roles = {n: VALVE * (n in valves) | SOURCE * (n in sources) for n in valves | sources}
    graph = made(rows, roles)
    burst = pick % len(rows)
    unmoved = np.array([n for n in map(graph.node_of, sorted(stuck)) if n is not None], np.int64)

    found = isolate(graph, np.array([burst]), NONE, unmoved)

    able = valves - stuck
    shut = connected_edges(rows, {burst}, able, set())
    around = {n for e in shut for n in rows[e][:2]} & able
    assert shut == set(found.shut.tolist())
    closed = set(graph.hashes[found.close].tolist())
    spare = set(graph.hashes[found.spare].tolist())
    assert around == closed | spare
    fed = fed_edges(rows, sources, shut)
    present = {n for row in rows for n in row[:2]}
    if sources & present:
        whole = connected_edges(rows, {burst}, set(), set())
        assert whole - shut - fed == set(found.dry.tolist())
        inside = {n for e in shut for n in rows[e][:2]}
        for valve in around:
            feeds = any(e in fed for e, row in enumerate(rows) if valve in row[:2])
            assert (feeds or valve in sources) == (valve in closed)
        assert (inside & sources) - able == set(graph.hashes[found.sources].tolist())


def connected_edges(
    rows: list[Row], start: set[int], closed: set[int], without: set[int]
) -> set[int]:
    """Segments that hang together with some, where closed nodes hold back."""
    found, front = set(start), list(start)
    while front:
        ends = set(rows[front.pop()][:2]) - closed
        for number, row in enumerate(rows):
            if number not in found | without and ends & set(row[:2]):
                found.add(number)
                front.append(number)
    return found


def fed_edges(rows: list[Row], sources: set[int], shut: set[int]) -> set[int]:
    starts = {n for n, row in enumerate(rows) if n not in shut and sources & set(row[:2])}
    return connected_edges(rows, starts, set(), shut) if starts else set()


@pytest.mark.parametrize("model", MODELS)
def test_parts_between_valves_are_those_of_wntr(shared_data: Path, model: str) -> None:
    wntr = pytest.importorskip("wntr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = wntr.network.WaterNetworkModel(str(shared_data / "02_utility_networks" / model))
        graph = network.to_graph()
    names = {name: number for number, name in enumerate(graph.nodes)}
    links = [(k, names[u], names[v]) for u, v, k in graph.edges(keys=True)]
    ours = made([(u, v, 1.0, 0) for _, u, v in links])
    random = Random(7)
    for _ in range(3):
        valves = random.sample(sorted(names), len(names) // 6)
        theirs = wntr_parts(wntr, graph, valves)
        is_valve = np.isin(ours.hashes, [names[name] for name in valves])

        found = segments_of(ours, is_valve)

        pairs = {(int(found[n]), theirs[name]) for n, (name, _, _) in enumerate(links)}
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def wntr_parts(wntr: Any, graph: Any, valves: list[str]) -> dict[str, int]:
    """The part of each link, where a valve at a node stands on every link of it."""
    import pandas as pd  # wntr's own table

    layer = pd.DataFrame(
        [(k, valve) for valve in valves for u, v, k in graph.edges(keys=True) if valve in (u, v)],
        columns=["link", "node"],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, links, _ = wntr.metrics.topographic.valve_segments(graph, layer)
    return {str(name): int(part) for name, part in links.items()}


@pytest.mark.parametrize("model", MODELS)
def test_walks_over_real_networks_are_those_of_networkx(shared_data: Path, model: str) -> None:
    wntr = pytest.importorskip("wntr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = wntr.network.WaterNetworkModel(str(shared_data / "02_utility_networks" / model))
        multi = network.to_graph()
    names = {name: number for number, name in enumerate(multi.nodes)}
    random = Random(3)
    rows = [(names[u], names[v], random.uniform(1, 9), 1) for u, v in multi.edges()]
    ours, theirs = made(rows), nx.MultiDiGraph()
    theirs.add_edges_from((u, v, {"length": m}) for u, v, m, _ in rows)
    undirected = nx.MultiGraph()
    undirected.add_edges_from((u, v, {"length": m}) for u, v, m, _ in rows)
    open_ = np.zeros(ours.node_count, bool)
    for _ in range(60):
        here, there = (random.choice(ours.hashes.tolist()) for _ in range(2))

        down, up = (
            trace(ours, np.array([node(ours, here)]), NONE, d, open_, 10**6)
            for d in (Direction.DOWNSTREAM, Direction.UPSTREAM)
        )
        way = shortest_path(ours, node(ours, here), node(ours, there), open_)

        assert nx.descendants(theirs, here) | {here} == set(ours.hashes[down.nodes].tolist())
        assert nx.ancestors(theirs, here) | {here} == set(ours.hashes[up.nodes].tolist())
        if nx.has_path(undirected, here, there):
            assert way is not None
            length = nx.dijkstra_path_length(undirected, here, there, weight="length")
            assert length == pytest.approx(way[1])
        else:
            assert way is None


def test_rain_and_sewage_are_networks_of_their_own() -> None:
    assert ("HS", "YS") == network_kinds("YS")
    assert ("HS", "WS", "YS") == network_kinds("HS")
    assert "JP" in network_kinds("JS")

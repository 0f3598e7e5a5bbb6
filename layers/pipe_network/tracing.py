"""Tracing a network: what is connected, what lies upstream or downstream, and the shortest way.

Walks are breadth first over whole fronts of nodes. A node at which a walk stops is reached and not
passed. What a cycle holds is walked once; that there is one is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.sparse.csgraph import connected_components, dijkstra

from layers.pipe_network.graph import Flags, Ints, PipeGraph


class Direction(StrEnum):
    """Which way a trace goes."""

    CONNECTED = "connected"
    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


@dataclass(frozen=True)
class Traced:
    """What a trace reached.

    Attributes:
        edges: Numbers of segments.
        nodes: Numbers of nodes.
        stops: Those of them at which it stopped.
        has_cycle: Whether water could go round among them, by the directions that are known;
            False for what has none.
        unknown: Segments whose direction is not known, which were not passed.
        is_cut_off: Whether there is more than was walked.
    """

    edges: Ints
    nodes: Ints
    stops: Ints
    has_cycle: bool
    unknown: int
    is_cut_off: bool


def trace(
    graph: PipeGraph,
    start_nodes: Ints,
    start_edges: Ints,
    direction: Direction,
    stops: Flags,
    most: int,
) -> Traced:
    """Walk from nodes and segments.

    Args:
        start_nodes: Numbers of nodes from which to go on, whether or not they are stops.
        start_edges: Segments that belong to the answer from the beginning.
        stops: For each node whether the walk ends there.
        most: Segments after which it is given up.
    """
    seen_nodes = np.zeros(graph.node_count, bool)
    seen_edges = np.zeros(len(graph.edges), bool)
    seen_edges[start_edges] = True
    seen_nodes[start_nodes] = True
    front, unknown, is_cut_off = np.unique(start_nodes), set[int](), False
    while len(front):
        edges, leads = _leading(graph, front, direction)
        if direction is not Direction.CONNECTED:
            unknown |= set(edges[(graph.edges["flow"][edges] == 0) & ~seen_edges[edges]].tolist())
        edges, leads = edges[leads >= 0], leads[leads >= 0]
        new = np.unique(edges[~seen_edges[edges]])
        room = most - int(seen_edges.sum())
        seen_edges[new[:room]] = True
        if len(new) > room:
            is_cut_off = True
            break
        reached = np.unique(leads[~seen_nodes[leads]])
        seen_nodes[reached] = True
        front = reached[~stops[reached]]
    found = np.flatnonzero(seen_edges)
    nodes = np.flatnonzero(seen_nodes)
    stopped = nodes[stops[nodes] & ~np.isin(nodes, start_nodes)]
    cyclic = direction is not Direction.CONNECTED and has_cycle(graph, found)
    return Traced(found, nodes, stopped, cyclic, len(unknown), is_cut_off)


def ends_of(graph: PipeGraph, edge: int, direction: Direction, stops: Flags) -> Ints:
    """The ends of a segment from which a walk goes on: none of a direction that is not known."""
    start, end = int(graph.start[edge]), int(graph.end[edge])
    flow = int(graph.edges["flow"][edge])
    ends = [start, end]
    if direction is not Direction.CONNECTED:
        along = flow if direction is Direction.DOWNSTREAM else -flow
        ends = {1: [end], -1: [start], 0: []}[along]
    return np.array([node for node in ends if not stops[node]], np.int64)


def _leading(graph: PipeGraph, front: Ints, direction: Direction) -> tuple[Ints, Ints]:
    """The edges at a front, and for each the node to which it leads; -1 where it leads nowhere."""
    begins, incident = graph.incident
    counts = begins[front + 1] - begins[front]
    at = np.repeat(front, counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    edges = incident[np.repeat(begins[front], counts) + offsets]
    is_from_start = graph.start[edges] == at
    other = np.where(is_from_start, graph.end[edges], graph.start[edges])
    if direction is Direction.CONNECTED:
        return edges, other
    flow = graph.edges["flow"][edges]
    away = np.where(is_from_start, flow == 1, flow == -1)
    goes = away if direction is Direction.DOWNSTREAM else (flow != 0) & ~away
    is_loop = graph.start[edges] == graph.end[edges]
    return edges, np.where(goes | (is_loop & (flow != 0)), other, -1)


def has_cycle(graph: PipeGraph, edges: Ints) -> bool:
    """Whether segments, as they flow, lead back to where they come from."""
    flow = graph.edges["flow"][edges]
    edges, flow = edges[flow != 0], flow[flow != 0]
    if not len(edges):
        return False
    start = np.where(flow == 1, graph.start[edges], graph.end[edges])
    end = np.where(flow == 1, graph.end[edges], graph.start[edges])
    if (start == end).any():
        return True
    matrix = graph.matrix(start, end, np.ones(len(edges)))
    _, labels = connected_components(matrix, directed=True, connection="strong")
    touched = np.unique(np.concatenate([start, end]))
    return bool(np.bincount(labels[touched]).max() > 1)


def shortest_path(
    graph: PipeGraph, from_node: int, to_node: int, blocked: Flags
) -> tuple[Ints, float] | None:
    """The segments of the shortest way between two nodes in order, and its length in metres.

    Args:
        blocked: Nodes that are not passed; the ends may be.

    Returns:
        None if there is no way.
    """
    open_ = ~blocked
    open_[[from_node, to_node]] = True
    usable = open_[graph.start] & open_[graph.end]
    numbers = np.flatnonzero(usable)
    start, end = graph.start[numbers], graph.end[numbers]
    # A length of nothing would be no entry of a sparse matrix.
    weights = np.maximum(graph.edges["length_m"][numbers], 1e-6)
    matrix = graph.matrix(
        np.concatenate([start, end]), np.concatenate([end, start]), np.tile(weights, 2)
    )
    lengths, before = dijkstra(matrix, indices=from_node, return_predecessors=True)
    if not np.isfinite(lengths[to_node]):
        return None
    path, node = [], to_node
    while node != from_node:
        previous = int(before[node])
        between = graph.edges_at([node])
        joins = between[
            usable[between]
            & (
                ((graph.start[between] == previous) & (graph.end[between] == node))
                | ((graph.start[between] == node) & (graph.end[between] == previous))
            )
        ]
        path.append(int(joins[np.argmin(graph.edges["length_m"][joins])]))
        node = previous
    return np.array(path[::-1], np.int64), float(lengths[to_node])

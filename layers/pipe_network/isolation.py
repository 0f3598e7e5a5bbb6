"""A burst: which valves to close, what is cut off by that, and what to do when one is stuck.

The valves around a burst make the smallest part that can be shut off. What lies beyond them is
without supply too where every way to a source leads through that part. A valve beyond which there
is no source need not be closed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from layers.pipe_network.graph import SOURCE, VALVE, Flags, Ints, PipeGraph


@dataclass(frozen=True)
class Isolated:
    """What is to be done at a burst.

    Attributes:
        close: Valves to close, as numbers of nodes.
        spare: Valves around the burst that need not be closed, as nothing is fed through them.
        shut: Segments between the valves: the burst is among them.
        dry: Segments beyond that no source reaches any more.
        sources: Sources within what is shut: to be stopped, as no valve holds them back.
        feeding: Sources that feed what lies beyond the valves by other ways.
    """

    close: Ints
    spare: Ints
    shut: Ints
    dry: Ints
    sources: Ints
    feeding: Ints


def isolate(graph: PipeGraph, burst_edges: Ints, burst_nodes: Ints, stuck: Ints) -> Isolated:
    """What shuts a burst off.

    Args:
        burst_edges: Segments that have burst.
        burst_nodes: Nodes that have.
        stuck: Nodes of valves that cannot be closed.
    """
    valves = graph.is_role(VALVE)
    valves[stuck] = False
    valves[burst_nodes] = False
    labels = segments_of(graph, valves)
    wanted = np.unique(labels[np.concatenate([burst_edges, graph.edges_at(burst_nodes.tolist())])])
    is_shut = np.isin(labels, wanted)
    shut = np.flatnonzero(is_shut)
    around = np.unique(np.concatenate([graph.start[shut], graph.end[shut]]))
    around = around[valves[around]]
    inside = np.unique(np.concatenate([graph.start[shut], graph.end[shut]]))
    sources = inside[graph.is_role(SOURCE)[inside] & ~valves[inside]]
    labels_without = _labels_without(graph, is_shut)
    is_source = graph.is_role(SOURCE)
    has_sources = bool(is_source.any())
    fed_edges = np.isin(labels_without[graph.start], labels_without[is_source]) & ~is_shut
    others = [graph.edges_at([int(valve)]) for valve in around]
    beyond = [edges[~is_shut[edges]] for edges in others]
    is_fed = np.array([bool(fed_edges[edges].any()) for edges in beyond], bool)
    leads_on = np.array([len(edges) > 0 for edges in beyond], bool)
    # Where no source is known at all, nobody can say that a valve need not be closed.
    needed = (is_fed if has_sources else leads_on) | graph.is_role(SOURCE)[around]
    dry = np.zeros(0, np.int64)
    if has_sources:
        dry = np.flatnonzero(~is_shut & ~fed_edges & _reached_by(graph, shut))
    beyond_labels = labels_without[graph.start[np.concatenate([np.zeros(0, np.int64), *beyond])]]
    feeding = np.flatnonzero(is_source & np.isin(labels_without, beyond_labels))
    return Isolated(around[needed], around[~needed], shut, dry, sources, feeding)


def segments_of(graph: PipeGraph, valves: Flags) -> Ints:
    """For each edge the number of the part between valves that it belongs to.

    A valve at a node holds back from each other all that meets there.
    """
    count = len(graph.edges)
    ends = np.concatenate([graph.start, graph.end])
    edges = np.tile(np.arange(count), 2)
    joins = ~valves[ends]
    shape = (count, graph.node_count)
    incidence = csr_array((np.ones(int(joins.sum())), (edges[joins], ends[joins])), shape=shape)
    # Edges and nodes in one graph, so that a node with many edges costs no more than these.
    both = _bipartite(incidence)
    _, labels = connected_components(both, directed=False)
    return np.asarray(labels[:count], np.int64)


def _bipartite(incidence: csr_array) -> csr_array:
    rows, columns = incidence.shape
    found = incidence.tocoo()
    size = rows + columns
    return csr_array((found.data, (found.row, found.col + rows)), shape=(size, size))


def _labels_without(graph: PipeGraph, is_shut: Flags) -> Ints:
    """For each node the number of the part that it hangs together with, without what is shut."""
    return _labels(graph, np.flatnonzero(~is_shut))


def _labels(graph: PipeGraph, edges: Ints) -> Ints:
    nodes = graph.node_count
    ends = (graph.start[edges], graph.end[edges])
    matrix = csr_array((np.ones(len(edges)), ends), shape=(nodes, nodes))
    _, labels = connected_components(matrix, directed=False)
    return np.asarray(labels, np.int64)


def _reached_by(graph: PipeGraph, edges: Ints) -> Flags:
    """For each edge whether it hangs together with some others, valves open."""
    labels = _labels(graph, np.arange(len(graph.edges)))
    return np.isin(labels[graph.start], labels[graph.start[edges]])

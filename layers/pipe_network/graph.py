"""A network of pipes in memory: edges are segments, nodes are where these meet.

Nodes go by 64-bit hashes of what the segments say of their ends, so that a network of a million
segments is a few arrays. Two of a hundred million nodes share a hash with a chance of one in 3,000.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

EDGE = np.dtype(
    [("id", "<i8"), ("start", "<i8"), ("end", "<i8"), ("length_m", "<f8"), ("flow", "<i8")]
)
"""A segment: its feature, the hashes of its ends, its length, and how it flows (1 from start to
end, -1 against, 0 unknown)."""

NODE = np.dtype([("id", "<i8"), ("hash", "<i8"), ("role", "<i8")])
"""A node that matters: its feature, its hash, and what it is (``Role``)."""

VALVE, SOURCE, PUMP = 1, 2, 4
"""What a node is, as bits."""


@dataclass(frozen=True)
class PipeGraph:
    """A network.

    Attributes:
        edges: Of ``EDGE``, ascending by id.
        nodes: Of ``NODE``: those that are more than where pipes meet.
    """

    edges: NDArray[Any]
    nodes: NDArray[Any]
    hashes: Ints = field(init=False)
    start: Ints = field(init=False)
    end: Ints = field(init=False)
    roles: Ints = field(init=False)

    def __post_init__(self) -> None:
        """Number the nodes."""
        ends = np.concatenate([self.edges["start"], self.edges["end"]])
        hashes, numbers = np.unique(ends, return_inverse=True)
        count = len(self.edges)
        set_ = object.__setattr__
        set_(self, "hashes", hashes)
        set_(self, "start", numbers[:count].astype(np.int64))
        set_(self, "end", numbers[count:].astype(np.int64))
        roles = np.zeros(len(hashes), np.int64)
        places = np.searchsorted(hashes, self.nodes["hash"])
        places = np.minimum(places, max(len(hashes) - 1, 0))
        if len(hashes):
            is_there = hashes[places] == self.nodes["hash"]
            np.bitwise_or.at(roles, places[is_there], self.nodes["role"][is_there])
        set_(self, "roles", roles)

    @property
    def node_count(self) -> int:
        """How many nodes there are."""
        return len(self.hashes)

    def edge_of(self, feature_id: int) -> int | None:
        """The number of a segment; None if it is not of this network."""
        place = int(np.searchsorted(self.edges["id"], feature_id))
        if place < len(self.edges) and self.edges["id"][place] == feature_id:
            return place
        return None

    def node_of(self, hash_: int) -> int | None:
        """The number of a node; None if no segment ends there."""
        place = int(np.searchsorted(self.hashes, hash_))
        if place < len(self.hashes) and self.hashes[place] == hash_:
            return place
        return None

    def feature_of_node(self, number: int) -> int | None:
        """The feature of a node, if it is one that matters."""
        found = self._features.get(int(self.hashes[number]))
        return None if found is None else int(found)

    @cached_property
    def _features(self) -> dict[int, int]:
        return dict(zip(self.nodes["hash"].tolist(), self.nodes["id"].tolist(), strict=True))

    def is_role(self, role: int) -> Flags:
        """For each node whether it is such."""
        return np.asarray((self.roles & role) > 0)

    @cached_property
    def incident(self) -> tuple[Ints, Ints]:
        """For each node its edges: beginnings of the runs (one more than nodes), and the edges."""
        count = len(self.edges)
        ends = np.concatenate([self.start, self.end])
        order = np.argsort(ends, kind="stable")
        begins = np.searchsorted(ends[order], np.arange(self.node_count + 1))
        return begins.astype(np.int64), (order % max(count, 1)).astype(np.int64)

    def edges_at(self, nodes: Iterable[int]) -> Ints:
        """The edges at nodes, each once."""
        begins, edges = self.incident
        found = [edges[begins[n] : begins[n + 1]] for n in nodes]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)

    def matrix(self, start: Ints, end: Ints, weights: Floats) -> csr_array:
        """A sparse matrix of weights; of several edges between two nodes the least counts."""
        order = np.lexsort((weights, end, start))
        start, end, weights = start[order], end[order], weights[order]
        is_first = np.ones(len(start), bool)
        is_first[1:] = (start[1:] != start[:-1]) | (end[1:] != end[:-1])
        shape = (self.node_count, self.node_count)
        return csr_array((weights[is_first], (start[is_first], end[is_first])), shape=shape)

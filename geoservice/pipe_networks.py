"""Networks of pipes as a worker knows them: read once for a level and an instant, and kept.

A network is the same between two instants at which a pipe or a node changes, and between two
publications, so it is kept under these. Nobody is shown a network of another level.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import text

from geoservice.db import Database
from geoservice.readers import ReaderConnection
from geoservice.shared_work import SharedWork
from layers.access import Access
from layers.pipe_network.graph import EDGE, NODE, PipeGraph
from layers.pipe_network.reading import Statement, edges_statement, nodes_statement, rows_of
from layers.pipeline_nodes import LAYER as NODES
from layers.pipelines import LAYER as PIPELINES
from layers.roles import Role
from layers.tables import SCHEMA

_MOST_EDGES = 5_000_000
"""Segments of all networks that a worker keeps."""


@dataclass(frozen=True)
class Moment:
    """Of when a network is.

    Attributes:
        at: Of valid time, aware.
        as_recorded: Of recorded time; None is what is believed now.
    """

    at: datetime
    as_recorded: datetime | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of reads at this moment."""
        found: dict[str, Any] = {"at": self.at}
        return found if self.as_recorded is None else found | {"as_recorded": self.as_recorded}


class PipeNetworks:
    """The networks of one worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[tuple[Any, ...], PipeGraph] = OrderedDict()
        self._reading: SharedWork[PipeGraph] = SharedWork()

    async def network(self, access: Access, kinds: Sequence[str], moment: Moment) -> PipeGraph:
        """The network of some kinds as the caller's level sees it."""
        name = (int(access.level), tuple(kinds), *await self._version(moment))
        known = self._kept.get(name)
        if known is not None:
            self._kept.move_to_end(name)
            return known

        async def read(result: asyncio.Future[PipeGraph]) -> None:
            graph = await self._read(access, kinds, moment)
            self._keep(name, graph)
            result.set_result(graph)

        return await self._reading.result(name, read)

    def _keep(self, name: tuple[Any, ...], graph: PipeGraph) -> None:
        self._kept[name] = graph
        while len(self._kept) > 1 and sum(len(g.edges) for g in self._kept.values()) > _MOST_EDGES:
            self._kept.popitem(last=False)

    async def _version(self, moment: Moment) -> tuple[Any, ...]:
        """The publication and the instant since which the network is as it is at a moment."""
        async with self._database.write(Role.GATE) as connection:
            parameters = {"at": moment.at, "as_recorded": moment.as_recorded}
            row = (await connection.execute(_VERSION, parameters)).one()
        return (moment.as_recorded is not None, *row)

    async def _read(self, access: Access, kinds: Sequence[str], moment: Moment) -> PipeGraph:
        is_earlier = moment.as_recorded is not None
        asked = {"kinds": list(kinds)} | moment.parameters
        async with self._database.readers(access).connection() as connection:
            edges = await _copied(
                connection, edges_statement(access.level, is_earlier_belief=is_earlier), asked
            )
            nodes = await _copied(
                connection, nodes_statement(access.level, is_earlier_belief=is_earlier), asked
            )
        return await asyncio.to_thread(_graph, edges, nodes)


def _graph(edges: Sequence[bytes], nodes: Sequence[bytes]) -> PipeGraph:
    found: NDArray[Any] = rows_of(edges, EDGE)
    # A segment may hold in one version only, but a gap in the rules must not break the walk.
    _, first = np.unique(found["id"], return_index=True)
    return PipeGraph(found[first], rows_of(nodes, NODE))


async def _copied(
    connection: ReaderConnection, statement: Statement, asked: dict[str, Any]
) -> list[bytes]:
    whole = sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(
        sql.SQL(cast(Any, statement.text))
    )
    async with connection.cursor().copy(whole, statement.constants | asked) as copy:
        return [bytes(part) async for part in copy]


def _last_of(name: str) -> str:
    return (
        f"(SELECT max(recorded_at) FROM {SCHEMA}.loads WHERE layer = '{name}' "
        "AND (CAST(:as_recorded AS timestamptz) IS NULL OR recorded_at <= :as_recorded)), "
        f"(SELECT max(instant) FROM {SCHEMA}.layer_instants WHERE layer = '{name}' "
        "AND instant <= :at)"
    )


_VERSION = text(f"SELECT {_last_of(PIPELINES.name)}, {_last_of(NODES.name)}")

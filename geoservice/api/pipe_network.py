"""What pipes are connected to, where their water goes, and what a burst cuts off."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.api.answers import GEOJSON, cache_control, json_response
from geoservice.api.parameters import (
    CallerAccess,
    RequestedAsRecorded,
    RequestedInstant,
    ServiceDatabase,
    refuse_unsettled_belief,
)
from geoservice.db import Database
from geoservice.pipe_networks import Moment, PipeNetworks
from geoservice.readers import ReaderConnection
from layers.access import Access
from layers.codes import CATEGORY_OF_KIND
from layers.errors import FeatureNotFound, InvalidParameter, MissingParameter
from layers.pipe_network.details import (
    MOST_SERVING,
    NamedNode,
    Segment,
    Served,
    Sums,
    read_nodes,
    read_segments,
    read_served,
    read_touched,
    sums_of,
)
from layers.pipe_network.graph import PUMP, SOURCE, VALVE, Flags, Ints, PipeGraph
from layers.pipe_network.isolation import isolate
from layers.pipe_network.roles import network_kinds
from layers.pipe_network.starts import Start, find_node, find_pipe, nearest_pipe
from layers.pipe_network.tracing import Direction, ends_of, shortest_path, trace
from layers.pipeline_nodes import LAYER as NODES
from layers.pipelines import LAYER as PIPELINES
from layers.registry import get_layer

router = APIRouter(tags=["Pipe network"], prefix="/pipelines")

MOST_TRACED = 200_000
MOST_DRAWN = 10_000
MOST_LISTED = 200
_SOURCE = "CJJ 61-2017 (kinds, nodes and directions as surveyed)"
_AS_GEOJSON: dict[int | str, dict[str, Any]] = {200: {"content": {GEOJSON: {}}}}

FeatureId = Annotated[int | None, Query(ge=1, lt=2**53, description="A segment")]
NodeCode = Annotated[str | None, Query(max_length=100, description="Number of a node")]
Lon = Annotated[float | None, Query(ge=-180, le=180, allow_inf_nan=False)]
Lat = Annotated[float | None, Query(ge=-85, le=85, allow_inf_nan=False)]
Kind = Annotated[
    str | None, Query(max_length=10, description="Code of the network's kind, such as JS or YS")
]
Codes = Annotated[
    str | None, Query(max_length=4_000, description="Numbers of nodes, joined by commas")
]
Form = Annotated[Literal["json", "geojson"], Query(description="GeoJSON has the segments, too")]


@dataclass(frozen=True)
class _Asked:
    """Where an analysis begins, and when."""

    database: Database
    access: Access
    start: Start
    kinds: tuple[str, ...]
    moment: Moment
    graph: PipeGraph


@router.get("/trace", summary="What a pipe is connected to", responses=_AS_GEOJSON)
async def trace_pipes(  # one for each parameter
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    instant: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    feature_id: FeatureId = None,
    node: NodeCode = None,
    lon: Lon = None,
    lat: Lat = None,
    kind: Kind = None,
    mode: Annotated[
        Literal["connected", "upstream", "downstream", "path"], Query(description="Which way")
    ] = "connected",
    to: Annotated[
        str | None, Query(max_length=100, description="Number of the node that a path leads to")
    ] = None,
    stops: Annotated[
        str | None, Query(max_length=40, description="What ends a walk: valves, pumps")
    ] = None,
    closed: Codes = None,
    f: Form = "json",
) -> Response:
    """Segments that hang together with a place, feed it, are fed by it, or lead to another node.

    A direction that is not known is not passed, and counted. A cycle is walked once and told.
    """
    start = _start_of(feature_id, node, lon, lat)
    moment = Moment(instant or datetime.now(UTC), as_recorded)
    asked = await _asked(request, database, access, start, kind, moment)
    graph = asked.graph
    blocked = np.zeros(graph.node_count, bool)
    for name, role in (("valves", VALVE), ("pumps", PUMP)):
        if name in _stops(stops):
            blocked |= graph.is_role(role)
    async with database.readers(access).connection() as connection:
        blocked[await _nodes(connection, asked, closed, "closed")] = True
        direction = Direction.CONNECTED if mode == "path" else Direction(mode)
        nodes, edges = await _beginning(connection, asked, direction, blocked)
        if mode == "path":
            return await _path(connection, asked, nodes, to, blocked, f)
        # A large network takes tenths of a second, in which others are to be answered.
        found = await asyncio.to_thread(trace, graph, nodes, edges, direction, blocked, MOST_TRACED)
        document = await _told(connection, asked, found.edges)
        document |= {
            "mode": mode,
            "node_count": len(found.nodes),
            "has_cycle": found.has_cycle,
            "direction_unknown": found.unknown,
            "is_cut_off": found.is_cut_off,
            "stops": _named(await _read_nodes(connection, asked, found.stops)),
            **await _touched(connection, asked, found.edges),
        }
        return await _answer(connection, asked, found.edges, document, f)


@router.get("/isolate", summary="What a burst cuts off", responses=_AS_GEOJSON)
async def isolate_burst(  # one for each parameter
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    instant: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    feature_id: FeatureId = None,
    node: NodeCode = None,
    lon: Lon = None,
    lat: Lat = None,
    kind: Kind = None,
    stuck: Codes = None,
    f: Form = "json",
) -> Response:
    """The fewest valves to close, the segments that are shut off, and who is without supply.

    With ``stuck`` the next valves beyond those that cannot be closed.
    """
    start = _start_of(feature_id, node, lon, lat)
    moment = Moment(instant or datetime.now(UTC), as_recorded)
    asked = await _asked(request, database, access, start, kind, moment)
    graph = asked.graph
    async with database.readers(access).connection() as connection:
        unmoved = await _nodes(connection, asked, stuck, "stuck")
        burst = await _burst(connection, asked)
        found = await asyncio.to_thread(isolate, graph, *burst, unmoved)
        cut = np.concatenate([found.shut, found.dry])
        document = await _told(connection, asked, cut)
        document |= {
            "close": _named(await _read_nodes(connection, asked, found.close)),
            "need_not_close": _named(await _read_nodes(connection, asked, found.spare)),
            "shut_off": len(found.shut),
            "without_supply": len(found.dry),
            "sources_inside": _named(await _read_nodes(connection, asked, found.sources)),
            "alternative_sources": _named(await _read_nodes(connection, asked, found.feeding)),
            "knows_sources": bool(graph.is_role(SOURCE).any()),
            **await _served(connection, asked, cut),
        }
        return await _answer(connection, asked, cut, document, f)


def _start_of(
    feature_id: int | None, node: str | None, lon: float | None, lat: float | None
) -> Start:
    given = [feature_id is not None, node is not None, lon is not None or lat is not None]
    if sum(given) != 1:
        raise InvalidParameter("feature_id", feature_id, "or node, or lon and lat: one of them")
    if given[2] and (lon is None or lat is None):
        raise MissingParameter("lon" if lon is None else "lat")
    return Start(feature_id, node, lon, lat)


def _stops(said: str | None) -> set[str]:
    names = set(said.split(",")) if said else set()
    if names - {"valves", "pumps"}:
        raise InvalidParameter("stops", said, "is of valves, pumps; joined by commas")
    return names


async def _asked(
    request: Request,
    database: Database,
    access: Access,
    start: Start,
    kind: str | None,
    moment: Moment,
) -> _Asked:
    get_layer(PIPELINES.name, access.level)
    if kind is not None and kind not in CATEGORY_OF_KIND:
        raise InvalidParameter("kind", kind, "is no kind of pipe")
    await refuse_unsettled_belief(database, access, [PIPELINES, NODES], moment.as_recorded)
    async with database.readers(access).connection() as connection:
        known = kind or await _kind_of(connection, access, start, moment)
    kinds = network_kinds(known)
    networks: PipeNetworks = request.app.state.pipe_networks
    graph = await networks.network(access, kinds, moment)
    return _Asked(database, access, start, kinds, moment, graph)


async def _kind_of(
    connection: ReaderConnection, access: Access, start: Start, moment: Moment
) -> str:
    """The kind of what a start names."""
    if start.feature_id is not None:
        found = await find_pipe(connection, access.level, start.feature_id, moment.parameters)
        if found is None:
            raise FeatureNotFound(PIPELINES.name, start.feature_id)
        return found
    if start.node is not None:
        found = await find_node(connection, access.level, start.node, moment.parameters)
        if found is None:
            raise FeatureNotFound(NODES.name, start.node)
        return found
    _, kind = await _nearest(connection, access, start, None, moment)
    return kind


async def _nearest(
    connection: ReaderConnection,
    access: Access,
    start: Start,
    kinds: Sequence[str] | None,
    moment: Moment,
) -> tuple[int, str]:
    found = await nearest_pipe(connection, start, kinds, moment.parameters)
    if found is None:
        raise InvalidParameter("lon", start.lon, "and lat have no pipe within 50 m")
    return found


async def _edge(connection: ReaderConnection, asked: _Asked) -> int:
    """The segment at which an analysis begins."""
    number = asked.start.feature_id
    if number is None:
        number, _ = await _nearest(connection, asked.access, asked.start, asked.kinds, asked.moment)
    edge = asked.graph.edge_of(number)
    if edge is None:
        raise FeatureNotFound(PIPELINES.name, number)
    return edge


async def _node(connection: ReaderConnection, asked: _Asked, code: str) -> int:
    (number,) = await _nodes(connection, asked, code, "node")
    return int(number)


async def _beginning(
    connection: ReaderConnection, asked: _Asked, direction: Direction, stops: Flags
) -> tuple[Ints, Ints]:
    """Nodes from which to walk, and segments that are there from the beginning."""
    if asked.start.node is not None:
        nodes = await _nodes(connection, asked, asked.start.node, "node")
        return nodes, np.zeros(0, np.int64)
    edge = await _edge(connection, asked)
    return ends_of(asked.graph, edge, direction, stops), np.array([edge])


async def _burst(connection: ReaderConnection, asked: _Asked) -> tuple[Ints, Ints]:
    if asked.start.node is not None:
        nodes = await _nodes(connection, asked, asked.start.node, "node")
        return np.zeros(0, np.int64), nodes
    return np.array([await _edge(connection, asked)]), np.zeros(0, np.int64)


async def _nodes(
    connection: ReaderConnection, asked: _Asked, said: str | None, parameter: str
) -> Ints:
    """The nodes of the network that are named.

    Raises:
        InvalidParameter: one is not of the network.
    """
    codes = [code for code in (said or "").split(",") if code]
    if not codes:
        return np.zeros(0, np.int64)
    rows = await (
        await connection.execute(
            "SELECT c, hashtextextended(c, 0) FROM unnest(CAST(%(codes)s AS text[])) c",
            {"codes": codes},
        )
    ).fetchall()
    found = []
    for code, hash_ in rows:
        number = asked.graph.node_of(hash_)
        if number is None:
            raise InvalidParameter(parameter, code, "is no node of this network")
        found.append(number)
    return np.unique(np.array(found, np.int64))


async def _path(
    connection: ReaderConnection,
    asked: _Asked,
    nodes: Ints,
    to: str | None,
    blocked: Any,
    f: str,
) -> Response:
    if to is None:
        raise MissingParameter("to")
    target = await _node(connection, asked, to)
    found = [
        await asyncio.to_thread(shortest_path, asked.graph, one, target, blocked)
        for one in nodes.tolist()
    ]
    ways = [way for way in found if way is not None]
    if not ways:
        raise InvalidParameter("to", to, "is not reached from there")
    edges, _ = min(ways, key=lambda way: way[1])
    document = await _told(connection, asked, edges)
    ids = asked.graph.edges["id"][edges].tolist()
    document |= {"mode": "path", "in_order": ids[:MOST_DRAWN]}
    return await _answer(connection, asked, edges, document, f)


async def _told(connection: ReaderConnection, asked: _Asked, edges: Ints) -> dict[str, Any]:
    segments = await _read_segments(connection, asked, edges)
    return {
        "kinds": asked.kinds,
        "at": asked.moment.at,
        "as_recorded": asked.moment.as_recorded,
        "source": _SOURCE,
        **_summed(sums_of(segments)),
    }


def _summed(sums: Sums) -> dict[str, Any]:
    def listed(name: str, groups: Any) -> list[dict[str, Any]]:
        ordered = sorted(groups.items(), key=lambda one: (-one[1][1], str(one[0])))
        return [
            {name: key, "count": count, "length_m": round(metres, 3)}
            for key, (count, metres) in ordered
        ]

    return {
        "pipe_count": sums.count,
        "length_m": round(sums.length_m, 3),
        "volume_m3": round(sums.volume_m3, 3),
        "size_unknown": sums.unsized,
        "by_diameter": listed("diameter_mm", sums.by_diameter),
        "by_material": listed("material", sums.by_material),
    }


async def _read_segments(connection: ReaderConnection, asked: _Asked, edges: Ints) -> list[Segment]:
    ids = asked.graph.edges["id"][edges].tolist()
    return await read_segments(connection, asked.access.level, ids, asked.moment.parameters)


async def _read_nodes(connection: ReaderConnection, asked: _Asked, nodes: Ints) -> list[NamedNode]:
    features = [asked.graph.feature_of_node(int(number)) for number in nodes]
    ids = [number for number in features if number is not None]
    return await read_nodes(connection, asked.access.level, ids, asked.moment.parameters)


def _named(nodes: Sequence[NamedNode]) -> list[dict[str, Any]]:
    return [one._asdict() for one in nodes]


async def _touched(connection: ReaderConnection, asked: _Asked, edges: Ints) -> dict[str, Any]:
    ids = asked.graph.edges["id"][edges].tolist()
    if len(ids) > MOST_SERVING:
        return {"parcels": None, "facilities": None}
    return {
        layer: _listed(await read_touched(connection, layer, ids, asked.moment.parameters))
        for layer in ("parcels", "facilities")
    }


async def _served(connection: ReaderConnection, asked: _Asked, edges: Ints) -> dict[str, Any]:
    ids = asked.graph.edges["id"][edges].tolist()
    if len(ids) > MOST_SERVING:
        return {"parcels": None, "facilities": None}
    moment = asked.moment.parameters
    return {
        layer: _listed(await read_served(connection, layer, ids, asked.kinds, moment))
        for layer in ("parcels", "facilities")
    }


def _listed(found: Sequence[Served]) -> dict[str, Any]:
    return {"count": len(found), "first": [one._asdict() for one in found[:MOST_LISTED]]}


async def _answer(
    connection: ReaderConnection,
    asked: _Asked,
    edges: Ints,
    document: dict[str, Any],
    f: str,
) -> Response:
    headers = {"Cache-Control": cache_control(asked.access), "Vary": "Authorization"}
    if f == "json":
        return json_response(document, headers=headers)
    drawn = await _read_segments(connection, asked, edges[:MOST_DRAWN])
    features = [
        {
            "type": "Feature",
            "id": one.feature_id,
            "geometry": orjson.Fragment(one.geometry),
            "properties": {k: v for k, v in one._asdict().items() if k != "geometry"},
        }
        for one in drawn
    ]
    collection = {"type": "FeatureCollection", "features": features, "summary": document}
    return json_response(collection, media_type=GEOJSON, headers=headers)

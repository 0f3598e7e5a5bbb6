"""The network of roads in the database: when it has to be made anew, and making it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import shapely
from sqlalchemy import Connection, text

from layers.access import Clearance
from layers.base import TILE_SRID
from layers.road_network import Edge, Road, make_network
from layers.roads import LAYER as ROADS
from layers.system_tables import road_edges_name
from layers.tables import qualified

_WRITTEN_AT_ONCE = 10_000


def outdated_for(connection: Connection) -> datetime | None:
    """The publication of roads that the network was not made for yet; None if it is right.

    Args:
        connection: Of the loader.
    """
    found: datetime | None = connection.execute(text(_OUTDATED), {"layer": ROADS.name}).scalar()
    return found


def rebuild(connection: Connection) -> int:
    """Make the network of the roads that are held and current; how many edges it has.

    In the caller's transaction, so readers have the one before until all of it is there.
    """
    # One at a time; what is published meanwhile is for the next one.
    connection.execute(text("SELECT made_for FROM city.road_network FOR UPDATE"))
    made_for = outdated_for(connection)
    roads = [
        Road(row[0], row[1], row[2], bool(row[3]), shapely.from_wkb(bytes(row[4])))
        for row in connection.execute(text(_ROADS))
    ]
    for clearance in Clearance:
        connection.execute(text(f"DELETE FROM city.{road_edges_name(clearance)}"))
    edges = enumerate(make_network(roads), start=1)
    count = 0
    while some := list(islice(edges, _WRITTEN_AT_ONCE)):
        _write(connection, some)
        count += len(some)
    connection.execute(
        text("UPDATE city.road_network SET made_for = coalesce(:made_for, made_for)"),
        {"made_for": made_for},
    )
    return count


def _write(connection: Connection, edges: Iterable[tuple[int, Edge]]) -> None:
    by_clearance: dict[int, list[tuple[int, Edge]]] = defaultdict(list)
    for numbered in edges:
        by_clearance[numbered[1].clearance].append(numbered)
    for clearance, some in sorted(by_clearance.items()):
        connection.execute(text(_insert(clearance)), _columns(some))


def _columns(edges: Sequence[tuple[int, Edge]]) -> dict[str, Any]:
    names = ("feature_id", "source", "target", "length_m", "drive_s", "drive_back_s", "walk_s")
    columns: dict[str, Any] = {name: [getattr(edge, name) for _, edge in edges] for name in names}
    columns["edge_id"] = [number for number, _ in edges]
    columns["geometry"] = [shapely.to_wkb(edge.geometry) for _, edge in edges]
    return columns


def _insert(clearance: int) -> str:
    return f"""
        INSERT INTO city.{road_edges_name(clearance)}
            (edge_id, feature_id, source, target, length_m, drive_s, drive_back_s, walk_s,
             geom_3857)
        SELECT i, f, s, t, l, d, b, w, ST_GeomFromWKB(g, {TILE_SRID})
        FROM unnest(CAST(:edge_id AS bigint[]), CAST(:feature_id AS bigint[]),
                    CAST(:source AS bigint[]), CAST(:target AS bigint[]),
                    CAST(:length_m AS float8[]), CAST(:drive_s AS float8[]),
                    CAST(:drive_back_s AS float8[]), CAST(:walk_s AS float8[]),
                    CAST(:geometry AS bytea[])) AS e (i, f, s, t, l, d, b, w, g)"""


_OUTDATED = """
SELECT l.recorded_at
FROM (SELECT max(recorded_at) AS recorded_at FROM city.loads WHERE layer = :layer) l,
     city.road_network n
WHERE l.recorded_at IS DISTINCT FROM n.made_for"""

_ROADS = f"""
SELECT feature_id, clearance, road_class, oneway, ST_AsBinary(geom_3857)
FROM {qualified(ROADS)} WHERE valid_during @> now() ORDER BY feature_id"""

"""Where an analysis of a network begins: a segment, a node, or the segment nearest to a place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, TableClause, Text, bindparam, cast
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from layers.access import Clearance
from layers.base import TILE_SRID, Layer
from layers.facility_filters import mercator
from layers.pipe_network.details import NetworkConnection
from layers.pipeline_nodes import LAYER as NODES
from layers.pipelines import LAYER as PIPELINES
from layers.versions import Versions

NEAR_M = 50
"""A place farther from every segment is at none."""


@dataclass(frozen=True)
class Start:
    """One of a segment, the code of a node, or a place in degrees."""

    feature_id: int | None
    node: str | None
    lon: float | None
    lat: float | None


async def find_pipe(
    connection: NetworkConnection, level: Clearance, feature_id: int, moment: Mapping[str, Any]
) -> str | None:
    """The kind of a segment at a moment; None if there is none that the level may see."""
    return await _kind(connection, PIPELINES, level, {"id": feature_id}, moment)


async def find_node(
    connection: NetworkConnection, level: Clearance, code: str, moment: Mapping[str, Any]
) -> str | None:
    """The kind of a node at a moment; None if there is none that the level may see."""
    return await _kind(connection, NODES, level, {"code": code}, moment)


async def _kind(
    connection: NetworkConnection,
    layer: Layer,
    level: Clearance,
    named: Mapping[str, Any],
    moment: Mapping[str, Any],
) -> str | None:
    statement = _kind_statement(layer, level, is_earlier_belief="as_recorded" in moment)
    rows = await (await connection.execute(statement, {**named, **moment})).fetchall()
    return rows[0][0] if rows else None


@lru_cache(maxsize=32)
def _kind_statement(layer: Layer, level: Clearance, *, is_earlier_belief: bool) -> str:
    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        return [view.c.kind]

    def is_it(view: TableClause) -> ColumnElement[bool]:
        if layer is NODES:
            return view.c.code == cast(bindparam("code"), Text)
        return view.c.feature_id == cast(bindparam("id"), BigInteger)

    versions = Versions(layer, level, is_earlier_belief=is_earlier_belief)
    dialect = psycopg_dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    return str(versions.select_at(columns, [is_it]).compile(dialect=dialect))


async def nearest_pipe(
    connection: NetworkConnection,
    start: Start,
    kinds: Sequence[str] | None,
    moment: Mapping[str, Any],
) -> tuple[int, str] | None:
    """The segment nearest to a place, within ``NEAR_M``, and its kind; None if there is none.

    Args:
        connection: Of the reader role of the caller, which decides what there is.
        kinds: Only of these; None takes any.
    """
    assert start.lon is not None  # noqa: S101  # for mypy: the caller has seen to it
    assert start.lat is not None  # noqa: S101  # likewise
    x, y = mercator(start.lon, start.lat)
    parameters = {
        "x": x,
        "y": y,
        "reach": NEAR_M / math.cos(math.radians(start.lat)),
        "kinds": list(kinds) if kinds is not None else None,
        "at": moment["at"],
    }
    rows = await (await connection.execute(_NEAREST, parameters)).fetchall()
    return (rows[0][0], rows[0][1]) if rows else None


_POINT = f"ST_SetSRID(ST_MakePoint(%(x)s, %(y)s), {TILE_SRID})"
_NEAREST = f"""
SELECT p.feature_id, p.kind FROM pipelines p
WHERE p.geom_3857 && ST_Expand({_POINT}, %(reach)s)
  AND ST_DWithin(p.geom_3857, {_POINT}, %(reach)s)
  AND p.valid_during @> CAST(%(at)s AS timestamptz) AND p.kind IS NOT NULL
  AND (CAST(%(kinds)s AS text[]) IS NULL OR p.kind = ANY (CAST(%(kinds)s AS text[])))
ORDER BY p.geom_3857 <-> {_POINT}, p.feature_id LIMIT 1"""

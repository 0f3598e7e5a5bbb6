"""What is told of segments and nodes that were found: sizes, sums, and whom they serve."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    TableClause,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from layers.access import Clearance
from layers.pipeline_nodes import LAYER as NODES
from layers.pipelines import LAYER as PIPELINES
from layers.versions import Versions

MOST_SERVING = 2_000
"""Segments of which is told whom they serve at most."""

SERVED_WITHIN_M = 30
"""Parcels and facilities farther from every segment of the network are served by none."""


class Rows(Protocol):
    """What a statement gave."""

    async def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""


class NetworkConnection(Protocol):
    """What is needed of a driver's connection; psycopg's has it."""

    async def execute(self, query: str, params: Mapping[str, Any]) -> Rows:
        """Run a statement with named parameters (``%(name)s``)."""


class Segment(NamedTuple):
    """A segment as it holds at the moment.

    Attributes:
        length_m: On the ellipsoid.
        geometry: GeoJSON.
    """

    feature_id: int
    code: str | None
    kind: str | None
    diameter_mm: float | None
    section: str | None
    material: str | None
    length_m: float
    geometry: str


class NamedNode(NamedTuple):
    """A node as it holds at the moment; longitude and latitude in degrees."""

    feature_id: int
    code: str | None
    appurtenance: str | None
    lon: float
    lat: float


class Served(NamedTuple):
    """A parcel or a facility."""

    feature_id: int
    code: str | None


@dataclass(frozen=True)
class Sums:
    """Of segments together.

    Attributes:
        volume_m3: Of those whose size is known.
        unsized: How many are of a size that is not known.
        by_diameter: Millimetres, or None, with count and metres; so is ``by_material``.
    """

    count: int
    length_m: float
    volume_m3: float
    unsized: int
    by_diameter: dict[float | None, tuple[int, float]]
    by_material: dict[str | None, tuple[int, float]]


def sums_of(segments: Sequence[Segment]) -> Sums:
    """Lengths, volumes and counts of segments."""
    by_diameter: dict[float | None, list[float]] = defaultdict(list)
    by_material: dict[str | None, list[float]] = defaultdict(list)
    volume_m3, unsized = 0.0, 0
    for one in segments:
        by_diameter[one.diameter_mm].append(one.length_m)
        by_material[one.material].append(one.length_m)
        area_m2 = _area_m2(one)
        if area_m2 is None:
            unsized += 1
        else:
            volume_m3 += area_m2 * one.length_m
    return Sums(
        len(segments),
        math.fsum(one.length_m for one in segments),
        volume_m3,
        unsized,
        {size: (len(v), math.fsum(v)) for size, v in by_diameter.items()},
        {material: (len(v), math.fsum(v)) for material, v in by_material.items()},
    )


def _area_m2(one: Segment) -> float | None:
    """Of the cross-section, square metres; None where the size is not known."""
    if one.diameter_mm:
        return math.pi * (one.diameter_mm / 2000) ** 2
    sides = (one.section or "").replace("*", "×").split("×")
    if len(sides) == 2 and all(side.strip().replace(".", "", 1).isdigit() for side in sides):
        width, height = (float(side) / 1000 for side in sides)
        return width * height or None
    return None


async def read_segments(
    connection: NetworkConnection,
    level: Clearance,
    feature_ids: Sequence[int],
    moment: Mapping[str, Any],
) -> list[Segment]:
    """Segments at a moment, by their ids.

    Args:
        connection: Of the reader role of the level.
        moment: ``at``, and ``as_recorded`` where it is of earlier belief.
    """
    statement = _segments_statement(level, is_earlier_belief="as_recorded" in moment)
    found = await connection.execute(statement, {"ids": list(feature_ids), **moment})
    return sorted(Segment(*row) for row in await found.fetchall())


async def read_nodes(
    connection: NetworkConnection,
    level: Clearance,
    feature_ids: Sequence[int],
    moment: Mapping[str, Any],
) -> list[NamedNode]:
    """Nodes at a moment, by their ids; as ``read_segments``."""
    statement = _nodes_statement(level, is_earlier_belief="as_recorded" in moment)
    found = await connection.execute(statement, {"ids": list(feature_ids), **moment})
    return sorted(NamedNode(*row) for row in await found.fetchall())


async def read_touched(
    connection: NetworkConnection, layer: str, feature_ids: Sequence[int], moment: Mapping[str, Any]
) -> list[Served]:
    """Parcels that segments cross, or facilities within ``SERVED_WITHIN_M`` of them.

    As they are believed now.
    """
    parameters = {"ids": list(feature_ids), "at": moment["at"]}
    found = await connection.execute(_TOUCHED[layer], parameters)
    return [Served(*row) for row in await found.fetchall()]


async def read_served(
    connection: NetworkConnection,
    layer: str,
    feature_ids: Sequence[int],
    kinds: Sequence[str],
    moment: Mapping[str, Any],
) -> list[Served]:
    """Parcels or facilities whose nearest segment of the network is one of these.

    As they are believed now.
    """
    parameters = {"ids": list(feature_ids), "kinds": list(kinds), "at": moment["at"]}
    found = await connection.execute(_SERVED[layer], parameters)
    return [Served(*row) for row in await found.fetchall()]


@lru_cache(maxsize=16)
def _segments_statement(level: Clearance, *, is_earlier_belief: bool) -> str:
    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        names = ("feature_id", "code", "kind", "diameter_mm", "section", "material")
        length = func.ST_Length(func.geography(view.c.geom), type_=Double).label("length_m")
        shape = func.ST_AsGeoJSON(view.c.geom, literal_column("9"))
        return [*(view.c[name] for name in names), length, shape]

    return _text(Versions(PIPELINES, level, is_earlier_belief=is_earlier_belief), columns)


@lru_cache(maxsize=16)
def _nodes_statement(level: Clearance, *, is_earlier_belief: bool) -> str:
    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        place = (func.ST_X(view.c.geom), func.ST_Y(view.c.geom))
        return [*(view.c[name] for name in ("feature_id", "code", "appurtenance")), *place]

    return _text(Versions(NODES, level, is_earlier_belief=is_earlier_belief), columns)


def _text(versions: Versions, columns: Any) -> str:
    def wanted(view: TableClause) -> ColumnElement[bool]:
        return view.c.feature_id == any_(cast(bindparam("ids"), ARRAY(BigInteger)))

    built = versions.select_at(columns, [wanted])
    dialect = psycopg_dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    return str(built.compile(dialect=dialect))


_HOLDS = "{0}.valid_during @> CAST(%(at)s AS timestamptz)"
_FOUND = (
    "(SELECT p.feature_id, p.geom_3857, cos(radians(ST_Y(ST_StartPoint(p.geom)))) AS scale "
    "FROM pipelines p WHERE p.feature_id = ANY (CAST(%(ids)s AS bigint[])) AND "
    + _HOLDS.format("p")
    + ") s"
)


def _near(layer: str, within: str) -> str:
    return (
        f"{_FOUND} JOIN {layer} v ON v.geom_3857 && ST_Expand(s.geom_3857, {within}) "
        f"AND ST_DWithin(v.geom_3857, s.geom_3857, {within}) AND {_HOLDS.format('v')}"
    )


_REACH = f"{SERVED_WITHIN_M} / s.scale"
_TOUCHED = {
    layer: f"SELECT DISTINCT v.feature_id, v.code FROM {_near(layer, within)} ORDER BY 1"
    for layer, within in (("parcels", "0.0"), ("facilities", _REACH))
}
_SERVED = {
    layer: f"""
        SELECT v.feature_id, v.code
        FROM (SELECT DISTINCT v.feature_id, v.code, v.geom_3857 FROM {_near(layer, _REACH)}) v
        CROSS JOIN LATERAL (
            SELECT q.feature_id FROM pipelines q
            WHERE q.kind = ANY (CAST(%(kinds)s AS text[])) AND {_HOLDS.format("q")}
            ORDER BY q.geom_3857 <-> v.geom_3857 LIMIT 1
        ) n
        WHERE n.feature_id = ANY (CAST(%(ids)s AS bigint[])) ORDER BY 1"""
    for layer in ("parcels", "facilities")
}

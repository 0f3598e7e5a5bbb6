"""Reading the pipes near a place, as the role of a level sees them, into the plane system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import shapely
from pyproj import Transformer
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    LargeBinary,
    TableClause,
    and_,
    bindparam,
    cast,
    func,
)
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from layers.access import Clearance
from layers.base import STORAGE_SRID, TILE_SRID
from layers.pipelines import LAYER as PIPELINES
from layers.separation.pipes import FloatArray, Pipe, axis_depths, half_size
from layers.versions import Condition, Versions

MOST_PIPES = 2_000
"""Pipes that one answer looks at."""

_TOLD = ("code", "material", "owner", "status", "installed_on")
_COLUMNS = (
    "feature_id",
    "kind",
    "category",
    "diameter_mm",
    "section",
    "burial",
    "pressure",
    "start_node",
    "end_node",
    "start_depth_m",
    "end_depth_m",
    "depth_ref",
    "z_source",
    "data_source",
    *_TOLD,
)
_LONGEST_EDGE_M = 100
"""Edges of an area are cut to this, so that they stay where they are in another projection."""

_ROUND = 1.01
"""By which arcs are widened: they are made of chords, which lie inside."""


class Rows(Protocol):
    """What a statement gave."""

    async def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""


class PipeConnection(Protocol):
    """What is needed of a driver's connection; psycopg's has it."""

    async def execute(self, query: str, params: Mapping[str, Any]) -> Rows:
        """Run a statement with named parameters (``%(name)s``)."""


@dataclass(frozen=True)
class Plane:
    """The plane system of the city.

    Attributes:
        srid: Its EPSG code.
    """

    srid: int

    def of_degrees(self, shape: Any) -> Any:
        """Shapes in metres, easting first and without Z, from longitude and latitude."""
        return shapely.transform(shape, _between(STORAGE_SRID, self.srid))

    def to_degrees(self, shape: Any) -> Any:
        """The other way."""
        return shapely.transform(shape, _between(self.srid, STORAGE_SRID))

    def positions(self, places: FloatArray) -> list[list[float]]:
        """Longitude and latitude in degrees of places in metres, shape (n, 2)."""
        lon_lat = _between(self.srid, STORAGE_SRID)(places)
        return [[round(lon, 9), round(lat, 9)] for lon, lat in lon_lat.tolist()]

    def searched(self, shape: Any, reach_m: float) -> bytes:
        """What is within reach of a shape in metres, as EWKB in the system of tiles."""
        area = shapely.buffer(shape, max(reach_m, 0.01) * _ROUND)
        cut = shapely.segmentize(area, _LONGEST_EDGE_M)
        found = shapely.transform(self.to_degrees(cut), _between(STORAGE_SRID, TILE_SRID))
        return bytes(shapely.to_wkb(shapely.set_srid(found, TILE_SRID), include_srid=True))


@lru_cache(maxsize=16)
def _between(one: int, other: int) -> Any:
    transformer = Transformer.from_crs(one, other, always_xy=True)

    def moved(places: FloatArray) -> FloatArray:
        return np.column_stack(transformer.transform(places[:, 0], places[:, 1]))

    return moved


async def read_pipes_near(
    connection: PipeConnection,
    level: Clearance,
    plane: Plane,
    searched: bytes,
    moment: Mapping[str, Any],
) -> list[Pipe]:
    """The pipes at a moment that touch an area, by their ids; of very many one above the bound.

    Args:
        connection: Of the reader role of the level.
        searched: The area, as ``Plane.searched`` gives it.
        moment: ``at``, and ``as_recorded`` where it is of earlier belief.

    Returns:
        At most ``MOST_PIPES + 1``, so that the caller can tell that they are too many.
    """
    statement = _statement(level, is_near=True, is_earlier_belief="as_recorded" in moment)
    parameters = {"area": searched, "most": MOST_PIPES + 1, **moment}
    rows = await (await connection.execute(statement, parameters)).fetchall()
    return pipes_of(rows, plane)


async def read_pipe(
    connection: PipeConnection,
    level: Clearance,
    plane: Plane,
    feature_id: int,
    moment: Mapping[str, Any],
) -> Pipe | None:
    """A pipe at a moment, otherwise as ``read_pipes_near``; None if the level sees none."""
    statement = _statement(level, is_near=False, is_earlier_belief="as_recorded" in moment)
    parameters = {"id": feature_id, "most": 1, **moment}
    rows = await (await connection.execute(statement, parameters)).fetchall()
    return next(iter(pipes_of(rows, plane)), None)


@lru_cache(maxsize=16)
def _statement(level: Clearance, *, is_near: bool, is_earlier_belief: bool) -> str:
    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        return [*(view.c[name] for name in _COLUMNS), func.ST_AsBinary(view.c.geom)]

    wanted: Condition = _touches if is_near else _is_it
    versions = Versions(PIPELINES, level, is_earlier_belief=is_earlier_belief)
    dialect = psycopg_dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    return f"{versions.select_at(columns, [wanted]).compile(dialect=dialect)} LIMIT %(most)s"


def _is_it(view: TableClause) -> ColumnElement[bool]:
    return view.c.feature_id == cast(bindparam("id"), BigInteger)


def _touches(view: TableClause) -> ColumnElement[bool]:
    area = func.geometry(cast(bindparam("area"), LargeBinary))
    return and_(view.c.geom_3857.op("&&")(area), func.ST_Intersects(view.c.geom_3857, area))


def pipes_of(rows: Sequence[Sequence[Any]], plane: Plane) -> list[Pipe]:
    """Pipes of rows as the statements give them, in the order of their ids."""
    ordered = sorted(rows, key=lambda row: row[0])
    shapes = shapely.from_wkb([row[-1] for row in ordered])
    lines = plane.of_degrees(np.asarray(shapes, dtype=object))
    return [
        _pipe(dict(zip(_COLUMNS, row, strict=False)), shape, line)
        for row, shape, line in zip(ordered, shapes, lines, strict=True)
    ]


def _pipe(row: Mapping[str, Any], shape: Any, line: Any) -> Pipe:
    has_z = row["z_source"] != "unknown" and shapely.has_z(shape)
    half_height_m = half_size(row["diameter_mm"], row["section"])[1]
    return Pipe(
        feature_id=row["feature_id"],
        kind=row["kind"],
        category=row["category"],
        line=line,
        diameter_mm=row["diameter_mm"],
        section=row["section"],
        burial=row["burial"],
        pressure=row["pressure"],
        ends=(row["start_node"], row["end_node"]),
        elevation_m=shapely.get_coordinates(shape, include_z=True)[:, 2] if has_z else None,
        depth_m=axis_depths(
            line,
            row["start_depth_m"],
            row["end_depth_m"],
            # Surveys measure gravity pipes to the inner bottom and all others to the top.
            reference=row["depth_ref"] or ("invert" if row["category"] == "PS" else "crown"),
            half_height_m=half_height_m,
        ),
        data_source=row["data_source"],
        told={name: row[name] for name in _TOLD},
    )

"""Which parcels lie at a place or have a code, and how large they are.

Builders only; the caller runs the statements on a connection of the level's role.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    TableClause,
    and_,
    bindparam,
    func,
    select,
)

from layers.access import Clearance
from layers.base import STORAGE_SRID, TILE_SRID
from layers.features import COORDINATE_DECIMALS, FeatureQuery
from layers.parcels import LAYER
from layers.versions import Condition, Versions

MAX_PARCELS = 100
"""At one place: rights above, on and below the ground may lie over each other."""


def select_parcels_at(
    lon: float, lat: float, level: Clearance, query: FeatureQuery, plane_srid: int
) -> Select[Any]:
    """The parcels that hold a place, its boundaries included, at an instant.

    Args:
        lon: Longitude in CGCS2000 degrees.
        lat: Latitude, within 85 degrees of the equator.
        level: What the caller may read.
        query: The instant of valid time, and of recorded time if any.
        plane_srid: EPSG code of the plane system of the city.

    Rows by feature_id, at most ``MAX_PARCELS``: feature_id, the attributes of the level, ``began``,
    ``ended``, ``recorded``, ``ellipsoid_m2`` (geodesic, ellipsoid of CGCS2000), ``plane_m2`` and
    ``geometry`` (GeoJSON text).
    """
    point = func.ST_SetSRID(func.ST_MakePoint(lon, lat), STORAGE_SRID)

    def holds_place(view: TableClause) -> ColumnElement[bool]:
        return and_(
            view.c.geom_3857.op("&&")(func.ST_Transform(point, TILE_SRID)),
            func.ST_Intersects(view.c.geom, point),
        )

    return _with_areas(holds_place, level, query, plane_srid)


def select_parcel(
    feature_id: int, level: Clearance, query: FeatureQuery, plane_srid: int
) -> Select[Any]:
    """One parcel at an instant; otherwise as ``select_parcels_at``."""

    def is_it(view: TableClause) -> ColumnElement[bool]:
        return view.c.feature_id == bindparam("id", feature_id, BigInteger)

    return _with_areas(is_it, level, query, plane_srid)


def _with_areas(
    condition: Condition, level: Clearance, query: FeatureQuery, plane_srid: int
) -> Select[Any]:
    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        return [
            view.c.feature_id,
            *(view.c[name] for name in query.names(LAYER, level)),
            func.lower(view.c.valid_during).label("began"),
            func.upper(view.c.valid_during).label("ended"),
            func.lower(view.c.recorded_during).label("recorded"),
            view.c.geom,
        ]

    read = Versions(LAYER, level, is_earlier_belief=query.as_recorded is not None)
    union = read.select_at(columns, [condition]).params(at=query.interval.start)
    if query.as_recorded is not None:
        union = union.params(as_recorded=query.as_recorded)
    found = union.subquery("found")
    return (
        select(
            *(column for column in found.c if column.name != "geom"),
            func.ST_Area(func.geography(found.c.geom)).label("ellipsoid_m2"),
            func.ST_Area(func.ST_Transform(found.c.geom, plane_srid)).label("plane_m2"),
            func.ST_AsGeoJSON(found.c.geom, COORDINATE_DECIMALS, 0).label("geometry"),
        )
        .order_by(found.c.feature_id)
        .limit(query.limit)
    )

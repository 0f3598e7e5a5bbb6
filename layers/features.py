"""Reading features: pages in keyset order and single features.

Builders only; the caller runs the statements on a connection of the level's role.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, TableClause, and_, bindparam, func, or_
from sqlalchemy import select as sql_select

from layers.access import Clearance
from layers.base import STORAGE_SRID, TILE_SRID, Layer
from layers.errors import InvalidParameter
from layers.extent import BBox, TimeInterval
from layers.filters import Filter, queryables
from layers.versions import Condition, Versions

COORDINATE_DECIMALS = 9
"""Decimals of a degree in GeoJSON: 0.1 mm, finer than any survey."""

MERCATOR_LIMIT_DEG = 85.051128

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Cursor:
    """Where a page ended: its last feature and the instant at which that version began."""

    feature_id: int
    began: datetime

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read what ``str()`` wrote.

        Raises:
            InvalidParameter: it is not a cursor of this service.
        """
        try:
            feature_id, _, microseconds = text.partition(".")
            began = _EPOCH + int(microseconds) * _MICROSECOND
            cursor = cls(int(feature_id), began)
        except (ValueError, OverflowError):
            raise InvalidParameter("cursor", text, "take it from a next link") from None
        if not 0 <= cursor.feature_id < 2**63:
            raise InvalidParameter("cursor", text, "take it from a next link")
        return cursor

    def __str__(self) -> str:
        return f"{self.feature_id}.{(self.began - _EPOCH) // _MICROSECOND}"


@dataclass(frozen=True)
class FeatureQuery:
    """What features are asked for.

    Attributes:
        interval: Valid time; an instant gives at most one version of a feature.
        limit: Most versions wanted; one more is fetched, to know whether there is a next page.
        bbox: Only features that touch the box.
        after: The cursor of the page before.
        feature_id: Only this feature.
        as_recorded: What was believed at this aware instant; None is what is believed now.
        condition: Only features that meet it.
        properties: Names of the properties wanted; None is all that the level may read.
    """

    interval: TimeInterval
    limit: int
    bbox: BBox | None = None
    after: Cursor | None = None
    feature_id: int | None = None
    as_recorded: datetime | None = None
    condition: Filter | None = None
    properties: tuple[str, ...] | None = None

    def names(self, layer: Layer, level: Clearance) -> tuple[str, ...]:
        """The names of the properties of an answer, in order."""
        return tuple(queryables(layer, level)) if self.properties is None else self.properties


def select_features(layer: Layer, level: Clearance, query: FeatureQuery) -> Select[Any]:
    """Versions in keyset order: feature_id, then the instant at which the version began.

    Rows: feature_id, the properties asked for, ``began``, ``ended`` and ``recorded`` (timestamptz;
    ended null is open) and ``geometry`` (GeoJSON text, x longitude, y latitude in CGCS2000
    degrees).
    """
    read = Versions(layer, level, is_earlier_belief=query.as_recorded is not None)

    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        return [
            view.c.feature_id,
            *(view.c[name] for name in query.names(layer, level)),
            func.lower(view.c.valid_during).label("began"),
            func.upper(view.c.valid_during).label("ended"),
            func.lower(view.c.recorded_during).label("recorded"),
            view.c.geom,
        ]

    conditions = list(_conditions(query))
    first = query.limit + 1
    if query.interval.is_instant:
        union = read.select_at(columns, conditions, first=first).params(at=query.interval.start)
    else:
        union = read.select_during(columns, conditions, query.interval, first=first)
    if query.as_recorded is not None:
        union = union.params(as_recorded=query.as_recorded)
    versions = union.subquery("versions")
    return (
        sql_select(
            *(column for column in versions.c if column.name != "geom"),
            func.ST_AsGeoJSON(versions.c.geom, COORDINATE_DECIMALS, 0).label("geometry"),
        )
        .order_by(versions.c.feature_id, versions.c.began)
        .limit(first)
    )


def _conditions(query: FeatureQuery) -> Iterator[Condition]:
    if query.feature_id is not None:
        yield lambda view: view.c.feature_id == bindparam("id", query.feature_id, BigInteger)
    if query.after is not None:
        after = query.after
        yield lambda view: _is_after(view, after)
    if query.bbox is not None:
        box = query.bbox
        yield lambda view: or_(*(_touches(view, part) for part in box.parts()))
    if query.condition is not None:
        yield query.condition.condition


def _is_after(view: TableClause, after: Cursor) -> ColumnElement[bool]:
    feature_id = bindparam("after_id", after.feature_id, BigInteger, unique=True)
    return and_(
        view.c.feature_id >= feature_id,
        or_(view.c.feature_id > feature_id, func.lower(view.c.valid_during) > after.began),
    )


def _touches(view: TableClause, box: BBox) -> ColumnElement[bool]:
    """The GiST index on geom_3857 finds candidates, the stored geometry decides."""
    south, north = (
        max(-MERCATOR_LIMIT_DEG, min(MERCATOR_LIMIT_DEG, lat)) for lat in (box.south, box.north)
    )
    asked = func.ST_MakeEnvelope(box.west, box.south, box.east, box.north, STORAGE_SRID)
    clamped = func.ST_MakeEnvelope(box.west, south, box.east, north, STORAGE_SRID)
    return and_(
        view.c.geom_3857.op("&&")(func.ST_Transform(clamped, TILE_SRID)),
        func.ST_Intersects(view.c.geom, asked),
    )

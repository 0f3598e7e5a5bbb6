"""Reading a network out of the database, as the role of a level sees it at an instant.

The statements are for COPY in binary form, all columns of eight bytes and none of them null, so
that a million rows become an array without a look at any.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Double,
    String,
    TableClause,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    or_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from layers.access import Clearance
from layers.pipe_network.graph import PUMP, SOURCE, VALVE
from layers.pipe_network.roles import ABANDONED, DRAINAGE, PUMPS, SOURCES, VALVES
from layers.pipeline_nodes import LAYER as NODES
from layers.pipelines import LAYER as PIPELINES
from layers.versions import Versions

_HEAD_BYTES = 19
_PLACE_DEGREES = 1e-6
"""Ends without the number of a node are joined where they lie, to about a tenth of a metre."""

_UNKNOWN_Z = "unknown"


class Statement(NamedTuple):
    """A statement as psycopg text, and the constants that it binds besides what is asked."""

    text: str
    constants: dict[str, Any]


@lru_cache(maxsize=32)
def edges_statement(level: Clearance, *, is_earlier_belief: bool) -> Statement:
    """The segments of some kinds; columns of ``EDGE``.

    Parameters: ``kinds`` (texts), ``at``, and ``as_recorded`` for a read of earlier belief.
    """

    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        return [
            view.c.feature_id,
            _end(view, "start_node", func.ST_StartPoint).label("starts"),
            _end(view, "end_node", func.ST_EndPoint).label("ends"),
            _length_m(view).label("length_m"),
            cast(_flow(view), BigInteger).label("flow"),
        ]

    def of_kinds(view: TableClause) -> ColumnElement[bool]:
        in_use = view.c.status.is_distinct_from(literal(ABANDONED))
        return and_(view.c.kind == any_(cast(bindparam("kinds"), ARRAY(Text))), in_use)

    versions = Versions(PIPELINES, level, is_earlier_belief=is_earlier_belief)
    return _statement(versions.select_at(columns, [of_kinds]))


@lru_cache(maxsize=32)
def nodes_statement(level: Clearance, *, is_earlier_belief: bool) -> Statement:
    """The nodes of some kinds that are more than where pipes meet; columns of ``NODE``."""

    def columns(view: TableClause) -> list[ColumnElement[Any]]:
        role = case(
            *((_is_any(view, words), number) for words, number in _ROLES),
            else_=0,
        )
        return [view.c.feature_id, node_hash(view.c.code), cast(role, BigInteger)]

    def matters(view: TableClause) -> ColumnElement[bool]:
        return and_(
            view.c.code.is_not(None),
            or_(*(_is_any(view, words) for words, _ in _ROLES)),
            view.c.kind == any_(cast(bindparam("kinds"), ARRAY(Text))),
        )

    versions = Versions(NODES, level, is_earlier_belief=is_earlier_belief)
    return _statement(versions.select_at(columns, [matters]))


def _is_any(view: TableClause, words: Sequence[str]) -> ColumnElement[bool]:
    return view.c.appurtenance == any_(cast(literal(list(words), ARRAY(Text)), ARRAY(Text)))


_ASKED = ("kinds", "at", "as_recorded")
_ROLES = ((VALVES, VALVE), (SOURCES, SOURCE), (PUMPS, PUMP))


def node_hash(code: ColumnElement[Any]) -> ColumnElement[int]:
    """The hash by which a node goes in a network."""
    return func.hashtextextended(code, 0, type_=BigInteger)


def _end(view: TableClause, column: str, point: Any) -> ColumnElement[int]:
    place = func.ST_AsText(
        func.ST_SnapToGrid(func.ST_Force2D(point(view.c.geom)), literal(_PLACE_DEGREES)),
        type_=String,
    )
    return node_hash(func.coalesce(view.c[column], place))


def _length_m(view: TableClause) -> ColumnElement[float]:
    """Metres, near enough to compare ways with: what is told is measured on the ellipsoid."""
    lat = func.radians(func.ST_Y(func.ST_StartPoint(view.c.geom)))
    return cast(func.ST_Length(view.c.geom_3857) * func.cos(lat), Double)


def _flow(view: TableClause) -> ColumnElement[int]:
    """1 from start to end, -1 against, 0 unknown: what is said, else of drains by elevation."""
    starts, ends = (
        func.coalesce(
            view.c[f"{which}_elevation_m"],
            # Where nobody says where it is from, the elevation is not known either.
            case((view.c.z_source != literal(_UNKNOWN_Z), func.ST_Z(point))),
        )
        for which, point in (
            ("start", func.ST_StartPoint(view.c.geom)),
            ("end", func.ST_EndPoint(view.c.geom)),
        )
    )
    is_drain = view.c.category == literal(DRAINAGE)
    return case(
        (view.c.flow_direction == literal("+"), 1),
        (view.c.flow_direction == literal("-"), -1),
        (view.c.flow_direction == literal("0"), 0),
        (and_(is_drain, starts > ends), 1),
        (and_(is_drain, starts < ends), -1),
        else_=0,
    )


def _statement(built: CompoundSelect[Any]) -> Statement:
    compiled = built.compile(dialect=psycopg_dialect())  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    constants = {k: v for k, v in compiled.params.items() if k not in _ASKED}
    return Statement(str(compiled), constants)


def rows_of(copied: Sequence[bytes], kind: np.dtype[Any]) -> NDArray[Any]:
    """The rows of a binary COPY, ascending by id.

    Args:
        kind: ``EDGE`` or ``NODE``.
    """
    body = b"".join(copied)
    names = kind.names or ()
    parts: list[tuple[str, str]] = [("fields", ">i2")]
    for name in names:
        code = ">f8" if kind[name].kind == "f" else ">i8"
        parts += [(f"{name} bytes", ">i4"), (name, code)]
    row = np.dtype(parts)
    count = (len(body) - _HEAD_BYTES - 2) // row.itemsize
    read = np.frombuffer(body, row, count=max(count, 0), offset=_HEAD_BYTES)
    found = np.empty(len(read), kind)
    for name in names:
        found[name] = read[name]
    return found[np.argsort(found["id"], kind="stable")]

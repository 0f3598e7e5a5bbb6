"""Temporal operators of CQL2 on dates and timestamps (OGC 21-065r2, 7.8).

An instant is an interval that begins and ends at once. A date is compared with dates, a timestamp
with timestamps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, TableClause, and_, not_, or_

from layers.filters.parsing import refused
from layers.filters.queryables import ValueKind
from layers.filters.values import (
    Expression,
    Value,
    ValueReader,
    arguments,
    bound,
    instant_value,
    unbounded,
)

_End = ColumnElement[Any]
_Compare = Callable[[_End, _End, _End, _End], ColumnElement[bool]]
"""Takes begin and end of the first argument, then those of the second."""


def _disjoint(a: _End, b: _End, c: _End, d: _End) -> ColumnElement[bool]:
    return or_(a > d, b < c)


OPERATORS: dict[str, _Compare] = {
    "t_after": lambda a, _b, _c, d: a > d,
    "t_before": lambda _a, b, c, _d: b < c,
    "t_contains": lambda a, b, c, d: and_(a < c, b > d),
    "t_disjoint": _disjoint,
    "t_during": lambda a, b, c, d: and_(a > c, b < d),
    "t_equals": lambda a, b, c, d: and_(a == c, b == d),
    "t_finishedby": lambda a, b, c, d: and_(a < c, b == d),
    "t_finishes": lambda a, b, c, d: and_(a > c, b == d),
    "t_intersects": lambda a, b, c, d: not_(_disjoint(a, b, c, d)),
    "t_meets": lambda _a, b, c, _d: b == c,
    "t_metby": lambda a, _b, _c, d: a == d,
    "t_overlappedby": lambda a, b, c, d: and_(a > c, a < d, b > d),
    "t_overlaps": lambda a, b, c, d: and_(a < c, b > c, b < d),
    "t_startedby": lambda a, b, c, d: and_(a == c, b > d),
    "t_starts": lambda a, b, c, d: and_(a == c, b < d),
}


@dataclass(frozen=True)
class _Period:
    """The two ends of an argument; where one is a text, ``kind`` is still open."""

    ends: tuple[Value | str, Value | str]

    @property
    def kinds(self) -> set[ValueKind]:
        return {end.kind for end in self.ends if isinstance(end, Value)}

    def expressions(self, kind: ValueKind) -> tuple[Expression, Expression]:
        """Both ends as expressions.

        Raises:
            InvalidParameter: a text is no value of the kind.
        """
        start, end = self.ends
        return _end(start, kind, is_start=True), _end(end, kind, is_start=False)


def read_temporal(node: Mapping[str, Any], values: ValueReader) -> Expression:
    """The condition of a temporal operation.

    Raises:
        InvalidParameter: its arguments are no times, or of different kinds.
    """
    name = str(node["op"]).lower()
    first, second = (_period(argument, values) for argument in arguments(node, 2))
    kinds = first.kinds | second.kinds
    if not kinds <= {ValueKind.DATE, ValueKind.TIMESTAMP} or len(kinds) != 1:
        raise refused(f"{name} compares dates with dates, or timestamps with timestamps")
    kind = kinds.pop()
    compare = OPERATORS[name]
    ends = (*first.expressions(kind), *second.expressions(kind))

    def condition(view: TableClause) -> ColumnElement[bool]:
        a, b, c, d = (end(view) for end in ends)
        return compare(a, b, c, d)

    return condition


def _period(node: Any, values: ValueReader) -> _Period:
    if not (isinstance(node, dict) and "interval" in node):
        value = values.read(node)
        return _Period((value, value))
    ends = node["interval"]
    if not isinstance(ends, list) or len(ends) != 2:
        raise refused("an interval has two ends")
    start, end = (one if isinstance(one, str) else values.read(one) for one in ends)
    return _Period((start, end))


def _end(end: Value | str, kind: ValueKind, *, is_start: bool) -> Expression:
    if isinstance(end, Value):
        return end.expression
    if end in ("..", ""):
        return lambda _view: unbounded(kind, is_start=is_start)
    value = instant_value(end, kind)
    return lambda _view: bound(kind, value)

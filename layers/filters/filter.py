"""Filters: conditions on features, read from CQL2 and held against a layer's properties."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import ColumnElement, TableClause, and_, literal, not_, or_

from layers.access import Clearance
from layers.base import Layer
from layers.filters import spatial, temporal
from layers.filters.parsing import FilterLanguage, parse_tree, refused
from layers.filters.queryables import GEOMETRY_NAMES, ValueKind, queryables
from layers.filters.values import Expression, Value, ValueReader, arguments

MAX_WILDCARDS = 8
"""Signs ``%`` of a pattern: each multiplies the work of finding that a text does not fit."""

_COMPARISONS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass(frozen=True)
class Filter:
    """A condition on the features of one layer, for readers of one level.

    Two filters of a layer and a level are equal if they say the same in the same order.

    Attributes:
        canonical: The filter as CQL2 JSON in one normal form, for keys of caches.
    """

    layer: Layer
    level: Clearance
    canonical: str
    _expression: Expression = field(compare=False, repr=False)

    def condition(self, view: TableClause) -> ColumnElement[bool]:
        """The filter over a view of the layer, with bound values.

        It is null, and not false, where a property that it needs is null (OGC 21-065r2, 7.4.2).
        """
        return self._expression(view)


@lru_cache(maxsize=512)
def parse_filter(
    text: str, layer: Layer, level: Clearance, language: FilterLanguage = FilterLanguage.TEXT
) -> Filter:
    """Read a filter.

    Args:
        text: CQL2 (OGC 21-065r2). Geometries are in CRS84, x longitude, y latitude.
        layer: Whose features it is about.
        level: Of the reader, who may name what the level may read.
        language: How it is written.

    Raises:
        InvalidParameter: it cannot be read, names a property that the level may not read or that
            does not exist (answered alike), uses an operator that is not in the closed list,
            compares what cannot be compared, or is beyond a bound.
    """
    tree = parse_tree(text, language)
    expression = _Conditions(ValueReader(layer.name, queryables(layer, level))).read(tree)
    canonical = json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Filter(layer, level, canonical, expression)


class _Conditions:
    """Reads the conditions of one filter."""

    def __init__(self, values: ValueReader) -> None:
        self._values = values
        self._readers: dict[str, Callable[[Mapping[str, Any]], Expression]] = {
            "and": self._junction,
            "or": self._junction,
            "not": self._negation,
            "like": self._like,
            "between": self._between,
            "in": self._in,
            "isnull": self._is_null,
            **dict.fromkeys(_COMPARISONS, self._comparison),
            **dict.fromkeys(spatial.OPERATORS, spatial.read_spatial),
            **dict.fromkeys(
                temporal.OPERATORS, partial(temporal.read_temporal, values=self._values)
            ),
        }

    def read(self, node: Any) -> Expression:
        """The condition of a node.

        Raises:
            InvalidParameter: it is none.
        """
        if isinstance(node, bool):
            return lambda _view: literal(node)
        if isinstance(node, dict) and "property" in node:
            return self._truth(self._values.read(node))
        if not isinstance(node, dict) or "op" not in node:
            raise refused("a filter is a condition, such as code = 'A1'")
        reader = self._readers.get(str(node["op"]).lower())
        if reader is None:
            raise refused(f"there is no operator {str(node['op'])[:80]!r} here")
        return reader(node)

    def _truth(self, value: Value) -> Expression:
        if value.kind is not ValueKind.BOOLEAN:
            raise refused(f"{value.name} is a {value.kind.value}, and no condition")
        return value.expression

    def _junction(self, node: Mapping[str, Any]) -> Expression:
        parts = node.get("args")
        if not isinstance(parts, list) or len(parts) < 2:
            raise refused(f"{node['op']} takes two conditions or more")
        conditions = [self.read(part) for part in parts]
        combine = and_ if str(node["op"]).lower() == "and" else or_
        return lambda view: combine(*(condition(view) for condition in conditions))

    def _negation(self, node: Mapping[str, Any]) -> Expression:
        condition = self.read(arguments(node, 1)[0])
        return lambda view: not_(condition(view))

    def _comparison(self, node: Mapping[str, Any]) -> Expression:
        left, right = (self._values.read(part) for part in arguments(node, 2))
        _check_comparable(left, right)
        compare = _COMPARISONS[node["op"]]
        return lambda view: compare(left.expression(view), right.expression(view))

    def _between(self, node: Mapping[str, Any]) -> Expression:
        value, least, most = (self._values.read(part) for part in arguments(node, 3))
        for end in (least, most):
            _check_comparable(value, end)
        return lambda view: value.expression(view).between(
            least.expression(view), most.expression(view)
        )

    def _in(self, node: Mapping[str, Any]) -> Expression:
        one, several = arguments(node, 2)
        if not isinstance(several, list) or not several:
            raise refused("in takes a value and a list of values")
        value = self._values.read(one)
        listed = [self._values.read(part) for part in several]
        for other in listed:
            _check_comparable(value, other)
        return lambda view: value.expression(view).in_([other.expression(view) for other in listed])

    def _like(self, node: Mapping[str, Any]) -> Expression:
        text, pattern = (self._values.read(part) for part in arguments(node, 2))
        for value in (text, pattern):
            if value.kind is not ValueKind.TEXT:
                raise refused(f"like compares texts; {value.name} is a {value.kind.value}")
        _check_pattern(arguments(node, 2)[1])
        return lambda view: text.expression(view).like(pattern.expression(view))

    def _is_null(self, node: Mapping[str, Any]) -> Expression:
        argument = arguments(node, 1)[0]
        if isinstance(argument, dict) and argument.get("property") in GEOMETRY_NAMES:
            return lambda _view: literal(value=False)  # every version has a geometry
        value = self._values.read(argument)
        return lambda view: value.expression(view).is_(None)


def _check_comparable(left: Value, right: Value) -> None:
    if left.kind is not right.kind:
        raise refused(
            f"{left.name} is a {left.kind.value} and {right.name} a {right.kind.value}: "
            "the two cannot be compared"
        )


def _check_pattern(node: Any) -> None:
    """See that a pattern is a literal text that the database can read, and not dear to match."""
    while isinstance(node, dict) and node.get("op") == "casei":
        node = node["args"][0]
    if not isinstance(node, str):
        raise refused("like takes a literal pattern, such as 'A%'")
    if node.count("%") > MAX_WILDCARDS:
        raise refused(f"a pattern has at most {MAX_WILDCARDS} signs %")
    if (len(node) - len(node.rstrip("\\"))) % 2:
        raise refused("a pattern ends with a sign of escape")

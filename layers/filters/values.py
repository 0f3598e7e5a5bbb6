"""Values of a filter: properties, literals, arithmetic, texts without regard to case."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Double,
    TableClause,
    Text,
    cast,
    func,
    literal,
)
from sqlalchemy.types import TypeEngine

from layers.errors import InvalidParameter
from layers.extent import parse_instant
from layers.filters.parsing import refused
from layers.filters.queryables import Queryable, ValueKind

Expression = Callable[[TableClause], ColumnElement[Any]]
"""Makes an expression over one view."""

MAX_WHOLE = 2**53
"""Beyond it the parser keeps no whole number exactly."""

_SQL_TYPES: dict[ValueKind, TypeEngine[Any]] = {
    ValueKind.TEXT: Text(),
    ValueKind.NUMBER: Double(),
    ValueKind.BOOLEAN: Boolean(),
    ValueKind.DATE: Date(),
    ValueKind.TIMESTAMP: DateTime(timezone=True),
}

_ARITHMETIC: dict[str, Callable[[Any, Any], ColumnElement[Any]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    # What is divided by nothing has no value; the statement must not end with it.
    "/": lambda a, b: a / func.nullif(b, literal(0.0, Double())),
}


@dataclass(frozen=True)
class Value:
    """A value of a filter.

    Attributes:
        name: As messages call it.
    """

    kind: ValueKind
    name: str
    expression: Expression


class ValueReader:
    """Reads the values of one layer's filter.

    Args:
        layer_name: For messages.
        known: The properties that may be named.
    """

    def __init__(self, layer_name: str, known: Mapping[str, Queryable]) -> None:
        self._layer_name = layer_name
        self._known = known

    def read(self, node: Any) -> Value:
        """The value of a node.

        Raises:
            InvalidParameter: it is none that a filter may hold here.
        """
        if not isinstance(node, dict):
            return constant(node)
        if "property" in node:
            return self._property(node["property"])
        if "date" in node or "timestamp" in node:
            return _instant(node)
        if "op" in node:
            return self._operation(node)
        raise refused("a value is a property, a text, a number, a truth, a date or a timestamp")

    def _property(self, name: Any) -> Value:
        found = self._known.get(name) if isinstance(name, str) else None
        if found is None:
            raise refused(f"{self._layer_name} has no property {str(name)[:80]!r}")

        def column(view: TableClause) -> ColumnElement[Any]:
            return view.c[found.attribute.name]

        return Value(found.kind, found.attribute.name, column)

    def _operation(self, node: Mapping[str, Any]) -> Value:
        name = node["op"]
        if name == "casei":
            return self._folded(arguments(node, 1)[0])
        if name in _ARITHMETIC:
            return self._arithmetic(name, arguments(node, 2))
        raise refused(f"there is no function {str(name)[:80]!r} here")

    def _folded(self, node: Any) -> Value:
        value = self.read(node)
        if value.kind is not ValueKind.TEXT:
            raise refused(f"casei takes texts; {value.name} is a {value.kind.value}")
        inner = value.expression
        return Value(value.kind, f"casei({value.name})", lambda view: func.lower(inner(view)))

    def _arithmetic(self, name: str, nodes: Sequence[Any]) -> Value:
        left, right = (self.read(node) for node in nodes)
        for value in (left, right):
            if value.kind is not ValueKind.NUMBER:
                raise refused(f"{name} takes numbers; {value.name} is a {value.kind.value}")
        combine = _ARITHMETIC[name]

        def expression(view: TableClause) -> ColumnElement[Any]:
            # Whole numbers of the database overflow sooner, and divide otherwise.
            return combine(
                cast(left.expression(view), Double()), cast(right.expression(view), Double())
            )

        return Value(ValueKind.NUMBER, f"({left.name} {name} {right.name})", expression)


def arguments(node: Mapping[str, Any], count: int) -> Sequence[Any]:
    """The arguments of an operation.

    Raises:
        InvalidParameter: there are not so many.
    """
    found = node.get("args")
    if not isinstance(found, list) or len(found) != count:
        raise refused(f"{str(node.get('op'))[:80]} takes {count} arguments")
    return found


def constant(value: Any) -> Value:
    """The value of a literal text, number or truth.

    Raises:
        InvalidParameter: it is none of these, or a number without an exact value.
    """
    if isinstance(value, bool):
        return _literal(ValueKind.BOOLEAN, value, str(value).lower())
    if isinstance(value, str):
        return _literal(ValueKind.TEXT, value, repr(value[:80]))
    if isinstance(value, int | float):
        number = float(value)
        if not abs(number) < MAX_WHOLE:  # nor is it, if it is not a number
            raise refused(f"numbers lie between -2^53 and 2^53; {value!r} does not")
        return _literal(ValueKind.NUMBER, number, f"{number:g}")
    if value is None:
        raise refused("nothing equals null; write IS NULL")
    raise refused("a list stands after IN only")


def instant_value(text: Any, kind: ValueKind) -> dt.date | dt.datetime:
    """The day or the aware instant of a text.

    Raises:
        InvalidParameter: it is none.
    """
    if not isinstance(text, str):
        raise refused(f"a {kind.value} is written as a text")
    is_date = len(text) == len("2020-01-01")
    if is_date is not (kind is ValueKind.DATE):
        form = "2020-01-31" if kind is ValueKind.DATE else "2020-01-31T23:20:50Z"
        raise refused(f"{text[:40]!r} is no {kind.value}; write it as {form}")
    try:
        instant = parse_instant(text, "filter")
    except InvalidParameter as error:
        raise refused(f"{text[:40]!r}: {error.reason}") from None
    return instant.date() if is_date else instant


def _instant(node: Mapping[str, Any]) -> Value:
    kind = ValueKind.DATE if "date" in node else ValueKind.TIMESTAMP
    text = node[kind.value]
    return _literal(kind, instant_value(text, kind), f"{kind.value} {str(text)[:40]!r}")


def _literal(kind: ValueKind, value: Any, name: str) -> Value:
    return Value(kind, name, lambda _view: literal(value, _SQL_TYPES[kind]))


def bound(kind: ValueKind, value: Any) -> ColumnElement[Any]:
    """A bound value of a kind."""
    return literal(value, _SQL_TYPES[kind])


def unbounded(kind: ValueKind, *, is_start: bool) -> ColumnElement[Any]:
    """The end of time, or its beginning, as a value of a kind."""
    word = "-infinity" if is_start else "infinity"
    return cast(literal(word, Text()), _SQL_TYPES[kind])

"""Query options of SensorThings, as far as they are answered, and the paths of its entities.

``$filter`` is a row of comparisons joined by ``and``; each field is one of a closed list, and each
value is bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from layers.errors import InvalidParameter, UnknownParameter
from layers.extent import parse_instant

MOST, MOST_EXPANDED = 1_000, 100
_DEFAULT_TOP = 100
_MOST_SKIPPED = 100_000

_OPERATORS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_COMPARISON = re.compile(
    r"\s*(?P<field>[A-Za-z@][\w@./]*)\s+(?P<operator>eq|ne|lt|le|gt|ge)\s+"
    r"(?P<value>'(?:[^']|'')*'|[^\s']+)\s*(?:and\b|$)"
)
_ORDER = re.compile(r"(?P<field>[\w@./]+)(?:\s+(?P<way>asc|desc))?")
_EXPANDED = re.compile(r"\s*(?P<name>\w+)(?:\((?P<options>[^()]*)\))?\s*(?:,|$)")
_KNOWN = ("$top", "$skip", "$count", "$orderby", "$select", "$expand", "$filter", "$skiptoken")


@dataclass(frozen=True)
class Field:
    """What may be compared and sorted by.

    Attributes:
        column: Of the statement that reads the entities.
        parse: Makes of a literal the value that is bound; raises ValueError.
    """

    column: str
    parse: Callable[[str], Any]


def text_literal(said: str) -> str:
    """The text in quotes, two of which stand for one.

    Raises:
        ValueError: there are none.
    """
    if len(said) < 2 or said[0] != "'" or said[-1] != "'":
        message = "needs a text in quotes"
        raise ValueError(message)
    return said[1:-1].replace("''", "'")


def whole_literal(said: str) -> int:
    """A whole number; raises ValueError."""
    if not re.fullmatch(r"-?\d{1,18}", said, re.ASCII):
        message = "needs a whole number"
        raise ValueError(message)
    return int(said)


def number_literal(said: str) -> float:
    """A number; raises ValueError."""
    if not re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?([eE][-+]?\d{1,2})?", said, re.ASCII):
        message = "needs a number"
        raise ValueError(message)
    return float(said)


def instant_literal(said: str) -> datetime:
    """An instant, in quotes or not; raises ValueError."""
    try:
        return parse_instant(said.strip("'"), "$filter")
    except InvalidParameter as error:
        raise ValueError(error.reason) from None


@dataclass(frozen=True)
class Options:
    """What a request asks of a set of entities.

    Attributes:
        conditions: SQL with the values of ``parameters``.
        order: SQL; empty leaves it to the set.
        select: Names of members; empty takes all.
        expand: Options by the name of what is expanded.
        after: The identifier, as a literal, after which a later page begins; empty at the first.
    """

    top: int = _DEFAULT_TOP
    skip: int = 0
    with_count: bool = False
    conditions: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    order: str = ""
    select: tuple[str, ...] = ()
    expand: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    after: str = ""


def parse_options(given: Sequence[tuple[str, str]], fields: Mapping[str, Field]) -> Options:
    """The options of a request.

    Raises:
        UnknownParameter: there is no such option.
        InvalidParameter: one has a value of no use, or is given twice.
    """
    values: dict[str, str] = {}
    for name, value in given:
        if name not in _KNOWN:
            raise UnknownParameter(name, list(_KNOWN))
        if name in values:
            raise InvalidParameter(name, value, "is given more than once")
        values[name] = value
    after = values.get("$skiptoken", "")
    if after and ("$orderby" in values or "$skip" in values):
        raise InvalidParameter("$skiptoken", after[:80], "goes without $orderby and $skip")
    conditions, parameters = _filter(values.get("$filter", ""), fields)
    return Options(
        top=_whole(values, "$top", _DEFAULT_TOP, MOST),
        skip=_whole(values, "$skip", 0, _MOST_SKIPPED),
        with_count=_flag(values, "$count"),
        conditions=conditions,
        parameters=parameters,
        order=_order(values.get("$orderby", ""), fields),
        select=tuple(n.strip() for n in values.get("$select", "").split(",") if n.strip()),
        expand=_expand(values.get("$expand", "")),
        after=after,
    )


def _filter(said: str, fields: Mapping[str, Field]) -> tuple[tuple[str, ...], dict[str, Any]]:
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    at = 0
    while at < len(said):
        match = _COMPARISON.match(said, at)
        if match is None:
            reason = "is a row of comparisons such as result gt 3, joined by and"
            raise InvalidParameter("$filter", said[:80], reason)
        name = f"compared_{len(conditions)}"
        known = _field("$filter", match["field"], fields)
        try:
            parameters[name] = known.parse(match["value"])
        except ValueError as error:
            raise InvalidParameter("$filter", match["value"], f"{match['field']} {error}") from None
        conditions.append(f"{known.column} {_OPERATORS[match['operator']]} %({name})s")
        at = match.end()
    return tuple(conditions), parameters


def _field(option: str, name: str, fields: Mapping[str, Field]) -> Field:
    known = fields.get(name)
    if known is None:
        raise InvalidParameter(option, name, f"knows {', '.join(fields)}")
    return known


def _order(said: str, fields: Mapping[str, Field]) -> str:
    if not said:
        return ""
    match = _ORDER.fullmatch(said.strip())
    if match is None:
        raise InvalidParameter("$orderby", said[:80], "is one field, with asc or desc")
    way = "DESC" if match["way"] == "desc" else "ASC"
    return f"{_field('$orderby', match['field'], fields).column} {way}"


def _expand(said: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    at = 0
    while at < len(said):
        match = _EXPANDED.match(said, at)
        if match is None:
            raise InvalidParameter("$expand", said[:80], "names what stands one step away")
        options = (match["options"] or "").split(";")
        found[match["name"]] = dict(one.split("=", 1) for one in options if "=" in one)
        at = match.end()
    return found


def _whole(values: Mapping[str, str], name: str, default: int, most: int) -> int:
    said = values.get(name)
    if said is None:
        return default
    if not (said.isascii() and said.isdecimal() and int(said[:12]) <= most):
        raise InvalidParameter(name, said[:20], f"is a whole number up to {most}")
    return int(said)


def _flag(values: Mapping[str, str], name: str) -> bool:
    said = values.get(name, "false")
    if said not in ("true", "false"):
        raise InvalidParameter(name, said[:20], "is true or false")
    return said == "true"

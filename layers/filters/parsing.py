"""From the text of a filter to its tree, within bounds.

The parser is that of the package ``cql2``. It is a recursive one: it takes twice as long for each
further bracket of a text that is wrong inside (measured: 3.8 s for 4,000 characters in 12
brackets), and ends the process where operators nest by thousands (measured: 4,096 times NOT).
So a text is measured before it is parsed. The bounds keep it below 0.1 s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import cql2

from layers.errors import InvalidParameter

MAX_LENGTH = 16_384
"""Characters of a filter."""

MAX_STRUCTURE = 2_000
"""Characters of a filter without what cannot nest: quoted texts, numbers and what divides them."""

MAX_EFFORT = 2**18
"""Characters of a CQL2 text times two to the power of the depth of its brackets."""

MAX_DEPTH = 32
"""Operators within operators."""

MAX_NODES = 1_000
"""Operators, properties and values."""

MAX_VERTICES = 2_000
"""Positions of all geometries of a filter."""

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
_CANNOT_NEST = re.compile(r"[\d.,\s]")


class FilterLanguage(StrEnum):
    """How a filter is written (OGC API Features Part 3, ``filter-lang``)."""

    TEXT = "cql2-text"
    JSON = "cql2-json"


def parse_tree(text: str, language: FilterLanguage) -> Any:
    """The tree of a filter, as CQL2 JSON has it; its operators and names are not looked at yet.

    Raises:
        InvalidParameter: it is not of the language, or beyond a bound.
    """
    if len(text) > MAX_LENGTH:
        raise refused(f"is longer than {MAX_LENGTH} characters")
    if "\0" in text or (language is FilterLanguage.JSON and "\\u0000" in text):
        raise refused("holds a character that no text may hold")
    tree = _parse(text, language)
    _check_size(tree)
    return tree


def refused(reason: str) -> InvalidParameter:
    """The error of a filter that cannot be used."""
    return InvalidParameter("filter", None, reason)


def _parse(text: str, language: FilterLanguage) -> Any:
    try:
        if language is FilterLanguage.JSON:
            return cql2.parse_json(text).to_json()
        _check_text(text)
        return cql2.parse_text(text).to_json()
    except (cql2.ParseError, cql2.ValidationError, ValueError, RecursionError):
        message = f"is not {language.value}: the parser cannot read it"
        raise refused(message) from None


def _check_text(text: str) -> None:
    without = _QUOTED.sub("''", text)
    if without.count("'") % 2 or without.count('"') % 2:
        raise refused("a quoted text has no end")
    if len(_CANNOT_NEST.sub("", without)) > MAX_STRUCTURE:
        raise refused("has too many parts")
    if len(text) << min(_depth(without), MAX_DEPTH) > MAX_EFFORT:
        raise refused("has too many brackets within brackets; write it as cql2-json")


def _depth(text: str) -> int:
    """The greatest number of brackets within each other.

    Raises:
        InvalidParameter: they do not match.
    """
    depth = deepest = 0
    for character in text:
        if character == "(":
            depth += 1
            deepest = max(deepest, depth)
        elif character == ")":
            depth -= 1
            if depth < 0:
                break
    if depth:
        raise refused("its brackets do not match")
    return deepest


def _check_size(tree: Any) -> None:
    nodes = vertices = 0
    for part, depth in _parts(tree, 0):
        if depth > MAX_DEPTH:
            raise refused(f"nests deeper than {MAX_DEPTH} operators")
        if isinstance(part, int):
            vertices += part
        else:
            nodes += 1
    if nodes > MAX_NODES:
        raise refused(f"has more than {MAX_NODES} parts")
    if vertices > MAX_VERTICES:
        raise refused(f"its geometries have more than {MAX_VERTICES} positions")


def _parts(node: Any, depth: int) -> Iterator[tuple[int | None, int]]:
    """Each part of a tree as (None, depth), and each geometry as its number of positions."""
    yield None, depth
    if isinstance(node, dict):
        if "coordinates" in node:
            yield _positions(node["coordinates"]), depth
            return
        for value in node.values():
            yield from _parts_of_value(value, depth + 1)


def _parts_of_value(value: Any, depth: int) -> Iterator[tuple[int | None, int]]:
    if isinstance(value, list):
        for one in value:
            yield from _parts_of_value(one, depth)
    elif isinstance(value, dict):
        yield from _parts(value, depth)
    else:
        yield None, depth


def _positions(coordinates: Any) -> int:
    if not isinstance(coordinates, list):
        return 0
    if not any(isinstance(part, list) for part in coordinates):
        return 1
    return sum(_positions(part) for part in coordinates)

"""Arithmetic over bands, such as ``(b4 - b3) / (b4 + b3)``: our own small grammar.

    sum     = product (("+" | "-") product)*
    product = factor (("*" | "/") factor)*
    factor  = ("-" | "+") factor | number | band | "(" sum ")"

What a user writes becomes a tree of these and nothing else, and is computed by walking the tree;
no text is ever evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from layers.errors import InvalidParameter

MAX_LENGTH = 200
MAX_DEPTH = 16

_PART = re.compile(
    r"\s*(?:(\d{1,12}(?:\.\d{1,12})?)|[bB]([1-9]\d{0,2})(?![\w.])|([-+*/()]))", re.ASCII
)
_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float

    def __str__(self) -> str:
        return f"{self.value!r}"


@dataclass(frozen=True)
class Band:
    """The values of a band, numbered from 1."""

    number: int

    def __str__(self) -> str:
        return f"b{self.number}"


@dataclass(frozen=True)
class Operation:
    """Two parts and what is between them."""

    sign: str
    left: Node
    right: Node

    def __str__(self) -> str:
        return f"({self.left}{self.sign}{self.right})"


Node = Number | Band | Operation


@dataclass(frozen=True)
class Expression:
    """A parsed expression; two that mean the same tree are equal."""

    root: Node

    def __str__(self) -> str:
        return str(self.root)

    @property
    def bands(self) -> tuple[int, ...]:
        """The bands it needs, in order."""
        return tuple(sorted(_bands(self.root)))

    def values(self, bands: Mapping[int, Any]) -> np.ma.MaskedArray[Any, Any]:
        """What comes of it, float64; masked where a band is, and where it is no finite number.

        Args:
            bands: Masked arrays of one shape by number.
        """
        as_floats = {number: band.astype(np.float64) for number, band in bands.items()}
        with np.errstate(all="ignore"):
            found = np.ma.asarray(_value(self.root, as_floats))
        return np.ma.masked_invalid(found, copy=False)


def parse_expression(text: str) -> Expression:
    """The expression of a text.

    Raises:
        InvalidParameter: it is none of the grammar, too long, too deep, or names no band.
    """
    if len(text) > MAX_LENGTH:
        raise _refused(text[:20], f"has more than {MAX_LENGTH} characters")
    parser = _Parser(text, _parts_of(text))
    root = parser.sum(0)
    if parser.next is not None:
        raise _refused(text, f"goes on with {parser.next!r} where it should end")
    if not _bands(root):
        raise _refused(text, "names no band, as b1")
    return Expression(root)


def _refused(text: str, reason: str) -> InvalidParameter:
    return InvalidParameter("expression", text, reason)


def _parts_of(text: str) -> list[str]:
    parts, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            raise _refused(text, f"has something other than + - * / ( ) numbers b1 at {at + 1}")
        number, band, sign = match.groups()
        parts.append(number or sign or f"b{band}")
        at = match.end()
    return parts


class _Parser:
    def __init__(self, text: str, parts: list[str]) -> None:
        self._text = text
        self._parts = parts[::-1]

    @property
    def next(self) -> str | None:
        return self._parts[-1] if self._parts else None

    def sum(self, depth: int) -> Node:
        return self._chain("+-", self._product, depth)

    def _product(self, depth: int) -> Node:
        return self._chain("*/", self._factor, depth)

    def _chain(self, signs: str, part: Callable[[int], Node], depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _refused(self._text, f"is nested more than {MAX_DEPTH} deep")
        left = part(depth)
        while self.next is not None and self.next in signs:
            left = Operation(self._parts.pop(), left, part(depth))
        return left

    def _factor(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _refused(self._text, f"is nested more than {MAX_DEPTH} deep")
        if not self._parts:
            raise _refused(self._text, "ends where a value should stand")
        part = self._parts.pop()
        if part in ("-", "+"):
            return Operation(part, Number(0.0), self._factor(depth + 1))
        if part == "(":
            inner = self.sum(depth + 1)
            if not self._parts or self._parts.pop() != ")":
                raise _refused(self._text, "has a ( without its )")
            return inner
        if part in ("*", "/", ")"):
            raise _refused(self._text, f"has {part!r} where a value should stand")
        return Band(int(part[1:])) if part[0] == "b" else Number(float(part))


def _bands(node: Node) -> set[int]:
    if isinstance(node, Operation):
        return _bands(node.left) | _bands(node.right)
    return {node.number} if isinstance(node, Band) else set()


def _value(node: Node, bands: Mapping[int, Any]) -> Any:
    if isinstance(node, Operation):
        return _OPERATIONS[node.sign](_value(node.left, bands), _value(node.right, bands))
    return bands[node.number] if isinstance(node, Band) else node.value

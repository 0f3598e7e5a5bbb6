"""What filters and lists of properties may name: the attributes that a level may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from layers.access import Clearance
from layers.base import Attribute, AttributeType, Layer, Title
from layers.errors import InvalidParameter

GEOMETRY_NAME = "geometry"
"""How filters call the geometry of a feature; ``geom`` is understood too."""

GEOMETRY_NAMES = (GEOMETRY_NAME, "geom")


class ValueKind(StrEnum):
    """Kinds of values, which compare among themselves only."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


_KINDS = {
    AttributeType.TEXT: ValueKind.TEXT,
    AttributeType.INTEGER: ValueKind.NUMBER,
    AttributeType.NUMBER: ValueKind.NUMBER,
    AttributeType.BOOLEAN: ValueKind.BOOLEAN,
    AttributeType.DATE: ValueKind.DATE,
    AttributeType.TIMESTAMP: ValueKind.TIMESTAMP,
}


@dataclass(frozen=True)
class Queryable:
    """A property that may be asked for, and the attribute that it is."""

    attribute: Attribute
    kind: ValueKind


_ADMIN_CODE = Attribute(
    "admin_code", AttributeType.TEXT, Title("Code of the street", "街道代码"), in_tile=False
)
"""Every version has it besides its layer's attributes."""


@lru_cache(maxsize=512)
def queryables(layer: Layer, level: Clearance) -> Mapping[str, Queryable]:
    """The properties of a layer that a level may ask for, by name, in the descriptor's order."""
    attributes = (*layer.attributes_at(level), _ADMIN_CODE)
    return {a.name: Queryable(a, _KINDS[a.type]) for a in attributes}


def parse_properties(
    text: str, layers: Sequence[Layer], level: Clearance
) -> tuple[tuple[str, ...], ...]:
    """The properties of a list such as ``code,land_use``, for each layer those that it has.

    An empty list asks for none. Each tuple is in its descriptor's order.

    Raises:
        InvalidParameter: one is in none of the layers at the level, or is named twice; one that is
            hidden is answered as one that does not exist.
    """
    names = text.split(",") if text else []
    known = [queryables(layer, level) for layer in layers]
    for name in names:
        if not any(name in one for one in known):
            where = ", ".join(layer.name for layer in layers)
            raise InvalidParameter("properties", text, f"there is no property {name!r} in {where}")
    asked = set(names)
    if len(asked) < len(names):
        raise InvalidParameter("properties", text, "names a property twice")
    return tuple(tuple(name for name in one if name in asked) for one in known)

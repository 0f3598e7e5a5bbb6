"""What of a feature low zooms look at, as SQL: its rank, its size in a tile, its coarser shape.

The same expressions choose rows for an overview when a load is published and bound a tile that is
read from the versions themselves, so both show the same features first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from layers.base import Attribute, AttributeType, Layer
from layers.overview_tables import EARTH_HALF_M, open_attribute

MAX_TILE_BYTES = 500_000
"""What one layer of a tile comes to at most, before it is compressed."""

SELECTED_BYTES = 4_096
"""What is chosen for one of the 64 cells of a tile of an overview at most, as ``encoded_bytes``
has it: a tile of 64 full cells is as large as one at the base zoom is on average."""

_FEATURE_BYTES, _PART_BYTES, _POINT_BYTES = 28, 8, 4

_GRID = 1_024
"""Shapes are simplified to units of this grid across a tile: half a pixel of a screen."""

_MVT_GRID = 4_096

Named = Callable[[Attribute], str]
"""How a statement calls an attribute: by its column in tables, by its name in readers' views."""


def stored(attribute: Attribute) -> str:
    """The column of an attribute in the tables."""
    return attribute.column


def read(attribute: Attribute) -> str:
    """The column of an attribute in readers' views."""
    return f'"{attribute.name}"'


def rank(layer: Layer, geometry: str, named: Named) -> str:
    """SQL of the rank of a version: the higher, the longer it is shown while zooming out."""
    measure = ("1", f"ST_Length({geometry})", f"ST_Area({geometry})")
    factors = [measure[layer.geometry_type.dimension]]
    said = layer.generalisation
    if weight := open_attribute(layer, said.weight):
        factors.append(f"greatest(1, coalesce({named(weight)}, 1))")
    if by := open_attribute(layer, said.weight_by):
        cases = " ".join(
            f"WHEN {_text(code)} THEN {by_how:g}" for code, by_how in said.factors.items()
        )
        factors.append(f"CASE {named(by)} {cases} ELSE 1 END")
    return f"CAST({' * '.join(factors)} AS double precision)"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def encoded_bytes(attributes: Sequence[Attribute], geometry: str, named: Named) -> str:
    """SQL of the most that a version takes in a tile, uncompressed.

    A feature has an id of up to 8 bytes and 20 more; a vertex takes two numbers of 2 bytes within
    a tile, a part of a shape its commands. Values are written once for a tile: those of a closed
    list hardly count, a text of its own does in full.
    """
    parts = f"greatest(1, coalesce(ST_NRings({geometry}), 0), ST_NumGeometries({geometry}))"
    shape = f"{_POINT_BYTES} * ST_NPoints({geometry}) + {_PART_BYTES} * {parts}"
    return f"{_FEATURE_BYTES} + {shape}{_value_bytes(attributes, named)}"


def least_bytes(layer: Layer, attributes: Sequence[Attribute], named: Named) -> str:
    """SQL of what a version takes at least, as ``encoded_bytes`` has it, however coarse it is."""
    shape = _PART_BYTES + _POINT_BYTES * (layer.geometry_type.dimension + 1)
    return f"{_FEATURE_BYTES + shape}{_value_bytes(attributes, named)}"


def fewest_bytes(layer: Layer, attributes: Sequence[Attribute]) -> int:
    """No feature of a layer takes less, as ``encoded_bytes`` has it, whatever its values are."""
    shape = _PART_BYTES + _POINT_BYTES * (layer.geometry_type.dimension + 1)
    return _FEATURE_BYTES + shape + sum(map(_fixed_bytes, attributes))


def _value_bytes(attributes: Sequence[Attribute], named: Named) -> str:
    texts = "".join(
        f" + coalesce(octet_length({named(attribute)}) + 10, 0)"
        for attribute in attributes
        if not _fixed_bytes(attribute)
    )
    return f" + {sum(map(_fixed_bytes, attributes))}{texts}"


def _fixed_bytes(attribute: Attribute) -> int:
    """What a value takes whatever it is; 0 for texts, which take what they are long."""
    if attribute.codes is not None and attribute.codes.closed:
        return 5
    others = {AttributeType.TEXT: 0, AttributeType.BOOLEAN: 5, AttributeType.TIMESTAMP: 34}
    return others.get(attribute.type, 16)


def simplified(geometry: str, zoom: int) -> str:
    """SQL of a shape as coarse as a zoom shows it; the one that it is where it is small."""
    return f"ST_Simplify({geometry}, {_width_m(zoom) / _GRID!r}, true)"


def width_m(geometry: str) -> str:
    """SQL of the longer side of the box of a shape, metres in EPSG:3857."""
    width, height = (f"ST_{axis}Max({geometry}) - ST_{axis}Min({geometry})" for axis in "XY")
    return f"greatest({width}, {height})"


def is_wide(width: str, zoom: int) -> str:
    """SQL of whether something so wide is larger than one unit of a tile of a zoom."""
    return f"{width} >= {_width_m(zoom) / _MVT_GRID!r}"


def is_seen(geometry: str, zoom: int) -> str:
    """SQL of whether a shape is larger than one unit of a tile of a zoom."""
    return is_wide(width_m(geometry), zoom)


def _width_m(zoom: int) -> float:
    return 2 * EARTH_HALF_M / 2.0**zoom

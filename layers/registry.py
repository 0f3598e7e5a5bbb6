"""The typed layers, as an explicit tuple: a reader sees the list, a new layer adds a line."""

from __future__ import annotations

from collections.abc import Mapping

from layers import (
    districts,
    facilities,
    parcels,
    pipeline_nodes,
    pipelines,
    roads,
    underground_structures,
)
from layers.access import Clearance
from layers.base import Layer
from layers.errors import UnknownLayer

LAYERS: tuple[Layer, ...] = (
    districts.LAYER,
    parcels.LAYER,
    roads.LAYER,
    underground_structures.LAYER,
    pipelines.LAYER,
    pipeline_nodes.LAYER,
    facilities.LAYER,
)
"""In drawing order, the lowest first."""

_BY_NAME: Mapping[str, Layer] = {layer.name: layer for layer in LAYERS}


def get_layer(name: str, level: Clearance = Clearance.RESTRICTED) -> Layer:
    """The layer of a name, if the level may know of it.

    Raises:
        UnknownLayer: there is none, or it is hidden from the level; the two are answered alike.
    """
    layer = _BY_NAME.get(name)
    if layer is None or layer.clearance > level:
        raise UnknownLayer(name)
    return layer


def layers_at(level: Clearance) -> tuple[Layer, ...]:
    """The layers that a level may know of, in drawing order."""
    return tuple(layer for layer in LAYERS if layer.clearance <= level)

"""The layers there are: the typed ones, as an explicit tuple, and the themes of the database.

A reader of this page sees the typed layers, and a new one adds a line. Themes come from one
database, the one that the process serves; whoever opens that reads them
(``layers.themes.read_themes``) and hands them over with ``use_themes``, as often as they change.
A descriptor that has not changed stays the same object, so what is cached by layer stays right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from layers import (
    districts,
    facilities,
    parcels,
    pipeline_nodes,
    pipelines,
    resources,
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
    resources.LAYER,
    facilities.LAYER,
)
"""The typed layers in drawing order, the lowest first."""


class _Registry:
    """Layers by name; what is looked up is replaced as a whole, never changed."""

    def __init__(self, themes: Iterable[Layer] = ()) -> None:
        # Areas lie below lines and these below points, so that none hides another.
        drawn = sorted(themes, key=lambda layer: (-layer.geometry_type.dimension, layer.name))
        self.layers = (*LAYERS, *drawn)
        self.by_name: Mapping[str, Layer] = {layer.name: layer for layer in self.layers}


_now = _Registry()


def use_themes(themes: Iterable[Layer]) -> None:
    """Make these the themes of the process, instead of those before."""
    global _now  # a process serves one database; the swap is atomic
    _now = _Registry(themes)


def is_known(name: str) -> bool:
    """Whether there is a layer of a name, whoever may know of it."""
    return name in _now.by_name


def get_layer(name: str, level: Clearance = Clearance.RESTRICTED) -> Layer:
    """The layer of a name, if the level may know of it.

    Raises:
        UnknownLayer: there is none, or it is hidden from the level; the two are answered alike.
    """
    layer = _now.by_name.get(name)
    if layer is None or layer.clearance > level:
        raise UnknownLayer(name)
    return layer


def layers_at(level: Clearance) -> tuple[Layer, ...]:
    """The layers that a level may know of, themes too, in drawing order."""
    return tuple(layer for layer in _now.layers if layer.clearance <= level)


def is_registered(layer: Layer) -> bool:
    """Whether a layer is the one that there is by its name: a theme that is edited is another."""
    return _now.by_name.get(layer.name) is layer

"""Names of areas: one point for each feature, in a layer of its own beside the shapes.

A client that labels polygons draws a name in every tile that a polygon touches. A point lies in
one tile only, so the name is drawn once.
"""

from __future__ import annotations

from layers.access import Clearance
from layers.base import Attribute, Layer


def label_layer_name(layer: Layer) -> str:
    """The layer in tiles that holds the label points; no layer of the city can be named so."""
    return f"{layer.name}-labels"


def label_attributes(layer: Layer, level: Clearance) -> tuple[Attribute, ...]:
    """What the label points of a layer carry at a level; nothing where tiles hold none.

    Points and lines are labelled where they are drawn.
    """
    style = layer.style
    if layer.geometry_type.dimension < 2 or style.label is None:
        return ()
    wanted = {style.label, style.label_by}
    found = tuple(a for a in layer.tile_attributes_at(level) if a.name in wanted)
    return found if style.label in {a.name for a in found} else ()


def label_points_from(layer: Layer) -> int:
    """The first zoom at which tiles hold the label points."""
    style = layer.style
    first = min(style.label_minzoom, *(rank.minzoom for rank in style.label_ranks), layer.maxzoom)
    return max(layer.drawn_from, first)

"""The layers of a MapLibre style that write the names of features.

They need no glyph server: clients draw them with local fonts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layers.access import Clearance
from layers.base import LabelRank, Layer
from tiles.labels import label_attributes, label_layer_name
from tiles.looks import Look
from tiles.style_parts import Json, part

_SIZE_PX = 12


def label_parts(layer: Layer, level: Clearance, look: Look) -> Iterator[Json]:
    """What writes the names of a layer; nothing where the level may not read them."""
    label = layer.style.label
    if label is None or label not in {a.name for a in layer.tile_attributes_at(level)}:
        return
    yield _label(layer, level, look, LabelRank("", _SIZE_PX, layer.style.label_minzoom))
    for rank in reversed(layer.style.label_ranks):  # what is drawn last is placed first
        yield _label(layer, level, look, rank)


def _label(layer: Layer, level: Clearance, look: Look, rank: LabelRank) -> Json:
    style = layer.style
    layout: Json = {"text-field": _label_text(layer), "text-size": rank.size_px}
    if layer.geometry_type.dimension == 1:
        layout |= {"symbol-placement": "line", "symbol-spacing": 400}
    elif layer.geometry_type.dimension == 0:
        layout |= {"text-anchor": "top", "text-offset": [0, 0.9], "text-padding": 6}
    paint = {
        "text-color": look.name_color(style.label_color),
        "text-halo-color": look.halo,
        "text-halo-width": 1.4,
    }
    members: Json = {"minzoom": max(layer.drawn_from, rank.minzoom)}
    if style.label_ranks:
        members |= {"maxzoom": rank.maxzoom, "filter": _ranked_as(layer, rank)}
    if label_attributes(layer, level):
        members["source-layer"] = label_layer_name(layer)
    name = f"label-{rank.code}" if rank.code else "label"
    return part(layer, name, "symbol", layout=layout, paint=paint, **members)


def _ranked_as(layer: Layer, rank: LabelRank) -> Any:
    code = ["coalesce", ["get", layer.style.label_by], ""]
    if rank.code:
        return ["==", code, rank.code]
    return ["!", ["in", code, ["literal", [one.code for one in layer.style.label_ranks]]]]


def _label_text(layer: Layer) -> Any:
    text = ["coalesce", ["get", layer.style.label], ""]
    tail = layer.style.label_tail
    return text if tail is None else ["slice", text, ["-", ["min", tail, ["length", text]]]]

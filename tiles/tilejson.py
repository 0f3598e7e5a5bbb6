"""TileJSON 3.0.0 of layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from layers.access import Clearance
from layers.base import Attribute, AttributeType, Layer
from layers.extent import BBox
from tiles.labels import label_attributes, label_layer_name, label_points_from

_JSON_TYPE = {
    AttributeType.INTEGER: "Number",
    AttributeType.NUMBER: "Number",
    AttributeType.BOOLEAN: "Boolean",
}


def tilejson(
    layers: Sequence[Layer], level: Clearance, extent: BBox, tiles_url: str
) -> dict[str, Any]:
    """The TileJSON of a composite of layers as a level sees it.

    Args:
        extent: Of the city, degrees.
        tiles_url: Absolute URL template with ``{z}/{x}/{y}``.
    """
    return {
        "tilejson": "3.0.0",
        "name": ",".join(layer.name for layer in layers),
        "description": " / ".join(f"{layer.title.en} {layer.title.zh}" for layer in layers),
        "scheme": "xyz",
        "tiles": [tiles_url],
        "minzoom": min(layer.minzoom for layer in layers),
        "maxzoom": max(layer.maxzoom for layer in layers),
        "bounds": extent.as_list(),
        "center": [
            (extent.west + extent.east) / 2,
            (extent.south + extent.north) / 2,
            max(layer.minzoom for layer in layers),
        ],
        "vector_layers": [part for layer in layers for part in _vector_layers(layer, level)],
    }


def _vector_layers(layer: Layer, level: Clearance) -> Iterator[dict[str, Any]]:
    title = f"{layer.title.en} {layer.title.zh}"
    yield {
        "id": layer.name,
        "description": title,
        "minzoom": layer.minzoom,
        "maxzoom": layer.maxzoom,
        "fields": {a.name: field_description(a) for a in layer.tile_attributes_at(level)},
    }
    if labelled := label_attributes(layer, level):
        yield {
            "id": label_layer_name(layer),
            "description": f"{title}: where the name stands 注记点",
            "minzoom": label_points_from(layer),
            "maxzoom": layer.maxzoom,
            "fields": {a.name: field_description(a) for a in labelled},
        }


def field_description(attribute: Attribute) -> str:
    """An attribute as ``fields`` of a TileJSON describe it: type, unit and titles."""
    kind = _JSON_TYPE.get(attribute.type, "String")
    unit = f", {attribute.unit}" if attribute.unit else ""
    return f"{kind}{unit}: {attribute.title.en} {attribute.title.zh}"

"""TileJSON 3.0.0 of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layers.access import Clearance
from layers.base import Attribute, AttributeType, Layer
from layers.extent import BBox

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
        "vector_layers": [_vector_layer(layer, level) for layer in layers],
    }


def _vector_layer(layer: Layer, level: Clearance) -> dict[str, Any]:
    return {
        "id": layer.name,
        "description": f"{layer.title.en} {layer.title.zh}",
        "minzoom": layer.minzoom,
        "maxzoom": layer.maxzoom,
        "fields": {a.name: _field(a) for a in layer.tile_attributes_at(level)},
    }


def _field(attribute: Attribute) -> str:
    kind = _JSON_TYPE.get(attribute.type, "String")
    unit = f", {attribute.unit}" if attribute.unit else ""
    return f"{kind}{unit}: {attribute.title.en} {attribute.title.zh}"

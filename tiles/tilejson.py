"""TileJSON 3.0.0 of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layers.access import Clearance
from layers.base import Attribute, AttributeType, Layer
from layers.extent import BBox
from layers.overview_tables import has_overview
from tiles.labels import label_attributes, label_layer_name, label_points_from
from tiles.low_zooms import cluster_fields

_JSON_TYPE = {
    AttributeType.INTEGER: "Number",
    AttributeType.NUMBER: "Number",
    AttributeType.BOOLEAN: "Boolean",
}


def tilejson(
    layers: Sequence[Layer],
    level: Clearance,
    extent: BBox,
    tiles_url: str,
    base_zooms: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The TileJSON of a composite of layers as a level sees it.

    Args:
        extent: Of the city, degrees.
        tiles_url: Absolute URL template with ``{z}/{x}/{y}``.
        base_zooms: From which zoom on tiles show all of a layer to the level, by its name; a layer
            that is not named is not said to be generalised.
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
            max(layer.drawn_from for layer in layers),
        ],
        "vector_layers": [
            part
            for layer in layers
            for part in _vector_layers(layer, level, (base_zooms or {}).get(layer.name, 0))
        ],
    }


def _vector_layers(layer: Layer, level: Clearance, base_zoom: int) -> Iterator[dict[str, Any]]:
    title = f"{layer.title.en} {layer.title.zh}"
    described: dict[str, Any] = {
        "id": layer.name,
        "description": title,
        "minzoom": layer.minzoom,
        "maxzoom": layer.maxzoom,
        "fields": {a.name: field_description(a) for a in layer.tile_attributes_at(level)},
    }
    if base_zoom > layer.minzoom:
        described["description"] = f"{title}; {_generalised(layer, base_zoom)}"
        described["geoservice:generalised_below"] = base_zoom
        if not has_overview(layer):
            described["fields"] |= cluster_fields(layer)
    yield described
    if labelled := label_attributes(layer, level):
        yield {
            "id": label_layer_name(layer),
            "description": f"{title}: where the name stands 注记点",
            "minzoom": label_points_from(layer),
            "maxzoom": layer.maxzoom,
            "fields": {a.name: field_description(a) for a in labelled},
        }


def _generalised(layer: Layer, base_zoom: int) -> str:
    """What is left out below the base zoom, for people."""
    if not has_overview(layer):
        return (
            f"below zoom {base_zoom} clusters that count all features "
            f"{base_zoom} 级以下为聚合点,计入全部要素"
        )
    measure = ("", "longest", "largest")[layer.geometry_type.dimension]
    return (
        f"below zoom {base_zoom} the {measure} features of each part of a tile, simplified; "
        f"X-Features-Left-Out counts the others {base_zoom} 级以下仅含各处最主要的要素并经简化"
    )


def field_description(attribute: Attribute) -> str:
    """An attribute as ``fields`` of a TileJSON describe it: type, unit and titles."""
    kind = _JSON_TYPE.get(attribute.type, "String")
    unit = f", {attribute.unit}" if attribute.unit else ""
    return f"{kind}{unit}: {attribute.title.en} {attribute.title.zh}"

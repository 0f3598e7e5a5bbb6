"""TileJSON 3.0.0 of layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from layers.base import Attribute, AttributeType
from layers.extent import BBox
from tiles.grids import WEB_MERCATOR, Grid
from tiles.labels import label_layer_name, label_points_from
from tiles.query import TileQuery

_JSON_TYPE = {
    AttributeType.INTEGER: "Number",
    AttributeType.NUMBER: "Number",
    AttributeType.BOOLEAN: "Boolean",
}


def tilejson(
    queries: Sequence[TileQuery], grid: Grid, extent: BBox, *, tiles_url: str, attribution: str
) -> dict[str, Any]:
    """The TileJSON of a composite of layers as their queries ask for them.

    Args:
        grid: Whose zooms it counts.
        extent: Of the city, degrees.
        tiles_url: Absolute URL template with ``{z}/{x}/{y}``.
    """
    layers = [query.layer for query in queries]
    described = [part for query in queries for part in vector_layers(query, grid)]
    return {
        "tilejson": "3.0.0",
        "name": ",".join(layer.name for layer in layers),
        "description": " / ".join(f"{layer.title.en} {layer.title.zh}" for layer in layers),
        "attribution": attribution,
        "scheme": "xyz",
        "tiles": [tiles_url],
        "minzoom": min(part["minzoom"] for part in described),
        "maxzoom": max(part["maxzoom"] for part in described),
        "bounds": extent.as_list(),
        "center": [
            (extent.west + extent.east) / 2,
            (extent.south + extent.north) / 2,
            max(grid.zoom_of(layer.minzoom) for layer in layers),
        ],
        "vector_layers": described,
    }


def vector_layers(query: TileQuery, grid: Grid = WEB_MERCATOR) -> Iterator[dict[str, Any]]:
    """The layers of tiles that hold a query, as ``vector_layers`` describes them."""
    layer = query.layer
    title = f"{layer.title.en} {layer.title.zh}"
    yield {
        "id": layer.name,
        "description": title,
        "minzoom": grid.zoom_of(layer.minzoom),
        "maxzoom": grid.zoom_of(layer.maxzoom),
        "fields": {a.name: field_description(a) for a in query.attributes},
    }
    if labelled := query.label_attributes:
        yield {
            "id": label_layer_name(layer),
            "description": f"{title}: where the name stands 注记点",
            "minzoom": grid.zoom_of(label_points_from(layer)),
            "maxzoom": grid.zoom_of(layer.maxzoom),
            "fields": {a.name: field_description(a) for a in labelled},
        }


def field_description(attribute: Attribute) -> str:
    """An attribute as ``fields`` of a TileJSON describe it: type, unit and titles."""
    kind = _JSON_TYPE.get(attribute.type, "String")
    unit = f", {attribute.unit}" if attribute.unit else ""
    return f"{kind}{unit}: {attribute.title.en} {attribute.title.zh}"

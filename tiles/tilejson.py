"""TileJSON 3.0.0 of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layers.base import Attribute, AttributeType, Layer
from layers.extent import BBox
from layers.overview_tables import has_overview
from tiles.grids import WEB_MERCATOR, Grid
from tiles.labels import label_layer_name, label_points_from
from tiles.low_zooms import cluster_fields
from tiles.query import TileQuery

_JSON_TYPE = {
    AttributeType.INTEGER: "Number",
    AttributeType.NUMBER: "Number",
    AttributeType.BOOLEAN: "Boolean",
}


def tilejson(
    queries: Sequence[TileQuery],
    grid: Grid,
    extent: BBox,
    *,
    tiles_url: str,
    attribution: str = "",
    base_zooms: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The TileJSON of a composite of layers as their queries ask for them.

    Args:
        grid: Whose zooms it counts.
        extent: Around all that there is, degrees.
        tiles_url: Absolute URL template with ``{z}/{x}/{y}``.
        attribution: Whose the data are.
        base_zooms: From which zoom of Web Mercator on tiles show all of a layer to the level, by
            its name; a layer that is not named is not said to be generalised.
    """
    layers = [query.layer for query in queries]
    known = base_zooms or {}
    described = [
        part
        for query in queries
        for part in vector_layers(query, grid, known.get(query.layer.name, 0))
    ]
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
            max(grid.zoom_of(layer.drawn_from) for layer in layers),
        ],
        "vector_layers": described,
    }


def vector_layers(
    query: TileQuery, grid: Grid = WEB_MERCATOR, base_zoom: int = 0
) -> Iterator[dict[str, Any]]:
    """The layers of tiles that hold a query, as ``vector_layers`` describes them.

    Args:
        grid: Whose zooms are counted.
        base_zoom: From which zoom of Web Mercator on tiles show all of the layer.
    """
    layer = query.layer
    title = f"{layer.title.en} {layer.title.zh}"
    described: dict[str, Any] = {
        "id": layer.name,
        "description": title,
        "minzoom": grid.zoom_of(layer.minzoom),
        "maxzoom": grid.zoom_of(layer.maxzoom),
        "fields": {a.name: field_description(a) for a in query.attributes},
    }
    if base_zoom > layer.minzoom:
        zoom = grid.zoom_of(base_zoom)
        described["description"] = f"{title}; {_generalised(layer, zoom)}"
        described["geoservice:generalised_below"] = zoom
        if not has_overview(layer):
            described["fields"] |= cluster_fields(layer)
    yield described
    if labelled := query.label_attributes:
        yield {
            "id": label_layer_name(layer),
            "description": f"{title}: where the name stands 注记点",
            "minzoom": grid.zoom_of(label_points_from(layer)),
            "maxzoom": grid.zoom_of(layer.maxzoom),
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

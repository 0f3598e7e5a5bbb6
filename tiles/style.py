"""MapLibre styles made from layer descriptors: sources, drawing order, legend, in several looks.

A style holds only what the level may see. Labels need no glyphs of the service where clients draw
them with local fonts. Live facilities take their colour from the feature state ``status`` that the
map sets from ``/availability``.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from layers.access import Clearance
from layers.base import Attribute, Layer, Title
from layers.extent import BBox
from tiles.legend import is_live, legend_entries
from tiles.looks import DAY, LOOKS, Look
from tiles.style_labels import label_parts
from tiles.style_parts import Json, shape_parts


@dataclass(frozen=True)
class CityOnMap:
    """What a map says of its city.

    Attributes:
        time_zone: IANA name.
        view: Longitude, latitude and zoom at which the map opens; None shows the whole extent.
        attribution: Whose the data are, as plain text; empty says nothing.
    """

    name: Title
    extent: BBox
    time_zone: str
    view: tuple[float, float, float] | None = None
    attribution: str = ""


@dataclass(frozen=True)
class StyleRequest:
    """Which style is wanted, and of what.

    Attributes:
        name: Of the style, as in its address.
        base_url: Address of the service, without a trailing slash.
        time: Query parameters of time that every source carries (``datetime``, ``as_recorded``);
            none show what holds now.
        names_glyphs: Whether the style says where glyphs are, for clients without fonts.
        terrain: Address of the TileJSON of a terrain in terrain-RGB, for maps in three dimensions.
        base_zooms: Zoom by layer below which tiles hold an overview of it.
    """

    name: str
    look: Look
    base_url: str
    time: Mapping[str, str] = field(default_factory=dict)
    names_glyphs: bool = False
    terrain: str | None = None
    base_zooms: Mapping[str, int] = field(default_factory=dict)


CITY_STYLES: Mapping[str, Look] = {
    "city" if look is DAY else f"city-{name}": look for name, look in LOOKS.items()
}
"""The looks by the names of their styles."""


def map_style(
    layers: Sequence[Layer], level: Clearance, *, wanted: StyleRequest, city: CityOnMap
) -> Json:
    """A MapLibre style (version 8) of layers, in drawing order, with their legend as metadata."""
    extent, look = city.extent, wanted.look
    middle = ((extent.west + extent.east) / 2, (extent.south + extent.north) / 2, 11)
    *center, zoom = city.view or middle
    background = {"background-color": look.background}
    style = {
        "version": 8,
        "name": wanted.name,
        "metadata": _metadata(layers, level, wanted, city),
        "center": center,
        "zoom": zoom,
        "sprite": f"{wanted.base_url}/sprites/{wanted.name}",
        "sources": {layer.name: _source(layer, wanted, city) for layer in layers},
        "layers": [
            {"id": "background", "type": "background", "paint": background},
            *_shapes(layers, look),
            *(part for layer in layers for part in label_parts(layer, level, look)),
        ],
    }
    if wanted.names_glyphs:
        style["glyphs"] = f"{wanted.base_url}/fonts/{{fontstack}}/{{range}}.pbf"
    return style


def _shapes(layers: Sequence[Layer], look: Look) -> Iterator[Json]:
    over_others = False
    for layer in layers:
        yield from shape_parts(layer, look, over_others=over_others)
        over_others = over_others or layer.geometry_type.dimension < 2


def _metadata(
    layers: Sequence[Layer], level: Clearance, wanted: StyleRequest, city: CityOnMap
) -> Json:
    looks = [
        {"name": look.name, "title": look.title.as_json(), "style": name}
        for name, look in CITY_STYLES.items()
    ]
    described = {
        "geoservice:city": _city_metadata(city),
        "geoservice:clearance": level.label,
        "geoservice:look": wanted.look.name,
        "geoservice:looks": looks,
        "geoservice:time": dict(wanted.time),
        "geoservice:layers": [_layer_metadata(layer, level, wanted) for layer in layers],
    }
    return described | ({"geoservice:terrain": wanted.terrain} if wanted.terrain else {})


def _city_metadata(city: CityOnMap) -> Json:
    described: Json = {
        "name": city.name.as_json(),
        "extent": city.extent.as_list(),
        "time_zone": city.time_zone,
    }
    if city.view:
        described["view"] = list(city.view)
    return described


def _source(layer: Layer, wanted: StyleRequest, city: CityOnMap) -> Json:
    query = f"?{urlencode(wanted.time, safe=':')}" if wanted.time else ""
    url = f"{wanted.base_url}/tiles/{layer.name}.json{query}"
    source: Json = {"type": "vector", "url": url}
    if city.attribution:
        source["attribution"] = html.escape(city.attribution)
    return source


def _layer_metadata(layer: Layer, level: Clearance, wanted: StyleRequest) -> Json:
    look = wanted.look
    described = {
        "name": layer.name,
        "title": layer.title.as_json(),
        "group": layer.group.as_json(),
        "description": layer.description.as_json(),
        "geometry_type": layer.geometry_type.value,
        "clearance": layer.clearance.label,
        "minzoom": layer.drawn_from,
        "legend": [entry.as_json() for entry in legend_entries(layer, level, look)],
        "attributes": [_attribute_metadata(a) for a in layer.attributes_at(level)],
    }
    if is_live(layer, look):
        described["live_minzoom"] = max(layer.drawn_from, layer.style.live_minzoom)
    base_zoom = wanted.base_zooms.get(layer.name, 0)
    if base_zoom > layer.drawn_from:
        described["generalised_below"] = base_zoom
    return described


def _attribute_metadata(attribute: Attribute) -> Json:
    described: Json = {
        "name": attribute.name,
        "title": attribute.title.as_json(),
        "type": attribute.type.value,
    }
    if attribute.unit:
        described["unit"] = attribute.unit
    if attribute.codes:
        described["codes"] = {c.code: c.title.as_json() for c in attribute.codes.codes}
    return described

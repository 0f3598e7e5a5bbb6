"""MapLibre styles made from layer descriptors: sources, drawing order, colours, labels, legend.

A style holds only what the level may see. Labels need no glyph server: clients draw them with
local fonts. Live facilities take their colour from the feature state ``status`` that the map sets
from ``/availability``.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from layers.access import Clearance
from layers.base import Attribute, Code, LabelRank, Layer, Title
from layers.extent import BBox
from tiles.labels import label_attributes, label_layer_name

STATUS_COLORS: dict[str, tuple[str, Title]] = {
    "spacesAvailable": ("#009e73", Title("Free", "有空位")),
    "almostFull": ("#e69f00", Title("Almost full", "即将满")),
    "full": ("#d1341f", Title("Full", "已满")),
    "closed": ("#6b7280", Title("Closed", "关闭")),
    "unknown": ("#ffffff", Title("Unknown", "未知")),
}

Json = dict[str, Any]


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


def map_style(layers: Sequence[Layer], level: Clearance, *, name: str, city: CityOnMap) -> Json:
    """A MapLibre style (version 8) of layers, in drawing order, with their legend as metadata."""
    extent = city.extent
    middle = ((extent.west + extent.east) / 2, (extent.south + extent.north) / 2, 11)
    *center, zoom = city.view or middle
    return {
        "version": 8,
        "name": name,
        "metadata": {
            "geoservice:city": _city_metadata(city),
            "geoservice:clearance": level.label,
            "geoservice:layers": [_layer_metadata(layer, level) for layer in layers],
        },
        "center": center,
        "zoom": zoom,
        "sources": {layer.name: _source(layer, city) for layer in layers},
        "layers": [
            {"id": "background", "type": "background", "paint": {"background-color": "#e8eff4"}},
            *(part for layer in layers for part in _shapes(layer)),
            *(part for layer in layers for part in _labels(layer, level)),
        ],
    }


def _city_metadata(city: CityOnMap) -> Json:
    described: Json = {
        "name": city.name.as_json(),
        "extent": city.extent.as_list(),
        "time_zone": city.time_zone,
    }
    if city.view:
        described["view"] = list(city.view)
    return described


def _source(layer: Layer, city: CityOnMap) -> Json:
    source: Json = {"type": "vector", "url": f"/tiles/{layer.name}.json"}
    if city.attribution:
        source["attribution"] = html.escape(city.attribution)
    return source


def _layer_metadata(layer: Layer, level: Clearance) -> Json:
    described = {
        "name": layer.name,
        "title": layer.title.as_json(),
        "group": layer.group.as_json(),
        "description": layer.description.as_json(),
        "geometry_type": layer.geometry_type.value,
        "clearance": layer.clearance.label,
        "minzoom": layer.drawn_from,
        "legend": list(_legend(layer, level)),
        "attributes": [_attribute_metadata(a) for a in layer.attributes_at(level)],
    }
    if layer.style.live:
        described["live_minzoom"] = max(layer.drawn_from, layer.style.live_minzoom)
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


def _legend(layer: Layer, level: Clearance) -> Iterator[Json]:
    shape = ("circle", "line", "fill")[layer.geometry_type.dimension]
    if layer.style.live:
        for status, (color, title) in STATUS_COLORS.items():
            yield {"label": title.as_json(), "color": color, "shape": shape, "status": status}
        return
    colored = layer.attribute[layer.style.color_by] if layer.style.color_by else None
    if colored is None or colored.codes is None:
        yield {"label": layer.title.as_json(), "color": layer.style.color, "shape": shape}
        return
    for attribute, entry in _legend_codes(layer, colored):
        if entry.color and _may_show(layer, attribute, entry.code, level):
            yield {"label": entry.title.as_json(), "color": entry.color, "shape": shape}


def _legend_codes(layer: Layer, colored: Attribute) -> Iterator[tuple[Attribute, Code]]:
    """The codes of a legend: classes that sum up the kinds, then kinds of another colour."""
    summed = layer.attribute[layer.style.legend_by] if layer.style.legend_by else colored
    sums = summed.codes.codes if summed.codes else ()
    yield from ((summed, entry) for entry in sums)
    if summed is not colored and colored.codes:
        told = {entry.color for entry in sums}
        yield from ((colored, entry) for entry in colored.codes.codes if entry.color not in told)


def _may_show(layer: Layer, colored: Attribute, code: str, level: Clearance) -> bool:
    """Whether rows of a code can be open to a level, so that a legend promises nothing hidden."""
    rule = layer.row_clearance
    if rule is None:
        return True
    deciding = layer.attribute[rule.attribute]
    if deciding.derived and deciding.derived.attribute == colored.name and deciding.derived.mapping:
        code = deciding.derived.mapping.get(code, "")
    elif deciding.name != colored.name:
        return True
    return rule.of(code) <= level


def _color(layer: Layer) -> Any:
    style = layer.style
    if style.live:
        return [
            "match",
            ["coalesce", ["feature-state", "status"], "none"],
            *(part for status, (color, _) in STATUS_COLORS.items() for part in (status, color)),
            style.color,
        ]
    codes = layer.attribute[style.color_by].codes if style.color_by else None
    pairs = [part for c in (codes.codes if codes else ()) if c.color for part in (c.code, c.color)]
    if not pairs:
        return style.color
    return ["match", ["coalesce", ["get", style.color_by], ""], *pairs, style.color]


def _part(layer: Layer, part: str, kind: str, **members: Any) -> Json:
    return {
        "id": f"{layer.name}-{part}" if part else layer.name,
        "type": kind,
        "source": layer.name,
        "source-layer": layer.name,
        "minzoom": layer.drawn_from,
        "metadata": {"geoservice:layer": layer.name},
        **members,
    }


def _width(width_px: float, scale: Any = 1) -> list[Any]:
    """A width by zoom: as given at zoom 16, thinner out, wider in; ``scale`` may be by feature."""
    stops = ((12, 0.28), (14, 0.55), (16, 1.0), (19, 2.5))

    def at(factor: float) -> Any:
        width = round(width_px * factor, 2)
        return width if scale == 1 else ["*", width, scale]

    return [
        "interpolate",
        ["linear"],
        ["zoom"],
        *(part for zoom, factor in stops for part in (zoom, at(factor))),
    ]


def _scale(layer: Layer) -> Any:
    """How much wider than others a feature is drawn: 1, or by its code."""
    factors = layer.style.width_factors
    if not factors:
        return 1
    pairs = [part for pair in factors.items() for part in pair]
    return ["match", ["coalesce", ["get", layer.style.width_by], ""], *pairs, 1]


def _shapes(layer: Layer) -> Iterator[Json]:
    yield from (_points, _lines, _areas)[layer.geometry_type.dimension](layer)


def _points(layer: Layer) -> Iterator[Json]:
    paint = {
        "circle-color": _color(layer),
        "circle-radius": _width(layer.style.width_px / 2),
        "circle-stroke-width": _width(layer.style.width_px / 9),
        "circle-stroke-color": layer.style.outline or "#ffffff",
    }
    if layer.style.live:
        stale = ["==", ["feature-state", "freshness"], "stale"]
        unknown = ["==", ["coalesce", ["feature-state", "status"], "none"], "unknown"]
        paint["circle-opacity"] = ["case", stale, 0.55, 1]
        paint["circle-stroke-color"] = ["case", unknown, "#555555", "#ffffff"]
    yield _part(layer, "circle", "circle", paint=paint)


def _lines(layer: Layer) -> Iterator[Json]:
    scale = _scale(layer)
    layout: Json = {"line-cap": "round", "line-join": "round"}
    if scale != 1:
        layout["line-sort-key"] = scale  # wide roads run over narrow ones
    if layer.style.outline:
        casing = {
            "line-color": layer.style.outline,
            "line-width": _width(layer.style.width_px * 1.35, scale),
        }
        yield _part(layer, "casing", "line", layout=layout, paint=casing)
    paint = {"line-color": _color(layer), "line-width": _width(layer.style.width_px, scale)}
    yield _part(layer, "line", "line", layout=layout, paint=paint)


def _areas(layer: Layer) -> Iterator[Json]:
    fill = {"fill-color": _color(layer), "fill-opacity": layer.style.opacity}
    yield _part(layer, "fill", "fill", paint=fill)
    if layer.style.outline:
        width = _width(layer.style.width_px, _scale(layer))
        outline: Json = {"line-color": layer.style.outline, "line-width": width}
        if layer.style.dashed:
            outline["line-dasharray"] = [4, 2]
        yield _part(layer, "outline", "line", paint=outline)


def _labels(layer: Layer, level: Clearance) -> Iterator[Json]:
    label = layer.style.label
    if label is None or label not in {a.name for a in layer.tile_attributes_at(level)}:
        return
    yield _label(layer, level, LabelRank("", 12, layer.style.label_minzoom))
    for rank in reversed(layer.style.label_ranks):  # what is drawn last is placed first
        yield _label(layer, level, rank)


def _label(layer: Layer, level: Clearance, rank: LabelRank) -> Json:
    style = layer.style
    layout: Json = {"text-field": _label_text(layer), "text-size": rank.size_px}
    if layer.geometry_type.dimension == 1:
        layout |= {"symbol-placement": "line", "symbol-spacing": 400}
    elif layer.geometry_type.dimension == 0:
        layout |= {"text-anchor": "top", "text-offset": [0, 0.8], "text-padding": 6}
    paint = {"text-color": style.label_color, "text-halo-color": "#ffffff", "text-halo-width": 1.4}
    zooms: Json = {"minzoom": max(layer.drawn_from, rank.minzoom)}
    if style.label_ranks:
        zooms |= {"maxzoom": rank.maxzoom, "filter": _ranked_as(layer, rank)}
    if label_attributes(layer, level):
        zooms["source-layer"] = label_layer_name(layer)
    name = f"label-{rank.code}" if rank.code else "label"
    return _part(layer, name, "symbol", layout=layout, paint=paint) | zooms


def _ranked_as(layer: Layer, rank: LabelRank) -> Any:
    code = ["coalesce", ["get", layer.style.label_by], ""]
    if rank.code:
        return ["==", code, rank.code]
    return ["!", ["in", code, ["literal", [one.code for one in layer.style.label_ranks]]]]


def _label_text(layer: Layer) -> Any:
    text = ["coalesce", ["get", layer.style.label], ""]
    tail = layer.style.label_tail
    return text if tail is None else ["slice", text, ["-", ["min", tail, ["length", text]]]]

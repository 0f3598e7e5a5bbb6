"""MapLibre styles made from layer descriptors: sources, drawing order, colours, labels, legend.

A style holds only what the level may see. Labels need no glyph server: clients draw them with
local fonts. Live facilities take their colour from the feature state ``status`` that the map sets
from ``/availability``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from layers.access import Clearance
from layers.base import Attribute, GeometryType, Layer, Title
from layers.extent import BBox

STATUS_COLORS: dict[str, tuple[str, Title]] = {
    "spacesAvailable": ("#009e73", Title("Free", "有空位")),
    "almostFull": ("#e69f00", Title("Almost full", "即将满")),
    "full": ("#d1341f", Title("Full", "已满")),
    "closed": ("#4a4f57", Title("Closed", "关闭")),
    "unknown": ("#ffffff", Title("Unknown", "未知")),
}

Json = dict[str, Any]


def map_style(
    layers: Sequence[Layer],
    level: Clearance,
    *,
    name: str,
    city: Title,
    extent: BBox,
    time_zone: str,
) -> Json:
    """A MapLibre style (version 8) of layers, in drawing order, with their legend as metadata."""
    return {
        "version": 8,
        "name": name,
        "metadata": {
            "geoservice:city": {
                "name": city.as_json(),
                "extent": extent.as_list(),
                "time_zone": time_zone,
            },
            "geoservice:clearance": level.label,
            "geoservice:layers": [_layer_metadata(layer, level) for layer in layers],
        },
        "center": [(extent.west + extent.east) / 2, (extent.south + extent.north) / 2],
        "zoom": 11,
        "sources": {
            layer.name: {"type": "vector", "url": f"/tiles/{layer.name}.json"} for layer in layers
        },
        "layers": [
            {"id": "background", "type": "background", "paint": {"background-color": "#eef3f6"}},
            *(part for layer in layers for part in _shapes(layer)),
            *(part for layer in layers for part in _labels(layer, level)),
        ],
    }


def _layer_metadata(layer: Layer, level: Clearance) -> Json:
    return {
        "name": layer.name,
        "title": layer.title.as_json(),
        "group": layer.group.as_json(),
        "description": layer.description.as_json(),
        "geometry_type": layer.geometry_type.value,
        "clearance": layer.clearance.label,
        "minzoom": layer.minzoom,
        "legend": list(_legend(layer, level)),
        "attributes": [_attribute_metadata(a) for a in layer.attributes_at(level)],
    }


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
    for entry in colored.codes.codes:
        if entry.color and _may_show(layer, colored, entry.code, level):
            yield {"label": entry.title.as_json(), "color": entry.color, "shape": shape}


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
        "minzoom": layer.minzoom,
        "metadata": {"geoservice:layer": layer.name},
        **members,
    }


def _width(width_px: float) -> list[Any]:
    """Line width by zoom: as given at zoom 16, thinner out, wider in."""
    stops = ((10, 0.25), (13, 0.5), (16, 1.0), (19, 2.5))
    return [
        "interpolate",
        ["linear"],
        ["zoom"],
        *(part for zoom, factor in stops for part in (zoom, round(width_px * factor, 2))),
    ]


def _shapes(layer: Layer) -> Iterator[Json]:
    yield from (_points, _lines, _areas)[layer.geometry_type.dimension](layer)


def _points(layer: Layer) -> Iterator[Json]:
    paint = {
        "circle-color": _color(layer),
        "circle-radius": _width(layer.style.width_px / 2),
        "circle-stroke-width": _width(1.2),
        "circle-stroke-color": layer.style.outline or "#ffffff",
    }
    if layer.style.live:
        stale = ["==", ["feature-state", "freshness"], "stale"]
        unknown = ["==", ["coalesce", ["feature-state", "status"], "none"], "unknown"]
        paint["circle-opacity"] = ["case", stale, 0.55, 1]
        paint["circle-stroke-color"] = ["case", unknown, "#555555", "#ffffff"]
    yield _part(layer, "circle", "circle", paint=paint)


def _lines(layer: Layer) -> Iterator[Json]:
    layout = {"line-cap": "round", "line-join": "round"}
    if layer.style.outline:
        casing = {
            "line-color": layer.style.outline,
            "line-width": _width(layer.style.width_px * 1.35),
        }
        yield _part(layer, "casing", "line", layout=layout, paint=casing)
    paint = {"line-color": _color(layer), "line-width": _width(layer.style.width_px)}
    yield _part(layer, "line", "line", layout=layout, paint=paint)


def _areas(layer: Layer) -> Iterator[Json]:
    fill = {"fill-color": _color(layer), "fill-opacity": layer.style.opacity}
    yield _part(layer, "fill", "fill", paint=fill)
    if layer.style.outline:
        outline: Json = {"line-color": layer.style.outline, "line-width": _width(1.0)}
        if layer.style.dashed:
            outline["line-dasharray"] = [4, 2]
        yield _part(layer, "outline", "line", paint=outline)


def _labels(layer: Layer, level: Clearance) -> Iterator[Json]:
    label = layer.style.label
    if label is None or label not in {a.name for a in layer.tile_attributes_at(level)}:
        return
    along_line = layer.geometry_type is GeometryType.MULTI_LINE_STRING
    layout: Json = {
        "text-field": ["coalesce", ["get", label], ""],
        "text-size": 12,
        "symbol-placement": "line" if along_line else "point",
    }
    if layer.geometry_type.dimension == 0:
        layout |= {"text-anchor": "top", "text-offset": [0, 0.8], "text-optional": True}
    paint = {"text-color": "#333333", "text-halo-color": "#ffffff", "text-halo-width": 1.4}
    yield _part(layer, "label", "symbol", layout=layout, paint=paint) | {
        "minzoom": max(layer.minzoom, layer.style.label_minzoom)
    }

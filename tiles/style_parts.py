"""The layers of a MapLibre style that draw the shapes of one layer of the city.

Below a layer's base zoom tiles hold an overview: lines and areas thinned out, points gathered into
clusters, which are features with ``point_count``. Both are drawn by the parts made here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from layers.base import Layer
from tiles.legend import STATUS_COLORS, drawn_color, is_live
from tiles.looks import Look
from tiles.sprites import pattern_codes, pattern_name, symbol_name
from tiles.symbols import SYMBOLS

Json = dict[str, Any]

_IS_CLUSTER = ["has", "point_count"]
_HATCHED_FROM = 15
"""Zoom from which print adds patterns to colours; further out areas are smaller than a pattern."""

_WIDTH_STOPS = ((6, 0.12), (9, 0.18), (12, 0.28), (14, 0.55), (16, 1.0), (19, 2.5))
_POINT_STOPS = ((9, 0.08), (12, 0.18), (14, 0.5), (16, 1.0), (19, 2.5))
"""Points are many where they are small, so they become smaller sooner than lines become thin."""

_SYMBOL_SIZE = (15, 0.42, 16, 0.58, 19, 0.95)


def part(layer: Layer, name: str, kind: str, **members: Any) -> Json:
    """One layer of the style; members that are given take the place of the usual ones."""
    return {
        "id": f"{layer.name}-{name}",
        "type": kind,
        "source": layer.name,
        "source-layer": layer.name,
        "minzoom": layer.drawn_from,
        "metadata": {"geoservice:layer": layer.name},
        **members,
    }


def shape_parts(layer: Layer, look: Look, *, over_others: bool) -> Iterator[Json]:
    """What draws the shapes of a layer.

    Args:
        over_others: Whether lines or points of other layers lie below, so that areas must not
            cover them.
    """
    dimension = layer.geometry_type.dimension
    if dimension == 0:
        yield from _points(layer, look)
    elif dimension == 1:
        yield from _lines(layer, look)
    else:
        yield from _areas(layer, look, over_others=over_others)


def by_code(layer: Layer, of_code: dict[str, str], otherwise: str) -> Any:
    """A value by the code of a feature; the value itself where all codes have the same."""
    pairs = [member for pair in of_code.items() for member in pair]
    if not pairs:
        return otherwise
    return ["match", ["coalesce", ["get", layer.style.color_by], ""], *pairs, otherwise]


def _colors(layer: Layer) -> dict[str, str]:
    codes = layer.attribute[layer.style.color_by].codes if layer.style.color_by else None
    return {one.code: one.color for one in (codes.codes if codes else ()) if one.color}


def _color(layer: Layer, look: Look) -> Any:
    """The colour of lines and points."""
    own = drawn_color(layer, layer.style.color, look)
    if is_live(layer, look):
        statuses = {status: look.line(color) for status, (color, _) in STATUS_COLORS.items()}
        pairs = [member for pair in statuses.items() for member in pair]
        return ["match", ["coalesce", ["feature-state", "status"], "none"], *pairs, own]
    of_code = {code: drawn_color(layer, color, look) for code, color in _colors(layer).items()}
    return by_code(layer, of_code, own)


def _width(
    width_px: float, scale: Any = 1, stops: Sequence[tuple[int, float]] = _WIDTH_STOPS
) -> list[Any]:
    """A width by zoom: as given at zoom 16, thinner out, wider in; ``scale`` may be by feature."""

    def at(factor: float) -> Any:
        width = round(width_px * factor, 2)
        return width if scale == 1 else ["*", width, scale]

    members = (member for zoom, factor in stops for member in (zoom, at(factor)))
    return ["interpolate", ["linear"], ["zoom"], *members]


def _scale(layer: Layer) -> Any:
    """How much wider than others a feature is drawn: 1, or by its code."""
    factors = layer.style.width_factors
    if not factors:
        return 1
    pairs = [member for pair in factors.items() for member in pair]
    return ["match", ["coalesce", ["get", layer.style.width_by], ""], *pairs, 1]


def _points(layer: Layer, look: Look) -> Iterator[Json]:
    style = layer.style
    rim = look.rim(style.outline or "#ffffff")
    paint = {
        "circle-color": _color(layer, look),
        "circle-radius": _width(style.width_px / 2, stops=_POINT_STOPS),
        "circle-stroke-width": _width(style.width_px / 9, stops=_POINT_STOPS),
        "circle-stroke-color": rim,
    }
    if is_live(layer, look):
        stale = ["==", ["feature-state", "freshness"], "stale"]
        unknown = ["==", ["coalesce", ["feature-state", "status"], "none"], "unknown"]
        paint["circle-opacity"] = ["case", stale, 0.55, 1]
        paint["circle-stroke-color"] = ["case", unknown, "#555555", rim]
    yield part(layer, "circle", "circle", filter=["!", _IS_CLUSTER], paint=paint)
    yield from _symbols(layer)
    yield from _clusters(layer, look)


def _symbols(layer: Layer) -> Iterator[Json]:
    style = layer.style
    known = {value: symbol for value, symbol in style.symbols.items() if symbol in SYMBOLS}
    if not known:
        return
    pairs = [member for value, name in known.items() for member in (value, symbol_name(name))]
    layout = {
        "icon-image": ["match", ["get", style.symbol_by], *pairs, ""],
        "icon-size": ["interpolate", ["linear"], ["zoom"], *_SYMBOL_SIZE],
        "icon-allow-overlap": True,
        "icon-ignore-placement": True,
    }
    yield part(
        layer,
        "symbol",
        "symbol",
        minzoom=max(layer.drawn_from, style.symbol_minzoom),
        filter=["in", ["coalesce", ["get", style.symbol_by], ""], ["literal", list(known)]],
        layout=layout,
    )


def _clusters(layer: Layer, look: Look) -> Iterator[Json]:
    """Discs as large as the logarithm of how many points they stand for, and that number."""
    count = ["get", "point_count"]
    paint = {
        "circle-color": drawn_color(layer, layer.style.color, look),
        "circle-radius": ["interpolate", ["linear"], ["log10", count], 0, 9, 2, 14, 5, 30],
        "circle-stroke-width": 2,
        "circle-stroke-color": look.halo,
        "circle-opacity": 1 if look.is_for_paper else 0.9,
    }
    yield part(layer, "cluster", "circle", filter=_IS_CLUSTER, paint=paint)
    thousands = ["concat", ["to-string", ["round", ["/", count, 1000]]], "k"]
    layout = {
        "text-field": ["case", [">=", count, 10_000], thousands, ["to-string", count]],
        "text-size": 12,
        "text-allow-overlap": True,
    }
    counted = {
        "text-color": look.ink,
        "text-halo-color": look.halo,
        "text-halo-width": 1.6,
    }
    members = {"filter": _IS_CLUSTER, "layout": layout, "paint": counted}
    yield part(layer, "cluster-count", "symbol", **members)


def _lines(layer: Layer, look: Look) -> Iterator[Json]:
    style, scale = layer.style, _scale(layer)
    width_px = style.width_px * look.width_factor
    layout: Json = {"line-cap": "round", "line-join": "round"}
    if scale != 1:
        layout["line-sort-key"] = scale  # wide roads run over narrow ones
    if style.outline:
        casing = {
            "line-color": look.casing(style.outline),
            "line-width": _width(width_px * 1.35, scale),
        }
        yield part(layer, "casing", "line", layout=layout, paint=casing)
    paint = {"line-color": _color(layer, look), "line-width": _width(width_px, scale)}
    yield part(layer, "line", "line", layout=layout, paint=paint)


def _areas(layer: Layer, look: Look, *, over_others: bool) -> Iterator[Json]:
    style = layer.style
    if not (look.is_for_paper and over_others):
        own, opacity = look.fill(style.color, style.opacity)
        of_code = {c: look.fill(color, style.opacity)[0] for c, color in _colors(layer).items()}
        fill = {"fill-color": by_code(layer, of_code, own), "fill-opacity": opacity}
        yield part(layer, "fill", "fill", paint=fill)
    if look.is_for_paper and (over_others or style.color_by):
        yield from _hatch(layer, 0 if over_others else _HATCHED_FROM)
    if style.outline:
        width = _width(style.width_px * look.width_factor, _scale(layer))
        outline: Json = {"line-color": look.outline(style.outline), "line-width": width}
        if style.dashed:
            outline["line-dasharray"] = [4, 2]
        yield part(layer, "outline", "line", paint=outline)


def _hatch(layer: Layer, minzoom: int) -> Iterator[Json]:
    patterns = {code: pattern_name(layer, code) for code, _ in pattern_codes(layer)}
    own = patterns.pop("")
    paint = {"fill-pattern": by_code(layer, patterns, own)}
    yield part(layer, "hatch", "fill", minzoom=max(layer.drawn_from, minzoom), paint=paint)

"""Models of pipe networks (.inp of EPANET and of SWMM) as layers ``nodes`` and ``links``.

The sections of a file tell which of the two it is. Lengths and heights come out in metres and
diameters in millimetres, whatever the units of the model; names stay texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import shapely

from .epanet import read_epanet
from .networks import Model, Values, sections_of
from .stream import Contents, Reading, Refused, choose, text_batches
from .swmm import read_swmm

_NODES, _LINKS = "nodes", "links"
_GEOMETRY_TYPES = {_NODES: "Point", _LINKS: "LineString Z"}
_COLUMNS: dict[str, tuple[str, ...]] = {
    _NODES: (
        "name",
        "node_type",
        "appurtenance",
        "ground_elevation_m",
        "well_depth_m",
        "invert_elevation_m",
        "head_m",
    ),
    _LINKS: (
        "name",
        "link_type",
        "start_node",
        "end_node",
        "diameter_mm",
        "section",
        "length_m",
        "roughness",
        "initial_status",
        "start_elevation_m",
        "end_elevation_m",
        "depth_ref",
    ),
}
_APPURTENANCES = {
    "reservoir": "水源",
    "tank": "水池",
    "outfall": "出水口",
    "storage": "调蓄池",
    "divider": "分流井",
}
_PARTS = {
    _NODES: ("JUNCTIONS", "RESERVOIRS", "TANKS", "OUTFALLS", "STORAGE", "DIVIDERS"),
    _LINKS: ("PIPES", "PUMPS", "VALVES", "CONDUITS", "ORIFICES", "WEIRS", "OUTLETS"),
}
_SWMM_SECTIONS = {"CONDUITS", "OUTFALLS", "SUBCATCHMENTS", "XSECTIONS", "RAINGAGES", "DIVIDERS"}
_EPANET_SECTIONS = {"PIPES", "RESERVOIRS", "TANKS", "VALVES", "DEMANDS", "EMITTERS"}

Row = tuple[Sequence[str | None], str | None, bytes | None]


def layers(request: dict[str, Any]) -> list[Contents]:
    """Nodes and links, where there are any; whether the model is valid shows when it is read."""
    sections = sections_of(request["path"])
    _is_swmm(sections)
    return [
        Contents(name, _COLUMNS[name], _GEOMETRY_TYPES[name], count)
        for name, parts in _PARTS.items()
        if (count := sum(len(sections.get(part, ())) for part in parts))
    ]


@contextmanager
def opened(request: dict[str, Any]) -> Iterator[Reading]:
    """The rows of one of the two."""
    model = _read(request["path"])
    present = [name for name, some in ((_NODES, model.nodes), (_LINKS, model.links)) if some]
    name = choose(present, request["layer"])
    rows = _node_rows(model) if name == _NODES else _link_rows(model)
    count = len(model.nodes) if name == _NODES else len(model.links)
    yield Reading(_COLUMNS[name], text_batches(_COLUMNS[name], rows), None, count)


def _read(path: str) -> Model:
    sections = sections_of(path)
    model = read_swmm(sections) if _is_swmm(sections) else read_epanet(path, sections)
    model.check()
    return model


def _is_swmm(sections: Mapping[str, list[list[str]]]) -> bool:
    signs_of_swmm = _SWMM_SECTIONS & sections.keys()
    if not signs_of_swmm and not _EPANET_SECTIONS & sections.keys():
        held = ", ".join(sorted(sections)[:10]) or "none"
        message = f"is no model of EPANET or SWMM; its sections: {held[:200]}"
        raise Refused(message)
    return bool(signs_of_swmm)


def _node_rows(model: Model) -> Iterator[Row]:
    for node in model.nodes:
        values = {
            "name": node.name,
            "node_type": node.node_type,
            "appurtenance": _APPURTENANCES.get(node.node_type),
            **node.values,
        }
        point = shapely.Point(*node.position) if node.position is not None else None
        yield _texts(values, _NODES), None, shapely.to_wkb(point) if point else None


def _link_rows(model: Model) -> Iterator[Row]:
    for link, line in zip(model.links, model.lines(), strict=True):
        values = {
            "name": link.name,
            "link_type": link.link_type,
            "start_node": link.start,
            "end_node": link.end,
            **link.values,
        }
        shape = shapely.LineString(line) if line is not None else None
        wkb = shapely.to_wkb(shape, output_dimension=3) if shape is not None else None
        yield _texts(values, _LINKS), None, wkb


def _texts(values: Values, layer: str) -> list[str | None]:
    return [_text(values.get(column)) for column in _COLUMNS[layer]]


def _text(value: float | str | None) -> str | None:
    """A value as text; a micrometre is the finest that is written."""
    if value is None or isinstance(value, str):
        return value
    return repr(round(float(value), 6)) if math.isfinite(value) else None

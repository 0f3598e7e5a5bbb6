"""The drawing of a longitudinal section: ground, crown, invert and the nodes between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from geoservice.drawings.scene import Column, Line, Mark, Scene
from geoservice.drawings.section import (
    EXAGGERATED,
    GROUND_COLOR,
    UNKNOWN_GROUND,
    UNKNOWN_LAYER,
    color_of,
    ground_lines,
    layer_of,
    number_text,
    remarks_of,
    size_text,
    title_of,
)
from layers.codes import MATERIALS, PIPE_KINDS
from layers.underground.profile import Leg, Node, Profile, Station

_NODE_COLOR = "#6b747d"
_COLUMNS = (
    Column("管段 segment", 110),
    Column("类别 kind", 90),
    Column("规格 size", 80),
    Column("材质 material", 105),
    Column("起点 from", 95),
    Column("终点 to", 95),
    Column("里程 m", 105),
    Column("坡度 ‰", 65),
    Column("管底 invert m", 115),
    Column("覆土 cover m", 115),
)


def profile_scene(found: Profile, remarks: Sequence[str]) -> Scene:
    """A path with what is known along it; what is not known is marked, not placed."""
    legs = list(zip(found.legs, found.stations, strict=True))
    lines = [line for leg, stations in legs for line in _pipe_lines(leg, stations)]
    unknown = [_unknown(leg) for leg, stations in legs if not _has_elevation(stations)]
    marks = sorted([*(_node_mark(node) for node in found.nodes), *unknown], key=lambda mark: mark.x)
    return Scene(
        f"管线纵断面图 Longitudinal section · {found.length_m:.1f} m",
        found.length_m,
        (*_ground(found), *lines, *_shafts(found)),
        (),
        tuple(marks),
        _COLUMNS,
        tuple(_row(leg, stations) for leg, stations in legs),
        tuple(remarks),
    )


def profile_remarks(found: Profile) -> list[str]:
    """What a reader must know of the ground."""
    if found.ground.raster:
        return remarks_of(found.ground, ())
    known = any(node.ground_m is not None for node in found.nodes)
    source = "地面线为相邻管点连线 straight between surveyed nodes" if known else UNKNOWN_GROUND
    return [f"{source};{EXAGGERATED}"]


def _ground(found: Profile) -> Iterator[Line]:
    """Of the terrain model; where there is none, straight from one surveyed node to the next."""
    if found.ground.raster:
        yield from ground_lines(found.ground)
        return
    for before, after in pairwise(found.nodes):
        if before.ground_m is not None and after.ground_m is not None:
            points = ((before.distance_m, before.ground_m), (after.distance_m, after.ground_m))
            yield Line(points, "GROUND", GROUND_COLOR, 2.0)


def _has_elevation(stations: Sequence[Station]) -> bool:
    return any(station.heights.elevation_m is not None for station in stations)


def _pipe_lines(leg: Leg, stations: Sequence[Station]) -> Iterator[Line]:
    """Crown and invert; of a pipe without a size the one line that is known."""
    heights = [station.heights for station in stations]
    edges = [[each.crown_m for each in heights], [each.invert_m for each in heights]]
    if all(each is None for edge in edges for each in edge):
        edges = [[each.elevation_m for each in heights]]
    for edge in edges:
        known = [
            (station.distance_m, y)
            for station, y in zip(stations, edge, strict=True)
            if y is not None
        ]
        if len(known) > 1:
            yield Line(tuple(known), layer_of(leg.pipe), color_of(leg.pipe), 2.0)


def _shafts(found: Profile) -> Iterator[Line]:
    """From the ground at a node down to its bottom, else to the lowest pipe that ends there."""
    for number, node in enumerate(found.nodes):
        beside = [
            *(stations[-1] for stations in found.stations[max(0, number - 1) : number]),
            *(stations[0] for stations in found.stations[number : number + 1]),
        ]
        depths = [node.bottom_m, *(one.heights.invert_m for one in beside)]
        depths += [one.heights.elevation_m for one in beside]
        known = [depth for depth in depths if depth is not None]
        if node.ground_m is not None and known:
            points = ((node.distance_m, node.ground_m), (node.distance_m, min(known)))
            yield Line(points, "NODES", _NODE_COLOR, 1.0)


def _node_mark(node: Node) -> Mark:
    what = node.appurtenance or node.feature or ""
    name = node.code or "?"
    text = f"{name} {what} 地面{number_text(node.ground_m)} 井底{number_text(node.bottom_m)}"
    y = node.bottom_m if node.ground_m is None else node.ground_m
    return Mark(node.distance_m, y, name, text, "NODES", _NODE_COLOR)


def _unknown(leg: Leg) -> Mark:
    text = f"{leg.pipe.name} {size_text(leg.pipe)} 高程不详"
    middle = (leg.start_m + leg.end_m) / 2
    return Mark(middle, None, "高程不详", text, UNKNOWN_LAYER, color_of(leg.pipe))


def _row(leg: Leg, stations: Sequence[Station]) -> tuple[str, ...]:
    pipe, first, last = leg.pipe, stations[0], stations[-1]
    return (
        pipe.name,
        title_of(PIPE_KINDS, pipe.attributes.get("kind")),
        size_text(pipe),
        title_of(MATERIALS, pipe.attributes.get("material")),
        leg.start_node or "不详",
        leg.end_node or "不详",
        f"{leg.start_m:.1f} – {leg.end_m:.1f}",
        number_text(leg.slope_permille),
        f"{number_text(first.heights.invert_m)} – {number_text(last.heights.invert_m)}",
        f"{number_text(first.cover_m)} – {number_text(last.cover_m)}",
    )

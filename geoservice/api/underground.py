"""Sections through the ground: which pipes a line cuts, and how deep they lie."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import shapely
from fastapi import APIRouter, Body, Query
from shapely.geometry import LineString
from starlette.responses import Response

from geoservice.api.underground_asks import (
    FORMS,
    Form,
    Json,
    RequestedForm,
    RequestedUnderground,
    Underground,
    ground_document,
    time_remark,
)
from geoservice.drawings.profile import profile_remarks, profile_scene
from geoservice.drawings.section import remarks_of, section_scene
from geoservice.settings import CitySettings
from geoservice.terrain import ground_along
from layers.city import CityFrame
from layers.errors import FeatureNotFound, InvalidBody, InvalidParameter, RequestError
from layers.extent import BBox
from layers.features import COORDINATE_DECIMALS
from layers.pipeline_nodes import LAYER as NODES
from layers.pipelines import LAYER as PIPELINES
from layers.underground.ground import Ground
from layers.underground.lines import (
    DrawnLine,
    drawn_line,
    from_plane,
    parse_positions,
    positions_of,
)
from layers.underground.pipes import (
    Heights,
    hidden_categories,
    pipes_along,
    pipes_numbered,
    pipes_of,
)
from layers.underground.profile import (
    Node,
    Profile,
    Station,
    chained,
    node_names,
    nodes_named,
    nodes_of,
    profile_of,
)
from layers.underground.section import Cut, cuts_of

router = APIRouter(tags=["Underground"])

MAX_CUTS = 2_000
_TOO_MANY = f"meets more than {MAX_CUTS} pipes: draw a shorter one"
_MAX_NEAR = 2 * MAX_CUTS
"""Pipes that lie beside the line without being cut are read too."""

MAX_SEGMENTS = 200
MAX_STATIONS = 5_000
_DECIMALS = 4
_PATH = re.compile(r"[1-9]\d{0,15}(,[1-9]\d{0,15})*", re.ASCII)
_TOLD = ("code", "kind", "category", "diameter_mm", "section", "material", "owner", "z_source")


@router.get("/pipelines/section", summary="Pipes that a line cuts", responses=FORMS)
async def section(
    asked: RequestedUnderground,
    line: Annotated[
        str,
        Query(max_length=5_000, description="longitude,latitude;longitude,latitude in degrees"),
    ],
    f: RequestedForm = "json",
) -> Response:
    """Every pipe along a line of at most 2 km, with its depth and the ground above it."""
    try:
        drawn = drawn_line(parse_positions(line), _frame(asked.city))
    except ValueError as error:
        raise InvalidParameter("line", line, str(error)) from None
    too_many = InvalidParameter("line", line, _TOO_MANY)
    return await _section(asked, drawn, f, too_many)


@router.post("/pipelines/section", summary="Pipes that a line cuts", responses=FORMS)
async def posted_section(
    asked: RequestedUnderground,
    body: Annotated[Json, Body(description="GeoJSON LineString, or a feature that is one")],
    f: RequestedForm = "json",
) -> Response:
    """The same for a line of GeoJSON."""
    try:
        drawn = drawn_line(positions_of(body), _frame(asked.city))
    except ValueError as error:
        raise InvalidBody(str(error), "/coordinates") from None
    return await _section(asked, drawn, f, InvalidBody(_TOO_MANY, "/coordinates"))


def _frame(city: CitySettings) -> CityFrame:
    return CityFrame(city.name_en, BBox(*city.extent), city.plane_srid, city.time_zone)


async def _section(
    asked: Underground, line: DrawnLine, form: Form, too_many: RequestError
) -> Response:
    time, level = asked.time, asked.access.level
    path = LineString(line.lon_lat)
    statement = pipes_along(level, path, time.at, time.as_recorded, _MAX_NEAR + 1)
    rows = await asked.read(PIPELINES, statement)
    if len(rows) > _MAX_NEAR:
        raise too_many
    ground = await ground_along(asked.rasters, asked.access, line.lon_lat, line.length_m, time)
    cuts = await asyncio.to_thread(_cuts, line, rows, ground, asked.city.plane_srid)
    if len(cuts) > MAX_CUTS:
        raise too_many
    document = {
        "line": shapely.geometry.mapping(path),
        **_rounded(length_m=line.length_m),
        **asked.document(),
        **ground_document(ground),
        "cuts": _cut_documents(cuts, asked.city.plane_srid),
    }
    remarks = [time_remark(time.at, asked.city), *remarks_of(ground, hidden_categories(level))]
    return await asked.answer(
        form, document, lambda: section_scene(cuts, ground, line.length_m, remarks)
    )


def _cuts(
    line: DrawnLine, rows: Sequence[Mapping[Any, Any]], ground: Ground, plane_srid: int
) -> list[Cut]:
    return cuts_of(line.plane, pipes_of(rows, plane_srid), ground)


def _cut_documents(cuts: Sequence[Cut], plane_srid: int) -> list[Json]:
    if not cuts:
        return []
    places = [(cut.crossing.x_m, cut.crossing.y_m) for cut in cuts]
    lon_lat = from_plane(np.array(places), plane_srid).round(COORDINATE_DECIMALS).tolist()
    return [_cut_document(cut, *place) for cut, place in zip(cuts, lon_lat, strict=True)]


def _cut_document(cut: Cut, lon: float, lat: float) -> Json:
    crossing = cut.crossing
    return {
        "feature_id": cut.pipe.feature_id,
        **{name: cut.pipe.attributes.get(name) for name in _TOLD},
        "lon": lon,
        "lat": lat,
        **_rounded(
            distance_m=crossing.distance_m,
            end_distance_m=crossing.end_distance_m,
            x_m=crossing.x_m,
            y_m=crossing.y_m,
            angle_deg=crossing.angle_deg,
            ground_elevation_m=cut.ground_m,
            cover_m=cut.cover_m,
        ),
        "cover_from": cut.cover_from,
        **_height_members(cut.heights),
        "unknown": cut.unknown,
    }


def _height_members(heights: Heights) -> Json:
    return {
        "elevation_of": heights.elevation_of,
        **_rounded(
            elevation_m=heights.elevation_m,
            crown_elevation_m=heights.crown_m,
            invert_elevation_m=heights.invert_m,
        ),
    }


def _rounded(**values: float | None) -> Json:
    """Numbers to a tenth of a millimetre, which is finer than any survey."""
    return {
        name: None if value is None else round(value, _DECIMALS) for name, value in values.items()
    }


@router.get("/pipelines/profile", summary="A path through pipes", responses=FORMS)
async def profile(
    asked: RequestedUnderground,
    path: Annotated[
        str,
        Query(max_length=4_000, description="Feature ids of segments, in their order: 12,13,19"),
    ],
    f: RequestedForm = "json",
) -> Response:
    """Ground, crown, invert, slope and cover along segments that join, with their nodes."""
    numbers = _numbers(path)
    time, level, srid = asked.time, asked.access.level, asked.city.plane_srid
    statement = pipes_numbered(level, numbers, time.at, time.as_recorded)
    rows = {row["feature_id"]: row for row in await asked.read(PIPELINES, statement)}
    for number in numbers:
        if number not in rows:
            raise FeatureNotFound(PIPELINES.name, number)
    pipes = pipes_of([rows[number] for number in numbers], srid)
    if sum(len(pipe.axis.coords) for pipe in pipes) > MAX_STATIONS:
        raise InvalidParameter("path", path, f"has more than {MAX_STATIONS} points")
    try:
        legs = chained(pipes)
    except ValueError as error:
        raise InvalidParameter("path", path, str(error)) from None
    named = nodes_named(level, node_names(legs), time.at, time.as_recorded)
    nodes = nodes_of(await asked.read(NODES, named))
    places = from_plane(np.vstack([shapely.get_coordinates(leg.axis) for leg in legs]), srid)
    ground = await ground_along(asked.rasters, asked.access, places, legs[-1].end_m, time)
    found = profile_of(legs, nodes, ground)
    document = {
        "path": numbers,
        **_rounded(length_m=found.length_m),
        **asked.document(),
        **ground_document(ground),
        "segments": _segment_documents(found),
        "nodes": [_node_document(node) for node in found.nodes],
    }
    remarks = [time_remark(time.at, asked.city), *profile_remarks(found)]
    return await asked.answer(f, document, lambda: profile_scene(found, remarks))


def _numbers(path: str) -> list[int]:
    if not _PATH.fullmatch(path):
        raise InvalidParameter("path", path, "needs feature ids with commas: 12,13,19")
    numbers = [int(part) for part in path.split(",")]
    if len(numbers) > MAX_SEGMENTS or len(set(numbers)) < len(numbers):
        reason = f"needs at most {MAX_SEGMENTS} segments, each of them once"
        raise InvalidParameter("path", path, reason)
    return numbers


def _segment_documents(found: Profile) -> list[Json]:
    return [
        {
            "feature_id": leg.pipe.feature_id,
            **{name: leg.pipe.attributes.get(name) for name in _TOLD},
            "start_node": leg.start_node,
            "end_node": leg.end_node,
            "is_reversed": leg.is_reversed,
            **_rounded(start_m=leg.start_m, end_m=leg.end_m, slope_permille=leg.slope_permille),
            "stations": [_station_document(station) for station in stations],
        }
        for leg, stations in zip(found.legs, found.stations, strict=True)
    ]


def _station_document(station: Station) -> Json:
    return {
        **_rounded(distance_m=station.distance_m, ground_elevation_m=station.ground_m),
        "ground_from": station.ground_from,
        **_rounded(cover_m=station.cover_m),
        "cover_from": station.cover_from,
        **_height_members(station.heights),
    }


def _node_document(node: Node) -> Json:
    return {
        "code": node.code,
        "feature_id": node.feature_id,
        "feature": node.feature,
        "appurtenance": node.appurtenance,
        **_rounded(
            distance_m=node.distance_m,
            ground_elevation_m=node.ground_m,
            bottom_elevation_m=node.bottom_m,
        ),
        "ground_from": node.ground_from,
    }

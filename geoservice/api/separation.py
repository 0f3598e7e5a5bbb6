"""Which pipes are nearer to each other than the table of separations wants."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import shapely
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from geoservice.api.answers import cache_control, json_response
from geoservice.api.parameters import (
    CallerAccess,
    RequestedAsRecorded,
    RequestedBBox,
    RequestedInstant,
    ServiceDatabase,
    ServiceSettings,
)
from geoservice.api.pipe_scene import (
    PipeScene,
    described,
    millimetres,
    pipe_scene,
    refuse_outside,
)
from geoservice.api.posted_shapes import posted_shape
from layers.codes import CATEGORY_OF_KIND
from layers.errors import FeatureNotFound, InvalidBody, InvalidParameter
from layers.extent import BBox
from layers.pipelines import LAYER as PIPELINES
from layers.separation.bodies import (
    LARGEST_HALF_M,
    LARGEST_SIDE_MM,
    MOST_PIPES,
    Body,
    in_plane,
    proposed_body,
)
from layers.separation.judging import Finding, Judgement, judge
from layers.separation.table import SeparationTable

router = APIRouter(tags=["Pipe network"], prefix="/pipelines")

MOST_LISTED = 1_000
MOST_PROPOSED_POINTS = 2_000
_WIDEST_BOX_DEGREES = 5
_BENDS = 400
_ELEVATIONS_M = (-1_000, 10_000)

FeatureId = Annotated[int | None, Query(ge=1, lt=2**53, description="A pipe")]


class ProposedProperties(BaseModel):
    """What a proposed pipe is to be."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(max_length=10, description="Code of pipe_kinds, such as JS or TR")
    diameter_mm: float | None = Field(None, gt=0, le=LARGEST_SIDE_MM)
    section: str | None = Field(
        None,
        pattern=r"^[0-9]{1,6}(\.[0-9]{1,3})?\s*[*xX×]\s*[0-9]{1,6}(\.[0-9]{1,3})?$",
        max_length=30,
        description="Width x height in mm: 2000x1500",
    )
    burial: str | None = Field(None, max_length=10, description="Code of burials, such as ZM")
    pressure: str | None = Field(None, max_length=30, description="As in the layer, such as 中压")
    depth_m: float | None = Field(
        None, ge=0, le=100, description="Of the crown, for a line without elevations"
    )


class Proposal(BaseModel):
    """A proposed pipe as a GeoJSON feature; a third coordinate is the elevation of its axis."""

    type: Literal["Feature"]
    geometry: dict[str, Any]
    properties: ProposedProperties


@router.get("/separation", summary="Which pipes are too near to each other")
async def held_separation(  # one for each parameter
    request: Request,
    database: ServiceDatabase,
    settings: ServiceSettings,
    access: CallerAccess,
    instant: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    bbox: RequestedBBox,
    feature_id: FeatureId = None,
) -> Response:
    """Pairs with one pipe, or all pairs of an area, that are nearer than the table wants.

    Between outer faces: in height where pipes cross, else in plan. An area is all pipes that touch
    the box or come within the table's reach of it.
    """
    if (feature_id is None) == (bbox is None):
        raise InvalidParameter("feature_id", feature_id, "or bbox: one of them")
    scene = await pipe_scene(database, access, settings.city, instant, as_recorded)
    table: SeparationTable = request.app.state.separations
    subjects: Sequence[Body] | None = None
    if bbox is not None:
        pipes = await scene.within(_box(bbox, settings.city.plane_srid), table.reach_m)
    else:
        number = feature_id or 0
        pipe = await scene.pipe(number)
        if pipe is None:
            raise FeatureNotFound(PIPELINES.name, number)
        pipes = await scene.within(pipe.line, _reach_m(table, pipe))
        subjects = [one for one in pipes if one.pipe.feature_id == number]
    if len(pipes) > MOST_PIPES:
        asked = "feature_id" if bbox is None else "bbox"
        raise InvalidParameter(asked, None, f"has more than {MOST_PIPES:,} pipes around it")
    found = await asyncio.to_thread(judge, table, pipes, subjects)
    return _answer(scene, table, len(pipes), found)


@router.post("/separation", summary="Whether a proposed pipe is too near to others")
async def proposed_separation(  # one for each parameter
    request: Request,
    database: ServiceDatabase,
    settings: ServiceSettings,
    access: CallerAccess,
    instant: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    body: Proposal,
) -> Response:
    """Pairs of a proposed pipe and a held one that are nearer than the table wants."""
    scene = await pipe_scene(database, access, settings.city, instant, as_recorded)
    table: SeparationTable = request.app.state.separations
    line = posted_shape(body.geometry, "LineString")
    refuse_outside(settings.city, line, "/geometry/coordinates")
    pipe = _proposed(line, body.properties, settings.city.plane_srid)
    held = await scene.within(pipe.line, _reach_m(table, pipe))
    if len(held) > MOST_PIPES:
        raise InvalidBody(f"has more than {MOST_PIPES:,} pipes around it", "/geometry")
    found = await asyncio.to_thread(judge, table, [pipe, *held], [pipe])
    return _answer(scene, table, len(held), found)


def _box(bbox: BBox, plane_srid: int) -> Any:
    """The box as a shape in the plane.

    Raises:
        InvalidParameter: it is too large for one.
    """
    width, height = bbox.east - bbox.west, bbox.north - bbox.south
    if not (0 <= width <= _WIDEST_BOX_DEGREES and height <= _WIDEST_BOX_DEGREES):
        raise InvalidParameter("bbox", None, "is larger than a city")
    ends = [(x, y) for x in (bbox.west, bbox.east) for y in (bbox.south, bbox.north)]
    # Of a box without width or height this is a line or a point.
    hull = shapely.MultiPoint(ends).convex_hull
    # A parallel is bent in the plane.
    bent = shapely.segmentize(hull, max(width, height, 1e-6) / _BENDS)
    shape = in_plane(bent, plane_srid)
    if not np.isfinite(shapely.get_coordinates(shape)).all():
        raise InvalidParameter("bbox", None, "lies too far from the city")
    return shape


def _reach_m(table: SeparationTable, pipe: Body) -> float:
    """Within which of the axis of a pipe lie the axes of all that may be too near."""
    return table.reach_m + pipe.half_m[0] + LARGEST_HALF_M


def _proposed(line: Any, said: ProposedProperties, plane_srid: int) -> Body:
    """The pipe that is proposed.

    Raises:
        InvalidBody: of an unknown kind, of no size, too fine, or nowhere in the ground.
    """
    if said.kind not in CATEGORY_OF_KIND:
        raise InvalidBody("is no kind of pipe", "/properties/kind")
    if shapely.get_num_coordinates(line) > MOST_PROPOSED_POINTS:
        reason = f"has more than {MOST_PROPOSED_POINTS:,} points"
        raise InvalidBody(reason, "/geometry/coordinates")
    elevations = shapely.get_coordinates(line, include_z=True)[:, 2]
    least, most = _ELEVATIONS_M
    if line.has_z and not ((elevations > least) & (elevations < most)).all():
        raise InvalidBody("has elevations that cannot be", "/geometry/coordinates")
    places = shapely.get_coordinates(in_plane(line, plane_srid))
    attributes = said.model_dump() | {
        "category": CATEGORY_OF_KIND[said.kind],
        "depth_ref": "crown",
        "start_depth_m": said.depth_m,
        "end_depth_m": said.depth_m,
    }
    pipe = proposed_body(shapely.LineString(np.column_stack([places, elevations])), attributes)
    if said.section is not None and pipe.pipe.size is None:
        raise InvalidBody("is larger than any pipe, or nothing", "/properties/section")
    return pipe


def _answer(
    scene: PipeScene, table: SeparationTable, pipe_count: int, found: Judgement
) -> Response:
    document = {
        "table": table.named,
        **scene.document,
        "pipe_count": pipe_count,
        "exempt_count": found.exempt,
        "pairs_without_rule": found.without_rule,
        "breach_count": len(found.breaches),
        "breaches": [_told(scene, one) for one in found.breaches[:MOST_LISTED]],
        "vertical_unknown_count": len(found.undecided),
        "vertical_unknown": [_told(scene, one) for one in found.undecided[:MOST_LISTED]],
    }
    headers = {"Cache-Control": cache_control(scene.access), "Vary": "Authorization"}
    return json_response(document, headers=headers)


def _told(scene: PipeScene, finding: Finding) -> dict[str, Any]:
    separation, rule = finding.separation, finding.requirement.rule
    return {
        "measure": separation.measure,
        "distance_m": millimetres(separation.distance_m),
        "required_m": rule.required_m,
        "shortfall_m": millimetres(finding.shortfall_m),
        "clause": rule.clause,
        "note": rule.note,
        "is_strictest_of_several": finding.requirement.is_strictest,
        "horizontal_m": millimetres(separation.horizontal_m),
        "vertical_m": millimetres(separation.vertical_m),
        "vertical_from": separation.vertical_from,
        "pipes": [described(pipe) for pipe in separation.pair],
        "place": {"type": "MultiPoint", "coordinates": scene.positions(separation.place)},
    }

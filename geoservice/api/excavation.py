"""What an excavation endangers, bound to an instant of the data so that it can be asked again."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import orjson
import shapely
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from starlette.responses import Response

from geoservice.api.answers import cache_control, json_response
from geoservice.api.parameters import (
    CallerAccess,
    RequestedAsRecorded,
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
from geoservice.db import Database
from layers.access import Access
from layers.errors import InvalidBody
from layers.pipelines import LAYER as PIPELINES
from layers.registry import get_layer
from layers.separation.bodies import MOST_PIPES, in_plane
from layers.separation.excavation import Danger, Endangered, Pit, endangered_by, reach_m
from layers.separation.table import SeparationTable

router = APIRouter(tags=["Pipe network"], prefix="/pipelines")


class ExcavationBody(BaseModel):
    """What is to be dug out."""

    model_config = ConfigDict(extra="forbid")

    geometry: dict[str, Any] = Field(description="Polygon or MultiPolygon of GeoJSON")
    depth_m: Annotated[float, Field(ge=0.01, le=100)] = Field(description="Below ground")


@router.post("/excavation", summary="Which pipes an excavation endangers")
async def excavation(  # one for each parameter
    request: Request,
    database: ServiceDatabase,
    settings: ServiceSettings,
    access: CallerAccess,
    instant: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    body: ExcavationBody,
) -> Response:
    """Pipes that are hit, and pipes whose protection strip is entered, with owner and depth.

    The same body with the ``as_recorded`` and the ``datetime`` of an answer gives the same answer
    and the same ``digest``.
    """
    get_layer(PIPELINES.name, access.level)
    recorded = as_recorded or await _clock(database, access)
    scene = await pipe_scene(database, access, settings.city, instant or recorded, recorded)
    table: SeparationTable = request.app.state.separations
    area = shapely.force_2d(posted_shape(body.geometry, "Polygon", "MultiPolygon"))
    refuse_outside(settings.city, area, "/geometry/coordinates")
    pit = Pit(in_plane(area, settings.city.plane_srid), body.depth_m)
    pipes = await scene.within(pit.area, reach_m(table))
    if len(pipes) > MOST_PIPES:
        raise InvalidBody(f"has more than {MOST_PIPES:,} pipes around it", "/geometry")
    found = await asyncio.to_thread(lambda: list(endangered_by(pit, pipes, table)))
    document = _document(scene, table, pit, area, found)
    headers = {"Cache-Control": cache_control(access), "Vary": "Authorization"}
    return json_response(document | {"digest": digest_of(document)}, headers=headers)


async def _clock(database: Database, access: Access) -> datetime:
    """The instant at the database, whose clock says when what was recorded."""
    async with database.read(access) as connection:
        found = await connection.execute(text("SELECT statement_timestamp()"))
        now: datetime = found.scalar_one()
    return now


def _document(
    scene: PipeScene,
    table: SeparationTable,
    pit: Pit,
    area: Any,
    found: Sequence[Endangered],
) -> dict[str, Any]:
    ordered = sorted(found, key=lambda one: (one.danger, one.distance_m, one.pipe.pipe.feature_id))
    hits = sum(one.danger is Danger.HIT for one in found)
    return {
        "table": table.named,
        **scene.document,
        "level": scene.access.level.label,
        "geometry": shapely.geometry.mapping(area),
        "depth_m": pit.depth_m,
        "area_m2": millimetres(float(shapely.area(pit.area))),
        "hit_count": hits,
        "strip_count": len(found) - hits,
        "depth_unknown_count": sum(one.depth_m is None for one in found),
        "owners": _owners(found),
        "pipes": [_told(one) for one in ordered],
    }


def _owners(found: Sequence[Endangered]) -> list[dict[str, Any]]:
    """Whom to ask; pipes without an owner are counted under null."""
    hit = Counter(one.pipe["owner"] for one in found if one.danger is Danger.HIT)
    all_ = Counter(one.pipe["owner"] for one in found)
    return [
        {"owner": owner, "hit": hit[owner], "strip": all_[owner] - hit[owner]}
        for owner in sorted(all_, key=lambda owner: (owner is None, owner))
    ]


def _told(one: Endangered) -> dict[str, Any]:
    return {
        "danger": one.danger,
        "depth_m": millimetres(one.depth_m),
        "distance_m": millimetres(one.distance_m),
        "inside_m": millimetres(one.inside_m),
        "strip_m": one.strip_m,
        "uncertainty_m": one.uncertainty_m,
        **described(one.pipe),
    }


def digest_of(document: dict[str, Any]) -> str:
    """SHA-256 of a document as JSON with sorted keys, without spaces, in UTF-8."""
    written = orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    return f"sha256:{hashlib.sha256(written).hexdigest()}"

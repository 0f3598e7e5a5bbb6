"""Sections through the ground: which pipes a line cuts, and how deep they lie."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from fastapi import APIRouter, Body, Depends, Query
from shapely.geometry import LineString
from sqlalchemy import Select
from starlette.responses import Response

from geoservice.api.answers import cache_control, json_response
from geoservice.api.parameters import (
    CallerAccess,
    RequestedAsRecorded,
    RequestedInstant,
    ServiceDatabase,
    ServiceSettings,
    refuse_unsettled_belief,
)
from geoservice.api.raster_parameters import Rasters
from geoservice.db import Database
from geoservice.drawings.dxf import scene_dxf
from geoservice.drawings.picture import scene_png, scene_svg
from geoservice.drawings.scene import Scene
from geoservice.drawings.section import remarks_of, section_scene
from geoservice.raster_service import RasterService, time_asked
from geoservice.settings import CitySettings
from geoservice.terrain import ground_along
from layers.access import Access
from layers.city import CityFrame
from layers.errors import InvalidBody, InvalidParameter, RequestError
from layers.extent import BBox
from layers.features import COORDINATE_DECIMALS
from layers.pipelines import LAYER as PIPELINES
from layers.registry import get_layer
from layers.underground.ground import Ground
from layers.underground.lines import (
    DrawnLine,
    drawn_line,
    from_plane,
    parse_positions,
    positions_of,
)
from layers.underground.pipes import hidden_categories, pipes_along, pipes_of
from layers.underground.section import Cut, cuts_of
from tiles.query import TileTime

router = APIRouter(tags=["Underground"])

MAX_CUTS = 2_000
_TOO_MANY = f"meets more than {MAX_CUTS} pipes: draw a shorter one"
_MAX_NEAR = 2 * MAX_CUTS
"""Pipes that lie beside the line without being cut are read too."""

_TOLD = ("code", "kind", "category", "diameter_mm", "section", "material", "owner", "z_source")

Json = dict[str, Any]
Form = Literal["json", "svg", "png", "dxf"]
_DRAWN: dict[str, tuple[Callable[[Scene], bytes], str]] = {
    "svg": (scene_svg, "image/svg+xml"),
    "png": (scene_png, "image/png"),
    "dxf": (scene_dxf, "image/vnd.dxf"),
}
_FORMS: dict[int | str, Json] = {200: {"content": {kind: {} for _, kind in _DRAWN.values()}}}
RequestedForm = Annotated[Form, Query(description="JSON, a picture, or a drawing for CAD")]


@dataclass(frozen=True)
class Underground:
    """What an answer about the ground needs, for one caller and one time."""

    database: Database
    rasters: RasterService
    access: Access
    city: CitySettings
    time: TileTime

    async def read(self, statement: Select[Any]) -> Sequence[Mapping[Any, Any]]:
        """Rows at the caller's level.

        Raises:
            NotYetSettled: what was believed at that instant may still change.
        """
        recorded = self.time.as_recorded
        await refuse_unsettled_belief(self.database, self.access, [PIPELINES], recorded)
        async with self.database.read(self.access) as connection:
            return list((await connection.execute(statement)).mappings())

    def document(self) -> Json:
        """What every answer says: of which time it is, and what the caller cannot see."""
        recorded = self.time.as_recorded
        return {
            "datetime": self.time.at.astimezone(UTC),
            "as_recorded": recorded and recorded.astimezone(UTC),
            "plane_crs": f"EPSG:{self.city.plane_srid}",
            "categories_not_shown": hidden_categories(self.access.level),
        }

    async def answer(self, form: Form, document: Json, draw: Callable[[], Scene]) -> Response:
        """The document, or what ``draw`` makes, in the form asked for."""
        headers = {"Cache-Control": cache_control(self.access), "Vary": "Authorization"}
        if form == "json":
            return json_response(document, headers=headers)
        write, media_type = _DRAWN[form]
        content = await asyncio.to_thread(lambda: write(draw()))
        return Response(content, headers=headers, media_type=media_type)


async def get_underground(
    database: ServiceDatabase,
    rasters: Rasters,
    access: CallerAccess,
    settings: ServiceSettings,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
) -> Underground:
    """The underground as the caller may see it, at the instants asked for.

    Raises:
        UnknownLayer: the caller may not know of pipes.
    """
    get_layer(PIPELINES.name, access.level)
    return Underground(database, rasters, access, settings.city, time_asked(at, as_recorded))


RequestedUnderground = Annotated[Underground, Depends(get_underground)]


@router.get("/pipelines/section", summary="Pipes that a line cuts", responses=_FORMS)
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


@router.post("/pipelines/section", summary="Pipes that a line cuts", responses=_FORMS)
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
    rows = await asked.read(statement)
    if len(rows) > _MAX_NEAR:
        raise too_many
    ground = await ground_along(asked.rasters, asked.access, line.lon_lat, line.length_m, time)
    cuts = await asyncio.to_thread(_cuts, line, rows, ground, asked.city.plane_srid)
    if len(cuts) > MAX_CUTS:
        raise too_many
    document = {
        "line": shapely.geometry.mapping(path),
        "length_m": line.length_m,
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


def time_remark(at: datetime, city: CitySettings) -> str:
    """Of which instant a drawing is, by the city's clock, and in which plane system."""
    local = at.astimezone(ZoneInfo(city.time_zone))
    return f"数据时刻 as of {local:%Y-%m-%d %H:%M} {city.time_zone} · EPSG:{city.plane_srid}"


def ground_document(ground: Ground) -> Json:
    """The terrain model and its samples; of none, null and no samples."""
    samples = [
        {"distance_m": distance, "elevation_m": elevation}
        for distance, elevation in zip(ground.distances_m, ground.elevations_m, strict=True)
    ]
    return {"terrain": ground.raster, "ground": samples}


def _cut_documents(cuts: Sequence[Cut], plane_srid: int) -> list[Json]:
    if not cuts:
        return []
    places = [(cut.crossing.x_m, cut.crossing.y_m) for cut in cuts]
    lon_lat = from_plane(np.array(places), plane_srid).round(COORDINATE_DECIMALS).tolist()
    return [_cut_document(cut, *place) for cut, place in zip(cuts, lon_lat, strict=True)]


def _cut_document(cut: Cut, lon: float, lat: float) -> Json:
    crossing, heights = cut.crossing, cut.heights
    return {
        "feature_id": cut.pipe.feature_id,
        **{name: cut.pipe.attributes.get(name) for name in _TOLD},
        "distance_m": crossing.distance_m,
        "end_distance_m": crossing.end_distance_m,
        "lon": lon,
        "lat": lat,
        "x_m": crossing.x_m,
        "y_m": crossing.y_m,
        "angle_deg": crossing.angle_deg,
        "elevation_m": heights.elevation_m,
        "elevation_of": heights.elevation_of,
        "crown_elevation_m": heights.crown_m,
        "invert_elevation_m": heights.invert_m,
        "ground_elevation_m": cut.ground_m,
        "cover_m": cut.cover_m,
        "cover_from": cut.cover_from,
        "unknown": cut.unknown,
    }

"""What answers about the ground need, and the forms in which they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import Depends, Query
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
from geoservice.raster_service import RasterService, time_asked
from geoservice.settings import CitySettings
from layers.access import Access
from layers.base import Layer
from layers.pipelines import LAYER as PIPELINES
from layers.registry import get_layer
from layers.underground.ground import Ground
from layers.underground.pipes import hidden_categories
from tiles.query import TileTime

Json = dict[str, Any]
Form = Literal["json", "svg", "png", "dxf"]
_DRAWN: dict[str, tuple[Callable[[Scene], bytes], str]] = {
    "svg": (scene_svg, "image/svg+xml"),
    "png": (scene_png, "image/png"),
    "dxf": (scene_dxf, "image/vnd.dxf"),
}
FORMS: dict[int | str, Json] = {200: {"content": {kind: {} for _, kind in _DRAWN.values()}}}
RequestedForm = Annotated[Form, Query(description="JSON, a picture, or a drawing for CAD")]


@dataclass(frozen=True)
class Underground:
    """What an answer about the ground needs, for one caller and one time."""

    database: Database
    rasters: RasterService
    access: Access
    city: CitySettings
    time: TileTime

    async def read(self, layer: Layer, statement: Select[Any]) -> Sequence[Mapping[Any, Any]]:
        """Rows of a layer at the caller's level.

        Raises:
            NotYetSettled: what was believed at that instant may still change.
        """
        recorded = self.time.as_recorded
        await refuse_unsettled_belief(self.database, self.access, [layer], recorded)
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
        """The document, or what ``draw`` makes, in the form asked for.

        Raises:
            ServiceBusy: too much is under way.
            QueryTimedOut: it took too long.
            FontMissing: a picture of pixels is asked for and the machine has no Chinese font.
        """
        headers = {"Cache-Control": cache_control(self.access), "Vary": "Authorization"}
        if form == "json":
            return json_response(document, headers=headers)
        write, media_type = _DRAWN[form]
        # Pictures take memory: as few are drawn at once as rasters are read.
        content = await self.rasters.run(lambda: write(draw()))
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


def time_remark(at: datetime, city: CitySettings) -> str:
    """Of which instant a drawing is, by the city's clock, and in which plane system."""
    local = at.astimezone(ZoneInfo(city.time_zone))
    return f"数据时刻 as of {local:%Y-%m-%d %H:%M} {city.time_zone} · EPSG:{city.plane_srid}"


def ground_document(ground: Ground) -> Json:
    """The terrain model and its samples; of none, null and no samples."""
    samples = [
        {"distance_m": round(distance, 4), "elevation_m": elevation}
        for distance, elevation in zip(ground.distances_m, ground.elevations_m, strict=True)
    ]
    return {"terrain": ground.raster, "ground": samples}

"""What answers about pipes in the ground share: their moment, their scene, what they tell of it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import shapely

from geoservice.api.parameters import refuse_unsettled_belief
from geoservice.db import Database
from geoservice.pipe_networks import Moment
from geoservice.settings import CitySettings
from layers.access import Access
from layers.city import CityFrame
from layers.codes import PIPE_CATEGORIES
from layers.errors import InvalidBody
from layers.extent import BBox
from layers.pipelines import LAYER as PIPELINES
from layers.pipelines import PIPE_CLEARANCE
from layers.registry import get_layer
from layers.separation.pipes import Pipe


async def settled_moment(
    database: Database, access: Access, at: datetime | None, as_recorded: datetime | None
) -> Moment:
    """When a scene is looked at.

    Raises:
        UnknownLayer: the caller may not know of pipes.
        InvalidParameter: ``as_recorded`` is ahead of the clock.
        NotYetSettled: a publication under way may lie before it.
    """
    get_layer(PIPELINES.name, access.level)
    await refuse_unsettled_belief(database, access, [PIPELINES], as_recorded)
    return Moment(at or datetime.now(UTC), as_recorded)


def unseen_categories(access: Access) -> list[dict[str, str]]:
    """The classes of pipes of which a level sees none; says nothing of whether there are any."""
    return [
        {"category": code.code, "title": code.title.en, "title_zh": code.title.zh}
        for code in PIPE_CATEGORIES.codes
        if max(PIPELINES.clearance, PIPE_CLEARANCE.of(code.code)) > access.level
    ]


def refuse_outside(city: CitySettings, shape: Any, pointer: str) -> None:
    """Stop at a shape in degrees that leaves the city.

    Raises:
        InvalidBody: it does.
    """
    frame = CityFrame(city.name_en, BBox(*city.extent), city.plane_srid, city.time_zone)
    if not frame.holds(shapely.get_coordinates(shape)).all():
        raise InvalidBody("leaves the city", pointer)


def described(pipe: Pipe) -> dict[str, Any]:
    """What is told of a pipe; of a proposed one the id is null."""
    return {
        "feature_id": pipe.feature_id,
        "kind": pipe.kind,
        "category": pipe.category,
        "diameter_mm": pipe.diameter_mm,
        "section": pipe.section,
        "burial": pipe.burial,
        "pressure": pipe.pressure,
        "data_source": pipe.data_source,
        "size_known": pipe.is_sized,
        **pipe.told,
    }


def millimetres(value: float | None) -> float | None:
    """Metres to three decimals; zero has no sign."""
    if value is None or not math.isfinite(value):
        return None
    return round(value, 3) + 0.0

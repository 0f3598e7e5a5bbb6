"""What answers about pipes in the ground share: their moment, their scene, what they tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import shapely
from sqlalchemy import Select

from geoservice.api.parameters import refuse_unsettled_belief
from geoservice.db import Database
from geoservice.settings import CitySettings
from layers.access import Access
from layers.city import CityFrame, FloatArray
from layers.errors import InvalidBody
from layers.extent import BBox
from layers.features import COORDINATE_DECIMALS
from layers.pipelines import LAYER as PIPELINES
from layers.registry import get_layer
from layers.separation.bodies import PROPOSED, Body, bodies_of, pipes_within
from layers.underground.lines import from_plane
from layers.underground.pipes import hidden_categories, pipes_numbered

_TOLD = (
    "code",
    "kind",
    "category",
    "diameter_mm",
    "section",
    "burial",
    "pressure",
    "material",
    "owner",
    "status",
    "installed_on",
    "data_source",
)


@dataclass(frozen=True)
class PipeScene:
    """The pipes that a caller sees at a time.

    Attributes:
        at: Of valid time, aware.
        as_recorded: Of recorded time, aware; None is what is believed now.
    """

    database: Database
    access: Access
    city: CitySettings
    at: datetime
    as_recorded: datetime | None

    async def pipe(self, feature_id: int) -> Body | None:
        """A pipe by its id; None if there is none that the caller may see."""
        statement = pipes_numbered(self.access.level, [feature_id], self.at, self.as_recorded)
        return next(iter(await self._read(statement)), None)

    async def within(self, shape: Any, reach_m: float) -> list[Body]:
        """The pipes within reach of a shape in the plane; as many as ``pipes_within`` gives."""
        return await self._read(
            pipes_within(
                self.access.level,
                shape,
                reach_m,
                self.city.plane_srid,
                self.at,
                self.as_recorded,
            )
        )

    async def _read(self, statement: Select[Any]) -> list[Body]:
        async with self.database.read(self.access) as connection:
            rows = (await connection.execute(statement)).mappings().all()
        return bodies_of(rows, self.city.plane_srid)

    def positions(self, places: FloatArray) -> list[list[float]]:
        """Longitude and latitude in degrees of places in the plane, shape (n, 2)."""
        lon_lat = from_plane(places, self.city.plane_srid)
        return [[round(x, COORDINATE_DECIMALS) for x in one] for one in lon_lat.tolist()]

    @property
    def document(self) -> dict[str, Any]:
        """What answers say of when and for whom they are."""
        return {
            "datetime": self.at,
            "as_recorded": self.as_recorded,
            "plane_crs": f"EPSG:{self.city.plane_srid}",
            "categories_not_shown": hidden_categories(self.access.level),
        }


async def pipe_scene(
    database: Database,
    access: Access,
    city: CitySettings,
    at: datetime | None,
    as_recorded: datetime | None,
) -> PipeScene:
    """The pipes that a caller sees at a time; now if none is given.

    Raises:
        UnknownLayer: the caller may not know of pipes.
        InvalidParameter: ``as_recorded`` is ahead of the clock.
        NotYetSettled: a publication under way may lie before it.
    """
    get_layer(PIPELINES.name, access.level)
    await refuse_unsettled_belief(database, access, [PIPELINES], as_recorded)
    return PipeScene(database, access, city, at or datetime.now(UTC), as_recorded)


def refuse_outside(city: CitySettings, shape: Any, pointer: str) -> None:
    """Stop at a shape in degrees that leaves the city.

    Raises:
        InvalidBody: it does.
    """
    frame = CityFrame(city.name_en, BBox(*city.extent), city.plane_srid, city.time_zone)
    if not frame.holds(shapely.get_coordinates(shape)).all():
        raise InvalidBody("leaves the city", pointer)


def described(pipe: Body) -> dict[str, Any]:
    """What is told of a pipe; the id of a proposed one is null."""
    number = pipe.pipe.feature_id
    return {
        "feature_id": None if number == PROPOSED else number,
        **{name: pipe[name] for name in _TOLD},
        "is_sized": pipe.pipe.size is not None,
    }


def millimetres(value: float | None) -> float | None:
    """Metres to three decimals; zero has no sign."""
    return None if value is None else round(value, 3) + 0.0

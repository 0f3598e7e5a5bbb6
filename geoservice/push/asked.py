"""What a subscription asks for: which events, on which condition, and when not to be disturbed."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from geoservice.push.wanted import Circle, Wanted
from layers.events import Topic
from layers.extent import BBox

_MAX_RADIUS_M = 50_000
_Longitude = Annotated[float, Field(ge=-180, le=180)]
_Latitude = Annotated[float, Field(ge=-90, le=90)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Around(_Part):
    """A place and what lies around it."""

    lon: _Longitude
    lat: _Latitude
    radius_m: float = Field(gt=0, le=_MAX_RADIUS_M)


class Hours(_Part):
    """A part of the day on the city's clock; the beginning belongs to it, the end does not."""

    begin: time = Field(alias="from", description="Such as 22:00")
    end: time = Field(alias="until", description="Such as 07:00, on the next day if it is earlier")

    @model_validator(mode="after")
    def _is_local(self) -> Self:
        if self.begin.tzinfo is not None or self.end.tzinfo is not None:
            message = "the hours are those of the city's clock, without an offset"
            raise ValueError(message)
        return self

    def hold(self, clock: time) -> bool:
        """Whether they include a time of the day."""
        if self.begin <= self.end:
            return self.begin <= clock < self.end
        return clock >= self.begin or clock < self.end

    def end_after(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """When they end next, after an aware instant."""
        local = instant.astimezone(zone)
        end = datetime.combine(local.date(), self.end, zone)
        return end if end > local else datetime.combine(end + timedelta(days=1), self.end, zone)


class Asked(_Part):
    """What a subscription asks for."""

    topics: list[Topic] = Field(default=[Topic.AVAILABILITY], min_length=1, max_length=10)
    kinds: list[str] | None = Field(None, min_length=1, max_length=50)
    bbox: tuple[_Longitude, _Latitude, _Longitude, _Latitude] | None = None
    around: Around | None = None
    feature_ids: list[int] | None = Field(None, min_length=1, max_length=1_000)
    resource_type: str | None = Field(None, max_length=100)
    min_available: int | None = Field(
        None, ge=1, le=2**31 - 1, description="Told when so many come to be free"
    )
    hysteresis: int = Field(
        0, ge=0, le=2**31 - 1, description="Told again only after so many fewer were free"
    )
    only_between: Hours | None = Field(None, description="Not told at all at other hours")
    quiet_hours: Hours | None = Field(
        None, description="Told when they have ended, of each facility the newest only"
    )

    @model_validator(mode="after")
    def _is_one_area(self) -> Self:
        if self.bbox is not None and self.around is not None:
            message = "needs either bbox or around"
            raise ValueError(message)
        if self.bbox is not None and self.bbox[1] > self.bbox[3]:
            message = "the south of bbox is above its north"
            raise ValueError(message)
        return self

    def wanted(self) -> Wanted:
        """The events that the condition is asked of."""
        around = self.around
        return Wanted(
            topics=frozenset(self.topics),
            box=BBox(*self.bbox) if self.bbox is not None else None,
            circle=Circle(around.lon, around.lat, around.radius_m) if around else None,
            kinds=frozenset(self.kinds) if self.kinds is not None else None,
            features=frozenset(self.feature_ids) if self.feature_ids is not None else None,
            resource_type=self.resource_type,
        )

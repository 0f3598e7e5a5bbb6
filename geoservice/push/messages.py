"""What events look like when they are sent: the models that their description is made from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from layers.alerts import RuleKind
from layers.events import Topic
from layers.observations import Freshness, Status

_Degrees = Annotated[float, Field(ge=-180, le=180)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Position(_Message):
    """A point of the feature (GeoJSON)."""

    type: Literal["Point"]
    coordinates: tuple[_Degrees, _Degrees] = Field(
        description="Longitude and latitude (CGCS2000), degrees"
    )


class _Event(_Message):
    event_no: int = Field(ge=1, description="Without gaps in the service, not in what is delivered")
    occurred_at: datetime = Field(description="When the service learnt of it")
    layer: str | None = Field(None, description="Layer of the feature, if it is about one")
    feature_id: int | None = Field(None, description="The id of the feature in all addresses")
    geometry: Position | None = Field(None, description="Missing if the feature is held no more")
    code: str | None = Field(None, description="What the feature is known by, if its layer has it")
    name: str | None = None
    kind: str | None = Field(None, description="Such as parking, if its layer has it")


class _Figure(_Event):
    property: str = Field(description="What is observed")
    resource_type: str = Field(description="What is counted, such as seat; empty for the whole")
    source: str = Field(description="Who observes")
    observed_at: datetime = Field(description="When the figure was true")
    ttl_s: int = Field(ge=1, description="Fresh for so many seconds, expired after three times it")
    freshness: str | None = Field(
        None,
        description="When it occurred; of what has expired neither number is told",
        json_schema_extra={"enum": [*Freshness.__members__, None]},
    )
    unit: str | None = Field(None, description="Unit of the value (UCUM)")
    value: float | None = Field(None, description="The number, of another property")


class AvailabilityEvent(_Figure):
    """What is free has changed, or is not known any more: the figure has expired."""

    topic: Literal[Topic.AVAILABILITY]
    available: int | None = Field(description="Free units; null if that is not known")
    previous_available: int | None = Field(None, description="What was free before")
    capacity: int | None = Field(description="All units in service; null if that is not known")
    status: str = Field(
        description="In DATEX II words, as a search would say",
        json_schema_extra={"enum": list(Status.__members__)},
    )
    is_open: bool | None = Field(description="By the opening hours; null if they are not known")


class MeasurementEvent(_Figure):
    """A measured value, such as a pressure, has changed, or has expired."""

    topic: Literal[Topic.MEASUREMENT]
    capacity: int | None = None


class AlertEvent(_Event):
    """An alert was raised, acknowledged or cleared."""

    topic: Literal[Topic.ALERT]
    # Of an alert, what the rule is about: it hides the kind of a facility.
    kind: str | None = Field(
        None, description=f"Of the rule: {', '.join(RuleKind)}; else the kind of the feature"
    )
    alert_id: int
    rule_id: int
    state: Literal["raised", "acknowledged", "cleared"]
    title_zh: str | None = None
    title_en: str | None = None
    property: str | None = None
    value: float | None = Field(None, description="The figure that was judged")
    unit: str | None = None
    threshold: float | None = None


class ReportEvent(_Event):
    """A report of a citizen was received, or taken a step on."""

    topic: Literal[Topic.REPORT]
    report_id: int
    service_code: str = Field(description="What kind of report it is (Open311)")
    state: Literal["open", "accepted", "rejected", "closed"]


class ReadyMessage(_Message):
    """The first message of a stream: what comes after this number is told."""

    after: int = Field(ge=0, description="Number of an event")


class GapMessage(_Message):
    """What came after this number is no longer kept in full: read the present anew."""

    after: int = Field(ge=0, description="Number of an event")


EventMessage = Annotated[
    AvailabilityEvent | MeasurementEvent | AlertEvent | ReportEvent, Field(discriminator="topic")
]

EVENT_MESSAGES: dict[Topic, type[_Event]] = {
    Topic.AVAILABILITY: AvailabilityEvent,
    Topic.MEASUREMENT: MeasurementEvent,
    Topic.ALERT: AlertEvent,
    Topic.REPORT: ReportEvent,
}

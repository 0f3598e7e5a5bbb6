"""The intake of figures: JSON, NDJSON or CSV, one or ten thousand, each judged by itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Self

import orjson
from fastapi import APIRouter, Request
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from starlette.responses import Response

from geoservice.api.answers import json_response
from geoservice.api.parameters import CallerAccess, ServiceDatabase
from geoservice.db import Database
from geoservice.rates import Rates
from geoservice.sensorthings.sent import member_of, series_of
from layers.access import Access, Action
from layers.errors import InvalidBody, InvalidParameter, UnsupportedMediaType
from layers.extent import parse_instant
from layers.facilities import LAYER as FACILITIES
from layers.intake import Intake, Refusal, kept_from, record_observations
from layers.observations import AVAILABILITY, DEFAULT_TTL_S, Observation, Status
from layers.roles import Role
from layers.series_names import named_series

router = APIRouter(tags=["Availability"])

MAX_BATCH = 10_000
_MAX_INTEGER = 2**31 - 1
_JSON, _CSV = "application/json", "text/csv"
_NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")


def _instant(value: object) -> datetime:
    """An instant as all of the service's addresses take it: text, with an offset, in UTC."""
    if not isinstance(value, str) or "T" not in value.upper():
        message = "needs a text that is an RFC 3339 instant: 2018-02-12T23:20:50Z"
        raise ValueError(message)
    try:
        return parse_instant(value, "observed_at")
    except InvalidParameter as error:
        raise ValueError(error.reason) from None


class ObservationBody(BaseModel):
    """One figure as a source sends it: of a facility, or of a feature of any layer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    facility: str | None = Field(
        None, min_length=1, max_length=200, description="Code of the facility"
    )
    layer: str | None = Field(None, max_length=100, description="Layer of another feature")
    feature: str | None = Field(
        None, min_length=1, max_length=200, description="Natural key of the feature in that layer"
    )
    observed_at: Annotated[datetime, BeforeValidator(_instant)] = Field(
        description="When the figure was true, an RFC 3339 instant"
    )
    property: str = Field(
        AVAILABILITY,
        pattern=r"^[a-z][a-z0-9_.]{0,99}$",
        description="What is measured, such as pressure",
    )
    available: int | None = Field(None, ge=0, le=_MAX_INTEGER, description="Free units")
    capacity: int | None = Field(None, ge=0, le=_MAX_INTEGER, description="All units in service")
    value: float | None = Field(
        None, allow_inf_nan=False, description="The number, of another property than availability"
    )
    unit: str | None = Field(None, max_length=50, description="Unit of the value (UCUM)")
    status: str | None = Field(None, description="What the source says, in DATEX II words")
    resource_type: str = Field("", max_length=100, description="What is counted, such as seat")
    ttl_s: int = Field(DEFAULT_TTL_S, ge=1, le=86_400, description="Seconds that it stays fresh")
    source: str | None = Field(None, min_length=1, max_length=100, description="Who observes")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        message = None
        if (self.facility is None) == (self.layer is None or self.feature is None):
            message = "needs either facility, or layer and feature"
        elif self.property != AVAILABILITY:
            if self.value is None or self.available is not None:
                message = f"{self.property} needs a value, and has nothing available"
        elif self.value is not None:
            message = "a value needs a property"
        elif self.available is None and self.status is None:
            message = "needs available or status"
        if self.status is not None and self.status not in Status.__members__:
            message = f"status is one of {', '.join(Status.__members__)}"
        if message is not None:
            raise ValueError(message)
        return self

    def observation(self) -> Observation:
        """The figure as the lower rooms take it."""
        return Observation(
            feature=self.facility or self.feature or "",
            observed_at=self.observed_at,
            layer=self.layer or FACILITIES.name,
            property=self.property,
            available=self.available,
            capacity=self.capacity,
            value=self.value,
            unit=self.unit,
            status=Status[self.status] if self.status else Status.unknown,
            resource_type=self.resource_type,
            ttl_s=self.ttl_s,
        )


_BODIES = TypeAdapter(list[ObservationBody])
_NAMES = frozenset(ObservationBody.model_fields)


@dataclass
class Batch:
    """What was sent: members by their place, as far as they could be read.

    Attributes:
        count: How many there are, read or not.
        is_text: Whether all values are texts, as in CSV.
    """

    count: int = 0
    members: dict[int, Any] = field(default_factory=dict)
    refused: dict[int, Refusal] = field(default_factory=dict)
    is_text: bool = False


@router.post(
    "/observations",
    summary="Send figures",
    status_code=200,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                _JSON: {
                    "schema": {
                        "oneOf": [
                            ObservationBody.model_json_schema(),
                            {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": MAX_BATCH,
                                "items": ObservationBody.model_json_schema(),
                            },
                        ]
                    }
                },
                _NDJSON[0]: {"schema": {"type": "string", "description": "One object a line"}},
                _CSV: {"schema": {"type": "string", "description": "A head with the names"}},
            },
        }
    },
)
async def observe(request: Request, database: ServiceDatabase, access: CallerAccess) -> Response:
    """Take in one figure or a batch: JSON (an object or an array), NDJSON, or CSV with a head.

    A figure that cannot be is refused by itself, with the reason; the others are kept. A figure
    sent again changes nothing; with other numbers it corrects the one before.
    """
    access.require_credential(Action.OBSERVE)
    batch = _read(await request.body(), request.headers.get("content-type", _JSON))
    intake = await take_in(request, database, access, batch)
    return _answer(batch, intake)


async def take_in(request: Request, database: Database, access: Access, batch: Batch) -> Intake:
    """Write what can be of a batch; what cannot is among its refused ones afterwards.

    Raises:
        RateExceeded: the caller has sent too much.
        NotAllowed: the caller may not observe for the source.
        InvalidBody: the batch has several sources.
    """
    rates: Rates = request.app.state.observation_rates
    rates.take(access.credential, batch.count)
    await _name_series(database, access, batch)
    bodies = _validated(batch)
    if not bodies and any(grant.action is Action.OBSERVE for grant in access.grants):
        # Of which source they are is not known, and nothing of them is written.
        return Intake(0, 0, 0)
    source = _source(bodies.values(), access)
    access.require(Action.OBSERVE, source)
    places = list(bodies)
    received_at = datetime.now(UTC)
    said = request.app.state.settings.observations
    async with database.write(Role.INGEST) as connection:
        intake = await record_observations(
            connection,
            [body.observation() for body in bodies.values()],
            level=access.level,
            source=source,
            received_at=received_at,
            earliest=kept_from(received_at, said.keep_months, said.keep_fine_rollups_months),
        )
    for one in intake.refused:
        batch.refused[places[one.place]] = one._replace(place=places[one.place])
    return intake


async def _name_series(database: Database, access: Access, batch: Batch) -> None:
    """Members that name a datastream of SensorThings become members like the others."""
    numbers = {place: series_of(member) for place, member in batch.members.items()}
    named = {place: number for place, number in numbers.items() if number is not None}
    if not named:
        return
    async with database.write(Role.INGEST) as connection:
        series = await named_series(connection, set(named.values()), access.level)
    for place, number in named.items():
        made = member_of(batch.members[place], series.get(number))
        if isinstance(made, str):
            batch.refused[place] = Refusal(place, "", made)
            del batch.members[place]
        else:
            batch.members[place] = made


def _answer(batch: Batch, intake: Intake) -> Response:
    refused = [batch.refused[index] for index in sorted(batch.refused)]
    if len(refused) == batch.count:
        raise InvalidBody(refused[0].reason, _pointer(refused[0]))
    return json_response(
        {
            "received": batch.count,
            "accepted": intake.accepted,
            "repeated": intake.repeated,
            "corrected": intake.corrected,
            "refused": len(refused),
            "refusals": [
                {"index": one.place, "pointer": _pointer(one), "reason": one.reason}
                for one in refused
            ],
        }
    )


def _pointer(one: Refusal) -> str:
    return f"/{one.place}/{one.member}" if one.member else f"/{one.place}"


def _source(bodies: Iterable[ObservationBody], access: Access) -> str:
    """The one source of a batch: what it says, else the one that the key observes for."""
    named = {body.source for body in bodies if body.source is not None}
    if len(named) > 1:
        raise InvalidBody("a batch has one source", "/0/source")
    if named:
        return named.pop()
    scopes = {g.scope for g in access.grants if g.action is Action.OBSERVE} - {"*"}
    return scopes.pop() if len(scopes) == 1 else "default"


def _read(body: bytes, content_type: str) -> Batch:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == _CSV:
        batch = _of_csv(body)
    elif media_type in _NDJSON:
        batch = _of_lines(body)
    elif media_type in ("", _JSON):
        batch = _of_json(body)
    else:
        raise UnsupportedMediaType(media_type, (_JSON, _NDJSON[0], _CSV))
    if not 1 <= batch.count <= MAX_BATCH:
        message = f"takes 1 to {MAX_BATCH} figures at once"
        raise InvalidBody(message)
    return batch


def _of_json(body: bytes) -> Batch:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"is not JSON: {error.msg} at character {error.pos}"
        raise InvalidBody(message) from error
    members = content if isinstance(content, list) else [content]
    return Batch(len(members), dict(enumerate(members)))


def _of_lines(body: bytes) -> Batch:
    batch = Batch()
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        try:
            batch.members[batch.count] = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            reason = f"is not JSON: {error.msg} at character {error.pos}"
            batch.refused[batch.count] = Refusal(batch.count, "", reason)
        batch.count += 1
    return batch


def _of_csv(body: bytes) -> Batch:
    try:
        rows = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        head = [name.strip() for name in next(rows, [])]
        _check_head(head)
        batch = Batch(is_text=True)
        for cells in _not_blank(rows):
            if len(cells) == len(head):
                given = zip(head, cells, strict=True)
                batch.members[batch.count] = {name: cell for name, cell in given if cell}
            else:
                reason = f"has {len(cells)} cells where the head has {len(head)}"
                batch.refused[batch.count] = Refusal(batch.count, "", reason)
            batch.count += 1
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 at byte {error.start}"
        raise InvalidBody(message) from error
    except csv.Error as error:
        message = f"is not CSV: {error}"
        raise InvalidBody(message) from error
    return batch


def _not_blank(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    return (cells for cells in rows if any(cells))


def _check_head(head: Sequence[str]) -> None:
    unknown = sorted(set(head) - _NAMES)
    if unknown or len(set(head)) < len(head):
        message = f"the head has names that are not known: {', '.join(unknown)}"
        raise InvalidBody(message if unknown else "the head has a name twice")


def _validated(batch: Batch) -> Mapping[int, ObservationBody]:
    """The members that are whole, by their place; the others are among the refused afterwards."""
    strict = None if not batch.is_text else False
    places, members = list(batch.members), list(batch.members.values())
    try:
        bodies = _BODIES.validate_python(members, strict=strict)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            at, *path = one["loc"]
            place = places[int(at)]
            reason = one["msg"].removeprefix("Value error, ")
            batch.refused.setdefault(place, Refusal(place, "/".join(map(str, path)), reason))
        places = [place for place in places if place not in batch.refused]
        members = [batch.members[place] for place in places]
        bodies = _BODIES.validate_python(members, strict=strict)
    return dict(zip(places, bodies, strict=True))

"""What is sent of reports: by citizens, as JSON or as a form, and by staff."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from layers.errors import InvalidBody, UnsupportedMediaType

JSON, FORM = "application/json", "multipart/form-data"
_Longitude = Annotated[float, Field(ge=-180, le=180)]
_Latitude = Annotated[float, Field(ge=-90, le=90)]


class ReportBody(BaseModel):
    """What somebody reports, of a facility or of a place."""

    model_config = ConfigDict(extra="forbid")

    service_code: Literal["closed", "broken", "wrong_position", "crowded", "missing", "other"]
    feature_id: int | None = Field(None, ge=1, lt=2**53, description="Of the facility")
    lat: _Latitude | None = None
    long: _Longitude | None = None
    description: str = Field("", max_length=2_000, description="In one's own words")

    @model_validator(mode="after")
    def _is_somewhere(self) -> ReportBody:
        if (self.lat is None) != (self.long is None):
            message = "lat and long go together"
            raise ValueError(message)
        if self.feature_id is None and self.lat is None:
            message = "needs a facility (feature_id) or a place (lat, long)"
            raise ValueError(message)
        return self


class Change(BaseModel):
    """What a confirmed report changes of its facility."""

    model_config = ConfigDict(extra="forbid")

    attributes: dict[str, str | int | float | bool | None] = Field(default={}, max_length=50)
    position: tuple[_Longitude, _Latitude] | None = Field(None, description="lon, lat")
    end: bool = Field(default=False, description="It is no more")


class StepBody(BaseModel):
    """What staff say of a report."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=2_000, description="Told to the reporter")
    change: Change | None = Field(None, description="Of the facility; with accept only")


async def _of_form(request: Request, max_photo_bytes: int) -> tuple[dict[str, str], bytes | None]:
    try:
        async with request.form(max_files=1, max_fields=10) as form:
            members = {name: value for name, value in form.items() if isinstance(value, str)}
            file = form.get("photo")
            if not isinstance(file, UploadFile):
                return members, None
            photo = await file.read(max_photo_bytes + 1)
    except MultiPartException as error:
        raise InvalidBody(error.message) from error
    if len(photo) > max_photo_bytes:
        message = f"has more than {max_photo_bytes:,} bytes"
        raise InvalidBody(message, "/photo")
    return members, photo


def plain_text(text_: str) -> str:
    """Text without characters that do something."""
    return "".join(c for c in text_ if c.isprintable() or c == "\n").strip()


_BODY = TypeAdapter(ReportBody)


async def read_report(request: Request, max_photo_bytes: int) -> tuple[ReportBody, bytes | None]:
    """What was sent, as JSON or as a form with a photo.

    Raises:
        InvalidBody: it cannot be used; the pointer says where.
        UnsupportedMediaType: it is neither.
    """
    media_type = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    photo: bytes | None = None
    members: Any
    if media_type == JSON:
        try:
            members = orjson.loads(await request.body())
        except orjson.JSONDecodeError as error:
            message = f"is not JSON: {error.msg}"
            raise InvalidBody(message) from error
    elif media_type == FORM:
        members, photo = await _of_form(request, max_photo_bytes)
    else:
        raise UnsupportedMediaType(media_type, (JSON, FORM))
    try:
        return _BODY.validate_python(members), photo
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        pointer = "".join(f"/{part}" for part in first["loc"])
        raise InvalidBody(first["msg"].removeprefix("Value error, "), pointer) from error

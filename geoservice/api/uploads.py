"""Uploads of files to be loaded: what may be said of them, and taking them in."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from geoservice.api.answers import json_response
from geoservice.api.load_access import (
    PATH,
    PRIVATE,
    describe_job,
    key_of,
    loadable_layer,
    upload_folders,
)
from geoservice.api.parameters import CallerAccess, ServiceDatabase, ServiceSettings
from geoservice.loads.folders import UploadFolders
from geoservice.loads.names import data_sets
from geoservice.loads.receiving import UploadLimits, receive
from geoservice.settings import Settings
from layers.errors import BodyTooLarge, InvalidBody
from layers.extent import instant_in_city
from layers.load_jobs import insert_job
from layers.roles import Role

router = APIRouter(tags=["Loads"])
log = structlog.get_logger(__name__)


class LoadParameters(BaseModel):
    """What is said about the files; the same as the options of ``geoservice load``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer: str = Field(max_length=100, description="Layer to load into")
    crs: str | None = Field(None, max_length=200, description="EPSG:n, gcj02 or bd09")
    encoding: str | None = Field(None, max_length=40, description="Encoding of texts")
    key: str | None = Field(None, max_length=500, description="Columns that identify a feature")
    valid_from: str | None = Field(
        None, description="RFC 3339 instant since when the rows are true, or date in the city"
    )
    valid_to: str | None = Field(
        None, description="With correct and valid_from: where the corrected period ends"
    )
    correct: bool = Field(False, description="The rows correct what was held of the past")
    complete: bool = Field(
        False, description="The files are all there is: what is not in them has ended"
    )
    source_layer: str | None = Field(
        None, max_length=200, description="Layer of a file that has several"
    )
    on_error: Literal["quarantine", "reject"] = Field(
        "quarantine", description="Keep bad rows aside, or refuse the whole load"
    )


@router.post(PATH, summary="Upload files to be loaded", status_code=202)
async def upload(
    request: Request,
    database: ServiceDatabase,
    settings: ServiceSettings,
    access: CallerAccess,
    asked: Annotated[LoadParameters, Query()],
) -> Response:
    """Take in the files of one data set as multipart/form-data, in parts called ``file``.

    They are checked next; nothing is loaded before that is confirmed. A part ``mapping`` may hold
    a mapping of columns as JSON.
    """
    layer = loadable_layer(access, asked.layer)
    options = await asyncio.to_thread(_options, asked, settings)
    folders = upload_folders(settings)
    limits = await _limits(request, settings, folders)
    try:
        with folders.receive() as folder:
            received = await receive(
                request.stream(), request.headers.get("content-type"), folder, limits
            )
            if not data_sets(received.files, folder):
                message = "holds no data set, only parts of one"
                raise InvalidBody(message)
            statement = insert_job(
                folder=folder.name,
                layer=layer.name,
                files=[file.as_json() for file in received.files],
                options={**options, "mapping": received.mapping},
                created_by=key_of(access),
            )
            async with database.write(Role.DESK) as connection:
                job_id: int = (await connection.execute(statement)).scalar_one()
    except ClientDisconnect:
        log.info("upload broken off by its sender")
        return Response(status_code=400)
    log.info("upload taken in", job=job_id, layer=layer.name, files=len(received.files))
    document = await describe_job(request, database, access, job_id)
    return json_response(
        document, status_code=202, headers={**PRIVATE, "Location": f"{PATH}/{job_id}"}
    )


def _options(asked: LoadParameters, settings: Settings) -> dict[str, Any]:
    """The options as a job keeps them."""

    def instant(said: str | None, name: str) -> str | None:
        return instant_in_city(said, settings.city.time_zone, name).isoformat() if said else None

    return {
        "crs": asked.crs or None,
        "encoding": asked.encoding or None,
        "key": [part.strip() for part in asked.key.split(",")] if asked.key else None,
        "valid_from": instant(asked.valid_from, "valid_from"),
        "valid_to": instant(asked.valid_to, "valid_to"),
        "correct": asked.correct,
        "complete": asked.complete,
        "source_layer": asked.source_layer or None,
        "on_error": asked.on_error,
    }


async def _limits(request: Request, settings: Settings, folders: UploadFolders) -> UploadLimits:
    """The bounds of this upload; one that says it is too large is refused before it comes."""
    load = settings.load
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > load.max_upload_bytes:
        raise BodyTooLarge(load.max_upload_bytes)
    return UploadLimits(
        max_bytes=load.max_upload_bytes,
        room_bytes=await asyncio.to_thread(folders.room_bytes),
        max_files=load.max_upload_files,
        idle_s=load.upload_idle_s,
        timeout_s=load.upload_timeout_s,
    )

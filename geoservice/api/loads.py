"""Loading through the web: files in, a job out; its progress, preview, confirmation and undo.

The web stores files and asks; a worker process reads, checks and writes. Keys come in headers only,
so that no page of others can send one along.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any, Literal

import orjson
import structlog
from fastapi import APIRouter, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from geoservice.api.answers import base_url, json_response
from geoservice.api.load_documents import (
    has_preview,
    is_settled,
    job_document,
    preview_document,
)
from geoservice.api.parameters import CallerAccess, PathNumber, ServiceDatabase, ServiceSettings
from geoservice.auth import Gate
from geoservice.db import Database
from geoservice.loads.folders import UploadFolders
from geoservice.loads.names import data_sets
from geoservice.loads.preview import FILE_NAME, Preview
from geoservice.loads.receiving import UploadLimits, receive
from geoservice.middleware import IS_HEAD
from geoservice.settings import Settings
from layers.access import Access, Action, Clearance
from layers.base import Layer
from layers.errors import (
    AccessError,
    BodyTooLarge,
    InvalidBody,
    JobNotFound,
    NotFoundError,
    NotPermitted,
    WrongJobState,
)
from layers.extent import instant_in_city
from layers.load_jobs import Wish, ask, insert_job, select_job, select_jobs
from layers.registry import get_layer, layers_at
from layers.roles import Role
from tiles.matrix import TileAddress
from tiles.vector import MEDIA_TYPE, TileOptions

PATH = "/loads"
router = APIRouter(tags=["Loads"])
log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 0.5
_PRIVATE = {"Cache-Control": "no-store"}
_MAX_INTEGER = 2**63 - 1

JobId = Annotated[int, Path(ge=1, le=_MAX_INTEGER)]


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
    layer = _loadable(access, asked.layer)
    options = await asyncio.to_thread(_options, asked, settings)
    folders = _folders(settings)
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
                created_by=_key_of(access),
            )
            async with database.write(Role.DESK) as connection:
                job_id: int = (await connection.execute(statement)).scalar_one()
    except ClientDisconnect:
        log.info("upload broken off by its sender")
        return Response(status_code=400)
    log.info("upload taken in", job=job_id, layer=layer.name, files=len(received.files))
    document = await _document(request, database, access, job_id)
    return json_response(
        document, status_code=202, headers={**_PRIVATE, "Location": f"{PATH}/{job_id}"}
    )


def _loadable(access: Access, name: str) -> Layer:
    """The layer of a name, if the caller may load into it.

    Raises:
        NotAuthenticated: there is no key.
        NotPermitted: its clearance is too low, or it does not allow it.
        UnknownLayer: there is none that the caller may know of.
    """
    _require_clearance(access)
    layer = get_layer(name, access.level)
    access.require(Action.LOAD, layer.name)
    return layer


def _require_clearance(access: Access) -> None:
    access.require_credential(Action.LOAD)
    if access.level < Clearance.GOVERNMENT:
        message = f"loading needs a key of clearance {Clearance.GOVERNMENT.label} or above"
        raise NotPermitted(message)


def _loadable_layers(access: Access) -> list[Layer]:
    """The layers that the caller may load into, in drawing order."""
    _require_clearance(access)
    scopes = {grant.scope for grant in access.grants if grant.action is Action.LOAD}
    if not scopes:
        message = f"this key does not allow {Action.LOAD}"
        raise NotPermitted(message)
    return [one for one in layers_at(access.level) if scopes & {"*", one.name}]


def _key_of(access: Access) -> int:
    access.require_credential(Action.LOAD)
    return int(access.credential or 0)


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


def _folders(settings: Settings) -> UploadFolders:
    return UploadFolders(settings.upload_folder, settings.load.upload_quota_bytes)


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


@router.get(PATH, summary="Loads through the web")
async def list_jobs(
    request: Request,
    database: ServiceDatabase,
    settings: ServiceSettings,
    access: CallerAccess,
    limit: Annotated[int, Query(ge=1, le=200, description="Most loads")] = 20,
    before: Annotated[
        int | None, Query(ge=1, le=_MAX_INTEGER, description="Only loads before this one")
    ] = None,
) -> Response:
    """The newest loads into layers that the key may load into, these layers, and the bounds."""
    layers = {layer.name: layer for layer in _loadable_layers(access)}
    statement = select_jobs(layers.keys(), limit=limit, before=before)
    async with database.write(Role.DESK) as connection:
        jobs = (await connection.execute(statement)).mappings().all()
    base = base_url(request)
    return json_response(
        {
            "loads": [job_document(j, layers[j["layer"]], access.level, base) for j in jobs],
            "layers": [
                {"name": one.name, "title": {"en": one.title.en, "zh": one.title.zh}}
                for one in layers.values()
            ],
            "limits": {
                "max_upload_bytes": settings.load.max_upload_bytes,
                "max_upload_files": settings.load.max_upload_files,
            },
        },
        headers=_PRIVATE,
    )


@router.get(PATH + "/{job_id}", summary="One load")
async def show_job(
    request: Request, database: ServiceDatabase, access: CallerAccess, job_id: JobId
) -> Response:
    """The state of a load, how far it is, and what was found in the files."""
    return json_response(await _document(request, database, access, job_id), headers=_PRIVATE)


@router.get(PATH + "/{job_id}/events", summary="The progress of a load as Server-Sent Events")
async def events(
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    job_id: JobId,
    last_event_id: Annotated[str | None, Header(max_length=50)] = None,
) -> Response:
    """The whole state at once and after each change, until nothing more happens by itself.

    With ``Last-Event-ID`` what is known already is not sent again; 204 where nothing follows.
    """
    job, _layer = await _find(database, access, job_id)
    if request.scope.get(IS_HEAD):
        return Response(headers=_PRIVATE, media_type="text/event-stream")
    if is_settled(job) and _event_id(job) == last_event_id:
        return Response(status_code=204, headers=_PRIVATE)
    return EventSourceResponse(
        _changes(request, database, job_id, last_event_id), headers=_PRIVATE, ping=15
    )


async def _changes(
    request: Request, database: Database, job_id: int, known: str | None
) -> AsyncIterator[ServerSentEvent]:
    """One event for each change; rights are asked for again each time."""
    gate: Gate = request.app.state.gate
    base = base_url(request)
    while not request.app.state.stopping:
        try:
            access = await gate.access_of(request.headers.get("authorization"))
            job, layer = await _find(database, access, job_id)
        except (AccessError, NotFoundError):
            return  # the key was revoked, or may not any more
        if _event_id(job) != known:
            known = _event_id(job)
            document = job_document(job, layer, access.level, base)
            data = orjson.dumps(document, option=orjson.OPT_UTC_Z).decode()
            yield ServerSentEvent(data=data, event="state", id=known)
        if is_settled(job):
            return
        await asyncio.sleep(_LOOK_EVERY_S)


def _event_id(job: Any) -> str:
    """Changes when the worker changes the job, and when something is asked of it."""
    return f"{job['change_no']}{'-' + job['asked'] if job['asked'] else ''}"


@router.get(PATH + "/{job_id}/preview.json", summary="TileJSON of the files of a load")
async def preview_tilejson(
    request: Request,
    database: ServiceDatabase,
    settings: ServiceSettings,
    access: CallerAccess,
    job_id: JobId,
) -> Response:
    """Where the rows of the files lie, how their columns are taken, and how many are accepted."""
    job, layer, preview = await _preview(database, settings, access, job_id)
    make = partial(preview_document, job, preview, layer, access.level, base_url(request))
    return json_response(await asyncio.to_thread(make), headers=_PRIVATE)


@router.get(PATH + "/{job_id}/preview/{z}/{x}/{y}.mvt", summary="A tile of the files of a load")
async def preview_tile(  # the address of a tile has four parts
    database: ServiceDatabase,
    settings: ServiceSettings,
    access: CallerAccess,
    job_id: JobId,
    z: PathNumber,
    x: PathNumber,
    y: PathNumber,
) -> Response:
    """Rows as they would be loaded, and rejected ones; 204 where there are none.

    ``X-Features-Left-Out`` says how many touch the tile and are not drawn, where there are many.
    """
    address = TileAddress.within_matrix(z, x, y)
    _, _, preview = await _preview(database, settings, access, job_id)
    options = TileOptions(settings.tiles.extent, settings.tiles.buffer)
    tile = await asyncio.to_thread(preview.tile, address, options)
    headers = {**_PRIVATE, "X-Features-Left-Out": str(tile.left_out)}
    if not tile.content:
        return Response(status_code=204, headers=headers)
    return Response(tile.content, 200, headers, MEDIA_TYPE)


@router.post(PATH + "/{job_id}/confirm", summary="Load what was checked", status_code=202)
async def confirm(
    request: Request, database: ServiceDatabase, access: CallerAccess, job_id: JobId
) -> Response:
    """Have the files of a checked load loaded."""
    return await _ask(request, database, access, job_id, Wish.CONFIRM)


@router.post(PATH + "/{job_id}/undo", summary="Undo a load", status_code=202)
async def undo(
    request: Request, database: ServiceDatabase, access: CallerAccess, job_id: JobId
) -> Response:
    """Have the state before a load restored; refused where later loads depend on it."""
    return await _ask(request, database, access, job_id, Wish.UNDO)


@router.delete(PATH + "/{job_id}", summary="Cancel a load", status_code=202)
async def cancel(
    request: Request, database: ServiceDatabase, access: CallerAccess, job_id: JobId
) -> Response:
    """Give a load up that has not been published, and remove its files."""
    return await _ask(request, database, access, job_id, Wish.CANCEL)


async def _ask(
    request: Request, database: Database, access: Access, job_id: int, wish: Wish
) -> Response:
    job, _ = await _find(database, access, job_id)
    async with database.write(Role.DESK) as connection:
        done = await connection.execute(ask(job_id, wish, asked_by=_key_of(access)))
        was_asked = done.first() is not None
    if not was_asked:
        also = f", and {job['asked']} has been asked for" if job["asked"] else ""
        message = f"load {job_id} is {job['state']}{also}: it cannot be asked to {wish}"
        raise WrongJobState(message)
    log.info("load asked for", job=job_id, wish=wish.value)
    document = await _document(request, database, access, job_id)
    return json_response(document, status_code=202, headers=_PRIVATE)


async def _document(
    request: Request, database: Database, access: Access, job_id: int
) -> dict[str, Any]:
    job, layer = await _find(database, access, job_id)
    return job_document(job, layer, access.level, base_url(request))


async def _find(database: Database, access: Access, job_id: int) -> tuple[Any, Layer]:
    """A job and its layer.

    Raises:
        JobNotFound: there is none, or it is of a layer that the caller may not load into.
    """
    layers = {layer.name: layer for layer in _loadable_layers(access)}
    async with database.write(Role.DESK) as connection:
        found = await connection.execute(select_job(job_id, layers.keys()))
        job = found.mappings().first()
    if job is None:
        raise JobNotFound(job_id)
    return job, layers[job["layer"]]


async def _preview(
    database: Database, settings: Settings, access: Access, job_id: int
) -> tuple[Any, Layer, Preview]:
    """A job, its layer and its preview.

    Raises:
        NotFoundError: the files have not been checked, or have been removed.
    """
    job, layer = await _find(database, access, job_id)
    preview = Preview(_folders(settings).of(job["folder"]) / FILE_NAME, layer, access.level)
    if not has_preview(job) or not preview.exists:
        message = f"load {job_id} has no preview: before its check, and when its files are removed"
        raise NotFoundError(message)
    return job, layer, preview

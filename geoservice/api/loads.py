"""Loads through the web: their progress, preview, confirmation and undo.

The web stores files and asks; a worker process reads, checks and writes. Keys come in headers only,
so that no page of others can send one along.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

import orjson
import structlog
from fastapi import APIRouter, Header, Path, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from geoservice.api.answers import base_url, json_response
from geoservice.api.load_access import (
    PATH,
    PRIVATE,
    describe_job,
    find_job,
    key_of,
    loadable_layers,
    upload_folders,
)
from geoservice.api.load_documents import (
    has_preview,
    is_settled,
    job_document,
    preview_document,
)
from geoservice.api.parameters import CallerAccess, PathNumber, ServiceDatabase, ServiceSettings
from geoservice.auth import Gate
from geoservice.db import Database
from geoservice.loads.preview import FILE_NAME, Preview
from geoservice.middleware import IS_HEAD
from geoservice.settings import Settings
from layers.access import Access
from layers.base import Layer
from layers.errors import AccessError, NotFoundError, WrongJobState
from layers.load_jobs import Wish, ask, select_jobs
from layers.roles import Role
from tiles.matrix import TileAddress
from tiles.vector import MEDIA_TYPE, TileOptions

router = APIRouter(tags=["Loads"])
log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 0.5
_MAX_INTEGER = 2**63 - 1

JobId = Annotated[int, Path(ge=1, le=_MAX_INTEGER)]


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
    layers = {layer.name: layer for layer in loadable_layers(access)}
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
        headers=PRIVATE,
    )


@router.get(PATH + "/{job_id}", summary="One load")
async def show_job(
    request: Request, database: ServiceDatabase, access: CallerAccess, job_id: JobId
) -> Response:
    """The state of a load, how far it is, and what was found in the files."""
    return json_response(await describe_job(request, database, access, job_id), headers=PRIVATE)


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
    job, _layer = await find_job(database, access, job_id)
    if request.scope.get(IS_HEAD):
        return Response(headers=PRIVATE, media_type="text/event-stream")
    if is_settled(job) and _event_id(job) == last_event_id:
        return Response(status_code=204, headers=PRIVATE)
    return EventSourceResponse(
        _changes(request, database, job_id, last_event_id), headers=PRIVATE, ping=15
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
            job, layer = await find_job(database, access, job_id)
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
    return json_response(await asyncio.to_thread(make), headers=PRIVATE)


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
    headers = {**PRIVATE, "X-Features-Left-Out": str(tile.left_out)}
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
    job, _ = await find_job(database, access, job_id)
    async with database.write(Role.DESK) as connection:
        done = await connection.execute(ask(job_id, wish, asked_by=key_of(access)))
        was_asked = done.first() is not None
    if not was_asked:
        also = f", and {job['asked']} has been asked for" if job["asked"] else ""
        message = f"load {job_id} is {job['state']}{also}: it cannot be asked to {wish}"
        raise WrongJobState(message)
    log.info("load asked for", job=job_id, wish=wish.value)
    document = await describe_job(request, database, access, job_id)
    return json_response(document, status_code=202, headers=PRIVATE)


async def _preview(
    database: Database, settings: Settings, access: Access, job_id: int
) -> tuple[Any, Layer, Preview]:
    """A job, its layer and its preview.

    Raises:
        NotFoundError: the files have not been checked, or have been removed.
    """
    job, layer = await find_job(database, access, job_id)
    preview = Preview(upload_folders(settings).of(job["folder"]) / FILE_NAME, layer, access.level)
    if not has_preview(job) or not preview.exists:
        message = f"load {job_id} has no preview: before its check, and when its files are removed"
        raise NotFoundError(message)
    return job, layer, preview

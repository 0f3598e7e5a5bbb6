"""Who may load what through the web, and the jobs that they may know of."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from geoservice.api.answers import base_url
from geoservice.api.load_documents import job_document
from geoservice.db import Database
from geoservice.loads.folders import UploadFolders
from geoservice.settings import Settings
from layers.access import Access, Action, Clearance
from layers.base import Layer
from layers.errors import JobNotFound, NotPermitted
from layers.load_jobs import select_job
from layers.registry import get_layer, layers_at
from layers.roles import Role

PATH = "/loads"
PRIVATE = {"Cache-Control": "no-store"}


def loadable_layer(access: Access, name: str) -> Layer:
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


def loadable_layers(access: Access) -> list[Layer]:
    """The layers that the caller may load into, in drawing order; none is no error.

    Raises:
        NotAuthenticated: there is no key.
    """
    access.require_credential(Action.LOAD)
    if access.level < Clearance.GOVERNMENT:
        return []
    scopes = {grant.scope for grant in access.grants if grant.action is Action.LOAD}
    return [one for one in layers_at(access.level) if scopes & {"*", one.name}]


def key_of(access: Access) -> int:
    """The number of the caller's key.

    Raises:
        NotAuthenticated: there is none.
    """
    access.require_credential(Action.LOAD)
    return int(access.credential or 0)


async def describe_job(
    request: Request, database: Database, access: Access, job_id: int
) -> dict[str, Any]:
    """A job as its caller may see it.

    Raises:
        JobNotFound: see ``find_job``.
    """
    job, layer = await find_job(database, access, job_id)
    return job_document(job, layer, access.level, base_url(request))


async def find_job(database: Database, access: Access, job_id: int) -> tuple[Any, Layer]:
    """A job and its layer.

    Raises:
        JobNotFound: there is none, or it is of a layer that the caller may not load into.
    """
    layers = {layer.name: layer for layer in loadable_layers(access)}
    async with database.write(Role.DESK) as connection:
        found = await connection.execute(select_job(job_id, layers.keys()))
        job = found.mappings().first()
    if job is None:
        raise JobNotFound(job_id)
    return job, layers[job["layer"]]


def upload_folders(settings: Settings) -> UploadFolders:
    """Where the files of uploads are."""
    return UploadFolders(settings.upload_folder, settings.load.upload_quota_bytes)

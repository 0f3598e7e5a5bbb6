"""Whether the service lives, and whether it can answer."""

from __future__ import annotations

from fastapi import APIRouter, Request
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from geoservice import __version__
from geoservice.api.answers import json_response
from geoservice.api.parameters import ServiceDatabase
from layers.access import PUBLIC_ACCESS
from layers.errors import DatabaseUnavailable

router = APIRouter(tags=["Health"])

_NO_STORE = {"Cache-Control": "no-store"}


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Response:
    """Answers as long as the process does; asks nothing of the database."""
    return json_response({"status": "ok", "version": __version__}, headers=_NO_STORE)


@router.get("/readyz", summary="Can requests be answered?")
async def readyz(request: Request, database: ServiceDatabase) -> Response:
    """Answers 200 when the database answers and the service is not shutting down, else 503."""
    if request.app.state.stopping:
        message = "the service is shutting down"
        raise DatabaseUnavailable(message)
    try:
        async with database.read(PUBLIC_ACCESS) as connection:
            await connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        message = "the database does not answer"
        raise DatabaseUnavailable(message) from error
    return json_response({"status": "ready"}, headers=_NO_STORE)

"""The description of streams, webhooks and brokers."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, json_response
from geoservice.asyncapi import MEDIA_TYPE, asyncapi_document

router = APIRouter(tags=["Availability"])


@router.get(
    "/asyncapi",
    summary="What the service sends by itself (AsyncAPI 3)",
    responses={200: {"content": {MEDIA_TYPE: {}}}},
)
async def describe(request: Request) -> Response:
    """Streams, events posted to subscribers, and figures of brokers, with their messages."""
    document = asyncapi_document(request.app.title, base_url(request))
    return json_response(document, media_type=MEDIA_TYPE)

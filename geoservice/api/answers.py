"""Answers as JSON, with the cache headers that clearance demands."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from layers.access import Access

GEOJSON = "application/geo+json"
JSON = "application/json"


def json_response(
    content: Any,
    *,
    media_type: str = JSON,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer of JSON, written by orjson; instants come out as RFC 3339 in UTC."""
    body = orjson.dumps(content, option=orjson.OPT_UTC_Z)
    return Response(body, status_code, dict(headers or {}), media_type)


def base_url(request: Request) -> str:
    """The address of the service as the caller reached it, without a trailing slash."""
    return str(request.base_url).rstrip("/")


def cache_control(access: Access) -> str:
    """What shared caches may keep: public answers for two seconds, others never."""
    if access.credential is None:
        return "public, max-age=0, s-maxage=2"
    return "private, max-age=0"


def tagged_response(request: Request, access: Access, content: bytes, media_type: str) -> Response:
    """An answer with a strong ETag of its bytes; 304 for a caller that has them already."""
    etag = f'"{blake2b(content, digest_size=16).hexdigest()}"'
    headers = {"Cache-Control": cache_control(access), "Vary": "Authorization", "ETag": etag}
    if has_already(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(content, 200, headers, media_type)


def has_already(request: Request, etag: str) -> bool:
    """Whether If-None-Match names the tag, in any of its lines."""
    return names_tag(",".join(request.headers.getlist("if-none-match")), etag)


def names_tag(if_none_match: str, etag: str) -> bool:
    """Whether the lines of If-None-Match, joined by commas, name a tag (RFC 9110 13.1.2, weak)."""
    return if_none_match.strip() == "*" or etag in {
        one.strip().removeprefix("W/") for one in if_none_match.split(",")
    }

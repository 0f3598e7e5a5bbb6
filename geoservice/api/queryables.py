"""What filters of a layer may name, as a JSON Schema (OGC API Features Part 3, 6.2)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, cache_control, json_response
from geoservice.api.parameters import CallerAccess
from layers.base import Attribute, AttributeType, Layer
from layers.filters import GEOMETRY_NAME, queryables
from layers.registry import get_layer

router = APIRouter(tags=["Features"])

Json = dict[str, Any]

SCHEMA_MEDIA_TYPE = "application/schema+json"

_TYPES: dict[AttributeType, Json] = {
    AttributeType.TEXT: {"type": "string"},
    AttributeType.INTEGER: {"type": "integer"},
    AttributeType.NUMBER: {"type": "number"},
    AttributeType.BOOLEAN: {"type": "boolean"},
    AttributeType.DATE: {"type": "string", "format": "date"},
    AttributeType.TIMESTAMP: {"type": "string", "format": "date-time"},
}


@router.get("/collections/{layer}/queryables", summary="What filters may name")
async def layer_queryables(request: Request, access: CallerAccess, layer: str) -> Response:
    """The properties that a filter may name at the level of the caller."""
    found = get_layer(layer, access.level)
    known = queryables(found, access.level)
    return json_response(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"{base_url(request)}/collections/{layer}/queryables",
            "type": "object",
            "title": found.title.en,
            "title_zh": found.title.zh,
            "properties": {
                **{name: _described(queryable.attribute) for name, queryable in known.items()},
                **({} if GEOMETRY_NAME in known else {GEOMETRY_NAME: _geometry(found)}),
            },
            "additionalProperties": False,
        },
        media_type=SCHEMA_MEDIA_TYPE,
        headers={"Cache-Control": cache_control(access), "Vary": "Authorization"},
    )


def _described(attribute: Attribute) -> Json:
    described: Json = {
        "title": attribute.title.en,
        "title_zh": attribute.title.zh,
        **_TYPES[attribute.type],
    }
    if attribute.unit:
        described["x-ogc-unit"] = attribute.unit
    codes = attribute.codes
    if codes is not None and codes.closed:
        described["enum"] = [code.code for code in codes.codes]
    return described


def _geometry(layer: Layer) -> Json:
    kind = layer.geometry_type.value.removesuffix("Z").lower()
    return {
        "title": "Geometry",
        "title_zh": "几何",
        "x-ogc-role": "primary-geometry",
        "format": f"geometry-{kind}",
    }

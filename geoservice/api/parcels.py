"""Parcels: what their codes say."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from geoservice.api.answers import json_response
from layers.base import Title
from layers.cadastre.parcel_codes import SOURCE, Breach, CodePart, parse_parcel_code
from layers.errors import InvalidParameter

router = APIRouter(tags=["Parcels"])


@router.get("/parcels/codes/{code}", summary="What a code of a parcel or unit says")
async def explain_code(
    code: Annotated[
        str, Path(description="Parcel code of 19 characters, or unit code of 28 (GB/T 37346)")
    ],
) -> Response:
    """Each part of a code with its meaning, and every rule that it breaks.

    It says nothing of whether there is such a parcel.
    """
    parsed = parse_parcel_code(code)
    if parsed is None:
        raise InvalidParameter(
            "code", code, f"has {len(code)} characters: a parcel code has 19, a unit code 28"
        )
    return json_response(
        {
            "code": code,
            "type": "unit" if parsed.is_unit else "parcel",
            "parcel": parsed.parcel,
            "is_valid": not parsed.breaches,
            "parts": [_part(part) for part in parsed.parts],
            "breaches": [_breach(breach) for breach in parsed.breaches],
            "source": SOURCE,
        }
    )


def _part(part: CodePart) -> dict[str, Any]:
    return {
        "name": part.name,
        "begin": part.begin,
        "value": part.value,
        **_titled("title", part.title),
        **_titled("meaning", part.meaning),
    }


def _breach(breach: Breach) -> dict[str, Any]:
    return {"rule": breach.rule, "part": breach.part, **_titled("title", breach.title)}


def _titled(name: str, title: Title | None) -> dict[str, str | None]:
    return {name: title.en if title else None, f"{name}_zh": title.zh if title else None}

"""Figures of all pipes that a level may see."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from geoservice.api.answers import cache_control, json_response
from geoservice.api.parameters import (
    CallerAccess,
    RequestedAsRecorded,
    RequestedInstant,
    ServiceDatabase,
    refuse_unsettled_belief,
)
from layers.errors import InvalidParameter
from layers.pipe_statistics import FIGURES, GROUPINGS, select_statistics
from layers.pipelines import LAYER as PIPELINES
from layers.registry import get_layer
from layers.underground.pipes import hidden_categories

router = APIRouter(tags=["Pipe network"], prefix="/pipelines")

MOST_GROUPS = 10_000
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}


@router.get("/statistics", summary="How many pipes, how long, how old", responses=_CSV)
async def pipe_statistics(  # one for each parameter
    database: ServiceDatabase,
    access: CallerAccess,
    instant: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    by: Annotated[
        str, Query(max_length=60, description="Of kind, material, district, year; by commas")
    ] = "kind",
    f: Literal["json", "csv"] = "json",
) -> Response:
    """Count, length on the ellipsoid, and mean age of those whose year is known."""
    get_layer(PIPELINES.name, access.level)
    names = _names(by)
    await refuse_unsettled_belief(database, access, [PIPELINES], as_recorded)
    at = instant or datetime.now(UTC)
    statement = select_statistics(access.level, names, at, as_recorded, most=MOST_GROUPS + 1)
    async with database.read(access) as connection:
        rows = (await connection.execute(statement)).all()
    if len(rows) > MOST_GROUPS:
        raise InvalidParameter("by", by, f"makes more than {MOST_GROUPS:,} groups")
    found = [(*row[:-3], *_rounded(row[-3:])) for row in rows]
    columns = (*names, *FIGURES)
    headers = {"Cache-Control": cache_control(access), "Vary": "Authorization"}
    if f == "csv":
        return Response(_written(columns, found), headers=headers, media_type="text/csv")
    document = {
        "datetime": at,
        "as_recorded": as_recorded,
        "categories_not_shown": hidden_categories(access.level),
        "by": names,
        "groups": [dict(zip(columns, row, strict=True)) for row in found],
    }
    return json_response(document, headers=headers)


def _names(by: str) -> list[str]:
    names = by.split(",")
    if len(set(names)) < len(names) or not set(names) <= set(GROUPINGS):
        raise InvalidParameter("by", by, f"is of {', '.join(GROUPINGS)}; joined by commas")
    return names


def _rounded(figures: Sequence[Any]) -> tuple[Any, ...]:
    length_m, age_years, known = figures
    return round(length_m, 3), None if age_years is None else round(age_years, 2), known


def _written(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """CSV (RFC 4180); what is not known is empty."""
    page = io.StringIO(newline="")
    writer = csv.writer(page)
    writer.writerows([columns, *rows])
    return page.getvalue().encode()

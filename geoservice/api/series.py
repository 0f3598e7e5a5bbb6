"""Figures of a facility over time, as numbers or as a picture."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from geoservice.api.answers import json_response
from geoservice.api.charts import chart_png, chart_svg
from geoservice.api.parameters import CallerAccess, ServiceDatabase
from geoservice.hours import CityHours
from layers.availability import facility_status
from layers.errors import FeatureNotFound, InvalidParameter
from layers.extent import parse_instant
from layers.facilities import LAYER as FACILITIES
from layers.observations import AVAILABILITY
from layers.registry import get_layer
from layers.series import MAX_POINTS, Point, Series, Steps, find_series, read_points

router = APIRouter(tags=["Availability"])

_NO_STORE = {"Cache-Control": "no-store"}
_DEFAULT_SPAN = timedelta(days=1)
_LONGEST = timedelta(days=20 * 366)
_STEP = re.compile(
    r"P(?:(?P<days>\d{1,3})D)?(?:T(?:(?P<hours>\d{1,3})H)?(?:(?P<minutes>\d{1,4})M)?)?"
)
Aggregate = Literal["mean", "min", "max", "last", "count"]
Form = Literal["json", "csv", "svg", "png"]
_PICTURES = {"svg": (chart_svg, "image/svg+xml"), "png": (chart_png, "image/png")}


@router.get(
    "/availability/{feature_id}/series",
    summary="Figures of a facility over time",
    responses={200: {"content": {"text/csv": {}, "image/svg+xml": {}, "image/png": {}}}},
)
async def get_series(
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    feature_id: Annotated[int, Path(ge=1, lt=2**53)],
    begin: Annotated[
        str | None, Query(alias="from", description="RFC 3339 instant; a day ago by default")
    ] = None,
    end: Annotated[
        str | None, Query(alias="to", description="RFC 3339 instant, exclusive; now by default")
    ] = None,
    step: Annotated[
        str, Query(max_length=20, description="ISO 8601 duration of a step, such as PT15M or P1D")
    ] = "PT1H",
    aggregate: Annotated[Aggregate, Query(description="What is told of a step")] = "mean",
    resource_type: Annotated[
        str | None, Query(max_length=100, description="Of which resource")
    ] = None,
    source: Annotated[str | None, Query(max_length=100, description="Of which source")] = None,
    property_: Annotated[
        str, Query(alias="property", max_length=100, description="What was measured")
    ] = AVAILABILITY,
    f: Annotated[Form, Query(description="JSON, a table, or a picture")] = "json",
) -> Response:
    """The figures of a span, by steps on the city's clock; null where there was none.

    Figures are those that are known now: corrected ones are right, late ones are there. Where there
    are several series, that with the newest figure is told.
    """
    get_layer(FACILITIES.name, access.level)
    hours: CityHours = request.app.state.hours
    steps = _steps(begin, end, step, hours)
    now = datetime.now(UTC)
    async with database.readers(access).connection() as connection:
        facility = await facility_status(connection, access.level, feature_id, now, hours)
        if facility is None:
            raise FeatureNotFound(FACILITIES.name, feature_id)
        found = await find_series(
            connection,
            [feature_id],
            property_=property_,
            resource_type=resource_type,
            source=source,
        )
        chosen = found[0] if found else None
        points: Sequence[Point] = ()
        if chosen is not None:
            points = (await read_points(connection, [chosen.series_id], steps))[chosen.series_id]
    values = [(point, _value(point, aggregate)) for point in points]
    name = str(facility.attributes.get("name") or facility.attributes.get("code"))
    if f == "csv":
        return Response(_table(values), headers=_NO_STORE, media_type="text/csv")
    if f in _PICTURES:
        draw, media_type = _PICTURES[f]
        unit = chosen.unit if chosen else None
        picture = await asyncio.to_thread(draw, name, values, steps, unit=unit)
        return Response(picture, headers=_NO_STORE, media_type=media_type)
    return json_response(_document(feature_id, chosen, steps, aggregate, values), headers=_NO_STORE)


def _steps(begin: str | None, end: str | None, step: str, hours: CityHours) -> Steps:
    until = parse_instant(end, "to") if end is not None else datetime.now(UTC)
    since = parse_instant(begin, "from") if begin is not None else until - _DEFAULT_SPAN
    if not since < until:
        raise InvalidParameter("from", begin or "", "is not before to")
    if until - since > _LONGEST:
        raise InvalidParameter("from", begin or "", "is more than 20 years before to")
    match = _STEP.fullmatch(step)
    parts = (
        {name: int(value) for name, value in match.groupdict(default="0").items()} if match else {}
    )
    duration = timedelta(**parts)
    if duration < timedelta(minutes=1):
        raise InvalidParameter(
            "step", step, "is a duration from PT1M on, of days, hours and minutes"
        )
    if duration > timedelta(days=1) and duration % timedelta(days=1):
        raise InvalidParameter("step", step, "is of whole days if it is longer than one")
    if (until - since) / duration > MAX_POINTS:
        raise InvalidParameter("step", step, f"makes more than {MAX_POINTS} steps")
    return Steps.around(since, until, duration, hours.zone)


def _value(point: Point, aggregate: Aggregate) -> float | None:
    values: dict[str, float | None] = {
        "mean": None if point.mean is None else round(point.mean, 6),
        "min": point.minimum,
        "max": point.maximum,
        "last": point.last,
        "count": point.figures,
    }
    return values[aggregate]


Values = Sequence[tuple[Point, float | None]]


def _document(
    feature_id: int, series: Series | None, steps: Steps, aggregate: Aggregate, values: Values
) -> dict[str, Any]:
    return {
        "feature_id": feature_id,
        "property": AVAILABILITY,
        "resource_type": series.resource_type or None if series else None,
        "source": series.source if series else None,
        "unit": series.unit if series else None,
        "from": steps.begin,
        "to": steps.end,
        "step_s": int(steps.step.total_seconds()),
        "aggregate": aggregate,
        "values": [
            {
                "from": point.start,
                "value": value,
                "figures": point.figures,
                "capacity": point.capacity,
            }
            for point, value in values
        ],
    }


def _table(values: Values) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(("from", "value", "figures", "capacity"))
    for point, value in values:
        instant = point.start.astimezone(UTC).isoformat().replace("+00:00", "Z")
        table.writerow((instant, value, point.figures, point.capacity))
    return text.getvalue()

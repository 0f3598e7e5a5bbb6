"""Features of a layer: pages by keyset, and single ones (OGC API Features Part 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.api.answers import GEOJSON, base_url, cache_control, json_response
from geoservice.api.narrowing import RequestedNarrowing
from geoservice.api.parameters import (
    CallerAccess,
    RequestedAsRecorded,
    RequestedBBox,
    RequestedInterval,
    ServiceDatabase,
    ServiceSettings,
    refuse_unsettled_belief,
)
from layers.errors import FeatureNotFound
from layers.feature_history import Step, select_versions, steps_of
from layers.features import Cursor, FeatureQuery, select_features
from layers.registry import get_layer

router = APIRouter(tags=["Features"])

MAX_LIMIT = 10_000

Json = dict[str, Any]


@router.get("/collections/{layer}/items", summary="Features of a layer")
async def items(  # one for each parameter of the standard
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    layer: str,
    bbox: RequestedBBox,
    interval: RequestedInterval,
    as_recorded: RequestedAsRecorded,
    narrowing: RequestedNarrowing,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most features of a page")] = 10,
    cursor: Annotated[str | None, Query(max_length=64, description="From a next link")] = None,
) -> Response:
    """One page of features, in the order of their ids."""
    found = get_layer(layer, access.level)
    after = Cursor.parse(cursor) if cursor is not None else None
    query = FeatureQuery(
        interval,
        limit,
        bbox=bbox,
        after=after,
        as_recorded=as_recorded,
        condition=narrowing.filter_of(found, access.level),
        properties=narrowing.properties_of([found], access.level)[0],
    )
    names = query.names(found, access.level)
    await refuse_unsettled_belief(database, access, [found], as_recorded)
    async with database.read(access) as connection:
        rows = (
            (await connection.execute(select_features(found, access.level, query))).mappings().all()
        )
    page = rows[:limit]
    links = [_link(str(request.url), "self")]
    if len(rows) > limit:
        last = Cursor(page[-1]["feature_id"], page[-1]["began"])
        links.append(_link(_next_url(request, last), "next"))
    # What was matched costs a count of the layer, unless the first page holds it all.
    is_all = after is None and len(rows) <= limit
    return json_response(
        {
            "type": "FeatureCollection",
            **({"numberMatched": len(page)} if is_all else {}),
            "numberReturned": len(page),
            "links": links,
            "features": [_feature(names, row) for row in page],
        },
        media_type=GEOJSON,
        headers={"Cache-Control": cache_control(access), "Vary": "Authorization"},
    )


@router.get("/collections/{layer}/items/{feature_id}", summary="One feature")
async def item(  # one for each parameter of the standard
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    layer: str,
    feature_id: Annotated[int, Path(ge=1, lt=2**53)],
    interval: RequestedInterval,
    as_recorded: RequestedAsRecorded,
) -> Response:
    """One feature as it is, or as it was at ``datetime``; of an interval, its first version."""
    found = get_layer(layer, access.level)
    query = FeatureQuery(interval, limit=1, feature_id=feature_id, as_recorded=as_recorded)
    await refuse_unsettled_belief(database, access, [found], as_recorded)
    async with database.read(access) as connection:
        row = (
            (await connection.execute(select_features(found, access.level, query)))
            .mappings()
            .first()
        )
    if row is None:
        raise FeatureNotFound(layer, feature_id)
    here = f"{base_url(request)}/collections/{layer}"
    links = [
        _link(str(request.url), "self"),
        _link(here, "collection", "application/json"),
        _link(f"{here}/items/{feature_id}/history", "version-history", "application/json"),
    ]
    return json_response(
        _feature(query.names(found, access.level), row) | {"links": links},
        media_type=GEOJSON,
        headers={"Cache-Control": cache_control(access), "Vary": "Authorization"},
    )


@router.get("/collections/{layer}/items/{feature_id}/history", summary="History of one feature")
async def history(
    request: Request,
    database: ServiceDatabase,
    settings: ServiceSettings,
    access: CallerAccess,
    layer: str,
    feature_id: Annotated[int, Path(ge=1, lt=2**53)],
) -> Response:
    """What was believed of a feature after each step, and what each step changed.

    Of a feature that changed very often, the newest steps; ``earlier_left_out`` says so.
    """
    found = get_layer(layer, access.level)
    async with database.read(access) as connection:
        statement = select_versions(found, access.level, feature_id)
        versions = (await connection.execute(statement)).mappings().all()
    if not versions:
        raise FeatureNotFound(layer, feature_id)
    here = f"{base_url(request)}/collections/{layer}/items/{feature_id}"
    # In a thread: of a feature that changed daily for years this takes a while.
    steps, is_cut = await run_in_threadpool(steps_of, versions, settings.city.plane_srid)
    return json_response(
        {
            "feature_id": feature_id,
            "layer": layer,
            "earlier_left_out": is_cut,
            "steps": [_step(one) for one in steps],
            "links": [
                _link(str(request.url), "self", "application/json"),
                _link(here, "latest-version"),
            ],
        },
        headers={"Cache-Control": cache_control(access), "Vary": "Authorization"},
    )


def _step(step: Step) -> Json:
    return {
        "recorded_at": step.recorded_at,
        "change": step.kind.value,
        "changed": [
            {"attribute": name, "before": before, "after": after}
            for name, (before, after) in step.changed.items()
        ],
        "moved_m": None if step.moved_m is None else round(step.moved_m, 3),
        "timeline": [
            {
                "type": "Feature",
                "geometry": orjson.Fragment(period.geometry),
                "properties": dict(period.attributes),
                "valid_during": [period.start, period.end],
            }
            for period in step.timeline
        ],
    }


def _feature(names: Sequence[str], row: Mapping[Any, Any]) -> Json:
    return {
        "type": "Feature",
        "id": row["feature_id"],
        "geometry": orjson.Fragment(row["geometry"]),
        "properties": {name: row[name] for name in names},
        "valid_during": [row["began"], row["ended"]],
        "recorded_from": row["recorded"],
    }


def _next_url(request: Request, last: Cursor) -> str:
    parameters = {**request.query_params, "cursor": str(last)}
    return f"{base_url(request)}{request.url.path}?{urlencode(parameters)}"


def _link(href: str, rel: str, media_type: str = GEOJSON) -> Json:
    return {"href": href, "rel": rel, "type": media_type}

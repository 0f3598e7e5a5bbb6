"""OGC SensorThings API 1.1: what is observed, to be read, and observations to be sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from geoservice.api.answers import base_url, json_response
from geoservice.api.observations import MAX_BATCH, Batch, take_in
from geoservice.api.parameters import CallerAccess, ServiceDatabase
from geoservice.readers import ReaderConnection
from geoservice.sensorthings.entities import entity, instant
from geoservice.sensorthings.queries import (
    MOST_EXPANDED,
    Options,
    instant_literal,
    parse_options,
    text_literal,
    whole_literal,
)
from geoservice.sensorthings.reading import (
    ROADS,
    SETS,
    Row,
    Wanted,
    read_entities,
    read_features,
)
from geoservice.sensorthings.sent import unrolled
from layers.access import Access, Action
from layers.errors import InvalidBody, InvalidParameter, NotFoundError

ROOT = "/sensorthings/v1.1"
_CONFORMANCE = (
    "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/resource-path/resource-path-to-entities",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/data-array/data-array",
)
_LIVE = {"Cache-Control": "no-store"}
_STEP = re.compile(r"(?P<name>[A-Za-z]{1,40})(?:\((?P<id>'(?:[^']|'')*'|[^()']{1,60})\))?")
_ABOUT_FEATURES = ("Things", "Locations", "FeaturesOfInterest")


async def _any_options(request: Request) -> Sequence[tuple[str, str]]:
    """The query options; they are told apart by the set of entities, not by the route."""
    return request.query_params.multi_items()


router = APIRouter(tags=["SensorThings"], prefix=ROOT)


@router.get("", summary="SensorThings: the sets of entities")
async def service_root(request: Request) -> Response:
    """Where the sets are, and what of the standard is answered."""
    root = f"{base_url(request)}{ROOT}"
    names = [name for name in SETS if name not in ("Observations", "FeaturesOfInterest")]
    document = {
        "value": [{"name": name, "url": f"{root}/{name}"} for name in names],
        "serverSettings": {"conformance": list(_CONFORMANCE)},
    }
    return json_response(document)


@router.get("/{path:path}", summary="SensorThings: entities")
async def read_path(  # the path says what is asked for, the options which of it
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    path: str,
    given: Sequence[tuple[str, str]] = Depends(_any_options),
) -> Response:
    """A set of entities, one of them, or what one leads to: Things(1)/Datastreams."""
    wanted, is_one = _wanted(path)
    options = parse_options(given, SETS[wanted.set_name].fields)
    async with database.readers(access).connection() as connection:
        rows, count = await read_entities(connection, wanted, options)
        # A page of nothing has no next one.
        is_more = len(rows) > options.top > 0
        rows = rows[: options.top]
        if is_one and not rows:
            message = "there is no such entity"
            raise NotFoundError(message)
        found = await _entities(request, connection, access, wanted.set_name, rows, options)
    if is_one:
        return json_response(found[0], headers=_LIVE)
    document: dict[str, Any] = {} if count is None else {"@iot.count": count}
    if is_more:
        last = rows[-1][SETS[wanted.set_name].key]
        document["@iot.nextLink"] = _next_link(request, options, last)
    return json_response(document | {"value": found}, headers=_LIVE)


def _wanted(path: str) -> tuple[Wanted, bool]:
    """Which entities a path names, and whether that is a single one.

    Raises:
        NotFoundError: there is no such path.
    """
    steps = [_STEP.fullmatch(part) for part in path.split("/")]
    first = steps[0]
    if None in steps or first is None or first["name"] not in SETS or len(steps) > 2:
        raise NotFoundError(f"there is no {path[:80]!r} here")
    name, known = first["name"], first["id"]
    if known is None:
        if len(steps) > 1:
            raise NotFoundError(f"there is no {path[:80]!r} here")
        if name in ("Observations", "FeaturesOfInterest"):
            reason = "are told of one Datastream: Datastreams(1)/Observations"
            raise InvalidParameter(name, "", reason)
        return Wanted(name), False
    of = SETS[name]
    parameters = {"from_id": _identifier(name, known)}
    if len(steps) == 1:
        if name == "Observations":
            raise NotFoundError("an observation is told of its Datastream")
        return Wanted(name, f"{of.key} = %(from_id)s", parameters), True
    return _wanted_beyond(name, steps[1], parameters)


def _wanted_beyond(
    name: str, step: re.Match[str] | None, parameters: dict[str, Any]
) -> tuple[Wanted, bool]:
    way = ROADS[name].get(step["name"]) if step is not None else None
    if way is None or step is None:
        raise NotFoundError(f"nothing of that name is reached from {name}")
    target, condition = way
    if step["id"] is None:
        return Wanted(target, condition, parameters), step["name"] not in SETS
    key = SETS[target].key
    parameters["own_id"] = _identifier(target, step["id"])
    return Wanted(target, f"{condition} AND {key} = %(own_id)s", parameters), True


def _identifier(name: str, said: str) -> Any:
    parse = whole_literal
    if name in ("Sensors", "ObservedProperties"):
        parse = text_literal  # type: ignore[assignment]  # each of its own type
    elif name == "Observations":
        parse = instant_literal  # type: ignore[assignment]  # each of its own type
    try:
        return parse(said)
    except ValueError:
        raise NotFoundError(f"{name} has none of that name") from None


async def _entities(
    request: Request,
    connection: ReaderConnection,
    access: Access,
    set_name: str,
    rows: Sequence[Row],
    options: Options,
) -> list[dict[str, Any]]:
    root = f"{base_url(request)}{ROOT}"
    features = {}
    if set_name in _ABOUT_FEATURES:
        features = await read_features(connection, access.level, rows)
    found = [entity(set_name, row, features, root) for row in rows]
    for way, nested in options.expand.items():
        if way not in ROADS[set_name]:
            ways = ", ".join(ROADS[set_name]) or "nothing"
            raise InvalidParameter("$expand", way, f"{set_name} lead to {ways}")
        if len(rows) > MOST_EXPANDED:
            raise InvalidParameter("$expand", way, f"needs a $top of at most {MOST_EXPANDED}")
        for one, row in zip(found, rows, strict=True):
            target, condition = ROADS[set_name][way]
            inner = _nested(nested, target)
            known = {"from_id": row[SETS[set_name].key]}
            beyond, _ = await read_entities(connection, Wanted(target, condition, known), inner)
            beyond = beyond[: inner.top]
            told = await _entities(request, connection, access, target, beyond, inner)
            one[way] = told if way in SETS else (told[0] if told else None)
            del one[f"{way}@iot.navigationLink"]
    if options.select:
        kept = {*options.select, *options.expand}
        if "id" in kept:
            kept.add("@iot.id")
        found = [{k: v for k, v in one.items() if k in kept} for one in found]
    return found


def _nested(given: Mapping[str, str], target: str) -> Options:
    options = parse_options(list(given.items()), SETS[target].fields)
    if options.expand:
        raise InvalidParameter("$expand", "", "goes one step")
    return replace(options, top=min(options.top, MOST_EXPANDED), with_count=False)


def _next_link(request: Request, options: Options, last: Any) -> str:
    """The next page: after the last identifier, or by number in an order that was asked for."""
    given = dict(request.query_params) | {"$top": str(options.top)}
    if options.order:
        given["$skip"] = str(options.skip + options.top)
    else:
        given.pop("$skip", None)
        given["$skiptoken"] = _literal(last)
    path = request.url.path
    return f"{base_url(request)}{path}?{urlencode(given, safe='$,/')}"


def _literal(known: Any) -> str:
    """An identifier as a literal of ``$filter``."""
    if isinstance(known, datetime):
        return instant(known)
    if isinstance(known, str):
        doubled = known.replace("'", "''")
        return f"'{doubled}'"
    return str(known)


@router.post("/Observations", summary="SensorThings: send an observation", status_code=201)
async def post_observation(
    request: Request, database: ServiceDatabase, access: CallerAccess
) -> Response:
    """Take one observation of a Datastream in; sent again it changes nothing."""
    access.require_credential(Action.OBSERVE)
    sent = _json(await request.body())
    batch = Batch(1, {0: sent if isinstance(sent, dict) else {}})
    if not isinstance(sent, dict) or "Datastream" not in sent:
        raise InvalidBody("needs a Datastream", "/Datastream")
    await take_in(request, database, access, batch)
    if batch.refused:
        raise InvalidBody(batch.refused[0].reason, f"/{batch.refused[0].member}")
    return Response(status_code=201, headers={"Location": _address(request, sent)})


@router.post("/CreateObservations", summary="SensorThings: send a data array", status_code=201)
async def create_observations(
    request: Request, database: ServiceDatabase, access: CallerAccess
) -> Response:
    """Take many observations in; for each its address, or a word of error with the reason."""
    access.require_credential(Action.OBSERVE)
    sent = unrolled(_json(await request.body()))
    if not 1 <= len(sent) <= MAX_BATCH:
        raise InvalidBody(f"takes 1 to {MAX_BATCH} observations at once")
    batch = Batch(len(sent), dict(enumerate(sent)))
    await take_in(request, database, access, batch)
    told = [
        f"error: {batch.refused[place].reason}"
        if place in batch.refused
        else _address(request, one)
        for place, one in enumerate(sent)
    ]
    return json_response(told, status_code=201)


def _address(request: Request, sent: dict[str, Any]) -> str:
    number, when = sent["Datastream"]["@iot.id"], sent["phenomenonTime"]
    return f"{base_url(request)}{ROOT}/Datastreams({number})/Observations({when})"


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"is not JSON: {error.msg} at character {error.pos}"
        raise InvalidBody(message) from error

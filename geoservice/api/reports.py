"""Reports of citizens, in the shape of Open311 GeoReport v2, and what staff make of them."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b, sha256
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request
from sqlalchemy import Row, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import FileResponse, Response

from geoservice.api.answers import base_url, json_response
from geoservice.api.parameters import CallerAccess, ServiceDatabase, ServiceSettings
from geoservice.api.report_bodies import (
    FORM,
    JSON,
    Change,
    ReportBody,
    StepBody,
    plain_text,
    read_report,
)
from geoservice.db import Database, DatabaseAddress
from geoservice.rates import Rates
from geoservice.report_photos import keep_photo
from geoservice.tile_cache.confirmation import wait_for_readers
from layers.access import Access, Action, Clearance
from layers.base import STORAGE_SRID, Title
from layers.edits import edit_feature, end_feature
from layers.errors import (
    FeatureNotFound,
    InvalidBody,
    UnknownReport,
    WrongReportState,
)
from layers.events import Topic, append_event
from layers.facilities import LAYER as FACILITIES
from layers.roles import Role
from layers.system_tables import report_steps, reports

router = APIRouter(tags=["Reports"])

SERVICES: Mapping[str, Title] = {
    "closed": Title("It is closed", "已关闭"),
    "broken": Title("Something is broken", "设施损坏"),
    "wrong_position": Title("It is somewhere else", "位置有误"),
    "crowded": Title("It is crowded", "拥挤"),
    "missing": Title("A facility is missing here", "此处缺少设施"),
    "other": Title("Something else", "其他"),
}
CLEARANCE = Clearance.GOVERNMENT
"""Of reports: what citizens write is not shown to others."""

_SCOPE = "reports"
_NEAR_M = 50
_JOINED_DAYS = 7
_PAGE = 100
_PRIVATE = {"Cache-Control": "no-store"}
ReportId = Annotated[int, Path(ge=1, lt=2**63, description="Number of the report")]


@router.get("/reports/services", summary="What can be reported")
async def list_services() -> Response:
    """The services of Open311: codes, and names in both languages."""
    return json_response(
        [
            {
                "service_code": code,
                "service_name": title.en,
                "service_name_zh": title.zh,
                "metadata": False,
                "type": "realtime",
            }
            for code, title in SERVICES.items()
        ]
    )


@router.post(
    "/reports",
    summary="Report something",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": ReportBody.model_json_schema()},
                FORM: {
                    "schema": {
                        "type": "object",
                        "properties": {
                            **ReportBody.model_json_schema()["properties"],
                            "photo": {"type": "string", "format": "binary"},
                        },
                    }
                },
            },
        }
    },
)
async def report(
    request: Request, database: ServiceDatabase, access: CallerAccess, settings: ServiceSettings
) -> Response:
    """Anybody may report; the answer has a token with which its status is asked for.

    Nothing of the reporter is kept. A photo is made anew without what the camera added, and is seen
    by staff only.
    """
    rates: Rates = request.app.state.report_rates
    rates.take(_caller(request), 1)
    body, photo = await read_report(request, settings.reports.max_photo_bytes)
    token = secrets.token_urlsafe(24)
    name = None
    if photo is not None:
        name = await asyncio.to_thread(keep_photo, photo, settings.report_folder)
    place = await _place_of(database, access, body)
    async with database.write(Role.DESK) as connection:
        joined = await _same_as(connection, body, place)
        row = (
            await connection.execute(
                insert(reports)
                .values(
                    token_hash=_hashed(token),
                    service_code=body.service_code,
                    feature_id=body.feature_id,
                    place=func.ST_SetSRID(func.ST_MakePoint(*place), STORAGE_SRID),
                    description=plain_text(body.description),
                    photo=name,
                    joined_to=joined,
                )
                .returning(reports.c.report_id, reports.c.created_at)
            )
        ).one()
        await append_event(
            connection,
            Topic.REPORT,
            CLEARANCE,
            {"report_id": row.report_id, "service_code": body.service_code, "state": "open"},
            layer=FACILITIES.name if body.feature_id is not None else None,
            feature_id=body.feature_id,
        )
    href = f"{base_url(request)}/reports/{row.report_id}"
    return json_response(
        {
            "service_request_id": row.report_id,
            "token": token,
            "status": "open",
            "requested_datetime": row.created_at,
            "joined_to": joined,
            "links": [{"rel": "self", "href": href, "type": JSON}],
        },
        status_code=201,
        headers=_PRIVATE | {"Location": href},
    )


@router.get("/reports", summary="Reports, for staff")
async def list_reports(
    database: ServiceDatabase,
    access: CallerAccess,
    state: Annotated[
        Literal["open", "accepted", "rejected", "closed"] | None, Query(description="Only these")
    ] = None,
    service_code: Annotated[str | None, Query(max_length=50, description="Only these")] = None,
    before: Annotated[
        int | None, Query(ge=1, lt=2**63, description="Only reports below this number")
    ] = None,
) -> Response:
    """The newest first, a hundred at once; needs the action moderate."""
    _require(access)
    wanted = _SELECT.order_by(reports.c.report_id.desc()).limit(_PAGE)
    if state is not None:
        wanted = wanted.where(reports.c.state == state)
    if service_code is not None:
        wanted = wanted.where(reports.c.service_code == service_code)
    if before is not None:
        wanted = wanted.where(reports.c.report_id < before)
    async with database.write(Role.DESK) as connection:
        rows = (await connection.execute(wanted)).all()
    return json_response({"reports": [_for_staff(row) for row in rows]}, headers=_PRIVATE)


@router.get("/reports/{report_id}", summary="What became of a report")
async def get_report(
    database: ServiceDatabase,
    access: CallerAccess,
    report_id: ReportId,
    x_report_token: Annotated[
        str | None, Header(max_length=100, description="What the reporter was given")
    ] = None,
) -> Response:
    """For staff all of it with its steps; for the reporter, by the token, its status."""
    async with database.write(Role.DESK) as connection:
        row = await _one(connection, report_id)
        steps = await connection.execute(
            select(report_steps)
            .where(report_steps.c.report_id == report_id)
            .order_by(report_steps.c.taken_at)
        )
        taken = steps.all()
    if x_report_token is not None and hmac.compare_digest(_hashed(x_report_token), row.token_hash):
        return json_response(_for_reporter(row, taken), headers=_PRIVATE)
    if x_report_token is not None or not _may_moderate(access):
        raise UnknownReport
    return json_response(
        _for_staff(row) | {"steps": [_step(one) for one in taken]}, headers=_PRIVATE
    )


@router.get(
    "/reports/{report_id}/photo",
    summary="The photo of a report, for staff",
    responses={200: {"content": {"image/jpeg": {}}}},
)
async def get_photo(
    database: ServiceDatabase, access: CallerAccess, settings: ServiceSettings, report_id: ReportId
) -> Response:
    """A JPEG; needs the action moderate."""
    _require(access)
    async with database.write(Role.DESK) as connection:
        row = await _one(connection, report_id)
    if row.photo is None:
        raise UnknownReport
    headers = _PRIVATE | {"Content-Security-Policy": "default-src 'none'"}
    return FileResponse(
        settings.report_folder / row.photo, media_type="image/jpeg", headers=headers
    )


@router.post("/reports/{report_id}/{step}", summary="Take a report a step on, as staff")
async def take_step(
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    settings: ServiceSettings,
    report_id: ReportId,
    step: Literal["accept", "reject", "close"],
    body: StepBody,
) -> Response:
    """An open report is accepted or rejected, an accepted one closed; needs the action moderate.

    With ``change`` accepting changes the facility by an ordinary edit: a load of one feature, with
    its history, that can be undone.
    """
    _require(access)
    if body.change is not None and step != "accept":
        raise InvalidBody("goes with accept only", "/change")
    before, after = _STEPS[step]
    async with database.write(Role.DESK) as connection:
        moved = await connection.execute(
            update(reports)
            .where(reports.c.report_id == report_id, reports.c.state.in_(before))
            .values(state=after, updated_at=func.clock_timestamp())
        )
        row = await _one(connection, report_id)
        if not moved.rowcount:
            message = f"a report that is {row.state} cannot be {after}"
            raise WrongReportState(message)
        load_id = None
        if body.change is not None:
            # The step is kept only if the edit is: it is committed first, and fails alone.
            load_id = await _edit(settings, row, body.change, access)
        await connection.execute(
            insert(report_steps).values(
                report_id=report_id,
                state=after,
                taken_by=int(access.credential or 0),
                note=plain_text(body.note),
                load_id=load_id,
            )
        )
        told = {"report_id": report_id, "service_code": row.service_code, "state": after}
        await append_event(connection, Topic.REPORT, CLEARANCE, told, feature_id=None)
    document = _for_staff(row) | {"load_id": load_id}
    return json_response(document, headers=_PRIVATE)


_STEPS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "accept": (("open",), "accepted"),
    "reject": (("open",), "rejected"),
    "close": (("accepted",), "closed"),
}

_SELECT = select(
    reports,
    func.ST_X(reports.c.place).label("lon"),
    func.ST_Y(reports.c.place).label("lat"),
)


async def _edit(settings: Any, row: Row[Any], change: Change, access: Access) -> int:
    if row.feature_id is None:
        raise InvalidBody("the report is of no facility", "/change")
    origin = {"report_id": row.report_id, "key_id": access.credential}

    def edit() -> int:
        address = DatabaseAddress(settings.database)
        with address.connect(Role.LOADER) as connection:
            if change.end:
                load_id, _ = end_feature(connection, FACILITIES, row.feature_id, origin)
            else:
                load_id, _ = edit_feature(
                    connection,
                    FACILITIES,
                    row.feature_id,
                    attributes=change.attributes,
                    position=change.position,
                    origin=origin,
                )
            connection.commit()
        wait_for_readers(address)
        return load_id

    return await asyncio.to_thread(edit)


def _may_moderate(access: Access) -> bool:
    return access.level >= CLEARANCE and any(
        grant.action is Action.MODERATE and grant.scope in ("*", _SCOPE) for grant in access.grants
    )


def _require(access: Access) -> None:
    access.require(Action.MODERATE, _SCOPE)
    if access.level < CLEARANCE:
        raise UnknownReport


def _caller(request: Request) -> str:
    """Who asks, as a word that tells nothing of the address once a day is over."""
    salt: bytes = request.app.state.report_salt
    host = request.client.host if request.client else ""
    day = datetime.now(UTC).date().isoformat()
    return blake2b(f"{day} {host}".encode(), key=salt, digest_size=16).hexdigest()


def _hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()


async def _place_of(database: Database, access: Access, body: ReportBody) -> tuple[float, float]:
    """Where it is: as said, else that of the facility, which the caller must be able to see."""
    if body.feature_id is None:
        return body.long or 0.0, body.lat or 0.0
    async with database.read(access) as connection:
        found = (
            await connection.execute(
                text(
                    "SELECT ST_X(geom), ST_Y(geom) FROM facilities "
                    "WHERE feature_id = :feature_id AND upper_inf(valid_during)"
                ),
                {"feature_id": body.feature_id},
            )
        ).first()
    if found is None:
        raise FeatureNotFound(FACILITIES.name, body.feature_id)
    if body.lat is not None and body.long is not None:
        return body.long, body.lat
    return found[0], found[1]


async def _same_as(
    connection: AsyncConnection, body: ReportBody, place: tuple[float, float]
) -> int | None:
    """The open report of the last days that says the same, if there is one."""
    found: int | None = (
        await connection.execute(
            text(_SAME),
            {
                "service_code": body.service_code,
                "feature_id": body.feature_id,
                "lon": place[0],
                "lat": place[1],
                "near_m": _NEAR_M,
                "days": _JOINED_DAYS,
            },
        )
    ).scalar()
    return found


_SAME = """
SELECT report_id FROM city.reports
WHERE service_code = :service_code AND state = 'open' AND joined_to IS NULL
  AND created_at > now() - make_interval(days => :days)
  AND (feature_id = CAST(:feature_id AS bigint) OR CAST(:feature_id AS bigint) IS NULL
       AND feature_id IS NULL
       AND ST_DWithin(CAST(place AS geography),
                      CAST(ST_SetSRID(ST_MakePoint(:lon, :lat), ST_SRID(place)) AS geography),
                      :near_m))
ORDER BY report_id LIMIT 1"""


async def _one(connection: AsyncConnection, report_id: int) -> Row[Any]:
    row = (await connection.execute(_SELECT.where(reports.c.report_id == report_id))).first()
    if row is None:
        raise UnknownReport
    return row


def _open311(row: Row[Any]) -> dict[str, Any]:
    return {
        "service_request_id": row.report_id,
        "service_code": row.service_code,
        "service_name": SERVICES[row.service_code].en,
        "service_name_zh": SERVICES[row.service_code].zh,
        "status": "open" if row.state in ("open", "accepted") else "closed",
        "state": row.state,
        "requested_datetime": row.created_at,
        "updated_datetime": row.updated_at,
        "lat": row.lat,
        "long": row.lon,
        "feature_id": row.feature_id,
    }


def _for_reporter(row: Row[Any], steps: Any) -> dict[str, Any]:
    notes = [one.note for one in steps if one.note]
    return _open311(row) | {"status_notes": notes[-1] if notes else None}


def _for_staff(row: Row[Any]) -> dict[str, Any]:
    return _open311(row) | {
        "description": row.description,
        "joined_to": row.joined_to,
        "has_photo": row.photo is not None,
    }


def _step(one: Row[Any]) -> dict[str, Any]:
    names = ("taken_at", "state", "taken_by", "note", "load_id")
    return {name: getattr(one, name) for name in names}

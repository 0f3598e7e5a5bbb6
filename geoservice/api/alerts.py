"""Alerts and the rules that raise them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import func, insert, select, text, update
from starlette.responses import Response

from geoservice.api.answers import json_response
from geoservice.api.parameters import CallerAccess, ServiceDatabase
from geoservice.db import Database
from layers.access import Access, Action
from layers.alerts import RuleKind
from layers.errors import UnknownAlert
from layers.event_reading import Subject, read_subjects
from layers.events import Topic, append_event
from layers.observations import AVAILABILITY
from layers.registry import get_layer
from layers.roles import Role
from layers.system_tables import alert_rules, alerts

router = APIRouter(tags=["Alerts"])

_PRIVATE = {"Cache-Control": "no-store"}
_PAGE = 200
_RULE = (
    "rule_id",
    "title_zh",
    "title_en",
    "layer",
    "property",
    "resource_type",
    "kind",
    "threshold",
    "hysteresis",
    "created_at",
)
_ALERT = (
    "alert_id",
    "rule_id",
    "layer",
    "feature_id",
    "value",
    "raised_at",
    "acknowledged_at",
    "note",
    "cleared_at",
)


class RuleBody(BaseModel):
    """One rule."""

    model_config = ConfigDict(extra="forbid")

    title_zh: str = Field(min_length=1, max_length=200)
    title_en: str = Field(min_length=1, max_length=200)
    layer: str = Field("facilities", max_length=100)
    property: str = Field(AVAILABILITY, pattern=r"^[a-z][a-z0-9_.]{0,99}$")
    resource_type: str | None = Field(None, max_length=100)
    kind: RuleKind = Field(
        description="above, below; rate (change in a minute); silence (seconds without a figure)"
    )
    threshold: float = Field(allow_inf_nan=False)
    hysteresis: float = Field(0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _is_positive(self) -> Self:
        if self.kind in (RuleKind.RATE, RuleKind.SILENCE) and self.threshold <= 0:
            message = f"{self.kind} needs a threshold above 0"
            raise ValueError(message)
        return self


class AcknowledgeBody(BaseModel):
    """What is said of an alert."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=2_000)


Number = Annotated[int, Path(ge=1, lt=2**63)]


@router.post("/alert-rules", summary="Make a rule", status_code=201)
async def make_rule(database: ServiceDatabase, access: CallerAccess, body: RuleBody) -> Response:
    """Needs the action administer for ``alerts``; judged within seconds from then on."""
    access.require(Action.ADMINISTER, "alerts")
    get_layer(body.layer, access.level)
    async with database.write(Role.DESK) as connection:
        row = (
            await connection.execute(
                insert(alert_rules)
                .values(**body.model_dump(mode="json"), created_by=int(access.credential or 0))
                .returning(*(alert_rules.c[name] for name in _RULE))
            )
        ).one()
    return json_response(dict(zip(_RULE, row, strict=True)), status_code=201, headers=_PRIVATE)


@router.get("/alert-rules", summary="Rules that raise alerts")
async def list_rules(database: ServiceDatabase, access: CallerAccess) -> Response:
    """Those in force, of layers that the caller may know of."""
    wanted = select(*(alert_rules.c[name] for name in _RULE)).where(
        alert_rules.c.ended_at.is_(None)
    )
    async with database.write(Role.DESK) as connection:
        rows = (await connection.execute(wanted.order_by(alert_rules.c.rule_id))).all()
    documents = [dict(zip(_RULE, row, strict=True)) for row in rows]
    seen = [one for one in documents if _may_know(one["layer"], access)]
    return json_response({"rules": seen}, headers=_PRIVATE)


@router.delete("/alert-rules/{rule_id}", summary="End a rule", status_code=204)
async def end_rule(database: ServiceDatabase, access: CallerAccess, rule_id: Number) -> Response:
    """What it raised is cleared."""
    access.require(Action.ADMINISTER, "alerts")
    async with database.write(Role.DESK) as connection:
        ended = await connection.execute(
            update(alert_rules)
            .where(alert_rules.c.rule_id == rule_id, alert_rules.c.ended_at.is_(None))
            .values(ended_at=func.clock_timestamp())
        )
    if not ended.rowcount:
        raise UnknownAlert
    return Response(status_code=204, headers=_PRIVATE)


@router.get("/alerts", summary="Alerts")
async def list_alerts(
    database: ServiceDatabase,
    access: CallerAccess,
    state: Annotated[
        Literal["open", "raised", "acknowledged", "cleared"],
        Query(description="open are those raised and those acknowledged"),
    ] = "open",
    before: Annotated[
        int | None, Query(ge=1, lt=2**63, description="Only alerts below this number")
    ] = None,
) -> Response:
    """The newest first, two hundred at once, of features that the caller may see."""
    conditions = {
        "open": "cleared_at IS NULL",
        "raised": "cleared_at IS NULL AND acknowledged_at IS NULL",
        "acknowledged": "cleared_at IS NULL AND acknowledged_at IS NOT NULL",
        "cleared": "cleared_at IS NOT NULL",
    }
    statement = (
        f"SELECT {', '.join(_ALERT)} FROM alerts WHERE {conditions[state]} "  # noqa: S608  # ours
        "AND (%(before)s::bigint IS NULL OR alert_id < %(before)s) "
        "ORDER BY alert_id DESC LIMIT %(page)s"
    )
    async with database.readers(access).connection() as connection:
        found = await connection.execute(statement, {"before": before, "page": _PAGE})
        documents = [
            _described(dict(zip(_ALERT, row, strict=True))) for row in await found.fetchall()
        ]
        about: dict[str, set[int]] = {}
        for one in documents:
            about.setdefault(one["layer"], set()).add(one["feature_id"])
        subjects = await read_subjects(connection, access.level, about)
    titles = await _titles_of(database, {one["rule_id"] for one in documents})
    told = [
        one | titles[one["rule_id"]] | _placed(subjects.get(one["feature_id"])) for one in documents
    ]
    return json_response({"alerts": told}, headers=_PRIVATE)


async def _titles_of(database: Database, rule_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """The titles of the rules that raised alerts which the caller may see."""
    columns = ("rule_id", "title_zh", "title_en", "property")
    wanted = select(*(alert_rules.c[name] for name in columns))
    async with database.write(Role.DESK) as connection:
        rows = (await connection.execute(wanted.where(alert_rules.c.rule_id.in_(rule_ids)))).all()
    return {row.rule_id: dict(zip(columns, row, strict=True)) for row in rows}


def _placed(subject: Subject | None) -> dict[str, Any]:
    """Where an alert is, and how what it is about is called, as it is held now."""
    if subject is None:
        return {"geometry": None, "name": None, "code": None}
    coordinates = [round(subject.lon, 9), round(subject.lat, 9)]
    named = {name: subject.attributes.get(name) for name in ("name", "code")}
    return {"geometry": {"type": "Point", "coordinates": coordinates}, **named}


@router.post("/alerts/{alert_id}/acknowledge", summary="Say that an alert is seen to")
async def acknowledge(
    database: ServiceDatabase, access: CallerAccess, alert_id: Number, body: AcknowledgeBody
) -> Response:
    """Needs the action moderate for ``alerts``; an alert that is cleared cannot be acknowledged."""
    access.require(Action.MODERATE, "alerts")
    async with database.read(access) as connection:
        seen = (
            await connection.execute(
                text("SELECT 1 FROM alerts WHERE alert_id = :alert"), {"alert": alert_id}
            )
        ).first()
    if seen is None:
        raise UnknownAlert
    async with database.write(Role.DESK) as connection:
        row = (
            await connection.execute(
                update(alerts)
                .where(
                    alerts.c.alert_id == alert_id,
                    alerts.c.cleared_at.is_(None),
                    alerts.c.acknowledged_at.is_(None),
                )
                .values(
                    acknowledged_at=func.clock_timestamp(),
                    acknowledged_by=int(access.credential or 0),
                    note=body.note or None,
                )
                .returning(alerts)
            )
        ).first()
        if row is None:
            raise UnknownAlert
        told = {"alert_id": alert_id, "rule_id": row.rule_id, "state": "acknowledged"}
        await append_event(
            connection,
            Topic.ALERT,
            row.clearance,
            told,
            layer=row.layer,
            feature_id=row.feature_id,
        )
    document = {name: getattr(row, name) for name in _ALERT}
    return json_response(_described(document), headers=_PRIVATE)


def _described(document: dict[str, Any]) -> dict[str, Any]:
    state = "raised"
    if document["cleared_at"] is not None:
        state = "cleared"
    elif document["acknowledged_at"] is not None:
        state = "acknowledged"
    return document | {"state": state}


def _may_know(layer: str, access: Access) -> bool:
    return get_layer(layer).clearance <= access.level

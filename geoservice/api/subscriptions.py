"""Subscriptions: whom to tell what, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from sqlalchemy import Row, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from geoservice.api.answers import base_url, json_response
from geoservice.api.parameters import CallerAccess, ServiceDatabase, ServiceSettings
from geoservice.push.addresses import AddressRules, check_url
from geoservice.push.asked import Asked
from geoservice.push.webhooks import new_secret
from layers.access import Access
from layers.errors import NotAuthenticated, TooManySubscriptions, UnknownSubscription
from layers.event_reading import LAST_NO
from layers.roles import Role
from layers.system_tables import deliveries, subscriptions

router = APIRouter(tags=["Subscriptions"])

_PRIVATE = {"Cache-Control": "no-store"}
_PAGE = 100
_TOLD = (
    "event_no",
    "feature_id",
    "state",
    "attempts",
    "queued_at",
    "due_at",
    "ended_at",
    "last_error",
)


class SubscriptionBody(Asked):
    """What is asked for, and where it is to be sent."""

    url: str = Field(max_length=2_000, description="Where events are posted to; https")


SubscriptionId = Annotated[UUID, Path(description="As it was given")]


@router.post("/subscriptions", summary="Have events sent to an address", status_code=201)
async def subscribe(
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    settings: ServiceSettings,
    body: SubscriptionBody,
) -> Response:
    """Events from now on are posted to the address, signed as Standard Webhooks says.

    The secret is told here and never again. A key sees its own subscriptions only.
    """
    owner = _owner(access)
    rules = AddressRules(settings.push.allow_private_addresses, settings.push.allow_http)
    check_url(body.url, rules)
    asked = Asked.model_validate(body.model_dump(by_alias=True, exclude={"url"}))
    secret = new_secret()
    async with database.write(Role.DESK) as connection:
        await _refuse_one_too_many(connection, owner, settings.push.max_subscriptions)
        reached = (await connection.execute(text(LAST_NO))).scalar_one()
        row = (
            await connection.execute(
                insert(subscriptions)
                .values(
                    owner=owner,
                    url=body.url,
                    secret=secret,
                    asked=asked.model_dump(mode="json", by_alias=True, exclude_none=True),
                    clearance=int(access.level),
                    reached_no=reached,
                )
                .returning(subscriptions)
            )
        ).one()
    document = _document(row, base_url(request))
    location = document["links"][0]["href"]
    return json_response(
        document | {"secret": secret}, status_code=201, headers=_PRIVATE | {"Location": location}
    )


@router.get("/subscriptions", summary="The key's own subscriptions")
async def list_own(request: Request, database: ServiceDatabase, access: CallerAccess) -> Response:
    """All of them, those that have ended too, with the reason."""
    owned = select(subscriptions).where(subscriptions.c.owner == _owner(access))
    async with database.write(Role.DESK) as connection:
        rows = (await connection.execute(owned.order_by(subscriptions.c.created_at))).all()
    base = base_url(request)
    return json_response(
        {"subscriptions": [_document(row, base) for row in rows]}, headers=_PRIVATE
    )


@router.get("/subscriptions/{subscription_id}", summary="One subscription")
async def get_one(
    request: Request,
    database: ServiceDatabase,
    access: CallerAccess,
    subscription_id: SubscriptionId,
) -> Response:
    """What it asks for, and how many of its deliveries are in which state."""
    async with database.write(Role.DESK) as connection:
        row = await _own(connection, access, subscription_id)
        counted = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
        counts = await connection.execute(
            counted.where(deliveries.c.subscription_id == subscription_id)
        )
        by_state = {row[0]: row[1] for row in counts}
    return json_response(
        _document(row, base_url(request)) | {"deliveries": by_state}, headers=_PRIVATE
    )


@router.delete("/subscriptions/{subscription_id}", summary="End a subscription", status_code=204)
async def unsubscribe(
    database: ServiceDatabase, access: CallerAccess, subscription_id: SubscriptionId
) -> Response:
    """Nothing more is sent, and what was queued is forgotten."""
    async with database.write(Role.DESK) as connection:
        await _own(connection, access, subscription_id)
        await connection.execute(
            delete(subscriptions).where(subscriptions.c.subscription_id == subscription_id)
        )
    return Response(status_code=204, headers=_PRIVATE)


@router.get("/subscriptions/{subscription_id}/deliveries", summary="What became of each event")
async def list_deliveries(
    database: ServiceDatabase,
    access: CallerAccess,
    subscription_id: SubscriptionId,
    state: Annotated[
        Literal["waiting", "delivered", "superseded", "dead"] | None,
        Query(description="Only those in this state"),
    ] = None,
    before: Annotated[
        int | None, Query(ge=1, lt=2**63, description="Only events below this number")
    ] = None,
) -> Response:
    """The newest first, a hundred at once; dead ones are those that were given up."""
    wanted = select(*(deliveries.c[name] for name in _TOLD)).where(
        deliveries.c.subscription_id == subscription_id
    )
    if state is not None:
        wanted = wanted.where(deliveries.c.state == state)
    if before is not None:
        wanted = wanted.where(deliveries.c.event_no < before)
    wanted = wanted.order_by(deliveries.c.event_no.desc()).limit(_PAGE)
    async with database.write(Role.DESK) as connection:
        await _own(connection, access, subscription_id)
        rows = (await connection.execute(wanted)).all()
    documents = [dict(zip(_TOLD, row, strict=True)) for row in rows]
    return json_response({"deliveries": documents}, headers=_PRIVATE)


@router.post(
    "/subscriptions/{subscription_id}/deliveries/{event_no}/retry",
    summary="Send an event once more",
    status_code=202,
)
async def retry(
    database: ServiceDatabase,
    access: CallerAccess,
    subscription_id: SubscriptionId,
    event_no: Annotated[int, Path(ge=1, lt=2**63)],
) -> Response:
    """A dead delivery is alive again; one that has arrived is sent again."""
    async with database.write(Role.DESK) as connection:
        await _own(connection, access, subscription_id)
        revived = await connection.execute(
            update(deliveries)
            .where(
                deliveries.c.subscription_id == subscription_id,
                deliveries.c.event_no == event_no,
                deliveries.c.state.in_(("dead", "delivered")),
            )
            .values(state="waiting", attempts=0, due_at=func.clock_timestamp(), ended_at=None)
        )
    if not revived.rowcount:
        raise UnknownSubscription
    return Response(status_code=202, headers=_PRIVATE)


def _owner(access: Access) -> int:
    if access.credential is None:
        message = "subscriptions need a key"
        raise NotAuthenticated(message)
    return int(access.credential)


async def _refuse_one_too_many(connection: AsyncConnection, owner: int, most: int) -> None:
    # Two at once must not both be the last one.
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('subscriptions'), :owner)"),
        {"owner": owner % 2**31},
    )
    held = select(func.count()).where(
        subscriptions.c.owner == owner, subscriptions.c.ended_at.is_(None)
    )
    if (await connection.execute(held)).scalar_one() >= most:
        message = f"a key has at most {most} subscriptions"
        raise TooManySubscriptions(message)


async def _own(connection: AsyncConnection, access: Access, subscription_id: UUID) -> Row[Any]:
    row = (
        await connection.execute(
            select(subscriptions).where(
                subscriptions.c.subscription_id == subscription_id,
                subscriptions.c.owner == _owner(access),
            )
        )
    ).first()
    if row is None:
        raise UnknownSubscription
    return row


def _document(row: Row[Any], base: str) -> dict[str, Any]:
    href = f"{base}/subscriptions/{row.subscription_id}"
    return {
        "id": str(row.subscription_id),
        "url": row.url,
        **row.asked,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
        "ended_because": row.ended_because,
        "links": [
            {"rel": "self", "href": href, "type": "application/json"},
            {"rel": "deliveries", "href": f"{href}/deliveries", "type": "application/json"},
        ],
    }

"""Transactions of parcels: staff split and merge, and everybody reads what became of which."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import orjson
import shapely
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from geoservice.api.answers import cache_control, json_response
from geoservice.api.parameters import CallerAccess, ServiceDatabase, ServiceSettings
from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from geoservice.tile_cache.confirmation import wait_for_readers
from layers.access import Access, Action
from layers.cadastre.lineage import MAX_TRANSACTIONS, select_transactions, transaction_document
from layers.cadastre.transactions import Act, Merge, Part, Split, Transaction, change_parcels
from layers.city import FloatArray
from layers.errors import InvalidBody, InvalidParameter
from layers.extent import parse_instant
from layers.features import COORDINATE_DECIMALS
from layers.parcels import LAYER
from layers.roles import Role

router = APIRouter(tags=["Parcels"])

Code = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f/?#]+$")]
_LonLat = tuple[
    Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)],
    Annotated[float, Field(ge=-85, le=85, allow_inf_nan=False)],
]


class Line(BaseModel):
    """A GeoJSON LineString; longitude and latitude in CGCS2000 degrees."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["LineString"]
    coordinates: list[_LonLat] = Field(min_length=2, max_length=1_000)


class TransactionBody(BaseModel):
    """What is done with parcels, and by what right."""

    model_config = ConfigDict(extra="forbid")

    document_no: str = Field(min_length=1, max_length=100, description="Of what orders it")
    reason: str = Field(min_length=1, max_length=2_000)
    expected: AwareDatetime | None = Field(
        None, description="Recorded instant: refused if a parcel was changed after it"
    )
    dry_run: bool = Field(default=False, description="Say what would be done, and do nothing")


class SplitBody(TransactionBody):
    """One parcel becomes two."""

    kind: Literal["split"]
    parcel: Code
    line: Line
    parts: tuple[Code, Code] = Field(description="Codes of the part left of the line, and right")


class MergeBody(TransactionBody):
    """Parcels that touch become one."""

    kind: Literal["merge"]
    parcels: list[Code] = Field(min_length=2, max_length=100)
    into: Code = Field(description="Code of the one that they become")


@router.post(
    "/parcels/transactions",
    summary="Split a parcel, or merge parcels, as staff",
    status_code=201,
    responses={200: {"description": "What would be done (dry run)"}},
)
async def transact(
    access: CallerAccess,
    settings: ServiceSettings,
    body: Annotated[SplitBody | MergeBody, Field(discriminator="kind")],
) -> Response:
    """One transaction, with its document and reason; needs the action edit on parcels.

    Predecessors end and successors begin at one instant, and no area is won or lost. The new
    vertices of a split are put into the neighbours too. ``load_id`` undoes all of it.
    """
    access.require(Action.EDIT, LAYER.name)
    done = await asyncio.to_thread(_transact, settings, access, body)
    return json_response(
        _done(done, body), status_code=200 if body.dry_run else 201, headers=_NO_STORE
    )


@router.get("/parcels/transactions", summary="Transactions of parcels in an interval")
async def list_transactions(
    database: ServiceDatabase,
    access: CallerAccess,
    from_: Annotated[
        str | None, Query(alias="from", description="RFC 3339 instant of recorded time, inside")
    ] = None,
    to: Annotated[
        str | None, Query(description="RFC 3339 instant of recorded time, not inside")
    ] = None,
) -> Response:
    """Splits and merges, oldest first, at most a thousand; those that were undone say so.

    Only those of parcels that the caller may see; documents and reasons are for government.
    """
    began = parse_instant(from_, "from") if from_ is not None else None
    ended = parse_instant(to, "to") if to is not None else None
    if began is not None and ended is not None and ended <= began:
        raise InvalidParameter("to", to, "lies before from")
    async with database.read(access) as connection:
        rows = (await connection.execute(select_transactions(began, ended))).mappings().all()
    return json_response(
        {
            "transactions": [transaction_document(row) for row in rows[:MAX_TRANSACTIONS]],
            "is_cut": len(rows) > MAX_TRANSACTIONS,
        },
        headers={"Cache-Control": cache_control(access), "Vary": "Authorization"},
    )


_NO_STORE = {"Cache-Control": "no-store"}


def _transact(settings: Settings, access: Access, body: SplitBody | MergeBody) -> Transaction:
    change: Split | Merge
    if isinstance(body, SplitBody):
        change = Split(body.parcel, body.line.coordinates, body.parts)
    else:
        if len(set(body.parcels)) < len(body.parcels):
            raise InvalidBody("names a parcel twice", "/parcels")
        change = Merge(body.parcels, body.into)
    act = Act(
        body.document_no,
        body.reason,
        int(access.credential or 0),
        access.level,
        datetime.now(ZoneInfo(settings.city.time_zone)).date(),
        body.expected,
    )
    address = DatabaseAddress(settings.database)
    with address.connect(Role.LOADER) as connection:
        done = change_parcels(connection, change, act, settings.city.plane_srid)
        if body.dry_run:
            connection.rollback()
            return done
        connection.commit()
    wait_for_readers(address)
    return done


def _done(done: Transaction, body: SplitBody | MergeBody) -> dict[str, Any]:
    numbers = {
        "transaction_id": done.transaction_id,
        "load_id": done.load_id,
        "recorded_at": done.recorded_at,
    }
    return {
        "is_dry_run": body.dry_run,
        **(dict.fromkeys(numbers) if body.dry_run else numbers),
        "kind": done.kind,
        "document_no": body.document_no,
        "reason": body.reason,
        "predecessors": _parts(done.predecessors),
        "successors": _parts(done.successors),
        "neighbours": done.neighbours,
    }


def _parts(parts: Sequence[Part]) -> list[dict[str, Any]]:
    return [
        {
            "code": part.code,
            "plane_m2": round(part.plane_m2, 4),
            "registered_m2": part.registered_m2,
            "geometry": orjson.Fragment(
                shapely.to_geojson(shapely.transform(part.shape, _rounded))
            ),
        }
        for part in parts
    ]


def _rounded(degrees: FloatArray) -> FloatArray:
    return degrees.round(COORDINATE_DECIMALS)

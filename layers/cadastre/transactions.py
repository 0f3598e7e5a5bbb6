"""Transactions of parcels: split and merge, each one load that changes the whole fabric at once.

Predecessors end, successors begin and neighbours get the vertices of a new boundary at the same
instant, through ``layers.publish``. Undoing the load takes all of it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from shapely import LineString, MultiPolygon, Polygon
from sqlalchemy import Connection, insert, text

from layers.access import Clearance
from layers.cadastre.fabric import AREA_TOLERANCE_M2, merge, split, with_vertex
from layers.cadastre.parcel_codes import parse_parcel_code
from layers.cadastre.parcel_rows import HeldParcel, StagedParcel, held_parcels, neighbours, stage
from layers.cadastre.plane import Plane
from layers.claims import Claim
from layers.edits import begin_edit, finish_edit
from layers.errors import InvalidTransaction, ParcelChanged
from layers.parcels import LAYER
from layers.publish import publish
from layers.rewrite import lock_layer
from layers.system_tables import parcel_links, parcel_transactions
from layers.tables import column_names, qualified


@dataclass(frozen=True)
class Split:
    """One parcel becomes two.

    Attributes:
        parcel: Its code.
        line: Longitude and latitude of its vertices, degrees.
        parts: Codes of the part to the left of the line and of that to the right.
    """

    parcel: str
    line: Sequence[tuple[float, float]]
    parts: tuple[str, str]


@dataclass(frozen=True)
class Merge:
    """Several parcels become one.

    Attributes:
        parcels: Their codes.
        into: The code of the one.
    """

    parcels: Sequence[str]
    into: str


@dataclass(frozen=True)
class Act:
    """By what right parcels are changed.

    Attributes:
        document_no: Number of the document that orders it.
        reason: In words.
        made_by: Number of the key.
        level: What whoever asks may read: a parcel above it is not there.
        on: The day in the city, which becomes that of registration.
        expected: Aware; no parcel may have been changed after it. None does not ask.
    """

    document_no: str
    reason: str
    made_by: int | None
    level: Clearance
    on: date
    expected: datetime | None = None


@dataclass(frozen=True)
class Part:
    """A parcel of a transaction.

    Attributes:
        plane_m2: Area in the plane system.
        registered_m2: As registered, if it is.
        shape: CGCS2000 degrees.
    """

    code: str
    plane_m2: float
    registered_m2: float | None
    shape: MultiPolygon


@dataclass(frozen=True)
class Transaction:
    """What a transaction did.

    Attributes:
        neighbours: Codes of others that got a vertex, as far as the level may see them.
    """

    transaction_id: int
    load_id: int
    kind: str
    recorded_at: datetime
    predecessors: Sequence[Part]
    successors: Sequence[Part]
    neighbours: Sequence[str]


def change_parcels(
    connection: Connection, change: Split | Merge, act: Act, plane_srid: int
) -> Transaction:
    """Split or merge parcels from now on, inside the caller's open transaction.

    Args:
        connection: Of the loader; committing is the caller's, and waiting for the readers of tiles.
            Rolling back instead tries it out.
        plane_srid: EPSG code of the plane system in which areas are conserved.

    Raises:
        FeatureNotFound: a parcel is not there now, or is above the level.
        ParcelChanged: a parcel was changed after what was expected.
        InvalidTransaction: the shapes or the codes do not allow it.
        LoadInProgress: another publication of parcels did not end in time.
    """
    lock_layer(connection, LAYER.name)
    plane = Plane(plane_srid)
    is_split = isinstance(change, Split)
    codes = [change.parcel] if isinstance(change, Split) else list(change.parcels)
    new_codes = list(change.parts) if isinstance(change, Split) else [change.into]
    before = held_parcels(connection, plane, codes, act.level)
    _refuse_changed(before, act.expected)
    _refuse_codes(connection, before, new_codes, "/parts" if is_split else "/into")
    touched: list[tuple[HeldParcel, StagedParcel]] = []
    if isinstance(change, Split):
        beside = neighbours(connection, plane, before[0])
        successors, touched = _split(plane, before[0], beside, change, act.on)
    else:
        successors = [_merged(plane, before, change.into, act.on)]
    beside_before = [held.shape for held, _ in touched]
    beside_after = [staged for _, staged in touched]
    _refuse_other_area(
        plane, [*(one.shape for one in before), *beside_before], [*successors, *beside_after]
    )
    origin = {"document_no": act.document_no, "key_id": act.made_by}
    load_id, staged = begin_edit(connection, LAYER, origin)
    stage(connection, staged, plane, [*successors, *beside_after])
    claim = Claim(ends=frozenset(codes))
    done = publish(connection, LAYER, staged, load_id=load_id, claim=claim)
    finish_edit(connection, load_id, staged, done)
    kind = "split" if is_split else "merge"
    number = _keep(connection, kind, load_id, done.recorded_at, act, codes, new_codes)
    return Transaction(
        number,
        load_id,
        kind,
        done.recorded_at,
        [_part(plane, one.code, one.row.area_m2, one.shape) for one in before],
        [_part(plane, s.natural_key, s.attributes["area_m2"], s.shape) for s in successors],
        [s.natural_key for s in beside_after if s.clearance <= act.level and not s.key_derived],
    )


def _refuse_changed(before: Sequence[HeldParcel], expected: datetime | None) -> None:
    for one in before:
        if expected is not None and one.row.recorded > expected:
            raise ParcelChanged(one.code, one.row.recorded)


def _refuse_codes(
    connection: Connection, before: Sequence[HeldParcel], codes: Sequence[str], pointer: str
) -> None:
    """See that the new codes are free, and as good as those that they follow."""
    if len(set(codes)) < len(codes):
        raise InvalidTransaction("gives two parcels one code", pointer)
    taken = connection.execute(
        text(f"SELECT natural_key FROM {qualified(LAYER)} WHERE natural_key = ANY(:codes) LIMIT 1"),
        {"codes": list(codes)},
    ).scalar()
    if taken is not None:
        raise InvalidTransaction(f"{taken} is or was the code of a parcel", pointer)
    if all(_keeps_rules(one.code) for one in before):
        for code in codes:
            if not _keeps_rules(code):
                raise InvalidTransaction(f"{code} is no code of a parcel (GB/T 37346)", pointer)


def _keeps_rules(code: str) -> bool:
    parsed = parse_parcel_code(code)
    return parsed is not None and not parsed.is_unit and not parsed.breaches


def _split(
    plane: Plane, parcel: HeldParcel, beside: Sequence[HeldParcel], change: Split, on: date
) -> tuple[list[StagedParcel], list[tuple[HeldParcel, StagedParcel]]]:
    """The two parts, and each neighbour that needs a vertex, before and after."""
    line = plane.project(LineString(change.line))
    left, right, ends = split(plane, parcel.shape, line, [one.shape for one in beside])
    whole = parcel.row.area_m2
    share = None if whole is None else round(whole * left.area / (left.area + right.area), 2)
    rest = None if whole is None or share is None else round(whole - share, 6)
    parts = [
        _successor(code, shape, [parcel], area_m2, on)
        for code, shape, area_m2 in zip(change.parts, (left, right), (share, rest), strict=True)
    ]
    touched = []
    for one in beside:
        shape = one.shape
        for end in ends:
            shape = with_vertex(plane, shape, end) or shape
        if shape is not one.shape:
            touched.append((one, StagedParcel.after(one, shape)))
    return parts, touched


def _merged(plane: Plane, before: Sequence[HeldParcel], into: str, on: date) -> StagedParcel:
    registered = [one.row.area_m2 for one in before]
    area_m2 = None if None in registered else round(sum(registered), 6)
    return _successor(into, merge(plane, [one.shape for one in before]), before, area_m2, on)


def _successor(
    code: str, shape: Polygon, before: Sequence[HeldParcel], area_m2: float | None, on: date
) -> StagedParcel:
    """A new parcel: what all before it agree in, in the area of the largest, as closed as any."""
    largest = max(before, key=lambda one: float(one.shape.area)).row
    kept = {
        name: getattr(largest, name)
        for name in column_names(LAYER)
        if len({getattr(one.row, name) for one in before}) == 1
    }
    # A unit is registered anew under the code of its parcel.
    own = {"code": code, "unit_code": None, "area_m2": area_m2, "registered_on": on}
    attributes = {name: kept.get(name) for name in column_names(LAYER)} | own
    clearance = max(one.row.clearance for one in before)
    return StagedParcel(
        code, False, attributes, largest.admin_code, clearance, MultiPolygon([shape])
    )


def _refuse_other_area(
    plane: Plane, before: Sequence[MultiPolygon], after: Sequence[StagedParcel]
) -> None:
    """See that no area is won or lost, in the shapes as they will be stored."""
    was = sum(plane.area_m2(plane.unproject(shape)) for shape in before)
    becomes = sum(plane.area_m2(plane.unproject(one.shape)) for one in after)
    if abs(becomes - was) > AREA_TOLERANCE_M2:
        reason = f"would change the area of all parcels by {becomes - was:.3f} m2"
        place = plane.place_of(after[0].shape.representative_point())
        raise InvalidTransaction(reason, place=place)


def _keep(
    connection: Connection,
    kind: str,
    load_id: int,
    recorded_at: datetime,
    act: Act,
    predecessors: Sequence[str],
    successors: Sequence[str],
) -> int:
    """Keep what was done by which right; its number."""
    number: int = connection.execute(
        insert(parcel_transactions)
        .values(
            kind=kind,
            load_id=load_id,
            recorded_at=recorded_at,
            document_no=act.document_no,
            reason=act.reason,
            made_by=act.made_by,
            predecessors=list(predecessors),
            successors=list(successors),
        )
        .returning(parcel_transactions.c.transaction_id)
    ).scalar_one()
    links = [(code, False) for code in predecessors] + [(code, True) for code in successors]
    connection.execute(
        insert(parcel_links),
        [
            {"code": code, "transaction_id": number, "is_successor": is_successor}
            for code, is_successor in links
        ],
    )
    return number


def _part(plane: Plane, code: str, registered_m2: float | None, shape: MultiPolygon) -> Part:
    degrees = plane.unproject(shape)
    return Part(code, plane.area_m2(degrees), registered_m2, degrees)

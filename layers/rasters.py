"""Rasters of the city: which are held, since when they hold true, and the one way to change that.

A raster is known by its name. Each file given for it is a version with both times, as versions of
features are; the pixels lie in files that are written once and never changed, so a version that is
closed can be held again. A raster carries one clearance for all its versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Row,
    TableClause,
    and_,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    table,
    text,
    update,
)
from sqlalchemy import column as sql_column
from sqlalchemy.dialects.postgresql import ARRAY, TSTZRANGE, Range

from layers.access import Clearance
from layers.errors import InvalidParameter, UnknownRaster
from layers.rewrite import lock_layer, take_instant
from layers.system_tables import rasters
from layers.tables import SCHEMA
from layers.tile_changes import write_catalogue

LAYER_NAME = "rasters"
"""What ``loads.layer`` says of loads of rasters; also the name of their lock."""

READABLE_COLUMNS = (
    "raster_id",
    "name",
    "title_zh",
    "title_en",
    "clearance",
    "kind",
    "crs",
    "bounds",
    "width",
    "height",
    "bands",
    "dtype",
    "nodata",
    "resolution_m",
    "file_name",
    "file_bytes",
    "sha256",
    "valid_during",
    "recorded_during",
)
"""Columns of the view ``rasters`` of every level: nothing of where the file came from."""


class RasterKind(StrEnum):
    """What the pixels of a raster are."""

    TERRAIN = "terrain"
    IMAGERY = "imagery"
    OTHER = "other"


@dataclass(frozen=True)
class Raster:
    """What a file says of a raster: two files that agree in all of this are the same version.

    Attributes:
        crs: System of the pixels, such as ``EPSG:4547``, or WKT.
        source_sha256: Of the bytes that were given.
        title_zh: None takes the title that is held, else the name.
        title_en: Likewise.
        clearance: None takes what is held, else restricted.
    """

    name: str
    kind: RasterKind
    crs: str
    source_sha256: str
    title_zh: str | None = None
    title_en: str | None = None
    clearance: Clearance | None = None


@dataclass(frozen=True)
class Pixels:
    """The file of a version, as it lies in the store.

    Attributes:
        bounds: West, south, east, north, degrees, EPSG:4490; west > east crosses the antimeridian.
        bands: One object for each, in order.
        nodata: The value that stands for none; may be NaN. None where there is no such value.
        resolution_m: Larger side of a pixel in the middle of the raster, metres.
        sha256: Of the file in the store.
    """

    bounds: tuple[float, float, float, float]
    width: int
    height: int
    bands: Sequence[Mapping[str, object]]
    dtype: str
    nodata: float | None
    resolution_m: float
    file_name: str
    file_bytes: int
    sha256: str


@dataclass(frozen=True)
class RasterPublication:
    """What a publication did: ``new``, ``changed`` or ``unchanged``, at an instant."""

    recorded_at: datetime
    raster_id: int
    outcome: str


def confirm_raster(
    connection: Connection, raster: Raster, valid_from: datetime | None
) -> RasterPublication | None:
    """The publication of a raster that is held already; None where there is something to write.

    Spares the conversion of a file that is held. The lock lasts until the transaction ends.

    Raises:
        InvalidParameter: as ``publish_raster``; so does LoadInProgress.
    """
    lock_layer(connection, LAYER_NAME)
    said = _resolved(connection, raster)
    same: int | None = connection.execute(
        select(rasters.c.raster_id).where(_says_the_same(said, valid_from))
    ).scalar()
    if same is None:
        return None
    return RasterPublication(take_instant(connection, LAYER_NAME), same, "unchanged")


def publish_raster(
    connection: Connection,
    raster: Raster,
    pixels: Pixels,
    *,
    load_id: int,
    valid_from: datetime | None = None,
) -> RasterPublication:
    """Hold a version of a raster from an instant on, inside the caller's open transaction.

    Held versions that this contradicts are closed in recorded time, never overwritten; their part
    before ``valid_from`` stays held.

    Args:
        connection: Of the loader role; committing it, and the load's row, is the caller's.
        valid_from: Since when it is true; None means the recorded instant.

    Raises:
        InvalidParameter: the clearance is lower than that of versions held or past.
        LoadInProgress: another publication did not end in time.
    """
    held = confirm_raster(connection, raster, valid_from)
    if held is not None:
        return held
    recorded_at = take_instant(connection, LAYER_NAME)
    said = _resolved(connection, raster)
    known = connection.execute(
        select(rasters.c.raster_id).where(rasters.c.name == said.name).limit(1)
    ).scalar()
    raster_id: int = known or _next_id(connection)
    since = valid_from or recorded_at
    _raise_clearance(connection, said)
    closed = close_versions(connection, _contradicted(said.name, since), recorded_at)
    _hold_rests(connection, closed, since, recorded_at)
    connection.execute(
        insert(rasters).values(
            **asdict(said),
            **asdict(pixels),
            raster_id=raster_id,
            load_id=load_id,
            valid_during=Range(since, None),
            recorded_during=Range(recorded_at, None),
        )
    )
    tell_caches(connection)
    return RasterPublication(recorded_at, raster_id, "changed" if closed else "new")


def tell_caches(connection: Connection) -> None:
    """Say that the catalogue changed, in the transaction that changes it."""
    write_catalogue(connection, LAYER_NAME, f"{SCHEMA}.{rasters.name}")


def readable_rasters() -> TableClause:
    """The view of a reader's level, by its plain name."""
    types: dict[str, Any] = {
        "valid_during": TSTZRANGE(),
        "recorded_during": TSTZRANGE(),
        "bounds": ARRAY(Double),
    }
    return table(LAYER_NAME, *(sql_column(name, types.get(name)) for name in READABLE_COLUMNS))


def current_rasters(connection: Connection, at: datetime) -> Sequence[Row[Any]]:
    """The rasters that a reader's role may see and that hold at an instant, by name."""
    view = readable_rasters()
    return connection.execute(
        select(view).where(_is_held(view), _holds_at(view, at)).order_by(view.c.name)
    ).all()


def raster_history(connection: Connection, name: str) -> Sequence[Row[Any]]:
    """All versions of a raster that a reader's role may see, the newest recorded first.

    Raises:
        UnknownRaster: there is none, or it is hidden.
    """
    view = readable_rasters()
    found = connection.execute(
        select(view)
        .where(view.c.name == name)
        .order_by(func.lower(view.c.recorded_during).desc(), func.lower(view.c.valid_during).desc())
    ).all()
    if not found:
        raise UnknownRaster(name)
    return found


def stored_files(connection: Connection, names: Sequence[str]) -> set[str]:
    """Those of some names of files that a version of a raster needs, held or past.

    Waits for publications under way: that of a process that died may still be about to end well.

    Raises:
        LoadInProgress: one did not end in time.
    """
    lock_layer(connection, LAYER_NAME)
    rows = connection.execute(select(rasters.c.file_name).where(rasters.c.file_name.in_(names)))
    return set(rows.scalars())


def _is_held(source: TableClause) -> ColumnElement[bool]:
    return func.upper_inf(source.c.recorded_during)


def _holds_at(source: TableClause, at: datetime) -> ColumnElement[bool]:
    return source.c.valid_during.op("@>")(bindparam("at", at))


def _resolved(connection: Connection, raster: Raster) -> Raster:
    """The raster with what it does not say itself taken from its newest version, or by default."""
    newest = connection.execute(
        select(rasters.c.title_zh, rasters.c.title_en, rasters.c.clearance)
        .where(rasters.c.name == raster.name)
        .order_by(rasters.c.version_id.desc())
        .limit(1)
    ).first()
    held = Clearance(newest.clearance) if newest else None
    if held is not None and raster.clearance is not None and raster.clearance < held:
        reason = f"{raster.name} is held as {held.label}; a load never lowers that"
        raise InvalidParameter("clearance", raster.clearance.label, reason)
    default = Clearance.RESTRICTED if held is None else held
    return replace(
        raster,
        title_zh=raster.title_zh or (newest.title_zh if newest else raster.name),
        title_en=raster.title_en or (newest.title_en if newest else raster.name),
        clearance=default if raster.clearance is None else raster.clearance,
    )


def _says_the_same(said: Raster, valid_from: datetime | None) -> ColumnElement[bool]:
    """Whether a held version without an end says all that ``said`` does, and since early enough."""
    fields = asdict(said)
    begins = func.lower(rasters.c.valid_during)
    return and_(
        *(rasters.c[name] == value for name, value in fields.items()),
        func.upper_inf(rasters.c.recorded_during),
        func.upper_inf(rasters.c.valid_during),
        literal(value=True) if valid_from is None else begins <= valid_from,
    )


def _next_id(connection: Connection) -> int:
    number: int = connection.execute(text("SELECT nextval('city.feature_id_seq')")).scalar_one()
    return number


def _raise_clearance(connection: Connection, said: Raster) -> None:
    """Today's classification decides for every instant: raising it moves all versions."""
    connection.execute(
        update(rasters)
        .where(rasters.c.name == said.name, rasters.c.clearance < said.clearance)
        .values(clearance=said.clearance)
    )


def _contradicted(name: str, since: datetime) -> ColumnElement[bool]:
    ends = func.upper(rasters.c.valid_during)
    return and_(
        rasters.c.name == name,
        func.upper_inf(rasters.c.recorded_during),
        or_(func.upper_inf(rasters.c.valid_during), ends > since),
    )


def close_versions(
    connection: Connection, which: ColumnElement[bool], recorded_at: datetime
) -> Sequence[Row[Any]]:
    """Close held versions in recorded time; returns them."""
    until = func.tstzrange(func.lower(rasters.c.recorded_during), recorded_at)
    return connection.execute(
        update(rasters).where(which).values(recorded_during=until).returning(rasters)
    ).all()


def _hold_rests(
    connection: Connection, closed: Sequence[Row[Any]], since: datetime, recorded_at: datetime
) -> None:
    """Hold on to the part of closed versions before an instant."""
    for row in closed:
        if row.valid_during.lower < since:
            hold_again(connection, row, Range(row.valid_during.lower, since), recorded_at)


def hold_again(
    connection: Connection, row: Row[Any], valid_during: Range[datetime], recorded_at: datetime
) -> None:
    """Hold a version equal to another one, for a span of valid time, from an instant on."""
    kept = {c.name: row._mapping[c.name] for c in rasters.c if c.name != "version_id"}
    connection.execute(
        insert(rasters).values(
            kept | {"valid_during": valid_during, "recorded_during": Range(recorded_at, None)}
        )
    )

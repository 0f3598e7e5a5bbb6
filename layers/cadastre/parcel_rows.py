"""Rows of parcels as transactions take them from the held versions and stage them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from shapely import MultiPolygon
from sqlalchemy import Connection, Row, text

from layers.access import Clearance
from layers.base import STORAGE_SRID, TILE_SRID
from layers.cadastre.plane import Plane
from layers.errors import FeatureNotFound
from layers.parcels import LAYER
from layers.tables import STAGING_SCHEMA, column_names, qualified


@dataclass(frozen=True)
class HeldParcel:
    """A held version: its row, and its shape in the plane."""

    row: Row[Any]
    shape: MultiPolygon

    @property
    def code(self) -> str:
        """Its code, which is its key."""
        return str(self.row.natural_key)


@dataclass(frozen=True)
class StagedParcel:
    """A row to be published; ``shape`` in the plane."""

    natural_key: str
    key_derived: bool
    attributes: Mapping[str, Any]
    admin_code: str | None
    clearance: int
    shape: MultiPolygon

    @classmethod
    def after(cls, held: HeldParcel, shape: MultiPolygon) -> StagedParcel:
        """The same parcel with another shape."""
        row = held.row
        attributes = {name: getattr(row, name) for name in column_names(LAYER)}
        return cls(
            row.natural_key, row.key_derived, attributes, row.admin_code, row.clearance, shape
        )


_COLUMNS = (
    f"natural_key, key_derived, {', '.join(f'h.{name}' for name in column_names(LAYER))}, "
    "admin_code, clearance, lower(recorded_during) AS recorded, ST_AsBinary(geom) AS wkb"
)
_IS_NOW = "upper_inf(valid_during) AND lower(valid_during) <= clock_timestamp()"


def held_parcels(
    connection: Connection, plane: Plane, codes: Sequence[str], level: Clearance
) -> list[HeldParcel]:
    """The parcels with some codes as they are now, in that order.

    Raises:
        FeatureNotFound: one is not there, or is above the level.
    """
    rows = connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM {qualified(LAYER)} h WHERE natural_key = ANY(:codes) "
            f"AND NOT key_derived AND clearance <= :level AND {_IS_NOW}"
        ),
        {"codes": list(codes), "level": int(level)},
    ).all()
    found = {row.natural_key: _of_row(plane, row) for row in rows}
    for code in codes:
        if code not in found:
            raise FeatureNotFound(LAYER.name, code)
    return [found[code] for code in codes]


def neighbours(connection: Connection, plane: Plane, parcel: HeldParcel) -> list[HeldParcel]:
    """All other parcels that may share a boundary, those above the caller's level too.

    What they get is a vertex on a boundary that is there already.
    """
    rows = connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM {qualified(LAYER)} h WHERE {_IS_NOW} "
            "AND natural_key <> :code AND geom_3857 && "
            # A metre of the Mercator plane is far more than the tolerance on the ground.
            f"ST_Expand(ST_Transform(ST_GeomFromWKB(:wkb, {STORAGE_SRID}), {TILE_SRID}), 1)"
        ),
        {"code": parcel.code, "wkb": parcel.row.wkb},
    ).all()
    return [_of_row(plane, row) for row in rows]


def _of_row(plane: Plane, row: Row[Any]) -> HeldParcel:
    shape = shapely.from_wkb(bytes(row.wkb))
    assert isinstance(shape, MultiPolygon)  # noqa: S101  # for mypy: the column has no others
    return HeldParcel(row, plane.project(shape))


def stage(connection: Connection, staged: str, plane: Plane, rows: Sequence[StagedParcel]) -> None:
    """Put rows into an empty table in schema ``staging``, in degrees."""
    names = column_names(LAYER)
    values = ", ".join(f":{name}" for name in names)
    connection.execute(
        text(
            f"INSERT INTO {STAGING_SCHEMA}.{staged} VALUES (:row_number, :natural_key, "
            f":key_derived, {values}, :admin_code, :clearance, NULL, "
            f"ST_GeomFromWKB(:wkb, {STORAGE_SRID}))"
        ),
        [
            {
                **one.attributes,
                "row_number": number,
                "natural_key": one.natural_key,
                "key_derived": one.key_derived,
                "admin_code": one.admin_code,
                "clearance": one.clearance,
                "wkb": shapely.to_wkb(plane.unproject(one.shape)),
            }
            for number, one in enumerate(rows, start=1)
        ],
    )

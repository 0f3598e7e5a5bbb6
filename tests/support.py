"""Hand-made rows for tests, published through the one way to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, text

from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from geoservice.tile_cache.confirmation import wait_for_readers
from layers.claims import Claim
from layers.codes import CATEGORY_OF_KIND
from layers.ddl import staged_table_ddl
from layers.drafts import Apart
from layers.pipelines import PIPE_CLEARANCE
from layers.publish import Publication, publish
from layers.registry import get_layer
from layers.roles import Role
from layers.system_tables import loads

Row = Mapping[str, Any]


@dataclass(frozen=True)
class City:
    """A database for tests, and the settings of a service on it."""

    settings: Settings
    address: DatabaseAddress

    def publish(
        self,
        layer: str,
        rows: Sequence[Row],
        *,
        valid_from: datetime | None = None,
        claim: Claim | None = None,
    ) -> Publication:
        """Publish rows for good."""
        with self.address.connect(Role.LOADER) as connection:
            done = publish_rows(connection, layer, rows, valid_from=valid_from, claim=claim)
            connection.commit()
        wait_for_readers(self.address)
        return done


def publish_rows(
    connection: Connection,
    layer_name: str,
    rows: Sequence[Row] = (),
    *,
    valid_from: datetime | None = None,
    claim: Claim | None = None,
    load_id: int | None = None,
    apart: Apart | None = None,
) -> Publication:
    """Publish rows in the connection's transaction: these, or those staged under a load.

    ``valid_from`` is short for a claim that says no more.
    """
    if load_id is None:
        load_id = stage_rows(connection, layer_name, rows)
    layer, staged = get_layer(layer_name), f"load_{load_id}"
    claim = claim or Claim(valid_from)
    done = publish(connection, layer, staged, load_id=load_id, claim=claim, apart=apart)
    connection.execute(
        loads.update()
        .where(loads.c.load_id == load_id)
        .values(state="published", recorded_at=done.recorded_at)
    )
    connection.exec_driver_sql(f"DROP TABLE staging.{staged}")
    return done


def stage_rows(connection: Connection, layer_name: str, rows: Sequence[Row]) -> int:
    """Stage rows by hand in the connection's transaction and return the number of the load.

    A row has ``wkt`` (EPSG:4490), attributes, and optionally ``clearance`` (the layer's own rule
    otherwise), ``valid_from`` and ``admin_code``; its natural key is its ``code``.
    """
    layer = get_layer(layer_name)
    load_id: int = connection.execute(
        insert(loads)
        .values(layer=layer_name, source={"files": ["by hand"]}, state="staging")
        .returning(loads.c.load_id)
    ).scalar_one()
    staged = f"load_{load_id}"
    connection.exec_driver_sql(staged_table_ddl(layer, staged))
    for number, row in enumerate(rows, start=1):
        connection.execute(
            text(_insert(staged, [a.name for a in layer.attributes])),
            {a.name: row.get(a.name) for a in layer.attributes}
            | {
                "row_number": number,
                "clearance": int(row.get("clearance", layer.clearance)),
                "valid_from": row.get("valid_from"),
                "admin_code": row.get("admin_code"),
                "wkt": f"SRID=4490;{row['wkt']}",
            },
        )
    return load_id


def _insert(staged: str, attributes: list[str]) -> str:
    values = ", ".join(f":{name}" for name in attributes)
    return (
        f"INSERT INTO staging.{staged} VALUES (:row_number, :code, false, {values}, :admin_code, "
        ":clearance, :valid_from, ST_GeomFromEWKT(:wkt))"
    )


def parcel(code: str, x: float, y: float, *, size: float = 0.001, **more: Any) -> dict[str, Any]:
    """A square parcel whose south-west corner is (x, y), degrees."""
    ring = [(x, y), (x + size, y), (x + size, y + size), (x, y + size), (x, y)]
    points = ", ".join(f"{lon} {lat}" for lon, lat in ring)
    return {"code": code, "wkt": f"MULTIPOLYGON((({points})))", **more}


def facility(code: str, lon: float, lat: float, **more: Any) -> dict[str, Any]:
    """A facility at a place, degrees."""
    return {"code": code, "name": f"设施{code}", "wkt": f"POINT({lon} {lat})", **more}


def pipe(code: str, kind: str, *points: tuple[float, float, float], **more: Any) -> dict[str, Any]:
    """A pipe through points (longitude, latitude, elevation in metres)."""
    category = CATEGORY_OF_KIND[kind]
    line = ", ".join(f"{lon} {lat} {z}" for lon, lat, z in points)
    return {
        "code": code,
        "kind": kind,
        "category": category,
        "clearance": PIPE_CLEARANCE.of(category),
        "wkt": f"LINESTRING Z ({line})",
        **more,
    }

"""Single features changed by hand, through the one way to write: each edit is a load of one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, text, update

from layers.base import STORAGE_SRID, AttributeType, GeometryType, Layer
from layers.claims import Claim
from layers.ddl import staged_table_ddl
from layers.districts import LAYER as DISTRICTS
from layers.errors import FeatureNotFound, InvalidBody
from layers.publish import Publication, publish
from layers.system_tables import loads
from layers.tables import STAGING_SCHEMA, qualified

_KINDS: Mapping[AttributeType, tuple[type, ...]] = {
    AttributeType.TEXT: (str,),
    AttributeType.INTEGER: (int,),
    AttributeType.NUMBER: (int, float),
    AttributeType.BOOLEAN: (bool,),
}


def edit_feature(
    connection: Connection,
    layer: Layer,
    feature_id: int,
    *,
    attributes: Mapping[str, Any],
    position: tuple[float, float] | None,
    origin: Mapping[str, Any],
) -> tuple[int, Publication]:
    """Change a feature from now on; the number of the load, which undoes it, and what it did.

    Args:
        connection: Of the loader; committing is the caller's, and waiting for the readers of tiles.
        attributes: Those that become others; the rest stays.
        position: Longitude and latitude in degrees, of a layer of points.
        origin: Who has asked for it, and why; kept with the load.

    Raises:
        FeatureNotFound: there is no version without an end.
        InvalidBody: an attribute is not the layer's, or of another kind.
    """
    _check(layer, attributes, position)
    load_id, staged = begin_edit(connection, layer, origin)
    statement = _copy_statement(layer, staged, attributes, moves=position is not None)
    lon, lat = position or (0.0, 0.0)
    values = {f"v_{name}": value for name, value in attributes.items()}
    copied = connection.execute(
        text(statement), {"feature_id": feature_id, "lon": lon, "lat": lat, **values}
    )
    if not copied.rowcount:
        raise FeatureNotFound(layer.name, feature_id)
    done = publish(connection, layer, staged, load_id=load_id, claim=Claim())
    return finish_edit(connection, load_id, staged, done)


def end_feature(
    connection: Connection, layer: Layer, feature_id: int, origin: Mapping[str, Any]
) -> tuple[int, Publication]:
    """End a feature now: it is no more. Otherwise as ``edit_feature``."""
    key = connection.execute(
        text(
            f"SELECT natural_key FROM {qualified(layer)} "
            "WHERE feature_id = :feature_id AND upper_inf(valid_during)"
        ),
        {"feature_id": feature_id},
    ).scalar()
    if key is None:
        raise FeatureNotFound(layer.name, feature_id)
    load_id, staged = begin_edit(connection, layer, origin)
    done = publish(connection, layer, staged, load_id=load_id, claim=Claim(ends=frozenset({key})))
    return finish_edit(connection, load_id, staged, done)


def _check(
    layer: Layer, attributes: Mapping[str, Any], position: tuple[float, float] | None
) -> None:
    for name, value in attributes.items():
        attribute = layer.attribute.get(name)
        if attribute is None or name in {key for keys in layer.natural_keys for key in keys}:
            raise InvalidBody("is no attribute that may be changed", f"/change/attributes/{name}")
        kinds = _KINDS.get(attribute.type)
        is_kind = kinds is not None and isinstance(value, kinds)
        if isinstance(value, bool) and attribute.type is not AttributeType.BOOLEAN:
            is_kind = False
        if value is not None and not is_kind:
            raise InvalidBody("is of another kind", f"/change/attributes/{name}")
        if attribute.minimum is not None and value is not None and value < attribute.minimum:
            raise InvalidBody(f"is below {attribute.minimum}", f"/change/attributes/{name}")
        if attribute.maximum is not None and value is not None and value > attribute.maximum:
            raise InvalidBody(f"is above {attribute.maximum}", f"/change/attributes/{name}")
    if position is not None and layer.geometry_type is not GeometryType.POINT:
        raise InvalidBody("only points are moved", "/change/position")


def begin_edit(connection: Connection, layer: Layer, origin: Mapping[str, Any]) -> tuple[int, str]:
    """A load for what is done by hand: its number, and its empty table in schema ``staging``."""
    load_id: int = connection.execute(
        insert(loads)
        .values(layer=layer.name, source={"edit": dict(origin)}, state="staging")
        .returning(loads.c.load_id)
    ).scalar_one()
    staged = f"load_{load_id}"
    connection.exec_driver_sql(staged_table_ddl(layer, staged))
    return load_id, staged


def _copy_statement(layer: Layer, staged: str, changed: Sequence[str] | Any, *, moves: bool) -> str:
    """The held version as a staged row, with what is changed."""
    columns = ", ".join(
        f"CAST(:v_{one.name} AS {_cast(one.type)})" if one.name in changed else f"f.{one.column}"
        for one in layer.attributes
    )
    geometry, district = "f.geom", "f.admin_code"
    if moves:
        geometry = f"ST_SetSRID(ST_MakePoint(:lon, :lat), {STORAGE_SRID})"
        district = (
            f"(SELECT d.code FROM {qualified(DISTRICTS)} d WHERE d.level = 'street' "
            f"AND upper_inf(d.valid_during) AND ST_Covers(d.geom, {geometry}) LIMIT 1)"
        )
    return (
        f"INSERT INTO {STAGING_SCHEMA}.{staged} "
        f"SELECT 1, f.natural_key, f.key_derived, {columns}, {district}, f.clearance, NULL, "
        f"{geometry} FROM {qualified(layer)} f "
        "WHERE f.feature_id = :feature_id AND upper_inf(f.valid_during)"
    )


def _cast(kind: AttributeType) -> str:
    casts = {
        AttributeType.INTEGER: "bigint",
        AttributeType.NUMBER: "float8",
        AttributeType.BOOLEAN: "boolean",
    }
    return casts.get(kind, "text")


def finish_edit(
    connection: Connection, load_id: int, staged: str, done: Publication
) -> tuple[int, Publication]:
    """Say of the load what it did, and drop its table; its number and that."""
    counts = {"new": done.new, "changed": done.changed, "vanished": done.vanished}
    connection.execute(
        update(loads)
        .where(loads.c.load_id == load_id)
        .values(state="published", recorded_at=done.recorded_at, counts=counts)
    )
    connection.exec_driver_sql(f"DROP TABLE {STAGING_SCHEMA}.{staged}")
    return load_id, done

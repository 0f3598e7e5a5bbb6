"""The same current rows as plain tables, as somebody keeps them who needs no history.

Schema ``plain`` has for each layer of the trace a table in EPSG:4326 and one in EPSG:3857, both
with a primary key, a GiST index and nothing but the attributes that our tiles carry, so that the
other server has no more to do than ours. ``plain.facilities_nearest`` has all public attributes and
the best index for a nearest-neighbour search of one kind.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from layers.access import Clearance
from layers.base import TILE_SRID, Layer
from layers.facilities import LAYER as FACILITIES
from tile_trace import LAYERS

SCHEMA = "plain"
GEOGRAPHIC_SRID = 4326
"""Same coordinates as EPSG:4490; the code that other servers know best."""

SRIDS = (GEOGRAPHIC_SRID, TILE_SRID)
NEAREST = f"{SCHEMA}.facilities_nearest"


def plain_name(layer: Layer, srid: int) -> str:
    """Name of a plain table without its schema."""
    return f"{layer.name}_{srid}"


def make_plain_tables(connection: Connection) -> None:
    """Make the plain tables, unless they are there.

    Args:
        connection: Of the superuser, in autocommit.
    """
    if connection.execute(text(f"SELECT to_regclass('{NEAREST}')")).scalar() is not None:
        return
    for statement in _statements():
        connection.execute(text(statement))


def make_nearest_table(connection: Connection) -> None:
    """Make the table of facilities alone, unless it is there.

    Args:
        connection: Of the superuser, in autocommit.
    """
    if connection.execute(text(f"SELECT to_regclass('{NEAREST}')")).scalar() is not None:
        return
    for statement in (*_schema(), *_nearest_table(), _READABLE):
        connection.execute(text(statement))


def _schema() -> Iterator[str]:
    yield f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"
    yield f"CREATE SCHEMA {SCHEMA}"
    yield f"GRANT USAGE ON SCHEMA {SCHEMA} TO PUBLIC"


_READABLE = f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO PUBLIC"


def _statements() -> Iterator[str]:
    yield from _schema()
    for layer in LAYERS:
        for srid in SRIDS:
            yield from _tile_table(layer, srid)
    yield from _nearest_table()
    yield _READABLE


def _tile_table(layer: Layer, srid: int) -> Iterator[str]:
    name = f"{SCHEMA}.{plain_name(layer, srid)}"
    attributes = [a.name for a in layer.tile_attributes_at(Clearance.RESTRICTED)]
    kind = layer.geometry_type.value if srid != TILE_SRID else layer.geometry_type.value.strip("Z")
    source = "geom_3857" if srid == TILE_SRID else f"ST_SetSRID(geom, {srid})"
    yield (
        f"CREATE TABLE {name} AS SELECT feature_id, {', '.join(attributes)}, "
        f"{source}::geometry({kind}, {srid}) AS geom "
        f"FROM read_restricted.{layer.name} WHERE valid_during @> now()"
    )
    yield f"ALTER TABLE {name} ADD PRIMARY KEY (feature_id)"
    yield f"CREATE INDEX ON {name} USING gist (geom)"
    yield f"VACUUM (ANALYZE) {name}"


def _nearest_table() -> Iterator[str]:
    attributes = [a.name for a in FACILITIES.attributes_at(Clearance.PUBLIC)]
    yield (
        f"CREATE TABLE {NEAREST} AS SELECT feature_id, {', '.join(attributes)}, geom, geom_3857 "
        "FROM read_public.facilities WHERE valid_during @> now()"
    )
    yield f"ALTER TABLE {NEAREST} ADD PRIMARY KEY (feature_id)"
    yield f"CREATE INDEX ON {NEAREST} USING gist (kind, geom_3857)"
    yield f"VACUUM (ANALYZE) {NEAREST}"

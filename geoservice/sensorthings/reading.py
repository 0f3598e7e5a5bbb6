"""Reading what SensorThings calls entities, as the reader role of the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from geoservice.readers import ReaderConnection
from geoservice.sensorthings.queries import (
    Field,
    Options,
    instant_literal,
    number_literal,
    text_literal,
    whole_literal,
)
from layers.access import Clearance
from layers.errors import InvalidParameter
from layers.registry import get_layer, is_known

Row = dict[str, Any]


@dataclass(frozen=True)
class EntitySet:
    """A set of entities.

    Attributes:
        source: SQL of its rows, in parentheses.
        key: The column of their identifiers.
        order: SQL of their order if none is asked for; ends in what is unique.
        fields: What may be compared and sorted by.
    """

    source: str
    key: str
    order: str
    fields: Mapping[str, Field]

    def beyond(self, after: str) -> tuple[str, Any]:
        """The condition of what comes after an identifier in that order, and the bound value.

        Raises:
            InvalidParameter: it is no identifier of the set.
        """
        known = next(one for one in self.fields.values() if one.column == self.key)
        sign = "<" if self.order.endswith("DESC") else ">"
        try:
            return f"{self.key} {sign} %(after)s", known.parse(after)
        except ValueError as error:
            raise InvalidParameter("$skiptoken", after[:80], str(error)) from None


_THING = {
    "id": Field("feature_id", whole_literal),
    "@iot.id": Field("feature_id", whole_literal),
    "properties/layer": Field("layer", text_literal),
}
_BY_WORD = {"id": Field("name", text_literal), "@iot.id": Field("name", text_literal)}

SETS: Mapping[str, EntitySet] = {
    "Things": EntitySet(
        "(SELECT DISTINCT feature_id, layer FROM series)", "feature_id", "feature_id", _THING
    ),
    "Locations": EntitySet(
        "(SELECT DISTINCT feature_id, layer FROM series)", "feature_id", "feature_id", _THING
    ),
    "FeaturesOfInterest": EntitySet(
        "(SELECT DISTINCT feature_id, layer FROM series)", "feature_id", "feature_id", _THING
    ),
    "Datastreams": EntitySet(
        "series",
        "series_id",
        "series_id",
        {
            "id": Field("series_id", whole_literal),
            "@iot.id": Field("series_id", whole_literal),
            "Thing/@iot.id": Field("feature_id", whole_literal),
            "Thing/id": Field("feature_id", whole_literal),
            "ObservedProperty/@iot.id": Field("property", text_literal),
            "Sensor/@iot.id": Field("source", text_literal),
            "unitOfMeasurement/symbol": Field("unit", text_literal),
            "properties/layer": Field("layer", text_literal),
            "properties/resource_type": Field("resource_type", text_literal),
        },
    ),
    "Sensors": EntitySet("(SELECT DISTINCT source AS name FROM series)", "name", "name", _BY_WORD),
    "ObservedProperties": EntitySet(
        "(SELECT DISTINCT property AS name FROM series)", "name", "name", _BY_WORD
    ),
    "Observations": EntitySet(
        "(SELECT series_id, observed_at, received_at, available, capacity, status, value, "
        "coalesce(value, available) AS result FROM observations)",
        "observed_at",
        "observed_at DESC",
        {
            "phenomenonTime": Field("observed_at", instant_literal),
            "resultTime": Field("received_at", instant_literal),
            "result": Field("result", number_literal),
        },
    ),
}

ROADS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Things": {
        "Datastreams": ("Datastreams", "feature_id = %(from_id)s"),
        "Locations": ("Locations", "feature_id = %(from_id)s"),
    },
    "Locations": {"Things": ("Things", "feature_id = %(from_id)s")},
    "Datastreams": {
        "Thing": (
            "Things",
            "feature_id = (SELECT feature_id FROM series WHERE series_id = %(from_id)s)",
        ),
        "Sensor": ("Sensors", "name = (SELECT source FROM series WHERE series_id = %(from_id)s)"),
        "ObservedProperty": (
            "ObservedProperties",
            "name = (SELECT property FROM series WHERE series_id = %(from_id)s)",
        ),
        "Observations": ("Observations", "series_id = %(from_id)s"),
    },
    "Sensors": {"Datastreams": ("Datastreams", "source = %(from_id)s")},
    "ObservedProperties": {"Datastreams": ("Datastreams", "property = %(from_id)s")},
    "FeaturesOfInterest": {},
    "Observations": {},
}
"""Where one gets from an entity: the name of the way, the set it leads to, and which of it."""


@dataclass(frozen=True)
class Wanted:
    """Which entities of a set.

    Attributes:
        condition: SQL, empty for all.
        parameters: Of it.
    """

    set_name: str
    condition: str = ""
    parameters: Mapping[str, Any] | None = None


async def read_entities(
    connection: ReaderConnection, wanted: Wanted, options: Options
) -> tuple[list[Row], int | None]:
    """Rows of a set in order, one more than asked for if there are more; and their count if wanted.

    Args:
        connection: Of the reader role of the caller.
    """
    of = SETS[wanted.set_name]
    conditions = [*options.conditions, *([wanted.condition] if wanted.condition else [])]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = f"{options.order}, {of.order}" if options.order else of.order
    parameters = {**options.parameters, **(wanted.parameters or {})}
    parameters |= {"top": options.top + 1, "skip": options.skip}
    page = where
    if options.after:
        beyond, parameters["after"] = of.beyond(options.after)
        page = f"{where} AND {beyond}" if where else f" WHERE {beyond}"
    rows = await _rows(
        connection,
        f"SELECT * FROM {of.source} e{page} ORDER BY {order} LIMIT %(top)s OFFSET %(skip)s",
        parameters,
    )
    if not options.with_count:
        return rows, None
    counted = await _rows(connection, f"SELECT count(*) AS n FROM {of.source} e{where}", parameters)
    return rows, counted[0]["n"]


async def read_features(
    connection: ReaderConnection, level: Clearance, rows: Sequence[Row]
) -> dict[int, Row]:
    """Name, code and GeoJSON of the features of some rows, as they are held now, by their ids."""
    by_layer: dict[str, list[int]] = {}
    for row in rows:
        by_layer.setdefault(row["layer"], []).append(row["feature_id"])
    found: dict[int, Row] = {}
    for name, ids in by_layer.items():
        if not is_known(name) or get_layer(name).clearance > level:
            continue
        readable = {attribute.name for attribute in get_layer(name).attributes_at(level)}
        named = "".join(f", v.{n}" for n in ("name", "code") if n in readable)
        statement = (
            f"SELECT DISTINCT ON (v.feature_id) v.feature_id{named}, "
            "CAST(ST_AsGeoJSON(v.geom, 9) AS json) AS geometry "
            f"FROM {name} v WHERE v.feature_id = ANY (%(ids)s) "
            "ORDER BY v.feature_id, upper(v.valid_during) DESC"
        )
        found |= {r["feature_id"]: r for r in await _rows(connection, statement, {"ids": ids})}
    return found


async def _rows(
    connection: ReaderConnection, statement: str, parameters: Mapping[str, Any]
) -> list[Row]:
    cursor = connection.cursor(row_factory=dict_row)
    return await (await cursor.execute(statement, parameters)).fetchall()

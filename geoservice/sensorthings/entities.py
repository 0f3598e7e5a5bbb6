"""Rows as entities of SensorThings 1.1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from geoservice.sensorthings.reading import ROADS, Row
from layers.observations import AVAILABILITY, Status
from layers.registry import get_layer

_MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
_COUNT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_CountObservation"
_GEOJSON = "application/geo+json"

Features = Mapping[int, Row]
"""What is known of features, by their ids."""


def entity(set_name: str, row: Row, features: Features, base: str) -> dict[str, Any]:
    """One entity with its links.

    Args:
        features: At least that of the row, if it is about one and that is held.
        base: Address of the root, without a slash.
    """
    known, said = _MAKERS[set_name](row, features)
    link = f"{base}/{set_name}({_in_address(known)})"
    if set_name == "Observations":
        link = f"{base}/Datastreams({row['series_id']})/Observations({quote(str(known))})"
    links = {f"{way}@iot.navigationLink": f"{link}/{way}" for way in ROADS[set_name]}
    return {"@iot.id": known, "@iot.selfLink": link, **said, **links}


def _in_address(known: int | str) -> str:
    if isinstance(known, int):
        return str(known)
    doubled = known.replace("'", "''")
    return f"'{quote(doubled)}'"


def _thing(row: Row, features: Features) -> tuple[int, dict[str, Any]]:
    feature = features.get(row["feature_id"], {})
    layer = get_layer(row["layer"])
    name = feature.get("name") or feature.get("code") or f"{layer.title.zh} {row['feature_id']}"
    properties = {"layer": row["layer"], "code": feature.get("code")}
    description = f"{layer.title.zh} {layer.title.en}"
    return row["feature_id"], {"name": name, "description": description, "properties": properties}


def _location(row: Row, features: Features) -> tuple[int, dict[str, Any]]:
    number, said = _thing(row, features)
    place = {"encodingType": _GEOJSON, "location": features.get(number, {}).get("geometry")}
    return number, {"name": said["name"], "description": said["description"], **place}


def _feature_of_interest(row: Row, features: Features) -> tuple[int, dict[str, Any]]:
    number, said = _location(row, features)
    return number, {("feature" if k == "location" else k): v for k, v in said.items()}


def _datastream(row: Row, _: Features) -> tuple[int, dict[str, Any]]:
    name = row["property"] + (f" {row['resource_type']}" if row["resource_type"] else "")
    is_count = row["property"] == AVAILABILITY
    unit = "free units" if is_count else row["unit"]
    return row["series_id"], {
        "name": name,
        "description": f"{name}, observed by {row['source']}",
        "observationType": _COUNT if is_count else _MEASUREMENT,
        "unitOfMeasurement": {"name": unit, "symbol": row["unit"], "definition": None},
        "properties": {
            "layer": row["layer"],
            "resource_type": row["resource_type"] or None,
            "ttl_s": row["ttl_s"],
        },
    }


def _sensor(row: Row, _: Features) -> tuple[str, dict[str, Any]]:
    name = row["name"]
    said = {"description": "source of observations", "encodingType": "text/plain"}
    return name, {"name": name, **said, "metadata": name}


def _observed_property(row: Row, _: Features) -> tuple[str, dict[str, Any]]:
    return row["name"], {"name": row["name"], "definition": row["name"], "description": row["name"]}


def _observation(row: Row, _: Features) -> tuple[str, dict[str, Any]]:
    parameters = {"status": Status(row["status"]).name}
    if row["capacity"] is not None:
        parameters["capacity"] = row["capacity"]
    when = instant(row["observed_at"])
    return when, {
        "phenomenonTime": when,
        "resultTime": instant(row["received_at"]),
        "result": row["result"] if row["value"] is not None else row["available"],
        "parameters": parameters,
    }


def instant(at: datetime) -> str:
    """An instant in UTC, exact to the microsecond."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


_MAKERS: Mapping[str, Callable[[Row, Features], tuple[Any, dict[str, Any]]]] = {
    "Things": _thing,
    "Locations": _location,
    "FeaturesOfInterest": _feature_of_interest,
    "Datastreams": _datastream,
    "Sensors": _sensor,
    "ObservedProperties": _observed_property,
    "Observations": _observation,
}

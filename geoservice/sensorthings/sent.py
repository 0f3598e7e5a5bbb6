"""Observations as SensorThings has them sent, made into those of ``POST /observations``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layers.errors import InvalidBody
from layers.facilities import LAYER as FACILITIES
from layers.observations import AVAILABILITY
from layers.series_names import NamedSeries

_MAX_SERIES = 2**31 - 1
_COMPONENTS = ("phenomenonTime", "result", "resultTime", "parameters", "FeatureOfInterest/id")
_KNOWN = {"phenomenonTime", "result", "resultTime", "parameters", "Datastream", "FeatureOfInterest"}


def series_of(member: Any) -> int | None:
    """The number of the datastream that an observation names; None if it is of another shape."""
    if not isinstance(member, dict) or "Datastream" not in member:
        return None
    named = member["Datastream"]
    number = named.get("@iot.id") if isinstance(named, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        return -1
    return number if 0 < number <= _MAX_SERIES else -1


def member_of(sent: Mapping[str, Any], series: NamedSeries | None) -> dict[str, Any] | str:
    """The same as a member of a batch; or a text that says why it cannot be.

    Args:
        series: What the datastream stands for; None if there is none that the caller may know of.
    """
    if series is None:
        return "there is no such Datastream"
    unknown = sorted(set(sent) - _KNOWN)
    if unknown:
        return f"has members that are not known: {', '.join(unknown)[:80]}"
    is_facility = series.layer == FACILITIES.name
    feature = {"facility": series.feature}
    if not is_facility:
        feature = {"layer": series.layer, "feature": series.feature}
    parameters = sent.get("parameters") or {}
    if not isinstance(parameters, dict):
        return "has parameters that are no object"
    if series.property == AVAILABILITY:
        figures = {"available": sent.get("result")}
        figures |= {name: parameters[name] for name in ("capacity", "status") if name in parameters}
    else:
        figures = {"value": sent.get("result"), "unit": series.unit}
    return {
        **feature,
        **figures,
        "observed_at": sent.get("phenomenonTime"),
        "property": series.property,
        "resource_type": series.resource_type,
        "ttl_s": series.ttl_s,
        "source": series.source,
    }


def unrolled(groups: Any) -> list[dict[str, Any]]:
    """The observations of a data array (OGC 18-088, 13.2), in their order.

    Raises:
        InvalidBody: it is none, or names components that are not known.
    """
    if not isinstance(groups, list):
        message = "needs an array of groups of observations"
        raise InvalidBody(message)
    found = []
    for number, group in enumerate(groups):
        if not isinstance(group, dict) or not isinstance(group.get("dataArray"), list):
            message = "needs Datastream, components and dataArray"
            raise InvalidBody(message, f"/{number}")
        components = _components(group, number)
        for row in group["dataArray"]:
            if not isinstance(row, list) or len(row) != len(components):
                message = f"has a row that has not {len(components)} values"
                raise InvalidBody(message, f"/{number}/dataArray")
            values = dict(zip(components, row, strict=True))
            values.pop("FeatureOfInterest/id", None)
            found.append({"Datastream": group.get("Datastream"), **values})
    return found


def _components(group: Mapping[str, Any], number: int) -> Sequence[str]:
    components = group.get("components")
    if not isinstance(components, list) or not {"phenomenonTime", "result"} <= set(
        map(str, components)
    ):
        message = "names components, phenomenonTime and result among them"
        raise InvalidBody(message, f"/{number}/components")
    unknown = [name for name in components if name not in _COMPONENTS]
    if unknown or len(set(components)) < len(components):
        message = f"knows the components {', '.join(_COMPONENTS)}, each once"
        raise InvalidBody(message, f"/{number}/components")
    return components

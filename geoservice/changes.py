"""Changed features as GeoJSON: the later geometry, and what changed as before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any

import orjson

from layers.changes import FeatureChange


def change_as_geojson(change: FeatureChange) -> dict[str, Any]:
    """A GeoJSON feature, for ``orjson``; where the geometry changed with the earlier one beside."""
    before, after = change.before or {}, change.after or {}
    shown = after or before
    names = [name for name in change.changed if name in shown]
    had_another = change.geometry_before is not None and "geometry" in change.changed
    return {
        "type": "Feature",
        "id": change.feature_id,
        "geometry": orjson.Fragment(change.geometry_after or change.geometry_before or "null"),
        "geometry_before": orjson.Fragment(change.geometry_before or "null")
        if had_another
        else None,
        "properties": {
            "natural_key": change.natural_key,
            "change": change.kind.value,
            "changed": list(change.changed),
            "moved_m": None if change.moved_m is None else round(change.moved_m, 3),
            "valid_during": list(change.valid_during),
            "before": {name: before[name] for name in names} if change.before else None,
            "after": {name: after[name] for name in names} if change.after else None,
            "attributes": dict(shown),
        },
    }


def written_as_geojson(changes: Iterable[FeatureChange], out: IO[bytes]) -> Iterator[FeatureChange]:
    """The same changes, written as one feature collection while they pass."""
    out.write(b'{"type":"FeatureCollection","features":[')
    for number, change in enumerate(changes):
        out.write(b",\n" if number else b"\n")
        out.write(orjson.dumps(change_as_geojson(change)))
        yield change
    out.write(b"\n]}\n")

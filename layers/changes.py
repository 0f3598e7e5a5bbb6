"""What differs between two states of a layer: what a load changed, or what two instants differ in.

A state is what was believed at one instant of recorded time of one instant of valid time. Changes
are streamed, so that those of a whole city need no memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select, text

from layers.base import Layer
from layers.errors import LoadNotFound
from layers.features import COORDINATE_DECIMALS
from layers.system_tables import loads
from layers.tables import column_names, qualified, qualified_past

_FETCHED_ROWS = 1000


class Kind(StrEnum):
    """What became of a feature."""

    NEW = "new"
    CHANGED = "changed"
    VANISHED = "vanished"


@dataclass(frozen=True)
class State:
    """What was believed at ``as_recorded`` of the instant ``at``; both aware."""

    at: datetime
    as_recorded: datetime


@dataclass(frozen=True)
class FeatureChange:
    """One feature in two states.

    Attributes:
        changed: Names of the attributes that differ, ``geometry`` if it does, and
            ``valid_during`` where nothing but the period differs.
        moved_m: Hausdorff distance of the two geometries in the plane system, metres; None where
            the geometry is the same or there is one only.
        before: Attributes in the first state; None if it was not there.
        after: Attributes in the second state; None if it is not there.
        geometry_before: GeoJSON, degrees, x before y.
        geometry_after: The same.
        valid_during: Of the later version that there is, half open; an end of None is open.
    """

    feature_id: int
    natural_key: str
    kind: Kind
    changed: tuple[str, ...]
    moved_m: float | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    geometry_before: str | None
    geometry_after: str | None
    valid_during: tuple[datetime, datetime | None]


@dataclass
class Summary:
    """Changes counted.

    Attributes:
        kinds: How many features are new, changed and vanished.
        attributes: In how many changed features each attribute, or the geometry, differs.
        most_moved_m: Greatest distance by which a geometry moved, metres.
    """

    kinds: Counter[str]
    attributes: Counter[str]
    most_moved_m: float = 0.0

    @classmethod
    def of(cls, changes: Iterable[FeatureChange]) -> Summary:
        """Count changes, consuming them."""
        summary = cls(Counter(), Counter())
        for change in changes:
            summary.kinds[change.kind.value] += 1
            if change.kind is Kind.CHANGED:
                summary.attributes.update(change.changed)
            summary.most_moved_m = max(summary.most_moved_m, change.moved_m or 0.0)
        return summary

    def as_json(self) -> dict[str, object]:
        """Plain dictionaries."""
        return {
            **{kind.value: self.kinds[kind.value] for kind in Kind},
            "attributes": dict(self.attributes.most_common()),
            "most_moved_m": round(self.most_moved_m, 3),
        }


def published_load(connection: Connection, load_id: int) -> Row[Any]:
    """The row of ``loads`` of a published load.

    Raises:
        LoadNotFound: there is none, or it was not published, or it has been purged.
    """
    load = connection.execute(select(loads).where(loads.c.load_id == load_id)).one_or_none()
    if load is None:
        raise LoadNotFound(load_id)
    if load.state != "published":
        raise LoadNotFound(load_id, f"it is {load.state}, so there is nothing of it to see")
    return load


def changes_of_load(
    connection: Connection, layer: Layer, load: Row[Any], *, plane_srid: int
) -> Iterator[FeatureChange]:
    """What a published load changed, one feature after another by id.

    Args:
        connection: Of the loader role.
        load: As ``published_load`` gives it.
        plane_srid: EPSG code of the plane system in which distances are measured.
    """
    columns = ", ".join(_columns(layer))
    held, past = qualified(layer), qualified_past(layer)
    # Of what a load opens, the versions that are its own count, not what it left of older ones.
    versions = f"""
        opened AS (
            SELECT {columns} FROM {held} WHERE lower(recorded_during) = :recorded_at
            UNION ALL
            SELECT {columns} FROM {past} WHERE lower(recorded_during) = :recorded_at
        ),
        n AS (
            SELECT DISTINCT ON (feature_id) * FROM opened WHERE :is_undo OR load_id = :load_id
            ORDER BY feature_id, lower(valid_during) DESC
        ),
        o AS (
            SELECT DISTINCT ON (c.feature_id) c.*
            FROM (SELECT {columns} FROM {past} WHERE upper(recorded_during) = :recorded_at) c
            LEFT JOIN n USING (feature_id)
            ORDER BY c.feature_id, (n.valid_during && c.valid_during) DESC NULLS LAST,
                     lower(c.valid_during) DESC
        )"""
    parameters = {
        "recorded_at": load.recorded_at,
        "load_id": load.load_id,
        "is_undo": load.undoes is not None,
    }
    yield from _changes(connection, layer, versions, "true", parameters, plane_srid)


def changes_between(
    connection: Connection, layer: Layer, before: State, after: State, *, plane_srid: int
) -> Iterator[FeatureChange]:
    """The features that differ between two states, by id; otherwise as ``changes_of_load``."""
    columns = ", ".join(_columns(layer))
    held, past = qualified(layer), qualified_past(layer)

    def state(name: str) -> str:
        at, recorded = f":{name}_at", f":{name}_recorded"
        return f"""{name} AS (
            SELECT {columns} FROM {held}
            WHERE valid_during @> {at} AND lower(recorded_during) <= {recorded}
            UNION ALL
            SELECT {columns} FROM {past}
            WHERE valid_during @> {at} AND recorded_during @> {recorded}
        )"""

    compared = [*column_names(layer), "geom"]
    differs = (
        "o.feature_id IS NULL OR n.feature_id IS NULL OR "
        f"({', '.join(f'o.{c}' for c in compared)}) IS DISTINCT FROM "
        f"({', '.join(f'n.{c}' for c in compared)})"
    )
    parameters = {
        "o_at": before.at,
        "o_recorded": before.as_recorded,
        "n_at": after.at,
        "n_recorded": after.as_recorded,
    }
    versions = f"{state('o')}, {state('n')}"
    yield from _changes(connection, layer, versions, differs, parameters, plane_srid)


def _columns(layer: Layer) -> list[str]:
    attributes = column_names(layer)
    return ["feature_id", "natural_key", "load_id", *attributes, "valid_during", "geom"]


def _changes(
    connection: Connection,
    layer: Layer,
    versions: str,
    condition: str,
    parameters: Mapping[str, Any],
    plane_srid: int,
) -> Iterator[FeatureChange]:
    """Pairs of versions ``o`` (before) and ``n`` (after) that a WITH clause makes."""
    names = [attribute.name for attribute in layer.attributes]
    # What stands beside the attributes bears names that no attribute may have.
    sides = ", ".join(
        f"{side}.feature_id AS {side}_feature_id, {side}.natural_key AS {side}_natural_key, "
        f"lower({side}.valid_during) AS {side}_began, upper({side}.valid_during) AS {side}_ended, "
        f"ST_AsGeoJSON({side}.geom, {COORDINATE_DECIMALS}, 0) AS {side}_geometry"
        + "".join(f", {side}.{a.column} AS {side}_{a.name}" for a in layer.attributes)
        for side in "on"
    )
    statement = f"""
        WITH {versions}
        SELECT {sides}, o.geom IS DISTINCT FROM n.geom AS differs,
               CASE WHEN o.geom IS DISTINCT FROM n.geom
                    THEN ST_HausdorffDistance(ST_Transform(o.geom, :plane_srid),
                                              ST_Transform(n.geom, :plane_srid)) END AS moved_m
        FROM o FULL JOIN n USING (feature_id)
        WHERE {condition} ORDER BY feature_id"""
    found = connection.execute(
        text(statement),
        {**parameters, "plane_srid": plane_srid},
        execution_options={"yield_per": _FETCHED_ROWS},
    )
    for row in found.mappings():
        yield _change(names, row)


def _change(names: list[str], row: Mapping[Any, Any]) -> FeatureChange:
    before = None if row["o_feature_id"] is None else {name: row[f"o_{name}"] for name in names}
    after = None if row["n_feature_id"] is None else {name: row[f"n_{name}"] for name in names}
    side = "o" if after is None else "n"
    changed: tuple[str, ...] = ()
    if before is not None and after is not None:
        changed = tuple(name for name in names if before[name] != after[name])
        changed += ("geometry",) if row["differs"] else ()
    kind = Kind.CHANGED
    if before is None:
        kind = Kind.NEW
    elif after is None:
        kind = Kind.VANISHED
    return FeatureChange(
        feature_id=row[f"{side}_feature_id"],
        natural_key=row[f"{side}_natural_key"],
        kind=kind,
        changed=changed or (("valid_during",) if kind is Kind.CHANGED else ()),
        moved_m=row["moved_m"] if kind is Kind.CHANGED else None,
        before=before,
        after=after,
        geometry_before=row["o_geometry"],
        geometry_after=row["n_geometry"],
        valid_during=(row[f"{side}_began"], row[f"{side}_ended"]),
    )

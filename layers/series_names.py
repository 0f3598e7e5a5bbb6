"""Series by their numbers, as those name them who observe: by layer and natural key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from layers.access import Clearance
from layers.registry import get_layer, is_known
from layers.tables import SCHEMA, qualified


class NamedSeries(NamedTuple):
    """What is measured where, and by whom.

    Attributes:
        feature: Natural key of the feature.
    """

    layer: str
    feature: str
    property: str
    resource_type: str
    unit: str | None
    source: str
    ttl_s: int


async def named_series(
    connection: AsyncConnection, series_ids: Iterable[int], level: Clearance
) -> dict[int, NamedSeries]:
    """Those of some series that the level may know of; connection of the ingest role."""
    rows = (
        await connection.execute(text(_SERIES), {"series": list(series_ids), "level": level})
    ).all()
    by_layer: dict[str, set[int]] = {}
    for row in rows:
        by_layer.setdefault(row.layer, set()).add(row.feature_id)
    keys: dict[tuple[str, int], str] = {}
    for name, ids in by_layer.items():
        if not is_known(name) or get_layer(name).clearance > level:
            continue
        found = await connection.execute(
            text(_KEYS.format(table=qualified(get_layer(name)))),
            {"features": sorted(ids), "level": level},
        )
        keys |= {(name, feature_id): key for feature_id, key in found}
    return {
        row.series_id: NamedSeries(
            row.layer,
            keys[row.layer, row.feature_id],
            row.property,
            row.resource_type,
            row.unit,
            row.source,
            row.ttl_s,
        )
        for row in rows
        if (row.layer, row.feature_id) in keys
    }


_SERIES = f"""
SELECT series_id, layer, feature_id, property, resource_type, unit, source, ttl_s
FROM {SCHEMA}.series
WHERE series_id = ANY (CAST(:series AS int[])) AND clearance <= :level"""

_KEYS = """
SELECT DISTINCT ON (feature_id) feature_id, natural_key FROM {table}
WHERE feature_id = ANY (CAST(:features AS bigint[])) AND clearance <= :level
ORDER BY feature_id, upper(valid_during) DESC"""

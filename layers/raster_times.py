"""The instants at which rasters become others, as they are believed now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any

from sqlalchemy import Row, Select, func, select

from layers.rasters import readable_rasters

MAX_TIMES = 100
"""Most instants that are told of one raster: the newest."""


def select_begins() -> Select[Any]:
    """The statement of when each held version begins to be true, the newest of a raster first."""
    view = readable_rasters()
    begins = func.lower(view.c.valid_during)
    return (
        select(view.c.name, begins.label("begins"))
        .where(func.upper_inf(view.c.recorded_during), ~func.lower_inf(view.c.valid_during))
        .order_by(view.c.name, begins.desc())
    )


def begins_by_name(rows: Iterable[Row[Any]]) -> Mapping[str, list[str]]:
    """The instants of each raster, RFC 3339 in UTC, the newest first."""
    found: dict[str, list[str]] = {}
    for row in rows:
        of_raster = found.setdefault(row.name, [])
        if len(of_raster) < MAX_TIMES:
            begins = row.begins.astimezone(UTC).isoformat()
            of_raster.append(begins.replace("+00:00", "Z"))
    return found

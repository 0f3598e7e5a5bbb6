"""The administrative code of a place: of its street, else its district, else its city."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import shapely
from sqlalchemy import Connection, func, select

from layers import districts
from layers.city import FloatArray
from layers.tables import held_table
from loaders.geometry import GeometryArray

_RANK = {"zone": 1, "city": 1, "district": 2, "street": 3}
_NOT_ADMINISTRATIVE = "zone"


class AdminAreas:
    """The districts of the city, in memory, for finding the smallest that contains a point."""

    def __init__(self, areas: GeometryArray, codes: list[str], levels: list[str | None]) -> None:
        # The finest come last, so that what they say stays.
        order = np.argsort([_RANK.get(level or "", 0) for level in levels], kind="stable")
        self._areas = areas[order]
        self._codes = [codes[at] for at in order]
        self._boxes = shapely.bounds(self._areas)
        shapely.prepare(self._areas)

    @classmethod
    def held(cls, connection: Connection) -> AdminAreas:
        """The districts that are held now and have not ended."""
        table = held_table(districts.LAYER)
        rows = connection.execute(
            select(func.ST_AsBinary(table.c.geom), table.c.code, table.c.level)
            .where(
                func.upper_inf(table.c.valid_during),
                func.lower(table.c.valid_during) <= func.now(),
                table.c.code.is_not(None),
                table.c.level.is_distinct_from(_NOT_ADMINISTRATIVE),
            )
            # On a border that two areas of a rank share, the same one counts in every load.
            .order_by(table.c.code)
        ).all()
        areas = shapely.from_wkb(np.array([bytes(row[0]) for row in rows], object))
        return cls(areas, [row[1] for row in rows], [row[2] for row in rows])

    def codes(self, positions: FloatArray) -> pa.Array:
        """The code of the smallest area around each position; null where none is.

        Args:
            positions: Shape (n, 2), degrees; NaN where a row has no geometry.
        """
        found = np.full(len(positions), -1, np.int32)
        order = np.argsort(positions[:, 0])
        x, y = positions[order, 0], positions[order, 1]
        for at, (area, (west, south, east, north)) in enumerate(
            zip(self._areas, self._boxes, strict=True)
        ):
            near = slice(np.searchsorted(x, west), np.searchsorted(x, east, side="right"))
            rows = order[near][(y[near] >= south) & (y[near] <= north)]
            inside = shapely.intersects_xy(area, positions[rows, 0], positions[rows, 1])
            found[rows[inside]] = at
        codes = pa.array(self._codes, pa.string())
        return codes.take(pa.array(found, mask=found < 0))

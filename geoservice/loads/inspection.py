"""What a dry run finds in an upload: the preview on the map, and the rows that are rejected.

Both are taken from the staging tables of the dry run, as the loader role, before these are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from geoservice.loads.preview import PreviewRow, write_preview
from geoservice.loads.rejected_shapes import RejectedShapes, point_shape
from layers.access import Clearance
from layers.base import Layer
from layers.city import CityFrame
from loaders.report import SourceReport
from loaders.staging import Staging


@dataclass
class Inspection:
    """Looks at the rows of a dry run; hand ``look`` to ``loaders.load``.

    Attributes:
        clearance: The highest level of any row.
        shown_rows: Rows that the preview was given.
        has_all: Whether these are all rows that have a place.
    """

    layer: Layer
    city: CityFrame
    path: Path
    max_rows: int
    clearance: Clearance = Clearance.PUBLIC
    shown_rows: int = 0
    has_all: bool = True

    def look(
        self, connection: Connection, staging: Staging, reports: Sequence[SourceReport]
    ) -> None:
        """Write the preview."""
        self.clearance = max(self.layer.clearance, _highest(connection, staging))
        shapes = RejectedShapes(reports, self.city)
        write_preview(
            self.path,
            chain(self._rejected(connection, staging, shapes), self._accepted(connection, staging)),
        )
        connection.commit()

    def _rejected(
        self, connection: Connection, staging: Staging, shapes: RejectedShapes
    ) -> Iterator[PreviewRow]:
        most = self.max_rows // 2
        first = (
            "SELECT row_number, natural_key, reasons, clearance, original, lon, lat "  # noqa: S608
            f"FROM {staging.qualified_rejected} ORDER BY row_number LIMIT :most"
        )
        seen = 0
        for row in _stream(connection, first, {"most": most}):
            seen += 1
            shape = shapes.shape(row["row_number"], row["original"]) or point_shape(
                row["lon"], row["lat"]
            )
            if shape is not None:
                self.shown_rows += 1
                yield PreviewRow(
                    row=row["row_number"],
                    clearance=max(row["clearance"], self.layer.clearance),
                    key=row["natural_key"],
                    reasons=tuple(row["reasons"]),
                    properties={},
                    shape=shape,
                )
        self.has_all = seen < most

    def _accepted(self, connection: Connection, staging: Staging) -> Iterator[PreviewRow]:
        # Names of tables are ours, those of columns the registry's.
        count = f"SELECT count(*) FROM {staging.qualified_rows} WHERE geom IS NOT NULL"  # noqa: S608
        accepted: int = connection.execute(text(count)).scalar_one()
        step = max(1, -(-accepted // (self.max_rows - self.shown_rows)))
        self.has_all = self.has_all and step == 1
        for row in _stream(connection, self._select_accepted(staging), {"step": step}):
            self.shown_rows += 1
            yield self._preview_row(row)

    def _select_accepted(self, staging: Staging) -> str:
        attributes = "".join(f"{attribute.column}, " for attribute in self.layer.attributes)
        return (
            f"SELECT row_number, natural_key, key_derived, clearance, {attributes}"  # noqa: S608
            "ST_AsBinary(ST_Transform(ST_Force2D(geom), 3857)) AS shape "
            f"FROM {staging.qualified_rows} "
            "WHERE geom IS NOT NULL AND row_number % :step = 0"
        )

    def _preview_row(self, row: RowMapping) -> PreviewRow:
        return PreviewRow(
            row=row["row_number"],
            clearance=max(row["clearance"], self.layer.clearance),
            key=None if row["key_derived"] else row["natural_key"],
            reasons=(),
            properties={a.name: row[a.column] for a in self.layer.attributes},
            shape=bytes(row["shape"]),
        )


def _stream(
    connection: Connection, statement: str, parameters: dict[str, Any]
) -> Iterator[RowMapping]:
    in_parts = {"yield_per": 5_000}
    yield from connection.execute(
        text(statement), parameters, execution_options=in_parts
    ).mappings()


def _highest(connection: Connection, staging: Staging) -> Clearance:
    tables = (staging.qualified_rows, staging.qualified_rejected)
    levels = [
        connection.execute(text(f"SELECT max(clearance) FROM {table}")).scalar()  # noqa: S608
        for table in tables
    ]
    return Clearance(max((level for level in levels if level is not None), default=0))

"""Positions of a data set: their system, the order of their axes, and what if it is unknown.

The first batch decides. Survey tables call the northing X; numbers show it, because only one order
puts the points into the city.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from layers.base import Attribute, AttributeType, GeometryType, Title
from layers.city import CityFrame, FloatArray
from layers.crs import Operation, find_operation, other_order, share_inside
from layers.crs_candidates import candidates, sibling
from layers.errors import UnknownCRS
from loaders.convert import convert
from loaders.delimited import CoordinateColumns
from loaders.findings import Findings
from loaders.formats.stream import GEOMETRY
from loaders.geometry import Form, parse_wkb, positions_of
from loaders.plain import plain_of_wkb, plain_points

NO_CRS = "does not say its coordinate reference system; name it with --crs"
NO_POSITIONS = Operation(
    "none", "none: positions are those of the nodes", 0.0, swapped=False, forward=None
)
"""For tables of segments between surveyed nodes."""

_ORDINATE = Attribute("coordinate", AttributeType.NUMBER, Title("Coordinate", "坐标"))


@dataclass(frozen=True)
class Locator:
    """How positions of a data set come out of its rows, and how they get to EPSG:4490.

    Attributes:
        columns: Columns of a table that hold x and y; None where geometries are read.
        notes: What was amiss with the system said and dealt with.
    """

    operation: Operation
    columns: CoordinateColumns | None
    source: Path
    notes: tuple[str, ...] = ()

    def locate(
        self, batch: pa.RecordBatch, geometry_type: GeometryType, findings: Findings
    ) -> Form:
        """Geometries of a batch in the system of the file.

        Raises:
            UnknownCRS: there are positions after all where the first batch had none.
        """
        form = read_positions(batch, self.columns, geometry_type, findings)
        if self.operation is NO_POSITIONS and len(positions_of(form)):
            raise UnknownCRS(self.source, NO_CRS)
        return form


def read_positions(
    batch: pa.RecordBatch,
    columns: CoordinateColumns | None,
    geometry_type: GeometryType,
    findings: Findings,
) -> Form:
    """Geometries of a batch in the system of the file, in the order of the columns' names."""
    if columns is None or columns.x is None or columns.y is None:
        column = batch.column(GEOMETRY)
        plain = plain_of_wkb(column, geometry_type)
        return parse_wkb(column, findings) if plain is None else plain
    x = _ordinates(batch, columns.x, findings)
    y = _ordinates(batch, columns.y, findings)
    points = plain_points(x, y)
    # Of another layer they are objects of the wrong type, which are found fault with.
    is_wanted = geometry_type.dimension == 0
    return points if is_wanted else points.objects(np.arange(batch.num_rows))


def _ordinates(batch: pa.RecordBatch, column: str, findings: Findings) -> FloatArray:
    converted = convert(batch.column(column), _ORDINATE)
    for row, reason in converted.problems.items():
        findings.add(row, reason.replace("coordinate=", f"{column}=", 1))
    return np.asarray(converted.values.fill_null(np.nan).to_numpy(zero_copy_only=False))


def find_locator(
    first: pa.RecordBatch,
    columns: CoordinateColumns | None,
    *,
    said: str | None,
    stated: str | None,
    city: CityFrame,
    source: Path,
    geometry_type: GeometryType,
) -> Locator:
    """Decide on the system and the order of axes from what is known and the first rows.

    Args:
        said: System that the user gave.
        stated: System that the file states.

    Raises:
        UnknownCRS: none is known; or another than the one said or stated would put the rows into
            the city and this one does not. Where the file states it and the other is the same zone
            with another form of the easting or the other order of axes, it is taken and noted.
    """
    findings = Findings(first.num_rows)
    positions = positions_of(read_positions(first, columns, geometry_type, findings))
    crs = said or stated
    if crs is None and not len(positions):
        # A table of segments between nodes; positions in a later batch would be refused.
        return Locator(NO_POSITIONS, columns, source)
    if crs is None:
        raise UnknownCRS(source, NO_CRS, candidates(positions, city, source))
    operation = find_operation(crs, city, source)
    if columns is not None and not columns.order_known:
        operation = _in_order(operation, positions, city, source)
    # What a person says is not bettered: the refusal below names what would fit.
    meant = None if said else sibling(operation, positions, city, source)
    if meant is not None:
        note = f"the file states {operation.crs}; its numbers are of {meant.crs}, which was used"
        return Locator(meant, columns, source, (note,))
    if len(positions) and share_inside(operation, positions, city) == 0:
        better = candidates(positions, city, source)
        if better:
            reason = f"no position lies in {city.name} when it is read as {operation.crs}"
            raise UnknownCRS(source, reason, better)
    return Locator(operation, columns, source)


def _in_order(
    operation: Operation, positions: FloatArray, city: CityFrame, source: Path
) -> Operation:
    """The operation with x or with y first, whichever puts the positions into the city."""
    if operation.swapped:
        return operation
    swapped = other_order(operation)
    as_named = share_inside(operation, positions, city)
    as_swapped = share_inside(swapped, positions, city)
    if as_named > 0 and as_swapped > 0 and as_named == as_swapped:
        reason = "X and Y could be either way round; name the columns of x (easting) and y in --map"
        raise UnknownCRS(source, reason)
    return swapped if as_swapped > as_named else operation

"""Cadastral parcels: geometry that tiles the blocks exactly, and the attributes of registration.

A block is cut into rows along its first side, and each row across into parcels.  The line between
two rows carries the corners of both, so neighbours share their vertices and nothing overlaps.
Plane coordinates are EPSG:4547 metres, rounded to the millimetre before the area is taken.

Source of the code: 宗地代码 of GB/T 37346 (county 6, 地籍区 3, 地籍子区 3, 特征码 2, number 5).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely

from geoservice.sample_city.columns import dates, decimals, joined, text, words
from geoservice.sample_city.hashing import Floats, Ints, choose, uniform
from geoservice.sample_city.land_use import (
    LAND_USES,
    NATURES,
    RIGHT_TYPES,
    RIGHTS,
    holders,
    land_use_of,
    nature_of,
    rights_of,
)
from geoservice.sample_city.plan import CityPlan
from geoservice.sample_city.ragged import expand, starts, starts_in_rows
from geoservice.sample_city.street_names import Gazetteer

BLOCKS_PER_BATCH = 1_500
WIDTH_STEPS = 1024.0
"""Corners stand at whole steps of a block's width: two of them are the same or well apart, so that
rounding to the millimetre cannot change their order."""

STATUSES, STATUS_SHARES = ("现势", "变更中", "查封"), (0.985, 0.010, 0.005)

SCHEMA = pa.schema(
    [
        pa.field(name, kind, metadata={b"GDAL:OGR:width": width})
        for name, kind, width in (
            ("宗地代码", pa.string(), b"19"),
            ("地类编码", pa.string(), b"4"),
            ("地类名称", pa.string(), b"30"),
            ("坐落", pa.string(), b"100"),
            ("宗地面积", pa.decimal128(14, 2), b"14"),
            ("权利类型", pa.string(), b"30"),
            ("权利性质", pa.string(), b"20"),
            ("权利人", pa.string(), b"60"),
            ("登记日期", pa.date32(), b"8"),
            ("状态", pa.string(), b"10"),
        )
    ]
    + [pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"})]
)
"""Columns of the parcel files; GDAL takes the widths of the DBF, in bytes, from the metadata."""


@dataclass(frozen=True)
class _Lots:
    """Parcels of a batch: block, row, place within the row, polygons."""

    block: Ints
    row: Ints
    place: Ints
    polygons: np.ndarray


def parcel_batches(plan: CityPlan, gazetteer: Gazetteer, blocks: Ints) -> Iterator[pa.RecordBatch]:
    """Parcels of the given blocks, batch by batch, with the columns of SCHEMA."""
    for first in range(0, len(blocks), BLOCKS_PER_BATCH):
        lots = _lay_out(plan, blocks[first : first + BLOCKS_PER_BATCH])
        yield _rows(plan, gazetteer, lots)


def front_boundary(plan: CityPlan, blocks: Ints, place: Ints) -> tuple[Floats, Floats]:
    """Ends of the boundary before a parcel of the first row: on the street, at its back."""
    quad, row = plan.graph.blocks.quad[blocks], np.zeros(len(blocks), np.int64)
    part = _split(plan, blocks, row, place)
    near, far = (_line(plan, blocks, line) for line in (row, row + 1))
    return inside(quad, part, near), inside(quad, part, far)


def inside(quad: Floats, u: Floats, v: Floats) -> Floats:
    """Points of quadrilaterals: u along the first side, v from it to the third, both 0..1."""
    near = quad[:, 0] + (quad[:, 1] - quad[:, 0]) * u[:, None]
    far = quad[:, 3] + (quad[:, 2] - quad[:, 3]) * u[:, None]
    return near + (far - near) * v[:, None]


def plane_areas(polygons: np.ndarray) -> pa.Array:
    """Areas in the plane in square metres, as decimals with two places."""
    return decimals(np.rint(shapely.area(polygons) * 100.0).astype(np.int64), 2)


def _line(plan: CityPlan, blocks: Ints, row: Ints) -> Floats:
    """Part of the block's depth before a row: even, moved a little, exact at both ends."""
    rows = plan.lots.rows[blocks]
    move = 0.3 * (uniform(plan.seed, "row", blocks, row) - 0.5)
    return (row + np.where((row > 0) & (row < rows), move, 0.0)) / rows


def _split(plan: CityPlan, blocks: Ints, row: Ints, place: Ints) -> Floats:
    """Part of the block's width before a parcel of a row: even, moved, exact at both ends."""
    count = plan.lots.in_row[blocks, row]
    move = 0.45 * (uniform(plan.seed, "split", blocks, row, place) - 0.5)
    part = (place + np.where((place > 0) & (place < count), move, 0.0)) / count
    return np.rint(part * WIDTH_STEPS) / WIDTH_STEPS


def _lay_out(plan: CityPlan, blocks: Ints) -> _Lots:
    """Polygons of all parcels of some blocks."""
    of_row, row = expand(plan.lots.rows[blocks])
    count = plan.lots.in_row[blocks[of_row], row]
    of_split, place = expand(count + 1)
    part = _split(plan, blocks[of_row[of_split]], row[of_split], place)
    line = of_row + np.arange(len(of_row))
    pool, index = _corners(plan, blocks, of_row, row, line[of_split], part, of_split)
    near, far = index.reshape(2, -1)
    of_lot, lot_place = expand(count)
    left = starts(count + 1)[of_lot] + lot_place
    polygons = _polygons(np.round(pool, 3), near[left], near[left + 1], far[left], far[left + 1])
    return _Lots(blocks[of_row[of_lot]], row[of_lot], lot_place, polygons)


def _corners(
    plan: CityPlan,
    blocks: Ints,
    of_row: Ints,
    row: Ints,
    line: Ints,
    part: Floats,
    of_split: Ints,
) -> tuple[Floats, Ints]:
    """All corners of parcels, line by line from left to right, each once.

    Line ``l`` lies before row ``l`` of its block; a block has one line more than rows.  A corner is
    known by its line and its part of the width (below 1, so both fit into one number).

    Returns:
        Points (n, 2), and the index of the near and then of the far end of each split.
    """
    keys = np.concatenate((line, line + 1)) + np.tile(part, 2) / 2.0
    _, first, index = np.unique(keys, return_index=True, return_inverse=True)
    split = first % len(part)
    is_far = (first >= len(part)).astype(np.int64)
    owner = blocks[of_row[of_split[split]]]
    depth = _line(plan, owner, row[of_split[split]] + is_far)
    points = inside(plan.graph.blocks.quad[owner], part[split], depth)
    return points, index.astype(np.int64)


def _polygons(pool: Floats, near: Ints, near_end: Ints, far: Ints, far_end: Ints) -> np.ndarray:
    """Parcels between the corners of the line before and of the line behind their row."""
    along = near_end - near + 1
    length = along + far_end - far + 2
    lot, at = expand(length)
    ring = np.where(at < along[lot], near[lot] + at, far_end[lot] - (at - along[lot]))
    ring = np.where(at == length[lot] - 1, near[lot], ring)
    offsets = np.concatenate(([0], np.cumsum(length)))
    return shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, pool[ring], (offsets, np.arange(len(offsets)))
    )


def _rows(plan: CityPlan, gazetteer: Gazetteer, lots: _Lots) -> pa.RecordBatch:
    """Attributes of parcels."""
    cell = plan.graph.blocks.cell[lots.block]
    number = _numbers(plan, gazetteer, lots)
    use = land_use_of(plan, lots.block, number)
    rights = rights_of(plan.zones[cell], use)
    admin = gazetteer.admin_of_cell[cell]
    prefixes = [f"{item.district_code}{item.code[-3:]}" for item in gazetteer.admin_streets]
    code = joined(
        words(prefixes, admin), text(gazetteer.ordinal_of_cell[cell], 3),
        words(RIGHTS, rights), text(number, 5),
    )  # fmt: skip
    house = text(40 * (lots.block % 9) + 4 * lots.place + lots.row + 1)
    days = 7300 + (12_400 * uniform(plan.seed, "registered", lots.block, number)).astype(np.int64)
    status = choose(uniform(plan.seed, "parcel status", lots.block, number), STATUS_SHARES)
    columns = [
        code,
        words([item[0] for item in LAND_USES], use),
        words([item[1] for item in LAND_USES], use),
        gazetteer.addresses(cell, plan.graph.blocks.street[lots.block], house),
        plane_areas(lots.polygons),
        words(RIGHT_TYPES, rights),
        words(NATURES, nature_of(plan, lots.block, number, use, rights)),
        holders(plan, gazetteer, cell, number, use),
        dates(days),
        words(STATUSES, status),
        pa.array(shapely.to_wkb(lots.polygons)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _numbers(plan: CityPlan, gazetteer: Gazetteer, lots: _Lots) -> Ints:
    """顺序号: numbers of parcels within their quarter, from 1."""
    before_row = starts_in_rows(plan.lots.in_row)[lots.block, lots.row]
    return gazetteer.parcels_before[lots.block] + before_row + lots.place + 1

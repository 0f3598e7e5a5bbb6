"""Road centrelines: one row for each piece of street between junctions, and service roads."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import shapely

from geoservice.sample_city.columns import joined, text, words
from geoservice.sample_city.hashing import Bools, Floats, Ints, uniform
from geoservice.sample_city.land import degrees_from_plane
from geoservice.sample_city.lines import HALF_WIDTH_M, LANES, ROAD_CLASSES, SERVICE
from geoservice.sample_city.parcels import front_boundary
from geoservice.sample_city.plan import CityPlan
from geoservice.sample_city.street_names import Gazetteer

ROADS_PER_BATCH = 20_000
ONEWAY_SHARE = 0.25

SCHEMA = pa.schema(
    [
        pa.field("code", pa.string()),
        pa.field("name", pa.string()),
        pa.field("road_class", pa.string()),
        pa.field("width_m", pa.float64()),
        pa.field("lanes", pa.int32()),
        pa.field("oneway", pa.bool_()),
        pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"}),
    ]
)


def road_batches(plan: CityPlan, gazetteer: Gazetteer) -> Iterator[pa.RecordBatch]:
    """All roads with the columns of SCHEMA, lines in degrees (longitude, latitude)."""
    edges = plan.graph.edges
    for first in range(0, len(plan.edges), ROADS_PER_BATCH):
        part = plan.edges[first : first + ROADS_PER_BATCH]
        ends = plan.graph.junctions[edges.ends[part]]
        is_oneway = edges.is_cross[part] & (
            uniform(plan.seed, "oneway", edges.street[part]) < ONEWAY_SHARE
        )
        names = gazetteer.roads.take(pa.array(edges.street[part]))
        code = joined("L", text(part, 7))
        yield _rows(code, names, edges.road_class[part], is_oneway, ends)
    yield from _service_roads(plan, gazetteer)


def service_blocks(plan: CityPlan) -> Ints:
    """Built blocks that a service road leads into."""
    return plan.blocks[plan.lots.has_service[plan.blocks]]


def _service_roads(plan: CityPlan, gazetteer: Gazetteer) -> Iterator[pa.RecordBatch]:
    """Short roads from the middle of a street to the back of the block's front row."""
    blocks = service_blocks(plan)
    for first in range(0, len(blocks), ROADS_PER_BATCH):
        part = blocks[first : first + ROADS_PER_BATCH]
        near, far = front_boundary(plan, part, plan.lots.in_row[part, 0] // 2)
        inwards = (far - near) / np.hypot(*(far - near).T)[:, None]
        near = near - inwards * plan.graph.blocks.half_width_m[part][:, None]
        street = plan.graph.blocks.street[part]
        names = joined(gazetteer.roads.take(pa.array(street)), "内部路")
        classes = np.full(len(part), SERVICE)
        ends = np.stack((near, far), axis=1)
        yield _rows(joined("S", text(part, 7)), names, classes, np.zeros(len(part), np.bool_), ends)


def _rows(
    code: pa.Array, names: pa.Array, classes: Ints, is_oneway: Bools, ends: Floats
) -> pa.RecordBatch:
    points = np.round(degrees_from_plane(ends.reshape(-1, 2)), 8).reshape(-1, 2, 2)
    columns = [
        code,
        names,
        words(ROAD_CLASSES, classes),
        pa.array(2.0 * HALF_WIDTH_M[classes]),
        pa.array(LANES[classes].astype(np.int32)),
        pa.array(is_oneway),
        pa.array(shapely.to_wkb(shapely.linestrings(points))),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)

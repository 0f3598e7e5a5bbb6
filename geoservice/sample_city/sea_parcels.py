"""Sea parcels (宗海) off the coast: harbours, beaches, open farming, by right of sea use."""

import numpy as np
import pyarrow as pa
import shapely

from geoservice.sample_city.columns import dates, joined, text, words
from geoservice.sample_city.hashing import Bools, Floats, Ints, choose, uniform
from geoservice.sample_city.land import EAST, NORTH, SOUTH, WEST, degrees_from_plane, land_polygon
from geoservice.sample_city.parcels import SCHEMA, plane_areas
from geoservice.sample_city.plan import CityPlan
from geoservice.sample_city.street_names import Gazetteer
from geoservice.sample_city.words import firms

USES, USE_SHARES = ("港口用海", "开放式养殖用海", "浴场用海", "路桥用海"), (0.4, 0.3, 0.2, 0.1)
SEA_USE_CODE = "H"
SUBZONE = "999"
"""地籍子区 kept for the sea: quarters on land are numbered from 001."""

NEAR_M, FAR_M = 60.0, 2_500.0
SIDE_CUTS = 5
"""A cell of the lattice at sea holds the square of this many parcels."""

MARGIN = 0.04


def sea_parcels(plan: CityPlan, gazetteer: Gazetteer) -> tuple[list[str], pa.RecordBatch]:
    """The sea parcels nearest to the shore, with the columns of the parcel files.

    Returns:
        The district code of each row, and the rows.
    """
    quads, cell = _at_sea(plan)
    polygons = np.asarray(shapely.polygons(np.round(quads, 3)))
    offshore_m = shapely.distance(shapely.centroid(polygons), land_polygon().exterior)
    nearest = np.argsort(offshore_m, kind="stable")[: plan.sea_parcels]
    polygons, cell = polygons[nearest], cell[nearest]
    admin = gazetteer.admin_of_cell[cell]
    order = np.argsort(admin, kind="stable")
    return _rows(plan, gazetteer, polygons[order], admin[order])


def _rows(
    plan: CityPlan, gazetteer: Gazetteer, polygons: np.ndarray, admin: Ints
) -> tuple[list[str], pa.RecordBatch]:
    number = np.arange(len(admin)) - np.searchsorted(admin, admin) + 1
    use = choose(uniform(plan.seed, "sea use", admin, number), USE_SHARES)
    days = 12_000 + (7_500 * uniform(plan.seed, "sea registered", admin, number)).astype(np.int64)
    holder = (1 << 15) + np.floor(uniform(plan.seed, "sea holder", admin, number) * 5e4)
    count = len(admin)
    items = gazetteer.admin_streets
    prefixes = [f"{item.district_code}{item.code[-3:]}{SUBZONE}GH" for item in items]
    coasts = [f"深圳市{item.district_name}{item.name}近岸海域第" for item in items]
    columns = [
        joined(words(prefixes, admin), text(number, 5)),
        pa.repeat(SEA_USE_CODE, count),
        words(USES, use),
        joined(words(coasts, admin), text(number), "号"),
        plane_areas(polygons),
        pa.repeat("海域使用权", count),
        pa.repeat("审批", count),
        pa.array(firms(holder.astype(np.int64))),
        dates(days),
        pa.repeat("现势", count),
        pa.array(shapely.to_wkb(polygons)),
    ]
    codes = [items[index].district_code for index in admin.tolist()]
    return codes, pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _at_sea(plan: CityPlan) -> tuple[Floats, Ints]:
    """Quadrilaterals of lattice cells at sea near the coast, cut up, and their cells."""
    quads = plan.lattice.quads
    polygons = shapely.polygons(quads)
    offshore_m = shapely.distance(polygons, land_polygon())
    inside = _is_own_sea(degrees_from_plane(quads.reshape(-1, 2))).reshape(-1, 4).all(axis=1)
    cell = np.flatnonzero((offshore_m > NEAR_M) & (offshore_m < FAR_M) & inside)
    steps = (np.arange(SIDE_CUTS) + MARGIN) / SIDE_CUTS
    u, v = (part.reshape(-1) for part in np.meshgrid(steps, steps))
    step = (1.0 - 2.0 * MARGIN) / SIDE_CUTS
    corners = ((u, v), (u + step, v), (u + step, v + step), (u, v + step))
    parts = np.stack([_inside(quads[cell], *corner) for corner in corners], axis=2)
    return parts.reshape(-1, 4, 2), np.repeat(cell, len(u))


def _inside(quads: Floats, u: Floats, v: Floats) -> Floats:
    """Points (cells, places, 2) at the same places of every quadrilateral."""
    a, b, c, d = (quads[:, None, corner] for corner in range(4))
    near, far = a + (b - a) * u[None, :, None], d + (c - d) * u[None, :, None]
    return near + (far - near) * v[None, :, None]


def _is_own_sea(lon_lat: Floats) -> Bools:
    """The river mouth in the west and the bays in the east, inside the extent."""
    lon, lat = lon_lat.T
    in_extent = (lon > WEST) & (lon < EAST) & (lat > SOUTH) & (lat < NORTH)
    is_west, is_east = (lon < 113.87) & (lat < 22.75), (lon > 114.25) & (lat < 22.66)
    return np.asarray(in_extent & (is_west | is_east))

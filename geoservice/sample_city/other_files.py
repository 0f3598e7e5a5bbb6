"""The small files: districts, structures, terrain, facilities, a day of observations."""

import csv
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import rasterio
import shapely
from rasterio import Affine
from shapely.geometry.base import BaseGeometry

from geoservice.sample_city.admin import Area
from geoservice.sample_city.facilities import HEADER, Facilities, facility_rows
from geoservice.sample_city.land import CELL_M, NODATA, degrees_from_plane
from geoservice.sample_city.manifest import Instants
from geoservice.sample_city.plan import CityPlan
from geoservice.sample_city.street_names import Gazetteer
from geoservice.sample_city.structures import Structure
from geoservice.sample_city.usage import FACILITIES_FILE, LOCAL_TIME, UsageModel, local_rfc3339
from geoservice.sample_city.vector_files import write_geopackage

DISTRICTS_FILE = "districts.gpkg"
STRUCTURES_FILE = "underground_structures.gpkg"
TERRAIN_FILE = "terrain.tif"
OBSERVATIONS_FILE = "observations.ndjson"

OBSERVED_DAY = date(2026, 6, 15)
CADENCES_MINUTES = (30, 60, 120, 240)
MAX_OBSERVATIONS = 2_000_000
TILE_CELLS = 256


def write_districts(directory: Path, areas: list[Area]) -> int:
    """Write districts.gpkg and return its rows."""
    table = pa.table(
        {
            "行政区划代码": [area.code for area in areas],
            "名称": [area.name for area in areas],
            "级别": [area.level for area in areas],
            "上级代码": [area.parent_code for area in areas],
            "geometry": _degrees_wkb([area.polygon for area in areas]),
        },
        schema=_with_geometry("行政区划代码", "名称", "级别", "上级代码"),
    )
    write_geopackage(directory / DISTRICTS_FILE, "districts", table)
    return len(areas)


def write_structures(directory: Path, structures: list[Structure]) -> int:
    """Write underground_structures.gpkg and return its rows."""
    count = {"DT": 0, "DTZ": 0, "ZH": 0}
    codes = []
    for item in structures:
        count[item.kind] += 1
        codes.append(f"{item.kind}{count[item.kind]:05d}")
    elevations = [pa.field(name, pa.float64()) for name in ("顶标高", "底标高")]
    table = pa.table(
        {
            "编号": codes,
            "类型": [item.kind for item in structures],
            "名称": [item.name for item in structures],
            "线路": [item.line or None for item in structures],
            "顶标高": [item.top_m for item in structures],
            "底标高": [item.bottom_m for item in structures],
            "geometry": _degrees_wkb([item.shape for item in structures]),
        },
        schema=_with_geometry("编号", "类型", "名称", "线路", more=elevations),
    )
    write_geopackage(directory / STRUCTURES_FILE, "underground_structures", table)
    return len(structures)


def write_terrain(directory: Path, plan: CityPlan) -> int:
    """Write terrain.tif (EPSG:4547, float32 metres, sea is nodata) and return its cells."""
    terrain = plan.terrain
    elevation = np.where(terrain.is_land, terrain.elevation_m, NODATA).astype(np.float32)
    rows, columns = terrain.is_land.shape
    with rasterio.open(
        directory / TERRAIN_FILE, "w", driver="GTiff", width=columns, height=rows, count=1,
        dtype="float32", crs="EPSG:4547", nodata=NODATA, tiled=True, blockxsize=TILE_CELLS,
        blockysize=TILE_CELLS, compress="deflate", predictor=3,
        transform=Affine(CELL_M, 0.0, terrain.west_m, 0.0, -CELL_M, terrain.north_m),
    ) as raster:  # fmt: skip
        raster.write(elevation, 1)
    return int(rows * columns)


def write_facilities(
    directory: Path, plan: CityPlan, gazetteer: Gazetteer, facilities: Facilities
) -> int:
    """Write facilities_gcj02.csv (UTF-8 with byte order mark) and return its rows."""
    path = directory / FACILITIES_FILE
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(facility_rows(plan, gazetteer, facilities))
    return len(facilities.kind)


def write_observations(
    directory: Path, plan: CityPlan, facilities: Facilities
) -> tuple[int, Instants]:
    """Write observations.ndjson, one day of all facilities with a capacity.

    The cadence is thinned so that there are at most about MAX_OBSERVATIONS.
    """
    model = UsageModel(facilities.counted(), plan.seed)
    cadence = next(
        (c for c in CADENCES_MINUTES if len(model.facilities) * 1440 // c <= MAX_OBSERVATIONS),
        CADENCES_MINUTES[-1],
    )
    start = datetime.combine(OBSERVED_DAY, time(), LOCAL_TIME)
    instants = [start + timedelta(minutes=minute) for minute in range(0, 1440, cadence)]
    with (directory / OBSERVATIONS_FILE).open("wb") as file:
        for instant in instants:
            file.writelines(
                orjson.dumps(observation, option=orjson.OPT_APPEND_NEWLINE)
                for observation in model.observations(instant)
            )
    span = Instants(local_rfc3339(instants[0]), local_rfc3339(instants[-1]), cadence)
    return len(instants) * len(model.facilities), span


def _with_geometry(*texts: str, more: list[pa.Field] | None = None) -> pa.Schema:
    geometry = pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"})
    return pa.schema([*(pa.field(name, pa.string()) for name in texts), *(more or []), geometry])


def _degrees_wkb(shapes: Sequence[BaseGeometry]) -> pa.Array:
    """WKB in degrees (EPSG:4490) of plane geometries."""
    plane = np.array(shapes, dtype=object)
    degrees = shapely.transform(plane, lambda xy: np.round(degrees_from_plane(xy), 9))
    return pa.array(shapely.to_wkb(degrees), pa.binary())

"""Underground structures: metro tunnels and stations, utility tunnels, under the main roads.

CJJ 61 has no class for them; kinds are DT (metro tunnel), DTZ (metro station), ZH (utility tunnel).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from shapely import LineString, MultiPolygon, Polygon

from geoservice.sample_city.hashing import Floats, uniform
from geoservice.sample_city.land import Terrain, land_polygon
from geoservice.sample_city.lattice import (
    COLUMNS,
    ROWS,
    SOUTH_CELLS,
    WEST_CELLS,
    Lattice,
    growth_distance,
)
from geoservice.sample_city.words import quarter_names

ROW_LINES = (0, 5, -3, 11, 18, 26, 33)
COLUMN_LINES = (0, -7, 6, -15, 13, -23, 24, 36)
"""Metro lines: lattice lines counted from the city's centre."""

UTILITY_TUNNEL_EVERY = 8
STATION_EVERY = 2
STATION_LENGTH_M, STATION_WIDTH_M, STATION_HEIGHT_M = 210.0, 22.0, 14.0
TUBE_RADIUS_M, TUBE_OFFSET_M = 3.1, 7.0
UTILITY_LENGTH_M, UTILITY_WIDTH_M, UTILITY_HEIGHT_M = 600.0, 5.5, 3.8


@dataclass(frozen=True)
class Structure:
    """One underground structure.

    Attributes:
        kind: DT, DTZ or ZH.
        name: Title, in Chinese.
        line: Metro line, or road of a utility tunnel.
        shape: Plan view in EPSG:4547 metres.
        top_m: Elevation of its top in metres.
        bottom_m: Elevation of its bottom in metres.
        distance: Growth distance at which it is built.
    """

    kind: str
    name: str
    line: str
    shape: MultiPolygon
    top_m: float
    bottom_m: float
    distance: float


def build_structures(seed: int, lattice: Lattice, terrain: Terrain) -> list[Structure]:
    """All structures of the full city, lines from the centre outwards."""
    names = iter(quarter_names(seed + 1, 3000))
    structures: list[Structure] = []
    for number, (axis, corners) in enumerate(_metro_lines(lattice), start=1):
        line = f"地铁{number}号线"
        for run in _runs_on_land(corners):
            halves = _half_boxes(run)
            stops = [f"{next(names)}站" for _ in run[::STATION_EVERY]]
            structures += [
                _station(seed, terrain, (line, axis, name), centre, half)
                for name, centre, half in zip(
                    stops, run[::STATION_EVERY], halves[::STATION_EVERY], strict=True
                )
            ]
            structures += _tunnels(terrain, (line, axis), run, halves, stops)
    return structures + _utility_tunnels(lattice, terrain)


def _metro_lines(lattice: Lattice) -> list[tuple[int, Floats]]:
    """Axis and corners of each metro line, the lines of both axes in turn."""
    rows = [(0, lattice.corners[:, SOUTH_CELLS + row]) for row in ROW_LINES]
    columns = [(1, lattice.corners[WEST_CELLS + column]) for column in COLUMN_LINES]
    pairs = zip(rows, columns, strict=False)
    return [line for pair in pairs for line in pair] + columns[len(rows) :]


def _runs_on_land(corners: Floats) -> list[Floats]:
    """Stretches of at least two stations whose corners all lie on land."""
    on_land = shapely.contains_xy(land_polygon(), corners[:, 0], corners[:, 1])
    breaks = np.flatnonzero(np.diff(on_land.astype(np.int64))) + 1
    runs = np.split(np.arange(len(corners)), breaks)
    return [corners[run] for run in runs if on_land[run[0]] and len(run) > STATION_EVERY]


def _ground(terrain: Terrain, xy: Floats) -> float:
    return float(terrain.ground(xy.reshape(1, 2))[0])


def _half_boxes(run: Floats) -> Floats:
    """For each corner of a line, the vector from a station's middle to its end."""
    along = np.gradient(run, axis=0)
    halves: Floats = along / np.hypot(*along.T)[:, None] * STATION_LENGTH_M / 2.0
    return halves


def _station(
    seed: int, terrain: Terrain, stop: tuple[str, int, str], centre: Floats, half: Floats
) -> Structure:
    """A station's box around a corner of main roads; where lines cross, the later lies deeper."""
    line, axis, name = stop
    extra_m = 10.0 * axis + 4.0 * float(uniform(seed, "station", int(centre[0]), int(centre[1]))[0])
    top_m = _ground(terrain, centre) - 4.0 - extra_m
    box = LineString([centre - half, centre + half]).buffer(STATION_WIDTH_M / 2.0, cap_style="flat")
    return _structure("DTZ", name, line, [box], top_m, STATION_HEIGHT_M)


def _tunnels(
    terrain: Terrain, route: tuple[str, int], run: Floats, halves: Floats, names: list[str]
) -> list[Structure]:
    """Twin tubes between neighbouring stations."""
    line, axis = route
    tunnels = []
    for number, (start, end) in enumerate(pairwise(names)):
        first, last = number * STATION_EVERY, (number + 1) * STATION_EVERY
        path = run[first : last + 1].copy()
        path[0] += halves[first]
        path[-1] -= halves[last]
        centreline = LineString(path)
        tubes = [
            centreline.offset_curve(offset).buffer(TUBE_RADIUS_M, cap_style="flat")
            for offset in (-TUBE_OFFSET_M, TUBE_OFFSET_M)
        ]
        top_m = float(terrain.ground(path).min()) - 14.0 - 10.0 * axis
        name = f"{start}至{end}区间"
        tunnels.append(_structure("DT", name, line, tubes, top_m, 2.0 * TUBE_RADIUS_M))
    return tunnels


def _utility_tunnels(lattice: Lattice, terrain: Terrain) -> list[Structure]:
    """Utility tunnels (综合管廊) along some pieces of trunk road."""
    tunnels = []
    for row in range(SOUTH_CELLS % UTILITY_TUNNEL_EVERY, ROWS, UTILITY_TUNNEL_EVERY):
        for column in range(1, COLUMNS, 3):
            start, end = lattice.corners[column, row], lattice.corners[column + 1, row]
            if not shapely.contains_xy(land_polygon(), *np.stack((start, end)).T).all():
                continue
            along = (end - start) / np.hypot(*(end - start))
            path = LineString([start + 60.0 * along, start + UTILITY_LENGTH_M * along])
            box = path.buffer(UTILITY_WIDTH_M / 2.0, cap_style="flat")
            top_m = _ground(terrain, (start + end) / 2.0) - 3.2
            name = f"综合管廊{row:02d}-{column:03d}段"
            tunnels.append(_structure("ZH", name, "", [box], top_m, UTILITY_HEIGHT_M))
    return tunnels


def _structure(
    kind: str, name: str, line: str, parts: list[Polygon], top_m: float, height_m: float
) -> Structure:
    shape = shapely.transform(MultiPolygon(parts), lambda xy: np.round(xy, 3))
    centre = np.array(shape.centroid.coords[0])
    distance = float(growth_distance(centre))
    return Structure(kind, name, line, shape, round(top_m, 2), round(top_m - height_m, 2), distance)

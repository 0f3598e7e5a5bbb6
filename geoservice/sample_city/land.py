"""The ground that the sample city stands on: a coarse coast, hills, elevations.

Everything here is drawn by hand to look like Shenzhen from afar; no surveyed source was copied.
Plane coordinates are EPSG:4547 in metres, easting before northing; elevations are metres.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import shapely
from pyproj import Transformer
from shapely import Polygon

from geoservice.sample_city.hashing import Bools, Floats

WEST, SOUTH, EAST, NORTH = 113.75, 22.44, 114.63, 22.87
"""Extent of the city in degrees (EPSG:4490); nothing is written outside."""

CENTRE_LON, CENTRE_LAT = 114.0579, 22.5431

OUTLINE = (
    (113.765, 22.765), (113.790, 22.800), (113.815, 22.822), (113.850, 22.806), (113.880, 22.815),
    (113.900, 22.848), (113.935, 22.857), (113.975, 22.838), (114.000, 22.802), (114.035, 22.792),
    (114.060, 22.774), (114.090, 22.778), (114.125, 22.764), (114.155, 22.748), (114.190, 22.765),
    (114.240, 22.798), (114.300, 22.812), (114.345, 22.798), (114.385, 22.774), (114.415, 22.752),
    (114.422, 22.715), (114.445, 22.684), (114.505, 22.664), (114.540, 22.645), (114.522, 22.602),
    (114.556, 22.588), (114.592, 22.586), (114.612, 22.555), (114.615, 22.520), (114.596, 22.490),
    (114.566, 22.468), (114.535, 22.456), (114.505, 22.468), (114.490, 22.500), (114.505, 22.535),
    (114.482, 22.562), (114.462, 22.588), (114.430, 22.602), (114.400, 22.588), (114.370, 22.597),
    (114.330, 22.594), (114.300, 22.577), (114.270, 22.562), (114.240, 22.556), (114.222, 22.546),
    (114.180, 22.556), (114.150, 22.545), (114.120, 22.531), (114.090, 22.521), (114.060, 22.510),
    (114.030, 22.508), (114.000, 22.515), (113.975, 22.520), (113.952, 22.506), (113.943, 22.485),
    (113.920, 22.467), (113.895, 22.463), (113.876, 22.485), (113.881, 22.515), (113.866, 22.540),
    (113.850, 22.565), (113.830, 22.596), (113.806, 22.630), (113.786, 22.665), (113.771, 22.705),
    (113.760, 22.740),
)  # fmt: skip
"""Corners of the land in degrees, clockwise from the north-west."""

HILLS = (
    (114.210, 22.585, 820.0, 2300.0), (114.185, 22.605, 380.0, 1700.0),
    (113.962, 22.652, 500.0, 2200.0), (114.000, 22.578, 380.0, 1300.0),
    (114.545, 22.525, 760.0, 2300.0), (113.905, 22.490, 290.0, 1000.0),
    (114.475, 22.640, 560.0, 2100.0), (114.320, 22.632, 480.0, 2500.0),
    (113.855, 22.690, 330.0, 1700.0), (114.098, 22.605, 360.0, 1500.0),
    (114.036, 22.640, 210.0, 1300.0), (114.270, 22.650, 340.0, 2000.0),
    (113.930, 22.700, 260.0, 1800.0), (114.420, 22.690, 420.0, 1900.0),
    (114.590, 22.500, 420.0, 1500.0), (113.975, 22.790, 170.0, 1500.0),
)  # fmt: skip
"""Longitude, latitude, height in metres and radius in metres of each hill."""

CELL_M = 100.0
SHORE_M = 1.8
COAST_STEP_M = 350.0
COAST_TOLERANCE_M = 60.0
"""How roughly the coast is taken where only the way to it matters."""

NODATA = -9999.0


@lru_cache(maxsize=1)
def to_plane() -> Transformer:
    """Transformer from EPSG:4490 longitude, latitude to EPSG:4547 easting, northing."""
    return Transformer.from_crs("EPSG:4490", "EPSG:4547", always_xy=True)


@lru_cache(maxsize=1)
def to_degrees() -> Transformer:
    """Transformer from EPSG:4547 easting, northing to EPSG:4490 longitude, latitude."""
    return Transformer.from_crs("EPSG:4547", "EPSG:4490", always_xy=True)


def degrees_from_plane(xy: Floats) -> Floats:
    """Longitude and latitude of plane points, both arrays of shape (n, 2)."""
    if not len(xy):
        return np.empty((0, 2))
    return np.column_stack(to_degrees().transform(xy[:, 0], xy[:, 1]))


def plane_from_degrees(lon_lat: Floats) -> Floats:
    """Easting and northing of points in degrees, both arrays of shape (n, 2)."""
    return np.column_stack(to_plane().transform(lon_lat[:, 0], lon_lat[:, 1]))


@lru_cache(maxsize=1)
def land_polygon() -> Polygon:
    """The land in plane metres: the hand-made outline with a wavering coast."""
    outline = shapely.segmentize(Polygon(plane_from_degrees(np.array(OUTLINE))), COAST_STEP_M)
    ring = shapely.get_coordinates(outline)[:-1]
    x, y = ring[:, 0], ring[:, 1]
    ring = ring + np.column_stack(
        (
            70.0 * np.sin(x / 610.0 + y / 830.0) + 110.0 * np.sin(y / 1490.0 + 1.3),
            70.0 * np.sin(x / 770.0 - y / 590.0) + 110.0 * np.sin(x / 1610.0 + 0.4),
        )
    )
    land = Polygon(np.round(ring, 3))
    shapely.prepare(land)
    return land


@dataclass(frozen=True)
class Terrain:
    """Ground elevations at the centres of square cells.

    Attributes:
        west_m: Easting of the raster's western edge.
        north_m: Northing of its northern edge.
        elevation_m: float64 array (row, column), first row in the north.
        is_land: bool array of the same shape.
    """

    west_m: float
    north_m: float
    elevation_m: Floats
    is_land: Bools

    def ground(self, xy: Floats) -> Floats:
        """Elevation in metres at plane points (n, 2), bilinear between cell centres."""
        rows, columns = self.elevation_m.shape
        u = np.clip((xy[:, 0] - self.west_m) / CELL_M - 0.5, 0.0, columns - 1.001)
        v = np.clip((self.north_m - xy[:, 1]) / CELL_M - 0.5, 0.0, rows - 1.001)
        column, row = u.astype(np.int64), v.astype(np.int64)
        fu, fv = u - column, v - row
        grid = self.elevation_m
        upper = grid[row, column] * (1.0 - fu) + grid[row, column + 1] * fu
        lower = grid[row + 1, column] * (1.0 - fu) + grid[row + 1, column + 1] * fu
        return upper * (1.0 - fv) + lower * fv


@lru_cache(maxsize=1)
def terrain() -> Terrain:
    """The city's terrain: a plain rising from the coast, hills on it, gentle waves between."""
    west, north, columns, rows = _raster_frame()
    x, y = np.meshgrid(
        west + (np.arange(columns) + 0.5) * CELL_M, north - (np.arange(rows) + 0.5) * CELL_M
    )
    land = land_polygon()
    is_land: Bools = np.asarray(shapely.contains_xy(land, x, y))
    coast = shapely.simplify(land.exterior, COAST_TOLERANCE_M)
    inland_m = np.zeros(x.shape)
    inland_m[is_land] = shapely.distance(coast, shapely.points(x[is_land], y[is_land]))
    elevation = SHORE_M + _relief(x, y, inland_m)
    return Terrain(west, north, elevation, is_land)


def _raster_frame() -> tuple[float, float, int, int]:
    """Western and northern edge in metres and numbers of columns and rows inside the extent."""
    corners = plane_from_degrees(
        np.array([(WEST, SOUTH), (WEST, NORTH), (EAST, SOUTH), (EAST, NORTH)])
    )
    west = np.ceil(corners[:2, 0].max() / CELL_M) * CELL_M
    east = np.floor(corners[2:, 0].min() / CELL_M) * CELL_M
    south = np.ceil(corners[(0, 2), 1].max() / CELL_M) * CELL_M
    north = np.floor(corners[(1, 3), 1].min() / CELL_M) * CELL_M
    return float(west), float(north), int((east - west) / CELL_M), int((north - south) / CELL_M)


def _relief(x: Floats, y: Floats, inland_m: Floats) -> Floats:
    """Metres above the shore; zero on the coast."""
    plain = 26.0 * (1.0 - np.exp(-inland_m / 6000.0))
    waves = 2.0 + np.sin(x / 310.0 + y / 520.0) + np.sin(x / 690.0 - y / 410.0 + 1.0)
    height = plain + waves
    peaks = plane_from_degrees(np.array([hill[:2] for hill in HILLS]))
    for (easting, northing), (_, _, top_m, radius_m) in zip(peaks, HILLS, strict=True):
        square = ((x - easting) ** 2 + (y - northing) ** 2) / radius_m**2
        height += top_m * np.exp(-1.4 * square)
    return height * (1.0 - np.exp(-inland_m / 400.0))

"""Districts (区) and streets (街道) of the sample city, and the polygons that tile its land.

District names and codes are the real ones; streets, their names, codes and places are made up.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from geoservice.sample_city.hashing import Floats, Ints
from geoservice.sample_city.land import land_polygon, plane_from_degrees

CITY_CODE, CITY_NAME = "440300", "深圳市"

DISTRICTS = (
    ("440303", "罗湖区", (
        ("桂园岭", 114.112, 22.543), ("翠溪", 114.138, 22.553), ("东塘", 114.124, 22.574),
        ("莲坪", 114.160, 22.571), ("清水", 114.100, 22.563))),
    ("440304", "福田区", (
        ("香荷", 114.018, 22.548), ("莲心", 114.057, 22.546), ("华岭", 114.086, 22.545),
        ("沙尾湾", 114.027, 22.524), ("福滨", 114.066, 22.522), ("梅园", 114.052, 22.570))),
    ("440305", "南山区", (
        ("蛇湾", 113.912, 22.485), ("粤澳", 113.938, 22.520), ("沙洲", 113.970, 22.538),
        ("西岭", 113.945, 22.560), ("南渡", 113.905, 22.530), ("桃源谷", 113.985, 22.585),
        ("学苑", 113.948, 22.597))),
    ("440306", "宝安区", (
        ("新安湾", 113.885, 22.562), ("西乡渡", 113.862, 22.600), ("航湾", 113.828, 22.635),
        ("福海滨", 113.805, 22.675), ("沙汀", 113.792, 22.715), ("茅洲", 113.785, 22.755),
        ("松岩", 113.828, 22.785), ("石朗", 113.890, 22.655), ("燕坪", 113.842, 22.738),
        ("凤塘", 113.848, 22.655))),
    ("440307", "龙岗区", (
        ("布澜", 114.112, 22.612), ("南湾岭", 114.135, 22.645), ("平溪", 114.130, 22.695),
        ("坂田岗", 114.070, 22.625), ("横岭", 114.200, 22.645), ("园峰", 114.208, 22.700),
        ("龙心", 114.250, 22.715), ("龙泉", 114.232, 22.755), ("宝荷", 114.285, 22.690),
        ("坪洲", 114.315, 22.775), ("吉祥", 114.275, 22.745))),
    ("440308", "盐田区", (
        ("沙头岭", 114.225, 22.565), ("海山", 114.250, 22.575), ("盐港", 114.275, 22.590),
        ("梅汀", 114.315, 22.603))),
    ("440309", "龙华区", (
        ("民谷", 114.025, 22.620), ("龙源", 114.040, 22.660), ("大朗", 114.000, 22.680),
        ("福城", 114.025, 22.725), ("观河", 114.060, 22.715), ("观岚", 114.060, 22.755))),
    ("440310", "坪山区", (
        ("坪心", 114.350, 22.695), ("坑围", 114.385, 22.745), ("碧泉", 114.375, 22.675),
        ("马岭", 114.330, 22.655), ("龙田坪", 114.365, 22.725), ("石井坪", 114.405, 22.700))),
    ("440311", "光明区", (
        ("光谷", 113.935, 22.765), ("公明岗", 113.890, 22.775), ("新湖", 113.960, 22.800),
        ("凤凰谷", 113.955, 22.745), ("玉塘", 113.910, 22.735), ("马田", 113.900, 22.815))),
    ("440390", "大鹏新区", (
        ("葵溪", 114.440, 22.640), ("鹏湾", 114.490, 22.605), ("南澳渡", 114.540, 22.550),
        ("西涌", 114.560, 22.490), ("坝岗", 114.515, 22.635))),
)  # fmt: skip
"""Code, name and streets of each district; a street is its name, longitude and latitude."""


@dataclass(frozen=True)
class Street:
    """A street-level district (街道) and the point that its area gathers around."""

    code: str
    name: str
    district_code: str
    district_name: str
    lon: float
    lat: float


@dataclass(frozen=True)
class Area:
    """One row of the districts file; the polygon is in EPSG:4547 metres."""

    code: str
    name: str
    level: str
    parent_code: str
    polygon: BaseGeometry


def streets() -> list[Street]:
    """All streets, in the order of their codes."""
    return [
        Street(f"{code}{number:03d}", f"{street}街道", code, name, lon, lat)
        for code, name, places in DISTRICTS
        for number, (street, lon, lat) in enumerate(places, start=1)
    ]


def street_of_points(xy: Floats) -> Ints:
    """Index in ``streets()`` of the street that each plane point (n, 2) belongs to."""
    places = plane_from_degrees(np.array([(street.lon, street.lat) for street in streets()]))
    squares = ((xy[:, None, :] - places[None, :, :]) ** 2).sum(axis=2)
    nearest: Ints = np.argmin(squares, axis=1)
    return nearest


def build_areas(cells: Floats, street_of_cell: Ints) -> list[Area]:
    """City, districts and streets as unions of lattice cells, cut at the coast.

    Args:
        cells: Corners of the lattice cells, shape (n, 4, 2), plane metres.
        street_of_cell: Index in ``streets()`` of each cell.

    Returns:
        Areas whose streets tile their district and whose districts tile the city, without gap.
    """
    land = land_polygon()
    pieces = np.asarray(shapely.intersection(shapely.polygons(cells), land))
    parts = [_union(pieces[street_of_cell == n]) for n in range(len(streets()))]
    rows = _district_areas(parts)
    city = _union(np.array([row.polygon for row in rows]))
    rows.extend(
        Area(street.code, street.name, "街道", street.district_code, part)
        for street, part in zip(streets(), parts, strict=True)
    )
    return [Area(CITY_CODE, CITY_NAME, "市", "", city), *rows]


def _district_areas(parts: list[BaseGeometry]) -> list[Area]:
    of_district = np.array([street.district_code for street in streets()])
    geometries = np.array(parts, dtype=object)
    return [
        Area(code, name, "区", CITY_CODE, _union(geometries[of_district == code]))
        for code, name, _ in DISTRICTS
    ]


def _union(pieces: np.ndarray) -> BaseGeometry:
    """Union on a grid of one millimetre, so that neighbours keep the same vertices."""
    polygons: list[Polygon] = [
        part
        for part in shapely.get_parts(shapely.union_all(pieces, grid_size=0.001))
        if part.geom_type == "Polygon"
    ]
    return shapely.multipolygons(polygons)

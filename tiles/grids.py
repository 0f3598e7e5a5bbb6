"""Grids of tiles: the tile matrix sets (OGC 17-083r4) in which tiles are cut.

All are quadtrees with their origin at the top left: x grows eastward, y southward. Boxes are in the
grid's own system, x (or longitude) before y (or latitude).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import morecantile
from pyproj import CRS

from layers.base import STORAGE_SRID, TILE_SRID, Title
from layers.errors import UnknownGrid

EARTH_HALF_M = 20037508.342789244
"""Half the width of the Web Mercator square, metres."""

Box = tuple[float, float, float, float]
"""West, south, east, north in the system of a grid."""


@dataclass(frozen=True)
class Grid:
    """One tile matrix set.

    Attributes:
        name: Its identifier, also in paths.
        srid: EPSG code of its system; longitude comes first in boxes.
        west: Of the whole grid, in its system; so is north.
        tile_width: Of a tile at zoom 0, in its system.
        columns: Tiles across at zoom 0; may be a half where zoom 0 is no matrix.
        rows: Tiles down at zoom 0, likewise.
        first_zoom: First zoom that has a matrix.
        mercator_zooms: What to add to a zoom to get the one at which Web Mercator has tiles of
            about the same scale at the equator.
    """

    name: str
    title: Title
    srid: int
    west: float
    north: float
    tile_width: float
    columns: float
    rows: float
    first_zoom: int = 0
    max_zoom: int = 24
    mercator_zooms: int = 0

    def __reduce__(self) -> tuple[Callable[[str], Grid], tuple[str]]:
        """One grid is one object in each process, also after it was sent there."""
        return get_grid, (self.name,)

    def shape(self, z: int) -> tuple[int, int]:
        """How many tiles there are across and down at a zoom; none where it has no matrix."""
        if not self.first_zoom <= z <= self.max_zoom:
            return 0, 0
        return int(self.columns * 2**z), int(self.rows * 2**z)

    def box(self, z: int, x: int, y: int) -> Box:
        """The box of a tile, without any buffer."""
        size = self.tile_width / 2**z
        west, north = self.west + x * size, self.north - y * size
        return west, north - size, west + size, north

    def mercator_zoom(self, z: int) -> int:
        """The zoom of Web Mercator whose tiles are of about the same scale."""
        return z + self.mercator_zooms

    def zoom_of(self, mercator_zoom: int) -> int:
        """The zoom, among those of the grid, whose tiles are of about a scale of Web Mercator."""
        return min(max(mercator_zoom - self.mercator_zooms, self.first_zoom), self.max_zoom)

    @cached_property
    def matrix_set(self) -> morecantile.TileMatrixSet:
        """The tile matrix set as the standard writes it down."""
        if self.name in morecantile.tms.list():
            known: morecantile.TileMatrixSet = morecantile.tms.get(self.name)
            return known
        columns, rows = self.shape(self.first_zoom)
        west, _, _, north = self.box(self.first_zoom, 0, 0)
        _, south, east, _ = self.box(self.first_zoom, columns - 1, rows - 1)
        written = morecantile.TileMatrixSet.custom(
            [west, south, east, north],
            CRS.from_epsg(self.srid),
            id=self.name,
            title=self.title.en,
            matrix_scale=[columns, rows],
            tile_width=256,
            tile_height=256,
            maxzoom=self.max_zoom - self.first_zoom,
        )
        # The package counts from 0; the identifiers of matrices are the zooms of the grid.
        document = written.model_dump(exclude_none=True, mode="json")
        for matrix in document["tileMatrices"]:
            matrix["id"] = str(int(matrix["id"]) + self.first_zoom)
        named: morecantile.TileMatrixSet = morecantile.TileMatrixSet.model_validate(document)
        return named


WEB_MERCATOR = Grid(
    "WebMercatorQuad",
    Title("Web Mercator", "网络墨卡托"),
    TILE_SRID,
    -EARTH_HALF_M,
    EARTH_HALF_M,
    2 * EARTH_HALF_M,
    1,
    1,
)
WORLD_CRS84 = Grid(
    "WorldCRS84Quad",
    Title("Longitude and latitude, two tiles at zoom 0", "经纬度(WGS 84)"),
    4326,
    -180,
    90,
    180,
    2,
    1,
    max_zoom=23,
    mercator_zooms=1,
)
CGCS2000 = Grid(
    "CGCS2000Quad",
    Title("CGCS2000 longitude and latitude, as national map services count", "国家2000经纬度(c)"),
    STORAGE_SRID,
    -180,
    90,
    360,
    1,
    0.5,
    first_zoom=1,
)

GRIDS: Mapping[str, Grid] = {grid.name: grid for grid in (WEB_MERCATOR, WORLD_CRS84, CGCS2000)}
"""The grids by name; no layer can be named so."""


def get_grid(name: str) -> Grid:
    """The grid of a name.

    Raises:
        UnknownGrid: there is none.
    """
    grid = GRIDS.get(name)
    if grid is None:
        raise UnknownGrid(name, sorted(GRIDS))
    return grid

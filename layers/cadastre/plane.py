"""Shapes of parcels in the plane system of the city, and back without a change of any vertex."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import numpy as np
import shapely
from pyproj import Transformer
from shapely import Geometry, Point

from layers.base import STORAGE_SRID
from layers.city import FloatArray
from layers.errors import InvalidTransaction

_G = TypeVar("_G", bound=Geometry)
_LonLat = tuple[float, float]


@lru_cache(maxsize=4)
def _transformer(source: int, target: int) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


class Plane:
    """A plane system that remembers from which degrees each vertex came.

    A vertex that two parcels share has the same degrees in both, to the last bit. It must have them
    afterwards too, so those that only passed through the plane are looked up, not computed.
    """

    def __init__(self, srid: int) -> None:
        """Of the plane system with an EPSG code, in metres."""
        self._forth = _transformer(STORAGE_SRID, srid)
        self._back = _transformer(srid, STORAGE_SRID)
        self._degrees: dict[tuple[float, float], _LonLat] = {}

    def project(self, degrees: _G) -> _G:
        """A shape of CGCS2000 degrees (x longitude) in the plane (x east, y north, metres).

        Raises:
            InvalidTransaction: it lies where the plane system has no places.
        """

        def forth(lonlat: FloatArray) -> FloatArray:
            xy = np.column_stack(self._forth.transform(*lonlat.T))
            if not np.isfinite(xy).all():
                raise InvalidTransaction("lies outside of the plane system of the city")
            self._degrees.update(
                zip(map(tuple, xy.tolist()), map(tuple, lonlat.tolist()), strict=True)
            )
            return xy

        return shapely.transform(degrees, forth)

    def unproject(self, plane: _G) -> _G:
        """A shape of the plane in degrees; vertices that came from degrees get the same again."""

        def back(xy: FloatArray) -> FloatArray:
            return np.array([self.place(x, y) for x, y in xy.tolist()])

        return shapely.transform(plane, back)

    def place(self, x: float, y: float) -> _LonLat:
        """Longitude and latitude of a place of the plane."""
        if (x, y) not in self._degrees:
            lon, lat = self._back.transform(x, y)
            self._degrees[x, y] = lon, lat
        return self._degrees[x, y]

    def place_of(self, point: Point) -> _LonLat:
        """The same of a point."""
        return self.place(point.x, point.y)

    def is_known(self, x: float, y: float) -> bool:
        """Whether a place is a vertex that came from degrees, or was asked for before."""
        return (x, y) in self._degrees

    def area_m2(self, degrees: Geometry) -> float:
        """Area in the plane of a shape of degrees, its edges straight in the plane."""
        xy = shapely.transform(
            degrees, lambda lonlat: np.column_stack(self._forth.transform(*lonlat.T))
        )
        return float(shapely.area(xy))

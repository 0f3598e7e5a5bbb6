"""The frame of the city: where it lies, in which plane system it measures, what time it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from layers.extent import BBox
from layers.own_systems import OwnSystems

MARGIN = 0.05
"""Share of the extent's width and height by which data may lie outside it."""

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CityFrame:
    """Facts of a city that decide how its data are read.

    Attributes:
        extent: Box of the city, degrees, EPSG:4490.
        plane_srid: EPSG code of the plane system in which lengths and areas are computed.
        time_zone: IANA name; dates in files begin at midnight there.
        own_systems: Systems and datum parameters that only this installation knows.
    """

    name: str
    extent: BBox
    plane_srid: int
    time_zone: str
    own_systems: OwnSystems = field(default_factory=OwnSystems)

    @cached_property
    def reach(self) -> BBox:
        """The extent with a margin on each side: what may be data of the city."""
        extent = self.extent
        width = (extent.east - extent.west) % 360
        height = extent.north - extent.south
        return BBox(
            extent.west - MARGIN * width,
            extent.south - MARGIN * height,
            extent.east + MARGIN * width,
            extent.north + MARGIN * height,
        )

    def holds(self, lon_lat: FloatArray) -> BoolArray:
        """Whether each position lies in the reach of the city.

        Args:
            lon_lat: Degrees, shape (n, 2), longitude first; a non-finite position lies nowhere.

        Returns:
            Shape (n,).
        """
        reach = self.reach
        lon, lat = lon_lat[:, 0], lon_lat[:, 1]
        east_of_west, west_of_east = lon >= reach.west, lon <= reach.east
        across = reach.west > reach.east
        columns = (east_of_west | west_of_east) if across else (east_of_west & west_of_east)
        return np.asarray(columns & (lat >= reach.south) & (lat <= reach.north))

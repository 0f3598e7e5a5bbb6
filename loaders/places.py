"""Where rows lie, for findings: also of rows whose geometry cannot be loaded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from layers.city import CityFrame, FloatArray
from loaders.geometry import Form
from loaders.plain import Plain
from loaders.positions import Locator

Place = tuple[float, float]
"""Longitude and latitude, EPSG:4490, degrees."""


def places_of(
    located: Form, rows: npt.NDArray[np.intp], locator: Locator, city: CityFrame
) -> list[Place | None]:
    """A position on each of some rows; None where there is none in the reach of the city.

    Args:
        located: Geometries of a batch in the system of the file.
    """
    positions = _first_positions(located, rows)
    given = np.flatnonzero(np.isfinite(positions).all(axis=1))
    places: list[Place | None] = [None] * len(rows)
    if not len(given):
        return places
    lon_lat = locator.operation.apply(positions[given])
    for at, inside, (lon, lat) in zip(
        given.tolist(), city.holds(lon_lat).tolist(), lon_lat.tolist(), strict=True
    ):
        if inside:
            places[at] = (round(lon, 9), round(lat, 9))
    return places


def _first_positions(located: Form, rows: npt.NDArray[np.intp]) -> FloatArray:
    """Shape (rows, 2): a vertex of each; NaN where there is none.

    No inner point: an invalid polygon has none that could be relied on.
    """
    if isinstance(located, Plain):
        return located.inner_positions()[rows]
    positions = np.full((len(rows), 2), np.nan)
    coordinates, owner = shapely.get_coordinates(located[rows], return_index=True)
    owners, first = np.unique(owner, return_index=True)
    positions[owners] = coordinates[first]
    return positions

"""The ground along a line, from the terrain models that a caller may see."""

from __future__ import annotations

import math

from geoservice.raster_service import RasterService
from layers.access import Access
from layers.city import FloatArray
from layers.rasters import RasterKind
from layers.underground.ground import Ground
from tiles.query import TileTime
from tiles.raster.sampling import profile

MAX_SAMPLES = 200
_MAX_MODELS = 3


async def ground_along(
    service: RasterService, access: Access, lon_lat: FloatArray, length_m: float, time: TileTime
) -> Ground:
    """The ground of the finest terrain model that knows any of it; a sample a metre, at most 200.

    Args:
        lon_lat: Of the line, degrees, EPSG:4490, shape (n, 2).
        length_m: Of the line in the plane system, in which distances are told.

    Raises:
        NotYetSettled: what was believed of rasters at that instant may still change.
        ServiceBusy: too much is under way.
    """
    (west, south), (east, north) = lon_lat.min(axis=0), lon_lat.max(axis=0)
    models = [
        source
        for source in map(service.source, await service.held(access, time))
        if source.kind is RasterKind.TERRAIN
        and any(
            part.west <= east and west <= part.east and part.south <= north and south <= part.north
            for part in source.bounds.parts()
        )
    ]
    samples = min(MAX_SAMPLES, math.ceil(length_m) + 1)
    for model in sorted(models, key=lambda one: one.resolution_m)[:_MAX_MODELS]:
        found = await service.run(profile, model, lon_lat, band=1, samples=samples)
        if any(one.value is not None for one in found):
            # Along the ellipsoid and in the plane a line is not quite as long.
            scale = length_m / found[-1].distance_m
            distances = [one.distance_m * scale for one in found]
            return Ground(model.name, distances, [one.value for one in found])
    return Ground()

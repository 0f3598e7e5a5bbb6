"""Where a raster lies: its system, its bounds in EPSG:4490, the size of its pixels in metres."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pyproj import Geod

from layers.city import CityFrame, FloatArray
from layers.crs import SWAPPED, Operation, find_operation
from layers.crs_candidates import candidates
from layers.crs_texts import parse_crs
from layers.errors import UnknownCRS, UnreadableSource
from layers.extent import BBox
from loaders.rasters.process import Header
from loaders.rasters.sources import RasterSource

_NODES = 33
"""Of the grid of positions, to and fro, by which bounds are found."""

_NO_CRS = "does not say its coordinate reference system; name it with --crs"
_ELLIPSOID = Geod(ellps="GRS80")


@dataclass(frozen=True)
class Placement:
    """Where a raster lies.

    Attributes:
        header: With the ``crs`` (WKT) and the ``transform`` that hold, whoever said them.
        crs: Name of the system, such as ``EPSG:4547``; WKT where it has none.
        operation: How it gets to EPSG:4490.
        bounds: Degrees, EPSG:4490.
        resolution_m: Larger side of the pixel in the middle.
    """

    header: Header
    crs: str
    operation: Operation
    bounds: BBox
    resolution_m: float


def complete(header: Header, source: RasterSource, said: str | None) -> Header:
    """The header with what its user and the files beside it say of its place.

    Args:
        said: System that the user gave; wins over the others.

    Returns:
        With ``transform``, and with ``crs`` where anybody says it, as whoever says it writes it.

    Raises:
        UnreadableSource: nothing places its pixels.
    """
    crs = said or header.crs or source.prj
    return replace(header, transform=_transform(header, source), crs=crs)


def place(placed: Header, source: RasterSource, city: CityFrame) -> Placement:
    """Decide where a raster lies.

    Args:
        placed: As ``complete`` gives it.
        source: For messages.

    Raises:
        UnknownCRS: its system is missing, unknown, has no trustworthy way to CGCS2000, or does not
            put any part of it into the city.
    """
    grid = _positions(placed)
    if placed.crs is None:
        raise UnknownCRS(source.path, _NO_CRS, _candidates(grid, city, source))
    operation = _operation(placed.crs, city, source)
    lon_lat = operation.apply(grid)
    bounds = _bounds(lon_lat, source)
    if not _touches(bounds, city.reach):
        reason = f"no part of it lies in {city.name} when it is read as {operation.crs}"
        raise UnknownCRS(source.path, reason, _candidates(grid, city, source))
    system = parse_crs(placed.crs)
    authority = system.to_authority(min_confidence=70)
    return Placement(
        replace(placed, crs=system.to_wkt()),
        ":".join(authority) if authority else system.to_wkt(),
        operation,
        bounds,
        _resolution_m(placed, operation),
    )


def _transform(
    header: Header, source: RasterSource
) -> tuple[float, float, float, float, float, float]:
    transform = header.transform or source.transform
    if transform is None:
        what = "says nothing of where its pixels lie"
        if header.control_points:
            what = f"is placed by {header.control_points} control points only"
        elif header.has_rational_polynomials:
            what = "is placed by rational polynomials only"
        reason = f"{what}; rectify it first, which makes new pixels (gdalwarp does)"
        raise UnreadableSource(source.path, reason)
    a, b, _, d, e, _ = transform
    if not np.isfinite(transform).all() or a * e - b * d == 0:
        raise UnreadableSource(source.path, "has pixels without an extent")
    return transform


def _operation(name: str, city: CityFrame, source: RasterSource) -> Operation:
    if name.casefold().replace("-", "").startswith(("gcj02", "bd09")) or name.endswith(SWAPPED):
        reason = f"a raster cannot be loaded as {name[:20]}: that would move each pixel by itself"
        raise UnknownCRS(source.path, reason)
    operation = find_operation(name, city, source.path)
    own = city.own_systems
    if own.system_of(operation.crs) is not None or own.shift_of(parse_crs(name)) is not None:
        # Its file names no system from which readers of pixels would find the way.
        reason = (
            f"a raster cannot be loaded as {operation.crs}, whose parameters are known to this "
            "installation only; bring it to the plane system of the city first"
        )
        raise UnknownCRS(source.path, reason)
    return operation


def _positions(header: Header) -> FloatArray:
    """Corners of pixels from edge to edge, shape (n, 2), in the raster's system."""
    columns, rows = np.meshgrid(
        np.linspace(0, header.width, _NODES), np.linspace(0, header.height, _NODES)
    )
    return _located(header, columns.ravel(), rows.ravel())


def _located(header: Header, columns: FloatArray, rows: FloatArray) -> FloatArray:
    assert header.transform is not None  # noqa: S101  # for mypy: it has been placed
    a, b, c, d, e, f = header.transform
    return np.column_stack((a * columns + b * rows + c, d * columns + e * rows + f))


def _bounds(lon_lat: FloatArray, source: RasterSource) -> BBox:
    lon, lat = lon_lat[:, 0], lon_lat[:, 1]
    if not np.isfinite(lon_lat).all() or np.abs(lat).max() > 90:
        raise UnreadableSource(source.path, "reaches to where its coordinates mean nothing")
    if lon.min() < -180 or lon.max() > 180:
        lon = (lon + 180) % 360 - 180
    west, east = float(lon.min()), float(lon.max())
    ordered = np.sort(lon)
    gaps = np.diff(ordered)
    if east - west > 180 and gaps.max() > 90:
        # Both sides of the antimeridian, and nothing between: the box runs across it.
        widest = int(gaps.argmax())
        west, east = float(ordered[widest + 1]), float(ordered[widest])
    return BBox(west, float(lat.min()), east, float(lat.max()))


def _touches(bounds: BBox, reach: BBox) -> bool:
    return any(
        one.west <= other.east
        and other.west <= one.east
        and one.south <= other.north
        and other.south <= one.north
        for one in bounds.parts()
        for other in reach.parts()
    )


def _candidates(grid: FloatArray, city: CityFrame, source: RasterSource) -> tuple[str, ...]:
    """Systems that put most of it into the city, or its middle, for it may be larger than that."""
    middle = grid[len(grid) // 2][np.newaxis]
    found = candidates(grid, city, source.path) or candidates(middle, city, source.path)
    shifted = ("gcj02", "bd09")
    return tuple(one for one in found if not one.startswith(shifted) and SWAPPED not in one)


def _resolution_m(header: Header, operation: Operation) -> float:
    column, row = header.width // 2, header.height // 2
    corners = _located(
        header,
        np.array([column, column + 1, column], dtype=np.float64),
        np.array([row, row, row + 1], dtype=np.float64),
    )
    (lon, lat), beside, below = operation.apply(corners)
    return float(max(_ELLIPSOID.inv(lon, lat, *to)[2] for to in (beside, below)))

"""From any coordinate reference system to that of storage (EPSG:4490), or a clear refusal.

Positions are always x, y: easting or longitude first. CGCS2000 and WGS 84 are treated as one (they
differ by centimetres); between any other datum and these two PROJ must know an operation that is
good to ``MAX_ACCURACY_M``, else the operator has to supply parameters: PROJ alone would return a
"ballpark" shift of nothing, silently, which is off by some 100 m for Beijing 1954 and Xian 1980.
Heights are not touched.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from pyproj.transformer import AreaOfInterest, TransformerGroup

from layers.city import CityFrame, FloatArray
from layers.errors import UnknownCRS
from layers.gcj02 import wgs84_from_bd09, wgs84_from_gcj02

MAX_ACCURACY_M = 10.0
SWAPPED = "/yx"
"""Suffix of a system's name by which a user says that files give northing (latitude) first."""

_SAME_AS_STORAGE = re.compile(r"cgcs2000|china(geodeticcoordinatesystem)?2000|wgs(19)?84")
_OLD_CHINESE = re.compile(r"beijing|xian|hongkong1963", re.IGNORECASE)
_SAMPLE = 2000
_MAX_CANDIDATES = 8

Forward = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class Operation:
    """A way from one system to EPSG:4490.

    Attributes:
        crs: The system it starts from, such as ``EPSG:4547``, ``gcj02`` or ``EPSG:4547/yx``.
        description: What PROJ calls the operation.
        accuracy_m: How good it is known to be, metres; 0 for pure conversions.
        swapped: Whether positions come with northing or latitude first.
    """

    crs: str
    description: str
    accuracy_m: float
    swapped: bool
    forward: Forward | None

    def apply(self, positions: FloatArray) -> FloatArray:
        """Longitude and latitude in degrees, EPSG:4490.

        Args:
            positions: Shape (n, 2), in ``crs``.

        Returns:
            Shape (n, 2); infinite where a position lies outside what the operation can handle.
        """
        xy = positions[:, ::-1] if self.swapped else positions
        if self.forward is None:
            return xy
        return np.column_stack(
            self.forward(np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1]))
        )


def find_operation(crs: str, city: CityFrame, source: Path) -> Operation:
    """The operation that brings positions of a system to EPSG:4490.

    Args:
        crs: ``EPSG:n``, ``n``, ``gcj02``, ``bd09``, WKT or anything else PROJ reads; ``/yx`` after
            it says that northing or latitude comes first.
        source: File that the system was said of, for messages.

    Raises:
        UnknownCRS: there is no such system, or no operation of 10 m or better.
    """
    swapped = crs.endswith(SWAPPED)
    name = crs.removesuffix(SWAPPED).strip()
    operation = _chinese_offset(name) or _from_proj(name, city, source)
    if not swapped:
        return operation
    return Operation(
        operation.crs + SWAPPED,
        operation.description,
        operation.accuracy_m,
        swapped=True,
        forward=operation.forward,
    )


def _chinese_offset(name: str) -> Operation | None:
    """GCJ-02 and BD-09: offsets with a known inverse; services add noise of about a metre."""
    known: dict[str, Forward] = {"gcj02": wgs84_from_gcj02, "bd09": wgs84_from_bd09}
    key = name.casefold().replace("-", "")
    if key not in known:
        return None
    description = f"inverse of {key.upper()} by fixed-point iteration"
    return Operation(key, description, 1.0, swapped=False, forward=known[key])


def _from_proj(name: str, city: CityFrame, source: Path) -> Operation:
    crs = _horizontal(_parse(name, source))
    label = _label(crs)
    if _is_same_as_storage(crs):
        return _conversion(crs, label)
    return _transformation(crs, label, city, source)


def _parse(name: str, source: Path) -> CRS:
    try:
        return CRS.from_user_input(int(name) if name.isdecimal() else name)
    except CRSError as error:
        reason = f"{name[:80]!r} is not a coordinate reference system"
        raise UnknownCRS(source, reason) from error


def _horizontal(crs: CRS) -> CRS:
    """The two-dimensional system of a compound, bound or three-dimensional one."""
    if crs.is_bound and crs.source_crs is not None:
        return _horizontal(crs.source_crs)
    if crs.is_compound:
        return _horizontal(crs.sub_crs_list[0])
    return crs.to_2d() if len(crs.axis_info) == 3 and not crs.is_geocentric else crs


def _label(crs: CRS) -> str:
    authority = crs.to_authority(min_confidence=70)
    return ":".join(authority) if authority else crs.name


def _is_same_as_storage(crs: CRS) -> bool:
    names = [crs.datum.name if crs.datum else "", crs.geodetic_crs.name if crs.geodetic_crs else ""]
    plain = (re.sub(r"[^a-z0-9]", "", name.casefold()) for name in names)
    return any(_SAME_AS_STORAGE.search(name) for name in plain)


def _conversion(crs: CRS, label: str) -> Operation:
    """Out of the projection and no further: the datum is that of storage."""
    if crs.is_geographic:
        same = "none: CGCS2000 and WGS 84 are treated as one"
        return Operation(label, same, 0.0, swapped=False, forward=None)
    transformer = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    return _operation(label, transformer)


def _transformation(crs: CRS, label: str, city: CityFrame, source: Path) -> Operation:
    extent = city.extent
    area = AreaOfInterest(extent.west, extent.south, extent.east, extent.north)
    with warnings.catch_warnings():
        # A better operation may need a grid that is not installed; the accuracy of the one used is
        # checked below and reported.
        warnings.simplefilter("ignore")
        found = TransformerGroup(
            crs, "EPSG:4326", always_xy=True, allow_ballpark=False, area_of_interest=area
        ).transformers
    good = [t for t in found if 0 <= t.accuracy <= MAX_ACCURACY_M]
    if not good:
        raise UnknownCRS(source, _refusal(crs, label))
    return _operation(label, good[0])


def _refusal(crs: CRS, label: str) -> str:
    datum = crs.datum.name if crs.datum else crs.name
    reason = f"{label} ({crs.name}) cannot be brought to CGCS2000 within {MAX_ACCURACY_M:g} m"
    if _OLD_CHINESE.search(datum):
        return (
            f"{reason}: the parameters from {datum} belong to your survey office. Transform the "
            "file with them first and name the new system with --crs"
        )
    return f"{reason}: no operation from {datum} is known here"


def _operation(label: str, transformer: Transformer) -> Operation:
    def forward(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        lon, lat = transformer.transform(x, y, errcheck=False)
        return lon, lat

    accuracy = max(transformer.accuracy, 0.0)
    return Operation(label, transformer.description, accuracy, swapped=False, forward=forward)


def candidates(positions: FloatArray, city: CityFrame, source: Path) -> tuple[str, ...]:
    """Names of the systems in which most of some positions would lie in the city, likely first.

    Args:
        positions: Shape (n, 2), as the file gives them.

    Returns:
        Texts whose first word can be given as ``--crs``, such as ``EPSG:4547 (CGCS2000 / ...)``.
    """
    finite = positions[np.isfinite(positions).all(axis=1)][:_SAMPLE]
    if not len(finite):
        return ()
    found: list[str] = []
    for name in _likely_systems(city):
        for suffix in ("", SWAPPED):
            operation = find_operation(name + suffix, city, source)
            if share_inside(operation, finite, city) >= 0.5:
                found.append(f"{operation.crs} ({_title(name)})")
    return tuple(found[:_MAX_CANDIDATES])


def share_inside(operation: Operation, positions: FloatArray, city: CityFrame) -> float:
    """Share of positions, 0 to 1, that an operation puts into the reach of the city."""
    if not len(positions):
        return 0.0
    return float(city.holds(operation.apply(positions)).mean())


@cache
def _title(name: str) -> str:
    if name == "gcj02":
        return "offset of Chinese web maps; numbers alone cannot tell it from EPSG:4490"
    if name == "bd09":
        return "offset of Baidu maps; numbers alone cannot tell it from EPSG:4490"
    return CRS.from_user_input(name).name


def _likely_systems(city: CityFrame) -> Iterator[str]:
    seen: set[str] = set()
    for name in (
        *(f"EPSG:{code}" for code in (4490, city.plane_srid, *_zone_systems(city))),
        "gcj02",
        "bd09",
    ):
        if name not in seen:
            seen.add(name)
            yield name


def _zone_systems(city: CityFrame) -> Iterator[int]:
    """Web Mercator, the CGCS2000 Gauss-Kruger zones of the extent, and its UTM zones."""
    yield 3857
    west, east = city.extent.west, city.extent.east
    for zone in range(max(25, round(west / 3)), min(45, round(east / 3)) + 1):
        yield 4534 + zone - 25
        yield 4513 + zone - 25
    for zone in range(max(13, math.floor(west / 6) + 1), min(23, math.floor(east / 6) + 1) + 1):
        yield 4502 + zone - 13
        yield 4491 + zone - 13
    first_utm = 32700 if city.extent.north <= 0 else 32600
    for zone in range(math.floor((west + 180) / 6) + 1, math.floor((east + 180) / 6) + 2):
        yield first_utm + min(zone, 60)

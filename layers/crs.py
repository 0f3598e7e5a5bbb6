"""From any coordinate reference system to that of storage (EPSG:4490), or a clear refusal.

Positions are always x, y: easting or longitude first. CGCS2000 and WGS 84 are treated as one (they
differ by centimetres); between any other datum and these two PROJ must know an operation that is
good to ``MAX_ACCURACY_M``, else the operator has to supply parameters (``layers.own_systems``):
PROJ alone would return a "ballpark" shift of nothing, silently, which is off by some 100 m for
Beijing 1954 and Xian 1980. Heights are not touched.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pyproj import CRS, Transformer
from pyproj.transformer import AreaOfInterest, TransformerGroup

from layers.city import CityFrame, FloatArray
from layers.crs_texts import is_proj_string, parse_crs
from layers.errors import UnknownCRS
from layers.gcj02 import wgs84_from_bd09, wgs84_from_gcj02
from layers.own_systems import MAX_ACCURACY_M, DatumShift, Forward, OwnSystem

SWAPPED = "/yx"
"""Suffix of a system's name by which a user says that files give northing (latitude) first."""

_SAME_AS_STORAGE = re.compile(r"cgcs2000|china(geodeticcoordinatesystem)?2000|wgs(19)?84")
_OLD_CHINESE = re.compile(r"beijing|xian|hongkong1963", re.IGNORECASE)
_SEMI_MAJOR_M = 6378137.0
_INVERSE_FLATTENING = 298.2572221
_SAME_FLATTENING = 2e-6
"""Between those of CGCS2000 and WGS 84, which makes 0.1 mm."""


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


def other_order(operation: Operation) -> Operation:
    """The operation with its axes the other way round."""
    plain = operation.crs.removesuffix(SWAPPED)
    is_swapped = not operation.swapped
    return replace(operation, crs=plain + SWAPPED * is_swapped, swapped=is_swapped)


def find_operation(crs: str, city: CityFrame, source: Path) -> Operation:
    """The operation that brings positions of a system to EPSG:4490.

    Args:
        crs: ``EPSG:n``, ``n``, ``gcj02``, ``bd09``, the name of a system of the installation, WKT,
            or a PROJ string of ``layers.crs_texts``; ``/yx`` after it says that northing or
            latitude comes first.
        source: File that the system was said of, for messages.

    Raises:
        UnknownCRS: there is no such system, it is not one that may be named, or there is no
            operation of 10 m or better.
    """
    swapped = crs.endswith(SWAPPED)
    name = crs.removesuffix(SWAPPED).strip()
    own = city.own_systems.system_of(name)
    if own is not None:
        operation = _own(own, city, source)
    else:
        operation = _chinese_offset(name) or _stated(name, city, source)
    return other_order(operation) if swapped else operation


def _own(system: OwnSystem, city: CityFrame, source: Path) -> Operation:
    """The operation of a system of the installation, whose parameters are not shown."""
    crs = _horizontal(_parse(system.base, source))
    if system.datum is None:
        # Its own name stands in every message: the definition may be a secret.
        base = _from_crs(crs, system.name, city, source, is_string=is_proj_string(system.base))
    else:
        base = _shifted(crs, system.name, city.own_systems.shifts[system.datum], source)
    forward, shift = base.forward, system.shift

    def through_base(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        if shift is not None:
            x, y = shift.forward(x, y)
        return (x, y) if forward is None else forward(x, y)

    description = f"{system.title}: {system.kind} of this installation"
    accuracy = max(system.accuracy_m, base.accuracy_m)
    return Operation(system.name, description, accuracy, swapped=False, forward=through_base)


def _chinese_offset(name: str) -> Operation | None:
    """GCJ-02 and BD-09: offsets with a known inverse; services add noise of about a metre."""
    known: dict[str, Forward] = {"gcj02": wgs84_from_gcj02, "bd09": wgs84_from_bd09}
    key = name.casefold().replace("-", "")
    if key not in known:
        return None
    description = f"inverse of {key.upper()} by fixed-point iteration"
    return Operation(key, description, 1.0, swapped=False, forward=known[key])


def _stated(name: str, city: CityFrame, source: Path) -> Operation:
    crs = _horizontal(_parse(name, source))
    own = city.own_systems.system_of(_label(crs))
    if own is not None:
        return _own(own, city, source)
    is_string = is_proj_string(name)
    return _from_crs(crs, name if is_string else _label(crs), city, source, is_string=is_string)


def _from_crs(crs: CRS, label: str, city: CityFrame, source: Path, *, is_string: bool) -> Operation:
    """The operation from a system as PROJ knows it; ``is_string`` if a PROJ string defines it."""
    if _is_same_as_storage(crs) or (is_string and _has_ellipsoid_of_storage(crs)):
        return _conversion(crs, label)
    shift = city.own_systems.shift_of(crs)
    if shift is not None:
        return _shifted(crs, label, shift, source)
    return _transformation(crs, label, city, source)


def _parse(name: str, source: Path) -> CRS:
    try:
        return parse_crs(name)
    except ValueError as error:
        raise UnknownCRS(source, str(error)) from error


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


def _has_ellipsoid_of_storage(crs: CRS) -> bool:
    """Whether a system without a datum is on the ellipsoid of CGCS2000 or of WGS 84."""
    found = crs.ellipsoid
    is_unknown = crs.datum is not None and crs.datum.name.startswith("Unknown")
    return (
        is_unknown
        and found is not None
        and found.semi_major_metre == _SEMI_MAJOR_M
        and abs(found.inverse_flattening - _INVERSE_FLATTENING) < _SAME_FLATTENING
    )


def _conversion(crs: CRS, label: str) -> Operation:
    """Out of the projection and no further: the datum is that of storage."""
    if crs.is_geographic:
        same = "none: CGCS2000 and WGS 84 are treated as one"
        return Operation(label, same, 0.0, swapped=False, forward=None)
    return _operation(label, _unprojected(crs))


def _unprojected(crs: CRS) -> Transformer:
    return Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)


def _shifted(crs: CRS, label: str, shift: DatumShift, source: Path) -> Operation:
    """Out of the projection, and from the datum to CGCS2000 by parameters of the installation."""
    out = None if crs.is_geographic else _unprojected(crs)
    try:
        to_storage = shift.forward(crs)
    except ValueError as error:
        raise UnknownCRS(source, f"{label} ({crs.name}): {error}") from None

    def forward(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        if out is not None:
            x, y = out.transform(x, y, errcheck=False)
        return to_storage(x, y)

    description = f"{crs.name} to CGCS2000 by {shift.kind} of this installation"
    return Operation(label, description, shift.accuracy_m, swapped=False, forward=forward)


def approximately(crs: str) -> Operation:
    """Positions of a system as if its datum were CGCS2000: right to some 100 m.

    For telling where numbers lie; never for data.
    """
    return _conversion(CRS.from_user_input(crs), crs)


def _transformation(crs: CRS, label: str, city: CityFrame, source: Path) -> Operation:
    found = _transformers(crs, city)
    good = [t for t in found if 0 <= t.accuracy <= MAX_ACCURACY_M]
    if not good:
        raise UnknownCRS(source, _refusal(crs, label))
    return _operation(label, good[0])


def _transformers(crs: CRS, city: CityFrame) -> list[Transformer]:
    """The operations to longitude and latitude that are at hand, best first; no ballpark ones."""
    extent = city.extent
    area = AreaOfInterest(extent.west, extent.south, extent.east, extent.north)
    with warnings.catch_warnings():
        # A better operation may need a grid that is not installed; the accuracy of the one used is
        # checked by the caller and reported.
        warnings.simplefilter("ignore")
        try:
            group = TransformerGroup(
                crs, "EPSG:4326", always_xy=True, allow_ballpark=False, area_of_interest=area
            )
        except IndexError:
            # pyproj 3.7 stumbles while it writes a warning, where the best operation is missing
            # and it is no grid that it lacks.
            return []
    return list(group.transformers)


def _refusal(crs: CRS, label: str) -> str:
    datum = crs.datum.name if crs.datum else crs.name
    owner = "your survey office" if _OLD_CHINESE.search(datum) else "the owner of that datum"
    return (
        f"{label} ({crs.name}) cannot be brought to CGCS2000 within {MAX_ACCURACY_M:g} m without "
        f"the parameters from {datum}, which belong to {owner}. The operator must supply 3 or 7 "
        "parameters, a grid or a plane transformation in the systems file of the installation; or "
        "transform the file first and name the new system with --crs"
    )


def _operation(label: str, transformer: Transformer) -> Operation:
    def forward(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        lon, lat = transformer.transform(x, y, errcheck=False)
        return lon, lat

    accuracy = max(transformer.accuracy, 0.0)
    return Operation(label, transformer.description, accuracy, swapped=False, forward=forward)


def share_inside(operation: Operation, positions: FloatArray, city: CityFrame) -> float:
    """Share of positions, 0 to 1, that an operation puts into the reach of the city."""
    if not len(positions):
        return 0.0
    return float(city.holds(operation.apply(positions)).mean())

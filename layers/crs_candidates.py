"""Systems in which some numbers would lie in the city: told from the numbers alone.

Gauss-Krueger zones of CGCS2000, Xian 1980 and Beijing 1954 give nearly the same numbers, so the old
ones are named beside the new one, with what they need. A false easting with the number of the zone
before it (38 505 955) is a system of its own, and so is northing first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from pyproj import CRS

from layers.city import CityFrame, FloatArray
from layers.crs import (
    SWAPPED,
    Operation,
    approximately,
    find_operation,
    other_order,
    share_inside,
)

_SAMPLE = 2000
_MAX_CANDIDATES = 8
_SURELY = 0.99
_FIRST_THREE_DEGREE_ZONE, _LAST_THREE_DEGREE_ZONE = 25, 45
_FIRST_SIX_DEGREE_ZONE, _LAST_SIX_DEGREE_ZONE = 13, 23

# EPSG codes of the first zone: three degrees by central meridian and by zone, six degrees likewise.
_CGCS2000 = (4534, 4513, 4502, 4491)
_OLD = {"Xian 1980": (2370, 2349, 2338, 2327), "Beijing 1954": (2422, 2401, 21453, 21413)}


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
    found = [f"{name} ({title})" for name, title in _fitting(finite, city, source)]
    return tuple(found[:_MAX_CANDIDATES])


def _fitting(positions: FloatArray, city: CityFrame, source: Path) -> Iterator[tuple[str, str]]:
    """Names and titles of the systems that fit: those that can be used before those that cannot."""
    for name, title in _likely_systems(city):
        plain = find_operation(name, city, source)
        for operation in (plain, other_order(plain)):
            if share_inside(operation, positions, city) >= 0.5:
                yield operation.crs, title
    for name, datum in _old_systems(city):
        plain = approximately(name)
        for operation in (plain, other_order(plain)):
            if share_inside(operation, positions, city) >= 0.5:
                known = city.own_systems.shift_of(CRS.from_user_input(name)) is not None
                needs = "" if known else f", needs the parameters of {datum}"
                yield operation.crs, f"{_title(name)}{needs}"


def _likely_systems(city: CityFrame) -> Iterator[tuple[str, str]]:
    for system in city.own_systems.systems.values():
        yield system.name, f"{system.title}, of this installation"
    codes = (4490, city.plane_srid, 3857, *_zones(city, _CGCS2000), *_utm_zones(city))
    for code in dict.fromkeys(codes):
        yield f"EPSG:{code}", _title(f"EPSG:{code}")
    tell = "numbers alone cannot tell it from EPSG:4490"
    yield "gcj02", f"offset of Chinese web maps; {tell}"
    yield "bd09", f"offset of Baidu maps; {tell}"


def _old_systems(city: CityFrame) -> Iterator[tuple[str, str]]:
    for datum, firsts in _OLD.items():
        for code in _zones(city, firsts):
            yield f"EPSG:{code}", datum


@cache
def _title(name: str) -> str:
    return CRS.from_user_input(name).name


def _zones(city: CityFrame, firsts: tuple[int, int, int, int]) -> Iterator[int]:
    """Gauss-Krueger zones that touch the extent, with and without the zone before the easting."""
    west, east = city.extent.west, city.extent.east
    first, last = _FIRST_THREE_DEGREE_ZONE, _LAST_THREE_DEGREE_ZONE
    for zone in range(max(first, round(west / 3)), min(last, round(east / 3)) + 1):
        yield firsts[0] + zone - first
        yield firsts[1] + zone - first
    first, last = _FIRST_SIX_DEGREE_ZONE, _LAST_SIX_DEGREE_ZONE
    for zone in range(max(first, _zone_of(west)), min(last, _zone_of(east)) + 1):
        yield firsts[2] + zone - first
        yield firsts[3] + zone - first


def _zone_of(longitude: float) -> int:
    return math.floor(longitude / 6) + 1


def _utm_zones(city: CityFrame) -> Iterator[int]:
    west, east = city.extent.west, city.extent.east
    first = 32700 if city.extent.north <= 0 else 32600
    for zone in range(_zone_of(west + 180), _zone_of(east + 180) + 1):
        yield first + min(zone, 60)


def sibling(
    operation: Operation, positions: FloatArray, city: CityFrame, source: Path
) -> Operation | None:
    """The system that was meant, where another form of the one said is the only one that fits.

    Another form is the same projection with or without the number of the zone before the easting,
    or with the axes the other way round. None of the positions may lie in the city as it was said,
    and nearly all must in the other form: then the numbers leave no doubt.

    Args:
        positions: Shape (n, 2), as the file gives them.
    """
    finite = positions[np.isfinite(positions).all(axis=1)][:_SAMPLE]
    if not len(finite) or share_inside(operation, finite, city) > 0:
        return None
    others = [other_order(operation)]
    for name in _other_forms(operation.crs.removesuffix(SWAPPED)):
        form = find_operation(name, city, source)
        others += [form, other_order(form)]
    found = [other for other in others if share_inside(other, finite, city) >= _SURELY]
    return found[0] if len(found) == 1 else None


def _other_forms(name: str) -> tuple[str, ...]:
    """The code of the same zone with the number of the zone, or without."""
    _, _, code = name.rpartition("EPSG:")
    if not code.isdecimal():
        return ()
    number = int(code)
    for firsts in (_CGCS2000, *_OLD.values()):
        for count, (plain, prefixed) in ((21, firsts[:2]), (11, firsts[2:])):
            if plain <= number < plain + count:
                return (f"EPSG:{prefixed + number - plain}",)
            if prefixed <= number < prefixed + count:
                return (f"EPSG:{plain + number - prefixed}",)
    return ()

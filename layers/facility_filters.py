"""Which facilities a search is for: where, of what kind, and what they must have, as SQL.

Statements are made once for each shape of a question, with all values bound, in the way of either
driver.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import shapely

from layers.base import STORAGE_SRID, TILE_SRID
from layers.codes import FACILITY_KINDS
from layers.errors import InvalidParameter
from layers.extent import BBox
from layers.observations import STALE_FACTOR

MAX_VERTICES = 10_000
MAX_ROUTE_RADIUS_M = 5_000.0
_AXIS_M = 6_378_137.0
_LEAST_COSINE_LAT = 85.0

Bound = Callable[[str], str]
"""Makes of the name of a value what stands for it in a statement."""


def bound_for_psycopg(name: str) -> str:
    """A value as psycopg takes it."""
    return f"%({name})s"


def bound_for_sqlalchemy(name: str) -> str:
    """A value as ``sqlalchemy.text`` takes it."""
    return f":{name}"


@dataclass(frozen=True)
class Filters:
    """What a facility must be and have; None asks for nothing.

    Attributes:
        kinds: Any of these kinds; what is no kind itself, stands for those below it
            (``sports_hall`` is all halls).
        resource_type: It has this resource; the figures are of that one.
        fee: As the attribute has it.
        price_class: Of ``codes.PRICE_CLASSES``.
        text: Is found in its name or its address, whatever the case.
        min_available: A figure that is not expired says that at least so many are free.
    """

    kinds: tuple[str, ...] = ()
    resource_type: str | None = None
    accessible: bool | None = None
    fee: str | None = None
    price_class: str | None = None
    text: str | None = None
    min_available: int | None = None

    @property
    def shape(self) -> tuple[bool | int, ...]:
        """What of the filters makes another statement, not only other values."""
        return (
            min(len(self._all_kinds()), 2),
            self.resource_type is not None,
            self.accessible is not None,
            self.fee is not None,
            self.price_class is not None,
            self.text is not None,
            self.min_available is not None,
        )

    def _all_kinds(self) -> tuple[str, ...]:
        """The kinds asked for, those below them instead of what is none itself."""
        known = [code.code for code in FACILITY_KINDS.codes]
        found: dict[str, None] = {}
        for one in self.kinds:
            below = [] if one in known else [k for k in known if k.startswith(f"{one}.")]
            found |= dict.fromkeys(below or [one])
        return tuple(found)

    def conditions(self, bound: Bound, alias: str) -> list[str]:
        """Conditions on a version of a facility by its alias: all but those on the figure."""
        kinds = self._all_kinds()
        found = []
        if len(kinds) == 1:
            found.append(f"{alias}.kind = {bound('kind')}")
        elif kinds:
            found.append(f"{alias}.kind = ANY (CAST({bound('kinds')} AS text[]))")
        if self.accessible is not None:
            found.append(f"{alias}.accessible IS NOT DISTINCT FROM {bound('accessible')}")
        if self.fee is not None:
            found.append(f"{alias}.fee = {bound('fee')}")
        if self.price_class is not None:
            found.append(f"{alias}.price_class = {bound('price_class')}")
        if self.text is not None:
            pattern = bound("text")
            found.append(f"({alias}.name ILIKE {pattern} OR {alias}.address ILIKE {pattern})")
        return found

    def parameters(self) -> dict[str, Any]:
        """The values of ``conditions``."""
        kinds = self._all_kinds()
        found: dict[str, Any] = {}
        if len(kinds) == 1:
            found["kind"] = kinds[0]
        elif kinds:
            found["kinds"] = list(kinds)
        for name in ("resource_type", "accessible", "fee", "price_class", "min_available"):
            value = getattr(self, name)
            if value is not None:
                found[name] = value
        if self.text is not None:
            found["text"] = f"%{_escaped(self.text)}%"
        return found


def enough_free(bound: Bound, figure: str) -> str:
    """The condition on a figure that is not expired.

    Args:
        figure: What stands before the names of its columns (``layers.views.LIVE_COLUMNS``).
    """
    return (
        f"{figure}available >= {bound('min_available')} AND {figure}observed_at >= "
        f"CAST({bound('at')} AS timestamptz) - {figure}ttl_s * interval '{STALE_FACTOR} seconds'"
    )


def _escaped(text: str) -> str:
    """Text for LIKE, every character of which means itself."""
    for character in "\\%_":
        text = text.replace(character, f"\\{character}")
    return text


@dataclass(frozen=True)
class InBox:
    """What lies in a window of a map."""

    box: BBox

    def condition(self, bound: Bound, alias: str) -> str:
        """SQL of whether a version lies in it, by its alias."""
        parts = [
            f"{alias}.geom_3857 @ ST_MakeEnvelope({bound(f'west{n}')}, {bound(f'south{n}')}, "
            f"{bound(f'east{n}')}, {bound(f'north{n}')}, {TILE_SRID})"
            for n in range(len(self.box.parts()))
        ]
        return f"({' OR '.join(parts)})"

    def parameters(self) -> dict[str, Any]:
        """Its values, in Web Mercator."""
        found: dict[str, Any] = {}
        for number, part in enumerate(self.box.parts()):
            found[f"west{number}"], found[f"south{number}"] = mercator(part.west, part.south)
            found[f"east{number}"], found[f"north{number}"] = mercator(part.east, part.north)
        return found


@dataclass(frozen=True)
class InPolygon:
    """What lies in an area or on its edge.

    Attributes:
        wkt: Polygon or multipolygon in longitude and latitude.
    """

    wkt: str

    def condition(self, bound: Bound, alias: str) -> str:
        """SQL of whether a version lies in it, by its alias."""
        area = f"ST_GeomFromText({bound('area')}, {STORAGE_SRID})"
        box = f"(SELECT ST_Envelope(ST_Transform({area}, {TILE_SRID})))"
        return f"({alias}.geom_3857 && {box} AND ST_Intersects({alias}.geom, (SELECT {area})))"

    def parameters(self) -> dict[str, Any]:
        """Its value."""
        return {"area": self.wkt}

    @classmethod
    def parse(cls, text: str, name: str) -> InPolygon:
        """Read an area.

        Raises:
            InvalidParameter: it is no valid polygon, or has too many vertices.
        """
        shape = _shape(text, name, ("Polygon", "MultiPolygon"))
        if not shapely.is_valid(shape):
            raise InvalidParameter(name, text[:80], "crosses itself")
        return cls(_wkt(shape))


@dataclass(frozen=True)
class InDistrict:
    """What lies in a district or one of its streets, by the code that publication gave it."""

    code: str

    def condition(self, bound: Bound, alias: str) -> str:
        """SQL of whether a version lies in it, by its alias."""
        code = bound("district")
        box = (
            f"(SELECT ST_Envelope(ST_Collect(d.geom_3857)) FROM districts d WHERE d.code = {code})"
        )
        return f"({alias}.geom_3857 && {box} AND starts_with({alias}.admin_code, {code}))"

    def parameters(self) -> dict[str, Any]:
        """Its value."""
        return {"district": self.code}

    @classmethod
    def parse(cls, text: str, name: str) -> InDistrict:
        """Read the code of a district.

        Raises:
            InvalidParameter: it is no number of 2 to 12 digits.
        """
        if not (text.isascii() and text.isdecimal() and 2 <= len(text) <= 12):
            raise InvalidParameter(name, text[:80], "is a code of 2 to 12 digits, such as 440305")
        return cls(text)


@dataclass(frozen=True)
class AlongRoute:
    """What lies within metres (geodesic) of a line, in its order.

    Attributes:
        wkt: Line in longitude and latitude.
    """

    wkt: str
    radius_m: float

    def condition(self, bound: Bound, alias: str) -> str:
        """SQL of whether a version lies along it, by its alias."""
        line = self._line(bound)
        mercator_line = f"ST_Transform({line}, {TILE_SRID})"
        box = f"(SELECT ST_Expand(ST_Envelope({mercator_line}), {bound('route_reach')}))"
        near = f"ST_DWithin(CAST({alias}.geom AS geography), (SELECT CAST({line} AS geography)), "
        return f"({alias}.geom_3857 && {box} AND {near}{bound('route_m')}))"

    def order(self, bound: Bound, alias: str) -> str:
        """SQL of how far along it a version lies, 0 to 1, by its alias."""
        return f"ST_LineLocatePoint((SELECT {self._line(bound)}), ST_Force2D({alias}.geom))"

    def parameters(self) -> dict[str, Any]:
        """Its values."""
        # Nowhere on the line is a metre longer in Web Mercator than at its highest latitude.
        _, south, _, north = shapely.from_wkt(self.wkt).bounds
        highest = min(_LEAST_COSINE_LAT, max(abs(south), abs(north)) + 1)
        reach = self.radius_m / math.cos(math.radians(highest)) * 1.01
        return {"route": self.wkt, "route_m": self.radius_m, "route_reach": reach}

    @staticmethod
    def _line(bound: Bound) -> str:
        return f"ST_GeomFromText({bound('route')}, {STORAGE_SRID})"

    @classmethod
    def parse(cls, text: str, radius_m: float, name: str) -> AlongRoute:
        """Read a line.

        Raises:
            InvalidParameter: it is none, has too many vertices, or the radius is too large.
        """
        if radius_m > MAX_ROUTE_RADIUS_M:
            reason = f"is at most {MAX_ROUTE_RADIUS_M:g} along a route"
            raise InvalidParameter("radius_m", str(radius_m), reason)
        shape = _shape(text, name, ("LineString",))
        if not shapely.length(shape):
            raise InvalidParameter(name, text[:80], "has no length")
        return cls(_wkt(shape), radius_m)


Area = InBox | InPolygon | InDistrict | AlongRoute


def mercator(lon: float, lat: float) -> tuple[float, float]:
    """Web Mercator of a place in degrees, metres; latitudes beyond its square are its edge."""
    lat = max(-85.06, min(85.06, lat))
    x = _AXIS_M * math.radians(lon)
    return x, _AXIS_M * math.asinh(math.tan(math.radians(lat)))


def _wkt(shape: shapely.Geometry) -> str:
    return str(shapely.to_wkt(shape, rounding_precision=15, trim=True))


def _shape(text: str, name: str, kinds: tuple[str, ...]) -> shapely.Geometry:
    try:
        shape = shapely.from_wkt(text)
    except shapely.errors.GEOSException:
        shape = None
    if shape is None or shape.geom_type not in kinds or shape.is_empty or shape.has_z:
        reason = f"needs WKT of a {' or '.join(kinds)} in longitude and latitude"
        raise InvalidParameter(name, text[:80], reason)
    if shapely.get_num_coordinates(shape) > MAX_VERTICES:
        raise InvalidParameter(name, text[:80], f"has more than {MAX_VERTICES} vertices")
    west, south, east, north = shape.bounds
    if not (west >= -180 and east <= 180 and south >= -85 and north <= 85):
        raise InvalidParameter(name, text[:80], "lies beyond longitude 180 or latitude 85")
    return shape

"""Names and definitions of coordinate reference systems, as users and files write them.

PROJ reads much: its strings may name files of grids, initialisation files and whole pipelines of
steps. Of strings a closed list of projections and parameters is taken; of other texts none that
names a file. Nothing here opens one.
"""

from __future__ import annotations

import re

from pyproj import CRS
from pyproj.exceptions import CRSError

MAX_CHARS = 20_000

_PROJECTIONS = frozenset(
    (
        *("longlat", "latlong", "lonlat", "latlon", "tmerc", "etmerc", "utm", "merc", "webmerc"),
        *("lcc", "cass", "poly", "omerc", "somerc", "stere", "sterea", "krovak", "laea", "aea"),
    )
)
_NUMBERS = frozenset(
    (
        *("lat_0", "lat_1", "lat_2", "lat_ts", "lon_0", "lonc", "alpha", "gamma", "k", "k_0"),
        *("x_0", "y_0", "zone", "a", "b", "rf", "f", "to_meter"),
    )
)
_WORDS = {
    "proj": _PROJECTIONS,
    "ellps": frozenset(("GRS80", "WGS84", "krass", "IAU76", "intl", "bessel", "clrk66", "clrk80")),
    "datum": frozenset(("WGS84",)),
    "units": frozenset(("m", "km", "ft", "us-ft")),
    "type": frozenset(("crs",)),
}
_FLAGS = frozenset(("south", "no_defs", "no_uoff"))
_NUMBER = re.compile(r"[+-]?\d{1,12}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,2})?")
_IS_STRING = re.compile(r"(?:^|\s)\+?(?:proj|init)=", re.IGNORECASE)
_NAMES_A_GRID = re.compile(r"grids\s*=\s*(?!@null\b)|proj\s*=\s*pipeline", re.IGNORECASE)
"""Inside WKT too, which may carry a PROJ string; ``@null`` stands in that of Web Mercator."""


class UnsafeDefinition(ValueError):
    """A definition names a file, or holds what is not on the list; ``str()`` says what."""


def parse_crs(text: str) -> CRS:
    """The system that a text names or defines.

    Args:
        text: ``EPSG:n`` or another authority's code, ``n``, a name, WKT, PROJJSON, or a PROJ string
            of the projections and parameters on the list.

    Raises:
        UnsafeDefinition: it is a PROJ string with anything else, or names a file.
        ValueError: there is no such system.
    """
    if len(text) > MAX_CHARS:
        message = "the definition is too long"
        raise UnsafeDefinition(message)
    if _IS_STRING.search(text):
        text = _checked_string(text)
    elif _NAMES_A_GRID.search(text):
        message = "a definition may not name files, grids or pipelines"
        raise UnsafeDefinition(message)
    try:
        return CRS.from_user_input(int(text) if text.isdecimal() else text)
    except (CRSError, ValueError) as error:
        message = f"{text[:80]!r} is not a coordinate reference system"
        raise ValueError(message) from error


def is_proj_string(text: str) -> bool:
    """Whether a text is a PROJ string."""
    return _IS_STRING.search(text) is not None


def _checked_string(text: str) -> str:
    """A PROJ string made anew from its parameters, each of which is on the list.

    Raises:
        UnsafeDefinition: one is not.
    """
    parts: dict[str, str] = {}
    for word in text.split():
        name, _, value = word.removeprefix("+").partition("=")
        if name in parts or not _is_allowed(name, value):
            message = f"{word[:40]!r} may not stand in a PROJ string here"
            raise UnsafeDefinition(message)
        parts[name] = value
    parts["type"] = "crs"
    return " ".join(f"+{name}={value}" if value else f"+{name}" for name, value in parts.items())


def _is_allowed(name: str, value: str) -> bool:
    if name in _NUMBERS:
        return _NUMBER.fullmatch(value) is not None
    if name in _FLAGS:
        return value == ""
    return value in _WORDS.get(name, frozenset())

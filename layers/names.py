"""Names of layers and of attributes that people give: which ones may become SQL identifiers.

A name is a word of addresses, of views and of properties, so it is plain ASCII in lower case, and
none that already means something there. Nothing else of a file or of a person becomes an identifier
(tables and columns of themes bear numbers).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS

from layers.errors import InvalidParameter
from layers.registry import LAYERS
from layers.tables import VERSION_COLUMNS

MAX_NAME_CHARS = 41

_PLAIN = re.compile(r"[a-z][a-z0-9_]*")

_LAYER_WORDS = frozenset(
    (
        # of the command line
        *("theme", "themes", "raster", "rasters", "survey", "model", "models", "network"),
        # of addresses
        *("webmercatorquad", "worldcrs84quad", "cgcs2000quad", "all", "none"),
        # of layers of the city that are to come
        *("buildings", "plan_zones", "addresses", "grid_cells"),
        # of views that readers have besides layers, and of PostGIS
        *("series", "observations", "facility_status", "overviews", "rasters", "figures"),
        *("spatial_ref_sys", "geometry_columns", "geography_columns"),
    )
)

_ATTRIBUTE_WORDS = frozenset(
    (
        *VERSION_COLUMNS,
        *("valid_during", "recorded_during", "geom", "geom_3857", "row_number", "valid_from"),
        *("tile_zoom", "tile_rank", "reference_x", "reference_y"),
        # of answers and of statements
        *("began", "ended", "recorded", "geometry", "tile", "versions", "x", "y", "z"),
        # of requests
        *("bbox", "datetime", "as_recorded", "cursor", "crs", "filter", "properties", "sortby"),
        # of PostgreSQL
        *("ctid", "oid", "tableoid", "xmin", "xmax", "cmin", "cmax"),
    )
)


def check_layer_name(name: str) -> None:
    """Let a name of a theme through, or say why it cannot be one.

    Raises:
        InvalidParameter: it is not plain, too long, or means something else already.
    """
    reason = _why_not_plain(name)
    if reason is None and name in {layer.name for layer in LAYERS}:
        reason = "is a layer of the city already; choose another name"
    if reason is None and (name in _LAYER_WORDS or name.startswith(("pg_", "facilities_live"))):
        reason = "means something else here; choose another name"
    if reason is None and name.endswith("_past"):
        reason = "ends in _past, as the earlier versions of another layer would"
    if reason is None and name.endswith(("_overview", "_cells")):
        reason = "ends in a word by which the overview of another layer would be called"
    if reason is not None:
        raise InvalidParameter("name", name, f"{name!r} {reason}")


def check_attribute_name(name: str) -> None:
    """Let a name of an attribute through, or say why it cannot be one.

    Raises:
        InvalidParameter: it is not plain, too long, or means something else already.
    """
    reason = _why_not_plain(name)
    if reason is None and name in _ATTRIBUTE_WORDS:
        reason = "means something else in features and requests; choose another name"
    if reason is not None:
        raise InvalidParameter("attribute", name, f"{name!r} {reason}")


def check_plain(name: str) -> None:
    """Let through what may be an identifier, whatever else it means.

    Raises:
        InvalidParameter: it may not.
    """
    reason = _why_not_plain(name)
    if reason is not None:
        raise InvalidParameter("name", name, f"{name!r} {reason}")


def _why_not_plain(name: str) -> str | None:
    if not _PLAIN.fullmatch(name):
        return "is not made of a-z, 0-9 and _ with a letter first"
    if len(name) > MAX_NAME_CHARS:
        return f"has more than {MAX_NAME_CHARS} characters"
    if name in RESERVED_WORDS:
        return "is a word of SQL; choose another name"
    return None


def attribute_name(column: str, taken: Collection[str], otherwise: str) -> str:
    """A free name for the attribute of a file's column, as near to the column's as can be.

    Args:
        column: As the file calls it, in any script.
        taken: Names that other attributes have.
        otherwise: The name where nothing of the column's is ASCII.
    """
    plain = unicodedata.normalize("NFKC", column).casefold()
    has_other_letters = any(c.isalpha() and not c.isascii() for c in plain)
    word = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if has_other_letters or not word:
        word = otherwise
    if not word[0].isalpha():
        word = f"a_{word}"
    word = word[: MAX_NAME_CHARS - len("_999")].rstrip("_")
    candidates = (word, *(f"{word}_{number}" for number in range(2, 1_000)))
    return next(name for name in candidates if name not in taken and _may_be_attribute(name))


def _may_be_attribute(name: str) -> bool:
    return _why_not_plain(name) is None and name not in _ATTRIBUTE_WORDS

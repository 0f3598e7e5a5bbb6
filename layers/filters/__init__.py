"""What features a reader asks for: CQL2 filters and lists of properties, checked and bound.

Nothing that a reader wrote is ever evaluated: a filter is parsed, walked with closed lists of
operators and of the properties that the level may read, and comes out as expressions of SQLAlchemy
whose values are bound.
"""

from layers.filters.filter import Filter, parse_filter
from layers.filters.parsing import FilterLanguage
from layers.filters.queryables import (
    GEOMETRY_NAME,
    Queryable,
    ValueKind,
    parse_properties,
    queryables,
)

__all__ = [
    "GEOMETRY_NAME",
    "Filter",
    "FilterLanguage",
    "Queryable",
    "ValueKind",
    "parse_filter",
    "parse_properties",
    "queryables",
]

"""What narrows an answer: filters in CQL2 and lists of properties (OGC API Features Part 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Query

from layers.access import Clearance
from layers.base import Layer
from layers.errors import InvalidParameter
from layers.filters import Filter, FilterLanguage, parse_filter, parse_properties

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


@dataclass(frozen=True)
class Narrowing:
    """A filter and a list of properties as they were asked for; they mean something for a layer.

    Attributes:
        filter_text: None where nothing is filtered.
        properties_text: None where the usual ones are wanted.
    """

    filter_text: str | None = None
    language: FilterLanguage = FilterLanguage.TEXT
    properties_text: str | None = None

    def filter_of(self, layer: Layer, level: Clearance) -> Filter | None:
        """The filter for one layer.

        Raises:
            InvalidParameter: it cannot be used for the layer.
        """
        if self.filter_text is None:
            return None
        return parse_filter(self.filter_text, layer, level, self.language)

    def properties_of(
        self, layers: Sequence[Layer], level: Clearance
    ) -> tuple[tuple[str, ...] | None, ...]:
        """The properties of each layer; None where the usual ones are wanted.

        Raises:
            InvalidParameter: one is in none of the layers.
        """
        if self.properties_text is None:
            return (None,) * len(layers)
        return parse_properties(self.properties_text, layers, level)


async def get_narrowing(
    filter_: Annotated[
        str | None, Query(alias="filter", description="CQL2 condition on properties and geometry")
    ] = None,
    filter_lang: Annotated[
        # Written out, so that the description of the API says it where clients look.
        Literal["cql2-text", "cql2-json"],
        Query(alias="filter-lang", description="How the filter is written"),
    ] = "cql2-text",
    filter_crs: Annotated[
        str | None, Query(alias="filter-crs", description="Of geometries in the filter: CRS84")
    ] = None,
    properties: Annotated[
        str | None, Query(description="Names of the properties wanted, joined by commas")
    ] = None,
) -> Narrowing:
    """The filter and the properties asked for."""
    if filter_crs not in (None, CRS84):
        raise InvalidParameter("filter-crs", filter_crs, f"is {CRS84}")
    return Narrowing(filter_, FilterLanguage(filter_lang), properties)


RequestedNarrowing = Annotated[Narrowing, Depends(get_narrowing)]

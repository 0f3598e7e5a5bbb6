"""What requests of tiles ask for: layers by name, instants, a filter, properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends

from geoservice.api.narrowing import Narrowing, RequestedNarrowing
from geoservice.api.parameters import (
    CallerAccess,
    RequestedAsRecorded,
    RequestedInstant,
    ServiceSettings,
)
from layers.access import Clearance
from layers.base import Layer
from layers.errors import InvalidParameter
from layers.registry import get_layer
from tiles.query import TileQuery, TileTime

NO_NARROWING = Narrowing()


@dataclass(frozen=True)
class AskedTiles:
    """What tiles are to hold, wherever they are.

    Attributes:
        queries: One for each layer, in order.
        is_now: Whether the present is asked for, whenever that is.
    """

    queries: tuple[TileQuery, ...]
    is_now: bool


def named_layers(names: str, level: Clearance, most: int) -> tuple[Layer, ...]:
    """The layers of a comma-separated list, in its order.

    Raises:
        UnknownLayer: one does not exist for the level.
        InvalidParameter: there are too many, or one is named twice.
    """
    parts = names.split(",")
    if len(parts) > most:
        raise InvalidParameter("layers", names, f"at most {most} layers at once")
    if len(set(parts)) < len(parts):
        raise InvalidParameter("layers", names, "names a layer twice")
    return tuple(get_layer(part, level) for part in parts)


def asked_tiles(
    layers: Sequence[Layer],
    level: Clearance,
    at: datetime | None = None,
    as_recorded: datetime | None = None,
    narrowing: Narrowing = NO_NARROWING,
) -> AskedTiles:
    """What tiles are to hold of each layer; without an instant, what holds now.

    Raises:
        InvalidParameter: the filter cannot be used for one of the layers, or a property is in none.
    """
    time = TileTime(at or datetime.now(UTC), as_recorded)
    names = narrowing.properties_of(layers, level)
    queries = tuple(
        TileQuery(layer, level, time, narrowing.filter_of(layer, level), properties)
        for layer, properties in zip(layers, names, strict=True)
    )
    return AskedTiles(queries, is_now=at is None)


async def get_tiles(  # one for each thing that a tile may be asked for
    layers: str,
    settings: ServiceSettings,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    narrowing: RequestedNarrowing,
) -> AskedTiles:
    """What the request asks for, of layers that the path names joined by commas."""
    wanted = named_layers(layers, access.level, settings.tiles.max_layers)
    return asked_tiles(wanted, access.level, at, as_recorded, narrowing)


async def get_tiles_of_layer(
    layer: str,
    access: CallerAccess,
    at: RequestedInstant,
    as_recorded: RequestedAsRecorded,
    narrowing: RequestedNarrowing,
) -> AskedTiles:
    """What the request asks for, of the one layer that the path names."""
    wanted = [get_layer(layer, access.level)]
    return asked_tiles(wanted, access.level, at, as_recorded, narrowing)


RequestedTiles = Annotated[AskedTiles, Depends(get_tiles)]
RequestedTilesOfLayer = Annotated[AskedTiles, Depends(get_tiles_of_layer)]

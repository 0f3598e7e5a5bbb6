"""Which tiles are wanted, in words that travel to other processes, and what they mean there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from layers.access import Clearance
from layers.base import Layer
from layers.errors import InvalidParameter
from layers.extent import BBox
from layers.filters import Filter, FilterLanguage, parse_filter, parse_properties
from layers.registry import get_layer
from tiles.grids import get_grid
from tiles.query import TileQuery, TileTime
from tiles.walk import TileRange


@dataclass(frozen=True)
class TilesRequest:
    """Tiles of some layers over an area and some zooms, as a level sees them at an instant.

    Attributes:
        layers: Names, in the order in which tiles hold them.
        at: Aware instant of valid time.
        as_recorded: Aware instant of recorded time; None is what is believed now.
        filter_text: CQL2 text that features meet; None is all.
        properties_text: Names of the properties to ship, joined by commas; None ships those that
            the style needs.
        bbox: Degrees.
        minzoom: First zoom; None is the first of the layers.
        maxzoom: Last zoom; None is the last of the layers.
    """

    layers: tuple[str, ...]
    level: Clearance
    bbox: BBox
    at: datetime
    as_recorded: datetime | None = None
    grid: str = "WebMercatorQuad"
    minzoom: int | None = None
    maxzoom: int | None = None
    filter_text: str | None = None
    properties_text: str | None = None

    def found_layers(self) -> tuple[Layer, ...]:
        """The layers by their names; themes must be known.

        Raises:
            UnknownLayer: one does not exist at the level.
        """
        return tuple(get_layer(name, self.level) for name in self.layers)

    def queries(self) -> tuple[TileQuery, ...]:
        """What a tile holds, layer by layer.

        Raises:
            UnknownLayer: one does not exist at the level.
            InvalidParameter: the filter or the properties cannot be used.
        """
        layers = self.found_layers()
        names: tuple[tuple[str, ...] | None, ...] = (None,) * len(layers)
        if self.properties_text is not None:
            names = parse_properties(self.properties_text, layers, self.level)
        time = TileTime(self.at, self.as_recorded)
        return tuple(
            TileQuery(layer, self.level, time, self._filter(layer), properties)
            for layer, properties in zip(layers, names, strict=True)
        )

    def _filter(self, layer: Layer) -> Filter | None:
        if self.filter_text is None:
            return None
        return parse_filter(self.filter_text, layer, self.level, FilterLanguage.TEXT)

    def tile_range(self) -> TileRange:
        """The tiles wanted, whether they hold anything or not.

        Raises:
            UnknownGrid: there is no such grid.
            InvalidParameter: the zooms are none of the grid, or the last lies before the first.
        """
        grid, layers = get_grid(self.grid), self.found_layers()
        first = min(layer.minzoom for layer in layers) if self.minzoom is None else self.minzoom
        last = max(layer.maxzoom for layer in layers) if self.maxzoom is None else self.maxzoom
        first = max(first, grid.first_zoom) if self.minzoom is None else first
        if not grid.first_zoom <= first <= last <= grid.max_zoom:
            reason = f"needs {grid.first_zoom} <= first <= last <= {grid.max_zoom}"
            raise InvalidParameter("zooms", f"{first}-{last}", reason)
        return TileRange(grid, self.bbox, first, last)

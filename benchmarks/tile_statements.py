"""The statement of a tile as the service runs it, for whoever measures the database alone."""

from __future__ import annotations

from datetime import UTC, datetime

from layers.access import Clearance
from layers.base import Layer
from tiles.grids import WEB_MERCATOR
from tiles.query import TileQuery, TileTime
from tiles.vector import TileOptions, tile_statement


def current_tile_statement(layer: Layer, level: Clearance) -> str:
    """The statement of a Web Mercator tile at ``at``, with ``z``, ``x`` and ``y``."""
    query = TileQuery(layer, level, TileTime(datetime.now(UTC)))
    return tile_statement(query, WEB_MERCATOR, TileOptions()).text

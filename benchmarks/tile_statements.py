"""The statements of tiles as the service runs them, for whoever measures the database alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from psycopg import AsyncConnection, AsyncCursor

from layers.access import Clearance
from layers.base import Layer
from tiles.grids import WEB_MERCATOR
from tiles.matrix import TileAddress
from tiles.query import TileQuery, TileTime
from tiles.vector import TileOptions, render_layer, tile_statement

Parameters = Mapping[str, Any]


def current_tile_statement(layer: Layer, level: Clearance) -> str:
    """The statement of a Web Mercator tile at ``at``, with ``z``, ``x`` and ``y``."""
    query = TileQuery(layer, level, TileTime(datetime.now(UTC)))
    return tile_statement(query, WEB_MERCATOR, TileOptions()).text


async def statements_of_tiles(
    url: str, layer: Layer, level: Clearance, tiles: Sequence[TileAddress]
) -> dict[str, list[Parameters]]:
    """What the service asks the database for tiles of the present, by the statement's text.

    A tile takes one statement, or several: its labels, or another one if it came out too large.

    Args:
        url: For libpq, of the reader role of the level.
    """
    query = TileQuery(layer, level, TileTime(datetime.now(UTC)))
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        heard = _Heard(connection)
        reader = cast("AsyncConnection[Any]", heard)
        # The first asks for the base zoom too, which the service does once.
        await render_layer(reader, query, tiles[0], TileOptions())
        heard.statements.clear()
        for tile in tiles:
            await render_layer(reader, query, tile, TileOptions())
    return heard.statements


class _Heard:
    """A connection that remembers what is asked of it."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self.statements: defaultdict[str, list[Parameters]] = defaultdict(list)

    async def execute(
        self, statement: str | bytes, parameters: Parameters | None = None, **said: bool
    ) -> AsyncCursor[Any]:
        """What the connection answers."""
        text = statement if isinstance(statement, str) else statement.decode()
        self.statements[text].append(parameters or {})
        return await self._connection.execute(text.encode(), parameters, **said)

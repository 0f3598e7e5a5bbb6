"""Vector tiles as the service gives them: rendered with the connections of the caller's level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from geoservice.api.parameters import refuse_unsettled_belief
from geoservice.db import Database
from layers.access import Access
from tiles.matrix import TileAddress
from tiles.query import TileQuery
from tiles.vector import TileOptions, render_tile


@dataclass(frozen=True)
class RenderedTile:
    """One tile.

    Attributes:
        content: The encoded tile, empty when there is nothing in it.
        left_out: How many features are not shown, over all layers.
    """

    content: bytes
    left_out: int


class TileService:
    """Renders tiles for one worker."""

    def __init__(self, database: Database, options: TileOptions) -> None:
        self._database = database
        self._options = options

    async def render(
        self, access: Access, queries: Sequence[TileQuery], address: TileAddress
    ) -> RenderedTile:
        """One tile of one query or more, which are all at the same times.

        Raises:
            InvalidParameter: the instant of recorded time is ahead of the clock.
            NotYetSettled: a publication under way may lie before it.
        """
        layers = [query.layer for query in queries]
        await refuse_unsettled_belief(self._database, access, layers, queries[0].time.as_recorded)
        async with self._database.readers(access).connection() as connection:
            parts = await render_tile(connection, queries, address, self._options)
        content = b"".join(part.content for part in parts)
        return RenderedTile(content, sum(part.left_out for part in parts))

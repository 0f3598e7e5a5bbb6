"""Rendering tiles before anybody asks for them, into the cache that the service keeps."""

from __future__ import annotations

from dataclasses import dataclass

from geoservice.settings import Settings
from geoservice.tile_files.export import MAX_TILES, NO_PROGRESS
from geoservice.tile_files.rendering import WalkProgress, rendering, walk
from geoservice.tile_files.request import TilesRequest


@dataclass
class SeedReport:
    """What was rendered.

    Attributes:
        tiles: Tiles that hold something.
        byte_count: Of them before compression.
    """

    tiles: int = 0
    byte_count: int = 0


def seed_tiles(
    settings: Settings,
    request: TilesRequest,
    *,
    processes: int = 1,
    max_tiles: int = MAX_TILES,
    progress: WalkProgress = NO_PROGRESS,
) -> SeedReport:
    """Have the service's way of rendering make all tiles of a request; themes must be known.

    What the cache holds already is taken from it, so a seeding that was stopped goes on quickly to
    where it was.

    Raises:
        InvalidParameter: there are more tiles than allowed.
        UnknownLayer: a layer does not exist at the level.
    """
    request.queries()
    report = SeedReport()
    with rendering(settings, request, processes, uses_cache=True) as render:
        tiles = walk(request.tile_range(), render, max_tiles=max_tiles, progress=progress)
        for tile in tiles:
            report.tiles += bool(tile.byte_count)
            report.byte_count += tile.byte_count
    return report

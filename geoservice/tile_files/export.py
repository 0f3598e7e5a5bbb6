"""Tiles of the city as one file, PMTiles or MBTiles, which needs no service to be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geoservice.settings import Settings
from geoservice.tile_files.rendering import NoProgress, WalkProgress, rendering, walk
from geoservice.tile_files.request import TilesRequest
from layers.errors import InvalidParameter
from tiles.archives import ArchiveFacts, open_archive
from tiles.grids import WEB_MERCATOR
from tiles.tilejson import vector_layers

NO_PROGRESS = NoProgress()
MAX_TILES = 10_000_000
"""Most tiles that are looked at unless more are allowed."""


@dataclass
class ExportReport:
    """What was written.

    Attributes:
        tiles: Tiles that hold something.
        byte_count: Of their gzipped content; equal tiles are counted each time.
        largest_bytes: Of the largest tile, before compression.
        left_out: Features that tiles do not show, summed over tiles.
    """

    tiles: int = 0
    byte_count: int = 0
    largest_bytes: int = 0
    left_out: int = 0


def export_tiles(
    settings: Settings,
    request: TilesRequest,
    file: Path,
    *,
    processes: int = 1,
    max_tiles: int = MAX_TILES,
    progress: WalkProgress = NO_PROGRESS,
) -> ExportReport:
    """Write all tiles of a request to a file; themes must be known.

    Raises:
        InvalidParameter: the file is of another kind, the grid is not WebMercatorQuad, there are
            more tiles than allowed, or none.
        UnknownLayer: a layer does not exist at the level.
    """
    if request.grid != WEB_MERCATOR.name:
        reason = f"PMTiles and MBTiles hold {WEB_MERCATOR.name} only"
        raise InvalidParameter("grid", request.grid, reason)
    request.queries()
    tile_range, report = request.tile_range(), ExportReport()
    with open_archive(file) as archive, rendering(settings, request, processes) as render:
        for tile in walk(tile_range, render, max_tiles=max_tiles, progress=progress):
            if not tile.zipped:
                continue
            archive.add(tile.address, tile.zipped)
            report.tiles += 1
            report.byte_count += len(tile.zipped)
            report.largest_bytes = max(report.largest_bytes, tile.byte_count)
            report.left_out += tile.left_out
        archive.finish(_facts(settings, request, report))
    return report


def _facts(settings: Settings, request: TilesRequest, report: ExportReport) -> ArchiveFacts:
    layers, tile_range = request.found_layers(), request.tile_range()
    said = {
        "clearance": request.level.label,
        "datetime": request.at.isoformat(),
        "as_recorded": request.as_recorded.isoformat() if request.as_recorded else None,
        "filter": request.filter_text,
        "features_left_out": str(report.left_out) if report.left_out else None,
    }
    return ArchiveFacts(
        name=",".join(request.layers),
        description=" / ".join(f"{layer.title.en} {layer.title.zh}" for layer in layers),
        attribution=settings.city.attribution,
        bounds=request.bbox,
        minzoom=tile_range.minzoom,
        maxzoom=tile_range.maxzoom,
        vector_layers=[
            described for query in request.queries() for described in vector_layers(query)
        ],
        more={f"geoservice_{name}": value for name, value in said.items() if value is not None},
    )

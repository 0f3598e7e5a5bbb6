"""``geoservice tiles``: tiles rendered before they are asked for, put into files, looked into."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from geoservice.cli import tile_stats
from geoservice.cli.terminal import shown, table_console
from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from geoservice.theme_loading import refresh_themes
from geoservice.tile_files.export import MAX_TILES, export_tiles
from geoservice.tile_files.request import TilesRequest
from geoservice.tile_files.seed import seed_tiles
from geoservice.tile_files.service import opened_tiles
from geoservice.tile_service import TileAsk
from layers.access import Access, Clearance
from layers.errors import InvalidParameter
from layers.extent import BBox, instant_in_city
from tiles.cache import CachedTile
from tiles.grids import get_grid
from tiles.inspection import InspectedLayer, inspect_tile
from tiles.matrix import TileAddress

app = typer.Typer(help="Vector tiles: seed, export, inspect, statistics.", no_args_is_help=True)
tile_stats.register(app)

Layers = Annotated[str, typer.Argument(help="Names of layers, joined by commas")]
BBoxOption = Annotated[
    str | None, typer.Option("--bbox", help="WEST,SOUTH,EAST,NORTH in degrees; else the city")
]
ZoomsOption = Annotated[
    str | None, typer.Option("--zooms", help="FIRST-LAST, or one; else those of the layers")
]
GridOption = Annotated[str, typer.Option("--grid", help="Grid in which tiles are cut")]
ClearanceOption = Annotated[
    str, typer.Option("--clearance", help="As whom the tiles are read: public, ..., restricted")
]
InstantOption = Annotated[
    str | None, typer.Option("--datetime", help="Instant of valid time; else now")
]
RecordedOption = Annotated[
    str | None, typer.Option("--as-recorded", help="As believed at this instant; else now")
]
FilterOption = Annotated[str | None, typer.Option("--filter", help="Condition in CQL2 text")]
PropertiesOption = Annotated[
    str | None, typer.Option("--properties", help="Names of properties, joined by commas")
]
ProcessesOption = Annotated[int, typer.Option(min=1, max=64, help="Processes that render")]
MaxTilesOption = Annotated[int, typer.Option(min=1, help="Most tiles to look at")]


@app.command()
def seed(  # one for each option
    layers: Layers,
    bbox: BBoxOption = None,
    zooms: ZoomsOption = None,
    grid: GridOption = "WebMercatorQuad",
    clearance: ClearanceOption = "public",
    processes: ProcessesOption = 1,
    max_tiles: MaxTilesOption = MAX_TILES,
) -> None:
    """Render tiles into the cache before anybody asks for them."""
    settings = Settings.read()
    request = _request(settings, layers, bbox=bbox, zooms=zooms, grid=grid, clearance=clearance)
    with _bars() as progress:
        report = seed_tiles(
            settings, request, processes=processes, max_tiles=max_tiles, progress=progress
        )
    Console().print(f"{report.tiles:,} tiles, {report.byte_count:,} bytes before compression")


@app.command()
def export(  # one for each option
    layers: Layers,
    file: Annotated[Path, typer.Argument(help="FILE.pmtiles or FILE.mbtiles")],
    bbox: BBoxOption = None,
    zooms: ZoomsOption = None,
    clearance: ClearanceOption = "public",
    instant: InstantOption = None,
    as_recorded: RecordedOption = None,
    filter_: FilterOption = None,
    properties: PropertiesOption = None,
    processes: ProcessesOption = 1,
    max_tiles: MaxTilesOption = MAX_TILES,
) -> None:
    """Write tiles to one PMTiles or MBTiles file, which is replaced when it is whole."""
    settings = Settings.read()
    request = _request(
        settings,
        layers,
        bbox=bbox,
        zooms=zooms,
        clearance=clearance,
        instant=instant,
        as_recorded=as_recorded,
        filter_text=filter_,
        properties_text=properties,
    )
    with _bars() as progress:
        report = export_tiles(
            settings, request, file, processes=processes, max_tiles=max_tiles, progress=progress
        )
    console = Console()
    console.print(
        f"{shown(file.name)}: {report.tiles:,} tiles, {file.stat().st_size:,} bytes; "
        f"the largest tile has {report.largest_bytes:,} before compression",
        highlight=False,
    )
    if report.left_out:
        console.print(f"tiles of low zooms leave out {report.left_out:,} features in all")


@app.command()
def inspect(  # one for each option
    layers: Layers,
    address: Annotated[str, typer.Argument(help="Z/X/Y")],
    grid: GridOption = "WebMercatorQuad",
    clearance: ClearanceOption = "public",
    instant: InstantOption = None,
    as_recorded: RecordedOption = None,
    filter_: FilterOption = None,
    properties: PropertiesOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts")] = False,
) -> None:
    """Tell what one tile holds: layers, features, geometries, attributes, sizes."""
    settings = Settings.read()
    request = _request(
        settings,
        layers,
        grid=grid,
        clearance=clearance,
        instant=instant,
        as_recorded=as_recorded,
        filter_text=filter_,
        properties_text=properties,
    )
    tile = asyncio.run(_rendered(settings, request, _address(address, grid)))
    found = inspect_tile(tile.content)
    if as_json:
        document = {"left_out": tile.left_out, "layers": found}
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())  # for scripts
        return
    console = table_console()
    for layer in found:
        console.print(_table(layer))
    console.print(f"{tile.size:,} bytes, {tile.left_out:,} features left out")


async def _rendered(settings: Settings, request: TilesRequest, address: TileAddress) -> CachedTile:
    async with opened_tiles(settings, uses_cache=False) as opened:
        ask = TileAsk(request.queries(), address, is_now=False)
        return await opened.service.answer(Access(request.level), ask)


def _table(layer: InspectedLayer) -> Table:
    title = (
        f"{shown(layer.name)}: version {layer.version}, extent {layer.extent}, "
        f"{layer.byte_count:,} bytes, {len(layer.features):,} features"
    )
    names = list(dict.fromkeys(name for one in layer.features for name in one.properties))
    table = Table("id", "geometry", "vertices", *map(shown, names), title=title)
    for one in layer.features:
        values = (shown(one.properties.get(name, "")) for name in names)
        table.add_row(str(one.feature_id), one.geometry_type, str(one.vertices), *values)
    return table


def _request(  # one for each option
    settings: Settings,
    layers: str,
    *,
    clearance: str,
    bbox: str | None = None,
    zooms: str | None = None,
    grid: str = "WebMercatorQuad",
    instant: str | None = None,
    as_recorded: str | None = None,
    filter_text: str | None = None,
    properties_text: str | None = None,
) -> TilesRequest:
    """The request that the options make; themes are known afterwards."""
    refresh_themes(DatabaseAddress(settings.database))
    minzoom, maxzoom = _zooms(zooms)
    zone = settings.city.time_zone
    return TilesRequest(
        layers=tuple(dict.fromkeys(layers.split(","))),
        level=_level(clearance),
        bbox=BBox.parse(bbox) if bbox is not None else BBox(*settings.city.extent),
        at=instant_in_city(instant, zone, "datetime") if instant else datetime.now(UTC),
        as_recorded=instant_in_city(as_recorded, zone, "as-recorded") if as_recorded else None,
        grid=grid,
        minzoom=minzoom,
        maxzoom=maxzoom,
        filter_text=filter_text,
        properties_text=properties_text,
    )


def _level(label: str) -> Clearance:
    try:
        return Clearance.from_label(label)
    except ValueError as error:
        raise InvalidParameter("clearance", label, str(error)) from None


def _zooms(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    first, _, last = text.partition("-")
    try:
        return int(first), int(last or first)
    except ValueError:
        raise InvalidParameter("zooms", text, "is FIRST-LAST, such as 10-14") from None


def _address(text: str, grid: str) -> TileAddress:
    try:
        z, x, y = map(int, text.split("/"))
    except ValueError:
        raise InvalidParameter("address", text, "is Z/X/Y, such as 14/13382/7137") from None
    return TileAddress.within_matrix(z, x, y, get_grid(grid))


class _Bars:
    """A bar for each zoom."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("tiles", total=None)

    def begin(self, zoom: int, tiles: int) -> None:
        """A new bar."""
        self._progress.update(self._task, description=f"zoom {zoom}", total=tiles, completed=0)

    def advance(self) -> None:
        """One tile more."""
        self._progress.advance(self._task)


@contextmanager
def _bars() -> Iterator[_Bars]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        yield _Bars(progress)

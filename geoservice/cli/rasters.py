"""``geoservice load raster`` and ``geoservice rasters``: terrain, pictures and other grids."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from geoservice.cli import loading
from geoservice.cli.loading import LoadArguments, check_files
from geoservice.cli.terminal import minute, shown, table_console
from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from geoservice.tile_cache.confirmation import wait_for_readers
from layers.access import Clearance
from layers.errors import InvalidParameter
from layers.raster_clearance import set_raster_clearance
from layers.rasters import RasterKind, current_rasters, raster_history
from layers.roles import Role
from loaders.options import LoadOptions
from loaders.rasters import RasterOptions, RasterReport, RasterStore, load_raster, number_as_json

app = typer.Typer(help="The rasters of the city.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="rasters")
    loading.HANDED_OVER["raster"] = load_raster_command


def load_raster_command(arguments: LoadArguments) -> None:
    """``geoservice load raster NAME FILE...``.

    Raises:
        InvalidParameter: there are no files after the name, or an option is not for rasters.
    """
    name, *files = arguments.files
    if not files:
        raise InvalidParameter("files", "", "needs: geoservice load raster NAME FILE...")
    check_raster_options(arguments.options)
    options = RasterOptions(
        city=arguments.options.city,
        crs=arguments.options.crs,
        kind=_kind(arguments.kind),
        title_zh=arguments.title_zh,
        title_en=arguments.title_en,
        clearance=_clearance(arguments.clearance) if arguments.clearance is not None else None,
        valid_from=arguments.options.valid_from,
        dry_run=arguments.options.dry_run,
        limits=arguments.options.limits,
    )
    check_files(files)
    settings = arguments.settings
    with (
        Console(stderr=True).status("reading and converting"),
        DatabaseAddress(settings.database).connect(Role.LOADER) as connection,
    ):
        store = RasterStore(settings.raster_folder)
        report = load_raster(connection, store, str(name), files, options)
    if arguments.as_json:
        print(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode())  # for scripts
    else:
        _show_report(report)


def check_raster_options(options: LoadOptions) -> None:
    """Refuse what is said of rows, of which a raster has none.

    Raises:
        InvalidParameter: an option of rows was given.
    """
    given = {
        "encoding": options.encoding,
        "map": options.mapping.columns or options.mapping.values,
        "set": options.mapping.constants,
        "key": options.key,
        "layer": options.source_layer,
        "correct": options.is_correction,
        "complete": options.is_complete,
        "valid-to": options.valid_to,
    }
    for name, value in given.items():
        if value:
            raise InvalidParameter(name, str(value), "is not for rasters")


def _kind(text: str | None) -> RasterKind | None:
    try:
        return RasterKind(text) if text is not None else None
    except ValueError:
        known = ", ".join(RasterKind)
        raise InvalidParameter("kind", text, f"is one of {known}") from None


def _clearance(text: str) -> Clearance:
    try:
        return Clearance.from_label(text)
    except ValueError as error:
        raise InvalidParameter("clearance", text, str(error)) from None


def _show_report(report: RasterReport) -> None:
    console = Console()
    placement = report.placement
    head = f"load {report.load_id}" if report.load_id else "dry run"
    files = shown(", ".join(source.path.name for source in report.sources))
    console.print(f"[bold]{head}[/]: {files} in {report.seconds:.1f} s, {report.outcome}")
    header = placement.header
    console.print(
        f"  pixels       {header.width} x {header.height}, {header.count} of {header.dtype}"
    )
    console.print(f"  coordinates  {shown(placement.operation.crs)}", highlight=False)
    console.print(f"  to CGCS2000  {shown(placement.operation.description)}", highlight=False)
    console.print(f"  bounds       {_box(placement.bounds.as_list())}", highlight=False)
    console.print(f"  pixel size   {placement.resolution_m:.6g} m", highlight=False)
    for note in (note for source in report.sources for note in source.notes):
        console.print(f"  note         {shown(note)}", highlight=False)


def _box(bounds: list[float]) -> str:
    return ", ".join(f"{degrees:.6f}" for degrees in bounds)


@app.command("list")
def list_rasters() -> None:
    """List the rasters that hold now."""
    with DatabaseAddress(Settings.read().database).connect(Role.READ_RESTRICTED) as connection:
        rows = current_rasters(connection, datetime.now(UTC))
    table = Table("raster", "title", "标题", "kind", "clearance", "pixels", "pixel m", "crs")
    for row in rows:
        crs = row.crs if len(row.crs) < 20 else row.crs.partition('"')[2].partition('"')[0]
        table.add_row(
            row.name,
            shown(row.title_en),
            shown(row.title_zh),
            row.kind,
            Clearance(row.clearance).label,
            f"{row.width} x {row.height}",
            f"{row.resolution_m:.4g}",
            shown(crs),
        )
    table_console().print(table)


@app.command()
def describe(name: Annotated[str, typer.Argument(help="Name of the raster")]) -> None:
    """Tell all versions of a raster and the bands of the newest."""
    with DatabaseAddress(Settings.read().database).connect(Role.READ_RESTRICTED) as connection:
        versions = raster_history(connection, name)
    newest = versions[0]
    console = table_console()
    console.print(f"[bold]{newest.name}[/] {shown(newest.title_en)} {shown(newest.title_zh)}")
    console.print(f"  {newest.kind}, {Clearance(newest.clearance).label}, id {newest.raster_id}")
    console.print(f"  bounds {_box(newest.bounds)}", highlight=False)
    console.print(f"  crs    {shown(newest.crs)}", highlight=False)
    nodata = number_as_json(newest.nodata)
    console.print(f"  pixels {newest.width} x {newest.height} of {newest.dtype}, none is {nodata}")
    table = Table("band", "stands for", "description", "unit", "least", "greatest")
    for number, band in enumerate(newest.bands, start=1):
        words = (band["color"], band["description"], band["unit"], band["min"], band["max"])
        table.add_row(str(number), *(shown("" if word is None else word) for word in words))
    console.print(table)
    table = Table("true from", "until", "recorded from", "until", "file", "bytes")
    for row in versions:
        valid, recorded = row.valid_during, row.recorded_during
        ends = (valid.lower, valid.upper, recorded.lower, recorded.upper)
        table.add_row(*map(minute, ends), row.file_name, f"{row.file_bytes:,}")
    console.print(table)


@app.command()
def clearance(
    name: Annotated[str, typer.Argument(help="Name of the raster")],
    level: Annotated[str, typer.Argument(help="public, enterprise, government or restricted")],
    reason: Annotated[str, typer.Option(help="Why; needed to lower it")] = "",
) -> None:
    """Raise or lower the clearance of a raster, for all its versions at once."""
    wanted = _clearance(level)
    address = DatabaseAddress(Settings.read().database)
    with address.connect(Role.LOADER) as connection:
        before = set_raster_clearance(connection, name, wanted, reason)
        connection.commit()
    wait_for_readers(address)
    Console().print(f"{name} is {wanted.label}, was {before.label}")

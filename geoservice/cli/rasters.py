"""``geoservice load raster`` and ``geoservice rasters``: terrain, pictures and other grids."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from geoservice.cli.options import check_file, read_limits, since
from geoservice.cli.terminal import minute, shown, table_console
from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from layers.access import Clearance
from layers.errors import InvalidParameter
from layers.rasters import RasterKind, current_rasters, raster_history
from layers.roles import Role
from loaders.rasters import RasterOptions, RasterReport, RasterStore, load_raster, number_as_json

app = typer.Typer(help="The rasters of the city.", no_args_is_help=True)


def load_raster_command(  # one for each option
    name: Annotated[str, typer.Argument(help="Name of the raster: a-z, 0-9 and _")],
    files: Annotated[
        list[Path],
        typer.Argument(help="GeoTIFF, HGT or ASCII grid, or a zip of one; several of one grid"),
    ],
    crs: Annotated[str | None, typer.Option(help="EPSG:n, where the file does not say it")] = None,
    kind: Annotated[
        str | None, typer.Option(help="terrain, imagery or other; else decided by the pixels")
    ] = None,
    title_zh: Annotated[str | None, typer.Option("--title-zh", help="Title in Chinese")] = None,
    title_en: Annotated[str | None, typer.Option("--title-en", help="Title in English")] = None,
    clearance: Annotated[
        str | None,
        typer.Option(help="Who may read it; else what is held, or restricted for a new raster"),
    ] = None,
    valid_from: Annotated[
        str | None,
        typer.Option(help="RFC 3339 instant since when it is true, or date: midnight in the city"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON")] = False,
) -> None:
    """Load a raster: every pixel kept, as a Cloud-Optimized GeoTIFF; twice changes nothing."""
    settings = Settings.read()
    for file in files:
        check_file(file)
    options = RasterOptions(
        city=settings.city.frame(),
        crs=crs,
        kind=_kind(kind),
        title_zh=title_zh,
        title_en=title_en,
        clearance=_clearance(clearance),
        valid_from=since(valid_from, settings.city.time_zone) if valid_from else None,
        dry_run=dry_run,
        limits=read_limits(settings.load),
    )
    with (
        Console(stderr=True).status("reading and converting"),
        DatabaseAddress(settings.database).connect(Role.LOADER) as connection,
    ):
        store = RasterStore(settings.raster_folder)
        report = load_raster(connection, store, name, files, options)
    if as_json:
        print(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode())  # for scripts
    else:
        _show_report(report)


def _kind(text: str | None) -> RasterKind | None:
    try:
        return RasterKind(text) if text is not None else None
    except ValueError:
        known = ", ".join(RasterKind)
        raise InvalidParameter("kind", text, f"is one of {known}") from None


def _clearance(text: str | None) -> Clearance | None:
    try:
        return Clearance.from_label(text) if text is not None else None
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

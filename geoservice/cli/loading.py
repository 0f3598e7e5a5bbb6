"""``geoservice load``: files into layers, with progress and a report; ``geoservice loads``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from geoservice.cli.findings import Outputs, checks_of, show_warnings, strict_rules
from geoservice.cli.mappings import read_mapping
from geoservice.cli.terminal import shown
from geoservice.db import DatabaseAddress
from geoservice.loads.options import read_limits
from geoservice.settings import Settings
from geoservice.theme_loading import layer_named
from layers.base import THEME_SCHEMA
from layers.errors import InvalidParameter, UnreadableSource
from layers.extent import instant_in_city
from loaders import LoadOptions, LoadReport, load
from loaders.options import Progress as LoadProgress
from loaders.rules import parse_thresholds


@dataclass(frozen=True)
class LoadArguments:
    """What the command line said of a load.

    Attributes:
        files: Positional arguments after the layer.
        title_zh: Of a new theme or a raster, as are the two that follow.
        kind: Of a raster.
        outputs: Files to write of what was found.
    """

    layer: str
    files: list[Path]
    options: LoadOptions
    settings: Settings
    as_json: bool
    title_zh: str | None
    title_en: str | None
    clearance: str | None
    kind: str | None
    outputs: Outputs


HANDED_OVER: dict[str, Callable[[LoadArguments], None]] = {}
"""Words that stand for no layer in ``geoservice load WORD ...``, and who takes over."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("load")(load_command)


class _Bars:
    """A progress bar for each step of a load."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}

    def step(self, name: str, done: int, total: int | None) -> None:
        """Show that ``done`` of ``total`` rows have passed a step."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done, total=total)


def load_command(  # one for each option
    layer: Annotated[
        str,
        typer.Argument(
            help="Layer to load into; survey: tables of pipes and their points; theme NAME: a "
            "layer of its own; raster NAME: terrain, imagery or another grid"
        ),
    ],
    files: Annotated[list[Path], typer.Argument(help="Files, archives and folders, loaded as one")],
    crs: Annotated[
        str | None, typer.Option(help="EPSG:n, gcj02 or bd09; /yx after it for northing first")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of texts, such as gb18030")] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help="ATTRIBUTE=COLUMN, a YAML file, or the name of a saved mapping"),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="ATTRIBUTE=VALUE for all rows")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Columns that identify a feature: A,B")] = None,
    valid_from: Annotated[
        str | None,
        typer.Option(
            help="RFC 3339 instant since when the rows are true, or date: midnight in the city"
        ),
    ] = None,
    valid_to: Annotated[
        str | None,
        typer.Option(help="With --correct and --valid-from: where the corrected period ends"),
    ] = None,
    is_correction: Annotated[
        bool,
        typer.Option("--correct", help="The rows correct what was held of the past, all along"),
    ] = False,
    is_complete: Annotated[
        bool,
        typer.Option(
            "--complete", help="The files are all there is: what is not in them has ended"
        ),
    ] = False,
    source_layer: Annotated[
        str | None,
        typer.Option("--layer", help="Layer of a file that has several; * all that fit"),
    ] = None,
    on_error: Annotated[
        str, typer.Option(help="quarantine: keep bad rows aside; reject: refuse the whole load")
    ] = "quarantine",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing")] = False,
    checks: Annotated[
        str, typer.Option(help="all; rows: leave out what compares rows with each other")
    ] = "all",
    strict: Annotated[
        list[str] | None, typer.Option(help="A rule of rows whose breach rejects the row")
    ] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE: where a rule begins to find fault")
    ] = None,
    findings: Annotated[
        Path | None, typer.Option(help="Write what was found to FILE.json or FILE.geojson")
    ] = None,
    report_page: Annotated[
        Path | None, typer.Option("--report", help="Write a page with a map to FILE.html")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON")] = False,
    title: Annotated[
        str | None, typer.Option(help="Chinese title of a new theme or of a raster")
    ] = None,
    title_en: Annotated[
        str | None, typer.Option(help="English title of a new theme or of a raster")
    ] = None,
    clearance: Annotated[
        str | None,
        typer.Option(help="Clearance of a new theme or raster; restricted if none is given"),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Of a raster: terrain, imagery or other; else by its pixels")
    ] = None,
) -> None:
    """Load files into a layer: one transaction, nothing half done; twice changes nothing."""
    settings = Settings.read()
    if on_error not in ("quarantine", "reject"):
        raise InvalidParameter("on_error", on_error, "is quarantine or reject")
    options = LoadOptions(
        city=settings.city.frame(),
        crs=crs,
        encoding=encoding,
        mapping=read_mapping(map_ or [], set_ or [], settings.load.mappings_folder),
        key=tuple(part.strip() for part in key.split(",")) if key else None,
        valid_from=instant_in_city(valid_from, settings.city.time_zone) if valid_from else None,
        valid_to=instant_in_city(valid_to, settings.city.time_zone) if valid_to else None,
        is_correction=is_correction,
        is_complete=is_complete,
        source_layer=source_layer,
        on_error="reject" if on_error == "reject" else "quarantine",
        dry_run=dry_run,
        limits=read_limits(settings.load),
        checks=checks_of(checks),
        strict=strict_rules(strict or []),
        thresholds=parse_thresholds(threshold or []),
    )
    outputs = Outputs(findings, report_page)
    arguments = LoadArguments(
        layer, files, options, settings, as_json, title, title_en, clearance, kind, outputs
    )
    HANDED_OVER.get(layer, _load_layer)(arguments)


def _load_layer(arguments: LoadArguments) -> None:
    address = DatabaseAddress(arguments.settings.database)
    found = layer_named(address, arguments.layer)
    if found.schema == THEME_SCHEMA:
        # Its types may have to become wider first.
        HANDED_OVER["theme"](replace(arguments, files=[Path(found.name), *arguments.files]))
        return
    check_files(arguments.files)
    with progress_bars() as bars, address.connect_loader() as connections:
        report = load(connections, found, arguments.files, arguments.options, bars)
        arguments.outputs.write([report], connections.sql, arguments.options.city)
    if arguments.as_json:
        print(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode())  # for scripts
    else:
        show_report(Console(), report)


@contextmanager
def progress_bars() -> Iterator[LoadProgress]:
    """Bars on the terminal for the steps of a load."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        yield _Bars(progress)


def check_files(files: Sequence[Path]) -> None:
    """Refuse files that are not there, or whose names no report and no history could hold.

    Raises:
        UnreadableSource: one is such a file.
    """
    for path in files:
        try:
            path.name.encode()
        except UnicodeEncodeError:
            raise UnreadableSource(path, "its name is not UTF-8; rename it") from None
        if not path.exists():
            raise UnreadableSource(path, "there is no such file")


def show_report(console: Console, report: LoadReport) -> None:
    """Print what a load did."""
    head = f"load {report.load_id} of {report.layer}" if report.load_id else "dry run"
    files = shown(", ".join(report.files))
    console.print(f"[bold]{head}[/]: {files} in {report.seconds:.1f} s")
    console.print(f"  coordinates  {shown(report.crs)} ({shown(report.transformation)})")
    if report.encoding:
        console.print(f"  encoding     {shown(report.encoding)}")
    for number in report.interrupted:
        console.print(
            f"  note         load {number} was interrupted and wrote nothing: load it again"
        )
    pairs = (f"{attribute} <- {column}" for attribute, column in report.mapping.items())
    console.print(f"  columns      {shown(', '.join(pairs)) or 'none'}")
    for note in (note for source in report.sources for note in source.notes):
        console.print(f"  note         {shown(note)}", highlight=False)
    if report.unmapped:
        console.print(f"  not used     {shown(', '.join(report.unmapped))}")
    counts = report.counts()
    table = Table(*counts)
    table.add_row(*(f"{count:,}" for count in counts.values()))
    console.print(table)
    for reason, count in report.reasons.most_common():
        console.print(f"  [red]{count:,}[/] {shown(reason)}", highlight=False)
    for example in report.examples:
        console.print(f"    row {example.row}: {shown(example.reason)}", highlight=False)
    show_warnings(console, report)

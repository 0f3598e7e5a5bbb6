"""``geoservice load``: files into layers, with progress and a report; ``geoservice loads``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import orjson
import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from geoservice.cli.findings import Outputs, checks_of, show_warnings, strict_rules
from geoservice.cli.survey import SURVEY, check_survey_options
from geoservice.cli.terminal import shown
from geoservice.db import DatabaseAddress
from geoservice.settings import LoadSettings, Settings
from layers.base import Layer
from layers.errors import InvalidMapping, InvalidParameter, UnreadableSource
from layers.extent import parse_instant
from layers.registry import get_layer
from loaders import LoadConnections, LoadOptions, LoadReport, ReadLimits, load
from loaders.mapping import Mapping, parse_mapping
from loaders.rules import parse_thresholds
from loaders.survey import SurveyReport, load_survey


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
        str, typer.Argument(help="Layer to load into; survey: tables of pipes and their points")
    ],
    files: Annotated[list[Path], typer.Argument(help="Files, archives and folders, loaded as one")],
    crs: Annotated[
        str | None, typer.Option(help="EPSG:n, gcj02 or bd09; /yx after it for northing first")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of texts, such as gb18030")] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help="ATTRIBUTE=COLUMN, or a YAML file (columns, values, constants)"),
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
) -> None:
    """Load files into a layer: one transaction, nothing half done; twice changes nothing."""
    settings = Settings.read()
    found = None if layer == SURVEY else get_layer(layer)
    if on_error not in ("quarantine", "reject"):
        raise InvalidParameter("on_error", on_error, "is quarantine or reject")
    outputs = Outputs(findings, report_page)
    for path in files:
        _check_name(path)
    options = LoadOptions(
        city=settings.city.frame(),
        crs=crs,
        encoding=encoding,
        mapping=mapping_of(map_ or [], set_ or []),
        key=tuple(part.strip() for part in key.split(",")) if key else None,
        valid_from=_since(valid_from, settings.city.time_zone) if valid_from else None,
        valid_to=_since(valid_to, settings.city.time_zone) if valid_to else None,
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
    if found is None:
        check_survey_options(options)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        Progress(*columns, TimeElapsedColumn(), console=console) as progress,
        DatabaseAddress(settings.database).connect_loader() as connections,
    ):
        report = _load(connections, found, files, options, _Bars(progress))
        outputs.write(_each(report), connections.sql, options.city)
    if as_json:
        print(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode())  # for scripts
        return
    for one in _each(report):
        show_report(Console(), one)


def _each(report: LoadReport | SurveyReport) -> tuple[LoadReport, ...]:
    return (report,) if isinstance(report, LoadReport) else tuple(report.reports)


def _load(
    connections: LoadConnections,
    layer: Layer | None,
    files: list[Path],
    options: LoadOptions,
    bars: _Bars,
) -> LoadReport | SurveyReport:
    """Load into a layer, or a survey where there is none."""
    if layer is None:
        return load_survey(connections, files, options, bars)
    return load(connections, layer, files, options, bars)


def _check_name(path: Path) -> None:
    """Refuse a file that is not there, or whose name no report and no history could hold."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise UnreadableSource(path, "its name is not UTF-8; rename it") from None
    if not path.exists():
        raise UnreadableSource(path, "there is no such file")


def _since(text: str, time_zone: str) -> datetime:
    """The instant of ``--valid-from``; a bare date begins in the city, as dates in files do."""
    instant = parse_instant(text, "valid-from")
    if len(text) > len("2020-01-01"):
        return instant
    try:
        return instant.replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
    except OverflowError:
        raise InvalidParameter("valid-from", text, "there is no such instant") from None


def read_limits(settings: LoadSettings) -> ReadLimits:
    """The bounds of the settings as the loaders take them."""
    return ReadLimits(
        max_unpacked_bytes=settings.max_unpacked_bytes,
        max_ratio=settings.max_ratio,
        max_members=settings.max_members,
        memory_bytes=settings.reader_memory_bytes,
        timeout_s=settings.reader_timeout_s,
    )


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


def mapping_of(maps: list[str], constants: list[str]) -> Mapping:
    """The mapping that the options describe, files first, single pairs over them."""
    document: dict[str, dict[str, Any]] = {"columns": {}, "values": {}, "constants": {}}
    for one in maps:
        attribute, is_pair, column = one.partition("=")
        if is_pair:
            document["columns"][attribute] = column
            continue
        read = parse_mapping(_read_yaml(Path(one)))
        document["columns"].update(read.columns)
        document["values"].update(read.values)
        document["constants"].update(read.constants)
    for one in constants:
        attribute, is_pair, value = one.partition("=")
        if not is_pair:
            message = f"--set {one}: needs ATTRIBUTE=VALUE"
            raise InvalidMapping(message)
        document["constants"][attribute] = value
    return parse_mapping(document)


def _read_yaml(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"{path.name}: cannot be read as a YAML mapping"
        raise InvalidMapping(message) from error

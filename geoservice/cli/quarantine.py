"""``geoservice quarantine``: rejected rows, listed, given out, and loaded again when corrected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, text

from geoservice.cli.loading import show_report
from geoservice.cli.mappings import read_mapping
from geoservice.cli.terminal import shown, table_console
from geoservice.db import DatabaseAddress
from geoservice.loads.options import read_limits
from geoservice.settings import Settings
from geoservice.theme_loading import refresh_themes
from layers.errors import UnreadableSource
from layers.roles import Role
from loaders.options import LoadOptions
from loaders.quarantine import export_rows, find_origin, retry, waiting_rows

app = typer.Typer(help="Rows that were rejected.", no_args_is_help=True)

_SUMS = """
    SELECT q.load_id, l.layer, q.file, count(*) AS rejected,
           count(*) FILTER (WHERE q.released_by IS NULL) AS waiting,
           array_agg(DISTINCT split_part(q.reasons[1], ':', 1)) AS rules
    FROM city.quarantine q JOIN city.loads l USING (load_id)
    GROUP BY q.load_id, l.layer, q.file ORDER BY q.load_id DESC, q.file LIMIT :limit"""


@contextmanager
def _connect() -> Iterator[Connection]:
    address = DatabaseAddress(Settings.read().database)
    refresh_themes(address)
    with address.connect(Role.LOADER) as connection:
        yield connection


@app.command("list")
def list_rows(
    load: Annotated[int | None, typer.Option(help="The rows of this load, one by one")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 50,
) -> None:
    """List the loads that rejected rows, or the rows of one that still wait."""
    with _connect() as connection:
        if load is None:
            table = Table("load", "layer", "file", "rejected", "waiting", "rules")
            for row in connection.execute(text(_SUMS), {"limit": limit}):
                counts = (f"{row.rejected:,}", f"{row.waiting:,}")
                table.add_row(
                    str(row.load_id),
                    row.layer,
                    shown(row.file or ""),
                    *counts,
                    ", ".join(row.rules),
                )
        else:
            find_origin(connection, load)
            table = Table("row", "file", "key", "reasons")
            for one in waiting_rows(connection, load)[:limit]:
                key, reasons = shown(one.natural_key or ""), shown("; ".join(one.reasons))
                table.add_row(str(one.row_number), shown(one.file or ""), key, reasons)
    table_console().print(table)


@app.command("export")
def export_command(
    load: Annotated[int, typer.Argument(help="Number of the load")],
    file: Annotated[Path, typer.Argument(help="FILE.csv, FILE.json or FILE.gpkg")],
) -> None:
    """Write the rows of a load that wait, as they were read and with their reasons."""
    with _connect() as connection:
        origin = find_origin(connection, load)
        rows = waiting_rows(connection, load)
    try:
        export_rows(rows, origin, file)
    except OSError as error:
        raise UnreadableSource(file, f"cannot be written: {error.strerror}") from error
    Console().print(f"{len(rows):,} rows of load {load} written to {shown(file.name)}")


@app.command("retry")
def retry_command(
    load: Annotated[int, typer.Argument(help="Number of the load")],
    file: Annotated[
        Path | None, typer.Argument(help="The exported file, corrected; else rows as they are")
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help="ATTRIBUTE=COLUMN or a YAML file, over the mapping of the load"),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="ATTRIBUTE=VALUE for all rows")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON")] = False,
) -> None:
    """Load rows that wait again: after missing points were loaded, or corrected in a file."""
    settings = Settings.read()
    if file is not None and not file.exists():
        raise UnreadableSource(file, "there is no such file")
    options = LoadOptions(
        city=settings.city.frame(),
        mapping=read_mapping(map_ or [], set_ or [], settings.load.mappings_folder),
        limits=read_limits(settings.load),
        dry_run=dry_run,
    )
    address = DatabaseAddress(settings.database)
    refresh_themes(address)
    with address.connect_loader() as connections:
        reports = retry(connections, load, options, corrected=file)
    if as_json:
        told = [report.as_json() for report in reports]
        print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())  # for scripts
        return
    for report in reports:
        show_report(Console(), report)
    if not reports:
        Console().print(f"no row of load {load} waits")

"""The command line: ``geoservice COMMAND``; every command ends with a code that says how it went.

Exit codes follow sysexits.h: 64 the command was used wrongly, 65 the data cannot be used, 69 a
service is missing, 77 something is not permitted, 70 anything else that was foreseen.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import psycopg
import typer
from rich.console import Console
from sqlalchemy.exc import DBAPIError

from geoservice.cli import (
    checking,
    database,
    doctor,
    keys,
    layer_pages,
    loading,
    loads,
    mappings,
    quarantine,
    rasters,
    sample,
    separations,
    serving,
    sources,
    survey,
    themes,
    tiles,
    working,
)
from geoservice.cli.terminal import printable
from geoservice.logs import configure_logs
from geoservice.settings import LogSettings
from layers import errors

__all__ = ["app", "main"]

app = typer.Typer(
    name="geoservice",
    help="The spatio-temporal city information service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
serving.register(app)
working.register(app)
loading.register(app)
checking.register(app)
sample.register(app)
doctor.register(app)
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(sources.app, name="sources")
app.add_typer(loads.app, name="loads")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(mappings.app, name="mappings")
app.add_typer(layer_pages.app, name="layers")
app.add_typer(separations.app, name="separations")
app.add_typer(tiles.app, name="tiles")
rasters.register(app)
survey.register()
themes.register(app)

_EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (errors.RequestError, 64),
    (errors.NotFoundError, 64),
    (errors.SourceError, 65),
    (errors.AccessError, 77),
    (errors.ServiceError, 69),
    (errors.GeoserviceError, 70),
    (ValueError, 64),
)

_NOT_PREPARED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedTable,
)
"""What the first statement of a command meets in a database without our tables and rights."""


def main() -> None:
    """Run the command line; errors made on purpose become one sentence and an exit code."""
    configure_logs(LogSettings(level="WARNING", json_lines=False))
    try:
        app()
    except (errors.GeoserviceError, ValueError) as error:
        _end(error)
    except DBAPIError as error:
        told = _of_database(error)
        if told is None:
            raise
        _end(told)


def _end(error: Exception) -> NoReturn:
    text = f"geoservice: {printable(str(error))}"
    Console(stderr=True, soft_wrap=True).print(text, style="red", markup=False)
    sys.exit(next(code for kind, code in _EXIT_CODES if isinstance(error, kind)))


def _of_database(error: DBAPIError) -> errors.ServiceError | None:
    """What an operator can mend of what a database answers; None for a fault of ours."""
    if isinstance(error.orig, _NOT_PREPARED):
        message = "the database is not in the shape that this needs; run: geoservice db migrate"
        return errors.MigrationError(message)
    if isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError):
        said = str(error.orig).strip().partition("\n")[0]
        return errors.DatabaseUnavailable(f"the database gave up: {said}")
    return None

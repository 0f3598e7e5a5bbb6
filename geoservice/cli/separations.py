"""``geoservice separations``: the table of least separations of pipes that is in force here."""

from __future__ import annotations

import typer

from geoservice.settings import Settings

app = typer.Typer(help="The table of least separations of pipes.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep ``show`` a command of its own: Typer would make a lone one the whole group."""


@app.command("show")
def show() -> None:
    """Print the table in use as JSON, the form in which a file replaces it."""
    table = Settings.read().city.separations()
    typer.echo(table.model_dump_json(indent=2, exclude_defaults=True))

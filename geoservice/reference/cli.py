"""The page of the command line."""

from __future__ import annotations

import typer
from typer.cli import get_docs_for_click

from geoservice.cli import app
from geoservice.reference.markdown import page


def cli_page() -> str:
    """Every command with its arguments and options, as typer describes them."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name=app.info.name)
    described = get_docs_for_click(obj=command, ctx=context, name=str(app.info.name))
    return page("Command line", [described.partition("\n\n")[2].rstrip()])

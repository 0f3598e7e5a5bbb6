"""``geoservice up`` and ``geoservice serve``: run the service."""

from __future__ import annotations

import typer
from rich import print as show

from geoservice.logs import configure_logs
from geoservice.server import prepare_database, serve
from geoservice.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up")(up)
    app.command("serve")(serve_command)


def up() -> None:
    """Start the embedded database if needed, migrate it, and serve."""
    settings = Settings.read()
    configure_logs(settings.log)
    show("[bold]geoservice[/]: preparing the database ...")
    prepare_database(settings)
    announce(settings)
    serve(settings)


def serve_command() -> None:
    """Serve alone: the database is running and migrated already."""
    settings = Settings.read()
    configure_logs(settings.log)
    announce(settings)
    serve(settings)


def announce(settings: Settings) -> None:
    """Print where the service will be."""
    show(f"[bold]geoservice[/]: serving at http://{settings.http.host}:{settings.http.port}/map")

"""``geoservice up`` and ``geoservice serve``: run the service.

What a command needs is imported when it runs, so that the others start quickly.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich import print as show

from geoservice.logs import configure_logs
from geoservice.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up")(up)
    app.command("serve")(serve_command)
    app.command("demo")(demo)


def up() -> None:
    """Start the embedded database if needed, migrate it, and serve."""
    from geoservice.server import prepare_database, serve

    settings = Settings.read()
    configure_logs(settings.log)
    show("[bold]geoservice[/]: preparing the database ...")
    prepare_database(settings)
    announce(settings)
    serve(settings)


def serve_command() -> None:
    """Serve alone: the database is running and migrated already."""
    from geoservice.server import serve

    settings = Settings.read()
    configure_logs(settings.log)
    announce(settings)
    serve(settings)


def demo(
    features: Annotated[int, typer.Option(min=1_000, max=10_000_000, help="How many")] = 24_000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another city")] = 1,
) -> None:
    """Make the sample city, load it and serve it with live figures."""
    from geoservice.demo import run_demo

    settings = Settings.read()
    configure_logs(settings.log.model_copy(update={"level": "WARNING"}))
    run_demo(settings, features=features, seed=seed)


def announce(settings: Settings) -> None:
    """Print where the service will be."""
    show(f"[bold]geoservice[/]: serving at http://{settings.http.host}:{settings.http.port}/map")

"""``geoservice doctor``: whether what must hold of the data does."""

from __future__ import annotations

import typer
from rich.console import Console

from geoservice.cli.terminal import shown
from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from geoservice.theme_loading import connect_knowing_themes
from layers.access import Clearance
from layers.invariants import violations
from layers.registry import layers_at


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor() -> None:
    """Look through all versions of all layers for what must not be; exit code 1 if there is any."""
    console = Console()
    count = 0
    with connect_knowing_themes(DatabaseAddress(Settings.read().database)) as connection:
        layers = layers_at(Clearance.RESTRICTED)
        for layer in layers:
            for one in violations(connection, layer):
                count += 1
                console.print(
                    f"[red]{one.layer}[/]: {shown(one.rule)}: {one.count:,} rows, such as of "
                    f"feature {one.example}",
                    highlight=False,
                )
    if count:
        raise typer.Exit(1)
    console.print(f"{len(layers)} layers are as they must be")

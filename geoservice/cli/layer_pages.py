"""``geoservice layers``: what there is to load and to read."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import text

from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from geoservice.theme_loading import layer_named, refresh_themes
from layers.access import Clearance
from layers.base import Layer
from layers.derived import keep_derived
from layers.errors import DatabaseUnavailable
from layers.registry import layers_at
from layers.rewrite import lock_layer, take_instant
from layers.roles import Role
from layers.themes import require_current
from layers.touched import Touched

app = typer.Typer(help="The layers of the city.", no_args_is_help=True)


@app.command("list")
def list_command() -> None:
    """List the layers; themes too if the database answers."""
    try:
        refresh_themes(DatabaseAddress(Settings.read().database))
    except DatabaseUnavailable as error:
        Console(stderr=True).print(f"without themes: {error}", markup=False)
    table = Table("layer", "title", "标题", "geometry", "clearance", "zoom")
    for layer in layers_at(Clearance.RESTRICTED):
        table.add_row(
            layer.name,
            layer.title.en,
            layer.title.zh,
            layer.geometry_type.value,
            layer.clearance.label,
            f"{layer.minzoom}-{layer.maxzoom}",
        )
    Console().print(table)


@app.command()
def describe(name: Annotated[str, typer.Argument(help="Name of the layer")]) -> None:
    """Tell the attributes of a layer and the column names by which they are recognised."""
    layer = layer_named(DatabaseAddress(Settings.read().database), name)
    console = Console()
    console.print(f"[bold]{layer.name}[/] {layer.title.en} {layer.title.zh}")
    console.print(layer.description.en, layer.description.zh)
    console.print("natural key:", " or ".join("+".join(key) for key in layer.natural_keys))
    table = Table("attribute", "type", "unit", "title", "clearance", "recognised columns")
    for attribute in layer.attributes:
        table.add_row(
            attribute.name,
            attribute.type.value,
            attribute.unit or "",
            f"{attribute.title.en} {attribute.title.zh}",
            layer.clearance_of(attribute).label,
            ", ".join(attribute.aliases),
        )
    console.print(table)


@app.command()
def overviews(
    name: Annotated[str | None, typer.Argument(help="Name of the layer; all if none")] = None,
) -> None:
    """Make anew what low zooms show; needed once after an upgrade, loads keep it from then on."""
    address = DatabaseAddress(Settings.read().database)
    if name is None:
        refresh_themes(address)
        layers = layers_at(Clearance.RESTRICTED)
    else:
        layers = (layer_named(address, name),)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("overviews", total=len(layers))
        for layer in layers:
            progress.update(task, description=layer.name)
            _make_overview(address, layer)
            progress.advance(task)
    Console().print(f"made overviews of {len(layers)} layers")


def _make_overview(address: DatabaseAddress, layer: Layer) -> None:
    with address.connect(Role.LOADER) as connection:
        lock_layer(connection, layer.name)
        require_current(connection, layer)
        everything = Touched(connection, 0, is_everything=True)
        keep_derived(connection, layer, everything, take_instant(connection, layer.name))
        connection.commit()
        connection.execute(text("SELECT city.analyze_layer(:layer)"), {"layer": layer.name})
        connection.commit()

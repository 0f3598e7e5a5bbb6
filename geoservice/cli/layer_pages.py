"""``geoservice layers``: what there is to load and to read."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from geoservice.theme_loading import layer_named, refresh_themes
from layers.access import Clearance
from layers.errors import DatabaseUnavailable
from layers.registry import layers_at

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

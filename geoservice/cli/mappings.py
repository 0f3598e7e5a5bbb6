"""``geoservice mappings``: saved mappings; and what ``--map`` and ``--set`` say together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from geoservice.cli.terminal import printable, table_console
from geoservice.mappings import MappingStore, is_name, read_mapping_file
from geoservice.settings import Settings
from layers.errors import InvalidMapping
from loaders.mapping import Mapping, parse_mapping

app = typer.Typer(help="Saved mappings of columns and values.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(help="Name of a mapping")]


def read_mapping(maps: Sequence[str], constants: Sequence[str], folder: Path) -> Mapping:
    """The mapping that the options describe: what is said later stands over what is said before.

    Args:
        maps: Each ``ATTRIBUTE=COLUMN``, the name of a saved mapping, or a YAML file.
        constants: Each ``ATTRIBUTE=VALUE``.
        folder: Of saved mappings.

    Raises:
        InvalidMapping: one of them cannot be read.
    """
    pairs: dict[str, str] = {}
    read = Mapping()
    for one in maps:
        attribute, is_pair, column = one.partition("=")
        if is_pair:
            pairs[attribute] = column
        elif is_name(one):
            read = MappingStore(folder).mapping(one).over(read)
        else:
            read = read_mapping_file(Path(one)).over(read)
    said: dict[str, str] = {}
    for one in constants:
        attribute, is_pair, value = one.partition("=")
        if not is_pair:
            message = f"--set {one}: needs ATTRIBUTE=VALUE"
            raise InvalidMapping(message)
        said[attribute] = value
    return parse_mapping({"columns": pairs, "constants": said}).over(read)


def _store() -> MappingStore:
    return MappingStore(Settings.read().load.mappings_folder)


@app.command("list")
def list_mappings() -> None:
    """List the saved mappings."""
    store = _store()
    table = Table("mapping", "attributes", "value lists", "units")
    for name in store.names():
        mapping = store.mapping(name)
        counts = (len(mapping.columns), len(mapping.values), len(mapping.units))
        table.add_row(name, *map(str, counts))
    table_console().print(table)


@app.command("show")
def show_mapping(name: _Name) -> None:
    """Print a saved mapping, with its comments."""
    print(printable(_store().text(name)), end="")


@app.command("save")
def save_mapping(
    name: _Name, file: Annotated[Path, typer.Argument(help="YAML file of the mapping")]
) -> None:
    """Save a mapping under a name, in place of one that bears it."""
    _store().save(name, file)
    print(f"saved; load with --map {name}")


@app.command("remove")
def remove_mapping(name: _Name) -> None:
    """Remove a saved mapping."""
    _store().remove(name)
    print(f"removed {name}")

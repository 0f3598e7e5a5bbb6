"""``geoservice loads``: the history of loads, what each changed, and how to take it back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, select

from geoservice.changes import written_as_geojson
from geoservice.cli.terminal import minute, shown, table_console
from geoservice.db import DatabaseAddress
from geoservice.settings import Settings
from geoservice.theme_loading import connect_knowing_themes
from geoservice.tile_cache.confirmation import wait_for_readers
from layers.base import Layer
from layers.changes import (
    FeatureChange,
    State,
    Summary,
    changes_between,
    changes_of_load,
    published_load,
)
from layers.errors import InvalidParameter, LoadNotFound
from layers.extent import parse_instant
from layers.purge import purge_load
from layers.raster_purge import files_of_load
from layers.rasters import LAYER_NAME as RASTERS
from layers.registry import get_layer
from layers.system_tables import loads
from layers.undo import undo_load
from loaders.rasters import RasterStore
from loaders.staging import drop_leftovers

app = typer.Typer(help="The history of loads.", no_args_is_help=True)

LoadNumber = Annotated[int, typer.Argument(help="Number of the load", min=1, max=2**63 - 1)]
DiffFile = Annotated[
    Path | None, typer.Option("--geojson", help="Write the changed features to this file")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON")]


@app.command("list")
def list_loads(
    layer: Annotated[
        str | None, typer.Option(help="Only loads of this layer, or of rasters")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
) -> None:
    """List the newest loads."""
    statement = select(loads).order_by(loads.c.load_id.desc()).limit(limit)
    with connect_knowing_themes(DatabaseAddress(Settings.read().database)) as connection:
        if layer is not None:
            name = layer if layer == RASTERS else get_layer(layer).name
            statement = statement.where(loads.c.layer == name)
        drop_leftovers(connection)
        rows = connection.execute(statement).mappings().all()
    table = Table("load", "layer", "files", "state", "recorded at", "counts")
    for row in rows:
        counts = row["counts"] or {}
        table.add_row(
            str(row["load_id"]),
            row["layer"],
            shown(", ".join(row["source"].get("files", []))),
            row["state"],
            minute(row["recorded_at"]),
            ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
            or shown(row["message"] or ""),
        )
    table_console().print(table)


@app.command("show")
def show_load(load_id: LoadNumber, geojson: DiffFile = None, as_json: AsJson = False) -> None:
    """Show what a load was, and what it changed."""
    settings = Settings.read()
    with connect_knowing_themes(DatabaseAddress(settings.database)) as connection:
        load = connection.execute(select(loads).where(loads.c.load_id == load_id)).one_or_none()
        if load is None:
            raise LoadNotFound(load_id)
        summary = None
        if load.state == "published" and load.layer != RASTERS:
            layer = get_layer(load.layer)
            plane_srid = settings.city.plane_srid
            changes = changes_of_load(connection, layer, load, plane_srid=plane_srid)
            summary = _summarise(changes, geojson)
        undone_by = connection.execute(
            select(loads.c.load_id).where(loads.c.undoes == load_id)
        ).scalars()
        document = {
            **{str(name): value for name, value in load._mapping.items()},
            "undone_by": list(undone_by),
            "changes": summary.as_json() if summary else None,
        }
    if as_json:
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())  # for scripts
        return
    _print_load(document, summary)


@app.command("undo")
def undo(load_id: LoadNumber) -> None:
    """Take a load back: exactly the state before it, later loads staying where they may."""
    address = DatabaseAddress(Settings.read().database)
    with connect_knowing_themes(address) as connection:
        undone = undo_load(connection, load_id)
        connection.commit()
    wait_for_readers(address)
    Console().print(
        f"load {load_id} is undone, as load {undone.load_id}: {undone.closed:,} versions closed, "
        f"{undone.restored:,} held again"
    )


@app.command("diff")
def diff(
    layer: Annotated[str, typer.Argument(help="Layer to compare")],
    before: Annotated[str, typer.Argument(help="RFC 3339 instant, or number of a load")],
    after: Annotated[str, typer.Argument(help="The same, later")],
    as_known_then: Annotated[
        bool,
        typer.Option("--as-known-then", help="What was believed at each instant, not what is now"),
    ] = False,
    geojson: DiffFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare a layer at two instants, or right after two loads."""
    settings = Settings.read()
    with connect_knowing_themes(DatabaseAddress(settings.database)) as connection:
        found = get_layer(layer)
        states = [
            _state(connection, found, one, as_known_then=as_known_then) for one in (before, after)
        ]
        changes = changes_between(connection, found, *states, plane_srid=settings.city.plane_srid)
        summary = _summarise(changes, geojson)
    if as_json:
        print(orjson.dumps(summary.as_json(), option=orjson.OPT_INDENT_2).decode())  # for scripts
        return
    _print_summary(Console(), summary)


@app.command("purge")
def purge(
    load_id: LoadNumber,
    reason: Annotated[str, typer.Option(help="Why it must not be held; kept for good")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Delete for good what a load brought, after it was undone; nothing can bring it back."""
    if not reason.strip():
        raise InvalidParameter("reason", reason, "says why")
    if not yes:
        typer.confirm(f"Delete all that load {load_id} brought, for good?", abort=True)
    settings = Settings.read()
    address = DatabaseAddress(settings.database)
    with connect_knowing_themes(address) as connection:
        store = RasterStore(settings.raster_folder)
        with store.removing(connection, files_of_load(connection, load_id)):
            tombstone = purge_load(connection, load_id, reason.strip())
            connection.commit()
    wait_for_readers(address)
    Console().print(
        f"load {load_id} is purged: {tombstone.versions:,} versions and {tombstone.rejected:,} "
        f"rejected rows are deleted"
    )


def _state(connection: Connection, layer: Layer, text: str, *, as_known_then: bool) -> State:
    """The state that an argument of ``diff`` names."""
    if text.isdecimal():
        load = published_load(connection, min(int(text), 2**63 - 1))
        if load.layer != layer.name:
            raise InvalidParameter("load", text, f"is a load of {load.layer}, not of {layer.name}")
        return State(load.recorded_at, load.recorded_at)
    instant = parse_instant(text, "instant")
    newest = select(loads.c.recorded_at).where(loads.c.layer == layer.name)
    known = connection.execute(newest.order_by(loads.c.recorded_at.desc().nulls_last()).limit(1))
    return State(instant, instant if as_known_then else known.scalar() or instant)


def _summarise(changes: Iterable[FeatureChange], geojson: Path | None) -> Summary:
    """Count changes, writing them to a file on the way if one is named."""
    if geojson is None:
        return Summary.of(changes)
    with geojson.open("wb") as out:
        return Summary.of(written_as_geojson(changes, out))


def _print_load(document: dict[str, Any], summary: Summary | None) -> None:
    console = Console()
    console.print(
        f"[bold]load {document['load_id']}[/] of {document['layer']}: {document['state']}"
    )
    source = document["source"]
    lines = {
        "files": ", ".join(source.get("files", [])),
        "started": minute(document["started_at"]),
        "recorded": minute(document["recorded_at"]),
        "valid from": minute(document["valid_from"]),
        "message": document["message"],
        "undoes": document["undoes"],
        "undone by": ", ".join(str(number) for number in document["undone_by"]),
        "purged": document["purge"] and document["purge"]["reason"],
    }
    for name, value in lines.items():
        if value:
            console.print(f"  {name:<12} {shown(value)}", highlight=False)
    for one in source.get("sources", []):
        how = f"{one['crs']} ({one['transformation']}, accuracy {one['accuracy_m']} m)"
        console.print(
            f"  {shown(one['name'])}: {one['rows']:,} rows, {shown(how)}", highlight=False
        )
    counts = document["counts"] or {}
    console.print(f"  counts       {', '.join(f'{n} {c:,}' for n, c in counts.items()) or 'none'}")
    if summary is not None:
        _print_summary(console, summary)


def _print_summary(console: Console, summary: Summary) -> None:
    table = Table("new", "changed", "vanished", "most moved")
    kinds = [f"{summary.kinds[kind]:,}" for kind in ("new", "changed", "vanished")]
    table.add_row(*kinds, f"{summary.most_moved_m:,.2f} m")
    console.print(table)
    for name, count in summary.attributes.most_common():
        console.print(f"  {count:,} changed in {shown(name)}", highlight=False)

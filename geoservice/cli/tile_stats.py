"""``geoservice tiles stats``: what the cache of tiles of this host holds, and how it did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from geoservice.cli.terminal import minute, shown, table_console
from geoservice.settings import Settings
from layers.access import Clearance
from layers.errors import StoreUnavailable
from tiles.cache import CacheFolder, TileCache
from tiles.cache.statistics import Contents, contents_of

COUNTERS = ("hits", "misses", "coalesced", "purged")
"""What workers count, in the order in which it is told."""

_ROWS = 10


def register(app: typer.Typer) -> None:
    """Put the command into those about tiles."""
    app.command("stats")(stats)


def stats(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document")] = False,
) -> None:
    """Show what the cache of this host holds: hits, sizes, the largest and the slowest tiles.

    Counters are those of all workers since the cache was made.
    """
    settings = Settings.read()
    folder = CacheFolder(settings.tile_cache_folder, settings.tiles.cache_bytes)
    with _looked_at(folder) as cache:
        contents = contents_of(cache, largest=_ROWS)
        document = _document(cache, contents, folder.max_bytes)
    if as_json:
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())  # for scripts
        return
    _print(document)


@contextmanager
def _looked_at(folder: CacheFolder) -> Iterator[TileCache]:
    """The cache as it is, which nothing is written to.

    Raises:
        StoreUnavailable: there is none on this host, or this user may not open it.
    """
    if not (folder.path / "data.mdb").exists():
        message = f"no tiles are kept in {folder.path} yet"
        raise StoreUnavailable(message)
    cache = TileCache(folder, None)
    try:
        yield cache
    finally:
        cache.close()


def _document(cache: TileCache, contents: Contents, max_bytes: int) -> dict[str, Any]:
    counted = cache.counts()
    return {
        "counters": {name: counted.get(name, 0) for name in COUNTERS},
        "tiles": contents.tiles,
        "used_bytes": cache.used_bytes(),
        "max_bytes": max_bytes,
        "by_layers_and_zoom": [
            {"layers": layers, "z": z, **asdict(group)}
            for (layers, z), group in sorted(contents.groups.items())
        ],
        "largest": [
            {
                "layers": tile.layers,
                **_place(tile.key.grid.name, tile.key.z, tile.key.x, tile.key.y),
                "clearance": Clearance(tile.key.level).label,
                "size_bytes": tile.size_bytes,
                "kept_bytes": tile.kept_bytes,
            }
            for tile in contents.largest
        ],
        "slowest": [
            {
                "layers": one.layers,
                **_place(one.grid, one.z, one.x, one.y),
                "clearance": Clearance(one.level).label,
                "milliseconds": round(one.milliseconds, 1),
                "rendered_at": datetime.fromtimestamp(one.at, UTC),
            }
            for one in cache.slowest()[:_ROWS]
        ],
    }


def _place(grid: str, z: int, x: int, y: int) -> dict[str, Any]:
    return {"grid": grid, "tile": f"{z}/{x}/{y}"}


def _print(document: dict[str, Any]) -> None:
    console = table_console()
    counters = document["counters"]
    asked = counters["hits"] + counters["misses"] + counters["coalesced"]
    share = f"{counters['hits'] / asked:.1%} of requests were hits" if asked else "nobody asked yet"
    told = ", ".join(f"{name} {counters[name]:,}" for name in COUNTERS)
    console.print(f"{told}; {share}", highlight=False)
    used, most = document["used_bytes"] / 1e6, document["max_bytes"] / 1e6
    console.print(
        f"{document['tiles']:,} tiles take {used:,.1f} of {most:,.0f} MB", highlight=False
    )
    by_zoom = Table("layers", "zoom", "tiles", "kept bytes", "largest, uncompressed")
    for row in document["by_layers_and_zoom"]:
        numbers = (row["tiles"], row["kept_bytes"], row["largest_bytes"])
        by_zoom.add_row(shown(row["layers"]), str(row["z"]), *(f"{n:,}" for n in numbers))
    console.print(by_zoom)
    if document["largest"]:
        largest = Table("largest", "grid", "tile", "clearance", "bytes", "kept bytes")
        for row in document["largest"]:
            sizes = (f"{row['size_bytes']:,}", f"{row['kept_bytes']:,}")
            largest.add_row(
                shown(row["layers"]), row["grid"], row["tile"], row["clearance"], *sizes
            )
        console.print(largest)
    if document["slowest"]:
        slowest = Table("slowest", "grid", "tile", "clearance", "ms", "rendered at")
        for row in document["slowest"]:
            when = (f"{row['milliseconds']:,.1f}", minute(row["rendered_at"]))
            slowest.add_row(shown(row["layers"]), row["grid"], row["tile"], row["clearance"], *when)
        console.print(slowest)

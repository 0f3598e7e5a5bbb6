"""The demonstration: a sample city made, loaded, watched live and served, from nothing.

Running it again makes and loads only what is missing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import select, update
from sqlalchemy.sql import func

from geoservice.db import DatabaseAddress
from geoservice.keys import create_key
from geoservice.sample_bars import write_with_bars
from geoservice.sample_city import ManifestFile, read_manifest
from geoservice.sample_city.land import CENTRE_LAT, CENTRE_LON
from geoservice.server import prepare_database, serve
from geoservice.settings import Settings
from layers.access import Action, Clearance, Grant
from layers.errors import SourceError
from layers.registry import LAYERS
from layers.roles import Role
from layers.system_tables import api_keys, loads

DEMO_LABEL = "demo"
LIVE_SOURCE = "sample-city"
TERRAIN = "terrain"
"""What the manifest calls the heights, and what the raster of them is called."""

TERRAIN_OPTIONS = (
    "--kind", "terrain", "--clearance", "public", "--title", "地形", "--title-en", "Terrain",
)  # fmt: skip

console = Console(stderr=True, soft_wrap=True)


def run_demo(settings: Settings, *, features: int, seed: int) -> None:
    """Make, load and serve the sample city until a signal comes."""
    console.print("[bold]1/4[/] preparing the database ...")
    address = prepare_database(settings)
    folder = settings.database.folder / f"sample-city-{features}-{seed}"
    console.print(f"[bold]2/4[/] the sample city: {features:,} features ...")
    make_city(folder, features=features, seed=seed)
    console.print("[bold]3/4[/] loading its files ...")
    load_city(address, folder)
    key, live_key = make_keys(address)
    base = f"http://{settings.http.host}:{settings.http.port}"
    console.print("[bold]4/4[/] serving; Ctrl-C ends it, the data stay")
    console.print(f"  public map       {base}/map")
    console.print(f"  government map   {base}/map#key={key}", highlight=False)
    console.print(f"  key for trying   {key}", highlight=False)
    introduce_city()
    with live_source(folder, seed=seed, base=base, key=live_key):
        serve(settings)


def introduce_city() -> None:
    """Have the map open where the sample city is built up, and say that it is made up.

    Workers read their settings from the environment; what is set there already stays.
    """
    view = json.dumps([CENTRE_LON, CENTRE_LAT, 15.5])
    os.environ.setdefault("GEOSERVICE_CITY__VIEW", view)
    os.environ.setdefault("GEOSERVICE_CITY__ATTRIBUTION", "虚构的示例数据 Made-up sample data")


def make_city(folder: Path, *, features: int, seed: int) -> None:
    """Write the files of the sample city, unless they are there."""
    if (folder / "manifest.json").exists():
        console.print(f"  its files are in {folder}")
        return
    folder.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        write_with_bars(bars, folder, features=features, seed=seed)


def load_city(address: DatabaseAddress, folder: Path) -> None:
    """Load every file of the sample city that has not been loaded, through the command line."""
    names = {layer.name for layer in LAYERS}
    done = _loaded_files(address)
    every = [f for f in read_manifest(folder).files if f.path not in done]
    for terrain in (file for file in every if file.layer == TERRAIN):
        _load(folder, "raster", TERRAIN_OPTIONS, [terrain], name=TERRAIN)
    files = [f for f in every if f.layer in names]
    for (layer, options), group in groupby(files, key=lambda f: (f.layer, f.options)):
        _load(folder, layer, options, list(group))


def _loaded_files(address: DatabaseAddress) -> set[str]:
    statement = select(loads.c.source).where(loads.c.state == "published")
    with address.connect(Role.LOADER) as connection:
        sources = connection.execute(statement).scalars()
        return {name for source in sources for name in source["files"]}


def _load(
    folder: Path,
    layer: str,
    options: tuple[str, ...],
    files: list[ManifestFile],
    *,
    name: str | None = None,
) -> None:
    """Load files into a layer, or as the raster of a name."""
    paths = [*([name] if name else []), *(str(folder / file.path) for file in files)]
    command = [sys.executable, "-P", "-m", "geoservice", "load", layer, *paths, *options]
    done = subprocess.run(command, check=False)
    if done.returncode != 0:
        message = f"{layer}: the sample city's own files were refused"
        raise SourceError(message)


def make_keys(address: DatabaseAddress) -> tuple[str, str]:
    """A government key for trying and one for the live source; those of earlier runs end."""
    with address.connect(Role.OWNER) as connection:
        connection.execute(
            update(api_keys)
            .where(api_keys.c.label == DEMO_LABEL, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=func.now())
        )
        key = create_key(
            connection,
            label=DEMO_LABEL,
            clearance=Clearance.GOVERNMENT,
            grants=[Grant(Action.LOAD, "*")],
        )
        live_key = create_key(
            connection,
            label=DEMO_LABEL,
            clearance=Clearance.PUBLIC,
            grants=[Grant(Action.OBSERVE, LIVE_SOURCE)],
        )
        connection.commit()
    return key, live_key


@contextmanager
def live_source(folder: Path, *, seed: int, base: str, key: str) -> Iterator[None]:
    """The sample city's source of live figures, as a process of its own beside the service."""
    command = [sys.executable, "-P", "-m", "geoservice", "sample-city", "live"]
    command += ["--folder", str(folder), "--seed", str(seed), "--url", base]
    source = subprocess.Popen(command, env=os.environ | {"SAMPLE_CITY_KEY": key})
    try:
        yield
    finally:
        source.terminate()
        source.wait()

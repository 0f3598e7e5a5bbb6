"""Pictures of a raster per second, made and kept: our service beside titiler on the same file.

Both read the Cloud-Optimized GeoTIFF that the load wrote, with one worker and bilinear resampling,
stretch it between the same values and encode PNG. titiler keeps no pictures, as it is usually put
behind another cache; what ours keeps is measured beside it all the same, as that is what users get.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import morecantile
from rich.console import Console

from benchmark_city import BenchmarkCity, tipg_python
from children import running
from geoservice.settings import Settings
from http_replay import replay
from layers.rasters import current_rasters
from layers.roles import Role
from measured import Aim, measure_in_turns, new_table, number_text, ratio_text, ratios, spread_text
from servers import CONNECTIONS, free_port, our_service

NAME = "benchmark_terrain"
MADE, KEPT, TITILER = "geoservice, made", "geoservice, kept", "titiler"
AIMS = {MADE: Aim(1), KEPT: Aim(10)}

_ZOOMS = range(11, 17)
_MOST_TILES = 120
_ROUNDS = {MADE: 2, KEPT: 20, TITILER: 2}
"""How often each tile is asked for in one measurement."""

_HOST = "127.0.0.1"
_HERE = Path(__file__).resolve().parent


def run(city: BenchmarkCity, console: Console, *, repeats: int) -> None:
    """Measure and print."""
    python = tipg_python()
    if python is None:
        console.print("[dim]titiler is not installed: run make bench[/]")
        return
    load_terrain(city)
    path, bounds, spans = _file(city)
    tiles = list(morecantile.tms.get("WebMercatorQuad").tiles(*bounds, zooms=list(_ZOOMS)))
    tiles = Random(city.seed).sample(tiles, min(_MOST_TILES, len(tiles)))
    addresses = [f"{tile.z}/{tile.x}/{tile.y}.png" for tile in tiles]
    query = urlencode({"url": path, "rescale": spans, "resampling": "bilinear"})
    ours = [f"/rasters/{NAME}/tiles/{address}?rescale={spans}" for address in addresses]
    theirs = [f"/tiles/WebMercatorQuad/{address}?{query}" for address in addresses]
    with ExitStack() as servers:
        made = servers.enter_context(our_service(city))
        kept = servers.enter_context(our_service(city, caches=True))
        titiler = servers.enter_context(_titiler(python, city))
        contestants = {MADE: (made, ours), KEPT: (kept, ours), TITILER: (titiler, theirs)}
        runs: dict[str, Callable[[], float]] = {
            name: partial(_ask, url, paths, len(paths) * _ROUNDS[name])
            for name, (url, paths) in contestants.items()
        }
        for once in runs.values():
            once()  # files are open and, where anything is kept, everything is
        measured = measure_in_turns(runs, repeats)
    title = f"Pictures per second, {len(tiles)} tiles of terrain, {CONNECTIONS} connections"
    table = new_table(title, "who", "pictures/s", "times titiler", "aim")
    for name, values in measured.items():
        compared = "" if name == TITILER else ratio_text(ratios(measured, name, TITILER))
        table.add_row(name, spread_text(values, number_text), compared, str(AIMS.get(name, "")))
    console.print(table)


def load_terrain(city: BenchmarkCity) -> None:
    """Load the sample city's terrain as a public raster; again it changes nothing."""
    command = [sys.executable, "-P", "-m", "geoservice", "load", "raster", NAME]
    command += [str(city.files / "terrain.tif"), "--clearance", "public"]
    subprocess.run(command, check=True, env=city.environment(), stdout=subprocess.DEVNULL)


def _file(city: BenchmarkCity) -> tuple[str, list[float], str]:
    """Path, bounds in degrees, and the values of black and white of the raster."""
    with city.address().connect(Role.READ_PUBLIC) as connection:
        (row,) = (r for r in current_rasters(connection, datetime.now(UTC)) if r.name == NAME)
    folder = Settings(database=city.settings()).raster_folder
    band = row.bands[0]
    spans = f"{band['min']:.1f},{band['max']:.1f}"
    return str(folder.absolute() / row.file_name), row.bounds, spans


def _ask(url: str, paths: list[str], requests: int) -> float:
    return replay(url, paths, {}, connections=CONNECTIONS, requests=requests).per_second


@contextmanager
def _titiler(python: Path, city: BenchmarkCity) -> Iterator[str]:
    port = free_port()
    command = [str(python), "-m", "uvicorn", "titiler_app:app", "--app-dir", str(_HERE)]
    command += ["--workers", "1", "--host", _HOST, "--port", str(port)]
    command += ["--no-access-log", "--log-level", "warning"]
    environment = city.environment(
        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_CACHEMAX="64", GDAL_NUM_THREADS="1"
    )
    url = f"http://{_HOST}:{port}"
    log = city.folder / "titiler.log"
    with running(command, environment=environment, log=log, ready_url=f"{url}/openapi.json"):
        yield url

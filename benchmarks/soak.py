"""The soak: full load with edits and worker deaths, then every tile held against a fresh rendering.

``make soak SECONDS=600``. Ends with code 1 if an answer was an error other than a declared 503, if
a tile differs from what a service without a cache renders, or if the service's memory grew.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Annotated

import httpx2
import typer
from rich.console import Console
from sqlalchemy import text

from benchmark_city import DATABASE, BenchmarkCity, benchmark_city, default_folder
from children import family, resident_bytes, run_measured
from geoservice.cli.terminal import table_console
from layers.roles import Role
from servers import our_service, service_command
from subject_tiles import LEVEL
from tile_trace import LAYERS, tile_trace, tiles_of

CLIENTS = 6
EDIT_EVERY_S = 5.0
KILL_EVERY_S = 45.0
SAMPLE_EVERY_S = 10.0
_SAMPLES_TO_JUDGE = 3
_MOST_GROWTH = 1.1
_EDITED = 6
"""Parcels that come, move and go."""

_TRANSPORT = (httpx2.TransportError,)

app = typer.Typer(pretty_exceptions_enable=False)


@dataclass
class Soak:
    """What is under way.

    Attributes:
        statuses: How often each was answered; ``lost`` are connections that died with a worker.
        samples: Resident memory of all processes of the service, bytes.
    """

    url: str
    headers: Mapping[str, str]
    paths: Sequence[str]
    ended: threading.Event = field(default_factory=threading.Event)
    statuses: Counter[str] = field(default_factory=Counter)
    edits: int = 0
    killed: int = 0
    samples: list[int] = field(default_factory=list)

    @property
    def has_grown(self) -> bool:
        """Whether memory was clearly higher in the second half of the time than in the first."""
        half = len(self.samples) // 2
        if half < _SAMPLES_TO_JUDGE:
            return False
        return max(self.samples[half:]) > _MOST_GROWTH * max(self.samples[:half])

    def ask(self, seed: int) -> None:
        """Ask for one tile after the other until the soak ends."""
        random = Random(seed)
        while not self.ended.is_set():
            with httpx2.Client(base_url=self.url, headers=self.headers, timeout=30) as client:
                self._ask_on(client, random)

    def _ask_on(self, client: httpx2.Client, random: Random) -> None:
        for _ in range(200):
            if self.ended.is_set():
                return
            try:
                status = client.get(random.choice(self.paths)).status_code
                self.statuses[str(status)] += 1
            except _TRANSPORT:
                self.statuses["lost"] += 1
                return


@app.command()
def main(
    seconds: Annotated[float, typer.Option(min=5, help="How long")] = 600,
    scale: Annotated[float, typer.Option(min=0.001, help="Million features")] = 0.02,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Soak a service of two workers."""
    console = table_console()
    with benchmark_city(default_folder(), scale=scale, seed=seed, fresh=False) as city:
        with city.as_superuser() as connection:
            trace = tile_trace(connection, Random(seed))
        paths = [
            f"/tiles/{layer.name}/{tile.z}/{tile.x}/{tile.y}.mvt"
            for layer in LAYERS
            for tile in tiles_of(layer, trace)
        ]
        paths += [f"/tiles/{layer.name}/{z}/{x}/{y}.mvt" for layer in LAYERS for z, x, y in _LOW]
        paths += [path + said for path in paths[:: len(paths) // _OF_EACH] for said in _SAID]
        paths += [path.replace("/parcels/", "/parcels,roads/") for path in paths if "?" not in path]
        paths = list(dict.fromkeys(paths))
        headers = {"Authorization": f"Bearer {city.key(LEVEL)}"}
        with our_service(city, caches=True, workers=2) as url:
            soak = Soak(url, headers, paths)
            _run(soak, city, seconds)
            kept = _contents(url, headers, paths)
        with our_service(city) as url:
            fresh = _contents(url, headers, paths)
    stale = [path for path in paths if kept[path] != fresh[path]]
    _print(console, soak, len(paths), stale)
    if stale or soak.has_grown or set(soak.statuses) - {"200", "204", "503", "lost"}:
        raise typer.Exit(1)


_LOW = ((0, 0, 0), (8, 208, 111), (10, 834, 446), (11, 1669, 892))
"""Tiles of low zooms that hold the city."""

_SAID = ("?datetime=2020-06-30", "?datetime=2035-01-01", "?filter=code%20%3E%20%27P%27")
_OF_EACH = 20
"""Tiles that are asked for with each of these as well."""


def _run(soak: Soak, city: BenchmarkCity, seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    tasks = [threading.Thread(target=soak.ask, args=(one,)) for one in range(CLIENTS)]
    tasks.append(threading.Thread(target=_edit, args=(soak, city)))
    tasks.append(threading.Thread(target=_kill, args=(soak,)))
    for task in tasks:
        task.start()
    try:
        while (left := ends_at - time.monotonic()) > 0:
            time.sleep(min(left, SAMPLE_EVERY_S))
            processes = [pid for root in _service_processes() for pid in family(root)]
            soak.samples.append(sum(resident_bytes(pid) for pid in processes))
    finally:
        soak.ended.set()
        for task in tasks:
            task.join()


def _edit(soak: Soak, city: BenchmarkCity) -> None:
    """Load a few parcels somewhere else each time, and take some of the loads back."""
    random = Random(7)
    file = city.folder / "soak.geojson"
    with city.address().connect(Role.LOADER) as connection:
        west, south = connection.execute(
            text(
                "SELECT ST_XMin(e), ST_YMin(e) FROM (SELECT ST_Centroid(ST_Extent(geom)) AS e "
                "FROM city.parcels) x"
            )
        ).one()
    environment = city.environment(DATABASE)
    while not soak.ended.wait(EDIT_EVERY_S):
        file.write_text(json.dumps(_parcels(random, west, south)), encoding="utf-8")
        command = [*service_command(), "load", "parcels", str(file), "--checks", "rows"]
        run_measured(command, environment=environment, cwd=city.folder)
        soak.edits += 1
        if random.random() < 0.3:
            with city.address().connect(Role.LOADER) as connection:
                last = connection.execute(
                    text("SELECT max(load_id) FROM city.loads WHERE state = 'published'")
                ).scalar_one()
            command = [*service_command(), "loads", "undo", str(last)]
            run_measured(command, environment=environment, cwd=city.folder)
            soak.edits += 1


def _parcels(random: Random, west: float, south: float) -> dict[str, object]:
    features = []
    for number in range(_EDITED):
        x, y = west + random.uniform(-0.02, 0.02), south + random.uniform(-0.02, 0.02)
        ring = [[x, y], [x + 0.002, y], [x + 0.002, y + 0.002], [x, y + 0.002], [x, y]]
        features.append(
            {
                "type": "Feature",
                "properties": {"code": f"SOAK{number}"},
                "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]},
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _kill(soak: Soak) -> None:
    """Kill a worker now and then, as a machine without memory does."""
    random = Random(11)
    while not soak.ended.wait(KILL_EVERY_S):
        workers = [pid for root in _service_processes() for pid in family(root) if _is_worker(pid)]
        if workers:
            os.kill(random.choice(workers), signal.SIGKILL)
            soak.killed += 1


def _service_processes() -> Iterator[int]:
    """The process that the soak has started to serve."""
    for pid in family(os.getpid()):
        if b"\0serve" in _command_of(pid):
            yield pid


def _is_worker(pid: int) -> bool:
    return b"spawn_main" in _command_of(pid)


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _contents(url: str, headers: Mapping[str, str], paths: Sequence[str]) -> dict[str, bytes]:
    found = {}
    with httpx2.Client(base_url=url, headers=headers, timeout=60) as client:
        for path in paths:
            answer = client.get(path)
            while answer.status_code == 503:
                time.sleep(0.5)
                answer = client.get(path)
            answer.raise_for_status()
            found[path] = answer.content
    return found


def _print(console: Console, soak: Soak, tiles: int, stale: Sequence[str]) -> None:
    asked = ", ".join(f"{status}: {count:,}" for status, count in sorted(soak.statuses.items()))
    console.print(f"answers by status: {asked}")
    console.print(f"{soak.edits} edits and undoings, {soak.killed} workers killed")
    megabytes = [round(sample / 1e6) for sample in soak.samples]
    console.print(f"memory of the service, MB, every {SAMPLE_EVERY_S:g} s: {megabytes}")
    if soak.has_grown:
        console.print(f"[red]memory grew by more than {_MOST_GROWTH - 1:.0%}[/]")
    console.print(f"{len(stale)} of {tiles} tiles differ from a fresh rendering {list(stale[:5])}")


if __name__ == "__main__":
    app()

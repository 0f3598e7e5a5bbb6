"""The benchmarks: ``python -P benchmarks --scale 1``. Timings are printed; they decide nothing."""

from __future__ import annotations

import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import explained
import subject_forecast
import subject_history
import subject_hits
import subject_intake
import subject_load
import subject_memory
import subject_nearest
import subject_network
import subject_overviews
import subject_raster
import subject_search
import subject_streams
import subject_tiles
import subject_travel
from benchmark_city import BenchmarkCity, benchmark_city, default_folder
from machine_facts import machine_facts, server_facts

WIDTH = 118


class Subject(StrEnum):
    """What is measured."""

    TILES = "tiles"
    HITS = "hits"
    LOAD = "load"
    MEMORY = "memory"
    HISTORY = "history"
    NEAREST = "nearest"
    SEARCH = "search"
    TRAVEL = "travel"
    NETWORK = "network"
    OVERVIEWS = "overviews"
    RASTER = "raster"
    INTAKE = "intake"
    STREAMS = "streams"
    FORECAST = "forecast"


_RUN = {
    Subject.TILES: subject_tiles.run,
    Subject.HITS: subject_hits.run,
    Subject.LOAD: subject_load.run,
    Subject.MEMORY: subject_memory.run,
    Subject.HISTORY: subject_history.run,
    Subject.NEAREST: subject_nearest.run,
    Subject.SEARCH: subject_search.run,
    Subject.TRAVEL: subject_travel.run,
    Subject.NETWORK: subject_network.run,
    Subject.OVERVIEWS: subject_overviews.run,
    Subject.RASTER: subject_raster.run,
    Subject.INTAKE: subject_intake.run,
    Subject.STREAMS: subject_streams.run,
    Subject.FORECAST: subject_forecast.run,
}


app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(
    scale: Annotated[
        float, typer.Option(min=0.001, max=10, help="Size of the sample city, million features")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another city")] = 1,
    subject: Annotated[
        list[Subject] | None, typer.Option(help="Only these; may be given again")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=99, help="Rounds of each comparison")] = 5,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make and load the city anew")] = False,
    explain: Annotated[
        Path | None, typer.Option(help="Write the plans of a tile and of a search to this file")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Where cities are kept between runs")] = None,
) -> None:
    """Measure tiles, loads, history and searches on a sample city, beside what others do."""
    # Told to end, Python must pass through what stops the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console(width=WIDTH, highlight=False)
    plans = explain.absolute() if explain else None
    cache = (folder or default_folder()).absolute()
    console.print(f"[dim]sample city of {scale:g} million features, seed {seed}, in {cache}[/]")
    with benchmark_city(cache, scale=scale, seed=seed, fresh=fresh) as city:
        console.print(_facts(city))
        for one in subject or list(Subject):
            _RUN[one](city, console, repeats=repeats)
        if plans:
            plans.write_text(explained.plans(city))
            console.print(f"plans written to {plans}")


def _facts(city: BenchmarkCity) -> Table:
    table = Table(title="Measured on", title_justify="left", title_style="bold", show_header=False)
    with city.as_superuser() as connection:
        for name, value in (*machine_facts(), *server_facts(connection)):
            table.add_row(name, value)
    return table


if __name__ == "__main__":
    app()

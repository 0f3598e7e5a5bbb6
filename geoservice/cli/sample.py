"""``geoservice sample-city``: a made-up Shenzhen as files, and as a live source of figures.

What a command needs is imported when it runs, so that the others start quickly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from layers.errors import InvalidParameter

LIVE = "live"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("sample-city")(sample_city)


def sample_city(
    target: Annotated[str, typer.Argument(help="Folder to write into, or the word live")],
    features: Annotated[
        int, typer.Option(min=1_000, max=10_000_000, help="How many features to make")
    ] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another city")] = 1,
    folder: Annotated[Path | None, typer.Option(help="live: folder of the city's files")] = None,
    url: Annotated[str, typer.Option(help="live: address of the service")] = (
        "http://127.0.0.1:8000"
    ),
    key: Annotated[
        str | None, typer.Option(envvar="SAMPLE_CITY_KEY", help="live: key that may observe")
    ] = None,
    every_s: Annotated[int, typer.Option(min=1, help="live: seconds between rounds")] = 60,
    rounds: Annotated[int, typer.Option(min=0, help="live: how many; 0 never ends")] = 0,
) -> None:
    """Write the files that a city's offices would exchange, or post figures as a source would."""
    if target == LIVE:
        if folder is None or key is None:
            raise InvalidParameter(LIVE, target, "needs --folder and --key")
        from geoservice.live import run_live

        run_live(folder, seed=seed, url=url, key=key, every_s=every_s, rounds=rounds)
        return
    from geoservice.sample_bars import write_with_bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        write_with_bars(bars, Path(target), features=features, seed=seed)
    console.print(f"wrote {target}; see {target}/manifest.json")

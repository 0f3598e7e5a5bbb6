"""``geoservice sample-city``: a made-up Shenzhen as files, and as a live source of figures."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from geoservice.live import post_figures
from geoservice.sample_city import observations_at, write_sample_city
from layers.errors import DatabaseUnavailable, InvalidParameter

LIVE = "live"
RETRY_S = 3


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
        run_live(folder, seed=seed, url=url, key=key, every_s=every_s, rounds=rounds)
        return
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        write_with_bars(bars, Path(target), features=features, seed=seed)
    console.print(f"wrote {target}; see {target}/manifest.json")


def write_with_bars(bars: Progress, folder: Path, *, features: int, seed: int) -> None:
    """Write a sample city, with a bar for each of its parts."""
    tasks = {}

    def show(part: str, done: int, total: int) -> None:
        if part not in tasks:
            tasks[part] = bars.add_task(part, total=total)
        bars.update(tasks[part], completed=done, total=total)

    write_sample_city(folder, features=features, seed=seed, progress=show)


def run_live(folder: Path, *, seed: int, url: str, key: str, every_s: int, rounds: int) -> None:
    """Post the figures of this minute, again and again, as a real source would."""
    console = Console(stderr=True)
    done = 0
    while rounds == 0 or done < rounds:
        figures = list(observations_at(folder, seed, datetime.now(UTC).replace(microsecond=0)))
        try:
            accepted = post_figures(url, key, figures, ttl_s=max(300, 2 * every_s))
        except DatabaseUnavailable as error:
            console.print(f"live: {error}; trying again in {RETRY_S} s")
            time.sleep(RETRY_S)
            continue
        console.print(f"live: {accepted:,} figures taken in")
        done += 1
        if rounds == 0 or done < rounds:
            time.sleep(every_s)

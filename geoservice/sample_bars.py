"""Writing a sample city while a terminal shows how far it is."""

from __future__ import annotations

from pathlib import Path

from rich.progress import Progress, TaskID

from geoservice.sample_city import write_sample_city


def write_with_bars(bars: Progress, folder: Path, *, features: int, seed: int) -> None:
    """Write a sample city, with a bar for each of its parts."""
    tasks: dict[str, TaskID] = {}

    def show(part: str, done: int, total: int) -> None:
        if part not in tasks:
            tasks[part] = bars.add_task(part, total=total)
        bars.update(tasks[part], completed=done, total=total)

    write_sample_city(folder, features=features, seed=seed, progress=show)

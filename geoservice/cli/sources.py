"""``geoservice sources``: take in figures from brokers and feeds.

What a command needs is imported when it runs, so that the others start quickly.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import print as show

from geoservice.logs import configure_logs
from geoservice.settings import Settings

if TYPE_CHECKING:
    from geoservice.sources.configuration import Source

app = typer.Typer(help="Take in live figures from MQTT brokers and feeds.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="YAML file of the sources", exists=True, dir_okay=False)]


@app.command()
def run(file: File) -> None:
    """Listen to brokers and poll feeds until a signal comes; several sources at once."""
    import asyncio

    from geoservice.db import Database, DatabaseAddress
    from geoservice.sources.runner import run_sources

    settings = Settings.read()
    configure_logs(settings.log)
    sources = _read(file)

    async def work() -> None:
        database = Database(DatabaseAddress(settings.database), settings.database.pool_size)
        try:
            await run_sources(database, sources, settings.observations)
        finally:
            await database.close()

    asyncio.run(work())


@app.command()
def check(file: File) -> None:
    """Say what a file of sources holds, and connect to nobody."""
    for source in _read(file):
        whence = source.mqtt or source.poll
        kind = "mqtt" if source.mqtt else "poll"
        show(f"{source.name}: {kind} {getattr(whence, 'topic', getattr(whence, 'url', ''))}")


def _read(file: Path) -> list[Source]:
    from geoservice.sources.configuration import read_sources

    try:
        return read_sources(file)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error

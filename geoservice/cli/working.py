"""``geoservice worker``: works off the loads that come in through the web.

What a command needs is imported when it runs, so that the others start quickly.
"""

from __future__ import annotations

import signal
import sys
import threading
from typing import Annotated

import typer

from geoservice.logs import configure_logs
from geoservice.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("worker")(worker)


def worker(
    with_service: Annotated[
        bool,
        typer.Option("--with-service", help="End when standard input does, as the service does"),
    ] = False,
) -> None:
    """Work off the loads that come in through the web, until a signal comes."""
    from geoservice.loads.worker import run_worker

    settings = Settings.read()
    configure_logs(settings.log)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if with_service:
        threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    run_worker(settings, stop)


def _stop_at_end_of_input(stop: threading.Event) -> None:
    while sys.stdin.buffer.read(1):
        pass
    stop.set()

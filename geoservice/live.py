"""A source of live figures: posts what a sample city's facilities would report."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from geoservice.sample_city import observations_at
from layers.errors import DatabaseUnavailable, InvalidParameter

BATCH = 2_000
TIMEOUT_S = 30
RETRY_S = 3


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


def post_figures(url: str, key: str, figures: Sequence[Mapping[str, Any]], *, ttl_s: int) -> int:
    """Post figures in batches and return how many the service took in.

    Args:
        url: Address of the service, ``http://`` or ``https://``.

    Raises:
        InvalidParameter: the address is of another kind.
        DatabaseUnavailable: the service does not answer, or refuses a batch.
    """
    if not url.startswith(("http://", "https://")):
        raise InvalidParameter("url", url, "begins with http:// or https://")
    accepted = 0
    for start in range(0, len(figures), BATCH):
        batch = [{**figure, "ttl_s": ttl_s} for figure in figures[start : start + BATCH]]
        accepted += _post(f"{url.rstrip('/')}/observations", key, batch)
    return accepted


def _post(url: str, key: str, batch: list[dict[str, Any]]) -> int:
    request = urllib.request.Request(  # noqa: S310  # the scheme is checked above
        url,
        data=orjson.dumps(batch),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  # as above
            return int(orjson.loads(answer.read())["accepted"])
    except OSError as error:
        message = f"the service did not take the figures: {error}"
        raise DatabaseUnavailable(message) from error

"""A source of live figures: posts what a sample city's facilities would report."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from layers.errors import DatabaseUnavailable, InvalidParameter

BATCH = 2_000
TIMEOUT_S = 30


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

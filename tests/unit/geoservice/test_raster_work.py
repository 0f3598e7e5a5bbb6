"""Threads that read pixels: bounded, and free again when nobody waits for what they read."""

from __future__ import annotations

import asyncio
import time

import pytest

from geoservice.raster_work import RasterThreads
from layers.errors import QueryTimedOut
from tiles.raster.patience import go_on


def read_for_ever() -> None:
    """As a picture of very many blocks would be made."""
    while True:
        go_on()
        time.sleep(0.005)


def test_a_read_that_takes_too_long_is_told_and_leaves_its_thread_to_the_next() -> None:
    async def ask() -> str:
        threads = RasterThreads(1, 10, timeout_s=0.1)
        with pytest.raises(QueryTimedOut):
            await threads.run(read_for_ever)
        return await threads.run(lambda: "read")

    assert "read" == asyncio.run(ask())


def test_a_read_whose_caller_has_gone_leaves_its_thread_to_the_next() -> None:
    async def ask() -> str:
        threads = RasterThreads(1, 10, timeout_s=60)
        gone = asyncio.create_task(threads.run(read_for_ever))
        await asyncio.sleep(0.05)
        gone.cancel()
        return await threads.run(lambda: "read")

    assert "read" == asyncio.run(ask())

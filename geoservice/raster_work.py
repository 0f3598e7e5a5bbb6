"""Blocking reads of pixels beside the event loop, so many at a time and no longer than so long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from layers.errors import QueryTimedOut, ServiceBusy
from tiles.raster.patience import NobodyWaits, Patience

_P = ParamSpec("_P")
_R = TypeVar("_R")


class RasterThreads:
    """A few threads for one worker.

    Args:
        threads: How many read at a time.
        max_waiting: How many more may wait for one.
        timeout_s: How long a caller waits at most. Reads that nobody waits for end at the next
            look, see ``tiles.raster.patience``; until then their thread stays taken.
    """

    def __init__(self, threads: int, max_waiting: int, timeout_s: float) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="raster")
        self._most = threads + max_waiting
        self._timeout_s = timeout_s
        self._under_way = 0

    async def run(self, read: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """What a blocking function returns.

        Raises:
            ServiceBusy: too many wait already.
            QueryTimedOut: it did not end in time.
        """
        patience = Patience(self._timeout_s)
        if self._under_way >= self._most:
            message = f"{self._under_way} reads of rasters are under way"
            raise ServiceBusy(message)
        future = self._pool.submit(patience.run, partial(read, *args, **kwargs))
        self._under_way += 1
        loop = asyncio.get_running_loop()

        def ended(_: object) -> None:
            self._under_way -= 1

        future.add_done_callback(lambda done: loop.call_soon_threadsafe(ended, done))
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.wrap_future(future)
        except (TimeoutError, NobodyWaits) as error:
            message = f"pixels were not read in {self._timeout_s:g} s"
            raise QueryTimedOut(message) from error
        finally:
            patience.end()

    def close(self) -> None:
        """Begin nothing more; what is under way ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

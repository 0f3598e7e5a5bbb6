"""How a worker tells how far a job is, hears that it is to stop, and shows that it lives.

One connection of its own in autocommit: it holds the session lock of the job, so that the lock
goes when the process does, and it is not held up by the transactions of the load.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, func, select, update

from layers.errors import GeoserviceError
from layers.load_jobs import Wish, change
from layers.system_tables import load_jobs

HEARTBEAT_S = 5.0
_TELL_EVERY_S = 0.4


class JobCancelled(GeoserviceError):
    """The user does not want the job any more."""

    def __init__(self) -> None:
        super().__init__("cancelled")


class JobInterrupted(GeoserviceError):
    """The worker is to end; another one will take the job up again."""

    def __init__(self) -> None:
        super().__init__("interrupted: the worker was stopped")


class JobReporter:
    """Tells of one job. All methods may be called from any thread.

    Args:
        connection: In autocommit; used by nobody else as long as the reporter is.
        stop: Set when the worker is to end.
    """

    def __init__(self, connection: Connection, job_id: int, stop: threading.Event) -> None:
        self._connection = connection
        self._job_id = job_id
        self._stop = stop
        self._one_at_a_time = threading.Lock()
        self._told_at = 0.0

    def step(self, name: str, done: int, total: int | None) -> None:
        """Tell that ``done`` of ``total`` rows have passed a step, unless that was told just now.

        Raises:
            JobCancelled: the user asked for it.
            JobInterrupted: the worker is to end.
        """
        if self._stop.is_set():
            raise JobInterrupted
        now = time.monotonic()
        if now - self._told_at < _TELL_EVERY_S and done != total:
            return
        self._told_at = now
        with self._one_at_a_time:
            told = change(
                step=name,
                rows_done=done,
                rows_total=total,
                heartbeat_at=func.clock_timestamp(),
            )
            mine = told.where(load_jobs.c.job_id == self._job_id)
            asked = self._connection.execute(mine.returning(load_jobs.c.asked)).scalar()
        if asked == Wish.CANCEL:
            raise JobCancelled

    def set(self, **values: Any) -> None:
        """Write columns of the job."""
        with self._one_at_a_time:
            changed = change(**values, heartbeat_at=func.clock_timestamp())
            self._connection.execute(changed.where(load_jobs.c.job_id == self._job_id))

    def read(self) -> dict[str, Any]:
        """The job as it is now."""
        with self._one_at_a_time:
            mine = select(load_jobs).where(load_jobs.c.job_id == self._job_id)
            return dict(self._connection.execute(mine).mappings().one())

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Keep the heartbeat going for as long as the block lasts, whatever else waits."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(HEARTBEAT_S):
                with self._one_at_a_time:
                    self._connection.execute(
                        update(load_jobs)
                        .where(load_jobs.c.job_id == self._job_id)
                        .values(heartbeat_at=func.clock_timestamp())
                    )

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

"""The worker: takes jobs one after another, and takes up those of workers that died.

A worker that is killed leaves its job in a state of work and without its session lock. The next
one asks the database what became of it: a load that was published is done, whatever else was lost;
anything else is begun anew, or given up and reported after a few times.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, func, null, select
from sqlalchemy.exc import DBAPIError

from geoservice.db import DatabaseAddress
from geoservice.loads.folders import UploadFolders
from geoservice.loads.names import ShownNames, StoredFile
from geoservice.loads.reporting import JobReporter
from geoservice.loads.work import (
    MAX_ATTEMPTS,
    JobWork,
    after_failure,
    is_undone,
    sign_load,
    waiting_state,
)
from geoservice.settings import Settings
from layers.errors import DatabaseUnavailable
from layers.load_jobs import (
    AT_WORK,
    ENDED,
    JobState,
    cancel_forgotten,
    cancel_waiting,
    change,
    claim,
    try_lock,
    unlock,
)
from layers.roles import Role
from layers.system_tables import load_jobs, loads
from loaders.staging import drop_leftovers

POLL_S = 0.5
_SWEEP_EVERY_S = 30.0
_RETRY_S = 2.0

log = structlog.get_logger(__name__)


def run_worker(settings: Settings, stop: threading.Event) -> None:
    """Work off jobs until told to stop; a database that is away is waited for."""
    address = DatabaseAddress(settings.database)
    log.info("load worker started")
    while not stop.is_set():
        try:
            with address.connect(Role.LOADER) as connection:
                _Worker(settings, address, connection, stop).run()
        except (DatabaseUnavailable, DBAPIError) as error:
            log.warning("load worker waits for the database", error=type(error).__name__)
            stop.wait(_RETRY_S)
    log.info("load worker stopped")


class _Worker:
    """A worker as long as its connection lasts."""

    def __init__(
        self,
        settings: Settings,
        address: DatabaseAddress,
        connection: Connection,
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._address = address
        # In autocommit: it holds the session locks of jobs, and no snapshot.
        self._connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        self._stop = stop
        self._folders = UploadFolders(settings.upload_folder, settings.load.upload_quota_bytes)

    def run(self) -> None:
        swept_at = -_SWEEP_EVERY_S
        while not self._stop.is_set():
            if time.monotonic() - swept_at >= _SWEEP_EVERY_S:
                self._remove_old_files()
                swept_at = time.monotonic()
            self._take_up_orphans()
            self._cancel()
            if not self._work_on_next():
                self._stop.wait(POLL_S)

    def _work_on_next(self) -> bool:
        """Take the next job and work on it; False if none waits."""
        job = self._connection.execute(claim()).mappings().first()
        if job is None:
            return False
        try:
            reporter = JobReporter(self._connection, job["job_id"], self._stop)
            JobWork(self._settings, self._address, dict(job), reporter).run()
        finally:
            self._connection.execute(unlock(job["job_id"]))
        return True

    @contextmanager
    def _locked(self, job_id: int) -> Iterator[bool]:
        """Hold the session lock of a job, unless somebody else does."""
        is_mine: bool = self._connection.execute(try_lock(job_id)).scalar_one()
        try:
            yield is_mine
        finally:
            if is_mine:
                self._connection.execute(unlock(job_id))

    def _cancel(self) -> None:
        for job_id in self._connection.execute(cancel_waiting()).scalars():
            log.info("job cancelled", job=job_id)
        after = timedelta(hours=self._settings.load.upload_retention_h)
        message = "it was not confirmed in time"
        self._connection.execute(cancel_forgotten(after, message))

    def _take_up_orphans(self) -> None:
        """See to the jobs whose worker died."""
        at_work = select(load_jobs.c.job_id).where(load_jobs.c.state.in_(AT_WORK))
        for job_id in self._connection.execute(at_work).scalars().all():
            with self._locked(job_id) as is_mine:
                if is_mine:
                    self._take_up(job_id)

    def _take_up(self, job_id: int) -> None:
        mine = load_jobs.c.job_id == job_id
        job = self._connection.execute(select(load_jobs).where(mine)).mappings().one()
        state = JobState(job["state"])
        if state not in AT_WORK:
            return  # its worker ended it between two looks
        values = self._what_became_of(dict(job), state)
        if values is None:
            return
        self._connection.execute(change(**values).where(mine, load_jobs.c.state == state))
        log.warning("job of a dead worker", job=job_id, was=state.value, now=str(values["state"]))

    def _what_became_of(self, job: dict[str, Any], state: JobState) -> dict[str, Any] | None:
        """The columns of a job whose worker died; None while the database still works on it."""
        if state is JobState.LOADING:
            drop_leftovers(self._connection)
            load = self._load_of(job)
            if load is not None and load["state"] == "published":
                return self._done(job, load)
            if load is not None and load["state"] == "staging":
                return None
        if state is JobState.UNDOING and is_undone(self._connection, job["load_id"]):
            return {"state": JobState.UNDONE, "asked": None, "finished_at": func.clock_timestamp()}
        if job["attempts"] < MAX_ATTEMPTS:
            return waiting_state(state)
        return {
            "state": after_failure(state),
            "asked": None,
            "message": f"given up: {job['attempts']} workers have died of it",
            "finished_at": func.clock_timestamp(),
        }

    def _load_of(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """The newest row of ``loads`` that is of a job: it says so, or names the stored files."""
        found = self._connection.execute(
            select(loads)
            .where(loads.c.layer == job["layer"], loads.c.started_at >= job["created_at"])
            .where(
                (loads.c.source["job_id"].as_integer() == job["job_id"])
                | loads.c.source["files"].astext.contains(job["folder"], autoescape=True)
            )
            .order_by(loads.c.load_id.desc())
            .limit(1)
        )
        row = found.mappings().first()
        return dict(row) if row is not None else None

    def _done(self, job: dict[str, Any], load: dict[str, Any]) -> dict[str, Any]:
        """The columns of a job whose load was published before its worker died."""
        names = ShownNames(StoredFile.from_json(one) for one in job["files"])
        sign_load(self._connection, load["load_id"], job["job_id"], names)
        return {
            "state": JobState.DONE,
            "asked": None,
            "message": None,
            "load_id": load["load_id"],
            "result": {"load_id": load["load_id"], "layer": job["layer"], **load["counts"]},
            "finished_at": func.clock_timestamp(),
        }

    def _remove_old_files(self) -> None:
        """Remove files of jobs that ended long ago or were cancelled, and of no job at all."""
        kept = timedelta(hours=self._settings.load.upload_retention_h)
        ended = select(load_jobs.c.job_id, load_jobs.c.folder).where(
            load_jobs.c.files_removed_at.is_(None),
            load_jobs.c.state.in_(ENDED),
            (load_jobs.c.finished_at < func.clock_timestamp() - kept)
            | (load_jobs.c.state == JobState.CANCELLED),
        )
        for job_id, folder in self._connection.execute(ended).all():
            self._folders.remove(folder)
            removed = change(files_removed_at=func.clock_timestamp())
            self._connection.execute(removed.where(load_jobs.c.job_id == job_id))
        self._forget_purged()
        for token in self._folders.tokens():
            # In this order: an upload lets go of its folder after its job has been put in.
            if not self._folders.is_coming_in(token) and not self._has_job(token):
                self._folders.remove(token)
                log.info("files of no job removed")

    def _forget_purged(self) -> None:
        """Forget what is known of uploads whose load has been purged, and their files."""
        purged = (
            select(load_jobs.c.job_id, load_jobs.c.folder)
            .join(loads, loads.c.load_id == load_jobs.c.load_id)
            .where(loads.c.state == "purged", load_jobs.c.report.is_not(None))
        )
        for job_id, folder in self._connection.execute(purged).all():
            self._folders.remove(folder)
            forgotten = change(
                preview=null(),
                report=null(),
                result=null(),
                message="purged",
                files_removed_at=func.clock_timestamp(),
            )
            self._connection.execute(forgotten.where(load_jobs.c.job_id == job_id))

    def _has_job(self, token: str) -> bool:
        found = select(load_jobs.c.job_id).where(load_jobs.c.folder == token)
        return self._connection.execute(found).first() is not None

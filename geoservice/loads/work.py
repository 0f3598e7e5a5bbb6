"""One job, from its files to its report: the check, the load, the undo."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, exists, func, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from geoservice.db import DatabaseAddress
from geoservice.loads.folders import UploadFolders
from geoservice.loads.inspection import Inspection
from geoservice.loads.names import ShownNames, StoredFile, data_sets
from geoservice.loads.options import read_limits
from geoservice.loads.preview import FILE_NAME
from geoservice.loads.reporting import JobCancelled, JobInterrupted, JobReporter
from geoservice.settings import Settings
from geoservice.theme_loading import refresh_themes
from geoservice.tile_cache.confirmation import wait_for_readers
from layers.errors import CannotUndo, DatabaseUnavailable, GeoserviceError
from layers.load_jobs import JobState, Wish
from layers.registry import get_layer
from layers.roles import Role
from layers.system_tables import loads
from layers.undo import undo_load
from loaders import LoadOptions, LoadReport, load, parse_mapping
from loaders.findings import FindingLog
from loaders.rules import Severity, find_rule

log = structlog.get_logger(__name__)

MAX_FINDINGS = 500
"""Findings that a job lists; all are counted, and a load keeps more."""

MAX_ATTEMPTS = 3
"""After so many workers have died of a job it is given up: the next would, too."""

_PAUSE_S = 2.0

_CONNECTION_LOST = (OperationalError, InterfaceError)
"""The job is taken up again when the database is back."""

_FAULT = "the service failed; the log of the worker says why"


class JobWork:
    """The work on one job that a worker has taken.

    Args:
        job: Its row.
    """

    def __init__(
        self,
        settings: Settings,
        address: DatabaseAddress,
        job: Mapping[str, Any],
        reporter: JobReporter,
    ) -> None:
        self._settings = settings
        self._address = address
        self._job = job
        self._reporter = reporter
        self._files = tuple(StoredFile.from_json(one) for one in job["files"])
        self._names = ShownNames(self._files)
        folders = UploadFolders(settings.upload_folder, settings.load.upload_quota_bytes)
        self._folder = folders.of(job["folder"])

    def run(self) -> None:
        """Do what the job's state says, and write down how it ended."""
        state = JobState(self._job["state"])
        step = {
            JobState.CHECKING: self._check,
            JobState.LOADING: self._load,
            JobState.UNDOING: self._undo,
        }[state]
        try:
            with self._reporter.alive():
                refresh_themes(self._address)
                step()
        except JobInterrupted:
            self._give_back(state)
        except JobCancelled:
            self._end(JobState.CANCELLED, None)
        except DatabaseUnavailable as error:
            self._wait_for_database(state, error)
        except GeoserviceError as error:
            self._end(after_failure(state), self._names.in_text(str(error)))
        except _CONNECTION_LOST:
            raise
        except Exception:
            log.exception("job failed", job=self._job["job_id"])
            self._end(after_failure(state), _FAULT)
        log.info("job worked on", job=self._job["job_id"], was=state.value)

    def _give_back(self, state: JobState) -> None:
        """Have the next worker begin the step anew."""
        waiting = waiting_state(state)
        self._reporter.set(**waiting, step=None, rows_done=None, rows_total=None, attempts=0)

    def _wait_for_database(self, state: JobState, error: DatabaseUnavailable) -> None:
        """Have the step begun anew when the database takes rows again, unless that was tried."""
        if self._job["attempts"] >= MAX_ATTEMPTS:
            self._end(after_failure(state), str(error))
            return
        time.sleep(_PAUSE_S)
        self._reporter.set(**waiting_state(state), message=str(error))

    def _end(self, state: JobState, message: str | None, **values: Any) -> None:
        self._reporter.set(
            state=state,
            asked=None,
            message=message,
            attempts=0,
            finished_at=func.clock_timestamp(),
            **values,
        )

    def _check(self) -> None:
        layer = get_layer(self._job["layer"])
        inspection = Inspection(
            layer,
            self._settings.city.frame(),
            self._folder / FILE_NAME,
            self._settings.load.max_preview_rows,
        )
        with self._address.connect_loader() as connections:
            report = load(
                connections,
                layer,
                self._data(),
                self._options(dry_run=True),
                self._reporter,
                inspection.look,
            )
        found = {
            "clearance": int(inspection.clearance),
            "report": {
                **self._names.in_document(report.as_json()),
                "findings": self._names.in_document(_listed(report.findings)),
                "finding_count": sum(report.findings.counts.values()),
            },
            "preview": {"rows": inspection.shown_rows, "has_all": inspection.has_all},
        }
        refusal = self._refusal(report)
        if refusal:
            self._end(JobState.FAILED, refusal, **found)
        else:
            # What was asked meanwhile stays asked: the queue sees to it.
            self._reporter.set(state=JobState.READY, attempts=0, message=None, **found)

    def _refusal(self, report: LoadReport) -> str | None:
        """Why what was checked cannot be loaded, if it cannot."""
        if self._job["options"]["on_error"] == "reject" and report.rejected:
            return f"{report.rejected} of {report.read} rows cannot be loaded, so none is"
        if report.read == 0:
            return "there are no rows in it"
        return None

    def _load(self) -> None:
        with self._address.connect_loader() as connections:
            report = load(
                connections,
                get_layer(self._job["layer"]),
                self._data(),
                self._options(dry_run=False),
                self._reporter,
            )
            assert report.load_id is not None  # noqa: S101  # for mypy: it was no dry run
            sign_load(connections.sql, report.load_id, self._job["job_id"], self._names)
        self._end(
            JobState.DONE,
            None,
            load_id=report.load_id,
            result=self._names.in_document(report.as_json()),
        )

    def _undo(self) -> None:
        load_id = self._job["load_id"]
        with self._address.connect(Role.LOADER) as connection:
            try:
                undo_load(connection, load_id)
                connection.commit()
            except CannotUndo:
                connection.rollback()
                if not is_undone(connection, load_id):
                    raise
        wait_for_readers(self._address)
        self._end(JobState.UNDONE, None)

    def _data(self) -> list[Path]:
        return data_sets(self._files, self._folder)

    def _options(self, *, dry_run: bool) -> LoadOptions:
        said = self._job["options"]
        valid_from, valid_to = said["valid_from"], said["valid_to"]
        return LoadOptions(
            city=self._settings.city.frame(),
            crs=said["crs"],
            encoding=said["encoding"],
            mapping=parse_mapping(said["mapping"]),
            key=tuple(said["key"]) if said["key"] else None,
            valid_from=datetime.fromisoformat(valid_from) if valid_from else None,
            valid_to=datetime.fromisoformat(valid_to) if valid_to else None,
            is_correction=said["correct"],
            is_complete=said["complete"],
            source_layer=said["source_layer"],
            # A check finds all that is wrong, whatever is made of it then.
            on_error="quarantine" if dry_run else said["on_error"],
            dry_run=dry_run,
            limits=read_limits(self._settings.load),
        )


def waiting_state(state: JobState) -> dict[str, Any]:
    """The columns with which a job waits for a step that was not ended."""
    if state is JobState.LOADING:
        return {"state": JobState.READY, "asked": Wish.CONFIRM}
    if state is JobState.UNDOING:
        return {"state": JobState.DONE, "asked": Wish.UNDO}
    return {"state": JobState.UPLOADED}


def after_failure(state: JobState) -> JobState:
    """A load that could not be undone is still loaded."""
    return JobState.DONE if state is JobState.UNDOING else JobState.FAILED


def sign_load(connection: Connection, load_id: int, job_id: int, names: ShownNames) -> None:
    """Have the history of loads name the job, and files as their user does; commits."""
    mine = loads.c.load_id == load_id
    source = connection.execute(select(loads.c.source).where(mine)).scalar_one()
    signed = {**names.in_document(source), "job_id": job_id}
    connection.execute(update(loads).where(mine).values(source=signed))
    connection.commit()


def is_undone(connection: Connection, load_id: int) -> bool:
    """Whether a load is undone now, by an undoing that has not been undone itself."""
    undoing, again = loads.alias("undoing"), loads.alias("again")
    is_back = exists().where(again.c.undoes == undoing.c.load_id, again.c.state == "published")
    found = select(undoing.c.load_id).where(
        undoing.c.undoes == load_id, undoing.c.state == "published", ~is_back
    )
    return connection.execute(found).first() is not None


def _listed(findings: FindingLog) -> list[dict[str, Any]]:
    """The first findings, errors before warnings, with what decides who may read what of them."""
    ordered = sorted(findings.kept, key=lambda one: one.severity is not Severity.ERROR)
    return [
        {**one.as_json(), "title": find_rule(one.rule).title.as_json(), "clearance": one.clearance}
        for one in ordered[:MAX_FINDINGS]
    ]

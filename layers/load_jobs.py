"""Jobs of loading through the web: what may follow what, and the statements on their table.

The web puts a job in and asks for the next step; only a worker, as the loader role, says what
became of it. A job whose worker died is told from one at work by a session lock on its number.

    uploaded -> checking -> ready -> loading -> done -> undoing -> undone
                   |          |         |
                   +----------+---------+--> failed, cancelled
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Insert,
    Integer,
    Select,
    Update,
    and_,
    case,
    cast,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from layers.system_tables import load_jobs

WEB_INSERTS = ("folder", "layer", "files", "options", "created_by")
WEB_UPDATES = ("asked", "asked_by")
"""The columns that the web may write; everything else is the worker's."""

_LOCK = "load job"


class JobState(StrEnum):
    """How far a job is."""

    UPLOADED = "uploaded"
    CHECKING = "checking"
    READY = "ready"
    LOADING = "loading"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"
    FAILED = "failed"
    CANCELLED = "cancelled"


AT_WORK = (JobState.CHECKING, JobState.LOADING, JobState.UNDOING)
"""A worker is at it, or was when it died."""

ENDED = (JobState.DONE, JobState.UNDONE, JobState.FAILED, JobState.CANCELLED)
"""Nothing more happens by itself."""


class Wish(StrEnum):
    """What a user may ask of a job."""

    CONFIRM = "confirm"
    CANCEL = "cancel"
    UNDO = "undo"


WISHES: Mapping[Wish, tuple[JobState, ...]] = {
    Wish.CONFIRM: (JobState.READY,),
    Wish.CANCEL: (JobState.UPLOADED, JobState.CHECKING, JobState.READY, JobState.LOADING),
    Wish.UNDO: (JobState.DONE,),
}
"""The states in which each may be asked."""

_NEXT = {
    Wish.CONFIRM: JobState.LOADING,
    Wish.UNDO: JobState.UNDOING,
}


def insert_job(
    *,
    folder: str,
    layer: str,
    files: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    created_by: int,
) -> ReturningInsert[int]:
    """The statement that puts a job in and returns its number."""
    statement: Insert = insert(load_jobs).values(
        folder=folder,
        layer=layer,
        files=list(files),
        options=dict(options),
        created_by=created_by,
    )
    return statement.returning(load_jobs.c.job_id)


def select_job(job_id: int, layers: Collection[str]) -> Select[Any]:
    """The statement that finds a job of one of some layers."""
    return select(load_jobs).where(load_jobs.c.job_id == job_id, load_jobs.c.layer.in_(layers))


def select_jobs(layers: Collection[str], *, limit: int, before: int | None) -> Select[Any]:
    """The statement that lists jobs of some layers, newest first.

    Args:
        before: Only jobs with lower numbers; None begins with the newest.
    """
    statement = select(load_jobs).where(load_jobs.c.layer.in_(layers))
    if before is not None:
        statement = statement.where(load_jobs.c.job_id < before)
    return statement.order_by(load_jobs.c.job_id.desc()).limit(limit)


def ask(job_id: int, wish: Wish, *, asked_by: int) -> ReturningUpdate[int]:
    """The statement that asks something of a job: no row where its state does not allow it."""
    free: ColumnElement[bool] = load_jobs.c.asked.is_(None)
    if wish is Wish.CANCEL:  # also of a load that was confirmed and has not begun
        free = or_(free, load_jobs.c.asked != Wish.UNDO)
    return (
        update(load_jobs)
        .where(load_jobs.c.job_id == job_id, load_jobs.c.state.in_(WISHES[wish]), free)
        .values(asked=wish, asked_by=asked_by)
        .returning(load_jobs.c.job_id)
    )


def claim() -> ReturningUpdate[Any]:
    """The statement by which a worker takes the oldest job that waits for one.

    A job that another worker is taking right now is passed over. The session lock of the job is
    taken by the same statement: once others see the new state, a job without a lock is one whose
    worker died. Column ``is_locked`` says that it was.
    """
    waits = or_(
        and_(load_jobs.c.state == JobState.UPLOADED, load_jobs.c.asked.is_(None)),
        *(and_(load_jobs.c.state.in_(WISHES[wish]), load_jobs.c.asked == wish) for wish in _NEXT),
    )
    oldest = (
        select(load_jobs.c.job_id)
        .where(waits)
        .order_by(load_jobs.c.job_id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    following = case(
        *((load_jobs.c.asked == wish, state.value) for wish, state in _NEXT.items()),
        else_=JobState.CHECKING.value,
    )
    return (
        update(load_jobs)
        .where(load_jobs.c.job_id == oldest)
        .values(
            state=following,
            asked=None,
            step=None,
            rows_done=None,
            rows_total=None,
            attempts=load_jobs.c.attempts + 1,
            heartbeat_at=func.clock_timestamp(),
            change_no=load_jobs.c.change_no + 1,
        )
        .returning(load_jobs, _lock_call("pg_try_advisory_lock").label("is_locked"))
    )


def _lock_call(function: str) -> ColumnElement[bool]:
    call: ColumnElement[bool] = getattr(func, function)(
        func.hashtext(_LOCK), cast(load_jobs.c.job_id, Integer)
    )
    return call


def cancel_waiting() -> ReturningUpdate[int]:
    """The statement that ends the jobs that wait and are to be cancelled."""
    waiting = (JobState.UPLOADED, JobState.READY)
    return (
        change(state=JobState.CANCELLED, asked=None, finished_at=func.clock_timestamp())
        .where(load_jobs.c.state.in_(waiting), load_jobs.c.asked == Wish.CANCEL)
        .returning(load_jobs.c.job_id)
    )


def cancel_forgotten(after: timedelta, message: str) -> Update:
    """The statement that ends the jobs that nobody confirmed in time."""
    since = load_jobs.c.heartbeat_at
    return change(
        state=JobState.CANCELLED, asked=None, message=message, finished_at=func.clock_timestamp()
    ).where(
        load_jobs.c.state == JobState.READY,
        load_jobs.c.asked.is_(None),
        since < func.clock_timestamp() - after,
    )


def change(**values: Any) -> Update:
    """A change of a job by the worker, counted; say of which with ``where``."""
    return update(load_jobs).values(change_no=load_jobs.c.change_no + 1, **values)


def try_lock(job_id: int) -> Select[bool]:
    """The statement by which a worker holds a job for as long as its session lasts, if it can."""
    return select(_lock_call("pg_try_advisory_lock")).where(load_jobs.c.job_id == job_id)


def unlock(job_id: int) -> Select[bool]:
    """The statement that lets a job go."""
    return select(_lock_call("pg_advisory_unlock")).where(load_jobs.c.job_id == job_id)

"""Partitions filled apart: the quick way for many new versions into an empty partition.

Filling a table without indexes and building these afterwards is quicker than inserting into one
that has them, and both can be done on two connections at once (measured, 300,000 lines on two
shared cores: 1.6 s instead of 2.3 s; GiST takes most of the difference). So where a partition of
held versions is empty and many rows are new to it, a draft of it is filled and indexed, and then
put in its place by the transaction of the publication, under whose lock all of this happens. Until
that commits, nobody sees the draft; what is left of one that failed is dropped with the staging
tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from layers.access import Clearance
from layers.base import Layer
from layers.tables import STAGING_SCHEMA

_WORKERS = 2
_METHODS = ("gist", "btree")
"""Access methods of indexes; built at the same time, they take about as long."""

ADOPTION_TIMEOUT_S = 5
"""How long a draft may wait for its place before its rows are inserted after all. All its locks
together: while it waits for one, new readers wait behind it."""

_Job = tuple[str, Mapping[str, Any]]

_MAKE_DRAFT = "SELECT city.make_draft(:layer, :clearance, :load_id)"
_CLOSE_DRAFT = "SELECT city.close_draft(:layer, :clearance, :load_id, :recorded_at)"


@dataclass(frozen=True)
class Apart:
    """How a publication may work on other connections.

    Attributes:
        connect: Opens a connection of the same role as that of the publication.
        least_rows: New rows of a partition for which a draft is made.
        staged: Whether rows were staged in drafts, see ``stage_drafts``.
    """

    connect: Callable[[], AbstractContextManager[Connection]]
    least_rows: int = 20_000
    staged: bool = False


def draft_name(clearance: Clearance, load_id: int) -> str:
    """Name of the draft of a partition, with its schema."""
    return f"{STAGING_SCHEMA}.draft_{clearance:d}_{load_id}"


def stage_drafts(
    connection: Connection, layer: Layer, load_id: int, valid_from: datetime | None
) -> None:
    """Make the staging table of a load so that its parts can become the partitions of the layer.

    For a layer without any rows. Rows of which nothing is left to find out are copied once only.

    Args:
        valid_from: Since when rows without a date of their own hold; None keeps these apart, as it
            will be the recorded instant.
    """
    connection.execute(
        text("SELECT city.stage_drafts(:layer, :load_id, :valid_from)"),
        {"layer": layer.name, "load_id": load_id, "valid_from": valid_from},
    )


def analyze_staged(connection: Connection, load_id: int) -> None:
    """Tell the planner of rows staged in drafts."""
    connection.execute(text("SELECT city.analyze_staged(:load_id)"), {"load_id": load_id})


def fill_drafts(
    apart: Apart,
    layer: Layer,
    load_id: int,
    clearances: Sequence[Clearance],
    fill: str,
    parameters: Mapping[str, Any],
) -> None:
    """Make, fill and index the drafts of some partitions, and commit that.

    Drafts that rows were staged in leave staging, and get the rows that were kept apart.

    Args:
        fill: INSERT with ``{draft}`` for the name of the table; ``clearance``, ``part`` and
            ``parts`` are bound besides the parameters and say which rows are meant.
    """
    names = [
        {**parameters, "layer": layer.name, "clearance": int(c), "load_id": load_id}
        for c in clearances
    ]
    makings: list[_Job] = [(_CLOSE_DRAFT if apart.staged else _MAKE_DRAFT, name) for name in names]
    fillings = [
        (
            fill.format(draft=draft_name(clearance, load_id)),
            {**parameters, "clearance": int(clearance), "part": part, "parts": _WORKERS},
        )
        for clearance in clearances
        for part in range(_WORKERS)
    ]
    indexings = [
        ("SELECT city.index_draft(:layer, :clearance, :load_id, :method)", {**name, "method": m})
        for name in names
        for m in _METHODS
    ]
    with ExitStack() as opened:
        connections = [opened.enter_context(apart.connect()) for _ in range(_WORKERS)]
        for jobs in (makings, fillings, indexings):
            _run(connections, jobs)


def _run(connections: Sequence[Connection], jobs: Sequence[_Job]) -> None:
    """Run statements on all connections at once, each in a transaction of its own."""

    def work(at: int) -> None:
        for statement, parameters in jobs[at :: len(connections)]:
            with connections[at].begin():
                connections[at].execute(text("SET LOCAL jit = off"))
                # The commit that puts the draft in its place waits for the disk, once for all.
                connections[at].execute(text("SET LOCAL synchronous_commit = off"))
                connections[at].execute(text(statement), parameters)

    with ThreadPoolExecutor(len(connections)) as pool:
        list(pool.map(work, range(len(connections))))


def adopt_draft(connection: Connection, layer: Layer, clearance: Clearance, load_id: int) -> bool:
    """Put a filled draft in the place of an empty partition, in the caller's transaction.

    Returns:
        False if it could not be: readers did not let go of the partition in time, or somebody
        made something of it that the draft lacks. Then nothing has changed.
    """
    name = {"layer": layer.name, "clearance": int(clearance), "load_id": load_id}
    before = connection.execute(text("SHOW statement_timeout")).scalar_one()
    set_timeout = text("SELECT set_config('statement_timeout', :timeout, true)")
    try:
        with connection.begin_nested():
            connection.execute(set_timeout, {"timeout": f"{ADOPTION_TIMEOUT_S * 1000:.0f}ms"})
            connection.execute(text("SELECT city.adopt_draft(:layer, :clearance, :load_id)"), name)
            connection.execute(set_timeout, {"timeout": before})
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        return False
    return True


def discard_drafts(connection: Connection, load_id: int) -> None:
    """Drop what drafts of a load are left."""
    connection.execute(text("SELECT city.discard_drafts(:load_id)"), {"load_id": load_id})

"""Staging tables: where a load waits until it is published, and nothing of it is seen.

They are unlogged, named after the load, and dropped when it ends, however it ends. A session lock
on the load's number tells a load that is under way from one whose process died.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from adbc_driver_manager import (
    INGEST_OPTION_MODE,
    INGEST_OPTION_MODE_APPEND,
    INGEST_OPTION_TARGET_TABLE,
    AdbcStatement,
    StatementOptions,
)
from adbc_driver_manager import (
    Error as AdbcError,
)
from sqlalchemy import Connection, text, update

from layers.base import Layer
from layers.ddl import staged_table_ddl
from layers.drafts import analyze_staged, discard_drafts, stage_drafts
from layers.errors import DatabaseUnavailable
from layers.system_tables import loads
from layers.tables import STAGING_SCHEMA, qualified, qualified_past
from loaders.normalise import Rejected, staged_schema
from loaders.options import LoadConnections

_REJECTED_COLUMNS = (
    "row_number bigint, natural_key text, reasons text[], original jsonb, clearance smallint, "
    "lon double precision, lat double precision"
)
_LOCK = "load"
_DRY_LOCK = "dry load"


@dataclass(frozen=True)
class Staging:
    """The tables of one load. Names are made of numbers of ours, so they go into SQL as they are.

    Attributes:
        number: Of the load; a random one in a dry run.
        lock: First half of the key of the session lock that is held meanwhile.
        in_drafts: Whether rows are copied straight into drafts of the layer's partitions.
    """

    number: int
    lock: str = _LOCK
    in_drafts: bool = False

    @classmethod
    def dry(cls) -> Staging:
        """Tables for a load that is not written down."""
        return cls(secrets.randbelow(2**31), _DRY_LOCK)

    @property
    def rows(self) -> str:
        """Table of rows to publish."""
        return f"dry_{self.number}" if self.lock == _DRY_LOCK else f"load_{self.number}"

    @property
    def rejected(self) -> str:
        """Table of rows rejected."""
        prefix = "dry_rejected" if self.lock == _DRY_LOCK else "rejected"
        return f"{prefix}_{self.number}"

    @property
    def qualified_rows(self) -> str:
        """``rows`` with its schema."""
        return f"{STAGING_SCHEMA}.{self.rows}"

    @property
    def qualified_rejected(self) -> str:
        """``rejected`` with its schema."""
        return f"{STAGING_SCHEMA}.{self.rejected}"

    def create(
        self, connection: Connection, layer: Layer, valid_from: datetime | None = None
    ) -> None:
        """Make the tables and hold the lock; commits.

        Args:
            valid_from: Since when rows hold that have no date; None is the recorded instant.
        """
        key = {"lock": self.lock, "number": self.number}
        connection.execute(text(_lock_call("pg_advisory_lock")), key)
        if self.in_drafts:
            stage_drafts(connection, layer, self.number, valid_from)
        else:
            connection.execute(text(staged_table_ddl(layer, self.rows)))
        connection.execute(
            text(f"CREATE UNLOGGED TABLE {self.qualified_rejected} ({_REJECTED_COLUMNS})")
        )
        connection.commit()

    def analyze(self, connection: Connection) -> None:
        """Tell the planner of the rows, in the caller's transaction."""
        if self.in_drafts:
            analyze_staged(connection, self.number)
        else:
            connection.execute(text(f"ANALYZE {self.qualified_rows} (row_number, natural_key)"))

    def drop(self, connection: Connection) -> None:
        """Drop the tables and let the lock go; commits."""
        # Drafts first: with them goes a table of rows that consists of them.
        discard_drafts(connection, self.number)
        for table in (self.qualified_rows, self.qualified_rejected):
            connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
        key = {"lock": self.lock, "number": self.number}
        connection.execute(text(_lock_call("pg_advisory_unlock")), key)
        connection.commit()


def is_without_rows(connection: Connection, layer: Layer) -> bool:
    """Whether a layer has no version of any feature, held or past."""
    some = " OR ".join(
        f"EXISTS (SELECT FROM {table})"  # a name of ours
        for table in (qualified(layer), qualified_past(layer))
    )
    return bool(connection.execute(text(f"SELECT NOT ({some})")).scalar_one())


def _lock_call(function: str) -> str:
    return f"SELECT {function}(hashtext(:lock), CAST(:number AS integer))"


def ingest(
    connections: LoadConnections, staging: Staging, layer: Layer, rows: Iterator[pa.RecordBatch]
) -> None:
    """Copy rows into the staging table, in constant memory; commits on the bulk connection.

    Raises:
        Exception: whatever the iteration over rows raised.
    """
    failures: list[BaseException] = []
    reader = pa.RecordBatchReader.from_batches(staged_schema(layer), _noting(rows, failures))
    target = {
        INGEST_OPTION_MODE: INGEST_OPTION_MODE_APPEND,
        INGEST_OPTION_TARGET_TABLE: staging.rows,
        StatementOptions.INGEST_TARGET_DB_SCHEMA.value: STAGING_SCHEMA,
    }
    # Not through the driver's DB-API: that imports pandas, which takes longer than a small load.
    with AdbcStatement(connections.bulk) as copy:
        copy.set_options(**target)
        copy.bind_stream(reader)
        try:
            copy.execute_update()
            connections.bulk.commit()
        except BaseException as error:
            # Ends the COPY too, which holds a lock on the table.
            with suppress(AdbcError):  # the connection itself may be gone
                connections.bulk.rollback()
            if failures:
                # What came through the driver is a text only.
                raise failures[0] from None
            if isinstance(error, AdbcError):
                raise not_written(error) from error
            raise


def not_written(error: AdbcError) -> DatabaseUnavailable:
    """What is told of rows that the database did not take; its own text stays in its log."""
    reasons = {"53100": "its disk is full", "53200": "it is out of memory"}
    reason = reasons.get(error.sqlstate or "", f"SQLSTATE {error.sqlstate}; its log says why")
    return DatabaseUnavailable(f"the database did not take the rows in: {reason}")


def _noting(
    rows: Iterator[pa.RecordBatch], failures: list[BaseException]
) -> Iterator[pa.RecordBatch]:
    try:
        yield from rows
    except BaseException as failure:
        failures.append(failure)
        raise


def copy_rejected(connection: Connection, staging: Staging, rejected: Sequence[Rejected]) -> None:
    """Copy rejected rows into their staging table; commits."""
    if not rejected:
        return
    statement = (
        f"COPY {staging.qualified_rejected} "
        "(row_number, natural_key, reasons, original, clearance, lon, lat) FROM STDIN"
    )
    with connection.begin():
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101  # for mypy: the connection is open
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rejected:
                original = row.original.decode()
                fields = (row.row_number, row.natural_key, list(row.reasons), original)
                copy.write_row((*fields, row.clearance, *(row.place or (None, None))))


def drop_leftovers(connection: Connection) -> list[int]:
    """Mark loads whose process died as failed and drop the tables they left; commits.

    Returns:
        The numbers of the loads that were found interrupted.
    """
    names = connection.execute(
        text("SELECT tablename FROM pg_tables WHERE schemaname = :schema"),
        {"schema": STAGING_SCHEMA},
    ).scalars()
    interrupted = []
    for staging in {found for name in names if (found := _of_table(name)) is not None}:
        key = {"lock": staging.lock, "number": staging.number}
        if connection.execute(text(_lock_call("pg_try_advisory_lock")), key).scalar_one():
            if _mark_interrupted(connection, staging):
                interrupted.append(staging.number)
            staging.drop(connection)
    connection.commit()
    return sorted(interrupted)


def _of_table(name: str) -> Staging | None:
    prefix, _, number = name.rpartition("_")
    if not number.isdecimal():
        return None
    if prefix in ("load", "rejected", "changed", "touched", "rest") or prefix.startswith("draft_"):
        return Staging(int(number))
    return Staging(int(number), _DRY_LOCK) if prefix in ("dry", "dry_rejected") else None


def _mark_interrupted(connection: Connection, staging: Staging) -> bool:
    """Whether it was a load that had not been published."""
    if staging.lock == _DRY_LOCK:
        return False
    marked = connection.execute(
        update(loads)
        .where(loads.c.load_id == staging.number, loads.c.state == "staging")
        .values(state="failed", message="interrupted; nothing of it was written, load it again")
    )
    return marked.rowcount > 0

"""A load from its first byte to its publication: all of it, or nothing.

1. its row in ``loads``, 2. staging tables, 3. rows streamed into them, 4. checks over all rows,
5. one transaction that publishes, keeps the rejected rows and closes the row in ``loads``,
6. staging dropped. Nothing is locked before 5.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, func, insert, select, text, update

from layers import districts
from layers.base import Layer
from layers.claims import Claim
from layers.drafts import Apart
from layers.errors import GeoserviceError, SourceError
from layers.publish import Publication, publish
from layers.rewrite import lock_layer
from layers.system_tables import loads
from loaders.admin import AdminAreas
from loaders.checks.staged import check_staged, without_jit
from loaders.checks.tables import CheckTime
from loaders.findings import FindingLog
from loaders.folders import private_folder
from loaders.known import Known, ReadAgain
from loaders.options import LoadConnections, LoadOptions, NoProgress, Progress
from loaders.pipeline import Pipeline, ahead
from loaders.rejected import (
    Rejections,
    keep_findings,
    keep_rejected,
    look_at_rejected,
    restore_originals,
)
from loaders.report import LoadReport, SourceReport
from loaders.staging import Staging, copy_rejected, drop_leftovers, ingest, is_without_rows
from loaders.texts import storable

Inspect = Callable[[Connection, Staging, Sequence[SourceReport]], None]
"""Looks at the staging tables of a load; must not be in a transaction when it returns."""

_ANALYZE_ROWS = 1000
"""Below so many rows written, autovacuum's own statistics are good enough."""


def load(
    connections: LoadConnections,
    layer: Layer,
    files: Sequence[Path],
    options: LoadOptions,
    progress: Progress | None = None,
    inspect: Inspect | None = None,
) -> LoadReport:
    """Load files into a layer as one publication.

    Args:
        connections: Neither may be in a transaction; the load commits on both.
        files: Read one after another, as if they were one.
        options: With ``dry_run`` everything is done and undone, and no row of ``loads`` is left.
        inspect: Is shown the rows when all checks are done, before any is published.

    Raises:
        SourceError: a file cannot be read, does not fit the layer, or has bad rows and
            ``on_error`` is ``reject``. Nothing is written but the failed row of ``loads``.
        LoadInProgress: another load of the layer is being published for too long.
    """
    started = time.monotonic()
    interrupted = drop_leftovers(connections.sql)
    # Who looks at the rows wants to see all of them.
    reads_all = inspect is not None or is_without_rows(connections.sql, layer)
    known = None if reads_all else Known.of_last_load(connections.sql, layer, options)
    load_once = partial(
        _load, connections, layer, files, options, progress or NoProgress(), inspect
    )
    try:
        report = load_once(known)
    except ReadAgain:
        report = load_once(None)
    seconds = time.monotonic() - started
    return replace(report, interrupted=tuple(interrupted), seconds=seconds)


def _load(
    connections: LoadConnections,
    layer: Layer,
    files: Sequence[Path],
    options: LoadOptions,
    progress: Progress,
    inspect: Inspect | None,
    known: Known | None,
) -> LoadReport:
    """One load; rows that are known are left aside.

    Raises:
        ReadAgain: they may be known no more, or another row has their key.
    """
    with _staging(connections.sql, layer, files, options) as staging:
        log = FindingLog()
        nodes_at = _nodes_recorded_at(connections.sql, layer)
        connections.sql.commit()
        pipeline, checks = _stage(connections, layer, files, options, staging, progress, known, log)
        if inspect is not None:
            inspect(connections.sql, staging, pipeline.reports)
        rejected = look_at_rejected(connections.sql, staging, log)
        if rejected.rows and options.on_error == "reject":
            raise SourceError(_refusal(pipeline.rows_read, rejected))
        if options.is_complete:
            _refuse_unknown_absence(connections.sql, staging)
        _refuse_other_nodes(connections.sql, layer, nodes_at)
        publication = _publish(connections, layer, options, staging, pipeline, rejected.rows, log)
    if not options.dry_run and publication.new + publication.changed >= _ANALYZE_ROWS:
        _refresh_statistics(connections.sql, layer)
    return LoadReport(
        None if options.dry_run else staging.number,
        layer.name,
        tuple(pipeline.reports),
        pipeline.rows_read,
        publication.new,
        publication.changed,
        publication.unchanged,
        publication.vanished,
        rejected.rows,
        rejected.reasons,
        rejected.examples,
        findings=log,
        checks=checks,
    )


@contextmanager
def _staging(
    connection: Connection, layer: Layer, files: Sequence[Path], options: LoadOptions
) -> Iterator[Staging]:
    """Staging tables that are dropped however the load ends; a failure is written down."""
    if options.dry_run:
        staging = Staging.dry()
    else:
        in_drafts = not options.is_correction and is_without_rows(connection, layer)
        staging = Staging(_begin(connection, layer, files), in_drafts=in_drafts)
    try:
        staging.create(connection, layer, options.valid_from)
        yield staging
    except BaseException as error:
        connection.rollback()
        if not options.dry_run:
            _write_failure(connection, staging.number, error)
        raise
    finally:
        staging.drop(connection)


def _begin(connection: Connection, layer: Layer, files: Sequence[Path]) -> int:
    """Write the load down; committed with its staging tables, so that neither is without the other.

    Returns:
        The number of the load.
    """
    source = {"files": [file.name for file in files]}
    statement = insert(loads).values(layer=layer.name, source=source, state="staging")
    number: int = connection.execute(statement.returning(loads.c.load_id)).scalar_one()
    return number


def _write_failure(connection: Connection, load_id: int, error: BaseException) -> None:
    # Texts of other errors may hold statements, values or paths.
    message = str(error) if isinstance(error, GeoserviceError) else type(error).__name__
    connection.execute(
        update(loads)
        # What was committed stays published, whatever happened after.
        .where(loads.c.load_id == load_id, loads.c.state == "staging")
        .values(state="failed", message=storable(message))
    )
    connection.commit()


def _stage(
    connections: LoadConnections,
    layer: Layer,
    files: Sequence[Path],
    options: LoadOptions,
    staging: Staging,
    progress: Progress,
    known: Known | None,
    log: FindingLog,
) -> tuple[Pipeline, tuple[CheckTime, ...]]:
    areas = None if layer is districts.LAYER else AdminAreas.held(connections.sql)
    connections.sql.commit()
    with private_folder() as folder:
        pipeline = Pipeline(layer, options, areas, folder, known)
        rows = _rows(connections.sql, pipeline, files, staging, progress, log)
        ingest(connections, staging, layer, rows)
        progress.step("check", 0, pipeline.rows_read)
        is_distinct = pipeline.ledger.has_distinct_keys
        if pipeline.ledger.left_aside and not is_distinct:
            message = "rows have one key; the files are read again to tell which"
            raise ReadAgain(message)
        checks = check_staged(
            connections.sql, layer, staging, options, log, has_distinct_keys=is_distinct
        )
        restore_originals(connections.sql, staging, files, options, folder, layer)
    progress.step("check", pipeline.rows_read, pipeline.rows_read)
    return pipeline, checks


def _rows(
    connection: Connection,
    pipeline: Pipeline,
    files: Sequence[Path],
    staging: Staging,
    progress: Progress,
    log: FindingLog,
) -> Iterator[pa.RecordBatch]:
    """Accepted rows; rejected ones are put aside on the way."""
    done = 0
    for normalised in ahead(pipeline.batches(files)):
        copy_rejected(connection, staging, normalised.rejected)
        log.add(normalised.warnings, normalised.warning_counts)
        done += normalised.accepted.num_rows + len(normalised.rejected) + normalised.known
        progress.step("read", done, pipeline.count)
        if normalised.accepted.num_rows:
            yield normalised.accepted


def _refusal(read: int, rejected: Rejections) -> str:
    why = ", ".join(f"{reason} {count}" for reason, count in rejected.reasons.most_common())
    first = "; ".join(f"row {example.row}: {example.reason}" for example in rejected.examples[:3])
    return f"{rejected.rows} of {read} rows cannot be loaded ({why}), so none is: {first}"


def _refuse_unknown_absence(connection: Connection, staging: Staging) -> None:
    """See that every row set aside says of which feature it is, or that one seems to be gone.

    Raises:
        SourceError: some do not.
    """
    statement = (
        f"SELECT count(*), min(row_number) FROM {staging.qualified_rejected} "  # noqa: S608
        "WHERE natural_key IS NULL"
    )
    nameless, first = connection.execute(text(statement)).one()
    connection.commit()
    if nameless:
        message = (
            f"{nameless} rejected rows have no key, the first is row {first}: whether their "
            "features have vanished cannot be told. Mend them, or load without --complete"
        )
        raise SourceError(message)


def _nodes_recorded_at(connection: Connection, layer: Layer) -> datetime | None:
    """When the nodes that the layer's segments end at were published last; None if it has none."""
    if layer.end_nodes is None:
        return None
    last = select(func.max(loads.c.recorded_at)).where(loads.c.layer == layer.end_nodes.layer)
    recorded_at: datetime | None = connection.execute(last).scalar_one()
    return recorded_at


def _refuse_other_nodes(connection: Connection, layer: Layer, nodes_at: datetime | None) -> None:
    """See that the nodes are those that the rows were checked against; takes the layer's lock.

    Who takes nodes back holds this lock as well (``layers.undo``), so none goes from here on.

    Raises:
        ReadAgain: other nodes were published meanwhile.
    """
    if layer.end_nodes is None:
        return
    lock_layer(connection, layer.name)
    if _nodes_recorded_at(connection, layer) != nodes_at:
        message = "nodes were published meanwhile; the files are read again"
        raise ReadAgain(message)


def _publish(
    connections: LoadConnections,
    layer: Layer,
    options: LoadOptions,
    staging: Staging,
    pipeline: Pipeline,
    rejected: int,
    log: FindingLog,
) -> Publication:
    known = pipeline.ledger.known
    connection = connections.sql
    without_jit(connection)
    if known is not None:
        lock_layer(connection, layer.name)
        known.assert_current(connection, layer)
    publication = publish(
        connection,
        layer,
        staging.rows,
        load_id=staging.number,
        claim=_claim(layer, options, pipeline),
        set_aside_table=staging.rejected,
        # What other connections commit could not be undone.
        apart=None if options.dry_run else Apart(connections.connect, staged=staging.in_drafts),
    )
    publication = replace(publication, unchanged=publication.unchanged + pipeline.ledger.left_aside)
    if options.dry_run:
        connection.rollback()
        return publication
    if rejected == pipeline.rejected and not options.is_correction:
        pipeline.ledger.keep(connection, layer, staging.number)
    keep_rejected(connection, staging, staging.number, pipeline.reports)
    keep_findings(connection, staging.number, log)
    connection.execute(
        update(loads)
        .where(loads.c.load_id == staging.number)
        .values(
            state="published",
            source=_source(pipeline, options, log),
            recorded_at=publication.recorded_at,
            valid_from=options.valid_from,
            counts=_counts(pipeline.rows_read, publication, rejected),
        )
    )
    connection.commit()
    return publication


def _claim(layer: Layer, options: LoadOptions, pipeline: Pipeline) -> Claim:
    return Claim(
        options.valid_from,
        options.valid_to,
        is_correction=options.is_correction,
        is_complete=options.is_complete,
        silent=pipeline.silent(layer),
    )


def _refresh_statistics(connection: Connection, layer: Layer) -> None:
    """Tell the planner of the new rows; a coarse look now, autovacuum's finer one comes later."""
    connection.execute(text("SET LOCAL default_statistics_target = 30"))
    connection.execute(text("SELECT city.analyze_layer(:layer)"), {"layer": layer.name})
    connection.commit()


def _source(pipeline: Pipeline, options: LoadOptions, log: FindingLog) -> dict[str, Any]:
    return {
        "findings": dict(log.counts.most_common()),
        "files": [report.name for report in pipeline.reports],
        "sources": [report.as_json() for report in pipeline.reports],
        "options": {
            "crs": options.crs,
            "encoding": options.encoding,
            "mapping": options.mapping.as_json(),
            "key": list(options.key) if options.key else None,
            "source_layer": options.source_layer,
            "is_correction": options.is_correction,
            "is_complete": options.is_complete,
        },
    }


def _counts(read: int, publication: Publication, rejected: int) -> dict[str, int]:
    return {
        "read": read,
        "new": publication.new,
        "changed": publication.changed,
        "unchanged": publication.unchanged,
        "vanished": publication.vanished,
        "rejected": rejected,
    }

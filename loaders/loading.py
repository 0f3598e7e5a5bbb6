"""A load from its first byte to its publication: all of it, or nothing.

1. its row in ``loads``, 2. staging tables, 3. rows streamed into them, 4. checks over all rows,
5. one transaction that publishes, keeps the rejected rows and closes the row in ``loads``,
6. staging dropped. Nothing is locked before 5.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, insert, text, update

from layers import districts
from layers.base import Layer
from layers.claims import Claim
from layers.drafts import Apart
from layers.errors import GeoserviceError, SourceError
from layers.publish import Publication, publish
from layers.rewrite import lock_layer
from layers.system_tables import loads
from loaders.admin import AdminAreas
from loaders.checks import check_staged, without_jit
from loaders.folders import private_folder
from loaders.known import Known, ReadAgain
from loaders.options import LoadConnections, LoadOptions, NoProgress, Progress
from loaders.pipeline import Pipeline, ahead
from loaders.report import Example, LoadReport, SourceReport, column_of
from loaders.staging import (
    Staging,
    copy_rejected,
    drop_leftovers,
    ingest,
    is_without_rows,
    quarantine_statement,
)
from loaders.texts import storable

Inspect = Callable[[Connection, Staging, Sequence[SourceReport]], None]
"""Looks at the staging tables of a load; must not be in a transaction when it returns."""

_EXAMPLES = 10
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
        pipeline = _stage(connections, layer, files, options, staging, progress, known)
        if inspect is not None:
            inspect(connections.sql, staging, pipeline.reports)
        reasons, examples, rejected = _rejections(connections.sql, staging)
        if rejected and options.on_error == "reject":
            raise SourceError(_refusal(pipeline.rows_read, rejected, reasons, examples))
        if options.is_complete:
            _refuse_unknown_absence(connections.sql, staging)
        publication = _publish(connections, layer, options, staging, pipeline, rejected)
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
        rejected,
        reasons,
        examples,
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
) -> Pipeline:
    areas = None if layer is districts.LAYER else AdminAreas.held(connections.sql)
    connections.sql.commit()
    with private_folder() as folder:
        pipeline = Pipeline(layer, options, areas, folder, known)
        rows = _rows(connections.sql, pipeline, files, staging, progress)
        ingest(connections, staging, layer, rows)
    progress.step("check", 0, pipeline.rows_read)
    has_distinct_keys = pipeline.ledger.has_distinct_keys
    if pipeline.ledger.left_aside and not has_distinct_keys:
        message = "rows have one key; the files are read again to tell which"
        raise ReadAgain(message)
    check_staged(connections.sql, layer, staging, has_distinct_keys=has_distinct_keys)
    progress.step("check", pipeline.rows_read, pipeline.rows_read)
    return pipeline


def _rows(
    connection: Connection,
    pipeline: Pipeline,
    files: Sequence[Path],
    staging: Staging,
    progress: Progress,
) -> Iterator[pa.RecordBatch]:
    """Accepted rows; rejected ones are put aside on the way."""
    done = 0
    for normalised in ahead(pipeline.batches(files)):
        copy_rejected(connection, staging, normalised.rejected)
        done += normalised.accepted.num_rows + len(normalised.rejected) + normalised.known
        progress.step("read", done, pipeline.count)
        if normalised.accepted.num_rows:
            yield normalised.accepted


def _rejections(
    connection: Connection, staging: Staging
) -> tuple[Counter[str], tuple[Example, ...], int]:
    # Names of tables are ours, see Staging.
    table = staging.qualified_rejected
    count = f"SELECT count(*) FROM {table}"  # noqa: S608
    by_word = (
        f"SELECT split_part(reason, ':', 1), count(*) FROM {table}, "  # noqa: S608
        "unnest(reasons) AS reason GROUP BY 1"
    )
    first = (
        f"SELECT row_number, natural_key, reasons[1] FROM {table} "  # noqa: S608
        f"ORDER BY row_number LIMIT {_EXAMPLES}"
    )
    rejected: int = connection.execute(text(count)).scalar_one()
    counted = [tuple(row) for row in connection.execute(text(by_word))]
    reasons: Counter[str] = Counter(dict(counted))
    examples = tuple(
        Example(row, key, column_of(reason), reason)
        for row, key, reason in connection.execute(text(first))
    )
    connection.commit()
    return reasons, examples, rejected


def _refusal(read: int, rejected: int, reasons: Counter[str], examples: tuple[Example, ...]) -> str:
    why = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    first = "; ".join(f"row {example.row}: {example.reason}" for example in examples[:3])
    return f"{rejected} of {read} rows cannot be loaded ({why}), so none is: {first}"


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


def _publish(
    connections: LoadConnections,
    layer: Layer,
    options: LoadOptions,
    staging: Staging,
    pipeline: Pipeline,
    rejected: int,
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
    connection.execute(text(quarantine_statement(staging)), {"load_id": staging.number})
    connection.execute(
        update(loads)
        .where(loads.c.load_id == staging.number)
        .values(
            state="published",
            source=_source(pipeline, options),
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


def _source(pipeline: Pipeline, options: LoadOptions) -> dict[str, Any]:
    return {
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

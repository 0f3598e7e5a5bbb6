"""Rejected rows of a load: what they said in their file, why they are out, and where they go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
from sqlalchemy import Connection, text

from layers.base import Layer
from layers.tables import SCHEMA
from loaders.datasets import prepare
from loaders.findings import KEPT_PER_RULE, FindingLog, finding_of
from loaders.normalise import originals_of
from loaders.options import LoadOptions
from loaders.reader import read
from loaders.report import Example, SourceReport, column_of
from loaders.rules import Severity
from loaders.staging import Staging

_EXAMPLES = 10

# Names of tables are ours, see Staging.
_LACKING = "SELECT row_number FROM {rejected} WHERE original IS NULL ORDER BY row_number"
_ORIGINALS = (
    "CREATE TEMPORARY TABLE read_originals (row_number bigint, original jsonb) ON COMMIT DROP"
)
_RESTORE = """
    UPDATE {rejected} r SET original = o.original
    FROM read_originals o WHERE o.row_number = r.row_number"""
_COUNT = "SELECT count(*) FROM {rejected}"
_EXCERPT = """
    SELECT row_number, natural_key, reason, clearance, lon, lat, total
    FROM (SELECT r.*, u.reason, count(*) OVER (PARTITION BY split_part(u.reason, ':', 1)) AS total,
                 row_number() OVER (PARTITION BY split_part(u.reason, ':', 1)
                                    ORDER BY row_number) AS ordinal
          FROM {rejected} r, unnest(r.reasons) AS u (reason)) n
    WHERE ordinal <= :kept ORDER BY row_number"""
_KEEP = """
    INSERT INTO {schema}.quarantine
        (load_id, file, row_number, natural_key, reasons, original, clearance, place)
    SELECT :load_id, f.name, r.row_number, r.natural_key, r.reasons, r.original, r.clearance,
           ST_SetSRID(ST_MakePoint(r.lon, r.lat), 4490)
    FROM {rejected} r
    LEFT JOIN unnest(CAST(:names AS text[]), CAST(:lasts AS bigint[]), CAST(:rows AS bigint[]))
        AS f (name, last, rows)
        ON r.row_number BETWEEN f.last - f.rows + 1 AND f.last"""


@dataclass(frozen=True)
class Rejections:
    """Rejected rows in sum.

    Attributes:
        reasons: How many rows breach each rule; a row may breach several.
        examples: The first rows, each with its first reason.
    """

    rows: int
    reasons: Counter[str]
    examples: tuple[Example, ...]


def restore_originals(
    connection: Connection,
    staging: Staging,
    files: Sequence[Path],
    options: LoadOptions,
    folder: Path,
    layer: Layer,
) -> None:
    """Give rows that the checks of all rows rejected what they said in their file; commits.

    A staged row is a row of the layer, and its file is read again for what it was before: such rows
    are few, and keeping the originals of all others would cost every load.

    Raises:
        UnreadableSource: the file has changed since it was read.
    """
    lacking = connection.execute(text(_LACKING.format(rejected=staging.qualified_rejected)))
    wanted = np.array(lacking.scalars().all(), np.int64)
    if len(wanted):
        connection.execute(text(_ORIGINALS))
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101  # for mypy: the connection is open
        with driver.cursor() as cursor, cursor.copy("COPY read_originals FROM STDIN") as copy:
            for row, original in _read_again(files, options, folder, layer, wanted):
                copy.write_row((row, original.decode()))
        connection.execute(text(_RESTORE.format(rejected=staging.qualified_rejected)))
    connection.commit()


def _read_again(
    files: Sequence[Path],
    options: LoadOptions,
    folder: Path,
    layer: Layer,
    wanted: npt.NDArray[np.int64],
) -> Iterator[tuple[int, bytes]]:
    """Numbers and originals of some rows, counted from 1 over all files."""
    first = 1
    for file in files:
        if first > wanted[-1]:
            return
        for source in (options.find or prepare)(file, options, folder, layer):
            with read(source, options.limits) as features:
                for batch in features.batches:
                    low, high = np.searchsorted(wanted, [first, first + batch.num_rows])
                    rows = wanted[low:high]
                    originals = originals_of(batch, (rows - first).tolist())
                    yield from zip(rows.tolist(), originals, strict=True)
                    first += batch.num_rows


def look_at_rejected(connection: Connection, staging: Staging, log: FindingLog) -> Rejections:
    """Log the rejected rows as findings and sum them up; commits."""
    table = staging.qualified_rejected
    rejected: int = connection.execute(text(_COUNT.format(rejected=table))).scalar_one()
    rows = connection.execute(text(_EXCERPT.format(rejected=table)), {"kept": KEPT_PER_RULE}).all()
    connection.commit()
    findings = [
        finding_of(
            row.reason,
            severity=Severity.ERROR,
            row=row.row_number,
            key=row.natural_key,
            clearance=row.clearance,
            place=None if row.lon is None else (row.lon, row.lat),
        )
        for row in rows
    ]
    reasons = Counter({f.rule: row.total for f, row in zip(findings, rows, strict=True)})
    log.add(findings, reasons)
    examples = {
        row.row_number: Example(row.row_number, row.natural_key, column_of(row.reason), row.reason)
        for row in reversed(rows)
    }
    first = sorted(examples)[:_EXAMPLES]
    return Rejections(rejected, reasons, tuple(examples[number] for number in first))


def keep_rejected(
    connection: Connection, staging: Staging, load_id: int, reports: Sequence[SourceReport]
) -> None:
    """Put the rejected rows of a load into quarantine, each with the file that it came from."""
    lasts = np.cumsum([report.rows for report in reports]).tolist()
    connection.execute(
        text(_KEEP.format(schema=SCHEMA, rejected=staging.qualified_rejected)),
        {
            "load_id": load_id,
            "names": [report.name for report in reports],
            "lasts": lasts,
            "rows": [report.rows for report in reports],
        },
    )


def keep_findings(connection: Connection, load_id: int, log: FindingLog) -> None:
    """Write the findings of a load into ``city.findings``, in the caller's transaction."""
    if not log.kept:
        return
    statement = (
        f"COPY {SCHEMA}.findings (load_id, rule, severity, row_number, natural_key, place, "
        "details, clearance) FROM STDIN"
    )
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101  # for mypy: the connection is open
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for finding in log.kept:
            place = finding.place
            copy.write_row(
                (
                    load_id,
                    finding.rule,
                    finding.severity.value,
                    finding.row,
                    finding.key,
                    f"SRID=4490;POINT({place[0]!r} {place[1]!r})" if place else None,
                    orjson.dumps(dict(finding.details), default=str)
                    .replace(b"\\u0000", b"")
                    .decode(),
                    finding.clearance,
                )
            )

"""What the checks of all rows of a load work with: its tables, and what is held beside them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from layers.base import Layer
from layers.tables import qualified
from loaders.findings import KEPT_PER_RULE, Finding, FindingLog
from loaders.rules import Severity, Thresholds
from loaders.staging import Staging

NOT_JUDGED = "could not be judged"

_FOUND = """
    SELECT rule, row_number, natural_key, clearance, lon, lat, details, total
    FROM (SELECT f.*, count(*) OVER (PARTITION BY rule) AS total,
                 row_number() OVER (PARTITION BY rule ORDER BY row_number, natural_key) AS ordinal
          FROM ({check}) f) n
    WHERE ordinal <= :kept ORDER BY rule, ordinal"""

_BOX = (
    "(SELECT ST_Transform(ST_SetSRID(ST_Expand(ST_Extent(geom), 0.0001)::geometry, 4490), 3857) "
    "FROM {rows})"
)

_FEW_ROWS = 50_000
"""Up to so many rows of a load, what is held beside each is looked up in the index of places."""

_BESIDE_EACH = """(
    SELECT DISTINCT ON (h.feature_id) h.*
    FROM {rows} r
    JOIN {held} h ON upper_inf(h.valid_during)
        AND h.geom_3857 && ST_Expand(ST_Transform(ST_Force2D(r.geom), 3857), 20)
    ORDER BY h.feature_id)"""

_BESIDE_ALL = """(
    SELECT h.* FROM {held} h WHERE upper_inf(h.valid_during) AND h.geom_3857 && {box})"""

_REJECT = """
    WITH bad AS (
        DELETE FROM {rows} s USING ({which}) b WHERE s.row_number = b.row_number
        RETURNING s.*, b.reason
    )
    INSERT INTO {rejected} (row_number, natural_key, reasons, clearance, lon, lat)
    SELECT b.row_number, b.natural_key, ARRAY[b.reason], b.clearance,
           ST_X(ST_StartPoint(b.geom)), ST_Y(ST_StartPoint(b.geom))
    FROM bad b"""


@dataclass(frozen=True)
class CheckTime:
    """How long a group of checks took, and what it found.

    Attributes:
        note: Why it was left out, or what it says in sum.
        summary: The same for programs.
    """

    name: str
    seconds: float
    found: int
    note: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """A plain dictionary."""
        told: dict[str, object] = {
            "name": self.name,
            "seconds": round(self.seconds, 3),
            "found": self.found,
        }
        if self.note:
            told["note"] = self.note
        return {**told, **self.summary}


@dataclass
class StagedTables:
    """The tables of one load under check; all words filled in are of the registry or of ours.

    Attributes:
        log: Where findings go.
        times: One of each group of checks that has run.
    """

    connection: Connection
    layer: Layer
    staging: Staging
    thresholds: Thresholds
    log: FindingLog
    times: list[CheckTime] = field(default_factory=list)

    @property
    def words(self) -> dict[str, str]:
        """Names of tables for statements.

        ``box`` is where the load lies, in EPSG:3857, and ``beside`` what is held near its rows.
        """
        words = {
            "rows": self.staging.qualified_rows,
            "rejected": self.staging.qualified_rejected,
            "held": qualified(self.layer),
        }
        words["box"] = _BOX.format(**words)
        words["beside"] = (_BESIDE_EACH if self._has_few_rows else _BESIDE_ALL).format(**words)
        return words

    @cached_property
    def _has_few_rows(self) -> bool:
        count = f"SELECT count(*) FROM (SELECT FROM {self.staging.qualified_rows} LIMIT :most) r"  # noqa: S608  # a name of ours
        most = {"most": _FEW_ROWS + 1}
        return bool(self.connection.execute(text(count), most).scalar_one() <= _FEW_ROWS)

    def run(self, statement: str, **words: str) -> int:
        """Run a statement; the rows it touched."""
        return self.connection.execute(
            text(filled := statement.format(**{**self.words, **words})), self._bound(filled)
        ).rowcount

    def value(self, statement: str, **words: str) -> Any:
        """The one value that a statement gives."""
        return self.connection.execute(
            text(statement.format(**{**self.words, **words})), self._bound(statement)
        ).scalar_one()

    def rows(self, statement: str, **words: str) -> Sequence[Any]:
        """The rows that a statement gives."""
        return self.connection.execute(
            text(statement.format(**{**self.words, **words})), self._bound(statement)
        ).all()

    def reject(self, which: str, **words: str) -> int:
        """Put rows aside; ``which`` gives row_number and reason. Their originals come later."""
        return self.run(_REJECT, which=which.format(**{**self.words, **words}))

    def check(self, name: str, check: str, **words: str) -> None:
        """Log what a check finds: exact counts, and the first findings of each rule.

        A check that cannot be run, or not in time, is noted as such and fails no load.

        Args:
            check: Query with rule, row_number, natural_key, clearance, lon, lat and details.
        """
        started = time.monotonic()
        found = check.format(**{**self.words, **words})
        try:
            with self.connection.begin_nested():
                rows = self.connection.execute(
                    text(_FOUND.format(check=found)), {**self._bound(found), "kept": KEPT_PER_RULE}
                ).all()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            self.note(name, started, 0, NOT_JUDGED)
            return
        counts = {row.rule: row.total for row in rows}
        self.log.add((_finding(row._mapping) for row in rows), counts)
        self.note(name, started, sum(counts.values()))

    def note(self, name: str, started: float, found: int, note: str = "") -> None:
        """Write down that a group of checks has run since a moment of the monotonic clock."""
        self.times.append(CheckTime(name, time.monotonic() - started, found, note))

    def _bound(self, statement: str) -> dict[str, float]:
        """The thresholds that a statement names."""
        return {
            name: value for name, value in vars(self.thresholds).items() if f":{name}" in statement
        }


def _finding(row: Mapping[Any, Any]) -> Finding:
    placed = row["lon"] is not None and row["lat"] is not None
    return Finding(
        row["rule"],
        Severity.WARNING,
        row["row_number"],
        row["natural_key"],
        row["clearance"],
        (round(row["lon"], 9), round(row["lat"], 9)) if placed else None,
        row["details"],
    )

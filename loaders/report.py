"""What a load says of itself when it has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from loaders.checks.tables import CheckTime
from loaders.findings import FindingLog
from loaders.rules import Severity


@dataclass(frozen=True)
class SourceReport:
    """How one file was read.

    Attributes:
        name: Name of the file without its folder.
        sha256: Of each file that belongs to it, by name.
        crs: System of its coordinates as used.
        transformation: Operation that brought them to EPSG:4490.
        accuracy_m: Known accuracy of that operation, metres.
        encoding: Of its texts and how it was found; None where the format fixes it.
        mapping: Attribute to column.
        unmapped: Columns that were not used.
        notes: What was amiss and dealt with.
        rows: Rows read.
    """

    name: str
    sha256: Mapping[str, str]
    crs: str
    transformation: str
    accuracy_m: float
    encoding: str | None
    mapping: Mapping[str, str]
    constants: Mapping[str, str]
    unmapped: tuple[str, ...]
    notes: tuple[str, ...]
    rows: int

    def as_json(self) -> dict[str, object]:
        """Plain dictionaries and lists."""
        return {
            "name": self.name,
            "sha256": dict(self.sha256),
            "crs": self.crs,
            "transformation": self.transformation,
            "accuracy_m": self.accuracy_m,
            "encoding": self.encoding,
            "mapping": dict(self.mapping),
            "constants": dict(self.constants),
            "unmapped": list(self.unmapped),
            "notes": list(self.notes),
            "rows": self.rows,
        }


@dataclass(frozen=True)
class Example:
    """A rejected row, for people to look up; ``row`` counts from 1 over all files of the load."""

    row: int
    key: str | None
    column: str | None
    reason: str

    def as_json(self) -> dict[str, object]:
        """A plain dictionary."""
        return {"row": self.row, "key": self.key, "column": self.column, "reason": self.reason}


def column_of(reason: str) -> str | None:
    """The column that a reason such as ``not_a_number: diameter_mm='x'`` names, if it names one."""
    name, equals, _ = reason.partition(": ")[2].partition("=")
    return name if equals else None


@dataclass(frozen=True)
class LoadReport:
    """What a load did: ``read == new + changed + unchanged + rejected``.

    Attributes:
        load_id: Its number in ``loads``; None for a dry run.
        vanished: Features that were held and are in none of the files; only of a complete load.
        reasons: How many rows were rejected for each reason; a row may have several.
        examples: The first rejected rows.
        interrupted: Earlier loads that were found to have died before they wrote anything.
        findings: What was found, of rejected rows and of others.
        checks: How long the checks of all rows took.
    """

    load_id: int | None
    layer: str
    sources: tuple[SourceReport, ...]
    read: int
    new: int
    changed: int
    unchanged: int
    vanished: int
    rejected: int
    reasons: Counter[str] = field(default_factory=Counter)
    examples: tuple[Example, ...] = ()
    seconds: float = 0.0
    interrupted: tuple[int, ...] = ()
    findings: FindingLog = field(default_factory=FindingLog)
    checks: tuple[CheckTime, ...] = ()

    def __post_init__(self) -> None:
        accounted = self.new + self.changed + self.unchanged + self.rejected
        if self.read != accounted:
            message = f"{self.read} rows were read but {accounted} are accounted for"
            raise AssertionError(message)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files, without their folders."""
        return tuple(source.name for source in self.sources)

    @property
    def crs(self) -> str:
        """Systems of the files' coordinates as used."""
        return _each(source.crs for source in self.sources)

    @property
    def transformation(self) -> str:
        """Operations that brought the coordinates to EPSG:4490."""
        return _each(source.transformation for source in self.sources)

    @property
    def accuracy_m(self) -> float:
        """Accuracy of the worst of these operations, metres."""
        return max((source.accuracy_m for source in self.sources), default=0.0)

    @property
    def encoding(self) -> str | None:
        """Encodings of the texts and how they were found; None where the formats fix them."""
        return _each(s.encoding for s in self.sources if s.encoding is not None) or None

    @property
    def mapping(self) -> dict[str, str]:
        """Attribute to column, over all files."""
        return {a: column for source in self.sources for a, column in source.mapping.items()}

    @property
    def unmapped(self) -> tuple[str, ...]:
        """Columns that were not used, over all files."""
        return tuple(dict.fromkeys(c for source in self.sources for c in source.unmapped))

    @property
    def warnings(self) -> Counter[str]:
        """How many findings there are of each rule whose breach rejects no row."""
        return self.findings.of_severity(Severity.WARNING)

    def counts(self) -> dict[str, int]:
        """The six counts."""
        return {
            "read": self.read,
            "new": self.new,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "vanished": self.vanished,
            "rejected": self.rejected,
        }

    def as_json(self) -> dict[str, object]:
        """Plain dictionaries and lists, for scripts and for ``loads``."""
        return {
            "load_id": self.load_id,
            "layer": self.layer,
            "files": list(self.files),
            **self.counts(),
            "reasons": dict(self.reasons.most_common()),
            "examples": [example.as_json() for example in self.examples],
            "warnings": dict(self.warnings.most_common()),
            "checks": [check.as_json() for check in self.checks],
            "sources": [source.as_json() for source in self.sources],
            "seconds": round(self.seconds, 3),
            "interrupted": list(self.interrupted),
        }


def _each(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))

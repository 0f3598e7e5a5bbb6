"""What a load is told: connections, options, limits, and whom to tell how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from adbc_driver_manager import AdbcConnection
from sqlalchemy import Connection

from layers.base import Layer
from layers.city import CityFrame
from loaders.mapping import Mapping
from loaders.rules import Thresholds
from loaders.source import Source

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class LoadConnections:
    """Connections of one database role, made by the caller.

    Attributes:
        sql: For statements; must not be in a transaction; the load commits on it.
        bulk: For COPY through Arrow; not in autocommit.
        connect: Opens another one for statements, for large publications.
    """

    sql: Connection
    bulk: AdbcConnection
    connect: Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class ReadLimits:
    """Bounds on what a file may cost to read.

    Attributes:
        max_unpacked_bytes: Size of all members of an archive together, measured while unpacking.
        max_ratio: Unpacked size of an archive by its packed size.
        max_members: Files in an archive.
        max_fields: Columns of a file.
        memory_bytes: Address space of the process that reads the file.
        timeout_s: Time the file may take to read, and processor time of the process.
    """

    max_unpacked_bytes: int = 20 * 1024 * MEBIBYTE
    max_ratio: int = 200
    max_members: int = 1000
    max_fields: int = 1000
    memory_bytes: int = 4 * 1024 * MEBIBYTE
    timeout_s: int = 3600


@dataclass(frozen=True)
class LoadOptions:
    """What the user said about the files.

    Attributes:
        crs: System of the coordinates: ``EPSG:n``, ``n``, ``gcj02``, ``bd09``; ``/yx`` after it for
            northing first. None means what the file says.
        encoding: Encoding of texts; None means what the file says or shows.
        key: Columns or attributes that identify a feature; None means the descriptor's.
        valid_from: Instant from which the rows are true; None lets ``layers.publish`` decide.
        valid_to: End of the period of a correction, not part of it; None means without an end.
        is_correction: Whether the rows correct what was held of the past, see ``layers.claims``.
        is_complete: Whether the files are the whole dataset: what is not in them has ended.
        source_layer: Name of the layer in a file that has several.
        on_error: Whether bad rows go to quarantine, or refuse the whole load.
        dry_run: Do everything but publish.
        checks: Whether rows are also held against each other and against what is held.
        strict: Rules whose breach rejects a row although it need not.
        thresholds: Where each rule begins to find fault.
        find: Finds the sources that a file stands for, for a layer; None means
            ``datasets.prepare``.
    """

    city: CityFrame
    crs: str | None = None
    encoding: str | None = None
    mapping: Mapping = field(default_factory=Mapping)
    key: tuple[str, ...] | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    is_correction: bool = False
    is_complete: bool = False
    source_layer: str | None = None
    on_error: Literal["quarantine", "reject"] = "quarantine"
    dry_run: bool = False
    limits: ReadLimits = field(default_factory=ReadLimits)
    checks: Literal["all", "rows"] = "all"
    strict: frozenset[str] = frozenset()
    thresholds: Thresholds = field(default_factory=Thresholds)
    find: Callable[[Path, LoadOptions, Path, Layer], Iterator[Source]] | None = None


class Progress(Protocol):
    """Whom a load tells how far it is."""

    def step(self, name: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` rows have passed a step; None where the total is not known."""


class NoProgress:
    """Tells nobody."""

    def step(self, name: str, done: int, total: int | None) -> None:
        """Do nothing."""

"""Files as batches of rows of a layer, one file after another, a few batches ahead of who asks."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa

from layers.base import Attribute, Layer
from layers.claims import RowRange
from layers.errors import MissingColumn
from loaders.admin import AdminAreas
from loaders.datasets import prepare
from loaders.known import Known, Ledger, behaviour
from loaders.mapping import ColumnPlan, plan_columns
from loaders.normalise import Z_SOURCE, Normalised, Normaliser, staged_schema
from loaders.options import LoadOptions
from loaders.positions import Locator, find_locator
from loaders.reader import Features, read
from loaders.report import SourceReport
from loaders.source import Source

_T = TypeVar("_T")
_DEPTH = 2


class Pipeline:
    """The rows of some files as rows of a layer.

    Attributes:
        reports: One of each file that has been read to its end.
        rows_read: Rows read so far, over all files.
        rejected: How many of them were rejected.
        count: Rows of the file being read with those read before; None where not known.
        ledger: Which rows are known, and what is remembered of the others.
    """

    def __init__(
        self,
        layer: Layer,
        options: LoadOptions,
        areas: AdminAreas | None,
        folder: Path,
        known: Known | None = None,
    ) -> None:
        self._layer = layer
        self._options = options
        self._areas = areas
        self._folder = folder
        self.reports: list[SourceReport] = []
        self.rows_read = 0
        self.rejected = 0
        self.count: int | None = None
        self.ledger = Ledger(known)
        self._filled: list[tuple[RowRange, frozenset[str]]] = []

    def batches(self, files: Sequence[Path]) -> Generator[Normalised, None, None]:
        """Batches of all files, normalised.

        Raises:
            SourceError: a file cannot be read or does not fit the layer.
        """
        find = self._options.find or prepare
        for file in files:
            for source in find(file, self._options, self._folder, self._layer):
                yield from self.of_source(source)

    def of_source(self, source: Source) -> Generator[Normalised, None, None]:
        """Batches of one source, normalised.

        Raises:
            SourceError: it cannot be read or does not fit the layer.
        """
        with read(source, self._options.limits) as features:
            yield from self._of_file(source, features)

    def silent(self, layer: Layer) -> dict[str, tuple[RowRange, ...]]:
        """Attributes that files read so far have no column for, and the rows of those files."""
        found = {
            attribute.column: tuple(
                rows for rows, filled in self._filled if _filler(attribute) not in filled
            )
            for attribute in layer.attributes
            if attribute.name != Z_SOURCE  # follows from the geometry
        }
        return {name: ranges for name, ranges in found.items() if ranges}

    def _of_file(self, source: Source, features: Features) -> Iterator[Normalised]:
        plan = self._plan(source, features)
        before = self.rows_read
        self.count = None if features.count is None else before + features.count
        normaliser: Normaliser | None = None
        seed = b""
        repaired = 0
        for batch in features.batches:
            if normaliser is None:
                locator = self._locator(source, features, batch)
                normaliser = Normaliser(
                    self._layer,
                    plan,
                    locator,
                    self._options.city,
                    self._areas,
                    self._options.thresholds,
                    self._options.strict,
                )
                seed = self._seed(source, plan, locator)
            normalised = self._normalised(batch, normaliser, seed)
            self.rows_read += batch.num_rows
            repaired += normalised.repaired
            if source.faults and self.rows_read == before + batch.num_rows:
                normalised = normalised.with_faults(source.faults, int(self._layer.clearance))
            yield normalised
        if self.rows_read > before:
            filled = frozenset({*plan.columns, *plan.constants})
            self._filled.append(((before + 1, self.rows_read), filled))
        report = _report(source, plan, normaliser, self.rows_read - before)
        located = normaliser.locator.notes if normaliser else ()
        notes = [*report.notes, *located, *features.notes]
        if repaired:
            notes.append(f"{repaired} invalid polygons were repaired; no area changed")
        self.reports.append(replace(report, notes=tuple(notes)))

    def _normalised(self, batch: pa.RecordBatch, normaliser: Normaliser, seed: bytes) -> Normalised:
        """A batch normalised, but for rows that are known."""
        numbers = np.arange(batch.num_rows, dtype=np.int64) + self.rows_read + 1
        found, is_known = self.ledger.look(batch, seed)
        known = int(is_known.sum())
        if known == batch.num_rows:
            nothing = pa.RecordBatch.from_pylist([], staged_schema(self._layer))
            return Normalised(nothing, (), known=known)
        if known:
            batch, numbers = batch.filter(pa.array(~is_known)), numbers[~is_known]
        normalised = normaliser.normalise(batch, numbers)
        self.rejected += len(normalised.rejected)
        accepted = normalised.accepted
        at = np.searchsorted(numbers, accepted.column("row_number").to_numpy())
        self.ledger.note(accepted, found[~is_known][at], normalised.is_clean)
        return replace(normalised, known=known)

    def _seed(self, source: Source, plan: ColumnPlan, locator: Locator) -> bytes:
        """The seed of digests of a source: all that decides what becomes of its rows."""
        said = replace(self._options, valid_from=None, valid_to=None, dry_run=False)
        encoding = source.encoding.name if source.encoding else None
        operation = locator.operation
        return self.ledger.seed_for(
            self._layer, said, plan, encoding, locator.columns, operation.crs, behaviour(operation)
        )

    def _locator(self, source: Source, features: Features, first: pa.RecordBatch) -> Locator:
        return find_locator(
            first,
            source.coordinates,
            said=self._options.crs,
            stated=features.crs,
            city=self._options.city,
            source=source.path,
            geometry_type=self._layer.geometry_type,
        )

    def _plan(self, source: Source, features: Features) -> ColumnPlan:
        positions = source.coordinates.columns if source.coordinates else ()
        plan = plan_columns(
            self._layer,
            [column for column in features.columns if column not in positions],
            source.mapping or self._options.mapping,
            source=source.path,
            key=self._options.key,
            dbf_encoding=source.dbf_encoding,
        )
        if source.is_table and not positions:
            ends = self._layer.end_nodes
            if ends is None or not {ends.start, ends.end} <= plan.columns.keys():
                raise MissingColumn(source.path, "geometry", features.columns)
        return plan


def _filler(attribute: Attribute) -> str:
    """The attribute that a column has to fill for this one to have a value."""
    return attribute.derived.attribute if attribute.derived else attribute.name


def _report(
    source: Source, plan: ColumnPlan, normaliser: Normaliser | None, rows: int
) -> SourceReport:
    operation = normaliser.locator.operation if normaliser else None
    encoding = source.encoding
    return SourceReport(
        source.title,
        source.sha256,
        operation.crs if operation else "none",
        operation.description if operation else "none: there are no rows",
        operation.accuracy_m if operation else 0.0,
        f"{encoding.name} ({encoding.found})" if encoding else None,
        plan.columns,
        plan.constants,
        plan.unmapped,
        source.notes,
        rows,
    )


def ahead(items: Generator[_T, None, None]) -> Iterator[_T]:
    """The same items, made by a thread that stays a few ahead of who takes them.

    Reading and reprojecting go on while the database takes in the batch before. What the making
    raises is raised here; when the taker stops, the maker stops after the item at hand.
    """
    maker = _Maker(items)
    maker.start()
    try:
        while (made := maker.made.get()) is not _END:
            yield made  # type: ignore[misc]  # an item: the end is handled above
        if maker.failure is not None:
            raise maker.failure
    finally:
        maker.stopped.set()
        maker.join()


_END = object()


class _Maker(threading.Thread, Generic[_T]):
    """Puts items into a short queue until there are none or nobody takes them."""

    def __init__(self, items: Generator[_T, None, None]) -> None:
        super().__init__(name="normalise", daemon=True)
        self._items = items
        self.made: queue.Queue[_T | object] = queue.Queue(_DEPTH)
        self.stopped = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Make all items; a failure is kept for who takes them."""
        try:
            with closing(self._items):
                for item in self._items:
                    self._put(item)
                    if self.stopped.is_set():
                        break
        except BaseException as failure:
            self.failure = failure
        self._put(_END)

    def _put(self, item: _T | object) -> None:
        while not self.stopped.is_set():
            try:
                self.made.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

"""What a file holds: columns, geometries, system of coordinates, encoding; nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from layers.base import GeometryType
from layers.crs import find_operation, share_inside
from layers.crs_candidates import candidates
from layers.errors import UnknownCRS
from loaders.datasets import ALL_LAYERS, prepare
from loaders.delimited import CoordinateColumns
from loaders.findings import Findings
from loaders.formats.stream import GEOMETRY
from loaders.geometry import positions_of
from loaders.inference import ColumnEvidence, InferredColumn, observe
from loaders.options import LoadOptions
from loaders.position_columns import PositionColumns, find_position_columns
from loaders.positions import read_positions
from loaders.reader import Features, read
from loaders.source import Source

_NAMES = {
    1: "Point",
    2: "LineString",
    3: "Polygon",
    4: "MultiPoint",
    5: "MultiLineString",
    6: "MultiPolygon",
    7: "GeometryCollection",
}
_POINTS = GeometryType.POINT


@dataclass(frozen=True)
class CrsFound:
    """The system of a file's coordinates, and how it was found.

    Attributes:
        name: As ``--crs`` takes it; None where it is not known or there are no coordinates.
        found: How it was found, for people.
        share_inside: Share of the first positions that lie in the city, 0 to 1; None without any.
        candidates: Systems that would put them into the city, where the one found does not.
    """

    name: str | None
    found: str
    share_inside: float | None = None
    candidates: tuple[str, ...] = ()

    @property
    def assumed(self) -> str | None:
        """The likeliest system, as ``--crs`` takes it, where the one found is not to be used."""
        return self.candidates[0].split(" ")[0] if self.candidates else None

    def __str__(self) -> str:
        inside = "" if self.share_inside is None else f"; {self.share_inside:.0%} lie in the city"
        return f"{self.name or 'unknown'}: {self.found}{inside}"


@dataclass(frozen=True)
class Inspection:
    """What one data set of a file holds.

    Attributes:
        source: To read it again; good for as long as its private folder is.
        geometries: Type to number of rows; a trailing Z means elevations, ``None`` no geometry.
        positions: Columns that hold positions by their numbers, where none do by their names.
        words: Column to its distinct texts and how often each comes, as far as they are kept.
        cut_encoding: Encoding in which a DBF has cut names of columns to 10 bytes.
    """

    source: Source
    rows: int
    columns: tuple[InferredColumn, ...]
    geometries: Mapping[str, int]
    crs: CrsFound
    encoding: str | None
    notes: tuple[str, ...] = ()
    positions: PositionColumns | None = None
    words: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    cut_encoding: str | None = None

    @property
    def name(self) -> str:
        """Of the file, and of its layer or member where it has several."""
        return self.source.title

    @property
    def layer(self) -> str | None:
        """As ``--layer`` takes it; None where the file has one."""
        return self.source.layer

    @property
    def coordinates(self) -> CoordinateColumns | None:
        """Columns of positions, if there are any."""
        return self.source.coordinates

    @property
    def dimensions(self) -> frozenset[int]:
        """Dimensions of the geometries, of columns of coordinates too."""
        if self.coordinates is not None and self.coordinates.wkt is None:
            return frozenset((0,))
        words = (("Point", 0), ("LineString", 1), ("Polygon", 2))
        return frozenset(d for name in self.geometries for word, d in words if word in name)

    def as_json(self) -> dict[str, object]:
        """Plain dictionaries and lists."""
        return {
            "name": self.name,
            "layer": self.layer,
            "rows": self.rows,
            "geometries": dict(self.geometries),
            "crs": {
                "name": self.crs.name,
                "found": self.crs.found,
                "share_inside": self.crs.share_inside,
                "candidates": list(self.crs.candidates),
            },
            "encoding": self.encoding,
            "columns": [column.as_json() for column in self.columns],
            "notes": list(self.notes),
            "positions": asdict(self.positions) if self.positions else None,
        }


def inspect(path: Path, options: LoadOptions, folder: Path) -> Iterator[Inspection]:
    """What each data set of a file holds, read to its end.

    Args:
        folder: Private folder; the caller removes it.

    Raises:
        SourceError: the file cannot be read.
    """
    wanted = replace(options, source_layer=options.source_layer or ALL_LAYERS)
    for source in prepare(path, wanted, folder):
        with read(source, options.limits) as features:
            yield _inspected(source, features, options)


def _inspected(source: Source, features: Features, options: LoadOptions) -> Inspection:
    seen: dict[str, ColumnEvidence] = {}
    geometries: Counter[str] = Counter()
    crs: CrsFound | None = None
    rows = 0
    for batch in features.batches:
        rows += batch.num_rows
        observe(seen, batch)
        geometries += _types(batch.column(GEOMETRY))
        if crs is None:
            crs = _crs(source, features.crs, batch, options)
    for name in features.columns:
        seen.setdefault(name, ColumnEvidence(name))  # of a file without rows
    columns = tuple(seen[name].inferred() for name in features.columns)
    is_bare = source.is_table and source.coordinates is None
    encoding = source.encoding
    return Inspection(
        source,
        rows,
        columns,
        dict(geometries.most_common()),
        crs or CrsFound(features.crs, "there are no rows"),
        f"{encoding.name} ({encoding.found})" if encoding else None,
        (*source.notes, *features.notes),
        find_position_columns(columns, options.city, source.path) if is_bare else None,
        {name: column.counts for name, column in seen.items()},
        encoding.name if encoding and source.cuts_names else None,
    )


def _types(column: pa.Array) -> Counter[str]:
    """Types of the geometries of a batch, from the heads of their WKB."""
    found: Counter[str] = Counter()
    _, ends_buffer, data_buffer = column.buffers()
    ends = np.frombuffer(ends_buffer, np.int32)[column.offset :][: len(column) + 1]
    data = np.frombuffer(data_buffer or b"", np.uint8)
    given = np.diff(ends) >= 5
    if not given.all():
        found["None"] = int((~given).sum())
    at = ends[:-1][given]
    codes = data[at + 1].astype(np.int64) + 256 * data[at + 2].astype(np.int64)
    for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
        kind = _NAMES.get(int(code) % 1000, "Other")
        found[f"{kind}Z" if int(code) // 1000 in (1, 3) else kind] += int(count)
    return found


def _crs(
    source: Source, stated: str | None, first: pa.RecordBatch, options: LoadOptions
) -> CrsFound:
    """The system of the first rows, said or stated, and what would fit where it does not."""
    form = read_positions(first, source.coordinates, _POINTS, Findings(first.num_rows))
    positions = positions_of(form)
    said = options.crs or stated
    how = "given with --crs" if options.crs else "stated by the file"
    if not len(positions):
        return CrsFound(said, how if said else "there are no coordinates")
    if said is None:
        fitting = candidates(positions, options.city, source.path)
        return CrsFound(None, "not stated: name it with --crs", None, fitting)
    try:
        operation = find_operation(said, options.city, source.path)
    except UnknownCRS as error:
        return CrsFound(said, f"{how}; {error.reason}")
    share = share_inside(operation, positions, options.city)
    fitting = () if share else candidates(positions, options.city, source.path)
    return CrsFound(operation.crs, f"{how} ({operation.description})", share, fitting)

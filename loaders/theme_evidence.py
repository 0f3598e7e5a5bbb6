"""What the files of a theme hold: their columns, the kinds of their geometries, and how dense."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from layers.base import GeometryType
from layers.city import FloatArray
from layers.errors import UnreadableSource
from loaders.datasets import prepare
from loaders.findings import Findings
from loaders.geometry import GeometryArray
from loaders.inference import ColumnEvidence, InferredColumn, observe
from loaders.options import LoadOptions
from loaders.positions import Locator, find_locator, read_positions
from loaders.reader import read
from loaders.source import Source

TILE_BYTES = 500_000
"""What the tile of a layer may weigh; a theme is shown from the zoom at which none weighs more."""

_FINEST_ZOOM = 14
_COARSEST_ZOOM = 6
_FEATURE_BYTES = 20
_VERTEX_BYTES = 3
_MERCATOR_LIMIT_DEG = 85.051128
_NAMES = ("points", "lines", "areas")
_ANY = GeometryType.MULTI_POLYGON
"""Geometries are read as objects, of which there may be any kind; only areas have no other form."""

_Tiles = npt.NDArray[np.int64]


@dataclass
class Evidence:
    """What has been seen so far.

    Attributes:
        seen: By column.
        dimensions: Geometries by dimension: 0 points, 1 lines, 2 areas.
        rows: Rows, with a geometry or without.
        has_z: Whether any vertex has a height other than 0.
        has_parts: Whether any geometry has more than one part.
        bytes_of_tile: Estimated bytes by tile of the finest zoom, as row * 2**zoom + column.
    """

    seen: dict[str, ColumnEvidence] = field(default_factory=dict)
    dimensions: Counter[int] = field(default_factory=Counter)
    rows: int = 0
    has_z: bool = False
    has_parts: bool = False
    bytes_of_tile: Counter[int] = field(default_factory=Counter)

    @property
    def columns(self) -> list[InferredColumn]:
        """What each column holds."""
        return [column.inferred() for column in self.seen.values()]

    @property
    def dimension(self) -> int:
        """The dimension of most geometries."""
        return max(self.dimensions, key=lambda one: (self.dimensions[one], one))

    @property
    def geometry_type(self) -> GeometryType:
        """The type that holds every geometry of most files; lines and areas may have parts."""
        name = ("Point", "LineString", "Polygon")[self.dimension]
        is_multi = self.dimension > 0 or self.has_parts
        return GeometryType(f"{'Multi' if is_multi else ''}{name}{'Z' if self.has_z else ''}")

    def notes(self) -> Iterator[str]:
        """What a person should know of the geometries."""
        others = {d: n for d, n in self.dimensions.items() if d != self.dimension}
        if others:
            listed = ", ".join(f"{count} {_NAMES[d]}" for d, count in sorted(others.items()))
            yield f"a theme holds {_NAMES[self.dimension]} only; {listed} will be rejected"

    def minzoom(self) -> int:
        """The first zoom at which no tile would weigh more than ``TILE_BYTES``."""
        if not self.bytes_of_tile:
            return _COARSEST_ZOOM
        at = np.array(list(self.bytes_of_tile), np.int64)
        weights = np.array(list(self.bytes_of_tile.values()), np.int64)
        rows, columns = np.divmod(at, 2**_FINEST_ZOOM)
        for zoom in range(_COARSEST_ZOOM, _FINEST_ZOOM):
            shift = _FINEST_ZOOM - zoom
            tiles = (rows >> shift) * 2**_FINEST_ZOOM + (columns >> shift)
            _, which = np.unique(tiles, return_inverse=True)
            if np.bincount(which, weights).max() <= TILE_BYTES:
                return zoom
        return _FINEST_ZOOM


def gather(files: Sequence[Path], options: LoadOptions, folder: Path) -> Evidence:
    """Read files for what they hold.

    Args:
        folder: For what archives hold.

    Raises:
        SourceError: a file cannot be read, its system of coordinates is not known, or no row has a
            geometry.
    """
    found = [
        _of_source(source, options) for file in files for source in prepare(file, options, folder)
    ]
    dimensions = sum((one.dimensions for one in found), Counter[int]())
    if not dimensions:
        raise UnreadableSource(files[0], "no row has a geometry; a theme is a layer of a map")
    most = Evidence(dimensions=dimensions).dimension
    # What is mostly of another kind is another layer of the file, with columns of its own.
    return _together([one for one in found if one.dimensions and one.dimension == most])


def _of_source(source: Source, options: LoadOptions) -> Evidence:
    evidence = Evidence()
    with read(source, options.limits) as features:
        locator: Locator | None = None
        for batch in features.batches:
            if locator is None:
                locator = find_locator(
                    batch,
                    source.coordinates,
                    said=options.crs,
                    stated=features.crs,
                    city=options.city,
                    source=source.path,
                    geometry_type=_ANY,
                )
            _take_in(evidence, batch, source, locator)
    return evidence


def _together(parts: Sequence[Evidence]) -> Evidence:
    """What several sources hold, as one."""
    whole, *others = parts
    for part in others:
        whole.dimensions.update(part.dimensions)
        whole.bytes_of_tile.update(part.bytes_of_tile)
        whole.rows += part.rows
        whole.has_z |= part.has_z
        whole.has_parts |= part.has_parts
        for name, column in part.seen.items():
            known = whole.seen.setdefault(name, column)
            if known is not column:
                known.add(column)
    return whole


def _take_in(evidence: Evidence, batch: pa.RecordBatch, source: Source, locator: Locator) -> None:
    positions = source.coordinates.columns if source.coordinates else ()
    observe(evidence.seen, batch.drop_columns([c for c in positions if c in batch.schema.names]))
    evidence.rows += batch.num_rows
    form = read_positions(batch, locator.columns, _ANY, Findings(batch.num_rows))
    geometries = np.asarray(form)
    present = geometries[~(shapely.is_missing(geometries) | shapely.is_empty(geometries))]
    if not len(present):
        return
    dimensions = shapely.get_dimensions(present)
    evidence.dimensions.update(int(one) for one in dimensions.tolist() if one >= 0)
    evidence.has_parts |= bool((shapely.get_num_geometries(present) > 1).any())
    evidence.has_z |= _has_heights(present)
    lon_lat = locator.operation.apply(_first_positions(present))
    vertices = shapely.get_num_coordinates(present)
    _weigh(evidence, lon_lat, _FEATURE_BYTES + _VERTEX_BYTES * vertices)


def _has_heights(geometries: GeometryArray) -> bool:
    z = shapely.get_coordinates(geometries[shapely.has_z(geometries)], include_z=True)[:, 2]
    return bool((np.isfinite(z) & (z != 0)).any())


def _first_positions(geometries: GeometryArray) -> FloatArray:
    positions, owner = shapely.get_coordinates(geometries, return_index=True)
    _, first = np.unique(owner, return_index=True)
    return np.asarray(positions[first])


def _weigh(evidence: Evidence, lon_lat: FloatArray, weights: npt.NDArray[np.int64]) -> None:
    good = np.isfinite(lon_lat).all(axis=1) & (np.abs(lon_lat) <= 180).all(axis=1)
    tiles, which = np.unique(_tiles(lon_lat[good]), return_inverse=True)
    sums = np.bincount(which, weights[good], minlength=len(tiles))
    for tile, weight in zip(tiles.tolist(), sums.tolist(), strict=True):
        evidence.bytes_of_tile[tile] += int(weight)


def _tiles(lon_lat: FloatArray) -> _Tiles:
    """The tiles of the finest zoom in which positions lie, as row * 2**zoom + column."""
    count = 2**_FINEST_ZOOM
    lat = np.radians(np.clip(lon_lat[:, 1], -_MERCATOR_LIMIT_DEG, _MERCATOR_LIMIT_DEG))
    column = (lon_lat[:, 0] + 180) / 360 * count
    row = (1 - np.arcsinh(np.tan(lat)) / np.pi) / 2 * count
    inside = np.clip(np.floor([row, column]), 0, count - 1).astype(np.int64)
    return np.asarray(inside[0] * count + inside[1])

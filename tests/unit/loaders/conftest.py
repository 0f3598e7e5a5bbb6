"""Files are written by the tests themselves and read as a load reads them, without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import shapely

from layers.city import CityFrame
from layers.extent import BBox
from layers.registry import get_layer
from loaders.findings import reason_word
from loaders.normalise import Rejected, staged_schema
from loaders.options import LoadOptions
from loaders.pipeline import Pipeline
from loaders.report import SourceReport

SHENZHEN = CityFrame("Shenzhen", BBox(113.75, 22.40, 114.65, 22.87), 4547, "Asia/Shanghai")


@dataclass(frozen=True)
class Outcome:
    """Rows accepted and rejected, in EPSG:4490, and how each file was read."""

    accepted: pa.Table
    rejected: list[Rejected]
    reports: list[SourceReport]
    read: int

    @property
    def reasons(self) -> Counter[str]:
        return Counter(reason_word(row.reasons[0]) for row in self.rejected)

    @property
    def geometries(self) -> list[Any]:
        return list(shapely.from_wkb(self.accepted["geom"].to_pylist()))

    def values(self, attribute: str) -> list[Any]:
        values: list[Any] = self.accepted[attribute].to_pylist()
        return values


Reader = Callable[..., Outcome]


@pytest.fixture
def frame() -> CityFrame:
    """Shenzhen, EPSG:4490, measured in EPSG:4547."""
    return SHENZHEN


@pytest.fixture
def read_rows(tmp_path: Path) -> Reader:
    """Reads files into a layer as a load does: ``read_rows(layer, *files, **options)``."""

    def read(layer: str, *files: Path, **options: Any) -> Outcome:
        folder = tmp_path / "private"
        folder.mkdir(exist_ok=True)
        chosen = LoadOptions(**{"city": SHENZHEN, **options})
        pipeline = Pipeline(get_layer(layer), chosen, None, folder)
        batches = list(pipeline.batches(files))
        schema = staged_schema(get_layer(layer))
        accepted = pa.Table.from_batches([batch.accepted for batch in batches], schema=schema)
        rejected = [row for batch in batches for row in batch.rejected]
        assert pipeline.rows_read == accepted.num_rows + len(rejected)
        return Outcome(accepted, rejected, pipeline.reports, pipeline.rows_read)

    return read

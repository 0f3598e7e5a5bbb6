"""One small city for all tests of the sample city, read back from its files."""

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from pyogrio.raw import read

from geoservice.sample_city import Manifest, write_sample_city

SEED = 11
FEATURES = 6_000


@dataclass(frozen=True)
class WrittenCity:
    """A written city and readers of its files, none of which the generator uses."""

    directory: Path
    manifest: Manifest

    @cached_property
    def points(self) -> dict[str, dict[str, str]]:
        """Rows of all point tables by point number; X is the northing."""
        rows = self.rows("pipeline_nodes", "gb18030")
        return {row["物探点号"]: row for row in rows}

    @cached_property
    def lines(self) -> list[dict[str, str]]:
        """Rows of all line tables."""
        return self.rows("pipelines", "gb18030")

    @cached_property
    def facilities(self) -> list[dict[str, str]]:
        """Rows of the facilities; coordinates are GCJ-02 degrees."""
        return self.rows("facilities", "utf-8-sig")

    @cached_property
    def parcels(self) -> dict[str, np.ndarray]:
        """Columns of all parcel files, decoded as GBK, geometries in EPSG:4547 metres."""
        tables = []
        for file in self.manifest.of_layer("parcels"):
            meta, _, geometry, columns = read(self.directory / file.path, encoding="GBK")
            table = dict(zip(meta["fields"], columns, strict=True))
            tables.append(table | {"geometry": shapely.from_wkb(geometry)})
        return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}

    @cached_property
    def roads(self) -> list[dict[str, Any]]:
        """Features of the roads, in degrees."""
        content = json.loads((self.directory / "roads.geojson").read_text(encoding="utf-8"))
        features: list[dict[str, Any]] = content["features"]
        return features

    def rows(self, layer: str, encoding: str) -> list[dict[str, str]]:
        """Rows of all CSV files of a layer."""
        rows: list[dict[str, str]] = []
        for file in self.manifest.of_layer(layer):
            with (self.directory / file.path).open(encoding=encoding, newline="") as stream:
                rows.extend(csv.DictReader(stream))
        return rows


@pytest.fixture(scope="session")
def sample_city(tmp_path_factory: pytest.TempPathFactory) -> WrittenCity:
    """A city of 6,000 features."""
    directory = tmp_path_factory.mktemp("sample-city")
    return WrittenCity(directory, write_sample_city(directory, features=FEATURES, seed=SEED))

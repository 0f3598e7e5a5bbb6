"""Real files made by others are looked at: layer, system and columns as a person names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from layers.city import CityFrame
from layers.extent import BBox
from layers.registry import LAYERS
from loaders.inspection import Inspection, inspect
from loaders.options import LoadOptions
from loaders.proposal import propose

CHINA = CityFrame("Shenzhen", BBox(113.75, 22.40, 114.65, 22.87), 4547, "Asia/Shanghai")
CHONGQING = CityFrame("Chongqing", BBox(105, 28, 111, 33), 4547, "Asia/Shanghai")


@dataclass(frozen=True)
class Known:
    """What a person knows of a file."""

    path: str
    rows: int
    layer: str
    columns: dict[str, str]
    system: str
    city: CityFrame = CHINA


FILES = (
    Known("01_shenzhen_china/sz.shp", 10, "districts", {"name": "qh"}, "EPSG:4490"),
    Known(
        "01_shenzhen_china/UrbanEV/inf.csv",
        1362,
        "facilities",
        {"code": "station_id", "capacity": "charge_count"},
        "EPSG:4490",
    ),
    Known(
        "01_shenzhen_china/ST-EVCDP/stations.csv",
        1706,
        "facilities",
        {"code": "station_id", "capacity": "count"},
        "EPSG:4490",
    ),
    Known(
        "02_utility_networks/water_ky4_pipes.geojson",
        1156,
        "pipelines",
        {"code": "name", "start_node": "start_node_name", "diameter_mm": "diameter"},
        "EPSG:3547",
        CityFrame("Kentucky", BBox(-90, 36, -81, 40), 3547, "America/New_York"),
    ),
)


@pytest.fixture(params=FILES, ids=lambda known: known.path)
def known(request: pytest.FixtureRequest) -> Known:
    found: Known = request.param
    return found


@pytest.fixture
def found(known: Known, shared_data: Path, tmp_path: Path) -> Inspection:
    """The file as it was found, read to its end."""
    (found,) = inspect(shared_data / known.path, LoadOptions(city=known.city), tmp_path)
    return found


def test_a_real_file_is_known_by_its_layer_columns_and_system(
    known: Known, found: Inspection
) -> None:
    best = propose(found, LAYERS)[0]

    assert known.rows == found.rows
    assert known.layer == best.layer.name
    assert known.columns.items() <= best.mapping.columns.items()
    assert known.system in (found.crs.name, found.crs.assumed)


def test_diameters_of_a_real_network_are_seen_to_be_metres(
    shared_data: Path, tmp_path: Path
) -> None:
    path = shared_data / "02_utility_networks/water_ky4_pipes.geojson"
    (found,) = inspect(path, LoadOptions(city=CHINA), tmp_path)

    assert propose(found, LAYERS)[0].mapping.units == {"diameter_mm": "m"}


def test_a_dbf_without_a_word_on_its_encoding_is_told_with_how_it_was_found(
    shared_data: Path, tmp_path: Path
) -> None:
    (path,) = shared_data.rglob("区县界_area.shp")

    (found,) = inspect(path, LoadOptions(city=CHONGQING), tmp_path)

    assert found.encoding == "gb18030 (language driver of the DBF)"
    assert {column.name for column in found.columns} >= {"NAME", "PYNAME", "ADMINCODE"}
    assert any("区" in sample for column in found.columns for sample in column.samples)

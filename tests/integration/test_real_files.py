"""Real files made by others load through the command line, with the counts known of them.

Counts are those of ``shared/data/README.md``. Of the invalid polygons named there those are
repaired that keep their area; the others are rejected for that reason. Then a feature of each file
is found in a tile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import morecantile
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from layers.access import Clearance
from layers.registry import get_layer
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.support import City

WEB_MERCATOR = morecantile.tms.get("WebMercatorQuad")

SHENZHEN = "[113.74,22.38,114.65,22.90]"
SHANGHAI = "[121.0,30.9,122.0,31.6]"
KENTUCKY = "[-90,36,-81,40]"
WILLIAMSBURG = "[-76.80,37.20,-76.60,37.35]"
CAPE = "[19,-35,22,-33]"
PRAGUE = "[14.2,49.9,14.7,50.2]"
PHILADELPHIA = "[-75.4,39.8,-74.9,40.2]"
SARTHE = "[0,47.5,1,48]"
USA = "[-180,10,-60,75]"
CHONGQING = "[105,28,111,33]"


@dataclass(frozen=True)
class RealFile:
    """A file, how it is loaded, and what is known of it."""

    path: str
    layer: str
    extent: str
    rows: int
    options: tuple[str, ...] = ()
    rejected: dict[str, int] = field(default_factory=dict)


FILES = (
    RealFile("01_shenzhen_china/sz.shp", "districts", SHENZHEN, 10, ("--crs", "EPSG:4326")),
    RealFile("01_shenzhen_china/sz.json", "districts", SHENZHEN, 10),
    RealFile("01_shenzhen_china/shenzhen.geojson", "districts", SHENZHEN, 1),
    RealFile("01_shenzhen_china/echarts_shenzhen_districts.geojson", "districts", SHENZHEN, 8),
    RealFile(
        "01_shenzhen_china/ST-EVCDP/SZ_districts/SZ_districts.shp",
        "districts",
        SHENZHEN,
        491,
        ("--set", "level=zone"),
    ),
    RealFile(
        "01_shenzhen_china/metroline2/metroline2.shp",
        "roads",
        SHANGHAI,
        2,
        ("--crs", "EPSG:4326"),
    ),
    RealFile("01_shenzhen_china/busline.json", "roads", SHANGHAI, 2),
    RealFile(
        "01_shenzhen_china/metrostop2.csv",
        "facilities",
        SHANGHAI,
        60,
        ("--crs", "EPSG:4490", "--set", "kind=metro_station"),
    ),
    RealFile(
        "01_shenzhen_china/ST-EVCDP/stations.csv",
        "facilities",
        SHENZHEN,
        1706,
        ("--crs", "gcj02", "--set", "kind=charging"),
    ),
    RealFile(
        "01_shenzhen_china/ST-EVCDP/information.csv",
        "facilities",
        SHENZHEN,
        247,
        ("--crs", "gcj02", "--set", "kind=charging"),
    ),
    RealFile(
        "01_shenzhen_china/UrbanEV/inf.csv",
        "facilities",
        SHENZHEN,
        1362,
        ("--crs", "gcj02", "--set", "kind=charging"),
    ),
    RealFile("02_utility_networks/water_ky4_junctions.geojson", "pipeline_nodes", KENTUCKY, 959),
    RealFile(
        "02_utility_networks/water_ky4_pipes.geojson",
        "pipelines",
        KENTUCKY,
        1156,
        ("--set", "kind=JS"),
    ),
    RealFile(
        "02_utility_networks/water_ky4.inp",
        "pipeline_nodes",
        KENTUCKY,
        964,
        ("--crs", "EPSG:3547", "--set", "kind=JS"),
    ),
    RealFile(
        "02_utility_networks/water_ky4.inp",
        "pipelines",
        KENTUCKY,
        1158,
        ("--crs", "EPSG:3547", "--set", "kind=JS"),
    ),
    RealFile(
        "03_cadastre/williamsburg_parcels.geojson",
        "parcels",
        WILLIAMSBURG,
        4464,
        ("--map", "code=PID"),
        {"invalid_geometry": 1, "no_geometry": 1},
    ),
    RealFile(
        "03_cadastre/za_farms_33S.shp",
        "parcels",
        CAPE,
        2008,
        ("--map", "code=AG_CAD_ID"),
        {"invalid_geometry": 7},
    ),
    RealFile(
        "03_cadastre/bubenec_buildings_plots_streets.gpkg",
        "parcels",
        PRAGUE,
        407,
        ("--layer", "plots", "--map", "code=ID"),
    ),
    RealFile(
        "03_cadastre/bubenec_buildings_plots_streets.gpkg",
        "roads",
        PRAGUE,
        35,
        ("--layer", "streets"),
    ),
    RealFile(
        "04_facilities_timeseries/phl_philadelphiaschool_facilities201302.kml",
        "facilities",
        PHILADELPHIA,
        567,
        ("--set", "kind=school"),
    ),
    RealFile(
        "04_facilities_timeseries/phl_bike_racks.geojson",
        "facilities",
        PHILADELPHIA,
        1960,
        ("--set", "kind=parking.bicycle"),
    ),
    RealFile("06_formats/chongqing_shp/区县界_area.shp", "districts", CHONGQING, 38),
    RealFile(
        "03_cadastre/fr_1870000A02.DXF",
        "parcels",
        SARTHE,
        64,
        ("--crs", "EPSG:2154", "--map", "code=xdata_IDU"),
    ),
    RealFile(
        "06_formats/geoarrow/quadrangles_100k.parquet",
        "parcels",
        USA,
        1809,
        ("--map", "code=quadrangle_id"),
    ),
)


def load(city: City, *arguments: str, extent: str) -> subprocess.CompletedProcess[str]:
    """``geoservice load`` as a process, for a city of another extent."""
    environment = os.environ | {
        "GEOSERVICE_DATABASE__FOLDER": str(city.settings.database.folder),
        "GEOSERVICE_DATABASE__NAME": city.settings.database.name,
        "GEOSERVICE_CITY__EXTENT": extent,
    }
    command = [sys.executable, "-P", "-m", "geoservice", "load", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=100
    )


def report_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The report that a load printed as JSON."""
    assert 0 == done.returncode, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{Path(f.path).name}-{f.layer}")
def test_a_real_file_loads_with_its_known_counts_and_shows_in_a_tile(
    city: City, client: TestClient, headers_of: KeyMaker, shared_data: Path, file: RealFile
) -> None:
    arguments = (file.layer, str(shared_data / file.path), *file.options, "--json")

    first = report_of(load(city, *arguments, extent=file.extent))
    again = report_of(load(city, *arguments, extent=file.extent))

    assert file.rows == first["read"]
    known = {reason: first["reasons"].get(reason, 0) for reason in file.rejected}
    assert file.rejected == known
    assert (0, 0) == (again["new"], again["changed"])
    assert first["rejected"] == again["rejected"]
    _is_in_a_tile(city, client, headers_of(Clearance.RESTRICTED), file.layer, first["load_id"])


def _is_in_a_tile(
    city: City, client: TestClient, headers: dict[str, str], layer: str, load_id: int
) -> None:
    with city.address.connect(Role.OWNER) as connection:
        feature_id, lon, lat = connection.execute(
            text(
                "SELECT feature_id, ST_X(p), ST_Y(p) FROM (SELECT feature_id, "
                f"ST_PointOnSurface(geom) AS p FROM city.{layer} "
                "WHERE load_id = :load_id ORDER BY feature_id LIMIT 1) f"
            ),
            {"load_id": load_id},
        ).one()
    tile = WEB_MERCATOR.tile(lon, lat, get_layer(layer).maxzoom)
    answer = client.get(f"/tiles/{layer}/{tile.z}/{tile.x}/{tile.y}.mvt", headers=headers)

    features = mapbox_vector_tile.decode(answer.content)[layer]["features"]
    assert feature_id in {feature["id"] for feature in features}


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("01_shenzhen_china/sz.shp", 65, ["EPSG:4490", "--crs"]),
        ("01_shenzhen_china/metrostop2.csv", 65, ["--crs"]),
        ("06_formats/shpzip/no-dbf.zip", 65, ["no-dbf.zip"]),
    ],
)
def test_a_file_that_cannot_be_placed_or_read_is_refused_with_a_way_on(
    city: City, shared_data: Path, path: str, code: int, words: list[str]
) -> None:
    done = load(city, "districts", str(shared_data / path), extent=SHENZHEN)

    assert code == done.returncode
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr

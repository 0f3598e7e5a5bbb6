"""Programs that others wrote, on a running service: GDAL's drivers and OWSLib."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx2 as httpx
import morecantile
import pytest
from owslib.ogcapi.features import Features
from pyogrio import list_layers
from pyogrio.raw import read as gdal_read

from tests.support import City, parcel

BOX = (114.0, 22.5, 114.3, 22.7)


@pytest.fixture(scope="module")
def service(city: City) -> Iterator[str]:
    """The address of a service in a process of its own, with 30 parcels of two uses."""
    rows = [
        parcel(f"P{n:02d}", 114.02 + n * 0.002, 22.55, land_use="07" if n % 3 else "05", area_m2=n)
        for n in range(30)
    ]
    city.publish("parcels", rows)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = os.environ | {
        "GEOSERVICE_DATABASE__FOLDER": str(city.settings.database.folder),
        "GEOSERVICE_DATABASE__NAME": city.settings.database.name,
        "GEOSERVICE_HTTP__PORT": str(port),
        "GEOSERVICE_LOAD__WORKERS": "0",
    }
    process = subprocess.Popen([sys.executable, "-P", "-m", "geoservice", "serve"], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    message = "the service did not become ready"
    raise AssertionError(message)


def test_owslib_reads_filtered_features(service: str) -> None:
    features = Features(service)

    found = features.collection_items(
        "parcels", limit=100, filter="land_use = '05' AND area_m2 >= 15"
    )
    queryables = features.collection_queryables("parcels")

    codes = [feature["properties"]["code"] for feature in found["features"]]
    assert ["P15", "P18", "P21", "P24", "P27"] == codes
    assert "land_use" in queryables["properties"]


def test_gdal_reads_features_under_a_condition(service: str) -> None:
    meta, _, _, columns = gdal_read(
        f"OAPIF:{service}", layer="parcels", where="land_use = '05' AND area_m2 >= 15"
    )

    codes = columns[list(meta["fields"]).index("code")]
    assert ["P15", "P18", "P21", "P24", "P27"] == sorted(codes)


def test_gdal_opens_the_address_of_a_tile(service: str) -> None:
    tile = morecantile.tms.get("WebMercatorQuad").tile(114.0205, 22.5505, 15)
    url = f"MVT:{service}/tiles/parcels/15/{tile.x}/{tile.y}.mvt"

    layers = {name for name, _ in list_layers(url)}
    meta, _, _, columns = gdal_read(url, layer="parcels")

    codes = columns[list(meta["fields"]).index("code")]
    assert "parcels" in layers
    assert "P00" in codes
    assert "EPSG:3857" == meta["crs"]

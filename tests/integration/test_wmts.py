"""The WMTS asked by real clients, OWSLib and GDAL, over a socket; and what it refuses, in XML."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx2 as httpx
import mapbox_vector_tile
import morecantile
import numpy as np
import pytest
import rasterio
import uvicorn
from owslib.wmts import WebMapTileService

from geoservice.app import create_app
from geoservice.settings import RasterSettings
from layers.access import Clearance
from layers.roles import Role
from loaders.rasters import RasterOptions, RasterStore, load_raster
from tests.conftest import KeyMaker
from tests.raster_files import write_tif
from tests.raster_sources import hills
from tests.support import City, parcel

LON, LAT = 114.07, 22.54
TILE = morecantile.tms.get("WebMercatorQuad").tile(LON, LAT, 14)
OWS = "{http://www.opengis.net/ows/1.1}"
GET_TILE = {
    "service": "WMTS",
    "Request": "GetTile",
    "VERSION": "1.0.0",
    "layer": "raster:dem",
    "STYLE": "default",
    "format": "image/png",
    "TileMatrixSet": "WebMercatorQuad",
    "tilematrix": "14",
    "TILEROW": str(TILE.y),
    "TileCol": str(TILE.x),
}

# OWSLib asks an element whether it is true.
pytestmark = pytest.mark.filterwarnings("ignore:Truth-testing of elements")


@pytest.fixture(scope="module")
def url(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service over open terrain of two years, a hidden raster and a parcel."""
    folder = tmp_path_factory.mktemp("wmts")
    store = RasterStore(folder / "store")
    city.publish("parcels", [parcel("P1", LON, LAT)])
    with city.address.connect(Role.LOADER) as connection:
        for name, more, clearance, year in (
            ("dem", 0, Clearance.PUBLIC, 2020),
            ("dem", 500, None, 2024),
            ("canary", 0, Clearance.GOVERNMENT, 2020),
        ):
            heights = (hills() + more).astype(np.float32)
            file = write_tif(folder / f"{name}{year}.tif", heights)
            since = datetime(year, 1, 1, tzinfo=UTC)
            frame = city.settings.city.frame()
            options = RasterOptions(frame, clearance=clearance, valid_from=since)
            load_raster(connection, store, name, [file], options)
    settings = city.settings.model_copy(update={"rasters": RasterSettings(folder=store.folder)})
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def ask(url: str, **changed: str | None) -> httpx.Response:
    """The answer to GetTile, with some parameters changed or left out."""
    said = {name: value for name, value in (GET_TILE | changed).items() if value is not None}
    return httpx.get(f"{url}/wmts", params=said)


def exception(response: httpx.Response) -> tuple[int, str | None, str | None]:
    """Status, code and locator of a report."""
    found = ET.fromstring(response.content).find(f"{OWS}Exception")  # noqa: S314  # ours
    assert found is not None
    return response.status_code, found.get("exceptionCode"), found.get("locator")


@pytest.mark.parametrize("way", ["KVP", "REST"])
def test_owslib_finds_layers_and_gets_their_tiles(url: str, way: str) -> None:
    address = f"{url}/wmts" if way == "KVP" else f"{url}/wmts/1.0.0/WMTSCapabilities.xml"
    service = WebMapTileService(address)
    said = {"tilematrixset": "WebMercatorQuad", "tilematrix": "14", "row": TILE.y, "column": TILE.x}
    picture = service.gettile(layer="raster:dem", format="image/png", **said).read()
    tile = service.gettile(
        layer="parcels", format="application/vnd.mapbox-vector-tile", **said
    ).read()

    plain = httpx.get(f"{url}/rasters/dem/tiles/14/{TILE.x}/{TILE.y}.png").content
    assert plain == picture
    assert "P1" == mapbox_vector_tile.decode(tile)["parcels"]["features"][0]["properties"]["code"]


@pytest.mark.parametrize("grid", ["WebMercatorQuad", "CGCS2000Quad"])
def test_gdal_reads_pixels_where_they_lie(
    url: str, grid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GDAL_DEFAULT_WMS_CACHE_PATH", str(tmp_path))
    capabilities = f"{url}/wmts/1.0.0/WMTSCapabilities.xml"
    name = f"WMTS:{capabilities},layer=raster:dem,tilematrixset={grid},style=default"
    with rasterio.open(name) as dataset:
        x, y = rasterio.warp.transform("EPSG:4326", dataset.crs, [LON], [LAT])
        (pixel,) = dataset.sample([(x[0], y[0])])
        bounds = rasterio.warp.transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)

    said = httpx.get(f"{url}/rasters/dem").json()
    point = httpx.get(f"{url}/rasters/dem/point", params={"lon": LON, "lat": LAT}).json()
    low, high = said["bands"][0]["min"], said["bands"][0]["max"]
    height = point["values"][0]["value"]
    assert 255 == pixel[3]
    assert bounds == pytest.approx(said["bbox"], abs=0.01)
    assert (height - low) / (high - low) * 255 == pytest.approx(float(pixel[0]), abs=6)


def test_names_of_parameters_are_known_in_any_case_and_grids_by_their_letter(url: str) -> None:
    shouted = httpx.get(f"{url}/wmts", params={k.upper(): v for k, v in GET_TILE.items()})
    short = ask(url, TileMatrixSet="w")

    assert (200, "image/png") == (shouted.status_code, shouted.headers["content-type"])
    assert shouted.content == short.content


def test_a_tile_is_of_the_instant_and_the_style_that_are_asked_for(url: str) -> None:
    now, current = ask(url), ask(url, TIME="current")
    earlier = ask(url, TIME="2021-01-01T00:00:00Z")
    shaded = ask(url, STYLE="hillshade")

    query = "datetime=2021-01-01T00:00:00Z"
    then = httpx.get(f"{url}/rasters/dem/tiles/14/{TILE.x}/{TILE.y}.png?{query}")
    assert now.content == current.content
    assert then.content == earlier.content
    assert 3 == len({now.content, earlier.content, shaded.content})


def test_an_answer_that_is_known_is_not_sent_again(url: str) -> None:
    etag = ask(url).headers["etag"]
    again = httpx.get(f"{url}/wmts", params=GET_TILE, headers={"If-None-Match": etag})

    assert 304 == again.status_code


def test_a_hidden_raster_is_neither_listed_nor_told_from_one_that_is_not(
    url: str, headers_of: KeyMaker
) -> None:
    capabilities = f"{url}/wmts/1.0.0/WMTSCapabilities.xml"
    hidden, unknown = ask(url, layer="raster:canary"), ask(url, layer="raster:nothing")

    with_key = httpx.get(capabilities, headers=headers_of(Clearance.GOVERNMENT))
    assert b"canary" not in httpx.get(capabilities).content
    assert b"canary" in with_key.content
    assert hidden.content.replace(b"canary", b"nothing") == unknown.content
    assert (400, "InvalidParameterValue", "Layer") == exception(hidden)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"service": None}, (400, "MissingParameterValue", "Service")),
        ({"service": "WMS"}, (400, "InvalidParameterValue", "Service")),
        ({"Request": "GetFeatureInfo"}, (501, "OperationNotSupported", "GetFeatureInfo")),
        ({"VERSION": "2.0.0"}, (400, "InvalidParameterValue", "Version")),
        ({"layer": None}, (400, "MissingParameterValue", "Layer")),
        ({"layer": "nothing\x00<&"}, (400, "InvalidParameterValue", "Layer")),
        ({"STYLE": "neon"}, (400, "InvalidParameterValue", "Style")),
        ({"format": "image/tiff"}, (400, "InvalidParameterValue", "Format")),
        ({"TileMatrixSet": "Mars"}, (400, "InvalidParameterValue", "TileMatrixSet")),
        ({"tilematrix": "99"}, (400, "InvalidParameterValue", "TileMatrix")),
        ({"TILEROW": "-1"}, (400, "InvalidParameterValue", "TileRow")),
        ({"TILEROW": "16384"}, (400, "TileOutOfRange", "TileRow")),
        ({"TileCol": "16384"}, (400, "TileOutOfRange", "TileCol")),
        ({"TIME": "yesterday"}, (400, "InvalidParameterValue", "Time")),
        ({"LAYER": "raster:dem"}, (400, "InvalidParameterValue", "LAYER")),
        (
            {"Request": "GetCapabilities", "AcceptVersions": "2.0.0"},
            (400, "VersionNegotiationFailed", "AcceptVersions"),
        ),
    ],
)
def test_what_cannot_be_answered_is_reported_as_the_standard_says(
    url: str, changed: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    assert expected == exception(ask(url, **changed))


def test_a_wrong_key_is_refused_in_xml_too(url: str) -> None:
    headers = {"Authorization": "Bearer wrong"}
    response = httpx.get(f"{url}/wmts/1.0.0/WMTSCapabilities.xml", headers=headers)

    assert (401, "NoApplicableCode", None) == exception(response)
    assert response.headers["www-authenticate"].startswith("Bearer")

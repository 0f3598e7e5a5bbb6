"""WMTS by real clients against a real server, OWSLib and GDAL, and errors in its own form."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import httpx2 as httpx
import morecantile
import numpy as np
import pytest
import rasterio
import uvicorn
from owslib.wmts import WebMapTileService
from PIL import Image

from geoservice.app import create_app
from geoservice.settings import RasterSettings
from layers.access import Clearance
from layers.roles import Role
from loaders.rasters import RasterOptions, RasterStore, load_raster
from tests.raster_files import write_tif
from tests.raster_sources import hills
from tests.support import City, parcel

# OWSLib asks elements whether they are true.
pytestmark = pytest.mark.filterwarnings("ignore:Truth-testing of elements:FutureWarning")

LON, LAT = 114.0776, 22.5296
OWS = "{http://www.opengis.net/ows/1.1}"


@pytest.fixture(scope="module")
def url(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over open terrain, a hidden raster and a parcel."""
    folder = tmp_path_factory.mktemp("wmts")
    store = RasterStore(folder / "store")
    city.publish("parcels", [parcel("P1", LON, LAT)])
    file = write_tif(folder / "dem.tif", hills())
    with city.address.connect(Role.LOADER) as connection:
        for name, clearance in (("dem", Clearance.PUBLIC), ("hidden", Clearance.GOVERNMENT)):
            options = RasterOptions(city.settings.city.frame(), clearance=clearance)
            load_raster(connection, store, name, [file], options)
    settings = city.settings.model_copy(update={"rasters": RasterSettings(folder=store.folder)})
    config = uvicorn.Config(create_app(settings), port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def ask(url: str, **parameters: object) -> httpx.Response:
    """GetTile of the raster, with some parameters otherwise."""
    tile = morecantile.tms.get("WebMercatorQuad").tile(LON, LAT, 14)
    said: dict[str, object] = {
        "service": "WMTS", "Request": "GetTile", "version": "1.0.0", "layer": "dem",
        "STYLE": "default", "format": "image/png", "TileMatrixSet": "WebMercatorQuad",
        "TileMatrix": 14, "TileRow": tile.y, "TileCol": tile.x, "vendor": "what nobody knows",
    }  # fmt: skip
    return httpx.get(f"{url}/wmts", params={k: str(v) for k, v in (said | parameters).items()})


def test_owslib_lists_what_the_caller_may_see_and_gets_a_tile(url: str) -> None:
    service = WebMapTileService(f"{url}/wmts")
    tile = morecantile.tms.get("WebMercatorQuad").tile(LON, LAT, 14)
    found = service.gettile(
        layer="dem", tilematrixset="WebMercatorQuad", tilematrix="14", row=tile.y, column=tile.x,
        format="image/png", style="hillshade",
    )  # fmt: skip

    assert {"dem", "parcels"} <= service.contents.keys()
    assert "hidden" not in service.contents
    assert {"WebMercatorQuad", "CGCS2000Quad"} == service.tilematrixsets.keys()
    assert 114 < service.contents["dem"].boundingBoxWGS84[0] < 114.1
    assert (256, 256) == Image.open(io.BytesIO(found.read())).size


@pytest.mark.parametrize("grid", ["WebMercatorQuad", "CGCS2000Quad"])
def test_gdal_opens_the_raster_by_its_address_and_puts_it_in_place(url: str, grid: str) -> None:
    address = f"WMTS:{url}/wmts/1.0.0/WMTSCapabilities.xml,layer=dem,tilematrixset={grid}"
    with rasterio.open(address) as dataset:
        srid = 3857 if grid == "WebMercatorQuad" else 4490
        (x,), (y,) = rasterio.warp.transform("EPSG:4490", f"EPSG:{srid}", [LON], [LAT])
        row, column = dataset.index(x, y)
        inside = dataset.read(window=((row - 8, row + 8), (column - 8, column + 8)))
        assert srid == dataset.crs.to_epsg()

    assert 255 == inside[-1].min()
    assert np.ptp(inside[0].astype(int)) < 40


def test_parameters_are_known_in_any_case_and_time_is_an_instant(url: str) -> None:
    now = ask(url)
    same = ask(url, TIME="current")
    before = ask(url, time="2001-01-01")

    assert (200, "image/png") == (now.status_code, now.headers["content-type"])
    assert now.content == same.content
    assert before.status_code == 404


def test_layers_of_features_are_vector_tiles(url: str) -> None:
    found = ask(url, layer="parcels", format="application/vnd.mapbox-vector-tile")
    capabilities = WebMapTileService(f"{url}/wmts")
    (resource,) = capabilities.contents["parcels"].resourceURLs

    tile = morecantile.tms.get("WebMercatorQuad").tile(LON, LAT, 14)
    address = resource["template"]
    for word, value in (
        ("TileMatrixSet", "WebMercatorQuad"), ("TileMatrix", 14), ("TileCol", tile.x),
        ("TileRow", tile.y),
    ):  # fmt: skip
        address = address.replace(f"{{{word}}}", str(value))
    assert httpx.get(address).content == found.content != b""


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"layer": "hidden"}, 404, "InvalidParameterValue"),
        ({"layer": "<script>"}, 404, "InvalidParameterValue"),
        ({"layer": ""}, 400, "MissingParameterValue"),
        ({"format": "image/tiff"}, 400, "InvalidParameterValue"),
        ({"TileMatrix": "x"}, 400, "InvalidParameterValue"),
        ({"TileRow": 99999}, 404, "InvalidParameterValue"),
        ({"TileMatrixSet": "WorldCRS84Quad"}, 400, "InvalidParameterValue"),
        ({"STYLE": "night"}, 400, "InvalidParameterValue"),
        ({"TIME": "now"}, 400, "InvalidParameterValue"),
        ({"Request": "GetFeatureInfo"}, 501, "OperationNotSupported"),
        ({"service": "WMS"}, 400, "InvalidParameterValue"),
    ],
)
def test_errors_are_reports_of_exceptions(
    url: str, wrong: dict[str, object], status: int, code: str
) -> None:
    answer = ask(url, **wrong)

    report = ET.fromstring(answer.content)  # noqa: S314  # of our own server
    assert (status, f"{OWS}ExceptionReport") == (answer.status_code, report.tag)
    assert code == report[0].attrib["exceptionCode"]

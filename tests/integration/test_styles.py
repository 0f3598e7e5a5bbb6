"""Styles, sprites and legends over HTTP: their looks, their time, their level, their tags."""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from layers.access import Clearance
from layers.rasters import RasterKind
from layers.roles import Role
from loaders.rasters import RasterOptions, RasterStore, load_raster
from tests.conftest import KeyMaker
from tests.raster_files import write_tif
from tests.support import City
from tiles.fonts import chinese_font


@pytest.mark.parametrize("name", ["city", "city-night", "city-print"])
def test_a_style_of_each_look_leads_to_its_sprite(client: TestClient, name: str) -> None:
    style = client.get(f"/styles/{name}.json").json()

    index = client.get(f"{style['sprite']}@2x.json").json()
    picture = client.get(f"{style['sprite']}@2x.png")
    assert "symbol-library" in index
    assert "image/png" == picture.headers["content-type"]
    with Image.open(io.BytesIO(picture.content)) as sheet:
        assert sheet.width >= 2 * 24


def test_an_unknown_style_is_404_and_says_which_there_are(client: TestClient) -> None:
    answer = client.get("/styles/city-dusk.json")

    assert 404 == answer.status_code
    assert "city-night" in answer.json()["detail"]
    assert 404 == client.get("/sprites/nothing@2x.png").status_code


def test_a_style_of_a_past_year_reads_all_its_tiles_as_of_then(client: TestClient) -> None:
    style = client.get("/styles/city.json", params={"datetime": "2015-06-30T00:00:00+08:00"}).json()

    for source in style["sources"].values():
        document = client.get(source["url"]).json()
        assert all("datetime=2015-06-29T16:00:00" in unquote(url) for url in document["tiles"])


def test_an_instant_that_is_none_is_refused(client: TestClient) -> None:
    assert 400 == client.get("/styles/city.json", params={"datetime": "then"}).status_code


@pytest.mark.parametrize(
    "path", ["/sprites/city.json", "/sprites/city.png", "/legends/parcels.svg?look=print"]
)
def test_what_a_caller_has_already_is_not_sent_again(client: TestClient, path: str) -> None:
    first = client.get(path)

    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert (200, 304) == (first.status_code, again.status_code)
    assert b"" == again.content


def test_a_style_names_the_terrain_that_its_level_may_see(
    city: City, client: TestClient, tmp_path: Path
) -> None:
    store = RasterStore(tmp_path / "rasters")
    frame = city.settings.city.frame()
    heights = np.full((1, 64, 64), 12, np.float32)
    with city.address.connect(Role.LOADER) as connection:
        for name, clearance in (("hills", Clearance.PUBLIC), ("depths", Clearance.RESTRICTED)):
            file = write_tif(tmp_path / f"{name}.tif", heights)
            options = RasterOptions(frame, kind=RasterKind.TERRAIN, clearance=clearance)
            load_raster(connection, store, name, [file], options)

    metadata = client.get("/styles/city-night.json").json()["metadata"]

    url = "http://testserver/rasters/hills/tiles.json?encoding=terrain-rgb"
    assert url == metadata["geoservice:terrain"]


@pytest.mark.parametrize("query", ["look=dusk", "lang=fr", "size=3"])
def test_a_legend_of_an_unknown_kind_is_400(client: TestClient, query: str) -> None:
    assert 400 == client.get(f"/legends/parcels.svg?{query}").status_code


@pytest.mark.skipif(chinese_font() is None, reason="the machine has no Chinese font")
def test_a_legend_comes_as_png_too(client: TestClient) -> None:
    answer = client.get("/legends/parcels.png?look=night&lang=zh")

    with Image.open(io.BytesIO(answer.content)) as legend:
        assert (12, 19, 26) == legend.convert("RGB").getpixel((1, 1))


def test_the_legend_of_a_hidden_layer_is_as_unknown_as_one_that_is_not_there(
    client: TestClient, headers_of: KeyMaker
) -> None:
    hidden, missing = (client.get(f"/legends/{name}.svg") for name in ("pipelines", "nothing"))

    assert 404 == hidden.status_code == missing.status_code
    government = client.get("/legends/pipelines.svg", headers=headers_of(Clearance.GOVERNMENT))
    assert 200 == government.status_code


def test_the_sprite_of_the_public_holds_no_symbol_of_a_hidden_layer(
    client: TestClient, headers_of: KeyMaker
) -> None:
    public = client.get("/sprites/city.json").json()
    officer = client.get("/sprites/city.json", headers=headers_of(Clearance.GOVERNMENT)).json()

    assert "symbol-hydrant" not in public
    assert "symbol-hydrant" in officer


@pytest.mark.skipif(chinese_font() is None, reason="the machine has no Chinese font")
def test_a_client_without_fonts_gets_its_glyphs_from_the_service(client: TestClient) -> None:
    style = client.get("/styles/city.json?glyphs=true").json()
    address = style["glyphs"].replace("{fontstack}", "Open Sans Regular,Arial Unicode MS Regular")

    answer = client.get(address.replace("{range}", "22784-23039"))

    assert (200, "application/x-protobuf") == (answer.status_code, answer.headers["content-type"])
    assert len(answer.content) > 50_000
    assert "glyphs" not in client.get("/styles/city.json").json()


@pytest.mark.parametrize("range_", ["0-254", "1-256", "65536-65791", "a-b", "-256--1", "0-255x"])
def test_a_range_of_glyphs_that_is_none_is_not_made(client: TestClient, range_: str) -> None:
    assert client.get(f"/fonts/Any/{range_}.pbf").status_code in (400, 404)

"""The looks of the map in a real browser: night, print, one past year, relief.

Set GEOSERVICE_SCREENSHOT to a path ending in ``.png`` to keep the night picture beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from playwright.sync_api import Browser, ViewportSize, expect
from pyproj import Transformer

from layers.access import Clearance
from layers.claims import Claim
from layers.rasters import RasterKind
from layers.roles import Role
from loaders.rasters import RasterOptions, RasterStore, load_raster
from tests.e2e.pictures import Pixels, read_pixels, save_small
from tests.e2e.site import DESK, Site, Visit, open_map
from tests.raster_files import north_up, write_tif
from tiles.looks import DAY, NIGHT, PRINT

PAST_DAY = "2005-06-30"
PLACE = (114.0578, 22.5437)
SMALL = {"width": 760, "height": 600}
"""A window small enough for terrain to be drawn without a graphics card in a few seconds."""
WINDOW_OF_PICTURE: ViewportSize = {"width": 1120, "height": 680}
ON_MAP = (slice(60, 640), slice(350, 1220))
"""Rows and columns of a picture in which only the map lies."""


@pytest.fixture(scope="module")
def visit(browser: Browser, site: Site, key: str) -> Iterator[Visit]:
    """The map of an officer, on a desk, in Chinese."""
    visit = open_map(browser, site, key=key, window=DESK)
    yield visit
    visit.page.close()


def choose(visit: Visit, name: str) -> None:
    """Press a button of the map, and wait until the map has drawn what it brings."""
    visit.page.locator(f"[data-button={name}]").click()
    visit.page.wait_for_selector(f"[data-button={name}][aria-pressed=true]")
    settle(visit)


def settle(visit: Visit) -> None:
    """Wait until all that belongs on the map is drawn."""
    visit.wait_until("window.geoserviceMap.loaded() && window.geoserviceMap.areTilesLoaded()")
    visit.jump(visit.page.evaluate("window.geoserviceMap.getZoom()"), *visit.map_center)


def picture(visit: Visit) -> Pixels:
    """The pixels of the map, without panels and buttons."""
    return read_pixels(visit.page.screenshot())[ON_MAP]


def share_of(pixels: Pixels, color: str) -> float:
    """How much of a picture has a colour exactly."""
    wanted = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)])
    return float((pixels == wanted).all(axis=2).mean())


def test_the_night_is_dark_and_pipes_can_be_told_apart(visit: Visit) -> None:
    choose(visit, "look-day")
    visit.jump(16.6)
    day = picture(visit)

    choose(visit, "look-night")

    night = picture(visit)
    assert float(night.mean()) < 100 < 180 < float(day.mean())
    for color in ("#00ffff", "#4c3926"):
        assert share_of(day, DAY.line(color)) > 0.0005
        assert share_of(night, NIGHT.line(color)) > 0.0005
    assert "look=night" in visit.page.url
    expect(visit.page.locator("html")).to_have_attribute("data-look", "night")


def test_a_map_for_print_is_white_and_claims_no_live_state(visit: Visit) -> None:
    choose(visit, "look-print")
    visit.jump(16.6)

    pixels = picture(visit)
    assert share_of(pixels, PRINT.line("#00ffff")) > 0.0002
    assert float(pixels.mean()) > 215
    assert not [f for f in visit.drawn("facilities") if f["state"].get("status")]
    legend = visit.row("facilities").locator(".legend")
    expect(legend).to_have_count(0)


def test_changing_the_look_loads_no_tile_again(visit: Visit) -> None:
    choose(visit, "look-day")
    visit.jump(16.2)
    before = len([url for url in visit.asked if ".mvt" in url])

    choose(visit, "look-night")
    choose(visit, "look-day")

    assert before == len([url for url in visit.asked if ".mvt" in url])
    expect(visit.row("facilities")).to_contain_text("最旧的数据")


def test_one_past_year_is_shown_and_nobody_can_take_it_for_the_present(visit: Visit) -> None:
    visit.jump(16.2)
    now = len(visit.drawn("parcels"))
    choose(visit, "time")
    bar = visit.page.locator("#time")
    bar.locator("input[type=date]").fill(PAST_DAY)
    bar.locator("input[type=date]").dispatch_event("change")
    visit.wait_until(f"document.body.dataset.time.startsWith('{PAST_DAY}')")
    settle(visit)

    past = len(visit.drawn("parcels"))
    asked = [url for url in visit.asked if ".mvt" in url][-5:]
    assert 0 < past < now
    assert all(f"datetime={PAST_DAY}T04:00:00Z" in unquote(url) for url in asked)
    expect(bar.get_by_role("status")).to_contain_text("2005年6月30日")
    assert f"datetime={PAST_DAY}T04:00:00Z" in visit.page.url
    expect(visit.row("facilities")).to_contain_text("不显示实时状态")

    bar.get_by_role("button").click()
    visit.wait_until("document.body.dataset.time === 'now'")
    settle(visit)
    assert now == len(visit.drawn("parcels"))
    visit.page.locator("[data-button=time]").click()
    expect(bar).to_be_hidden()


def test_through_the_years_a_parcel_is_seen_to_split(visit: Visit, site: Site) -> None:
    lon, lat, split = 114.3, 22.42, datetime(2014, 1, 1, tzinfo=UTC)
    whole = Claim(datetime(2001, 1, 1, tzinfo=UTC), split, is_correction=True)
    site.city.publish("parcels", [strip("WHOLE", lon, lon + 0.002, lat)], claim=whole)
    parts = [strip("WEST", lon, lon + 0.001, lat), strip("EAST", lon + 0.001, lon + 0.002, lat)]
    site.city.publish("parcels", parts, valid_from=split)
    visit.jump(17, lon + 0.001, lat + 0.001)
    choose(visit, "time")
    seen = []
    for day in ("2000-06-30", "2010-06-30", "2020-06-30"):
        date = visit.page.locator("#time input[type=date]")
        date.fill(day)
        date.dispatch_event("change")
        visit.wait_until(f"document.body.dataset.time.startsWith('{day}')")
        settle(visit)
        seen.append(len({one["id"] for one in visit.drawn("parcels")}))

    visit.page.locator("#time").get_by_role("button").click()
    visit.wait_until("document.body.dataset.time === 'now'")
    visit.page.locator("[data-button=time]").click()
    assert [0, 1, 2] == seen


def strip(code: str, west: float, east: float, south: float) -> dict[str, Any]:
    """A parcel from west to east."""
    north = south + 0.002
    corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
    ring = ", ".join(f"{x} {y}" for x, y in corners)
    return {"code": code, "wkt": f"MULTIPOLYGON((({ring})))"}


def test_a_past_night_can_be_opened_by_its_address(browser: Browser, site: Site, key: str) -> None:
    choice = f"&look=night&datetime={PAST_DAY}T04:00:00Z"

    visit = open_map(browser, site, key=key, choice=choice)

    assert visit.drawn("pipelines")
    expect(visit.page.locator("#time")).to_be_visible()
    assert {"night"} == {visit.page.evaluate("document.body.dataset.look")}
    assert visit.errors == []
    visit.page.close()


@pytest.fixture
def hill(site: Site, tmp_path: Path) -> str:
    """The name of a public terrain: a hill of 120 m at the city's centre."""
    easting, northing = Transformer.from_crs(4490, 4547, always_xy=True).transform(*PLACE)
    row, column = np.mgrid[0:200, 0:200]
    height = 120 * np.exp(-((row - 100) ** 2 + (column - 100) ** 2) / 900)
    place = north_up(easting - 1000, northing + 1000, 10)
    file = write_tif(tmp_path / "hill.tif", height[np.newaxis].astype(np.float32), transform=place)
    frame = site.city.settings.city.frame()
    said = RasterOptions(frame, kind=RasterKind.TERRAIN, clearance=Clearance.PUBLIC)
    with site.city.address.connect(Role.LOADER) as connection:
        store = RasterStore(site.city.settings.raster_folder)
        load_raster(connection, store, "hill", [file], said)
    return "hill"


def test_a_terrain_raises_the_map_in_three_dimensions(
    browser: Browser, site: Site, hill: str
) -> None:
    visit = open_map(browser, site, zoom=13.6, window=SMALL)
    elevation = "window.geoserviceMap.queryTerrainElevation(window.geoserviceMap.getCenter())"
    assert visit.page.request.get(f"{site.url}/rasters/{hill}/tiles.json").ok

    visit.page.locator("[data-button=relief]").click()

    visit.wait_until(f"{elevation} > 100")
    assert visit.page.evaluate("window.geoserviceMap.getPitch()") > 30
    assert any("encoding=terrain-rgb" in url for url in visit.asked)
    visit.page.locator("[data-button=look-night]").click()
    visit.wait_until("document.body.dataset.look === 'night'")
    assert visit.page.evaluate(elevation) > 100, "relief outlives a change of the look"
    visit.page.locator("[data-button=relief]").click()
    visit.wait_until("window.geoserviceMap.getTerrain() === null")
    assert visit.errors == []
    visit.page.close()


def test_names_can_be_written_in_glyphs_of_the_service(visit: Visit) -> None:
    choose(visit, "look-day")
    visit.page.evaluate(
        "window.geoserviceMap.setGlyphs(`${location.origin}/fonts/{fontstack}/{range}.pbf`)"
    )

    visit.jump(18.4)

    settle(visit)
    assert any("/fonts/" in url and url.endswith("/0-255.pbf") for url in visit.asked)
    assert visit.drawn("parcels", kind="labels")


def test_the_picture_of_the_night(visit: Visit) -> None:
    visit.page.set_viewport_size(WINDOW_OF_PICTURE)
    choose(visit, "look-night")
    visit.jump(16.6)
    visit.page.locator("#tab-layers").evaluate("list => list.scrollTo(0, 0)")

    png = visit.page.screenshot()
    if path := os.environ.get("GEOSERVICE_SCREENSHOT"):
        night = Path(path).with_name("map-night.png")
        save_small(png, night)
        assert night.stat().st_size < 150_000
    assert len(np.unique(picture(visit).reshape(-1, 3), axis=0)) > 100


def test_styles_are_valid_and_every_picture_in_them_is_found(visit: Visit) -> None:
    """MapLibre checks each style against the specification and reports what is wrong."""
    assert [] == visit.errors
    expect(visit.page.locator(".notice")).to_have_count(0)

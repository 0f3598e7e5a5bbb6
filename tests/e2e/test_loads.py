"""Loading through the page of the map, in a real browser: drop, check, preview, confirm, undo."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from geoservice.api.webmap import DIST
from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.e2e.site import DESK, PHONE, READY_MS
from tests.support import City, parcel
from tests.web_loads import WebService, parcels_geojson, part, web_service

WAIT_MS = 60_000
DROP = """
    ([selector, files]) => {
        const dropped = new DataTransfer();
        for (const [name, content] of files) {
            const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
            dropped.items.add(new File([bytes], name));
        }
        const zone = document.querySelector(selector);
        for (const kind of ['dragenter', 'dragover', 'drop']) {
            const options = {dataTransfer: dropped, bubbles: true, cancelable: true};
            zone.dispatchEvent(new DragEvent(kind, options));
        }
    }"""


@pytest.fixture(scope="module")
def service(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebService]:
    """The service with one parcel held."""
    assert (DIST / "index.html").exists(), "the web map is not built: run scripts/setup web"
    city.publish("parcels", [parcel("P001", 114.0, 22.55)])
    with web_service(city, tmp_path_factory.mktemp("service")) as service:
        yield service


def open_page(
    browser: Browser,
    service: WebService,
    headers: dict[str, str],
    locale: str = "zh-CN",
    window: dict[str, int] = DESK,
) -> Page:
    """The map with a key, in a language."""
    page = browser.new_page(viewport=window, locale=locale)  # type: ignore[arg-type]  # a plain dict
    key = headers["Authorization"].removeprefix("Bearer ")
    page.goto(f"{service.url}/map#key={key}&map=15/22.5505/114.003")
    page.wait_for_selector("body[data-ready=true]", timeout=READY_MS)
    return page


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    """Drop files onto the page's place for them, as a pointer would."""
    encoded = [[name, base64.b64encode(content).decode()] for name, content in files]
    page.evaluate(DROP, [".drop-zone", encoded])


def picture(page: Page, name: str) -> None:
    """Keep a picture of the page where one is asked for."""
    folder = os.environ.get("GEOSERVICE_SCREENSHOT")
    if folder and Path(folder).is_dir():
        page.screenshot(path=str(Path(folder) / f"loads-{name}.png"))


def drawn(page: Page) -> list[dict[str, Any]]:
    """What the map draws of the preview."""
    found: list[dict[str, Any]] = page.evaluate(
        """() => {
            const map = window.geoserviceMap;
            if (!map.getSource('geoservice-load')) return [];
            return map.queryRenderedFeatures()
                .filter(one => one.source === 'geoservice-load')
                .map(one => one.properties);
        }"""
    )
    return found


def test_files_are_dropped_checked_shown_confirmed_and_undone(
    browser: Browser, service: WebService, headers_of: KeyMaker
) -> None:
    headers = headers_of(Clearance.GOVERNMENT, "load:parcels")
    page = open_page(browser, service, headers)
    content = parcels_geojson(["P001", "P002", "P003"], bad=["P009"], land_use_code="0701")
    page.get_by_role("tab", name="数据入库").click()
    picture(page, "form-zh")

    drop(page, ("宗地.geojson", content))
    expect(page.locator(".file-list")).to_contain_text("宗地.geojson")
    picture(page, "dropped-zh")
    page.get_by_role("button", name="上传并检查").click()
    card = page.locator(".load-card")
    expect(card).to_have_attribute("data-state", "ready", timeout=WAIT_MS)
    expect(card.locator("[data-count=rejected] dd")).to_have_text("1")
    expect(card.locator(".load-findings")).to_contain_text("第 4 行")
    page.wait_for_timeout(2_000)
    picture(page, "ready-zh")
    assert {True} <= {one["accepted"] for one in drawn(page)}

    card.get_by_role("button", name="确认入库").click()
    expect(card).to_have_attribute("data-state", "done", timeout=WAIT_MS)
    expect(card.locator("[data-count=new] dd")).to_have_text("2")
    picture(page, "done-zh")
    assert [] == drawn(page)
    held = service.client(headers).http
    assert 3 == len(held.get("/collections/parcels/items").json()["features"])

    card.get_by_role("button", name="撤销入库").click()
    card.get_by_role("button", name="再按一次即撤销").click()
    expect(card).to_have_attribute("data-state", "undone", timeout=WAIT_MS)
    assert 1 == len(held.get("/collections/parcels/items").json()["features"])
    page.get_by_role("button", name="上传其他文件").click()
    expect(page.locator(".load-list li")).to_contain_text("已撤销")
    picture(page, "undone-zh")


def test_the_page_speaks_english_and_is_reached_by_keyboard(
    browser: Browser, service: WebService, headers_of: KeyMaker
) -> None:
    page = open_page(browser, service, headers_of(Clearance.GOVERNMENT, "load:*"), "en-GB")
    page.locator("#tab-button-layers").focus()
    for key in ("ArrowRight", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)

    expect(page.get_by_role("tabpanel", name="Load data")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert "SELECT" == page.evaluate("document.activeElement.tagName")
    page.get_by_text("Options").click()
    picture(page, "form-en")


def test_what_cannot_be_read_is_told_and_another_file_can_be_chosen(
    browser: Browser, service: WebService, headers_of: KeyMaker
) -> None:
    page = open_page(browser, service, headers_of(Clearance.GOVERNMENT, "load:parcels"), "en-GB")
    page.get_by_role("tab", name="Load data").click()
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_role("alert").filter(has_text="Choose files first.")).to_be_visible()

    drop(page, ("broken.geojson", b'{"type": "FeatureCollection", "features": [{'))
    page.get_by_role("button", name="Upload and check").click()
    card = page.locator(".load-card")
    expect(card).to_have_attribute("data-state", "failed", timeout=WAIT_MS)
    expect(card).to_contain_text("broken.geojson: ")
    picture(page, "failed-en")

    page.get_by_role("button", name="Load other files").click()
    expect(page.locator(".drop-zone")).to_be_visible()
    expect(page.locator(".load-list")).to_contain_text("Not loaded")


def test_a_load_under_way_is_found_again_after_the_page_is_opened_anew(
    browser: Browser, service: WebService, headers_of: KeyMaker
) -> None:
    headers = headers_of(Clearance.GOVERNMENT, "load:parcels")
    client = service.client(headers)
    job = client.upload("parcels", part("later.geojson", parcels_geojson(["L1"]))).json()
    client.wait(job["id"], "ready")
    page = open_page(browser, service, headers, "en-GB")
    page.get_by_role("tab", name="Load data").click()

    page.get_by_role("button", name="later.geojson").click()
    card = page.locator(".load-card")
    expect(card).to_have_attribute("data-state", "ready")
    page.reload()
    page.wait_for_selector("body[data-ready=true]", timeout=READY_MS)
    page.get_by_role("tab", name="Load data").click()
    page.get_by_role("button", name="later.geojson").click()
    card.get_by_role("button", name="Cancel").click()

    expect(card).to_have_attribute("data-state", "cancelled", timeout=WAIT_MS)


def test_on_a_phone_the_tab_fits(
    browser: Browser, service: WebService, headers_of: KeyMaker
) -> None:
    page = open_page(
        browser, service, headers_of(Clearance.GOVERNMENT, "load:*"), "en-GB", window=PHONE
    )
    page.get_by_role("tab", name="Load data").click()

    expect(page.locator(".drop-zone")).to_be_visible()
    picture(page, "phone-en")
    wide = page.evaluate("document.querySelector('#panel').scrollWidth")
    assert wide <= PHONE["width"]


def test_who_may_not_load_has_no_such_tab(
    browser: Browser, service: WebService, headers_of: KeyMaker
) -> None:
    page = open_page(browser, service, headers_of(Clearance.GOVERNMENT), "en-GB")

    expect(page.locator("#tab-button-layers")).to_be_visible()
    expect(page.locator("#tab-button-loads")).to_have_count(0)

"""The web map in a real browser, on the real service, with a sample city loaded into it.

Set GEOSERVICE_SCREENSHOT to a path to keep the picture that the README shows.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import rasterio
from playwright.sync_api import Page, sync_playwright

from geoservice.api.webmap import DIST
from geoservice.demo import LIVE_SOURCE, load_city
from geoservice.keys import create_key
from geoservice.live import run_live
from geoservice.sample_city import write_sample_city
from layers.access import Action, Clearance, Grant
from layers.roles import Role
from tests.support import City

CHROMIUM_ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)
FEATURES = 3_000
SEED = 1
"""The city's centre is full at every size: pipes, parcels and facilities lie around it."""


@dataclass(frozen=True)
class Site:
    """A running service with a sample city, and a government key for it."""

    url: str
    key: str


def find_chromium() -> str:
    """The browser that scripts/setup installed, or the one of GEOSERVICE_CHROMIUM."""
    for name in (os.environ.get("GEOSERVICE_CHROMIUM") or "chromium", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    pytest.fail("no Chromium: run scripts/setup test, or set GEOSERVICE_CHROMIUM")


@pytest.fixture(scope="module")
def site(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service on a port of its own, its sample city loaded and observed once."""
    assert (DIST / "index.html").exists(), "the web map is not built: run scripts/setup web"
    folder = tmp_path_factory.mktemp("sample-city")
    write_sample_city(folder, features=FEATURES, seed=SEED)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GEOSERVICE_DATABASE__FOLDER", str(city.settings.database.folder))
        environment.setenv("GEOSERVICE_DATABASE__NAME", city.settings.database.name)
        environment.setenv("GEOSERVICE_HTTP__PORT", str(port))
        load_city(city.address, folder)
        key, live_key = _keys(city)
        process = subprocess.Popen([sys.executable, "-P", "-m", "geoservice", "serve"])
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url)
        run_live(folder, seed=SEED, url=url, key=live_key, every_s=60, rounds=1)
        yield Site(url, key)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _keys(city: City) -> tuple[str, str]:
    with city.address.connect(Role.OWNER) as connection:
        key = create_key(connection, label="e2e", clearance=Clearance.GOVERNMENT)
        grants = [Grant(Action.OBSERVE, LIVE_SOURCE)]
        live_key = create_key(connection, label="e2e", clearance=Clearance.PUBLIC, grants=grants)
        connection.commit()
    return key, live_key


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:  # noqa: S310  # our own
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the service did not become ready")


@pytest.fixture(scope="module")
def page(site: Site) -> Iterator[Page]:
    """A page of the map at the centre of the city, drawn, in Chinese; hosts asked are noted."""
    arguments = [*CHROMIUM_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=arguments, headless=True
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="zh-CN")
        hosts: list[str] = []
        page.on("request", lambda request: hosts.append(request.url))
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(f"{site.url}/map#key={site.key}&map=16.2/22.5437/114.0578")
        page.wait_for_selector("body[data-ready=true]", timeout=60_000)
        page.hosts_asked = hosts  # type: ignore[attr-defined]  # for the test that reads it
        page.failures = failures  # type: ignore[attr-defined]  # the same
        yield page
        browser.close()


def rendered(page: Page, layer: str) -> list[dict[str, Any]]:
    """Features of a layer that are drawn now, with their place on the screen."""
    found: list[dict[str, Any]] = page.evaluate(
        """layer => {
            const map = window.geoserviceMap;
            const parts = map.getStyle().layers
                .filter(part => part['source-layer'] === layer && part.type !== 'symbol')
                .map(part => part.id);
            return map.queryRenderedFeatures({layers: parts}).map(feature => ({
                id: feature.id,
                properties: feature.properties,
                geometry: feature.geometry,
            }));
        }""",
        layer,
    )
    return found


def idle(page: Page) -> None:
    """Wait until the map has drawn all it has."""
    page.evaluate("new Promise(done => window.geoserviceMap.once('idle', done))")


def find_city(page: Page, url: str) -> None:
    """Move the map to a facility of the sample city."""
    page.evaluate(
        """async () => {
            const answer = await fetch('/collections/facilities/items?limit=1');
            const feature = (await answer.json()).features[0];
            window.geoserviceMap.jumpTo({center: feature.geometry.coordinates, zoom: 16.2});
        }"""
    )
    idle(page)


def test_pipes_parcels_and_facilities_are_really_drawn(page: Page, site: Site) -> None:
    find_city(page, site.url)

    counts = {name: len(rendered(page, name)) for name in ("pipelines", "parcels", "facilities")}

    assert all(count >= 5 for count in counts.values()), counts


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_picture_is_not_blank_and_has_the_colours_of_the_standard(page: Page) -> None:
    png = page.screenshot(path=os.environ.get("GEOSERVICE_SCREENSHOT"))
    with rasterio.open(io.BytesIO(png)) as image:
        pixels = np.moveaxis(image.read([1, 2, 3]), 0, -1).reshape(-1, 3)

    colors = {tuple(color) for color in pixels[::7].tolist()}
    assert len(colors) > 200
    assert (pixels == (0, 255, 255)).all(axis=1).sum() > 50, "water pipes, CJJ 61 sky blue"
    assert (pixels == (76, 57, 38)).all(axis=1).sum() > 50, "drainage pipes, CJJ 61 brown"


def test_a_click_shows_attributes_in_chinese_and_english(page: Page) -> None:
    place = page.evaluate(
        """() => {
            const map = window.geoserviceMap;
            const canvas = map.getCanvas().getBoundingClientRect();
            const parts = map.getStyle().layers
                .filter(part => part.source === 'facilities' && part.type === 'circle')
                .map(part => part.id);
            for (const feature of map.queryRenderedFeatures({layers: parts})) {
                const at = map.project(feature.geometry.coordinates);
                const [x, y] = [canvas.left + at.x, canvas.top + at.y];
                const top = document.elementFromPoint(x, y);
                if (top === map.getCanvas()) return {x, y, name: feature.properties.name};
            }
            return null;
        }"""
    )
    assert place is not None

    page.mouse.click(place["x"], place["y"])
    details = page.locator("#details")
    details.get_by_text("类别").first.wait_for(timeout=10_000)

    text = details.inner_text()
    assert "名称" in text
    assert "Name" in text


def test_facilities_carry_their_live_state(page: Page) -> None:
    states = page.evaluate(
        """() => {
            const map = window.geoserviceMap;
            const parts = map.getStyle().layers
                .filter(part => part.source === 'facilities' && part.type === 'circle')
                .map(part => part.id);
            return map.queryRenderedFeatures({layers: parts})
                .map(feature => feature.state.status).filter(Boolean);
        }"""
    )

    assert {"spacesAvailable", "almostFull", "full", "closed"} & set(states)


def test_a_layer_can_be_switched_off_and_on(page: Page) -> None:
    switch = page.locator("[data-layer=parcels] input").first
    switch.uncheck()
    idle(page)
    off = len(rendered(page, "parcels"))
    switch.check()
    idle(page)

    assert (0, True) == (off, len(rendered(page, "parcels")) > 0)


def test_no_request_leaves_the_service_and_the_key_leaves_the_address(
    page: Page, site: Site
) -> None:
    asked: list[str] = page.hosts_asked  # type: ignore[attr-defined]  # set by the fixture

    outside = [u for u in asked if not u.startswith((site.url, "blob:", "data:"))]
    assert [] == outside
    assert site.key not in page.url
    assert [] == page.failures  # type: ignore[attr-defined]  # set by the fixture

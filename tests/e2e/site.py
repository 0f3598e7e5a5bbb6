"""A running service with a sample city, and visits to its map in a real browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

from geoservice.keys import create_key
from layers.access import Clearance, Grant
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
CENTRE = "22.5437/114.0578"
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
READY_MS = 60_000
RECOVERY_MS = 60_000


@dataclass
class Site:
    """The service with a sample city, as a process that can be ended and started again."""

    url: str
    city: City
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Serve, and wait until requests are answered."""
        self.process = subprocess.Popen([sys.executable, "-P", "-m", "geoservice", "serve"])
        wait_until_ready(self.url)

    def stop(self) -> None:
        """End the service and wait until it is gone."""
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=20)

    def make_key(self, clearance: Clearance, *grants: Grant) -> str:
        """A new key for the city."""
        with self.city.address.connect(Role.OWNER) as connection:
            key = create_key(connection, label="e2e", clearance=clearance, grants=grants)
            connection.commit()
        return key


@dataclass(frozen=True)
class Visit:
    """One page of the map, and what went wrong on it."""

    page: Page
    asked: list[str]
    errors: list[str]

    @property
    def map_center(self) -> tuple[float, float]:
        """Longitude and latitude of the middle of the map."""
        lon, lat = self.page.evaluate("window.geoserviceMap.getCenter().toArray()")
        return lon, lat

    def jump(self, zoom: float, lon: float = 114.0578, lat: float = 22.5437) -> None:
        """Move the map, and wait until it has drawn all it has."""
        target = {"zoom": zoom, "center": [lon, lat]}
        self.page.evaluate(
            """target => new Promise(done => {
                const map = window.geoserviceMap;
                map.once('idle', () => done());
                map.jumpTo(target);
                map.triggerRepaint();
            })""",
            target,
        )

    def drawn(self, layer: str, *, kind: str = "shapes") -> list[dict[str, Any]]:
        """Features of a layer that are drawn now: its shapes, or its labels."""
        found: list[dict[str, Any]] = self.page.evaluate(
            """([layer, kind]) => {
                const map = window.geoserviceMap;
                const parts = map.getStyle().layers
                    .filter(part => part.source === layer)
                    .filter(part => (part.type === 'symbol') === (kind === 'labels'))
                    .map(part => part.id);
                return map.queryRenderedFeatures({layers: parts}).map(feature => ({
                    id: feature.id,
                    name: feature.properties.name,
                    state: feature.state,
                }));
            }""",
            [layer, kind],
        )
        return found

    def place_of(self, layer: str) -> dict[str, float]:
        """A point of the window at which only the map lies, on a drawn feature of a layer."""
        place: dict[str, float] | None = self.page.evaluate(
            """layer => {
                const map = window.geoserviceMap;
                const canvas = map.getCanvas();
                const {left, top} = canvas.getBoundingClientRect();
                const parts = map.getStyle().layers
                    .filter(part => part.source === layer && part.type !== 'symbol')
                    .map(part => part.id);
                const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
                const inside = ({type, coordinates: c}) => ({
                    Point: () => c,
                    LineString: () => middle(c),
                    Polygon: () => middle([c[0][0], c[0][Math.floor(c[0].length / 2)]]),
                })[type]?.();
                for (const {geometry} of map.queryRenderedFeatures({layers: parts})) {
                    const at = inside(geometry);
                    if (!at) continue;
                    const {x, y} = map.project(at);
                    if (document.elementFromPoint(left + x, top + y) !== canvas) continue;
                    const hits = map.queryRenderedFeatures([x, y]);
                    if (hits[0]?.source === layer) return {x: left + x, y: top + y};
                }
                return null;
            }""",
            layer,
        )
        assert place is not None, f"{layer} is nowhere on top"
        return place

    def wait_until(self, condition: str) -> None:
        """Wait for a JavaScript condition; the page's policy forbids waiting inside of it."""
        for _ in range(RECOVERY_MS // 200):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(200)
        pytest.fail(f"never true: {condition}")

    def row(self, layer: str) -> Locator:
        """The row of a layer in the list."""
        return self.page.locator(f"[data-layer={layer}]")


def find_chromium() -> str:
    """The browser that scripts/setup installed, or the one of GEOSERVICE_CHROMIUM."""
    for name in (os.environ.get("GEOSERVICE_CHROMIUM") or "chromium", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    pytest.fail("no Chromium: run scripts/setup test, or set GEOSERVICE_CHROMIUM")


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:  # noqa: S310  # our own
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the service did not become ready")


def open_map(
    browser: Browser,
    site: Site,
    *,
    key: str | None = None,
    zoom: float = 16.2,
    window: dict[str, int] = DESK,
    locale: str = "zh-CN",
    place: str = CENTRE,
    choice: str = "",
) -> Visit:
    """A page of the map, drawn, in a browser without memories.

    Args:
        place: Latitude and longitude, as in the address.
        choice: Look and instant, as in the address.
    """
    page = browser.new_page(viewport=window, locale=locale)  # type: ignore[arg-type]  # a plain dict
    visit = Visit(page, [], [])
    page.on("request", lambda request: visit.asked.append(request.url))
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda m: visit.errors.append(m.text) if m.type == "error" else None)
    held = f"key={key}&" if key else ""
    page.goto(f"{site.url}/map#{held}map={zoom}/{place}{choice}")
    page.wait_for_selector("body[data-ready=true]", timeout=READY_MS)
    return visit

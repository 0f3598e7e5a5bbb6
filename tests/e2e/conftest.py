"""What the tests of the web map share: a browser, and the service with a sample city."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from geoservice.api.webmap import DIST
from geoservice.demo import LIVE_SOURCE, load_city
from geoservice.live import run_live
from geoservice.sample_city import write_sample_city
from layers.access import Action, Clearance, Grant
from tests.e2e.site import CHROMIUM_ARGUMENTS, FEATURES, SEED, Site, find_chromium
from tests.support import City


@pytest.fixture(scope="module")
def site(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service on a port of its own, its sample city loaded and observed once."""
    assert (DIST / "index.html").exists(), "the web map is not built: run scripts/setup web"
    folder = tmp_path_factory.mktemp("sample-city")
    write_sample_city(folder, features=FEATURES, seed=SEED)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    site = Site(f"http://127.0.0.1:{port}", city)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GEOSERVICE_DATABASE__FOLDER", str(city.settings.database.folder))
        environment.setenv("GEOSERVICE_DATABASE__NAME", city.settings.database.name)
        environment.setenv("GEOSERVICE_HTTP__PORT", str(port))
        environment.setenv("GEOSERVICE_CITY__ATTRIBUTION", "示例数据 Sample data")
        load_city(city.address, folder)
        try:
            site.start()
            live_key = site.make_key(Clearance.PUBLIC, Grant(Action.OBSERVE, LIVE_SOURCE))
            run_live(folder, seed=SEED, url=site.url, key=live_key, every_s=60, rounds=1)
            yield site
        finally:
            site.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that draws without a graphics card."""
    arguments = [*CHROMIUM_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=arguments, headless=True
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def key(site: Site) -> str:
    """A government key of somebody who sees to alerts."""
    return site.make_key(Clearance.GOVERNMENT, Grant(Action.MODERATE, "alerts"))

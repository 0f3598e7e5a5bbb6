"""Exported tiles in a real browser: a file beside a web page, and nobody who serves tiles."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from geoservice.api.webmap import DIST
from geoservice.tile_files.export import export_tiles
from geoservice.tile_files.request import TilesRequest
from layers.access import Clearance
from layers.extent import BBox
from tests.support import City, parcel

MODULES = DIST.parent / "node_modules"

PAGE = """
<!doctype html>
<link rel="icon" href="data:,">
<style>body { margin: 0 } #map { width: 512px; height: 512px }</style>
<div id="map"></div>
<script src="/pmtiles/pmtiles.js"></script>
<script type="module">
  import * as maplibregl from "/maplibre/maplibre-gl.mjs";
  maplibregl.addProtocol("pmtiles", new pmtiles.Protocol({ metadata: true }).tile);
  window.map = new maplibregl.Map({
    container: "map", center: [114.0505, 22.5505], zoom: 14.5,
    style: {
      version: 8,
      sources: { city: { type: "vector", url: `pmtiles://${location.origin}/files/city.pmtiles` } },
      layers: [{
        id: "parcels", type: "fill", source: "city", "source-layer": "parcels",
        paint: { "fill-color": "#ff0000" },
      }],
    },
  });
</script>
"""


@pytest.fixture
def web_server(city: City, tmp_path: Path) -> Iterator[str]:
    """A web server that knows nothing of tiles, with an exported file and a page to draw it."""
    city.publish("parcels", [parcel("P1", 114.05, 22.55), parcel("P2", 114.052, 22.55)])
    around = BBox(114.0, 22.5, 114.1, 22.6)
    request = TilesRequest(
        ("parcels",), Clearance.PUBLIC, around, datetime.now(UTC), minzoom=10, maxzoom=15
    )
    export_tiles(city.settings, request, tmp_path / "city.pmtiles")
    (tmp_path / "index.html").write_text(PAGE)
    folders = {
        "/files": tmp_path,
        "/maplibre": MODULES / "maplibre-gl" / "dist",
        "/pmtiles": MODULES / "pmtiles" / "dist",
    }
    routes = [
        Mount(path, StaticFiles(directory=folder, html=True)) for path, folder in folders.items()
    ]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(Starlette(routes=routes), log_level="error")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_maplibre_draws_an_exported_file_that_it_reads_by_ranges(
    browser: Browser, web_server: str
) -> None:
    page = browser.new_page(viewport={"width": 512, "height": 512})
    statuses: list[int] = []
    page.on("response", lambda got: statuses.append(got.status) if ".pmtiles" in got.url else None)

    page.goto(f"{web_server}/files/")
    page.wait_for_function("window.map?.loaded() && window.map.areTilesLoaded()")

    drawn = page.evaluate(
        "window.map.queryRenderedFeatures({ layers: ['parcels'] }).map(f => f.properties.code)"
    )
    page.close()
    assert {"P1", "P2"} == set(drawn)
    assert {206} == set(statuses)

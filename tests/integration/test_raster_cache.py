"""Pictures of rasters in the cache of the host: shared, never stale, hidden when they must be."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.raster_service import RasterService
from geoservice.settings import RasterSettings, Settings
from layers.access import Clearance
from layers.raster_clearance import set_raster_clearance
from layers.undo import undo_load
from loaders.rasters import RasterOptions, RasterStore, load_raster
from tests.conftest import KeyMaker
from tests.raster_files import write_tif
from tests.raster_sources import hills
from tests.support import City

TILE = "/rasters/dem/tiles/14/13383/7139.png"


@pytest.fixture
def store(tmp_path: Path) -> RasterStore:
    """An empty store."""
    return RasterStore(tmp_path / "store")


@pytest.fixture
def settings(city: City, store: RasterStore) -> Settings:
    """Of a service that reads from the store."""
    return city.settings.model_copy(update={"rasters": RasterSettings(folder=store.folder)})


@pytest.fixture
def is_hit(monkeypatch: pytest.MonkeyPatch) -> Callable[[TestClient, str], bool]:
    """Whether a request is answered ahead of the router."""
    found: list[bool] = []
    hit = RasterService.hit

    def noting(*given: object) -> object:
        tile = hit(*given)  # type: ignore[arg-type]
        found.append(tile is not None)
        return tile

    monkeypatch.setattr(RasterService, "hit", noting)

    def ask(client: TestClient, path: str) -> bool:
        client.get(path)
        return found[-1]

    return ask


def load(
    city: City, store: RasterStore, *, more_m: float, valid_from: datetime | None = None
) -> int:
    """Load hills, so much higher, as the public raster ``dem``; the load's number."""
    file = write_tif(store.folder.parent / f"{more_m}.tif", hills() + more_m)
    options = RasterOptions(
        city.settings.city.frame(), clearance=Clearance.PUBLIC, valid_from=valid_from
    )
    with city.address.connect_loader() as connections:
        report = load_raster(connections.sql, store, "dem", [file], options)
    assert report.load_id is not None
    return report.load_id


def test_a_picture_that_one_worker_made_is_answered_by_the_next_without_its_file(
    city: City, settings: Settings, store: RasterStore
) -> None:
    load(city, store, more_m=1)
    with TestClient(create_app(settings)) as first:
        made = first.get(TILE)
    for file in store.folder.glob("*.tif"):
        file.unlink()
    with TestClient(create_app(settings)) as second:
        kept = second.get(TILE)

    assert made.status_code == 200
    assert (made.content, made.headers["etag"]) == (kept.content, kept.headers["etag"])


def test_a_picture_is_answered_ahead_of_the_router_as_a_rendering_is_in_every_header(
    city: City,
    settings: Settings,
    store: RasterStore,
    is_hit: Callable[[TestClient, str], bool],
) -> None:
    load(city, store, more_m=5)
    with TestClient(create_app(settings)) as client:
        first = client.get(TILE)
        was_hit = is_hit(client, TILE)
        second = client.get(TILE)
        known = client.get(TILE, headers={"If-None-Match": first.headers["etag"]})

    said = [dict(response.headers) for response in (first, second)]
    for headers in said:
        del headers["x-request-id"]
    assert was_hit
    assert first.content == second.content
    assert said[0] == said[1]
    assert (304, b"") == (known.status_code, known.content)


def test_the_next_version_is_answered_as_soon_as_it_is_loaded_or_undone(
    city: City, settings: Settings, store: RasterStore
) -> None:
    address = f"{TILE}?encoding=terrain-rgb"
    with TestClient(create_app(settings)) as client:
        load(city, store, more_m=2)
        before = [client.get(address).content for _ in range(2)]
        number = load(city, store, more_m=3)
        after = [client.get(address).content for _ in range(2)]
        with city.address.connect_loader() as connections:
            undo_load(connections.sql, number)
            connections.sql.commit()
        undone = client.get(address).content

    assert before[0] == before[1] == undone
    assert after[0] == after[1] != undone


def test_a_version_of_tomorrow_is_answered_when_its_time_has_come(
    city: City, settings: Settings, store: RasterStore, is_hit: Callable[[TestClient, str], bool]
) -> None:
    address = f"{TILE}?encoding=terrarium"
    with TestClient(create_app(settings)) as client:
        load(city, store, more_m=6)
        begins = datetime.now(UTC) + timedelta(seconds=5)
        load(city, store, more_m=7, valid_from=begins)
        before = client.get(address).content
        was_hit = False
        while not was_hit and datetime.now(UTC) < begins - timedelta(seconds=0.5):
            was_hit = is_hit(client, address)
        time.sleep(max(0, (begins - datetime.now(UTC)).total_seconds()) + 0.05)
        after = client.get(address).content

    assert was_hit
    assert before != after


def test_a_raster_that_was_raised_is_hidden_although_its_pictures_are_kept(
    city: City, settings: Settings, store: RasterStore, headers_of: KeyMaker
) -> None:
    load(city, store, more_m=4)
    with TestClient(create_app(settings)) as client:
        before = [client.get(TILE).status_code for _ in range(2)]
        with city.address.connect_loader() as connections:
            set_raster_clearance(connections.sql, "dem", Clearance.GOVERNMENT, "")
            connections.sql.commit()
        after = client.get(TILE)
        with_key = client.get(TILE, headers=headers_of(Clearance.GOVERNMENT))

    assert [200, 200] == before
    assert (404, 200) == (after.status_code, with_key.status_code)
    assert with_key.headers["cache-control"].startswith("private")

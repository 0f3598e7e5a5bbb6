"""Pictures of rasters in the cache of the host: shared, never stale, hidden when they must be."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.settings import RasterSettings, Settings
from layers.access import Clearance
from layers.raster_clearance import set_raster_clearance
from layers.roles import Role
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


def load(city: City, store: RasterStore, *, more_m: float) -> None:
    """Load hills, so much higher, as the public raster ``dem``."""
    file = write_tif(store.folder.parent / f"{more_m}.tif", hills() + more_m)
    options = RasterOptions(city.settings.city.frame(), clearance=Clearance.PUBLIC)
    with city.address.connect(Role.LOADER) as connection:
        load_raster(connection, store, "dem", [file], options)


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


def test_the_next_version_is_answered_as_soon_as_it_is_loaded(
    city: City, settings: Settings, store: RasterStore
) -> None:
    address = f"{TILE}?encoding=terrain-rgb"
    with TestClient(create_app(settings)) as client:
        load(city, store, more_m=2)
        before = client.get(address)
        load(city, store, more_m=3)
        after = client.get(address)

    assert 200 == before.status_code == after.status_code
    assert before.content != after.content


def test_a_raster_that_was_raised_is_hidden_although_its_pictures_are_kept(
    city: City, settings: Settings, store: RasterStore, headers_of: KeyMaker
) -> None:
    load(city, store, more_m=4)
    with TestClient(create_app(settings)) as client:
        before = client.get(TILE)
        with city.address.connect(Role.LOADER) as connection:
            set_raster_clearance(connection, "dem", Clearance.GOVERNMENT, "")
            connection.commit()
        after = client.get(TILE)
        with_key = client.get(TILE, headers=headers_of(Clearance.GOVERNMENT))

    assert (200, 404, 200) == (before.status_code, after.status_code, with_key.status_code)
    assert with_key.headers["cache-control"].startswith("private")

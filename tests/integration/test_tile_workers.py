"""One cache of tiles for all processes of a host: shared, and none of them can spoil it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2 as httpx
import mapbox_vector_tile
import orjson
import pytest

from geoservice.cluster import Cluster
from tests.integration.test_server import Service, started_service
from tests.integration.test_tiles import tile_path
from tests.support import City, parcel
from tiles.cache import CacheFolder, TileCache

LON, LAT = 114.0705, 22.5705
HERE = tile_path("parcels", LON, LAT, 15)
LEASE_S = 3.0


@pytest.fixture(scope="module")
def services(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Service]]:
    """Two services on one database, and so on one cache."""
    city.publish("parcels", [parcel("W0", 114.07, 22.57)])
    logs = tmp_path_factory.mktemp("logs")
    with ExitStack() as stack:
        yield [
            stack.enter_context(started_service(city, logs / f"{number}.log"))
            for number in range(2)
        ]


def codes(service: Service, path: str = HERE) -> set[str]:
    response = service.get(path)
    layers = mapbox_vector_tile.decode(response.content) if response.status_code == 200 else {}
    features = layers["parcels"]["features"] if layers else []
    return {feature["properties"]["code"] for feature in features}


def counts(city: City) -> dict[str, int]:
    """The counters of the host once all processes have written down theirs."""
    time.sleep(1.2)
    folder = CacheFolder(city.settings.tile_cache_folder, city.settings.tiles.cache_bytes)
    cache = TileCache(folder, None)
    try:
        return cache.counts()
    finally:
        cache.close()


def test_what_one_process_has_rendered_the_others_answer(
    city: City, services: list[Service]
) -> None:
    before = counts(city)

    answers = [service.get(HERE) for service in services for _ in range(2)]

    after = counts(city)
    assert 1 == len({answer.content for answer in answers})
    assert 1 == after["misses"] - before.get("misses", 0)
    assert 3 == after["hits"] - before.get("hits", 0)


def test_an_edit_is_seen_in_every_process_as_soon_as_it_is_done(
    city: City, services: list[Service]
) -> None:
    for number in range(5):
        city.publish("parcels", [parcel(f"E{number}", 114.0702, 22.5702 + number * 1e-4)])

        assert all(f"E{number}" in codes(service) for service in services)


def test_a_process_that_dies_while_it_stores_spoils_nothing(
    city: City, services: list[Service], tmp_path: Path
) -> None:
    with started_service(city, tmp_path / "killed.log") as doomed:
        threads = [threading.Thread(target=_hammer, args=(doomed, n)) for n in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        doomed.process.kill()
        doomed.process.wait()
        for thread in threads:
            thread.join()
    began = time.monotonic()
    city.publish("parcels", [parcel("K0", 114.0703, 22.5703)])
    took_s = time.monotonic() - began

    assert took_s < LEASE_S + 2
    assert all("K0" in codes(service) for service in services)
    before = counts(city)
    answers = [services[0].get(tile_path("parcels", LON, LAT, 16)) for _ in range(3)]
    assert {200} == {answer.status_code for answer in answers}
    assert 1 <= counts(city)["hits"] - before["hits"]


def _hammer(service: Service, number: int) -> None:
    """Ask for one new tile after the other until the service is gone."""
    for step in range(10_000):
        lon = LON + number * 0.1 + step * 0.001
        try:
            service.get(tile_path("parcels", lon, LAT, 17))
        except httpx.TransportError:
            return


def test_without_the_database_nothing_is_answered_that_may_be_old(
    cluster: Cluster, city: City, services: list[Service]
) -> None:
    cached = services[0].get(HERE)

    cluster.stop()
    try:
        gone = _until(services[0], 503)
    finally:
        cluster.ensure_running()
    city.publish("parcels", [parcel("R0", 114.0701, 22.5701)])

    assert 200 == cached.status_code
    assert 503 == gone.status_code
    assert all("R0" in codes(service) for service in services)


def _until(service: Service, status: int) -> httpx.Response:
    """The answer when it has a status, or the last one when a lease has ended for sure."""
    deadline = time.monotonic() + LEASE_S + 1
    while True:
        answer = service.get(HERE)
        if answer.status_code == status or time.monotonic() > deadline:
            return answer
        time.sleep(0.1)


def test_the_command_tells_what_the_cache_holds(city: City, services: list[Service]) -> None:
    for service in services:
        service.get(HERE)
    time.sleep(1.2)
    environment = os.environ | {
        "GEOSERVICE_DATABASE__FOLDER": str(city.settings.database.folder),
        "GEOSERVICE_DATABASE__NAME": city.settings.database.name,
    }
    command = [sys.executable, "-P", "-m", "geoservice", "tiles", "stats"]

    told = subprocess.run([*command, "--json"], env=environment, capture_output=True, check=True)
    shown = subprocess.run(command, env=environment, capture_output=True, check=True)

    document = orjson.loads(told.stdout)
    here = HERE.removeprefix("/tiles/parcels/").removesuffix(".mvt")
    assert document["counters"]["hits"] > 0
    assert document["tiles"] > 0
    assert 0 < document["used_bytes"] < document["max_bytes"]
    assert here in [row["tile"] for row in document["largest"]]
    assert document["slowest"][0]["milliseconds"] >= document["slowest"][-1]["milliseconds"]
    assert b"of requests were hits" in shown.stdout

"""The cache of tiles in a running service: never stale, shared, and silent without a lease."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import mapbox_vector_tile
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from geoservice.app import create_app
from geoservice.tile_cache.keeper import CacheKeeper
from geoservice.tile_service import TileAsk, TileService
from layers.access import PUBLIC_ACCESS, Clearance
from layers.claims import Claim
from layers.registry import get_layer
from layers.roles import Role
from layers.undo import undo_load
from tests.integration.test_tiles import tile_path
from tests.support import City, parcel
from tiles.matrix import TileAddress
from tiles.query import TileQuery, TileTime
from tiles.vector import RenderedLayer, render_layer

LON, LAT = 114.0705, 22.5705
HERE = tile_path("parcels", LON, LAT, 15)
ELSEWHERE = tile_path("parcels", 114.2005, 22.6505, 15)


@pytest.fixture(scope="module")
def client(city: City) -> Iterator[TestClient]:
    city.publish("parcels", [parcel("C1", 114.07, 22.57), parcel("C2", 114.20, 22.65)])
    with TestClient(create_app(city.settings)) as client:
        yield client


@pytest.fixture
def is_hit(monkeypatch: pytest.MonkeyPatch) -> Callable[[TestClient, str], bool]:
    """Whether a request is answered from the cache."""
    found: list[bool] = []
    hit = TileService.hit

    def noting(*given: object) -> object:
        tile = hit(*given)  # type: ignore[arg-type]
        found.append(tile is not None)
        return tile

    monkeypatch.setattr(TileService, "hit", noting)

    def ask(client: TestClient, path: str) -> bool:
        client.get(path)
        return found[-1]

    return ask


def codes(client: TestClient, path: str) -> set[str]:
    response = client.get(path)
    if response.status_code == 204:
        return set()
    features = mapbox_vector_tile.decode(response.content)["parcels"]["features"]
    return {feature["properties"]["code"] for feature in features}


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_tile_is_answered_from_the_cache_once_it_was_asked_for(
    client: TestClient, is_hit: Callable[[TestClient, str], bool]
) -> None:
    client.get(HERE)

    wait_until(lambda: is_hit(client, HERE))


def test_a_hit_is_what_a_rendering_is_in_every_header(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get(HERE)
    hit = client.get(HERE, headers={"Origin": "https://example.org"})
    monkeypatch.setattr(TileService, "hit", lambda *_: None)
    monkeypatch.setattr(CacheKeeper, "cache", None)

    rendered = client.get(HERE, headers={"Origin": "https://example.org"})

    assert rendered.content == hit.content
    assert _without_request_id(rendered.headers) == _without_request_id(hit.headers)


def _without_request_id(headers: object) -> dict[str, str]:
    return {k: v for k, v in dict(headers).items() if k != "x-request-id"}  # type: ignore[call-overload]


def test_a_hit_honours_what_is_accepted_and_what_is_known(client: TestClient) -> None:
    zipped = client.get(HERE)
    plain = client.get(HERE, headers={"Accept-Encoding": "identity"})

    known = client.get(HERE, headers={"If-None-Match": zipped.headers["etag"]})

    assert "content-encoding" not in plain.headers
    assert zipped.content == plain.content
    assert (304, b"") == (known.status_code, known.content)


def test_an_edit_is_seen_as_soon_as_it_is_done_and_touches_nothing_else(
    city: City, client: TestClient, is_hit: Callable[[TestClient, str], bool]
) -> None:
    for path in (HERE, ELSEWHERE):
        wait_until(lambda path=path: is_hit(client, path))  # type: ignore[misc]

    city.publish("parcels", [parcel("C3", 114.0708, 22.5708)])

    assert not is_hit(client, HERE)
    assert "C3" in codes(client, HERE)
    assert is_hit(client, ELSEWHERE)


def test_undoing_is_seen_as_soon_as_it_is_done(city: City, client: TestClient) -> None:
    before = codes(client, HERE)
    city.publish("parcels", [parcel("C4", 114.0629, 22.5709)])
    during = codes(client, HERE)
    with city.address.connect(Role.LOADER) as connection:
        last = connection.execute(text("SELECT max(load_id) FROM city.loads")).scalar_one()
        undo_load(connection, last)
        connection.commit()

    # A test that undoes by hand waits by hand for the word to get about.
    wait_until(lambda: before == codes(client, HERE))
    assert before | {"C4"} == during


def test_instants_between_two_changes_share_a_tile(
    city: City, client: TestClient, is_hit: Callable[[TestClient, str], bool]
) -> None:
    year = datetime(2021, 1, 1, tzinfo=UTC)
    city.publish("parcels", [parcel("C5", 114.0631, 22.5711)], valid_from=year)
    paths = [f"{HERE}?datetime={year.year}-0{month}-01T00:00:00Z" for month in (3, 4)]
    client.get(paths[0])
    client.get(paths[1])

    assert {"C5"} <= codes(client, paths[0])
    wait_until(lambda: is_hit(client, paths[1]))
    assert client.get(paths[0]).headers["etag"] == client.get(paths[1]).headers["etag"]


def test_a_change_of_the_past_is_seen_there_and_not_in_the_present(
    city: City, client: TestClient, is_hit: Callable[[TestClient, str], bool]
) -> None:
    begin, end = datetime(2015, 1, 1, tzinfo=UTC), datetime(2016, 1, 1, tzinfo=UTC)
    past = f"{HERE}?datetime=2015-06-01T00:00:00Z"
    assert "C6" not in codes(client, past)
    wait_until(lambda: is_hit(client, HERE))

    city.publish(
        "parcels",
        [parcel("C6", 114.0642, 22.5712)],
        claim=Claim(begin, end, is_correction=True),
    )

    assert "C6" in codes(client, past)
    assert "C6" not in codes(client, HERE)


def test_the_present_ends_when_something_ends(city: City, client: TestClient) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=5)
    before = datetime.now(UTC) - timedelta(days=1)
    city.publish(
        "parcels",
        [parcel("C7", 114.0653, 22.5713)],
        claim=Claim(before, soon, is_correction=True),
    )
    assert "C7" in codes(client, HERE)

    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()) + 0.05)

    assert "C7" not in codes(client, HERE)


def test_what_was_believed_once_stays_cached(
    city: City, client: TestClient, is_hit: Callable[[TestClient, str], bool]
) -> None:
    then = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    path = f"{HERE}?as_recorded={then}"
    before = codes(client, path)
    city.publish("parcels", [parcel("C8", 114.0664, 22.5714)])

    assert before == codes(client, path)
    assert "C8" in codes(client, HERE)
    wait_until(lambda: is_hit(client, path))
    assert before == codes(client, path)


def test_a_worker_without_a_lease_answers_from_the_database(
    city: City, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get(HERE)
    monkeypatch.setattr(CacheKeeper, "cache", None)
    with city.address.connect(Role.OWNER) as connection:
        connection.execute(text("DELETE FROM city.tile_readers"))
        connection.commit()

    city.publish("parcels", [parcel("C9", 114.0675, 22.5715)])

    assert "C9" in codes(client, HERE)


@pytest.mark.parametrize("seed", [0])
def test_no_tile_is_stale_however_it_is_hammered(city: City, client: TestClient, seed: int) -> None:
    random = Random(seed)
    around = [
        tile_path("parcels", LON + dx * 0.004, LAT + dy * 0.004, z)
        for z in (4, 9, 13, 15, 17)
        for dx in range(3)
        for dy in range(3)
    ]
    paths = [*around, *(path.replace("parcels", "parcels,districts") for path in around)]
    stopped = threading.Event()
    statuses: set[int] = set()

    def hammer(start: int) -> None:
        own = Random(start)
        while not stopped.is_set():
            statuses.add(client.get(own.choice(paths)).status_code)

    threads = [threading.Thread(target=hammer, args=(one,)) for one in range(3)]
    for thread in threads:
        thread.start()
    for edit in range(12):
        lon = LON + random.uniform(0, 0.01)
        lat = LAT + random.uniform(0, 0.01)
        city.publish("parcels", [parcel(f"H{seed}-{edit % 5}", lon, lat)])
    stopped.set()
    for thread in threads:
        thread.join()

    kept = {path: client.get(path).content for path in paths}
    tiles = city.settings.tiles.model_copy(update={"cache_bytes": 0})
    fresh = create_app(city.settings.model_copy(update={"tiles": tiles}))
    with TestClient(fresh) as uncached:
        rendered = {path: uncached.get(path).content for path in paths}
    assert statuses <= {200, 204}
    assert rendered == kept


def test_levels_do_not_share_tiles(
    client: TestClient, headers_of: Callable[[Clearance], dict[str, str]]
) -> None:
    path = tile_path("pipelines", LON, LAT, 15)
    city_key = headers_of(Clearance.RESTRICTED)
    client.get(path, headers=city_key)

    assert 404 == client.get(path).status_code


def test_who_asks_after_an_edit_does_not_get_what_began_before_it(
    city: City, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tile_path("parcels", LON, LAT, 19)
    has_read, may_go_on = threading.Event(), threading.Event()

    async def slow(*given: Any) -> RenderedLayer:
        rendered = await render_layer(*given)
        if not has_read.is_set():
            has_read.set()
            await asyncio.to_thread(may_go_on.wait)
        return rendered

    monkeypatch.setattr("geoservice.tile_service.render_layer", slow)
    before: list[set[str]] = []
    early = threading.Thread(target=lambda: before.append(codes(client, path)))
    early.start()
    has_read.wait()
    city.publish("parcels", [parcel("J1", LON, LAT)])

    after = codes(client, path)
    may_go_on.set()
    early.join()

    assert "J1" not in before[0]
    assert "J1" in after
    assert "J1" in codes(client, path)


def test_the_present_is_rendered_at_the_instant_until_which_it_was_looked_up(
    city: City, client: TestClient
) -> None:
    asked_at = datetime.now(UTC)
    city.publish("parcels", [parcel("P1", LON, LAT)])
    query = TileQuery(get_layer("parcels"), Clearance.PUBLIC, TileTime(asked_at))
    z, x, y = (int(part) for part in tile_path("parcels", LON, LAT, 20)[15:-4].split("/"))
    ask = TileAsk((query,), TileAddress(z, x, y), is_now=True)
    service: TileService = client.app.state.tiles  # type: ignore[attr-defined]

    assert client.portal is not None
    tile = client.portal.call(service.answer, PUBLIC_ACCESS, ask)

    assert b"P1" in tile.content

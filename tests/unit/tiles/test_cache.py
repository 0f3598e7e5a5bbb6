"""The store of cached tiles: what is purged, what is refused, what is dropped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import shapely

from tiles.cache import (
    NOW,
    SLOW_KEPT,
    CachedTile,
    CacheFolder,
    Seen,
    SlowRender,
    TileCache,
    TileChange,
    TileKey,
)
from tiles.cache.purging import mercator_box
from tiles.cache.statistics import Group, contents_of
from tiles.grids import CGCS2000, EARTH_HALF_M, GRIDS, WEB_MERCATOR, Grid

MARGIN = 64 / 4096
FAR_FUTURE = 2**62


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[TileCache]:
    cache = TileCache(CacheFolder(tmp_path, 10_000_000), "city")
    cache.begin_anew(None, "10:10:", {})
    yield cache
    cache.close()


def tile(content: bytes = b"tile", **said: int) -> CachedTile:
    return CachedTile.of(content, bytes(16), gzip_level=4, **said)


def seen(cache: TileCache, snapshot: str = "10:10:") -> Seen:
    return Seen(cache.last_change, (snapshot,), False, time.time())


def change(shape: shapely.Geometry | None, **said: int | None) -> TileChange:
    begins, ends = said.get("begins", 0), said.get("ends")
    return TileChange(
        layer="roads",
        xid=said.get("xid") or 10,
        clearance=said.get("clearance") or 0,
        begins=begins,
        ends=ends,
        first_zoom=0,
        last_zoom=30,
        shape=None if shape is None else shapely.to_wkb(shape, include_srid=True),
    )


def test_a_tile_comes_back_as_it_was(cache: TileCache) -> None:
    number = cache.number_of_set(["roads"], "a", MARGIN)
    key = TileKey(number, WEB_MERCATOR, 14, 3, 5, 0)

    assert cache.store(key, tile(b"x" * 1000, left_out=7), seen(cache))

    found = cache.get(key)
    assert found is not None
    assert (b"x" * 1000, True, 7) == (found.content, found.is_gzipped, found.left_out)


def test_small_tiles_are_not_compressed() -> None:
    assert not tile(b"x" * 50).is_gzipped


def test_the_beginning_of_1970_is_not_the_present(cache: TileCache) -> None:
    number = cache.number_of_set(["roads"], "a", MARGIN)
    past = TileKey(number, WEB_MERCATOR, 0, 0, 0, 0, at=0)
    cache.store(past, tile(), seen(cache))

    assert cache.get(TileKey(number, WEB_MERCATOR, 0, 0, 0, 0)) is None


@pytest.mark.parametrize("seed", range(6))
def test_a_change_deletes_the_tiles_that_it_touches_and_no_others(
    cache: TileCache, seed: int
) -> None:
    random = Random(seed)
    number = cache.number_of_set(["parcels", "roads"], "a", MARGIN)
    other = cache.number_of_set(["parcels"], "a", MARGIN)
    keys = [random_key(random, number) for _ in range(600)]
    for key in keys:
        cache.store(key, tile(), seen(cache))
        cache.store(of_set(key, other), tile(), seen(cache))
    shapes = [random_shape(random) for _ in range(4)]

    cache.apply("10:10:", "12:12:", [change(shapely.geometrycollections(shapes))], {})

    for key in keys:
        box = shapely.box(*mercator_box(key.grid, key.z, key.x, key.y, MARGIN))
        is_touched = any(shapely.intersects(box, shape) for shape in shapes)
        assert (cache.get(key) is None) == is_touched
        assert cache.get(of_set(key, other)) is not None


def test_an_empty_shape_touches_nothing(cache: TileCache) -> None:
    number = cache.number_of_set(["roads"], "a", MARGIN)
    key = TileKey(number, WEB_MERCATOR, 0, 0, 0, 0)
    cache.store(key, tile(), seen(cache))

    assert 0 == cache.apply("10:10:", "12:12:", [change(shapely.Point())], {})


def of_set(key: TileKey, number: int) -> TileKey:
    return TileKey(number, key.grid, key.z, key.x, key.y, key.level)


def random_key(random: Random, number: int) -> TileKey:
    grid: Grid = random.choice(list(GRIDS.values()))
    z = random.randint(grid.first_zoom, 7)
    columns, rows = grid.shape(z)
    return TileKey(number, grid, z, random.randrange(columns), random.randrange(rows), 0)


def random_shape(random: Random) -> shapely.Geometry:
    def place() -> tuple[float, float]:
        reach = EARTH_HALF_M * 0.95
        return random.uniform(-reach, reach), random.uniform(-reach, reach)

    if random.random() < 0.5:
        return shapely.LineString([place(), place()])
    return shapely.Point(place()).buffer(random.uniform(1e3, 3e6))


def test_a_change_of_a_level_leaves_the_tiles_of_those_below(cache: TileCache) -> None:
    number = cache.number_of_set(["roads"], "a", MARGIN)
    keys = [TileKey(number, WEB_MERCATOR, 0, 0, 0, level) for level in range(4)]
    for key in keys:
        cache.store(key, tile(), seen(cache))

    cache.apply("10:10:", "12:12:", [change(None, clearance=2)], {})

    assert [True, True, False, False] == [cache.get(key) is not None for key in keys]


@pytest.mark.parametrize(
    ("at", "until", "recorded", "begins", "ends", "is_kept"),
    [
        (100, 200, 0, 200, None, True),  # the change begins where the tile ends
        (100, 200, 0, 199, None, False),
        (100, 200, 0, 0, 100, True),  # and ends where it begins
        (100, 200, 0, 0, 101, False),
        (NOW, FAR_FUTURE, 0, 0, 1000, True),  # the change is of the past only
        (NOW, FAR_FUTURE, 0, FAR_FUTURE - 1, None, False),  # may end the present one day
        (100, 200, 77, 0, None, True),  # what was believed once stays
        (100, 200, 77, None, None, False),  # but not its classification
    ],
)
def test_a_change_touches_the_instants_at_which_it_holds(
    cache: TileCache,
    at: int,
    until: int,
    recorded: int,
    begins: int | None,
    ends: int | None,
    is_kept: bool,
) -> None:
    number = cache.number_of_set(["roads"], "a", MARGIN)
    key = TileKey(number, WEB_MERCATOR, 0, 0, 0, 0, at, recorded)
    cache.store(key, tile(until=until), seen(cache))

    cache.apply("10:10:", "12:12:", [change(None, begins=begins, ends=ends)], {})

    assert is_kept == (cache.get(key) is not None)


def test_what_a_rendering_did_not_see_keeps_it_out(cache: TileCache) -> None:
    number = cache.number_of_set(["roads"], "a", MARGIN)
    here = TileKey(number, WEB_MERCATOR, 1, 0, 0, 0)
    elsewhere = TileKey(number, WEB_MERCATOR, 1, 1, 1, 0)
    before = seen(cache, "10:10:")
    place = shapely.Point(-EARTH_HALF_M / 2, EARTH_HALF_M / 2)

    cache.apply("10:10:", "12:12:", [change(place, xid=11)], {})

    assert not cache.store(here, tile(), before)
    assert cache.store(elsewhere, tile(), before)
    assert cache.store(here, tile(), seen(cache, "12:12:"))


def test_parts_from_the_cache_are_as_old_as_the_last_change(cache: TileCache) -> None:
    number = cache.number_of_set(["roads"], "a", MARGIN)
    key = TileKey(number, WEB_MERCATOR, 1, 0, 0, 0)
    before = Seen(cache.last_change, (), True, time.time())

    cache.apply("10:10:", "12:12:", [change(None, xid=11)], {})

    assert not cache.store(key, tile(), before)


def test_only_one_process_applies_a_change(cache: TileCache) -> None:
    assert 0 == cache.apply("10:10:", "12:12:", [change(None)], {})

    assert cache.apply("10:10:", "12:12:", [change(None)], {}) is None


def test_other_instants_than_those_of_the_key_keep_a_tile_out(cache: TileCache) -> None:
    number = cache.number_of_set(["roads"], "a", MARGIN)
    key = TileKey(number, WEB_MERCATOR, 1, 0, 0, 0, 100)
    version = cache.instants_version("roads")
    before = Seen(cache.last_change, ("12:12:",), False, time.time(), (("roads", version),))

    cache.apply("10:10:", "12:12:", [], {"roads": b"12345678"})

    assert not cache.store(key, tile(), before)
    assert (version + 1, b"12345678") == cache.instants("roads")


@pytest.mark.parametrize("size", [300, 1_000, 3_000, 60_000])
def test_the_cache_keeps_to_its_bound_and_goes_on_storing(tmp_path: Path, size: int) -> None:
    cache = TileCache(CacheFolder(tmp_path, 2_000_000), "city")
    cache.begin_anew(None, "10:10:", {})
    number = cache.number_of_set(["roads"], "a", MARGIN)
    columns = Random(1).sample(range(2**14), 9_000_000 // (size + 1_500))

    stored = [
        cache.store(TileKey(number, WEB_MERCATOR, 14, x, 0, 0), plain(size), seen(cache))
        for x in columns
    ]

    assert all(stored)
    assert 1_000_000 < cache.used_bytes() <= 2_000_000
    assert (tmp_path / "data.mdb").stat().st_size < 3_000_000
    cache.close()


def test_a_store_without_a_free_page_is_emptied_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiles.cache.store._LEAST_MAP_BYTES", 1 << 20)
    monkeypatch.setattr("tiles.cache.store._FILLED", 100)  # so that nothing is dropped before
    cache = TileCache(CacheFolder(tmp_path, 500_000), "city")
    cache.begin_anew(None, "10:10:", {})
    number = cache.number_of_set(["roads"], "a", MARGIN)

    stored = [
        cache.store(TileKey(number, WEB_MERCATOR, 14, x, 0, 0), plain(3_000), seen(cache))
        for x in range(1_000)
    ]

    assert all(stored)
    assert len(list(cache.tiles())) < 300
    assert "10:10:" == cache.reached()[0]
    cache.close()


def plain(size: int) -> CachedTile:
    return CachedTile.of(b"x" * size, bytes(16), gzip_level=0)


def test_a_tile_outlives_the_process_but_not_its_database(tmp_path: Path) -> None:
    key = TileKey(1, WEB_MERCATOR, 1, 0, 0, 0)
    first = TileCache(CacheFolder(tmp_path, 10**6), "city")
    first.begin_anew(None, "10:10:", {})
    key = TileKey(first.number_of_set(["roads"], "a", MARGIN), WEB_MERCATOR, 1, 0, 0, 0)
    first.store(key, tile(), seen(first))
    first.close()

    again = TileCache(CacheFolder(tmp_path, 10**6), "city")
    found = again.get(key)
    again.close()
    other = TileCache(CacheFolder(tmp_path, 10**6), "another city")

    assert found is not None
    assert other.get(key) is None
    other.close()


def test_numbers_do_not_come_again_when_the_cache_is_emptied(cache: TileCache) -> None:
    number = cache.number_of_set(["roads"], "a", MARGIN)
    key = TileKey(number, CGCS2000, 1, 0, 0, 0)
    before = seen(cache)

    cache.begin_anew("10:10:", "20:20:", {})

    # Nobody would purge a tile of a number that means nothing any more.
    assert not cache.store(key, tile(), before)
    assert cache.number_of_set(["roads"], "a", MARGIN) > number


def test_what_is_kept_is_told_by_layers_and_zoom(cache: TileCache) -> None:
    number = cache.number_of_set(["roads", "parcels"], "a", MARGIN)
    for x, size in enumerate([3_000, 9_000, 6_000]):
        cache.store(TileKey(number, WEB_MERCATOR, 9, x, 0, 0), plain(size), seen(cache))
    cache.store(TileKey(number, WEB_MERCATOR, 10, 0, 0, 0), plain(1_000), seen(cache))

    found = contents_of(cache, largest=2)

    assert 4 == found.tiles
    assert Group(3, 18_000, 9_000) == found.groups["roads,parcels", 9]
    assert [(9_000, 1), (6_000, 2)] == [(one.size_bytes, one.key.x) for one in found.largest]


def test_the_slowest_renderings_are_remembered_and_no_others(cache: TileCache) -> None:
    renders = [SlowRender(ms, "roads", "WebMercatorQuad", 9, 0, 0, 0, 0.0) for ms in range(50)]

    for some in (renders[:30], renders[30:]):
        cache.remember_slow(some)

    assert list(reversed(renders))[:SLOW_KEPT] == cache.slowest()

"""Low zooms: counts and choices against brute force, by part against whole, and at every level."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import mapbox_vector_tile
import morecantile
import pytest
from psycopg import AsyncConnection
from sqlalchemy import Connection, text

from layers import overview_choice, overviews
from layers.access import Clearance
from layers.claims import Claim
from layers.overview_tables import EARTH_HALF_M, cells_name, has_overview
from layers.registry import get_layer
from layers.roles import Role, reader_role
from layers.undo import undo_load
from tests.support import City, facility, parcel, pipe
from tiles.generalised import Rendered, render_bounded, render_overview
from tiles.low_zooms import Shown
from tiles.matrix import TileAddress
from tiles.query import TileQuery, TileTime

LAYERS = ("parcels", "pipelines", "facilities")
NOW = datetime.now(UTC)
INSTANTS = (datetime(2003, 5, 5, tzinfo=UTC), datetime(2013, 5, 5, tzinfo=UTC), NOW)
KINDS = ("library", "parking", "clinic")


@pytest.fixture(scope="module", autouse=True)
def tight_bounds() -> Iterator[None]:
    """Bounds at which a few hundred features are too many for low zooms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overviews, "_FULL_BYTES", 4_000)
        patch.setattr(overviews, "_EASY_BYTES", 3_000)
        patch.setattr(overview_choice, "SELECTED_BYTES", 300)
        yield


@pytest.fixture(scope="module", autouse=True)
def history(city: City, tight_bounds: None) -> None:
    """Random features of three layers, with changes, corrections, ends and raised clearances."""
    chance = random.Random(7)
    for name in LAYERS:
        rows = [_row(name, n, chance) for n in range(260)]
        city.publish(name, rows, valid_from=datetime(2001, 1, 1, tzinfo=UTC))
        for year in (2008, 2012):
            some = [_row(name, n, chance) for n in chance.sample(range(300), 12)]
            city.publish(name, some, valid_from=datetime(year, 1, 1, tzinfo=UTC))
        claim = Claim(
            datetime(2002, 1, 1, tzinfo=UTC), datetime(2005, 1, 1, tzinfo=UTC), is_correction=True
        )
        city.publish(name, [_row(name, n, chance) for n in (3, 5, 8)], claim=claim)


def _row(layer: str, number: int, chance: random.Random) -> dict[str, Any]:
    lon, lat = 113.8 + chance.random() * 0.6, 22.4 + chance.random() * 0.5
    if layer == "parcels":
        level = chance.choice((Clearance.PUBLIC, Clearance.PUBLIC, Clearance.GOVERNMENT))
        size = 0.002 * 4 ** chance.random()
        return parcel(f"P{number}", lon, lat, size=size, clearance=level, land_use="07")
    if layer == "facilities":
        level = chance.choice((Clearance.PUBLIC, Clearance.ENTERPRISE))
        kind = chance.choice(KINDS)
        return facility(f"F{number}", lon, lat, kind=kind, clearance=level)
    kind = chance.choice(("JP", "TR"))
    end = (lon + 0.02 * chance.random(), lat + 0.02 * chance.random(), 1.0)
    return pipe(f"L{number}", kind, (lon, lat, 1.0), end, diameter_mm=chance.choice((200, 900)))


def test_every_layer_of_the_test_has_something_to_generalise(city: City) -> None:
    with city.address.connect(Role.LOADER) as connection:
        zooms = [
            overviews.base_zoom_of(connection, get_layer(name), Clearance.RESTRICTED)
            for name in LAYERS
        ]

    assert [True] * 3 == [zoom is not None and 4 < zoom < 17 for zoom in zooms], zooms


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_kept_by_part_equals_what_is_made_anew(city: City, name: str) -> None:
    with city.address.connect(Role.LOADER) as connection:
        kept = _derived(connection, name)
        overviews.rebuild(connection, get_layer(name))
        made = _derived(connection, name)
        connection.rollback()

    assert made == kept


def _derived(connection: Connection, name: str) -> dict[str, list[Any]]:
    layer = get_layer(name)
    tables = [cells_name(layer)] + ([f"{name}_overview"] if has_overview(layer) else [])
    return {
        table: sorted(
            connection.execute(text(f"SELECT CAST(t AS text) FROM city.{table} t")).scalars()
        )
        for table in tables
    }


@pytest.mark.parametrize("name", LAYERS)
def test_an_undone_load_leaves_low_zooms_as_they_were(city: City, name: str) -> None:
    chance = random.Random(5)
    with city.address.connect(Role.LOADER) as connection:
        before = _derived(connection, name)
    rows = [_row(name, n, chance) | {"clearance": Clearance.RESTRICTED} for n in range(400, 420)]
    city.publish(name, rows)
    with city.address.connect(Role.LOADER) as connection:
        during = _derived(connection, name)
        number = connection.execute(text("SELECT max(load_id) FROM city.loads")).scalar_one()
        undo_load(connection, number)
        after = _derived(connection, name)
        connection.commit()

    assert during != before
    assert after == before


@pytest.mark.parametrize("render", [render_overview, render_bounded])
def test_what_is_shown_of_areas_is_named_once(city: City, render: Any) -> None:
    level, z = Clearance.PUBLIC, 9
    held = _held(city, "parcels", level)
    addresses = {(z, *_tile_of(version, z)) for version in held}
    shown = replace(_shown("parcels", level), with_labels=True)
    query = TileQuery(get_layer("parcels"), level, TileTime(datetime.now(UTC)))

    async def tiles() -> list[Rendered]:
        async with await _connect(city, level) as connection:
            return [await render(connection, query, TileAddress(*a), shown) for a in addresses]

    named: Counter[int] = Counter()
    drawn: set[int] = set()
    for tile in asyncio.run(tiles()):
        layers = mapbox_vector_tile.decode(tile.content)
        named.update(f["id"] for f in layers.get("parcels-labels", {"features": []})["features"])
        drawn |= {f["id"] for f in layers.get("parcels", {"features": []})["features"]}
    assert named
    assert {1} == set(named.values())
    assert set(named) <= drawn


@pytest.mark.parametrize("name", LAYERS)
def test_every_low_zoom_tile_that_changes_is_told(city: City, name: str) -> None:
    chance, at = random.Random(13), datetime(2030, 1, 1, tzinfo=UTC)
    with city.address.connect(Role.LOADER) as connection:
        base = overviews.base_zoom_of(connection, get_layer(name), Clearance.RESTRICTED) or 0
    held = _held(city, name, Clearance.RESTRICTED)
    # Neighbours too: what is far from a change may be crowded out by it.
    addresses = {(z, *_tile_of(v, z)) for v in held for z in range(max(0, base - 4), base)}
    before = asyncio.run(_overviews(city, name, addresses, at))
    since = datetime.now(UTC)
    city.publish(name, [_row(name, n, chance) for n in (1, 500, 501)])
    after = asyncio.run(_overviews(city, name, addresses, at))
    with city.address.connect(Role.OWNER) as connection:
        untold = [
            address
            for address in addresses
            if before[address] != after[address] and not _is_told(connection, name, since, address)
        ]

    assert before != after
    assert [] == untold


async def _overviews(
    city: City, name: str, addresses: set[tuple[int, int, int]], at: datetime
) -> dict[tuple[int, int, int], tuple[bytes, int]]:
    query = TileQuery(get_layer(name), Clearance.RESTRICTED, TileTime(at))
    shown = _shown(name, Clearance.RESTRICTED)
    async with await _connect(city, Clearance.RESTRICTED) as connection:
        tiles = {
            a: await render_overview(connection, query, TileAddress(*a), shown) for a in addresses
        }
    return {address: (tile.content, tile.left_out) for address, tile in tiles.items()}


def _is_told(
    connection: Connection, name: str, since: datetime, address: tuple[int, int, int]
) -> bool:
    told = connection.execute(
        text(
            "SELECT EXISTS (SELECT FROM city.tile_changes WHERE layer = :layer "
            "AND changed_at >= :since AND :z BETWEEN first_zoom AND last_zoom "
            "AND (shape IS NULL OR shape && ST_TileEnvelope(:z, :x, :y, margin => 0.015625)))"
        ),
        {"layer": name, "since": since, **dict(zip("zxy", address, strict=True))},
    ).scalar_one()
    return bool(told)


def test_a_raised_feature_leaves_the_tiles_of_lower_levels_at_every_instant(city: City) -> None:
    def tile(level: Clearance) -> Rendered:
        # In a corner of its own, so that nothing else can take its place.
        place = _at(121.05, 30.05, 6)
        return asyncio.run(_overview(city, "parcels", level, 6, *place, datetime.now(UTC)))

    raised = parcel("RAISED", 121.0, 30.0, size=0.1, land_use="07")
    city.publish("parcels", [raised])
    before = tile(Clearance.PUBLIC)
    city.publish("parcels", [raised | {"clearance": Clearance.RESTRICTED}])

    assert before.content
    assert (b"", 0) == (tile(Clearance.PUBLIC).content, tile(Clearance.PUBLIC).left_out)
    assert tile(Clearance.RESTRICTED).content


def _at(lon: float, lat: float, z: int) -> tuple[int, int]:
    tile = morecantile.tms.get("WebMercatorQuad").tile(lon, lat, z)
    return tile.x, tile.y


@pytest.mark.parametrize("max_bytes", [700, 3_000, 500_000])
@pytest.mark.parametrize("name", LAYERS)
def test_a_bounded_tile_shows_the_first_by_rank_and_counts_the_rest(
    city: City, name: str, max_bytes: int
) -> None:
    level, at, z = Clearance.RESTRICTED, NOW, 9
    now = [
        v
        for v in _held(city, name, level)
        if v["began"] <= at and (v["ended"] is None or at < v["ended"])
    ]
    x, y = _tile_of(now[0], z)
    here = {v["feature_id"] for v in now if _tile_of(v, z) == (x, y)}
    tile = asyncio.run(_bounded(city, name, level, z, x, y, at, max_bytes))
    features = mapbox_vector_tile.decode(tile.content).get(name, {"features": []})["features"]

    assert len(tile.content) <= max_bytes
    assert len(here) == tile.left_out + len(here & {feature["id"] for feature in features})
    assert max_bytes < 500_000 or not tile.left_out or name != "facilities"
    assert (max_bytes < 1_000) == (len(features) < 20)


async def _bounded(  # one for each part of what is asked
    city: City, name: str, level: Clearance, z: int, x: int, y: int, at: datetime, max_bytes: int
) -> Rendered:
    query, address = TileQuery(get_layer(name), level, TileTime(at)), TileAddress(z, x, y)
    async with await _connect(city, level) as connection:
        return await render_bounded(connection, query, address, _shown(name, level, max_bytes))


@pytest.mark.parametrize(
    ("name", "level"),
    [(name, level) for name in LAYERS for level in Clearance if level >= get_layer(name).clearance],
)
def test_what_touches_a_tile_is_shown_or_counted_as_left_out(
    city: City, name: str, level: Clearance
) -> None:
    chance = random.Random(11)
    held = _held(city, name, level)
    for at in INSTANTS:
        now = [v for v in held if v["began"] <= at and (v["ended"] is None or at < v["ended"])]
        with city.address.connect(Role.LOADER) as connection:
            base = overviews.base_zoom_of(connection, get_layer(name), level) or 0
        for z in range(base):
            anchor = chance.choice(now)
            x, y = _tile_of(anchor, z)
            tile = asyncio.run(_overview(city, name, level, z, x, y, at))
            here = [v for v in now if _tile_of(v, z) == (x, y)]
            shown, counted = _told(tile, name, {v["feature_id"] for v in here})

            assert len(here) == shown + tile.left_out, (z, x, y, at)
            assert counted is None or Counter(v["kind"] for v in here) == counted
            assert tile.base_zoom == base


def _held(city: City, name: str, level: Clearance) -> list[dict[str, Any]]:
    kind = "kind" if name == "facilities" else "NULL"
    with city.address.connect(reader_role(level)) as connection:
        return [
            dict(row._mapping)
            for row in connection.execute(
                text(
                    f"SELECT feature_id, {kind} AS kind, lower(valid_during) AS began, "
                    "upper(valid_during) AS ended, "
                    "(ST_XMin(geom_3857) + ST_XMax(geom_3857)) / 2 AS x, "
                    f"(ST_YMin(geom_3857) + ST_YMax(geom_3857)) / 2 AS y FROM {name}"
                )
            )
        ]


def _tile_of(version: dict[str, Any], z: int) -> tuple[int, int]:
    width = 2 * EARTH_HALF_M / 2**z
    column = math.floor((version["x"] + EARTH_HALF_M) / width)
    return column, math.floor((EARTH_HALF_M - version["y"]) / width)


def _told(tile: Rendered, name: str, here: set[int]) -> tuple[int, Counter[str] | None]:
    """How many features of those whose reference point is in the tile it shows, and by kind."""
    features = mapbox_vector_tile.decode(tile.content).get(name, {"features": []})["features"]
    if name != "facilities":
        ids = [feature["id"] for feature in features]
        assert len(set(ids)) == len(ids)
        return len(here & set(ids)), None
    counted: Counter[str] = Counter()
    for feature in features:
        counted.update({kind: feature["properties"].get(f"n_{kind}", 0) for kind in KINDS})
    return sum(f["properties"]["point_count"] for f in features), +counted


async def _overview(
    city: City, name: str, level: Clearance, z: int, x: int, y: int, at: datetime
) -> Rendered:
    async with await _connect(city, level) as connection:
        query = TileQuery(get_layer(name), level, TileTime(at))
        address = TileAddress(z, x, y)
        return await render_overview(connection, query, address, _shown(name, level))


async def _connect(city: City, level: Clearance) -> AsyncConnection[Any]:
    url = city.address.libpq_url(reader_role(level))
    return await AsyncConnection.connect(url, autocommit=True)


def _shown(name: str, level: Clearance, max_bytes: int = 500_000) -> Shown:
    layer = get_layer(name)
    names = tuple(attribute.name for attribute in layer.tile_attributes_at(level))
    return Shown(layer, level, names, 4096, 64, with_labels=False, max_bytes=max_bytes)

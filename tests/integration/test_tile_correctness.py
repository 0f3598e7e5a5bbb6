"""Tiles against their source: everything that belongs is there, exactly, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import morecantile
import numpy as np
import pytest
import shapely
from pyogrio.raw import read as gdal_read
from shapely.affinity import scale, translate
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from starlette.testclient import TestClient

from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.support import City
from tests.tile_support import SourceVersion, decoded, faults, ring_areas
from tiles.grids import GRIDS, WEB_MERCATOR, Grid
from tiles.matrix import TileAddress

WEB_MERCATOR_QUAD = morecantile.tms.get("WebMercatorQuad")

Y2010, Y2015, Y2020 = (datetime(year, 1, 1, tzinfo=UTC) for year in (2010, 2015, 2020))
INSTANTS = (datetime(2012, 5, 1, tzinfo=UTC), Y2015, datetime(2024, 1, 1, tzinfo=UTC))
WEST, SOUTH, SIZE = 114.0, 22.5, 0.08

chance = random.Random(2026)


def place(size: float = SIZE) -> tuple[float, float]:
    """A place in the area of the tests, degrees."""
    return WEST + chance.random() * size, SOUTH + chance.random() * size


def area() -> BaseGeometry:
    """An area of any size with a hole and perhaps a second part."""
    radius = 10 ** chance.uniform(-5, -1.8)
    outer = shapely.Point(place()).buffer(radius, quad_segs=chance.randint(1, 12))
    ring = outer.difference(scale(outer, 0.4, 0.4))
    if chance.random() < 0.3:
        ring = shapely.unary_union([ring, translate(ring, 3 * radius, radius)])
    return shapely.MultiPolygon(list(getattr(ring, "geoms", [ring])))


def line() -> BaseGeometry:
    """A line of a few vertices, without hairpins: PostGIS drops those thinner than a unit."""
    step = 10 ** chance.uniform(-4.5, -2)
    headings = np.cumsum([chance.uniform(0, 7), *(chance.gauss(0, 0.35) for _ in range(8))])
    steps = np.column_stack([np.cos(headings), np.sin(headings)]) * step
    return shapely.MultiLineString([shapely.LineString(np.cumsum([place(), *steps], axis=0))])


def values_of(layer: str, number: int) -> dict[str, Any]:
    """Attributes that tiles of a layer carry."""
    text = chance.choice(["滨海 大道", "A", "", None])
    if layer == "parcels":
        return {"code": f"{layer}{number}", "land_use": chance.choice(["05", "07", None])}
    if layer == "roads":
        return {
            "name": text,
            "road_class": None,
            "width_m": chance.choice([None, 3.5, -1e-300, 1e18]),
        }
    return {"name": text, "kind": "library"}


SHAPES: dict[str, Callable[[], BaseGeometry]] = {
    "parcels": area,
    "roads": line,
    "facilities": lambda: shapely.Point(place()),
}


def make_source(layer: str, count: int) -> list[tuple[SourceVersion, SourceVersion | None]]:
    """Features of random clearance: what holds from 2010 on, and what some become in 2015."""
    source = []
    for number in range(count):
        code = f"{layer}{number}"
        clearance = chance.choice(list(Clearance))
        changes = chance.random() < 0.4
        first = SourceVersion(
            code,
            SHAPES[layer](),
            clearance,
            Y2010,
            Y2015 if changes else None,
            values_of(layer, number),
        )
        after = (
            SourceVersion(code, SHAPES[layer](), clearance, Y2015, None, values_of(layer, number))
            if changes
            else None
        )
        source.append((first, after))
    return source


def row(version: SourceVersion) -> dict[str, Any]:
    """A version as a row to publish."""
    return {
        "code": version.code,
        **version.values,
        "clearance": version.clearance,
        "wkt": version.geometry.wkt,
    }


Source = dict[str, list[SourceVersion]]


@pytest.fixture(scope="module")
def source(city: City) -> Source:
    """What was published of each layer, in the attributes that tiles hold."""
    found = {}
    for layer in SHAPES:
        pairs = make_source(layer, 100)
        city.publish(layer, [row(first) for first, _ in pairs], valid_from=Y2010)
        city.publish(layer, [row(after) for _, after in pairs if after], valid_from=Y2015)
        found[layer] = [version for pair in pairs for version in pair if version]
    return found


def shown(versions: list[SourceVersion], at: datetime, level: Clearance) -> list[SourceVersion]:
    """What a reader sees at an instant, without attributes that are null."""
    return [
        SourceVersion(
            v.code,
            v.geometry,
            v.clearance,
            v.start,
            v.end,
            {name: value for name, value in v.values.items() if value is not None},
        )
        for v in versions
        if v.holds(at, level)
    ]


@pytest.fixture(scope="module")
def ids(client: TestClient, headers_of: KeyMaker, source: Source) -> dict[str, int]:
    """The id of each feature by its code."""
    headers = headers_of(Clearance.RESTRICTED)
    found = {}
    for layer in source:
        path = f"/collections/{layer}/items?limit=1000&properties=code"
        for feature in client.get(path, headers=headers).json()["features"]:
            found[feature["properties"]["code"]] = feature["id"]
    return found


def whole_from(client: TestClient, layer: str, grid: Grid, headers: dict[str, str]) -> int:
    """The first zoom at which tiles hold all of a layer, and not its overview."""
    document = client.get(f"/tiles/{layer}/{grid.name}.json", headers=headers).json()
    described = document["vector_layers"][0]
    first: int = described.get("geoservice:generalised_below", described["minzoom"])
    return max(first, 10)


def random_tile(first_zoom: int, grid: Grid) -> TileAddress:
    """A tile of any zoom from one on, where there may be something."""
    z = chance.randint(first_zoom, 18)
    lon, lat = place()
    if grid is WEB_MERCATOR:
        tile = WEB_MERCATOR_QUAD.tile(lon, lat, z)
        return TileAddress(z, tile.x, tile.y)
    size = grid.tile_width / 2**z
    return TileAddress(z, int((lon - grid.west) / size), int((grid.north - lat) / size), grid)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=lambda grid: grid.name)
@pytest.mark.parametrize("layer", SHAPES)
def test_random_tiles_hold_what_their_source_says(
    client: TestClient,
    headers_of: KeyMaker,
    source: Source,
    ids: dict[str, int],
    layer: str,
    grid: Grid,
) -> None:
    keys = {level: headers_of(level) for level in Clearance}
    first = {level: whole_from(client, layer, grid, keys[level]) for level in Clearance}
    wrong, held = [], 0

    for _ in range(20):
        at, level = chance.choice(INSTANTS), chance.choice(list(Clearance))
        tile = random_tile(first[level], grid)
        response = client.get(
            f"/tiles/{layer}/{grid.name}/{tile.z}/{tile.x}/{tile.y}.mvt",
            params={"datetime": at.isoformat().replace("+00:00", "Z")},
            headers=keys[level],
        )
        features = decoded(response.content, layer)
        held += len(features)
        wrong += [
            f"{tile} {at:%Y} {level.label}: {fault}"
            for fault in faults(shown(source[layer], at, level), ids, features, tile.box, grid.srid)
        ]

    assert [] == wrong
    assert held > 20


NOW = INSTANTS[-1]


def tile_of(client: TestClient, layer: str, tile: morecantile.Tile, **more: Any) -> bytes:
    """A tile at the last of the instants."""
    parameters = {"datetime": NOW.isoformat().replace("+00:00", "Z")}
    path = f"/tiles/{layer}/{tile.z}/{tile.x}/{tile.y}.mvt"
    return client.get(path, params=parameters, **more).content


@pytest.mark.parametrize("layer", SHAPES)
@pytest.mark.usefixtures("source")
def test_gdal_reads_the_same_features_at_the_same_places(
    client: TestClient, headers_of: KeyMaker, tmp_path: Path, layer: str
) -> None:
    tile = WEB_MERCATOR_QUAD.tile(WEST + SIZE / 2, SOUTH + SIZE / 2, 14)
    content = tile_of(client, layer, tile, headers=headers_of(Clearance.RESTRICTED))
    file = tmp_path / "14" / str(tile.x) / f"{tile.y}.mvt"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)

    meta, _, geometries, columns = gdal_read(file, layer=layer, CLIP="NO")

    by_id = decoded(content, layer)
    table = dict(zip(meta["fields"], columns, strict=True))
    assert sorted(by_id) == sorted(table["mvt_id"])
    west, _, east, north = WEB_MERCATOR_QUAD.xy_bounds(tile)
    unit = (east - west) / 4096
    for number, feature_id in enumerate(table["mvt_id"]):
        feature = by_id[feature_id]
        values = {name: table[name][number] for name in feature["properties"]}
        assert feature["properties"] == values
        placed = shapely.transform(
            shape(feature["geometry"]), lambda xy: xy * [unit, -unit] + [west, north]
        )
        seen = shapely.from_wkb(geometries[number])
        assert shapely.hausdorff_distance(placed, seen) < unit / 100


@pytest.mark.usefixtures("source")
def test_polygons_are_wound_as_mvt_says(client: TestClient, headers_of: KeyMaker) -> None:
    tile = WEB_MERCATOR_QUAD.tile(WEST + SIZE / 2, SOUTH + SIZE / 2, 13)
    content = tile_of(client, "parcels", tile, headers=headers_of(Clearance.RESTRICTED))

    rings = list(ring_areas(content, "parcels"))

    assert len(rings) > 10
    assert all(areas[0] > 0 for areas in rings)
    assert any(area < 0 for areas in rings for area in areas)
    assert all(area != 0 for areas in rings for area in areas)


@pytest.mark.parametrize("layer", ["parcels", "roads"])
@pytest.mark.usefixtures("source")
def test_neighbours_agree_on_both_sides_of_their_edge(
    client: TestClient, headers_of: KeyMaker, layer: str
) -> None:
    headers = headers_of(Clearance.RESTRICTED)
    left = WEB_MERCATOR_QUAD.tile(WEST + SIZE / 2, SOUTH + SIZE / 2, 14)
    right = morecantile.Tile(left.x + 1, left.y, left.z)
    strip = shapely.box(4096 - 40, 0, 4096 + 40, 4096)

    both = [decoded(tile_of(client, layer, t, headers=headers), layer) for t in (left, right)]

    seen = [
        {feature_id: translate(shape(f["geometry"]), dx) for feature_id, f in tile.items()}
        for tile, dx in zip(both, (0, 4096), strict=True)
    ]
    crossing = {
        feature_id
        for tile in seen
        for feature_id, geometry in tile.items()
        if geometry.intersects(strip.buffer(-3))
    }
    assert len(crossing) > 1
    for feature_id in crossing:
        a, b = (tile[feature_id].intersection(strip) for tile in seen)
        assert b.buffer(1.5).covers(a)
        assert a.buffer(1.5).covers(b)


@pytest.mark.usefixtures("source")
def test_a_feature_has_one_id_in_all_tiles_and_zooms(
    client: TestClient, headers_of: KeyMaker, ids: dict[str, int]
) -> None:
    headers = headers_of(Clearance.RESTRICTED)
    for z in range(13, 18):
        tile = WEB_MERCATOR_QUAD.tile(WEST + SIZE / 2, SOUTH + SIZE / 2, z)
        found = decoded(tile_of(client, "parcels", tile, headers=headers), "parcels")

        assert all(ids[f["properties"]["code"]] == feature_id for feature_id, f in found.items())


def test_a_point_in_the_buffer_is_in_the_neighbour_too(city: City, client: TestClient) -> None:
    """So that a symbol that reaches over an edge is drawn on both of its sides."""
    tile = WEB_MERCATOR_QUAD.tile(114.3, 22.8, 15)
    bounds = WEB_MERCATOR_QUAD.bounds(tile)
    unit = (bounds.right - bounds.left) / 4096
    y = (bounds.top + bounds.bottom) / 2
    rows = [
        {
            "code": f"B{units}",
            "name": str(units),
            "kind": "library",
            "wkt": f"POINT({bounds.left - units * unit} {y})",
        }
        for units in (60, 70)
    ]
    city.publish("facilities", rows, valid_from=Y2020)

    found = decoded(tile_of(client, "facilities", tile), "facilities")

    assert ["60"] == [f["properties"]["name"] for f in found.values()]
    assert [-60] == [f["geometry"]["coordinates"][0] for f in found.values()]


ACROSS = "MULTILINESTRING((179.9 10.01, 180 10.01), (-180 10.01, -179.9 10.01))"


@pytest.mark.parametrize("grid", GRIDS.values(), ids=lambda grid: grid.name)
def test_what_crosses_the_antimeridian_is_on_both_sides(
    city: City, client: TestClient, grid: Grid
) -> None:
    """Stored as RFC 7946 has it (3.1.9): cut in two parts at 180 degrees."""
    city.publish("roads", [{"code": "AM", "name": "across", "wkt": ACROSS}], valid_from=Y2010)
    z = 10
    columns, _ = grid.shape(z)
    y = WEB_MERCATOR_QUAD.tile(0, 10.01, z).y
    if grid is not WEB_MERCATOR:
        y = int((grid.north - 10.01) / (grid.tile_width / 2**z))

    drawn = {
        x: decoded(client.get(f"/tiles/roads/{grid.name}/{z}/{x}/{y}.mvt").content, "roads")
        for x in (0, columns - 1)
    }

    (west,), (east,) = (tile.values() for tile in drawn.values())
    assert west["id"] == east["id"]
    ends = [shape(feature["geometry"]).bounds for feature in (west, east)]
    assert 0 == pytest.approx(ends[0][0], abs=1)
    assert 4096 == pytest.approx(ends[1][2], abs=1)


@pytest.mark.parametrize(
    ("grid", "lat", "is_there"),
    [
        ("WebMercatorQuad", 85.0, True),
        ("WebMercatorQuad", 85.2, False),
        ("WorldCRS84Quad", 85.2, True),
        ("CGCS2000Quad", 89.0, True),
        ("CGCS2000Quad", -89.0, True),
    ],
)
def test_near_the_poles_each_grid_shows_what_lies_in_it(
    city: City, client: TestClient, grid: str, lat: float, is_there: bool
) -> None:
    rows = [{"code": f"N{lat}", "name": "far", "kind": "library", "wkt": f"POINT(20.5 {lat})"}]
    city.publish("facilities", rows, valid_from=Y2010)
    z, found = 14, GRIDS[grid]
    size = found.tile_width / 2**z
    x, y = int((20.5 + 180) / size), int((90 - lat) / size)
    if found is WEB_MERCATOR:
        tile = WEB_MERCATOR_QUAD.tile(20.5, min(lat, 85.05), z)
        x, y = tile.x, tile.y

    response = client.get(f"/tiles/facilities/{grid}/{z}/{x}/{y}.mvt")

    assert is_there is (response.status_code == 200)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=lambda grid: grid.name)
def test_every_tile_of_the_lowest_zooms_has_an_answer(
    city: City, client: TestClient, grid: Grid
) -> None:
    """The margins of tiles at the edge of the world reach beyond it."""
    row = {"code": "D1", "name": "全市", "wkt": "MULTIPOLYGON(((113 22, 115 22, 115 23, 113 22)))"}
    city.publish("districts", [row], valid_from=Y2010)

    statuses = []
    for z in range(grid.first_zoom, grid.first_zoom + 3):
        columns, rows = grid.shape(z)
        paths = [f"{z}/{x}/{y}" for x in range(columns) for y in range(rows)]
        answers = [client.get(f"/tiles/districts/{grid.name}/{path}.mvt") for path in paths]
        statuses.append(sorted(answer.status_code for answer in answers))

    assert all(set(codes) <= {200, 204} for codes in statuses)
    assert [1, 1, 1] == [codes.count(200) for codes in statuses]

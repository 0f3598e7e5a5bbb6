"""Vector tiles over HTTP: content, composites, caching headers, errors, clearance."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import httpx2
import jsonschema_rs
import mapbox_vector_tile
import morecantile
import pytest
from psycopg import AsyncConnection
from starlette.testclient import TestClient

from layers.access import Clearance
from layers.registry import get_layer
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.support import City, facility, parcel, pipe
from tiles.matrix import TileAddress
from tiles.query import TileQuery, TileTime
from tiles.vector import TileOptions, render_layer

WEB_MERCATOR = morecantile.tms.get("WebMercatorQuad")

ZOOM = {"type": "integer", "minimum": 0, "maximum": 30}

TILEJSON_3 = {
    # What section 3 of TileJSON 3.0.0 demands of vector tiles.
    "type": "object",
    "required": ["tilejson", "tiles", "vector_layers"],
    "properties": {
        "tilejson": {"const": "3.0.0"},
        "tiles": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "pattern": r"^https?://.*\{z\}.*\{x\}.*\{y\}"},
        },
        "vector_layers": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "fields"],
                "properties": {
                    "id": {"type": "string"},
                    "fields": {"type": "object", "additionalProperties": {"type": "string"}},
                    "description": {"type": "string"},
                    "minzoom": ZOOM,
                    "maxzoom": ZOOM,
                },
            },
        },
        "attribution": {"type": "string"},
        "bounds": {
            "type": "array",
            "prefixItems": [
                {"type": "number", "minimum": -180, "maximum": 180},
                {"type": "number", "minimum": -90, "maximum": 90},
                {"type": "number", "minimum": -180, "maximum": 180},
                {"type": "number", "minimum": -90, "maximum": 90},
            ],
            "minItems": 4,
            "maxItems": 4,
        },
        "center": {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3},
        "description": {"type": "string"},
        "name": {"type": "string"},
        "minzoom": ZOOM,
        "maxzoom": ZOOM,
        "scheme": {"enum": ["xyz", "tms"]},
    },
}


def tile_path(layers: str, lon: float, lat: float, z: int) -> str:
    """The path of the tile that holds a place."""
    tile = WEB_MERCATOR.tile(lon, lat, z)
    return f"/tiles/{layers}/{z}/{tile.x}/{tile.y}.mvt"


@pytest.fixture(scope="module", autouse=True)
def features(city: City) -> None:
    """Two parcels, a facility, an open pipe and a restricted one around 114.05 E 22.55 N."""
    city.publish(
        "parcels",
        [
            parcel("P1", 114.05, 22.55, land_use="07", holder="张三"),
            parcel("P2", 114.0515, 22.55, land_use="05"),
            *(parcel(f"R{n}", 114.2, 22.6 + n * 0.001) for n in range(30)),
        ],
    )
    city.publish("facilities", [facility("F1", 114.0502, 22.5502, kind="library")])
    city.publish(
        "pipelines",
        [
            pipe("W1", "JP", (114.05, 22.55, 2.0), (114.051, 22.551, 2.5), diameter_mm=300),
            pipe("G1", "TR", (114.05, 22.551, 2.0), (114.051, 22.55, 2.5)),
        ],
    )


def test_a_tile_holds_the_features_that_touch_it(client: TestClient) -> None:
    response = client.get(tile_path("parcels", 114.0505, 22.5505, 14))

    layer = mapbox_vector_tile.decode(response.content)["parcels"]
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert {"P1", "P2"} == {f["properties"]["code"] for f in layer["features"]}
    assert layer["extent"] == 4096


def test_a_tile_is_georeferenced_to_half_a_unit(client: TestClient) -> None:
    tile = WEB_MERCATOR.tile(114.0502, 22.5502, 16)
    response = client.get(f"/tiles/facilities/16/{tile.x}/{tile.y}.mvt")

    feature = mapbox_vector_tile.decode(response.content)["facilities"]["features"][0]
    bounds = WEB_MERCATOR.xy_bounds(tile)
    x, y = WEB_MERCATOR.xy(114.0502, 22.5502)
    unit = (bounds.right - bounds.left) / 4096
    px, py = feature["geometry"]["coordinates"]
    assert abs(bounds.left + px * unit - x) <= unit
    assert abs(bounds.bottom + py * unit - y) <= unit


def test_ids_in_tiles_are_those_of_features(client: TestClient) -> None:
    tile = client.get(tile_path("facilities", 114.0502, 22.5502, 15))
    items = client.get("/collections/facilities/items").json()

    feature = mapbox_vector_tile.decode(tile.content)["facilities"]["features"][0]
    assert items["features"][0]["id"] == feature["id"]


def test_tiles_come_from_a_prepared_statement_with_one_plan(city: City) -> None:
    tile = WEB_MERCATOR.tile(114.0505, 22.5505, 14)
    address = TileAddress(14, tile.x, tile.y)

    async def plans() -> list[tuple[int, int]]:
        url = city.address.libpq_url(Role.READ_PUBLIC)
        async with await AsyncConnection.connect(url, autocommit=True) as connection:
            for _ in range(10):
                now = TileTime(datetime.now(UTC))
                query = TileQuery(get_layer("roads"), Clearance.PUBLIC, now)
                await render_layer(connection, query, address, TileOptions())
            found = await connection.execute(
                "SELECT custom_plans, generic_plans FROM pg_prepared_statements"
            )
            return await found.fetchall()

    [(custom, generic)] = asyncio.run(plans())
    # The server plans for the parameters five times, then once for all. The first tile may be read
    # twice, as the base zoom was that of another city.
    assert 5 == custom
    assert generic in (5, 6)


def test_a_composite_holds_its_layers_in_order(client: TestClient) -> None:
    response = client.get(tile_path("facilities,parcels", 114.0502, 22.5502, 15))

    assert list(mapbox_vector_tile.decode(response.content)) == ["facilities", "parcels"]


def test_an_empty_tile_is_204(client: TestClient) -> None:
    response = client.get(tile_path("parcels", 100.0, 10.0, 15))

    assert (response.status_code, response.content) == (204, b"")


def test_a_layer_with_few_features_is_whole_at_every_zoom(client: TestClient) -> None:
    answers = [client.get(tile_path("parcels", 114.0505, 22.5505, z)) for z in (6, 2)]

    layers = [mapbox_vector_tile.decode(answer.content)["parcels"] for answer in answers]
    assert [32, 32] == [len(layer["features"]) for layer in layers]


@pytest.mark.parametrize("address", ["3/8/1", "3/-1/1", "25/1/1", "0/0/1"])
def test_a_tile_outside_the_matrix_is_404(client: TestClient, address: str) -> None:
    response = client.get(f"/tiles/parcels/{address}.mvt")

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("z", ["014", "+14", "1_4", "%2014", "14.0", "x"])
def test_a_tile_has_one_address(client: TestClient, z: str) -> None:
    response = client.get(f"/tiles/parcels/{z}/13382/7137.mvt")

    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


def test_a_number_without_end_is_a_problem(client: TestClient) -> None:
    response = client.get(f"/tiles/parcels/14/1/{'9' * 5000}.mvt")

    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


def test_an_etag_may_stand_in_any_line_of_the_header(client: TestClient) -> None:
    path = tile_path("facilities", 114.0502, 22.5502, 15)
    etag = client.get(path).headers["etag"]

    response = client.get(path, headers=[("If-None-Match", '"other"'), ("If-None-Match", etag)])

    assert response.status_code == 304


def test_an_etag_answers_304_and_changes_with_the_content(city: City, client: TestClient) -> None:
    path = tile_path("parcels", 114.0705, 22.5705, 14)
    city.publish("parcels", [parcel("E1", 114.07, 22.57)])
    first = client.get(path)

    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    city.publish("parcels", [parcel("E2", 114.0715, 22.57)])
    changed = client.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200
    assert first.headers["etag"] != changed.headers["etag"]


def test_gzip_is_used_only_where_accepted(client: TestClient) -> None:
    path = tile_path("parcels", 114.2005, 22.6105, 13)

    zipped = client.get(path, headers={"Accept-Encoding": "gzip"})
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    refused = client.get(path, headers={"Accept-Encoding": "gzip;q=0, identity"})

    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert plain.content == zipped.content
    assert zipped.headers["etag"] != plain.headers["etag"]


def test_the_public_gets_no_pipes_and_government_only_the_open_ones(
    client: TestClient, headers_of: KeyMaker
) -> None:
    path = tile_path("pipelines", 114.0505, 22.5505, 15)

    public = client.get(path)
    government = client.get(path, headers=headers_of(Clearance.GOVERNMENT))
    restricted = client.get(path, headers=headers_of(Clearance.RESTRICTED))

    def kinds(content: bytes) -> set[str]:
        layer = mapbox_vector_tile.decode(content)["pipelines"]
        return {f["properties"]["kind"] for f in layer["features"]}

    assert public.status_code == 404
    assert {"JP"} == kinds(government.content)
    assert {"JP", "TR"} == kinds(restricted.content)
    assert "private" in government.headers["cache-control"]


def test_the_name_of_an_area_stands_in_one_tile_only(city: City, client: TestClient) -> None:
    """A district over many tiles; its shape is in each of them, its name in one."""
    city.publish("districts", [parcel("D1", 113.9, 22.5, size=0.08, name="南山区")])

    tiles = WEB_MERCATOR.tiles(113.9, 22.5, 113.98, 22.58, [13])
    contents = [client.get(f"/tiles/districts/13/{t.x}/{t.y}.mvt").content for t in tiles]
    decoded = [mapbox_vector_tile.decode(content) for content in contents if content]

    named = [tile["districts-labels"]["features"] for tile in decoded if "districts-labels" in tile]
    assert len(decoded) > 8
    assert ["南山区"] == [f["properties"]["name"] for features in named for f in features]
    assert {"Point"} == {f["geometry"]["type"] for features in named for f in features}


def test_tiles_hold_label_points_only_where_labels_are_drawn(client: TestClient) -> None:
    far, near = (
        mapbox_vector_tile.decode(client.get(tile_path("parcels", 114.0505, 22.5505, z)).content)
        for z in (16, 17)
    )

    assert (["parcels"], ["parcels", "parcels-labels"]) == (list(far), list(near))


def test_tilejson_names_the_layers_and_only_fields_that_tiles_hold(client: TestClient) -> None:
    document = client.get("/tiles/parcels,facilities.json").json()

    tile = client.get(tile_path("parcels,facilities", 114.0502, 22.5502, 14))
    decoded = mapbox_vector_tile.decode(tile.content)
    assert document["tilejson"] == "3.0.0"
    for vector_layer in document["vector_layers"]:
        held = {
            name
            for feature in decoded.get(vector_layer["id"], {"features": []})["features"]
            for name in feature["properties"]
        }
        assert held <= set(vector_layer["fields"])


def test_bounds_of_a_tilejson_reach_as_far_as_the_reader_may_see(
    city: City, client: TestClient, headers_of: KeyMaker
) -> None:
    city.publish("pipelines", [pipe("G9", "TR", (120.0, 30.0, 1.0), (120.001, 30.001, 1.0))])

    bounds = {
        level: client.get("/tiles/pipelines.json", headers=headers_of(level)).json()["bounds"]
        for level in (Clearance.GOVERNMENT, Clearance.RESTRICTED)
    }

    assert pytest.approx([114.05, 22.55, 114.051, 22.551]) == bounds[Clearance.GOVERNMENT]
    assert pytest.approx([114.05, 22.55, 120.001, 30.001]) == bounds[Clearance.RESTRICTED]


def test_a_tilejson_is_of_the_form_of_its_standard(client: TestClient) -> None:
    document = client.get("/tiles/parcels,facilities.json").json()

    jsonschema_rs.validate(TILEJSON_3, document)


def test_a_tile_of_an_instant_shows_what_held_then(city: City, client: TestClient) -> None:
    city.publish("parcels", [parcel("T1", 114.09, 22.59)])

    path = tile_path("parcels", 114.0905, 22.5905, 15)
    now = client.get(path)
    then = client.get(path, params={"datetime": "2001-01-01T00:00:00Z"})

    assert (now.status_code, then.status_code) == (200, 204)


@pytest.mark.parametrize("layers", ["nothing", "parcels,nothing", "", "parcels;drop", "parcels,"])
def test_an_unknown_layer_is_404(client: TestClient, layers: str) -> None:
    assert client.get(f"/tiles/{layers}/14/1/1.mvt").status_code == 404


def test_a_layer_named_twice_is_400(client: TestClient) -> None:
    assert client.get("/tiles/parcels,parcels/14/1/1.mvt").status_code == 400


def properties_in(content: bytes, layer: str) -> list[dict[str, object]]:
    """The properties of the features of a layer of a tile."""
    return [f["properties"] for f in mapbox_vector_tile.decode(content)[layer]["features"]]


def test_a_filter_leaves_in_a_tile_what_meets_it(client: TestClient) -> None:
    path = tile_path("parcels", 114.0505, 22.5505, 14)

    found = client.get(path, params={"filter": "land_use = '07'"})
    as_json = client.get(
        path,
        params={
            "filter": '{"op":"=","args":[{"property":"land_use"},"07"]}',
            "filter-lang": "cql2-json",
        },
    )
    nothing = client.get(path, params={"filter": "land_use = 'none'"})

    assert [{"code": "P1", "land_use": "07"}] == properties_in(found.content, "parcels")
    assert found.content == as_json.content
    assert nothing.status_code == 204


def test_tiles_ship_exactly_the_properties_asked_for(client: TestClient) -> None:
    path = tile_path("parcels", 114.0505, 22.5505, 17)

    usual = client.get(path)
    some = client.get(path, params={"properties": "land_use"})
    none = client.get(path, params={"properties": ""})

    assert {"code", "land_use"} == set().union(*properties_in(usual.content, "parcels"))
    assert {"land_use"} == set().union(*properties_in(some.content, "parcels"))
    assert set() == set().union(*properties_in(none.content, "parcels"))
    # What the names of areas are made of was not asked for.
    assert ["parcels"] == list(mapbox_vector_tile.decode(some.content))


@pytest.mark.parametrize(
    "parameters",
    [
        {"filter": "holder = '张三'"},
        {"filter": "nobody = '张三'"},
        {"properties": "holder"},
        {"properties": "nobody"},
    ],
)
def test_tiles_tell_nothing_of_hidden_attributes(
    client: TestClient, headers_of: KeyMaker, parameters: dict[str, str]
) -> None:
    path = tile_path("parcels", 114.0505, 22.5505, 14)
    (name, value) = next(iter(parameters.items()))

    public = client.get(path, params=parameters)
    government = client.get(path, params=parameters, headers=headers_of(Clearance.GOVERNMENT))

    assert 400 == public.status_code
    assert name == public.json()["errors"][0]["parameter"]
    assert (200 if "holder" in value else 400) == government.status_code


def test_a_composite_takes_properties_of_each_of_its_layers(client: TestClient) -> None:
    path = tile_path("facilities,parcels", 114.0502, 22.5502, 15)

    response = client.get(path, params={"properties": "kind,land_use", "filter": "code LIKE '_1'"})

    assert [{"kind": "library"}] == properties_in(response.content, "facilities")
    assert [{"land_use": "07"}] == properties_in(response.content, "parcels")


def test_tilejson_keeps_what_was_asked_for_and_says_what_is_shipped(client: TestClient) -> None:
    asked = {"filter": "land_use = '07'", "properties": "land_use", "datetime": "2024-01-01"}

    document = client.get("/tiles/parcels.json", params=asked).json()

    template = httpx2.URL(document["tiles"][0])
    assert asked == dict(template.params)
    assert ["land_use"] == list(document["vector_layers"][0]["fields"])
    assert client.get("/tiles/parcels.json", params={"filter": "holder = 'x'"}).status_code == 400


def test_tilejson_counts_the_zooms_of_its_grid(client: TestClient) -> None:
    mercator = client.get("/tiles/parcels.json").json()
    crs84 = client.get("/tiles/parcels/WorldCRS84Quad.json").json()

    assert mercator["maxzoom"] - 1 == crs84["maxzoom"]
    assert crs84["tiles"][0].endswith("/tiles/parcels/WorldCRS84Quad/{z}/{x}/{y}.mvt")
    assert client.get("/tiles/parcels/NoQuad.json").status_code == 404

"""OGC API Tiles: tile sets, tile matrix sets, and tiles by row and column."""

from __future__ import annotations

import morecantile
import pytest
from starlette.testclient import TestClient

from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.support import City, parcel
from tiles.grids import GRIDS

WEB_MERCATOR_QUAD = morecantile.tms.get("WebMercatorQuad")


@pytest.fixture(scope="module", autouse=True)
def features(city: City) -> None:
    """One parcel."""
    city.publish("parcels", [parcel("P1", 114.05, 22.55, land_use="07")])


def link(document: dict[str, object], rel: str) -> dict[str, str]:
    """The first link of a relation."""
    links = document["links"]
    assert isinstance(links, list)
    return next(one for one in links if one["rel"].endswith(rel))


def test_a_collection_leads_to_its_tiles(client: TestClient) -> None:
    collection = client.get("/collections/parcels").json()

    tilesets = client.get(link(collection, "tilesets-vector")["href"]).json()["tilesets"]
    mercator = client.get(link(tilesets[0], "self")["href"]).json()
    template = link(mercator, "item")
    tile = WEB_MERCATOR_QUAD.tile(114.0505, 22.5505, 15)
    href = template["href"].format(tileMatrix=15, tileRow=tile.y, tileCol=tile.x)
    response = client.get(href)

    assert list(GRIDS) == [one["tileMatrixSetId"] for one in tilesets]
    assert template["type"] == response.headers["content-type"]
    assert client.get(f"/tiles/parcels/15/{tile.x}/{tile.y}.mvt").content == response.content


def test_a_tile_set_says_what_its_tiles_hold(client: TestClient) -> None:
    document = client.get("/collections/parcels/tiles/WorldCRS84Quad").json()

    shapes, labels = document["layers"]
    assert ("parcels", 2, "16") == (
        shapes["id"],
        shapes["geometryDimension"],
        shapes["maxTileMatrix"],
    )
    assert ("parcels-labels", 0) == (labels["id"], labels["geometryDimension"])
    assert ["code", "land_use"] == list(shapes["propertiesSchema"]["properties"])
    assert "vector" == document["dataType"]


def test_limits_hold_the_tiles_of_the_city(client: TestClient) -> None:
    document = client.get("/collections/parcels/tiles/WebMercatorQuad").json()

    limits = {one["tileMatrix"]: one for one in document["tileMatrixSetLimits"]}
    tile = WEB_MERCATOR_QUAD.tile(114.0505, 22.5505, 15)
    assert limits["15"]["minTileRow"] <= tile.y <= limits["15"]["maxTileRow"]
    assert limits["15"]["minTileCol"] <= tile.x <= limits["15"]["maxTileCol"]


def test_tiles_of_a_tile_set_keep_its_parameters(client: TestClient) -> None:
    path = "/collections/parcels/tiles/WebMercatorQuad"

    document = client.get(path, params={"filter": "land_use = '05'"}).json()
    tile = WEB_MERCATOR_QUAD.tile(114.0505, 22.5505, 15)
    href = link(document, "item")["href"].format(tileMatrix=15, tileRow=tile.y, tileCol=tile.x)

    assert client.get(href).status_code == 204
    assert client.get(path, params={"filter": "holder = '05'"}).status_code == 400


@pytest.mark.parametrize("grid", GRIDS)
def test_matrix_sets_are_written_as_the_standard_has_them(client: TestClient, grid: str) -> None:
    document = client.get(f"/tileMatrixSets/{grid}").json()

    read_again = morecantile.TileMatrixSet.model_validate(document)
    matrix = next(one for one in read_again.tileMatrices if one.id == "12")
    assert GRIDS[grid].shape(12) == (matrix.matrixWidth, matrix.matrixHeight)
    assert GRIDS[grid].box(12, 3, 2) == pytest.approx(
        tuple(read_again.xy_bounds(morecantile.Tile(3, 2, 12)))
    )


def test_all_matrix_sets_are_listed(client: TestClient) -> None:
    document = client.get("/tileMatrixSets").json()

    assert list(GRIDS) == [one["id"] for one in document["tileMatrixSets"]]


def test_conformance_names_tiles_and_filters(client: TestClient) -> None:
    classes = client.get("/conformance").json()["conformsTo"]

    assert "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core" in classes
    assert "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter" in classes


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/collections/pipelines/tiles", 404),
        ("/collections/pipelines/tiles/WebMercatorQuad", 404),
        ("/collections/pipelines/tiles/WebMercatorQuad/15/1/1", 404),
        ("/collections/parcels/tiles/NoQuad", 404),
        ("/collections/parcels/tiles/WebMercatorQuad/1/0/2", 404),
        ("/collections/parcels/tiles/WebMercatorQuad/1/2/0", 404),
        ("/collections/parcels/tiles/WorldCRS84Quad/0/0/0", 204),
        ("/collections/parcels/tiles/CGCS2000Quad/0/0/0", 404),
        ("/tileMatrixSets/NoQuad", 404),
        ("/collections/parcels/tiles/WebMercatorQuad/01/0/0", 400),
        ("/collections/parcels/tiles?filter=a", 400),
    ],
)
def test_what_is_not_there_or_not_to_be_known_is_a_problem(
    client: TestClient, path: str, status: int
) -> None:
    assert status == client.get(path).status_code


def test_a_reader_who_may_know_of_a_layer_finds_its_tile_sets(
    client: TestClient, headers_of: KeyMaker
) -> None:
    response = client.get("/collections/pipelines/tiles", headers=headers_of(Clearance.GOVERNMENT))

    assert response.status_code == 200
    assert "private" in response.headers["cache-control"]

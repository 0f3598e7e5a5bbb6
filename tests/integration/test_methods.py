"""HTTP methods: HEAD is answered wherever GET is; others are refused and told what is allowed."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.support import City, parcel

PATHS = (
    "/",
    "/api",
    "/collections",
    "/collections/parcels/items",
    "/tiles/parcels.json",
    "/tiles/parcels/15/26765/14276.mvt",
    "/styles/city.json",
    "/sprites/city-night.png",
    "/legends/parcels.svg",
    "/healthz",
)


@pytest.fixture(scope="module", autouse=True)
def one_parcel(city: City) -> None:
    """A parcel in the tile that is asked for."""
    city.publish("parcels", [parcel("A", 114.05, 22.55)])


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_its_content(client: TestClient, path: str) -> None:
    got, head = client.get(path), client.head(path)

    assert 200 == got.status_code == head.status_code
    assert got.content
    assert b"" == head.content
    kept = ("content-type", "content-length", "etag", "cache-control")
    assert [got.headers.get(name) for name in kept] == [head.headers.get(name) for name in kept]


def test_head_of_nothing_is_404(client: TestClient) -> None:
    head = client.head("/collections/nosuch")

    assert (404, b"") == (head.status_code, head.content)


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "TRACE", "FOO"])
def test_other_methods_are_refused_and_told_what_is_allowed(
    client: TestClient, method: str
) -> None:
    answer = client.request(method, "/collections")

    assert 405 == answer.status_code
    assert "GET, HEAD" == answer.headers["allow"]
    assert "application/problem+json" == answer.headers["content-type"]

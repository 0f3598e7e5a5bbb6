"""Pages of other origins: what a browser lets them read."""

from __future__ import annotations

from starlette.testclient import TestClient

from geoservice.app import create_app
from tests.support import City

ORIGIN = "https://app.example"


def test_pages_of_all_origins_may_read_answers(client: TestClient) -> None:
    response = client.get("/collections", headers={"Origin": ORIGIN})

    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    assert "ETag" in response.headers["access-control-expose-headers"]


def test_a_page_may_send_a_key(client: TestClient) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }

    response = client.options("/tiles/parcels/14/13382/7137.mvt", headers=asked)

    assert response.status_code == 200
    assert "authorization" in response.headers["access-control-allow-headers"].lower()


def test_errors_can_be_read_too(client: TestClient) -> None:
    response = client.get("/collections/none", headers={"Origin": ORIGIN})

    assert (response.status_code, response.headers["access-control-allow-origin"]) == (404, "*")


def test_origins_may_be_limited(city: City) -> None:
    http = city.settings.http.model_copy(update={"allowed_origins": ("https://map.example",)})
    settings = city.settings.model_copy(update={"http": http})

    with TestClient(create_app(settings)) as client:
        refused = client.get("/collections", headers={"Origin": ORIGIN})
        allowed = client.get("/collections", headers={"Origin": "https://map.example"})

    assert "access-control-allow-origin" not in refused.headers
    assert allowed.headers["access-control-allow-origin"] == "https://map.example"

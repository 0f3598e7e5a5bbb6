"""Loading through the web, with a service and its worker as processes: from the files to the undo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.support import City
from tests.web_loads import Client, WebService, parcels_geojson, part, web_service


@pytest.fixture(scope="module")
def service(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebService]:
    """The service on the module's database."""
    with web_service(city, tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def client(service: WebService, headers_of: KeyMaker) -> Client:
    """An officer who may load parcels."""
    return service.client(headers_of(Clearance.GOVERNMENT, "load:parcels"))


def test_an_upload_is_checked_and_waits_to_be_confirmed(
    service: WebService, client: Client
) -> None:
    answer = client.upload(
        "parcels", part("宗地.geojson", parcels_geojson(["A1", "A2"], bad=["X"]))
    )
    job = client.wait(answer.json()["id"], "ready")

    assert 202 == answer.status_code
    assert f"/loads/{job['id']}" == answer.headers["location"]
    report = job["report"]
    assert (3, 2, 1) == (report["read"], report["new"], report["rejected"])
    assert ["宗地.geojson"] == report["files"]
    assert [(3, "X")] == [(found["row"], found["key"]) for found in report["findings"]]
    assert "outside_city" in report["findings"][0]["reasons"][0]
    assert [] == client.http.get("/collections/parcels/items").json()["features"]

"""What the service says of itself and what it answers, compared by schemathesis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from geoservice.app import create_app
from geoservice.settings import Settings
from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.integration.test_server import Service, started_service
from tests.support import City, facility, parcel

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
LEFT_OUT = ("/availability/stream", "/loads", "/map", "/wmts")
"""Streams have no end, pages are no resources, and loads have attacks of their own."""

OPERATIONS = [
    (method, path)
    for path, methods in create_app(Settings()).openapi()["paths"].items()
    if not path.startswith(LEFT_OUT)
    for method in methods
]


@pytest.fixture(scope="module")
def service(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    city.publish("facilities", [facility(f"C{n}", 114.05, 22.55, capacity=9) for n in range(3)])
    city.publish("parcels", [parcel("C", 114.05, 22.55)])
    log = tmp_path_factory.mktemp("log") / "service.log"
    with started_service(city, log, GEOSERVICE_REPORTS__BURST="100000") as running:
        yield running


@pytest.fixture(scope="module")
def key(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.GOVERNMENT, "observe:*", "moderate:reports")


@pytest.fixture(scope="module")
def schema(service: Service, key: dict[str, str]) -> Any:
    body = {"facility": "C1", "observed_at": datetime.now(UTC).isoformat(), "available": 3}
    httpx.post(f"{service.url}/observations", json=body, headers=key)
    return schemathesis.openapi.from_url(f"{service.url}/api")


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_answers_are_those_that_are_described(
    schema: Any, key: dict[str, str], method: str, path: str
) -> None:
    @settings(
        max_examples=15,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(schema[path][method.upper()].as_strategy())
    def ask(case: Any) -> None:
        case.call_and_validate(headers=key, checks=list(CHECKS))

    ask()

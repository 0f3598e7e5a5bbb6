"""Subscriptions of what expires: a city of their own, as earlier ones would hear of it, too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.integration.test_server import started_service
from tests.integration.test_subscriptions import ALLOWED, Receiver, call, subscribe
from tests.support import City, facility


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.shutdown()
    server.server_close()


def test_expiry_is_sent_and_what_is_free_after_it_meets_a_condition_anew(
    city: City, headers_of: KeyMaker, receiver: Receiver, tmp_path: Path
) -> None:
    city.publish("facilities", [facility("LOT", 114.05, 22.55, kind="parking", capacity=100)])
    key = headers_of(Clearance.PUBLIC, "observe:hooks")
    with started_service(city, tmp_path / "service.log", **ALLOWED) as service:
        for asked in ({"kinds": ["parking"]}, {"kinds": ["parking"], "min_available": 2}):
            subscribe(service, key, receiver, **asked)
        body = {"facility": "LOT", "available": 41, "resource_type": "lane", "ttl_s": 1}
        told = []

        for count in (2, 3, 5):
            if count != 3:
                now = {"observed_at": datetime.now(UTC).isoformat()}
                assert call(service, "POST", "/observations", key, json=body | now).is_success
            told.append(receiver.wait_for(count))

    free, unknown = ("LOT", 41), ("LOT", None)
    assert [[free, free], [free, free, unknown]] == told[:2]
    assert [free, free, unknown, free, free] == told[2][:5]

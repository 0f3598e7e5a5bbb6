"""Events sent to addresses: signed, in order, again until they arrive, and nowhere they may not."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import text

from layers.access import Clearance
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.integration.test_server import Service, started_service
from tests.support import City, facility

WAIT_S = 20
ALLOWED = {
    "GEOSERVICE_PUSH__ALLOW_PRIVATE_ADDRESSES": "true",
    "GEOSERVICE_PUSH__ALLOW_HTTP": "true",
}


class Receiver(ThreadingHTTPServer):
    """The server of a subscriber, which keeps what came and answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        # A name to the service, which every machine resolves, with or without a file of hosts.
        return f"http://127.1:{self.server_port}/hook?for=me"

    def told(self) -> list[tuple[str, int]]:
        bodies = [json.loads(body) for _, body in list(self.received)]
        return [(body["code"], body["available"]) for body in bodies]

    def wait_for(self, count: int) -> list[tuple[str, int]]:
        wait_until(lambda: len(self.received) >= count)
        return self.told()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # the library's own
        pass


def wait_until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def key(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.PUBLIC, "observe:hooks")


@pytest.fixture(scope="module")
def service(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    rows = [
        facility("COURTS", 114.05, 22.55, kind="sports_hall.badminton", capacity=8),
        facility("LOT", 114.05, 22.55, kind="parking", capacity=100),
    ]
    city.publish("facilities", rows)
    log = tmp_path_factory.mktemp("log") / "service.log"
    with started_service(city, log, **ALLOWED) as running:
        yield running


def call(service: Service, method: str, path: str, key: dict[str, str], **more: Any) -> Any:
    return httpx.request(method, service.url + path, headers=key, timeout=WAIT_S, **more)


def subscribe(
    service: Service, key: dict[str, str], receiver: Receiver, **asked: Any
) -> dict[str, Any]:
    answer = call(service, "POST", "/subscriptions", key, json={"url": receiver.url, **asked})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def send(service: Service, key: dict[str, str], code: str, *free: int) -> None:
    for available in free:
        body = {"facility": code, "available": available, "source": "hooks"}
        body["observed_at"] = datetime.now(UTC).isoformat()
        assert call(service, "POST", "/observations", key, json=body).status_code == 200


def test_what_is_wanted_arrives_signed_and_in_order(
    service: Service, key: dict[str, str], receiver: Receiver
) -> None:
    made = subscribe(service, key, receiver, kinds=["sports_hall.badminton"])

    send(service, key, "COURTS", 5, 4, 3)
    send(service, key, "LOT", 50)
    send(service, key, "COURTS", 2)

    assert [("COURTS", n) for n in (5, 4, 3, 2)] == receiver.wait_for(4)
    headers, body = receiver.received[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(secret, signed, sha256)).decode()
    assert f"v1,{expected}" == headers["webhook-signature"]
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < WAIT_S
    assert f"127.1:{receiver.server_port}" == headers["host"]
    shown = call(service, "GET", f"/subscriptions/{made['id']}", key).json()
    assert "secret" not in shown
    assert {"delivered": 4} == shown["deliveries"]


def test_a_condition_is_told_once_until_it_was_clearly_not_met(
    service: Service, key: dict[str, str], receiver: Receiver
) -> None:
    subscribe(
        service, key, receiver, kinds=["sports_hall.badminton"], min_available=2, hysteresis=1
    )

    send(service, key, "COURTS", 1, 2, 3, 1, 2, 0, 2, 8)

    # 1 is not clearly below 2 with a hysteresis of 1; 0 is.
    assert [("COURTS", 2), ("COURTS", 2)] == receiver.wait_for(2)
    time.sleep(1)
    assert 2 == len(receiver.received)


def test_what_fails_is_sent_again_and_what_comes_after_it_waits(
    service: Service, key: dict[str, str], receiver: Receiver
) -> None:
    receiver.answers = [500, 302]
    subscribe(service, key, receiver, kinds=["parking"])

    send(service, key, "LOT", 51, 52)

    assert [("LOT", 51), ("LOT", 51), ("LOT", 51), ("LOT", 52)] == receiver.wait_for(4)
    assert 1 == len({headers["webhook-id"] for headers, _ in receiver.received[:3]})


def test_what_was_given_up_is_seen_and_can_be_sent_again(
    city: City, service: Service, key: dict[str, str], receiver: Receiver
) -> None:
    receiver.answers = [503, 503]
    made = subscribe(service, key, receiver, kinds=["parking"])
    send(service, key, "LOT", 61)
    receiver.wait_for(1)
    with city.address.connect(Role.OWNER) as connection:
        connection.execute(
            text("UPDATE city.deliveries SET attempts = 14, due_at = now() WHERE state = 'waiting'")
        )
        connection.commit()
    path = f"/subscriptions/{made['id']}/deliveries"
    wait_until(lambda: bool(call(service, "GET", f"{path}?state=dead", key).json()["deliveries"]))
    (dead,) = call(service, "GET", f"{path}?state=dead", key).json()["deliveries"]

    again = call(service, "POST", f"{path}/{dead['event_no']}/retry", key)

    assert "status 503" == dead["last_error"]
    assert 202 == again.status_code
    assert [("LOT", 61)] * 3 == receiver.wait_for(3)


def test_nothing_is_lost_when_the_worker_is_killed(
    city: City, service: Service, key: dict[str, str], receiver: Receiver, tmp_path: Path
) -> None:
    receiver.answers = [500]
    subscribe(service, key, receiver, kinds=["parking"])
    service.process.kill()
    service.process.wait()
    with started_service(city, tmp_path / "first.log", **ALLOWED) as first:
        send(first, key, "LOT", 71, 72)
        receiver.wait_for(1)
        first.process.kill()
        first.process.wait()

    with started_service(city, tmp_path / "second.log", **ALLOWED) as second:
        send(second, key, "LOT", 73)
        wait_until(lambda: ("LOT", 73) in receiver.told())

    told = receiver.told()
    assert [("LOT", 71), ("LOT", 72), ("LOT", 73)] == sorted(set(told))
    assert sorted(told) == told


def test_a_subscription_is_the_keys_own(
    city: City, headers_of: KeyMaker, receiver: Receiver, tmp_path: Path
) -> None:
    mine, other = (headers_of(Clearance.PUBLIC) for _ in range(2))
    with started_service(
        city, tmp_path / "s.log", **ALLOWED, GEOSERVICE_PUSH__MAX_SUBSCRIPTIONS="1"
    ) as service:
        made = subscribe(service, mine, receiver)
        path = f"/subscriptions/{made['id']}"

        assert 404 == call(service, "GET", path, other).status_code
        assert 404 == call(service, "DELETE", path, other).status_code
        assert 404 == call(service, "GET", f"{path}/deliveries", other).status_code
        assert [] == call(service, "GET", "/subscriptions", other).json()["subscriptions"]
        assert 401 == call(service, "GET", "/subscriptions", {}).status_code
        again = call(service, "POST", "/subscriptions", mine, json={"url": receiver.url})
        assert 409 == again.status_code
        assert 204 == call(service, "DELETE", path, mine).status_code
        assert 404 == call(service, "GET", path, mine).status_code


def test_a_name_that_leads_into_the_house_is_not_spoken_to(
    city: City, headers_of: KeyMaker, receiver: Receiver, tmp_path: Path
) -> None:
    key = headers_of(Clearance.PUBLIC, "observe:hooks")
    with started_service(city, tmp_path / "s.log", GEOSERVICE_PUSH__ALLOW_HTTP="true") as service:
        made = subscribe(service, key, receiver, kinds=["parking"])
        send(service, key, "LOT", 81)
        path = f"/subscriptions/{made['id']}/deliveries"
        wait_until(
            lambda: any(
                one["attempts"] for one in call(service, "GET", path, key).json()["deliveries"]
            )
        )
        (failed,) = call(service, "GET", path, key).json()["deliveries"]

    assert "the name has an address that events are not sent to" == failed["last_error"]
    assert [] == receiver.received


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.1.2.3/",
        "https://user:secret@example.org/",
        "https:///path",
        "ftp://example.org/",
        "https://example.org:0/",
        "https://exämple.org/",
    ],
)
def test_events_are_not_sent_into_the_house(client: Any, headers_of: KeyMaker, url: str) -> None:
    answer = client.post("/subscriptions", json={"url": url}, headers=headers_of(Clearance.PUBLIC))

    assert (400, "/url") == (answer.status_code, answer.json()["errors"][0]["pointer"])

"""Cached tiles are answered before a request reaches the application, and nobody can tell."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from tests.integration.test_server import Service, started_service
from tests.integration.test_tiles import tile_path
from tests.support import City, parcel

TILE = tile_path("parcels", 114.0705, 22.5705, 15)
OF_THE_MOMENT = {"date", "x-request-id", "connection"}
CLOSE = {"Connection": "close"}
"""The connection ends after the answer: that is left to the application's side."""


@pytest.fixture(scope="module")
def service(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose cache holds the tile, and which has been asked for it."""
    city.publish("parcels", [parcel("R1", 114.07, 22.57)])
    with started_service(city, tmp_path_factory.mktemp("log") / "service.log") as running:
        assert running.get(TILE).status_code == 200
        yield running


def exchanged(service: Service, *requests: str) -> list[tuple[bytes, bytes]]:
    """Status line and content of the answers to requests that are sent all at once."""
    address = urlsplit(service.url)
    sent = "".join(f"{request}\r\n\r\n" for request in requests)
    with socket.create_connection((address.hostname or "", address.port or 0), 10) as client:
        client.sendall(sent.encode())
        received = b"".join(iter(lambda: client.recv(65_536), b""))
    answers = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if b"content-length" in line)
        answers.append((head.split(b"\r\n")[0], rest[:length]))
        received = rest[length:]
    return answers


def test_a_ready_answer_has_all_that_the_application_gives(service: Service) -> None:
    ready, whole = (httpx.get(service.url + TILE, headers=headers) for headers in ({}, CLOSE))

    assert whole.content == ready.content
    steady = [
        {name: value for name, value in answer.headers.items() if name not in OF_THE_MOMENT}
        for answer in (whole, ready)
    ]
    assert steady[0] == steady[1]
    assert whole.headers["x-request-id"] != ready.headers["x-request-id"]
    assert "nosniff" == ready.headers["x-content-type-options"]


def test_what_the_client_has_is_not_sent_again(service: Service) -> None:
    etag = service.get(TILE).headers["etag"]

    known = httpx.get(service.url + TILE, headers={"If-None-Match": f'"other", {etag}'})

    assert (304, b"") == (known.status_code, known.content)


def test_requests_sent_at_once_are_answered_in_order(service: Service) -> None:
    tile, other = (f"GET {path} HTTP/1.1\r\nHost: here" for path in (TILE, "/healthz"))

    answers = exchanged(service, tile, other, tile, other, f"{tile}\r\nConnection: close")

    assert {b"HTTP/1.1 200 OK"} == {status for status, _ in answers}
    content = service.get(TILE).content
    assert [True, False, True, False, True] == [body == content for _, body in answers]


def test_the_body_of_a_request_is_not_taken_for_the_next_one(service: Service) -> None:
    hidden = "GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"
    with_body = (
        f"GET {TILE} HTTP/1.1\r\nHost: here\r\nContent-Length: {len(hidden)}\r\n\r\n{hidden}"
    )
    last = f"GET {TILE} HTTP/1.1\r\nHost: here\r\nConnection: close"

    answers = exchanged(service, with_body[:-4], last)

    content = service.get(TILE).content
    assert [content, content] == [body for _, body in answers]


def test_head_and_pages_of_other_origins_get_theirs(service: Service) -> None:
    head = httpx.head(service.url + TILE)
    foreign = httpx.get(service.url + TILE, headers={"Origin": "https://app.example"})

    assert (200, b"") == (head.status_code, head.content)
    assert "*" == foreign.headers["access-control-allow-origin"]


def test_a_key_that_is_not_in_force_is_refused(service: Service) -> None:
    refused = httpx.get(service.url + TILE, headers={"Authorization": "Bearer gsk_nothing"})

    assert 401 == refused.status_code

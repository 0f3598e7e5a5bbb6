"""Figures from a real broker and from feeds: none lost over a restart of anybody, none twice."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import paho.mqtt.client as mqtt
import pytest
import yaml
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import text
from starlette.testclient import TestClient

from geoservice.sources.configuration import read_sources
from layers.access import Clearance
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.integration.test_server import free_port
from tests.support import City, facility

WAIT_S = 25
BROKER = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "mosquitto"


class Broker:
    """Mosquitto with a store of its own, so that it can die and come back."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        folder.mkdir()
        self._file = folder / "mosquitto.conf"
        self._file.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {folder}/\nautosave_interval 1\nautosave_on_changes true\n"
            "max_queued_messages 100000\nmax_inflight_messages 1000\n"
            # Another user, which it would become, has no way into the folders of tests.
            f"{'user root' if os.geteuid() == 0 else ''}\n"
        )
        self.start()

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([BROKER, "-c", str(self._file)], stderr=log)
        wait_until(lambda: is_listening(self.port))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def die(self) -> None:
        """End as by ``kill -9``; what it had a moment ago is in its store."""
        time.sleep(0.5)
        self._process.kill()
        self._process.wait(10)

    def publish(self, messages: list[tuple[str, Any]]) -> None:
        """Publish with QoS 1, and wait until the broker has all of it."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        sent = [client.publish(topic, body, qos=1) for topic, body in messages]
        for one in sent:
            one.wait_for_publish(WAIT_S)
        client.disconnect()
        client.loop_stop()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextmanager
def running(city: City, file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``geoservice sources run``, killed at the end."""
    environment = os.environ | {
        "GEOSERVICE_DATABASE__FOLDER": str(city.settings.database.folder),
        "GEOSERVICE_DATABASE__NAME": city.settings.database.name,
    }
    command = [sys.executable, "-P", "-m", "geoservice", "sources", "run", str(file)]
    with file.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module", autouse=True)
def facilities(city: City) -> None:
    rows = [facility(f"P{n}", 114.1, 22.6, kind="parking", capacity=1_000_000) for n in range(20)]
    city.publish("facilities", rows)


def figures(city: City, source: str) -> dict[str, list[int]]:
    """What is held of a source, by the code of the facility, in the order of its instants."""
    with city.address.connect(Role.OWNER) as connection:
        rows = connection.execute(
            text(
                "SELECT f.natural_key, o.available FROM city.observations o "
                "JOIN city.series s USING (series_id) JOIN city.facilities f USING (feature_id) "
                "WHERE s.source = :source ORDER BY f.natural_key, o.observed_at"
            ),
            {"source": source},
        ).all()
    found: dict[str, list[int]] = {}
    for code, available in rows:
        found.setdefault(code, []).append(available)
    return found


def count(city: City, source: str) -> int:
    return sum(map(len, figures(city, source).values()))


def message(at: int, free: int) -> str:
    return json.dumps({"t": 1_760_000_000 + at, "free": free})


def test_nothing_is_lost_or_counted_twice_over_restarts_of_listener_and_broker(
    city: City, tmp_path: Path
) -> None:
    broker = Broker(tmp_path / "broker")
    file = tmp_path / "sources.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "sources": [
                    {
                        "name": "car-parks",
                        "mqtt": {
                            "host": "127.0.0.1",
                            "port": broker.port,
                            "topic": "city/+/free",
                            "client_id": "geoservice-test",
                        },
                        "mapping": {
                            "facility": "topic.1",
                            "available": "payload.free",
                            "observed_at": "payload.t",
                            "resource_type": {"value": "space"},
                        },
                    }
                ]
            }
        )
    )
    sent = 0

    def publish(messages: int) -> None:
        nonlocal sent
        numbers = range(sent, sent + messages)
        broker.publish([(f"city/P{n % 20}/free", message(n, n)) for n in numbers])
        sent += messages

    with running(city, file) as first:
        time.sleep(2.5)
        publish(300)
        wait_until(lambda: count(city, "car-parks") >= 100)
        first.kill()
        first.wait()
        # Nobody listens: the broker keeps it, also over its own end.
        publish(300)
        broker.die()
        broker.start()
    with running(city, file):
        broker.publish([("city/P1/free", "nonsense"), ("city/NOWHERE/free", message(0, 1))])
        publish(300)
        wait_until(lambda: count(city, "car-parks") == sent)
        broker.die()
        broker.start()
        publish(50)
        wait_until(lambda: count(city, "car-parks") == sent)
    broker.stop()

    expected = {f"P{n}": list(range(n, sent, 20)) for n in range(20)}
    assert expected == figures(city, "car-parks")
    log = file.with_suffix(".log").read_text()
    assert "message refused" in log
    assert "figure refused" in log


def test_a_broker_may_have_observations_of_sensorthings(
    city: City, client: TestClient, headers_of: KeyMaker, tmp_path: Path
) -> None:
    for source in ("sta", "else"):
        first = {"facility": "P0", "available": 1, "source": source}
        first["observed_at"] = "2026-03-01T08:00:00Z"
        key = headers_of(Clearance.PUBLIC, f"observe:{source}")
        assert client.post("/observations", json=first, headers=key).is_success
    streams = client.get("/sensorthings/v1.1/Datastreams?$expand=Sensor").json()["value"]
    numbers = {one["Sensor"]["name"]: one["@iot.id"] for one in streams}
    broker = Broker(tmp_path / "broker")
    mqtt_of = {"host": "127.0.0.1", "port": broker.port, "client_id": "sta"}
    mqtt_of |= {"topic": "v1.1/#", "format": "sensorthings"}
    file = tmp_path / "sta.yaml"
    file.write_text(yaml.safe_dump({"sources": [{"name": "sta", "mqtt": mqtt_of}]}))

    def said(number: int, minute: int, free: Any) -> tuple[str, str]:
        when = f"2026-03-01T08:{minute:02}:00Z"
        body = {"Datastream": {"@iot.id": number}, "phenomenonTime": when, "result": free}
        return "v1.1/Observations", json.dumps(body)

    with running(city, file):
        wait_until(lambda: "listens to a broker" in file.with_suffix(".log").read_text())
        others = [said(numbers["else"], 1, 9), said(9_999, 1, 9), said(numbers["sta"], 1, "9")]
        broker.publish([("v1.1/x", "nonsense"), *others, said(numbers["sta"], 2, 5)])
        wait_until(lambda: count(city, "sta") == 2)
    broker.stop()

    assert {"P0": [1, 5]} == figures(city, "sta")
    assert {"P0": [1]} == figures(city, "else")
    assert 4 == file.with_suffix(".log").read_text().count("message refused")


class _Feeds(BaseHTTPRequestHandler):
    documents: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        content = self.documents.get(self.path)
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: Any) -> None:  # the library's own
        pass


@pytest.fixture
def feeds() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Feeds)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_feeds_are_polled(city: City, tmp_path: Path, feeds: str, shared_data: Path) -> None:
    real = shared_data / "04_facilities_timeseries" / "gbfs_a" / "station_status.json"
    stations = json.loads(real.read_bytes())["data"]["stations"]
    known = [facility(s["station_id"], -93.2, 44.9, kind="parking.bicycle") for s in stations[:50]]
    city.publish("facilities", known)
    documents = {
        "/gbfs": real.read_bytes(),
        "/json": json.dumps({"lots": [{"id": "P1", "free": 7}, {"id": "P2"}]}).encode(),
        "/csv": "\ufeffid;x,frei\nP3,9\nP4,\n".replace("id;x", "id").encode(),
    }
    _Feeds.documents.update(documents)
    sources = [
        {"name": "bikes", "poll": {"url": f"{feeds}/gbfs", "format": "gbfs", "every_s": 1}},
        {
            "name": "lots",
            "poll": {"url": f"{feeds}/json", "items": "lots", "every_s": 1},
            "mapping": {"facility": "item.id", "available": "item.free"},
        },
        {
            "name": "table",
            "poll": {"url": f"{feeds}/csv", "format": "csv", "every_s": 1},
            "mapping": {"facility": "item.id", "available": "item.frei"},
        },
        {
            "name": "gone",
            "poll": {"url": f"{feeds}/none", "every_s": 1},
            "mapping": {"facility": "item.id", "available": "item.free"},
        },
    ]
    file = tmp_path / "feeds.yaml"
    file.write_text(yaml.safe_dump({"sources": sources}))

    with running(city, file):
        wait_until(
            lambda: (
                count(city, "bikes") >= 50 and count(city, "lots") > 1 and count(city, "table") > 1
            )
        )

    bikes = {s["station_id"]: [s["num_bikes_available"]] for s in stations[:50]}
    assert bikes == figures(city, "bikes")
    assert {7} == set(figures(city, "lots")["P1"])
    assert {"P3"} == set(figures(city, "table"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"name": "a"}, "either mqtt or poll"),
        (
            {"name": "a", "poll": {"url": "file:///etc/passwd"}, "mapping": {"facility": "item"}},
            "http",
        ),
        ({"name": "a", "poll": {"url": "https://a.example/"}}, "needs a mapping"),
        ({"name": "a", "poll": {"url": "https://a.example/", "x": 1}, "mapping": {}}, "x"),
        (
            {
                "name": "a",
                "clearance": "secret",
                "poll": {"url": "https://a.example/", "format": "gbfs"},
            },
            "clearance",
        ),
    ],
)
def test_a_file_that_cannot_be_is_refused_in_words(
    tmp_path: Path, source: dict[str, Any], said: str
) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(yaml.safe_dump({"sources": [source]}))

    with pytest.raises(ValueError, match=said):
        read_sources(file)

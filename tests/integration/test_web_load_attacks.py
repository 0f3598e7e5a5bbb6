"""Loading through the web against those who mean harm, and against bad lines."""

from __future__ import annotations

import io
import json
import socket
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from layers.access import Clearance
from layers.registry import LAYERS
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.support import City
from tests.web_loads import Client, WebService, parcels_geojson, part, web_service

MAX_UPLOAD_BYTES = 300_000
QUOTA_BYTES = 1_000_000


@pytest.fixture(scope="module")
def service(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebService]:
    """The service on the module's database, with narrow bounds."""
    bounds = {
        "GEOSERVICE_LOAD__MAX_UPLOAD_BYTES": str(MAX_UPLOAD_BYTES),
        "GEOSERVICE_LOAD__MAX_UPLOAD_FILES": "3",
        "GEOSERVICE_LOAD__UPLOAD_QUOTA_BYTES": str(QUOTA_BYTES),
        "GEOSERVICE_LOAD__UPLOAD_IDLE_S": "1",
        "GEOSERVICE_LOAD__UPLOAD_TIMEOUT_S": "3",
        "GEOSERVICE_LOAD__MAX_UNPACKED_BYTES": "20000000",
    }
    with web_service(city, tmp_path_factory.mktemp("service"), **bounds) as service:
        yield service


@pytest.fixture(scope="module")
def headers(headers_of: KeyMaker) -> dict[str, str]:
    """A key that may load parcels."""
    return headers_of(Clearance.GOVERNMENT, "load:parcels")


@pytest.fixture(scope="module")
def client(service: WebService, headers: dict[str, str]) -> Client:
    """Somebody who may load parcels."""
    return service.client(headers)


@pytest.fixture
def uploads(service: WebService) -> Iterator[list[Path]]:
    """The folders of uploads before a test, after which there must be no others."""
    before = service.uploads
    yield before
    deadline = time.monotonic() + 5
    while service.uploads != before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert before == service.uploads


def is_clean_problem(answer: httpx.Response, service: WebService) -> bool:
    """Whether an answer is a problem that says nothing of files, SQL or this machine."""
    told = answer.text
    return answer.headers["content-type"] == "application/problem+json" and not any(
        word in told for word in (str(service.folder), "SELECT", "INSERT", "Traceback")
    )


@pytest.mark.parametrize(
    ("clearance", "grants", "status"),
    [
        (Clearance.GOVERNMENT, ("load:parcels",), 202),
        (Clearance.GOVERNMENT, ("load:*",), 202),
        (Clearance.RESTRICTED, ("load:roads",), 403),
        (Clearance.RESTRICTED, (), 403),
        (Clearance.RESTRICTED, ("edit:parcels", "administer:*"), 403),
        (Clearance.ENTERPRISE, ("load:parcels",), 403),
        (Clearance.PUBLIC, ("load:*",), 403),
    ],
)
def test_loading_needs_a_key_of_the_government_that_allows_it(
    service: WebService,
    headers_of: KeyMaker,
    clearance: Clearance,
    grants: tuple[str, ...],
    status: int,
) -> None:
    client = service.client(headers_of(clearance, *grants))

    answer = client.upload("parcels", part("a.geojson", parcels_geojson(["A"])))

    assert status == answer.status_code
    assert status == 202 or is_clean_problem(answer, service)


def test_without_a_key_or_with_a_wrong_one_nothing_is_taken_in(
    service: WebService, uploads: list[Path]
) -> None:
    file = part("a.geojson", parcels_geojson(["A"]))
    wrong = {"Authorization": "Bearer gsk_wrong"}

    answers = [
        service.client({}).upload("parcels", file),
        service.client(wrong).upload("parcels", file),
        service.client({}).http.get("/loads"),
        service.client({}).http.get("/loads/1"),
        service.client({}).http.post("/loads/1/confirm"),
    ]

    assert {401} == {answer.status_code for answer in answers}
    assert all(is_clean_problem(answer, service) for answer in answers)


def test_a_key_counts_in_the_header_only(
    service: WebService, headers: dict[str, str], uploads: list[Path]
) -> None:
    key = headers["Authorization"].removeprefix("Bearer ")
    bare = service.client({}).http
    files = [part("a.geojson", parcels_geojson(["A"]))]

    by_cookie = bare.post(
        "/loads", params={"layer": "parcels"}, files=files, headers={"Cookie": f"key={key}"}
    )
    by_address = bare.post("/loads", params={"layer": "parcels", "key": key}, files=files)

    assert (401, 401) == (by_cookie.status_code, by_address.status_code)


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"layer": "parcels", "colour": "red"}, 400),
        ({"layer": "no_such_layer"}, 404),
        ({}, 400),
        ({"layer": "parcels", "on_error": "ignore"}, 400),
        ({"layer": "parcels", "valid_from": "yesterday"}, 400),
        ({"layer": "parcels", "complete": "perhaps"}, 400),
        ({"layer": "parcels", "crs": "x" * 201}, 400),
        ({"layer": "parcels'; DROP TABLE city.loads --"}, 404),
    ],
)
def test_parameters_are_checked_before_the_files_are_taken_in(
    service: WebService,
    client: Client,
    uploads: list[Path],
    parameters: dict[str, str],
    status: int,
) -> None:
    answer = client.http.post(
        "/loads", params=parameters, files=[part("a.geojson", parcels_geojson(["A"]))]
    )

    assert status == answer.status_code
    assert is_clean_problem(answer, service)


def test_a_body_above_the_bound_is_refused_whether_or_not_it_says_so(
    service: WebService, client: Client, uploads: list[Path]
) -> None:
    content = b"x" * (MAX_UPLOAD_BYTES + 1)
    encoded = httpx.Request("POST", service.url, files=[part("a.geojson", content)])
    body, kind = encoded.read(), encoded.headers["content-type"]

    said = client.upload("parcels", part("a.geojson", content))
    unsaid = client.http.post(
        "/loads",
        params={"layer": "parcels"},
        content=(body[at : at + 50_000] for at in range(0, len(body), 50_000)),
        headers={"Content-Type": kind},
    )

    assert (413, 413) == (said.status_code, unsaid.status_code)
    assert is_clean_problem(said, service)
    assert is_clean_problem(unsaid, service)


BOUNDARY = "frontier"


def multipart(*parts: bytes, end: bytes = b"--frontier--\r\n") -> bytes:
    """A body of raw parts."""
    return b"".join(b"--frontier\r\n" + one + b"\r\n" for one in parts) + end


def file_part(name: bytes, content: bytes = b"{}") -> bytes:
    """A raw part with a file."""
    return (
        b'Content-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n' + content
    )


FIELD = b'Content-Disposition: form-data; name="%s"\r\n\r\n1'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        multipart(),
        multipart(FIELD % b"layer", file_part(b"a.geojson")),
        multipart(*(FIELD % b"f" for _ in range(3_000))),
        multipart(*(file_part(b"a%d.csv" % n) for n in range(4))),
        multipart(file_part(b"a.csv"), file_part(b"A.CSV")),
        multipart(file_part(b"")),
        multipart(file_part(b"....")),
        multipart(file_part(b"x" * 300 + b".csv")),
        multipart(file_part(b"only.prj"), file_part(b"only.xml")),
        multipart(FIELD % b"file"),
        multipart(b"\r\n{}"),
        multipart(b"X: 1\r\n" * 20 + file_part(b"a.csv")),
        multipart(b"X: " + b"1" * 10_000 + b"\r\n" + file_part(b"a.csv")),
        multipart(file_part(b"a.csv"), end=b""),
        multipart(FIELD % b"mapping", file_part(b"a.csv")),
        multipart((FIELD % b"mapping") + b"0" * 290_000, file_part(b"a.csv")),
        multipart((FIELD % b"mapping")[:-1] + b'{"columns": [1]}', file_part(b"a.csv")),
        multipart((FIELD % b"mapping")[:-1] + b"[" * 100_000, file_part(b"a.csv")),
    ],
)
def test_bodies_that_are_no_upload_are_refused_and_leave_nothing(
    service: WebService, client: Client, uploads: list[Path], body: bytes
) -> None:
    answer = client.http.post(
        "/loads",
        params={"layer": "parcels"},
        content=body,
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    )

    assert 400 == answer.status_code, answer.text
    assert is_clean_problem(answer, service)


@pytest.mark.parametrize(
    "kind",
    ["", "application/json", "multipart/form-data", "multipart/form-data; boundary=" + "x" * 300],
)
def test_a_body_of_another_kind_is_refused(
    service: WebService, client: Client, uploads: list[Path], kind: str
) -> None:
    answer = client.http.post(
        "/loads", params={"layer": "parcels"}, content=b"{}", headers={"Content-Type": kind}
    )

    assert 400 == answer.status_code
    assert is_clean_problem(answer, service)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"../../../etc/passwd.geojson", "passwd.geojson"),
        (b"/etc/cron.d/evil.geojson", "evil.geojson"),
        (b"C:\\\\windows\\\\a.geojson", "a.geojson"),
        (b"a\x1b[31m.geojson", "a[31m.geojson"),
        ("宗地.geojson".encode("gb18030"), "宗地.geojson"),
        (b"x.geojson/", None),
        (b"<img src=x onerror=alert(1)>.geojson", "<img src=x onerror=alert(1)>.geojson"),
        (b"-rf.geojson", "-rf.geojson"),
    ],
)
def test_names_of_files_reach_no_file_system(
    service: WebService, client: Client, sent: bytes, shown: str | None
) -> None:
    before = set(service.folder.rglob("*"))
    body = multipart(file_part(sent, parcels_geojson(["A"])))

    answer = client.http.post(
        "/loads",
        params={"layer": "parcels"},
        content=body,
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    )

    if shown is None:
        assert 400 == answer.status_code
        return
    assert [shown] == [file["name"] for file in answer.json()["files"]]
    client.wait(answer.json()["id"], "ready")
    made = {path.name for path in set(service.folder.rglob("*")) - before}
    token = next(name for name in made if len(name) == 32)
    assert made <= {token, f"{token}-0.geojson", "preview.sqlite"}


def test_folders_and_files_of_uploads_are_their_owners_only(
    service: WebService, client: Client
) -> None:
    job = client.upload("parcels", part("a.geojson", parcels_geojson(["A"]))).json()
    client.wait(job["id"], "ready")

    modes = {
        folder.stat().st_mode & 0o777 for folder in (*service.uploads, service.folder / "uploads")
    }
    assert {0o700} == modes


def test_a_zip_bomb_is_stopped_by_its_bounds(client: Client) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.geojson", b"0" * 60_000_000)

    answer = client.upload("parcels", part("bomb.zip", packed.getvalue()))
    job = client.wait(answer.json()["id"], "failed")

    assert "bomb.zip: unpacks to more than is allowed" == job["message"]


def test_uploads_have_a_quota_together(service: WebService, client: Client) -> None:
    filler = service.folder / "uploads" / "filler" / "file"
    filler.parent.mkdir(mode=0o700)
    filler.write_bytes(b"x" * QUOTA_BYTES)
    try:
        answer = client.upload("parcels", part("a.geojson", parcels_geojson(["A"])))
    finally:
        filler.unlink()
        filler.parent.rmdir()

    assert 507 == answer.status_code
    assert is_clean_problem(answer, service)


def wait_for(words: str, told: Callable[[], str]) -> None:
    """Wait until something is told."""
    deadline = time.monotonic() + 10
    while words not in told() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert words in told()


def open_upload(service: WebService, headers: dict[str, str]) -> socket.socket:
    """An upload that has said how large it is, and has sent the beginning."""
    place = urlsplit(service.url)
    connection = socket.create_connection((place.hostname or "", place.port or 0), timeout=15)
    start = multipart(file_part(b"a.geojson", b"{"), end=b"")[:-2]
    head = (
        "POST /loads?layer=parcels HTTP/1.1\r\nHost: test\r\n"
        f"Authorization: {headers['Authorization']}\r\nContent-Length: 100000\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    )
    connection.sendall(head.encode() + start)
    return connection


def test_an_upload_that_stands_still_is_given_up(
    service: WebService, headers: dict[str, str], uploads: list[Path]
) -> None:
    with open_upload(service, headers) as connection:
        answer = connection.recv(100_000)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer


def test_an_upload_that_drips_is_given_up_after_its_time(
    service: WebService, headers: dict[str, str], uploads: list[Path]
) -> None:
    answer = b""
    with open_upload(service, headers) as connection:
        connection.settimeout(0.5)
        deadline = time.monotonic() + 15
        while not answer and time.monotonic() < deadline:
            connection.sendall(b" ")
            try:
                answer = connection.recv(100_000)
            except TimeoutError:
                continue

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_an_upload_that_is_broken_off_leaves_nothing(
    service: WebService, headers: dict[str, str], uploads: list[Path]
) -> None:
    logged = len(service.log)
    connection = open_upload(service, headers)
    deadline = time.monotonic() + 5
    while service.uploads == uploads and time.monotonic() < deadline:
        time.sleep(0.02)
    began = len(service.uploads) - len(uploads)

    connection.close()

    assert 1 == began
    wait_for("broken off by its sender", lambda: service.log[logged:])
    assert "Traceback" not in service.log[logged:]


def test_the_web_cannot_write_layers_nor_say_what_became_of_a_job(city: City) -> None:
    refused = [
        *(f"INSERT INTO city.{layer.name} DEFAULT VALUES" for layer in LAYERS),
        "UPDATE city.load_jobs SET state = 'done'",
        "UPDATE city.load_jobs SET layer = 'parcels'",
        "INSERT INTO city.load_jobs (folder, layer, files, options, created_by, state) "
        "VALUES ('f', 'parcels', '[]', '{}', 1, 'done')",
        "DELETE FROM city.load_jobs",
        "SELECT * FROM city.loads",
        "SELECT * FROM city.quarantine",
        "SELECT * FROM city.api_keys",
        "CREATE TABLE staging.mine (a int)",
        "SELECT city.discard_drafts(1)",
    ]

    for statement in refused:
        with (
            city.address.connect(Role.DESK) as connection,
            pytest.raises(ProgrammingError, match="permission denied"),
        ):
            connection.execute(text(statement))


def test_readers_do_not_see_jobs(city: City) -> None:
    for role in (Role.READ_PUBLIC, Role.READ_RESTRICTED, Role.INGEST, Role.GATE):
        with (
            city.address.connect(role) as connection,
            pytest.raises(ProgrammingError, match="permission denied"),
        ):
            connection.execute(text("SELECT * FROM city.load_jobs"))


def test_a_fault_of_the_file_tells_nothing_of_the_machine(
    service: WebService, client: Client
) -> None:
    broken = parcels_geojson(["A"])[:-20]

    answer = client.upload("parcels", part("broken.geojson", broken))
    job = client.wait(answer.json()["id"], "failed")

    assert job["message"].startswith("broken.geojson: ")
    told = json.dumps(job)
    assert all(word not in told for word in (str(service.folder), "Traceback"))

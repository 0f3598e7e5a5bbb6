"""Citizens report, staff decide, and what is confirmed changes the facility as any edit does."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import text
from starlette.testclient import TestClient

from geoservice.app import create_app
from layers.access import Clearance
from layers.roles import Role
from layers.undo import undo_load
from tests.conftest import KeyMaker
from tests.support import City, facility

PLACE = {"lat": 22.55, "long": 114.05}


@pytest.fixture(scope="module")
def client(city: City) -> Iterator[TestClient]:
    """A service that lets one address report as often as the tests do."""
    said = city.settings.reports.model_copy(update={"burst": 1_000})
    settings = city.settings.model_copy(update={"reports": said})
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def staff(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.GOVERNMENT, "moderate:reports")


@pytest.fixture(scope="module")
def feature_id(city: City, client: TestClient) -> int:
    city.publish(
        "districts",
        [
            {
                "code": "440305001",
                "name": "街道",
                "level": "street",
                "wkt": "MULTIPOLYGON(((114.1 22.5,114.2 22.5,114.2 22.6,114.1 22.6,114.1 22.5)))",
            }
        ],
    )
    rows = [
        facility(f"R{n}", 114.05 + n / 1000, 22.55, kind="library", capacity=9) for n in range(4)
    ]
    rows.append(facility("HIDDEN", 114.05, 22.56, clearance=Clearance.GOVERNMENT))
    city.publish("facilities", rows)
    return number_of(client, "R0")


def number_of(client: TestClient, code: str) -> int:
    found = client.get("/availability", params={"lon": 114.05, "lat": 22.55, "radius_m": 5_000})
    by_code = {f["properties"]["code"]: f["id"] for f in found.json()["features"]}
    return int(by_code[code])


def send(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/reports", json={"service_code": "broken", **body})
    assert 201 == answer.status_code, answer.text
    document: dict[str, Any] = answer.json()
    return document


def step(
    client: TestClient, staff: dict[str, str], made: dict[str, Any], name: str, **body: Any
) -> Any:
    return client.post(f"/reports/{made['service_request_id']}/{name}", json=body, headers=staff)


def photo(size: tuple[int, int] = (3_000, 1_500), form: str = "JPEG") -> bytes:
    picture = Image.new("RGB", size, (200, 30, 30))
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825)[1] = "N"
    content = io.BytesIO()
    picture.save(content, form, exif=exif)
    return content.getvalue()


def test_the_reporter_hears_what_became_of_it_and_nobody_else(
    client: TestClient, staff: dict[str, str], feature_id: int
) -> None:
    made = send(client, feature_id=feature_id, description="灯坏了\x00\x1b[31m")
    path = f"/reports/{made['service_request_id']}"
    token = {"X-Report-Token": made["token"]}

    before = client.get(path, headers=token).json()
    accepted = step(client, staff, made, "accept", note="已派人维修")
    after = client.get(path, headers=token).json()
    closed = step(client, staff, made, "close", note="修好了")

    assert ("open", "open", None) == (before["status"], before["state"], before["status_notes"])
    assert 200 == accepted.status_code, accepted.text
    assert ("open", "accepted", "已派人维修") == (
        after["status"],
        after["state"],
        after["status_notes"],
    )
    assert "设施损坏" == after["service_name_zh"]
    assert "closed" == closed.json()["status"]
    assert 404 == client.get(path).status_code
    assert 404 == client.get(path, headers={"X-Report-Token": "guess"}).status_code
    assert "灯坏了[31m" == client.get(path, headers=staff).json()["description"]
    assert "description" not in after
    states = [one["state"] for one in client.get(path, headers=staff).json()["steps"]]
    assert ["accepted", "closed"] == states


def test_a_confirmed_report_moves_its_facility_and_the_edit_can_be_undone(
    city: City, client: TestClient, staff: dict[str, str], feature_id: int
) -> None:
    made = send(
        client, service_code="wrong_position", feature_id=feature_id, lat=22.555, long=114.15
    )
    change = {"position": [114.15, 22.555], "attributes": {"name": "新馆", "capacity": 12}}

    answer = step(client, staff, made, "accept", change=change)

    assert 200 == answer.status_code, answer.text
    moved = client.get(f"/availability/{feature_id}").json()
    assert [114.15, 22.555] == moved["geometry"]["coordinates"]
    assert ("新馆", 12, "library") == tuple(
        moved["properties"][n] for n in ("name", "capacity", "kind")
    )
    history = client.get(f"/collections/facilities/items/{feature_id}/history").json()
    assert {"name", "capacity"} <= {one["attribute"] for one in history["steps"][-1]["changed"]}
    assert 5_000 < history["steps"][-1]["moved_m"]
    with city.address.connect(Role.OWNER) as connection:
        found = connection.execute(
            text(
                "SELECT admin_code, source->'edit'->>'report_id' FROM city.facilities f "
                "JOIN city.loads USING (load_id) WHERE feature_id = :id AND upper_inf(valid_during)"
            ),
            {"id": feature_id},
        ).one()
    assert ("440305001", str(made["service_request_id"])) == tuple(found)
    with city.address.connect(Role.LOADER) as connection:
        undo_load(connection, answer.json()["load_id"])
        connection.commit()
    back = client.get(f"/availability/{feature_id}").json()
    assert [114.05, 22.55] == back["geometry"]["coordinates"]
    assert "设施R0" == back["properties"]["name"]


def test_a_facility_that_is_no_more_ends(
    client: TestClient, staff: dict[str, str], feature_id: int
) -> None:
    number = number_of(client, "R1")
    made = send(client, service_code="closed", feature_id=number)

    answer = step(client, staff, made, "accept", change={"end": True})

    assert 200 == answer.status_code, answer.text
    assert 404 == client.get(f"/availability/{number}").status_code
    assert 200 == client.get(f"/availability/{feature_id}").status_code
    again = step(client, staff, made, "accept", change={"end": True})
    assert 409 == again.status_code


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"attributes": {"code": "X"}}, "/change/attributes/code"),
        ({"attributes": {"colour": "red"}}, "/change/attributes/colour"),
        ({"attributes": {"capacity": "many"}}, "/change/attributes/capacity"),
        ({"attributes": {"capacity": -1}}, "/change/attributes/capacity"),
        ({"attributes": {"accessible": 1}}, "/change/attributes/accessible"),
    ],
)
def test_a_change_that_cannot_be_leaves_the_report_open(
    client: TestClient, staff: dict[str, str], change: dict[str, Any], pointer: str
) -> None:
    made = send(client, feature_id=number_of(client, "R2"))

    answer = step(client, staff, made, "accept", change=change)

    assert (400, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])
    path = f"/reports/{made['service_request_id']}"
    assert "open" == client.get(path, headers=staff).json()["state"]


def test_a_photo_is_kept_without_what_the_camera_added(
    client: TestClient, staff: dict[str, str], feature_id: int
) -> None:
    fields = {"service_code": "broken", "feature_id": str(feature_id), "description": "见照片"}

    answer = client.post("/reports", data=fields, files={"photo": ("../../x.jpg", photo())})

    assert 201 == answer.status_code, answer.text
    path = f"/reports/{answer.json()['service_request_id']}/photo"
    kept = client.get(path, headers=staff)
    seen = Image.open(io.BytesIO(kept.content))
    assert ("JPEG", (2048, 1024)) == (seen.format, seen.size)
    assert {} == dict(seen.getexif())
    assert b"A camera" not in kept.content
    assert 401 == client.get(path).status_code


@pytest.mark.parametrize(
    "content",
    [
        b"no picture",
        b"GIF89a" + bytes(100),
        photo((10, 10), "PNG")[:40],
        b"\x89PNG\r\n\x1a\n" + bytes(50),
    ],
)
def test_what_is_no_photo_is_refused(client: TestClient, content: bytes) -> None:
    fields = {"service_code": "broken", "lat": "22.5", "long": "114"}

    answer = client.post("/reports", data=fields, files={"photo": ("a.jpg", content)})

    assert (400, "/photo") == (answer.status_code, answer.json()["errors"][0]["pointer"])


def test_a_photo_of_too_many_pixels_is_not_unpacked(client: TestClient) -> None:
    fields = {"service_code": "broken", "lat": "22.5", "long": "114"}
    content = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(content, "PNG")

    answer = client.post("/reports", data=fields, files={"photo": ("a.png", content.getvalue())})

    assert (400, "/photo") == (answer.status_code, answer.json()["errors"][0]["pointer"])


def test_who_says_the_same_joins_the_first(client: TestClient, feature_id: int) -> None:
    place = {"lat": 22.5801, "long": 114.0801}
    first = send(client, service_code="missing", **place)

    near = send(client, service_code="missing", lat=22.58011, long=114.08012)
    far = send(client, service_code="missing", lat=22.581, long=114.0801)
    other = send(client, service_code="other", **place)

    assert first["service_request_id"] == near["joined_to"]
    assert [None, None, None] == [one["joined_to"] for one in (first, far, other)]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"service_code": "broken"}, 400),
        ({"service_code": "weather", **PLACE}, 400),
        ({"service_code": "broken", "lat": 22.5}, 400),
        ({"service_code": "broken", "lat": 99, "long": 114}, 400),
        ({"service_code": "broken", **PLACE, "description": "x" * 3_000}, 400),
        ({"service_code": "broken", **PLACE, "email": "a@b.example"}, 400),
        ({"service_code": "broken", "feature_id": 2**52}, 404),
        ([], 400),
    ],
)
def test_a_report_that_cannot_be_is_a_problem(client: TestClient, body: Any, status: int) -> None:
    answer = client.post("/reports", json=body)

    assert status == answer.status_code, answer.text
    assert "application/problem+json" == answer.headers["content-type"]


def test_a_hidden_facility_cannot_be_reported(
    client: TestClient, staff: dict[str, str], city: City
) -> None:
    with city.address.connect(Role.OWNER) as connection:
        hidden = connection.execute(
            text("SELECT feature_id FROM city.facilities WHERE natural_key = 'HIDDEN'")
        ).scalar_one()

    unknown = client.post("/reports", json={"service_code": "broken", "feature_id": hidden})

    assert 404 == unknown.status_code


def test_only_who_may_moderate_sees_and_decides(
    client: TestClient, headers_of: KeyMaker, feature_id: int
) -> None:
    made = send(client, feature_id=feature_id)
    path = f"/reports/{made['service_request_id']}"
    reader = headers_of(Clearance.RESTRICTED)
    low = headers_of(Clearance.PUBLIC, "moderate:reports")

    assert 401 == client.get("/reports").status_code
    assert 403 == client.get("/reports", headers=reader).status_code
    assert 404 == client.get("/reports", headers=low).status_code
    assert 404 == client.get(path, headers=reader).status_code
    assert 403 == client.post(f"{path}/accept", json={}, headers=reader).status_code
    assert 401 == client.post(f"{path}/accept", json={}).status_code


def test_an_address_reports_only_so_often(city: City) -> None:
    with TestClient(create_app(city.settings)) as client:
        answers = [
            client.post("/reports", json={"service_code": "other", **PLACE}) for _ in range(6)
        ]

    assert [201] * 5 + [429] == [answer.status_code for answer in answers]


def test_staff_find_what_is_open(client: TestClient, staff: dict[str, str]) -> None:
    found = client.get("/reports?state=open&service_code=missing", headers=staff).json()["reports"]

    assert {"missing"} == {one["service_code"] for one in found}
    numbers = [one["service_request_id"] for one in found]
    assert sorted(numbers, reverse=True) == numbers
    older = client.get(f"/reports?state=open&before={numbers[0]}", headers=staff).json()["reports"]
    assert all(one["service_request_id"] < numbers[0] for one in older)

"""Parcels are split and merged, and what each came from and became is known."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
import shapely
from shapely.geometry import shape
from starlette.testclient import TestClient

from layers.access import Clearance
from layers.roles import Role
from layers.undo import undo_load
from tests.conftest import KeyMaker
from tests.support import City, parcel

ZONE = "440304001002GB"
PLACES = itertools.count()


def code(number: int) -> str:
    return f"{ZONE}{number:05d}"


@pytest.fixture(scope="module")
def staff(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.GOVERNMENT, "edit:parcels")


@pytest.fixture
def row(city: City) -> tuple[int, float]:
    """Three parcels side by side, the third hidden, in a place of each test's own.

    The number of the first and its latitude; they begin at longitude 114, a thousandth each.
    """
    place = next(PLACES)
    first, lat = 100 * place + 1, 22.5 + place * 0.0005
    rows = [
        parcel(code(first + n), 114 + n / 1000, lat, area_m2=1_000, land_use="07", holder="甲")
        for n in range(3)
    ]
    for one in rows:
        one["wkt"] = one["wkt"].replace(str(lat + 0.001), str(lat + 0.0004))
    rows[2]["clearance"] = Clearance.RESTRICTED
    city.publish("parcels", rows)
    return first, lat


def transact(client: TestClient, staff: dict[str, str], **body: Any) -> httpx.Response:
    said = {"document_no": "深规划资源〔2026〕1号", "reason": "分宗", **body}
    return client.post("/parcels/transactions", json=said, headers=staff)


def split(
    client: TestClient,
    staff: dict[str, str],
    number: int,
    line: list[tuple[float, float]],
    **more: Any,
) -> httpx.Response:
    body = {
        "parcel": code(number),
        "parts": (code(number + 50), code(number + 51)),
        "line": {"type": "LineString", "coordinates": line},
        **more,
    }
    return transact(client, staff, kind="split", **body)


def across(lat: float) -> list[tuple[float, float]]:
    """A line from west to east through the first parcel, with a bend."""
    return [(113.9995, lat + 0.0002), (114.0003, lat + 0.00023), (114.0012, lat + 0.0001)]


def corners(client: TestClient, number: int, headers: dict[str, str]) -> list[list[float]]:
    found = client.get(f"/parcels/{code(number)}", headers=headers).json()
    return list(shapely.get_coordinates(shape(found["geometry"])).tolist())


def test_a_split_conserves_the_area_and_puts_its_vertex_into_the_neighbour(
    client: TestClient, staff: dict[str, str], row: tuple[int, float]
) -> None:
    first, lat = row

    answer = split(client, staff, first, across(lat))

    done = answer.json()
    assert 201 == answer.status_code, answer.text
    assert sum(one["plane_m2"] for one in done["predecessors"]) == pytest.approx(
        sum(one["plane_m2"] for one in done["successors"]), abs=0.01
    )
    assert 1_000 == sum(one["registered_m2"] for one in done["successors"])
    assert [code(first + 1)] == done["neighbours"]
    left, right = (shape(one["geometry"]) for one in done["successors"])
    assert left.centroid.y > right.centroid.y
    neighbour = {tuple(xy) for xy in corners(client, first + 1, staff)}
    for number in (first + 50, first + 51):
        of_part = {tuple(xy) for xy in corners(client, number, staff) if xy[0] > 114.0009}
        assert of_part <= neighbour


def test_a_hidden_neighbour_gets_its_vertex_and_is_not_named(
    client: TestClient, staff: dict[str, str], headers_of: KeyMaker, row: tuple[int, float]
) -> None:
    first, lat = row
    line = [(114.0005, lat + 0.0002), (114.0025, lat + 0.0003)]

    done = split(client, staff, first + 1, line).json()

    hidden = corners(client, first + 2, headers_of(Clearance.RESTRICTED))
    assert ([code(first)], 6) == (done["neighbours"], len(hidden))


def test_parts_have_what_the_parcel_had_and_it_is_no_more(
    client: TestClient, staff: dict[str, str], row: tuple[int, float]
) -> None:
    first, lat = row
    before = datetime.now(UTC).isoformat()

    split(client, staff, first, across(lat))

    part = client.get(f"/parcels/{code(first + 50)}", headers=staff).json()["properties"]
    assert ("07", "甲") == (part["land_use"], part["holder"])
    gone = client.get(f"/parcels/{code(first)}")
    was = client.get(f"/parcels/{code(first)}", params={"datetime": before})
    assert (404, 200) == (gone.status_code, was.status_code)


def test_merging_the_parts_again_gives_the_shape_that_was(
    client: TestClient, staff: dict[str, str], row: tuple[int, float]
) -> None:
    first, lat = row
    (before,) = split(client, staff, first, across(lat)).json()["predecessors"]

    parts = [code(first + 50), code(first + 51)]
    merged = transact(client, staff, kind="merge", parcels=parts, into=code(first + 60))

    assert 201 == merged.status_code, merged.text
    (after,) = merged.json()["successors"]
    assert shape(before["geometry"]).symmetric_difference(
        shape(after["geometry"])
    ).area == pytest.approx(0, abs=1e-13)
    lineage = client.get(f"/parcels/{code(first + 60)}/lineage").json()
    assert {code(first), *parts, code(first + 60)} == {one["code"] for one in lineage["nodes"]}
    assert [code(first + 60)] == [one["code"] for one in lineage["nodes"] if one["is_there"]]
    assert 4 == len(lineage["edges"])


def test_what_was_undone_is_in_no_lineage_and_said_to_be_undone(
    city: City, client: TestClient, staff: dict[str, str], row: tuple[int, float]
) -> None:
    first, lat = row
    shape_before = corners(client, first + 1, staff)
    done = split(client, staff, first, across(lat)).json()

    with city.address.connect(Role.LOADER) as connection:
        undo_load(connection, done["load_id"])
        connection.commit()

    assert [] == client.get(f"/parcels/{code(first)}/lineage").json()["edges"]
    assert shape_before == corners(client, first + 1, staff)
    told = client.get("/parcels/transactions").json()["transactions"]
    assert [True] == [
        one["is_undone"] for one in told if one["transaction_id"] == done["transaction_id"]
    ]


def test_a_split_done_again_after_its_undoing_is_undone_no_more(
    city: City, client: TestClient, staff: dict[str, str], row: tuple[int, float]
) -> None:
    first, lat = row
    done = split(client, staff, first, across(lat)).json()

    with city.address.connect(Role.LOADER) as connection:
        undoing = undo_load(connection, done["load_id"])
        undo_load(connection, undoing.load_id)
        connection.commit()

    assert 2 == len(client.get(f"/parcels/{code(first)}/lineage").json()["edges"])


def test_a_dry_run_says_what_would_be_and_does_nothing(
    client: TestClient, staff: dict[str, str], row: tuple[int, float]
) -> None:
    first, lat = row

    answer = split(client, staff, first, across(lat), dry_run=True)

    assert (200, None) == (answer.status_code, answer.json()["load_id"])
    assert 2 == len(answer.json()["successors"])
    assert 200 == client.get(f"/parcels/{code(first)}").status_code


WRONG_LINES = {
    "misses": [(113.9, 0.0001), (113.95, 0.0002)],
    "ends inside": [(113.999, 0.0002), (114.0005, 0.0002)],
    "more than twice": [
        (113.9995, 0.0001), (114.0005, 0.0001), (114.0005, 0.0009), (114.0007, 0.0009),
        (114.0007, 0.0001), (114.002, 0.0001),
    ],
    "crosses itself": [
        (113.9995, 0.0001), (114.0008, 0.0003), (114.0008, 0.0001), (113.9995, 0.0003),
    ],
    "along the boundary": [(114.0, -0.001), (114.0, 0.001)],
}  # fmt: skip


@pytest.mark.parametrize("reason", WRONG_LINES)
def test_a_line_that_does_not_part_the_parcel_is_refused(
    client: TestClient, staff: dict[str, str], row: tuple[int, float], reason: str
) -> None:
    first, lat = row
    line = [(x, lat + y) for x, y in WRONG_LINES[reason]]

    answer = split(client, staff, first, line)

    problem = answer.json()
    assert (422, "宗地变更无效") == (answer.status_code, problem["title_zh"])
    assert reason in problem["detail"]
    assert "/line" == problem["errors"][0]["pointer"]


def test_parcels_that_do_not_touch_are_not_merged(
    city: City, client: TestClient, staff: dict[str, str], row: tuple[int, float]
) -> None:
    first, lat = row
    city.publish("parcels", [parcel(code(first + 9), 114.05, lat)])

    both = [code(first), code(first + 9)]
    answer = transact(client, staff, kind="merge", parcels=both, into=code(first + 60))

    problem = answer.json()
    assert (422, "/parcels") == (answer.status_code, problem["errors"][0]["pointer"])
    assert 2 == len(problem["errors"][0]["place"])


@pytest.mark.parametrize("number", [2, 77])
def test_a_hidden_parcel_is_as_one_that_is_not_there(
    client: TestClient, staff: dict[str, str], row: tuple[int, float], number: int
) -> None:
    first, lat = row
    line = [(114.0015, lat + 0.0002), (114.0035, lat + 0.0002)]

    answer = split(client, staff, first + number, line)

    told = answer.json()["detail"].replace(code(first + number), "")
    assert (404, "parcels has no feature  at that instant") == (answer.status_code, told)
    lineage = client.get(f"/parcels/{code(first + number)}/lineage", headers=staff)
    assert 404 == lineage.status_code


def test_a_parcel_that_somebody_else_changed_is_left_alone(
    client: TestClient, staff: dict[str, str], row: tuple[int, float]
) -> None:
    first, lat = row
    looked_at = datetime.now(UTC).isoformat()
    split(client, staff, first, across(lat))

    answer = split(
        client,
        staff,
        first + 1,
        [(114.0005, lat + 0.0002), (114.0025, lat + 0.0003)],
        expected=looked_at,
        parts=(code(first + 70), code(first + 71)),
    )

    assert (409, "宗地已被他人变更") == (answer.status_code, answer.json()["title_zh"])


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((1, 60), "is or was"),
        ((60, 60), "one code"),
        ((0, 60), "no code"),
    ],
)
def test_a_code_that_cannot_be_had_is_refused(
    client: TestClient,
    staff: dict[str, str],
    row: tuple[int, float],
    parts: tuple[int, int],
    reason: str,
) -> None:
    first, lat = row
    given = tuple(code(first + n) if n else "440304001002XB00001" for n in parts)

    answer = split(client, staff, first, across(lat), parts=given)

    assert (422, "/parts") == (answer.status_code, answer.json()["errors"][0]["pointer"])
    assert reason in answer.json()["detail"]


def test_only_who_may_edit_parcels_changes_them(
    client: TestClient, headers_of: KeyMaker, row: tuple[int, float]
) -> None:
    first, lat = row

    answers = [
        split(client, headers, first, across(lat))
        for headers in ({}, headers_of(Clearance.GOVERNMENT, "edit:roads"))
    ]

    assert [401, 403] == [answer.status_code for answer in answers]


def test_documents_and_reasons_are_for_government(
    client: TestClient, staff: dict[str, str], row: tuple[int, float]
) -> None:
    first, lat = row
    since = split(client, staff, first, across(lat)).json()["recorded_at"]

    answers = [
        client.get("/parcels/transactions", params={"from": since}, headers=headers)
        for headers in ({}, staff)
    ]

    (public,), (told,) = (answer.json()["transactions"] for answer in answers)
    assert [code(first + 50), code(first + 51)] == public["successors"]
    assert ("reason" in public, told["reason"]) == (False, "分宗")

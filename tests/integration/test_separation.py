"""Pipes that are too near, and pits that endanger them, over HTTP, within what a level may see."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from layers.access import Clearance
from layers.underground.lines import from_plane
from tests.conftest import KeyMaker
from tests.support import City, pipe

PLANE_SRID = 4547
EAST_M, NORTH_M = 505_000, 2_494_000
YEAR = datetime(2015, 1, 1, tzinfo=UTC)
LATER = datetime(2020, 1, 1, tzinfo=UTC)

Place = tuple[float, float, float]


def at(*places: Place) -> list[Place]:
    """Longitude, latitude and elevation of places in metres from the corner of the scene."""
    plan = np.array([(EAST_M + x, NORTH_M + y) for x, y, _ in places])
    degrees = from_plane(plan, PLANE_SRID).tolist()
    return [(lon, lat, z) for (lon, lat), (_, _, z) in zip(degrees, places, strict=True)]


def laid(code: str, kind: str, *places: Place, **more: Any) -> dict[str, Any]:
    return pipe(code, kind, *at(*places), diameter_mm=200, **{"z_source": "surveyed", **more})


@pytest.fixture(scope="module", autouse=True)
def street(city: City) -> None:
    """A main with a drain 0.9 m beside it between faces, a cable above it, and gas far along."""
    city.publish(
        "pipelines",
        [
            laid(
                "MAIN",
                "JP",
                (0, 0, 2),
                (100, 0, 2),
                owner="水务",
                data_source="1",
                start_depth_m=1,
                end_depth_m=1,
            ),
            laid("DRAIN", "YS", (0, 1.1, 2), (100, 1.1, 2), owner="排水处", data_source="4"),
            laid("ACROSS", "WS", (50, -20, 2.5), (50, 0.3, 2.5), z_source="unknown"),
            laid("FAR", "JP", (0, 40, 2), (100, 40, 2)),
            laid("GAS", "TR", (0, -0.5, 2), (40, -0.5, 2)),
        ],
        valid_from=YEAR,
    )
    moved = laid("DRAIN", "YS", (0, 9, 2), (100, 9, 2), owner="排水处", data_source="3")
    city.publish("pipelines", [moved], valid_from=LATER)


@pytest.fixture(scope="module")
def office(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.GOVERNMENT)


@pytest.fixture(scope="module")
def keepers(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.RESTRICTED)


def box(x: float, y: float, width: float, height: float) -> str:
    (west, south, _), (east, north, _) = at((x, y, 0), (x + width, y + height, 0))
    return f"{west},{south},{east},{north}"


SCENE = box(-5, -30, 110, 80)


def ask(client: TestClient, headers: dict[str, str], **asked: Any) -> dict[str, Any]:
    answer = client.get("/pipelines/separation", params=asked, headers=headers)
    assert 200 == answer.status_code, answer.text
    document: dict[str, Any] = answer.json()
    return document


def pairs(findings: list[dict[str, Any]]) -> list[list[str]]:
    return sorted(sorted(one["code"] for one in found["pipes"]) for found in findings)


def test_an_area_tells_each_pair_with_distance_requirement_clause_and_place(
    client: TestClient, office: dict[str, str]
) -> None:
    found = ask(client, office, bbox=SCENE, datetime="2016-01-01T00:00:00Z")

    assert [["DRAIN", "MAIN"]] == pairs(found["breaches"])
    (breach,) = found["breaches"]
    assert ("horizontal", 0.9, 1.0) == tuple(
        breach[name] for name in ("measure", "distance_m", "required_m")
    )
    assert ("附表一 给水–排水", 0.1) == (breach["clause"], breach["shortfall_m"])
    lon, lat = breach["place"]["coordinates"][0]
    west, south, east, north = map(float, SCENE.split(","))
    assert (west < lon < east, south < lat < north) == (True, True)
    assert [["ACROSS", "MAIN"]] == pairs(found["vertical_unknown"])
    assert (False, 4) == (found["table"]["verified"], found["pipe_count"])


def test_what_a_level_does_not_see_is_not_judged_and_its_kinds_are_named(
    client: TestClient, office: dict[str, str], keepers: dict[str, str]
) -> None:
    seen, all_ = (ask(client, who, bbox=SCENE) for who in (office, keepers))

    assert ["RQ", "RL", "DL", "TX", "GY", "QT"] == seen["categories_not_shown"]
    assert [] == all_["categories_not_shown"] == pairs(seen["breaches"])
    assert [["GAS", "MAIN"]] == pairs(all_["breaches"])
    assert all_["breaches"][0]["is_strictest_of_several"]


def test_one_pipe_is_told_from_either_side_and_at_its_time(
    client: TestClient, office: dict[str, str]
) -> None:
    then = "2016-01-01T00:00:00Z"
    ids = {
        one["code"]: one["feature_id"]
        for one in ask(client, office, bbox=SCENE, datetime=then)["breaches"][0]["pipes"]
    }

    there, back = (
        ask(client, office, feature_id=ids[code], datetime=then) for code in ("MAIN", "DRAIN")
    )

    assert there["breaches"] == back["breaches"] != []
    assert [] == ask(client, office, feature_id=ids["DRAIN"])["breaches"]
    gone = client.get(
        "/pipelines/separation",
        params={"feature_id": ids["MAIN"], "datetime": "2001-01-01T00:00:00Z"},
        headers=office,
    )
    assert 404 == gone.status_code


def proposed(*places: Place, flat: bool = False, **properties: Any) -> dict[str, Any]:
    coordinates = [place[: 2 if flat else 3] for place in at(*places)]
    return {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": coordinates},
        "properties": {"kind": "JP", "diameter_mm": 200} | properties,
    }


@pytest.mark.parametrize(
    ("body", "measure", "short"),
    [
        (proposed((20, 39, 2), (30, 39, 2)), "horizontal", 0.2),
        (proposed((20, 35, 2.3), (20, 45, 2.3)), "vertical", 0.05),
        (proposed((20, 35, 0), (20, 45, 0), flat=True), "vertical", None),
        (proposed((20, 38, 2), (30, 38, 2)), None, None),
    ],
)
def test_a_proposed_pipe_is_judged_against_held_ones_only(
    client: TestClient,
    office: dict[str, str],
    body: dict[str, Any],
    measure: str | None,
    short: float | None,
) -> None:
    answer = client.post("/pipelines/separation", json=body, headers=office)

    assert 200 == answer.status_code, answer.text
    found = answer.json()["breaches"] + answer.json()["vertical_unknown"]
    assert ([] if measure is None else [(measure, short)]) == [
        (one["measure"], one["shortfall_m"]) for one in found
    ]
    assert all(None in [pipe["feature_id"] for pipe in one["pipes"]] for one in found)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"feature_id": 1, "bbox": SCENE},
        {"bbox": "-180,-90,180,90"},
        {"bbox": "24,0,24.1,0.1"},
        {"feature_id": "x"},
        {"bbox": SCENE, "as_recorded": "2999-01-01T00:00:00Z"},
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    client: TestClient, office: dict[str, str], asked: dict[str, Any]
) -> None:
    answer = client.get("/pipelines/separation", params=asked, headers=office)

    assert 400 == answer.status_code


def far(body: dict[str, Any]) -> dict[str, Any]:
    body["geometry"]["coordinates"] = [[0, 0], [0.001, 0]]
    return body


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (proposed((0, 0, 1), (9, 0, 1), kind="??"), "/properties/kind"),
        (proposed((0, 0, 1), (9, 0, 1), diameter_mm=90_000), "diameter_mm"),
        (proposed((0, 0, 1), (9, 0, 1), section="99999x1"), "/properties/section"),
        (proposed((0, 0, 1e9), (9, 0, 1)), "elevations"),
        (proposed((0, 0, 1), (0, 0, 1)), "length"),
        (far(proposed((0, 0, 1), (9, 0, 1))), "leaves the city"),
        (proposed((0, 0, 1), (9, 0, 1)) | {"geometry": {"type": "Point"}}, "LineString"),
        ({}, "type"),
    ],
)
def test_a_proposal_that_cannot_be_is_refused_with_the_place(
    client: TestClient, office: dict[str, str], body: dict[str, Any], pointer: str
) -> None:
    answer = client.post("/pipelines/separation", json=body, headers=office)

    assert 400 == answer.status_code
    assert pointer in answer.text


def pit(x: float, y: float, width: float, height: float, depth_m: float = 2) -> dict[str, Any]:
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    ring = [place[:2] for place in at(*((*corner, 0) for corner in corners))]
    return {"geometry": {"type": "Polygon", "coordinates": [ring]}, "depth_m": depth_m}


def dig(
    client: TestClient, headers: dict[str, str], body: dict[str, Any], **asked: Any
) -> dict[str, Any]:
    answer = client.post("/pipelines/excavation", json=body, params=asked, headers=headers)
    assert 200 == answer.status_code, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_a_pit_tells_what_it_hits_whose_strip_it_enters_and_whom_to_ask(
    client: TestClient, office: dict[str, str], keepers: dict[str, str]
) -> None:
    body = pit(10, -2, 5, 3.04)
    then = "2016-01-01T00:00:00Z"

    found, all_ = (dig(client, who, body, datetime=then) for who in (office, keepers))

    assert [("hit", "DRAIN", None, 0.0), ("hit", "MAIN", 1.0, 0.0)] == sorted(
        (one["danger"], one["code"], one["depth_m"], one["distance_m"]) for one in found["pipes"]
    )
    assert {"MAIN": (5.0, 0.3), "DRAIN": (0.0, 2.0)} == {
        one["code"]: (one["inside_m"], one["uncertainty_m"]) for one in found["pipes"]
    }
    assert [("排水处", 1), ("水务", 1)] == [(o["owner"], o["hit"]) for o in found["owners"]]
    assert (2, 0, 1) == tuple(
        found[name] for name in ("hit_count", "strip_count", "depth_unknown_count")
    )
    assert (15.2, "government") == (round(found["area_m2"], 2), found["level"])
    assert "RQ" in found["categories_not_shown"]
    assert "GAS" in [one["code"] for one in all_["pipes"]]
    assert [] == all_["categories_not_shown"]


def test_an_excavation_is_asked_again_and_its_digest_checked_by_anybody(
    client: TestClient, city: City, office: dict[str, str]
) -> None:
    body = pit(10, 299, 5, 3)
    first = dig(client, office, body)
    city.publish("pipelines", [laid("NEW", "JP", (0, 300, 2), (50, 300, 2))], valid_from=YEAR)

    again = dig(client, office, body, as_recorded=first["as_recorded"])
    now = dig(client, office, body)

    assert (first, 0, 1) == (again, first["hit_count"], now["hit_count"])
    digest = again.pop("digest")
    written = json.dumps(again, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert f"sha256:{hashlib.sha256(written.encode()).hexdigest()}" == digest
    assert digest != now["digest"]


def crossed() -> dict[str, Any]:
    body = pit(0, 0, 5, 5)
    ring = body["geometry"]["coordinates"][0]
    ring[1], ring[2] = ring[2], ring[1]
    return body


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (crossed(), "crosses itself"),
        (pit(0, 0, 5, 5, depth_m=0), "depth_m"),
        (pit(0, 0, 5, 5, depth_m=1_000), "depth_m"),
        (pit(200_000, 0, 5, 5), "leaves the city"),
        (pit(0, 0, 5, 5) | {"geometry": {"type": "LineString"}}, "Polygon"),
    ],
)
def test_a_pit_that_cannot_be_is_refused(
    client: TestClient, office: dict[str, str], body: dict[str, Any], said: str
) -> None:
    answer = client.post("/pipelines/excavation", json=body, headers=office)

    assert 400 == answer.status_code
    assert said in answer.text


def test_the_public_knows_of_no_pipes(client: TestClient) -> None:
    answers = [
        client.get("/pipelines/separation", params={"bbox": SCENE}),
        client.post("/pipelines/separation", json=proposed((0, 0, 1), (9, 0, 1))),
        client.post("/pipelines/excavation", json=pit(0, 0, 5, 5)),
    ]

    assert [404, 404, 404] == [answer.status_code for answer in answers]

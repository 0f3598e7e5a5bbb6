"""The pipe network over HTTP: traces, bursts, at any instant, within what a level may see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from layers.access import Clearance
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.support import City, facility, parcel, pipe

WEST, SOUTH, STEP = 114.05, 22.55, 0.001
YEAR = datetime(2015, 1, 1, tzinfo=UTC)
"""A main of water from the source S over V1, A, V2 to B, and a branch from A over V3 to C; the tank
D feeds B from the other side over V4."""
PLACES = {
    "S": (0, 0), "V1": (1, 0), "A": (2, 0), "V2": (3, 0), "B": (4, 0), "V3": (2, 1), "C": (2, 2),
    "V4": (5, 0), "D": (6, 0),
}  # fmt: skip
PIPES = (
    ("P1", "S", "V1"), ("P2", "V1", "A"), ("P3", "A", "V2"), ("P4", "V2", "B"), ("P5", "A", "V3"),
    ("P6", "V3", "C"), ("P7", "B", "V4"), ("P8", "V4", "D"),
)  # fmt: skip


def at(name: str) -> tuple[float, float, float]:
    x, y = PLACES[name]
    return WEST + x * STEP, SOUTH + y * STEP, 2.0


def node(code: str, kind: str = "JS", **more: Any) -> dict[str, Any]:
    x, y, z = at(code)
    return {"code": code, "kind": kind, "wkt": f"POINT Z ({x} {y} {z})"} | more


@pytest.fixture(scope="module", autouse=True)
def network(city: City) -> None:
    words = {"S": "水源", "D": "水池"} | {f"V{n}": "阀门" for n in range(1, 5)}
    nodes = [
        node(code, appurtenance=words[code]) if code in words else node(code, feature="三通")
        for code in PLACES
    ]
    city.publish("pipeline_nodes", nodes, valid_from=YEAR)
    rows = [
        pipe(code, "JS", at(start), at(end), start_node=start, end_node=end, flow_direction="+")
        | {"diameter_mm": 200 if code != "P5" else None, "material": "PE"}
        for code, start, end in PIPES
    ]
    secret = pipe("G1", "TR", at("A"), at("C"), start_node="A", end_node="C")
    city.publish("pipelines", [*rows, secret], valid_from=YEAR)
    city.publish(
        "parcels",
        [parcel("ON-BRANCH", WEST + 2 * STEP + 1e-4, SOUTH + 1.5 * STEP, size=2e-4)],
        valid_from=YEAR,
    )
    city.publish("facilities", [facility("CLINIC", *at("C")[:2])], valid_from=YEAR)


@pytest.fixture(scope="module")
def office(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.GOVERNMENT)


def get(client: TestClient, path: str, headers: dict[str, str], **asked: Any) -> dict[str, Any]:
    answer = client.get(f"/pipelines/{path}", params=asked, headers=headers)
    assert 200 == answer.status_code, answer.text
    document: dict[str, Any] = answer.json()
    return document


def codes(document: dict[str, Any]) -> list[str]:
    return sorted(one["properties"]["code"] for one in document["features"])


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"node": "A"}, ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8"]),
        ({"node": "A", "stops": "valves"}, ["P2", "P3", "P5"]),
        ({"node": "A", "mode": "downstream"}, ["P3", "P4", "P5", "P6", "P7", "P8"]),
        ({"node": "A", "mode": "upstream"}, ["P1", "P2"]),
        ({"node": "A", "mode": "downstream", "closed": "V2"}, ["P3", "P5", "P6"]),
        ({"node": "C", "mode": "path", "to": "B"}, ["P3", "P4", "P5", "P6"]),
        ({"lon": at("B")[0] + 4e-4, "lat": SOUTH, "stops": "valves"}, ["P4", "P7"]),
    ],
)
def test_a_trace_has_what_it_leads_to(
    client: TestClient, office: dict[str, str], asked: dict[str, Any], found: list[str]
) -> None:
    document = get(client, "trace", office, f="geojson", **asked)

    assert found == codes(document)
    summary = document["summary"]
    assert len(found) == summary["pipe_count"]
    assert summary["length_m"] == pytest.approx(
        sum(one["properties"]["length_m"] for one in document["features"]), abs=1e-3
    )
    assert summary["size_unknown"] == found.count("P5")


def test_what_a_trace_touches_and_holds_is_summed(
    client: TestClient, office: dict[str, str]
) -> None:
    summary = get(client, "trace", office, node="V3", stops="valves", mode="downstream")

    assert ([], False) == (summary["stops"], summary["is_cut_off"])
    assert [("PE", 1)] == [(m["material"], m["count"]) for m in summary["by_material"]]
    volume = 3.141592653589793 * 0.1**2 * summary["length_m"]
    assert volume == pytest.approx(summary["volume_m3"], abs=1e-3)
    assert ["CLINIC"] == [one["code"] for one in summary["facilities"]["first"]]


def test_a_burst_is_shut_off_by_the_fewest_valves(
    client: TestClient, office: dict[str, str]
) -> None:
    number = get(client, "trace", office, f="geojson", node="A", stops="valves")["features"][0][
        "id"
    ]

    found = get(client, "isolate", office, f="geojson", feature_id=number)

    summary = found["summary"]
    # Through V3 nothing is fed, so it may stay open.
    assert ["V1", "V2"] == [one["code"] for one in summary["close"]]
    assert ["V3"] == [one["code"] for one in summary["need_not_close"]]
    assert ["P2", "P3", "P5", "P6"] == codes(found)
    assert (3, 1) == (summary["shut_off"], summary["without_supply"])
    assert ["S", "D"] == [one["code"] for one in summary["alternative_sources"]]
    assert ["ON-BRANCH"] == [one["code"] for one in summary["parcels"]["first"]]
    assert ["CLINIC"] == [one["code"] for one in summary["facilities"]["first"]]


def test_where_a_valve_is_stuck_the_next_ones_are_told(
    client: TestClient, office: dict[str, str]
) -> None:
    found = get(client, "isolate", office, f="geojson", node="A", stuck="V2")

    assert ["V1", "V4"] == [one["code"] for one in found["summary"]["close"]]
    assert ["P2", "P3", "P4", "P5", "P6", "P7"] == codes(found)


def test_a_level_walks_only_what_it_may_see(
    client: TestClient, office: dict[str, str], headers_of: KeyMaker, city: City
) -> None:
    restricted = headers_of(Clearance.RESTRICTED)
    gas = get(client, "trace", restricted, f="geojson", node="A", kind="TR")
    with city.address.connect(Role.OWNER) as connection:
        number = connection.exec_driver_sql(
            "SELECT feature_id FROM city.pipelines WHERE code = 'G1'"
        ).scalar()

    assert ["G1"] == codes(gas)
    for asked in ({"feature_id": number}, {"feature_id": 10**12}):
        answer = client.get("/pipelines/trace", params=asked, headers=office)
        assert 404 == answer.status_code
    assert 404 == client.get("/pipelines/trace?node=A").status_code


def test_a_drain_without_a_direction_flows_down_if_its_elevations_are_known(
    city: City, client: TestClient, office: dict[str, str]
) -> None:
    known = pipe("Y1", "YS", (114.2, 22.6, 3), (114.201, 22.6, 2), start_node="Y-A", end_node="Y-B")
    unsaid = pipe("Y2", "YS", (114.201, 22.6, 2), (114.202, 22.6, 1)) | {
        "start_node": "Y-B",
        "end_node": "Y-C",
    }
    city.publish("pipelines", [known | {"z_source": "surveyed"}, unsaid], valid_from=YEAR)

    node_of = {"lon": 114.2001, "lat": 22.6, "kind": "YS", "mode": "downstream"}
    found = get(client, "trace", office, f="geojson", **node_of)

    assert ["Y1"] == codes(found)
    assert 1 == found["summary"]["direction_unknown"]


def test_the_network_is_that_of_the_instant(
    city: City, client: TestClient, office: dict[str, str]
) -> None:
    before = get(client, "trace", office, f="geojson", node="C", mode="upstream")
    bypass = pipe("P9", "JS", at("C"), at("D"), start_node="D", end_node="C", flow_direction="+")
    built = YEAR + timedelta(days=1000)
    city.publish("pipelines", [bypass], valid_from=built)

    after = get(client, "trace", office, f="geojson", node="C", mode="upstream")
    then = (built - timedelta(days=1)).isoformat()
    earlier = get(client, "trace", office, f="geojson", node="C", mode="upstream", datetime=then)

    assert "P9" not in codes(before)
    assert ["P9"] == sorted(set(codes(after)) - set(codes(before)))[-1:]
    assert codes(before) == codes(earlier)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("node=NOWHERE", 404),
        ("node=A&feature_id=1", 400),
        ("lon=114.05", 400),
        ("lon=113&lat=22", 400),
        ("node=A&kind=XYZ", 400),
        ("node=A&stops=doors", 400),
        ("node=A&mode=path", 400),
        ("node=A&mode=path&to=NOWHERE", 400),
        ("node=A&closed=NOWHERE", 400),
        ("node=A&kind=TR", 400),
        ("node=A&mode=sideways", 400),
    ],
)
def test_what_cannot_be_traced_is_a_problem(
    client: TestClient, office: dict[str, str], query: str, status: int
) -> None:
    answer = client.get(f"/pipelines/trace?{query}", headers=office)

    assert (status, "application/problem+json") == (
        answer.status_code,
        answer.headers["content-type"],
    ), answer.text

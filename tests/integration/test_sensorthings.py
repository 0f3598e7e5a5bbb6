"""SensorThings: what is observed is read in its words, and observations are sent in its shape."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.support import City, facility, pipe

ROOT = "/sensorthings/v1.1"
NOW = datetime.now(UTC).replace(microsecond=0)
FIGURES = {NOW - n * timedelta(minutes=10): 3 + n for n in range(6)}


@pytest.fixture(scope="module")
def office(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.GOVERNMENT, "observe:scada", "observe:desk")


@pytest.fixture(scope="module", autouse=True)
def observed(city: City, client: TestClient, office: dict[str, str]) -> None:
    city.publish("facilities", [facility("HALL", 114.1, 22.6, name="体育馆", capacity=20)])
    city.publish("pipelines", [pipe("MAIN", "JS", (114.1, 22.6, 3.0), (114.101, 22.6, 3.0))])
    free = [
        {"facility": "HALL", "observed_at": at.isoformat(), "available": n, "source": "desk"}
        for at, n in FIGURES.items()
    ]
    pressure = {"layer": "pipelines", "feature": "MAIN", "property": "pressure", "value": 0.4}
    pressure |= {"observed_at": NOW.isoformat(), "unit": "MPa", "source": "scada"}
    for batch in (free, [pressure]):
        assert 200 == client.post("/observations", json=batch, headers=office).status_code


def get(client: TestClient, path: str, headers: dict[str, str] | None = None, **asked: Any) -> Any:
    options = {f"${name}": value for name, value in asked.items()}
    answer = client.get(f"{ROOT}{path}", params=options, headers=headers)
    assert 200 == answer.status_code, answer.text
    return answer.json()


def stream_of(client: TestClient, property_: str, headers: dict[str, str] | None = None) -> Any:
    asked: dict[str, Any] = {"filter": f"ObservedProperty/@iot.id eq '{property_}'"}
    (found,) = get(client, "/Datastreams", headers, **asked)["value"]
    return found


def test_from_a_thing_one_gets_to_its_figures(client: TestClient) -> None:
    (thing,) = get(client, "/Things")["value"]

    links = [thing["Locations@iot.navigationLink"], thing["Datastreams@iot.navigationLink"]]
    (location,), (stream,) = (client.get(link).json()["value"] for link in links)
    newest = client.get(stream["Observations@iot.navigationLink"], params={"$top": 2}).json()

    assert ("体育馆", "HALL") == (thing["name"], thing["properties"]["code"])
    assert [114.1, 22.6] == pytest.approx(location["location"]["coordinates"])
    assert [3, 4] == [one["result"] for one in newest["value"]]
    assert thing == client.get(thing["@iot.selfLink"]).json()
    first = newest["value"][0]
    assert first == client.get(first["@iot.selfLink"]).json()
    rest = client.get(newest["@iot.nextLink"]).json()["value"]
    assert [5, 6] == [one["result"] for one in rest]


@pytest.mark.parametrize(
    ("asked", "results"),
    [
        ({"filter": "result gt 6"}, [7, 8]),
        ({"filter": "result ge 4 and result lt 6.5"}, [4, 5, 6]),
        ({"filter": f"phenomenonTime lt {(NOW - timedelta(minutes=35)).isoformat()}"}, [7, 8]),
        ({"orderby": "result desc", "top": 1}, [8]),
        ({"orderby": "phenomenonTime asc", "skip": 4}, [4, 3]),
    ],
)
def test_options_say_which_and_in_what_order(
    client: TestClient, asked: dict[str, Any], results: list[int]
) -> None:
    number = stream_of(client, "availability")["@iot.id"]

    found = get(client, f"/Datastreams({number})/Observations", count="true", **asked)

    assert results == [one["result"] for one in found["value"]]
    assert found["@iot.count"] >= len(results)


def test_what_stands_one_step_away_comes_with_it(client: TestClient) -> None:
    asked: dict[str, Any] = {"expand": "Thing,Sensor,Observations($top=1)", "select": "name,id"}

    (stream,) = get(client, "/Datastreams", **asked)["value"]

    assert {"@iot.id", "name", "Thing", "Sensor", "Observations"} == set(stream)
    assert ("体育馆", "desk") == (stream["Thing"]["name"], stream["Sensor"]["name"])
    assert [3] == [one["result"] for one in stream["Observations"]]


def test_hidden_features_are_no_things(client: TestClient, office: dict[str, str]) -> None:
    seen = [stream_of(client, "pressure", office)]
    number = seen[0]["@iot.id"]

    assert "MPa" == seen[0]["unitOfMeasurement"]["symbol"]
    assert 1 == len(get(client, "/Datastreams")["value"])
    assert 404 == client.get(f"{ROOT}/Datastreams({number})").status_code
    assert [] == get(client, f"/Datastreams({number})/Observations")["value"]


def test_an_observation_is_sent_in_any_of_three_ways(
    client: TestClient, office: dict[str, str]
) -> None:
    number = stream_of(client, "pressure", office)["@iot.id"]
    at = [(NOW + timedelta(seconds=n)).isoformat() for n in range(4)]
    one, other = (
        {"Datastream": {"@iot.id": number}, "phenomenonTime": when, "result": value}
        for when, value in ((at[1], 0.41), (at[2], 0.42))
    )
    group: dict[str, Any] = {
        "Datastream": {"@iot.id": number},
        "components": ["phenomenonTime", "result"],
    }
    group["dataArray"] = [[at[3], 0.43], ["yesterday", 0.1]]

    single = client.post(f"{ROOT}/Observations", json=one, headers=office)
    batch = client.post("/observations", json=[other], headers=office)
    array = client.post(f"{ROOT}/CreateObservations", json=[group], headers=office)

    assert (201, 200, 201) == (single.status_code, batch.status_code, array.status_code)
    assert 0.41 == client.get(single.headers["location"], headers=office).json()["result"]
    assert "error: " == array.json()[1][:7]
    asked: dict[str, Any] = {"orderby": "phenomenonTime asc"}
    found = get(client, f"/Datastreams({number})/Observations", office, **asked)["value"]
    assert [0.4, 0.41, 0.42, 0.43] == [one["result"] for one in found]


def test_what_nobody_may_send_is_refused(
    client: TestClient, headers_of: KeyMaker, office: dict[str, str]
) -> None:
    number = stream_of(client, "pressure", office)["@iot.id"]
    sent = {"Datastream": {"@iot.id": number}, "phenomenonTime": NOW.isoformat(), "result": 1}
    others = headers_of(Clearance.GOVERNMENT, "observe:else")
    public = headers_of(Clearance.PUBLIC, "observe:*")

    answers = [
        client.post(f"{ROOT}/Observations", json=sent),
        client.post(f"{ROOT}/Observations", json=sent, headers=others),
        client.post(f"{ROOT}/Observations", json=sent, headers=public),
        client.post(f"{ROOT}/Observations", json=sent | {"result": "x"}, headers=office),
        client.post(f"{ROOT}/Observations", json={"result": 1}, headers=office),
        client.post(f"{ROOT}/CreateObservations", json=[{"dataArray": [[1]]}], headers=office),
    ]

    assert [401, 403, 400, 400, 400, 400] == [answer.status_code for answer in answers]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/Nothing", 404),
        ("/Things(999999)", 404),
        ("/Things(x)", 404),
        ("/Things(1)/Observations", 404),
        ("/Things(1)/Datastreams(1)/Observations", 404),
        ("/Observations", 400),
        ("/Things?$filter=name eq 1 or 1=1", 400),
        ("/Things?$filter=id eq '1'; DROP TABLE x", 400),
        ("/Things?$orderby=feature_id", 400),
        ("/Things?$top=-1", 400),
        ("/Things?$top=100000", 400),
        ("/Things?$expand=Sensors", 400),
        ("/Things?top=1", 400),
        ("/Things?$skiptoken=x", 400),
        ("/Things?$skiptoken=1&$skip=1", 400),
        ("/Sensors('it''s')", 404),
    ],
)
def test_what_cannot_be_answered_is_a_problem(client: TestClient, path: str, status: int) -> None:
    answer = client.get(f"{ROOT}{path}")

    assert (status, "application/problem+json") == (
        answer.status_code,
        answer.headers["content-type"],
    )


def test_the_root_names_the_sets(client: TestClient) -> None:
    document = client.get(ROOT).json()

    names = [one["name"] for one in document["value"]]
    assert ["Things", "Locations", "Datastreams", "Sensors", "ObservedProperties"] == names
    assert all(client.get(one["url"]).status_code == 200 for one in document["value"])


def test_a_later_page_begins_after_the_last_one_whatever_came_in_between(
    client: TestClient, office: dict[str, str]
) -> None:
    number = stream_of(client, "availability")["@iot.id"]
    asked: dict[str, Any] = {"top": 2, "skip": 1, "count": "true"}
    page = get(client, f"/Datastreams({number})/Observations", **asked)
    newer = {"facility": "HALL", "available": 9, "source": "desk"}
    newer["observed_at"] = (NOW + timedelta(seconds=1)).isoformat()

    assert 200 == client.post("/observations", json=newer, headers=office).status_code
    after = client.get(page["@iot.nextLink"]).json()

    assert [4, 5] == [one["result"] for one in page["value"]]
    assert [6, 7] == [one["result"] for one in after["value"]]
    assert (6, 7) == (page["@iot.count"], after["@iot.count"])
    assert "@iot.nextLink" not in get(client, "/Datastreams", top=0)

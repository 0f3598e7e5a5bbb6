"""Quick routes answer as the declared ones do, which take what is not of the usual form."""

from __future__ import annotations

import pytest
from starlette.routing import Match
from starlette.testclient import TestClient
from starlette.types import Scope

from geoservice.api.availability import SearchParameters
from geoservice.api.quick import QuickRoute
from geoservice.tile_service import TileService
from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.support import City, facility

TILE = "/tiles/facilities/15/26765/14276.mvt"
SEARCH = "/availability?lon=114.05&lat=22.55&radius_m=500"


@pytest.fixture(scope="module", autouse=True)
def features(city: City) -> None:
    """One facility."""
    city.publish("facilities", [facility("F1", 114.05, 22.55)])


@pytest.fixture
def quick_matches(monkeypatch: pytest.MonkeyPatch) -> list[Match]:
    """What quick routes said of each request: FULL when one of them answered."""
    said: list[Match] = []
    matches = QuickRoute.matches

    def note(route: QuickRoute, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = matches(route, scope)
        if match is not Match.NONE:
            said.append(match)
        return match, child_scope

    monkeypatch.setattr(QuickRoute, "matches", note)
    return said


@pytest.fixture(autouse=True)
def no_hits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every tile come by a route: what is cached is answered before."""
    monkeypatch.setattr(TileService, "hit", lambda *_: None)


def answers(client: TestClient, path: str) -> tuple[int, str, object]:
    """What must not depend on the route: status, cache headers, and content but for the instant."""
    response = client.get(path)
    if path.startswith("/tiles"):
        content: object = response.content
    else:
        content = {k: v for k, v in response.json().items() if k != "timeStamp"}
    return response.status_code, response.headers["cache-control"], content


@pytest.mark.parametrize("path", [TILE, SEARCH, f"{SEARCH}&kind=library&limit=5"])
def test_both_routes_give_the_same_answer(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    quick = answers(client, path)
    monkeypatch.setattr(QuickRoute, "matches", lambda _route, _scope: (Match.NONE, {}))
    declared = answers(client, path)

    assert quick[0] == 200
    assert declared == quick


@pytest.mark.parametrize(
    ("path", "is_quick"),
    [
        (TILE, True),
        (SEARCH, True),
        (f"{TILE}?datetime=2999-01-01T00:00:00Z", False),
        (f"{TILE}?x=1", False),
        (f"{SEARCH}&x=1", False),
        (f"{SEARCH}&lat=1", False),
        ("/availability", False),
        ("/tiles/facilities/15/-1/14275.mvt", False),
    ],
)
def test_only_requests_of_the_usual_form_are_answered_quickly(
    client: TestClient, quick_matches: list[Match], path: str, *, is_quick: bool
) -> None:
    client.get(path)

    assert is_quick == (quick_matches == [Match.FULL])


def test_a_wrong_key_is_refused_by_a_quick_route_too(client: TestClient) -> None:
    for path in (TILE, SEARCH):
        response = client.get(path, headers={"Authorization": "Bearer wrong"})

        assert 401 == response.status_code
        assert "application/problem+json" == response.headers["content-type"]


def test_an_answer_to_a_key_is_private_by_a_quick_route_too(
    client: TestClient, headers_of: KeyMaker
) -> None:
    response = client.get(TILE, headers=headers_of(Clearance.PUBLIC))

    assert "private" in response.headers["cache-control"]


def test_quick_routes_are_described_once(client: TestClient) -> None:
    paths = client.get("/api").json()["paths"]

    search = {one["name"] for one in paths["/availability"]["get"]["parameters"]}
    tile = {one["name"] for one in paths["/tiles/{layers}/{z}/{x}/{y}.mvt"]["get"]["parameters"]}
    fields = SearchParameters.model_fields.items()
    assert {field.alias or name for name, field in fields} == search
    assert {"layers", "z", "x", "y", "datetime", "as_recorded", "properties"} | {
        "filter",
        "filter-lang",
        "filter-crs",
    } == tile
    assert not [path for path in paths if ":int" in path]

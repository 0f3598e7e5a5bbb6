"""Figures of pipes over HTTP, by what a level may see."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyproj import Geod
from starlette.testclient import TestClient

from layers.access import Clearance
from tests.conftest import KeyMaker
from tests.support import City, pipe

ELLIPSOID = Geod(ellps="GRS80")
EARLY, LATE = datetime(2001, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
LONG, SHORT = (
    ((114.05, 22.55, 0.0), (114.06, 22.56, 0.0)),
    ((114.05, 22.55, 0.0), (114.05, 22.551, 0.0)),
)


@pytest.fixture(scope="module", autouse=True)
def pipes(city: City) -> None:
    early = {"installed_on": date(2001, 1, 1), "valid_from": EARLY, "admin_code": "440304003"}
    late = {"installed_on": date(2021, 1, 1), "valid_from": LATE, "admin_code": "440305001"}
    city.publish(
        "pipelines",
        [
            pipe("A", "JP", *LONG, material="PE", **early),
            pipe("B", "JP", *SHORT, material="PE", **late),
            pipe("C", "YS", *SHORT, material="HNT", **early),
            pipe("D", "YS", *SHORT, valid_from=EARLY),
            pipe("G", "TR", *LONG, material="PE", **early),
        ],
    )


@pytest.fixture(scope="module")
def office(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.GOVERNMENT)


def metres(line: tuple[tuple[float, float, float], ...]) -> float:
    (lon1, lat1, _), (lon2, lat2, _) = line
    return float(ELLIPSOID.inv(lon1, lat1, lon2, lat2)[2])


def groups(client: TestClient, headers: dict[str, str], **asked: str) -> list[tuple[Any, ...]]:
    answer = client.get("/pipelines/statistics", params=asked, headers=headers)
    assert 200 == answer.status_code, answer.text
    return [tuple(group.values()) for group in answer.json()["groups"]]


def test_lengths_and_ages_are_of_the_instant_and_the_ellipsoid(
    client: TestClient, office: dict[str, str]
) -> None:
    found = groups(client, office, datetime="2031-01-01T00:00:00Z")

    both = metres(LONG) + metres(SHORT)
    assert [
        ("JP", 2, pytest.approx(both, abs=1e-3), 20.0, 2),
        ("YS", 2, pytest.approx(2 * metres(SHORT), abs=1e-3), 30.0, 1),
    ] == found
    assert [("JP", 1), ("YS", 2)] == [
        group[:2] for group in groups(client, office, datetime="2010-01-01T00:00:00Z")
    ]


@pytest.mark.parametrize(
    ("by", "found"),
    [
        ("material", [("HNT", 1), ("PE", 2), (None, 1)]),
        ("district", [("440304", 2), ("440305", 1), (None, 1)]),
        ("year", [(2001, 2), (2021, 1), (None, 1)]),
        (
            "district,kind",
            [("440304", "JP", 1), ("440304", "YS", 1), ("440305", "JP", 1), (None, "YS", 1)],
        ),
    ],
)
def test_pipes_are_told_apart_by_what_is_asked(
    client: TestClient, office: dict[str, str], by: str, found: list[Any]
) -> None:
    columns = by.count(",") + 2

    assert found == [group[:columns] for group in groups(client, office, by=by)]


def test_hidden_pipes_are_in_no_sum(client: TestClient, headers_of: KeyMaker) -> None:
    keepers = headers_of(Clearance.RESTRICTED)

    assert ["JP", "TR", "YS"] == [group[0] for group in groups(client, keepers)]


def test_csv_says_the_same(client: TestClient, office: dict[str, str]) -> None:
    answer = client.get("/pipelines/statistics?by=material&f=csv", headers=office)

    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert "text/csv; charset=utf-8" == answer.headers["content-type"]
    assert [("HNT", "1"), ("PE", "2"), ("", "1")] == [
        (row["material"], row["count"]) for row in rows
    ]
    assert rows[2]["mean_age_years"] == ""


@pytest.mark.parametrize("by", ["", "owner", "kind,kind", "kind;DROP"])
def test_other_groups_are_refused(client: TestClient, office: dict[str, str], by: str) -> None:
    answer = client.get("/pipelines/statistics", params={"by": by}, headers=office)

    assert 400 == answer.status_code


def test_the_public_gets_no_figures_of_pipes(client: TestClient) -> None:
    assert 404 == client.get("/pipelines/statistics").status_code

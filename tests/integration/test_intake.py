"""What comes in of figures: each judged by itself, written once, told on, and rolled up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.db import Database
from geoservice.hours import CityHours
from geoservice.settings import Settings
from geoservice.upkeep import Upkeep
from layers.access import Clearance
from layers.roles import Role
from tests.conftest import KeyMaker
from tests.support import City, facility, pipe

Row = dict[str, Any]

WATER = pipe("WATER", "JS", (114.1, 22.6, 3.0), (114.101, 22.6, 3.0))


@pytest.fixture(scope="module", autouse=True)
def features(city: City) -> None:
    city.publish("facilities", [facility(f"I{n}", 114.1, 22.6, capacity=50) for n in range(9)])
    city.publish("facilities", [facility("SECRET", 114.1, 22.6, clearance=Clearance.ENTERPRISE)])
    city.publish("pipelines", [WATER])


@pytest.fixture(scope="module")
def observer(headers_of: KeyMaker) -> dict[str, str]:
    return headers_of(Clearance.PUBLIC, "observe:intake")


@pytest.fixture
def held(city: City) -> Iterator[Callable[[str], list[Any]]]:
    """Asks the database, as its owner."""
    with city.address.connect(Role.OWNER) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        yield lambda statement: list(connection.execute(text(statement)).all())


def figure(code: str, available: Any, *, age_s: float = 30, **more: Any) -> Row:
    """A figure observed some seconds ago, at a full second."""
    observed_at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=age_s)
    return {"facility": code, "observed_at": observed_at.isoformat(), "available": available} | more


def test_what_cannot_be_is_refused_by_itself(client: TestClient, observer: dict[str, str]) -> None:
    rows: list[Any] = [
        figure("I0", 5),
        figure("I1", 51),
        figure("NOWHERE", 5),
        figure("SECRET", 5),
        figure("I1", 5, age_s=-3_600),
        figure("I1", "5"),
        figure("I2", 6),
        figure("I2", 6),
        figure("I2", 7),
        {"facility": "I3"},
        "text",
        figure("I3", 5, property="pressure"),
        figure("I3", 5, resource_type="table", capacity=4),
        figure("I4", 200, resource_type="table"),
    ]
    same_instant = rows[6]["observed_at"]
    rows[7]["observed_at"] = rows[8]["observed_at"] = same_instant

    answer = client.post("/observations", json=rows, headers=observer)

    assert 200 == answer.status_code, answer.text
    body = answer.json()
    assert [
        "/1/available",
        "/2/facility",
        "/3/facility",
        "/4/observed_at",
        "/5/available",
        "/8",
        "/9/observed_at",
        "/10",
        "/11",
        "/12/available",
    ] == [one["pointer"] for one in body["refusals"]]
    assert (14, 3, 1, 0, 10) == tuple(
        body[name] for name in ("received", "accepted", "repeated", "corrected", "refused")
    )
    # A facility that is hidden is refused in the words for one that is not there.
    assert body["refusals"][1]["reason"] == body["refusals"][2]["reason"]


def test_more_of_a_resource_than_there_is_is_refused(
    city: City, client: TestClient, observer: dict[str, str]
) -> None:
    tables = [
        {"code": f"T{n}", "facility": "GAMES", "resource_type": "table", "capacity": 2}
        | {"wkt": "POINT(114.06 22.54)"}
        for n in range(2)
    ]
    city.publish("facilities", [facility("GAMES", 114.06, 22.54)])
    city.publish("resources", tables)
    rows = [figure("GAMES", free, resource_type="table", age_s=free) for free in (4, 5)]

    body = client.post("/observations", json=rows, headers=observer).json()

    assert ["/1/available"] == [one["pointer"] for one in body["refusals"]]


def test_lines_and_tables_are_taken_as_well(
    client: TestClient, observer: dict[str, str], held: Callable[[str], list[Any]]
) -> None:
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    lines = (
        f'{{"facility": "I5", "observed_at": "{now}", "available": 1}}\n'
        "not json\n\n"
        f'{{"facility": "I6", "observed_at": "{now}", "status": "closed"}}\n'
    )
    table = (
        "\ufefffacility,observed_at,available,capacity,status\r\n"
        f"I7,{now},3,9,\r\n"
        f"I8,{now},many,,\r\n"
        f'I8,{now},,,"full"\r\n'
        f"I8,{now}\r\n"
    )

    by_lines = client.post(
        "/observations", content=lines, headers=observer | {"Content-Type": "application/x-ndjson"}
    ).json()
    by_table = client.post(
        "/observations",
        content=table.encode(),
        headers=observer | {"Content-Type": "text/csv; charset=utf-8"},
    ).json()

    assert (2, [1]) == (by_lines["accepted"], [one["index"] for one in by_lines["refusals"]])
    assert (2, [1, 3]) == (by_table["accepted"], [one["index"] for one in by_table["refusals"]])
    found = held(
        "SELECT natural_key, available, s.status FROM city.series_status s "
        "JOIN city.facilities f USING (feature_id) WHERE natural_key IN ('I6', 'I7', 'I8') "
        "ORDER BY 1"
    )
    assert [("I6", None, 5), ("I7", 3, 0), ("I8", None, 4)] == [tuple(row) for row in found]


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        ("<a/>", "application/xml", 415),
        ("facility,when\r\n", "text/csv", 400),
        ("facility,facility\r\n", "text/csv", 400),
        ("", "text/csv", 400),
        ('facility,observed_at\r\n"I1,', "text/csv", 400),
        (b"\xff\xfe", "text/csv", 400),
        ("\n\n", "application/x-ndjson", 400),
    ],
)
def test_a_body_of_another_kind_is_a_problem(
    client: TestClient,
    observer: dict[str, str],
    content: str | bytes,
    media_type: str,
    status: int,
) -> None:
    answer = client.post(
        "/observations", content=content, headers=observer | {"Content-Type": media_type}
    )

    assert status == answer.status_code, answer.text
    assert "application/problem+json" == answer.headers["content-type"]


def test_any_feature_that_the_key_may_see_can_be_observed(
    client: TestClient, headers_of: KeyMaker, held: Callable[[str], list[Any]]
) -> None:
    pressure = {
        "layer": "pipelines",
        "feature": "WATER",
        "observed_at": datetime.now(UTC).isoformat(),
        "property": "pressure",
        "value": 0.31,
        "unit": "MPa",
    }

    hidden = client.post(
        "/observations", json=pressure, headers=headers_of(Clearance.PUBLIC, "observe:scada")
    )
    taken = client.post(
        "/observations", json=pressure, headers=headers_of(Clearance.RESTRICTED, "observe:scada")
    )

    assert (400, "/0/feature") == (hidden.status_code, hidden.json()["errors"][0]["pointer"])
    assert 1 == taken.json()["accepted"], taken.text
    row = held(
        "SELECT s.layer, s.unit, t.value, s.clearance FROM city.series s "
        "JOIN city.series_status t USING (series_id) WHERE s.property = 'pressure'"
    )
    assert [("pipelines", "MPa", 0.31)] == [tuple(one)[:3] for one in row]
    assert row[0][3] >= Clearance.GOVERNMENT


def test_the_same_batch_from_many_at_once_is_written_once(
    client: TestClient, observer: dict[str, str], held: Callable[[str], list[Any]]
) -> None:
    rows = [
        figure(f"I{n}", 3, age_s=5_000 + 60 * m, source="intake")
        for n in range(9)
        for m in range(20)
    ]
    batches = [rows, rows[::-1], rows, rows[::-1]]

    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda b: client.post("/observations", json=b, headers=observer), batches)
        )

    assert [200] * 4 == [answer.status_code for answer in answers]
    assert len(rows) == sum(answer.json()["accepted"] for answer in answers)
    assert 3 * len(rows) == sum(answer.json()["repeated"] for answer in answers)


def test_a_key_gets_no_more_than_its_rate(city: City, headers_of: KeyMaker) -> None:
    said = city.settings.observations.model_copy(update={"per_second": 1, "burst": 10_000})
    settings = city.settings.model_copy(update={"observations": said})
    key, other = (headers_of(Clearance.PUBLIC, "observe:*") for _ in range(2))
    rows = [figure("I0", 1, age_s=9_000 + n) for n in range(6_000)]

    with TestClient(create_app(settings)) as client:
        first, second = (client.post("/observations", json=rows, headers=key) for _ in range(2))
        another = client.post("/observations", json=rows[:1], headers=other)

    assert (200, 429, 200) == (first.status_code, second.status_code, another.status_code)
    assert 1_900 < int(second.headers["retry-after"]) <= 2_000
    assert "请求过于频繁" == second.json()["title_zh"]


def keeping_three_months(city: City) -> Settings:
    said = city.settings.observations.model_copy(update={"keep_months": 3})
    return city.settings.model_copy(update={"observations": said})


async def tended(city: City, settings: Settings) -> None:
    """Make and drop months as the worker that leads does, once."""
    database = Database(city.address, 2)
    await Upkeep(database, settings, CityHours("Asia/Shanghai")).tend_months()
    await database.close()


async def relayed(city: City) -> None:
    """Do what the worker that leads does by itself, once."""
    database = Database(city.address, 2)
    keeper = Upkeep(database, city.settings, CityHours("Asia/Shanghai"))
    await keeper.relay()
    await keeper.make_rollups()
    await database.close()


def test_an_event_tells_each_change_of_an_answer_and_nothing_else(
    city: City,
    client: TestClient,
    observer: dict[str, str],
    held: Callable[[str], list[Any]],
) -> None:
    city.publish("facilities", [facility("EVENTS", 114.1, 22.6, capacity=50)])

    def send(*rows: Row) -> None:
        assert 200 == client.post("/observations", json=list(rows), headers=observer).status_code

    send(figure("EVENTS", 5, age_s=300))
    # Again; the same figure later; an older one; another one; a correction of it.
    send(figure("EVENTS", 5, age_s=300))
    send(figure("EVENTS", 5, age_s=200))
    send(figure("EVENTS", 9, age_s=250))
    send(figure("EVENTS", 4, age_s=100), figure("EVENTS", 6, age_s=150))
    send(figure("EVENTS", 3, age_s=100))
    asyncio.run(relayed(city))

    events = held(
        "SELECT event_no, CAST(body->>'available' AS int) FROM city.events e "
        "JOIN city.facilities f USING (feature_id) WHERE natural_key = 'EVENTS' ORDER BY event_no"
    )
    assert [5, 4, 3] == [row[1] for row in events]
    numbers = [row[0] for row in held("SELECT event_no FROM city.events ORDER BY event_no")]
    assert list(range(1, len(numbers) + 1)) == numbers
    assert [] == held("SELECT * FROM city.outbox")


def test_rollups_are_those_of_the_figures_late_and_corrected_ones_too(
    city: City,
    client: TestClient,
    observer: dict[str, str],
    held: Callable[[str], list[Any]],
) -> None:
    city.publish("facilities", [facility("ROLLED", 114.1, 22.6, capacity=50)])
    rows = [figure("ROLLED", n % 50, age_s=100 + 700 * n) for n in range(300)]
    client.post("/observations", json=rows[::2], headers=observer)
    asyncio.run(relayed(city))
    late = [*rows[1::2], rows[40] | {"available": 50}, rows[41] | {"available": 0}]
    for start in range(0, len(late), 70):
        client.post("/observations", json=late[start : start + 70], headers=observer)
    asyncio.run(relayed(city))

    for step, unit in ((60, "hour"), (1440, "day")):
        expected = held(
            f"SELECT date_trunc('{unit}', observed_at, 'Asia/Shanghai'), count(*), sum(available), "
            "min(available), max(available), (array_agg(available ORDER BY observed_at DESC))[1] "
            "FROM city.observations o JOIN city.series s USING (series_id) "
            "JOIN city.facilities f USING (feature_id) WHERE natural_key = 'ROLLED' "
            "GROUP BY 1 ORDER BY 1"
        )
        rolled = held(
            "SELECT bucket_start, count, sum, minimum, maximum, last "
            "FROM city.observation_rollups r JOIN city.series s USING (series_id) "
            "JOIN city.facilities f USING (feature_id) WHERE natural_key = 'ROLLED' "
            f"AND step_min = {step} ORDER BY 1"
        )
        assert expected == rolled
        assert 3 <= len(rolled)
    assert [] == held("SELECT * FROM city.rollup_queue")


def test_months_are_made_ahead_and_dropped_when_they_are_too_old(
    city: City,
    client: TestClient,
    observer: dict[str, str],
    held: Callable[[str], list[Any]],
) -> None:
    old = datetime.now(UTC) - timedelta(days=200)
    client.post(
        "/observations",
        json=[figure("I0", 1) | {"observed_at": old.isoformat()}, figure("I0", 2)],
        headers=observer,
    )
    settings = keeping_three_months(city)

    asyncio.run(tended(city, settings))

    months = {
        row[0]
        for row in held(
            "SELECT right(inhrelid::regclass::text, 6) FROM pg_inherits "
            "WHERE inhparent = 'city.observations'::regclass"
        )
    }
    now = datetime.now(UTC)
    first = now.replace(day=1)
    assert {f"{first + timedelta(days=days):%Y%m}" for days in (0, 32, 62)} <= months
    assert f"{old:%Y%m}" not in months
    assert [] == held(
        "SELECT 1 FROM city.observations WHERE observed_at < now() - interval '150 d'"
    )


def test_a_figure_of_a_dropped_month_leaves_its_rollups_alone(
    city: City,
    headers_of: KeyMaker,
    held: Callable[[str], list[Any]],
) -> None:
    city.publish("facilities", [facility("OLD", 114.1, 22.6, capacity=50)])
    old = datetime.now(UTC).replace(microsecond=0) - timedelta(days=200)
    rows = [
        figure("OLD", n) | {"observed_at": (old + timedelta(seconds=n)).isoformat()}
        for n in range(3)
    ]
    settings = keeping_three_months(city)
    key = headers_of(Clearance.PUBLIC, "observe:intake")
    with TestClient(create_app(city.settings)) as client:
        client.post("/observations", json=rows[:2], headers=key)
    asyncio.run(relayed(city))
    asyncio.run(tended(city, settings))
    with TestClient(create_app(settings)) as client:
        answer = client.post("/observations", json=[rows[2], figure("I0", 9)], headers=key).json()
    asyncio.run(relayed(city))

    assert ["lies before what is kept"] == [one["reason"] for one in answer["refusals"]]
    assert [(60, 2), (1_440, 2)] == held(
        "SELECT step_min, count FROM city.observation_rollups r JOIN city.series s "
        "USING (series_id) JOIN city.facilities f USING (feature_id) "
        "WHERE natural_key = 'OLD' AND step_min >= 60 ORDER BY 1"
    )

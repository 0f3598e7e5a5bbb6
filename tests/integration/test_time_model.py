"""The time model on real PostGIS: what a publication closes, keeps, and lets be read when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from layers.access import Clearance
from layers.extent import TimeInterval
from layers.features import FeatureQuery, select_features
from layers.registry import get_layer
from layers.roles import Role
from layers.views import read_schema
from tests.support import City, parcel, pipe, publish_rows

Y2010 = datetime(2010, 1, 1, tzinfo=UTC)
Y2015 = datetime(2015, 1, 1, tzinfo=UTC)
Y2020 = datetime(2020, 1, 1, tzinfo=UTC)
FAR = datetime(2100, 1, 1, tzinfo=UTC)


def addresses_at(connection: Connection, instant: datetime) -> list[Any]:
    """Addresses of the parcels that a public reader sees at an instant, on this connection."""
    query = FeatureQuery(TimeInterval(instant, instant), limit=100)
    statement = select_features(get_layer("parcels"), Clearance.PUBLIC, query)
    connection.execute(text(f"SET LOCAL search_path = {read_schema(Clearance.PUBLIC)}, public"))
    return [row.address for row in connection.execute(statement)]


@pytest.fixture
def owner_connection(city: City) -> Any:
    """A transaction that may read everything, rolled back at the end."""
    with city.address.connect(Role.OWNER) as connection:
        yield connection
        connection.rollback()


def test_publishing_the_same_rows_twice_changes_nothing(loader_connection: Connection) -> None:
    rows = [parcel("A", 114.0, 22.5), parcel("B", 114.1, 22.5)]

    first = publish_rows(loader_connection, "parcels", rows)
    second = publish_rows(loader_connection, "parcels", rows)

    assert (first.new, first.changed, first.unchanged) == (2, 0, 0)
    assert (second.new, second.changed, second.unchanged) == (0, 0, 2)
    assert second.recorded_at > first.recorded_at


def test_a_change_closes_the_version_before_and_keeps_it(owner_connection: Connection) -> None:
    publish_rows(
        owner_connection, "parcels", [parcel("A", 114.0, 22.5, address="旧")], valid_from=Y2010
    )
    publish_rows(
        owner_connection, "parcels", [parcel("A", 114.0, 22.5, address="新")], valid_from=Y2015
    )

    assert addresses_at(owner_connection, Y2010) == ["旧"]
    assert addresses_at(owner_connection, Y2015 - timedelta(seconds=1)) == ["旧"]
    assert addresses_at(owner_connection, Y2015) == ["新"]
    assert addresses_at(owner_connection, Y2010 - timedelta(seconds=1)) == []
    past = owner_connection.execute(
        text("SELECT address, upper(valid_during) IS NULL FROM city.parcels_past")
    ).all()
    assert [tuple(row) for row in past] == [("旧", True)]


def test_an_equal_feature_is_moved_back_to_an_earlier_instant_and_never_forward(
    owner_connection: Connection,
) -> None:
    row = parcel("A", 114.0, 22.5, address="一")
    dated = parcel("B", 114.1, 22.5, address="二", valid_from=Y2015)
    publish_rows(owner_connection, "parcels", [row, dated], valid_from=Y2015)

    done = [
        publish_rows(owner_connection, "parcels", [row, dated], valid_from=since)
        for since in (None, Y2020, Y2010, Y2010)
    ]

    assert [0, 0, 1, 0] == [publication.changed for publication in done]
    assert addresses_at(owner_connection, Y2010) == ["一"]
    assert sorted(addresses_at(owner_connection, Y2015)) == ["一", "二"]


def test_a_correction_of_the_past_replaces_what_followed(owner_connection: Connection) -> None:
    for address, since in (("一", Y2010), ("三", Y2020), ("二", Y2015)):
        row = parcel("A", 114.0, 22.5, address=address)
        publish_rows(owner_connection, "parcels", [row], valid_from=since)

    assert addresses_at(owner_connection, Y2010) == ["一"]
    assert addresses_at(owner_connection, Y2020) == ["二"]
    believed = owner_connection.execute(
        text("SELECT count(*) FROM city.parcels_past WHERE address = '三'")
    ).scalar_one()
    assert believed == 1


def test_versions_that_begin_or_end_in_the_future_are_read_at_their_time(
    owner_connection: Connection,
) -> None:
    now = datetime.now(UTC)
    publish_rows(
        owner_connection, "parcels", [parcel("A", 114.0, 22.5, address="今")], valid_from=Y2010
    )
    publish_rows(
        owner_connection, "parcels", [parcel("A", 114.0, 22.5, address="后")], valid_from=FAR
    )

    assert addresses_at(owner_connection, now) == ["今"]
    assert addresses_at(owner_connection, FAR) == ["后"]


def test_an_interval_returns_every_version_that_held_in_it(owner_connection: Connection) -> None:
    for address, since in (("一", Y2010), ("二", Y2015), ("三", Y2020)):
        row = parcel("A", 114.0, 22.5, address=address)
        publish_rows(owner_connection, "parcels", [row], valid_from=since)
    query = FeatureQuery(TimeInterval(Y2010, Y2015), limit=100)
    statement = select_features(get_layer("parcels"), Clearance.PUBLIC, query)

    owner_connection.execute(text("SET LOCAL search_path = read_public, public"))
    rows = owner_connection.execute(statement).all()

    assert [row.address for row in rows] == ["一", "二"]
    assert len({row.feature_id for row in rows}) == 1


def test_a_feature_that_returns_keeps_its_id(owner_connection: Connection) -> None:
    publish_rows(owner_connection, "parcels", [parcel("A", 114.0, 22.5)], valid_from=Y2010)
    owner_connection.execute(
        text("UPDATE city.parcels SET valid_during = tstzrange(:a, :b)"), {"a": Y2010, "b": Y2015}
    )
    before = owner_connection.execute(text("SELECT feature_id FROM city.parcels")).scalar_one()

    done = publish_rows(owner_connection, "parcels", [parcel("A", 114.0, 22.5)], valid_from=Y2020)

    ids = owner_connection.execute(text("SELECT DISTINCT feature_id FROM city.parcels")).scalars()
    assert (done.new, done.changed) == (0, 1)
    assert [before] == list(ids)


def test_a_new_feature_holds_from_its_own_date(owner_connection: Connection) -> None:
    row = parcel("A", 114.0, 22.5, address="早", valid_from=Y2010)

    publish_rows(owner_connection, "parcels", [row])

    assert addresses_at(owner_connection, Y2015) == ["早"]


def test_a_raised_clearance_moves_all_versions_and_is_never_lowered_by_a_load(
    owner_connection: Connection,
) -> None:
    low = parcel("A", 114.0, 22.5, address="低")
    high = parcel("A", 114.0, 22.5, address="高", clearance=Clearance.GOVERNMENT)
    publish_rows(owner_connection, "parcels", [low], valid_from=Y2010)
    publish_rows(owner_connection, "parcels", [high], valid_from=Y2015)
    publish_rows(owner_connection, "parcels", [low], valid_from=Y2020)

    levels = owner_connection.execute(
        text("SELECT clearance FROM city.parcels UNION SELECT clearance FROM city.parcels_past")
    ).scalars()
    assert {int(Clearance.GOVERNMENT)} == set(levels)
    assert addresses_at(owner_connection, Y2010) == []


def test_a_partition_never_holds_two_open_versions_of_a_feature(city: City) -> None:
    city.publish("pipelines", [pipe("P1", "JP", (114.0, 22.5, 3.0), (114.001, 22.5, 3.0))])
    city.publish("pipelines", [pipe("P1", "TR", (114.0, 22.5, 3.0), (114.001, 22.5, 3.0))])

    with city.address.connect(Role.OWNER) as connection:
        held = connection.execute(
            text(
                "SELECT natural_key, count(*) FROM city.pipelines "
                "WHERE upper_inf(valid_during) GROUP BY natural_key"
            )
        ).all()

    assert [tuple(row) for row in held] == [("P1", 1)]

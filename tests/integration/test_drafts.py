"""Partitions that are filled apart: the same in the end as if all rows had been inserted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from layers import drafts
from layers.access import Clearance
from layers.drafts import Apart
from layers.publish import Publication
from layers.roles import Role, reader_role
from loaders.staging import drop_leftovers
from tests.support import City, facility, pipe, publish_rows, stage_rows

WATER, GAS = 2, 3
ROWS = [
    pipe(f"{kind}{n:02}", kind, (114 + n / 1000, 22.5, 3.0), (114 + n / 1000, 22.501, 4.0))
    for kind in ("JP", "TR")
    for n in range(10)
]


@pytest.fixture(autouse=True)
def empty(city: City) -> Iterator[None]:
    """No pipes before a test, and no draft after it."""
    with city.address.connect(Role.OWNER) as connection:
        connection.exec_driver_sql("TRUNCATE city.pipelines, city.pipelines_past")
        connection.commit()
    yield
    with city.address.connect(Role.OWNER) as connection:
        left = connection.exec_driver_sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'staging' AND tablename ~ '^draft'"
        )
        assert [] == left.all()


def publish_apart(
    city: City, rows: list[dict[str, Any]] = ROWS, least: int = 1, layer: str = "pipelines"
) -> Publication:
    apart = Apart(partial(city.address.connect, Role.LOADER), least_rows=least)
    with city.address.connect(Role.LOADER) as connection:
        load_id = stage_rows(connection, layer, rows)
        connection.commit()
        try:
            done = publish_rows(connection, layer, load_id=load_id, apart=apart)
            connection.commit()
        finally:
            connection.rollback()
            drafts.discard_drafts(connection, load_id)
            connection.commit()
    return done


def publish_plainly(city: City, rows: list[dict[str, Any]] = ROWS) -> Publication:
    return city.publish("pipelines", rows)


def read(city: City, role: Role, statement: str) -> list[Any]:
    with city.address.connect(role) as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def shape(city: City) -> list[list[Any]]:
    """What the catalogue says of the partitions of pipes and of who reads them."""
    return [
        read(city, Role.OWNER, statement)
        for statement in (
            "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'city' "
            "AND tablename ~ '^pipelines_[0-9]$' ORDER BY indexname",
            "SELECT relname, pg_get_expr(relpartbound, oid), relowner::regrole::text, "
            "coalesce(relacl, acldefault('r', relowner))::text FROM pg_class "
            "WHERE relname ~ '^pipelines_[0-9]$' AND relkind = 'r' ORDER BY relname",
            "SELECT conrelid::regclass::text, conname FROM pg_constraint "
            "WHERE conrelid::regclass::text LIKE 'city.pipelines%' AND contype = 'c' ORDER BY 1, 2",
            "SELECT attrelid::regclass::text, attname, attnum, attnotnull, attgenerated::text "
            "FROM pg_attribute JOIN pg_class c ON c.oid = attrelid AND relkind = 'r' "
            "WHERE relname ~ '^pipelines_[0-9]$' ORDER BY 1, 3",
            "SELECT table_schema, grantee, privilege_type "
            "FROM information_schema.role_table_grants WHERE table_name = 'pipelines' "
            "ORDER BY 1, 2, 3",
        )
    ]


CONTENT = (
    "SELECT natural_key, key_derived, kind, category, clearance, ST_AsText(geom), "
    "ST_AsText(geom_3857), upper_inf(valid_during), lower(valid_during) = lower(recorded_during) "
    "FROM city.pipelines ORDER BY natural_key"
)


def test_a_draft_in_its_place_is_the_partition_that_was_there(city: City) -> None:
    before = shape(city)
    publish_plainly(city)
    content = read(city, Role.OWNER, CONTENT)
    oids = read(city, Role.OWNER, "SELECT 'city.pipelines_2'::regclass::oid")
    with city.address.connect(Role.OWNER) as connection:
        connection.exec_driver_sql("TRUNCATE city.pipelines")
        connection.commit()

    done = publish_apart(city)

    assert (len(ROWS), 0, 0) == (done.new, done.changed, done.unchanged)
    assert content == read(city, Role.OWNER, CONTENT)
    assert before == shape(city)
    assert oids != read(city, Role.OWNER, "SELECT 'city.pipelines_2'::regclass::oid")


def test_views_made_anew_keep_their_options(city: City) -> None:
    view = "read_restricted.pipelines"
    options = f"SELECT reloptions FROM pg_class WHERE oid = '{view}'::regclass"
    with city.address.connect(Role.OWNER) as connection:
        connection.exec_driver_sql(f"ALTER VIEW {view} SET (security_barrier = true)")
        connection.commit()

    publish_apart(city)

    assert [(["security_barrier=true"],)] == read(city, Role.OWNER, options)
    with city.address.connect(Role.OWNER) as connection:
        connection.exec_driver_sql(f"ALTER VIEW {view} RESET (security_barrier)")
        connection.commit()


def test_each_level_sees_of_a_draft_what_it_may(city: City) -> None:
    publish_apart(city)

    count = "SELECT count(*) FROM pipelines"
    for level, expected in ((Clearance.GOVERNMENT, 10), (Clearance.RESTRICTED, 20)):
        assert [(expected,)] == read(city, reader_role(level), count)
    for level in (Clearance.PUBLIC, Clearance.ENTERPRISE):
        with pytest.raises(DBAPIError, match="does not exist"):
            read(city, reader_role(level), count)
    for level in Clearance:
        with pytest.raises(DBAPIError, match="permission denied"):
            read(city, reader_role(level), f"SELECT count(*) FROM city.pipelines_{GAS}")


def test_a_search_reads_facilities_from_a_draft(city: City) -> None:
    oid = "SELECT 'city.facilities_0'::regclass::oid"
    before = read(city, Role.OWNER, oid)

    publish_apart(city, [facility("D1", 114.05, 22.55)], layer="facilities")

    assert before != read(city, Role.OWNER, oid)
    for level in Clearance:
        found = "SELECT code, live_available FROM facilities_live_0"
        assert [("D1", None)] == read(city, reader_role(level), found)


def test_what_is_published_later_finds_the_rows_of_a_draft(city: City) -> None:
    first = publish_apart(city)

    again = publish_apart(city)
    moved = publish_apart(city, [ROWS[0] | {"material": "钢"}, pipe("N", "JP", *_ELSEWHERE)])

    assert (0, 0, 20) == (again.new, again.changed, again.unchanged)
    assert (1, 1, 0) == (moved.new, moved.changed, moved.unchanged)
    assert first.recorded_at < again.recorded_at < moved.recorded_at
    assert [(21, 1)] == read(
        city,
        Role.OWNER,
        "SELECT count(*), count(DISTINCT material) FROM city.pipelines "
        "WHERE upper_inf(valid_during)",
    )


_ELSEWHERE = ((114.2, 22.5, 3.0), (114.2, 22.501, 4.0))


def test_only_partitions_that_are_empty_and_get_many_rows_are_filled_apart(city: City) -> None:
    city.publish("pipelines", ROWS[:1])
    oid = "SELECT 'city.pipelines_{}'::regclass::oid"
    water, gas = (read(city, Role.OWNER, oid.format(level)) for level in (WATER, GAS))

    publish_apart(city, least=10)

    assert water == read(city, Role.OWNER, oid.format(WATER))
    assert gas != read(city, Role.OWNER, oid.format(GAS))
    assert [(20,)] == read(city, Role.OWNER, "SELECT count(*) FROM city.pipelines")


def test_a_reader_who_does_not_let_go_delays_and_does_not_stop(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "ADOPTION_TIMEOUT_S", 0.2)
    before = shape(city)
    oids = read(city, Role.OWNER, "SELECT 'city.pipelines_2'::regclass::oid")

    with city.address.connect(Role.READ_RESTRICTED) as reader:
        assert 0 == reader.execute(text("SELECT count(*) FROM pipelines")).scalar_one()
        done = publish_apart(city)

    assert len(ROWS) == done.new
    assert [(20,)] == read(city, Role.READ_RESTRICTED, "SELECT count(*) FROM pipelines")
    assert before == shape(city)
    assert oids == read(city, Role.OWNER, "SELECT 'city.pipelines_2'::regclass::oid")


def test_readers_see_all_or_nothing_and_no_error(city: City) -> None:
    seen: set[int] = set()
    stopped = threading.Event()

    def look() -> None:
        with city.address.connect(Role.READ_RESTRICTED) as connection:
            while not stopped.is_set():
                rows = connection.execute(text("SELECT count(*) FROM pipelines"))
                seen.add(rows.scalar_one())
                connection.rollback()

    looking = [threading.Thread(target=look) for _ in range(2)]
    for thread in looking:
        thread.start()
    try:
        publish_apart(city)
    finally:
        while len(ROWS) not in seen and all(thread.is_alive() for thread in looking):
            time.sleep(0.01)
        stopped.set()
        for thread in looking:
            thread.join()

    assert seen <= {0, len(ROWS)}
    assert len(ROWS) in seen


def test_who_reads_the_layers_table_meanwhile_waits_and_is_not_stopped(city: City) -> None:
    read_keys = text("SELECT count(natural_key) FROM city.pipelines")
    counted: list[int] = []

    def count() -> None:
        with city.address.connect(Role.INGEST) as connection:
            counted.append(connection.execute(read_keys).scalar_one())

    publishing = threading.Thread(target=publish_apart, args=(city,))
    counting = threading.Thread(target=count)
    with city.address.connect(Role.INGEST) as first:
        first.execute(read_keys)
        publishing.start()
        _wait_until_locks_are_wanted(city, 1)
        counting.start()
        _wait_until_locks_are_wanted(city, 2)
        first.rollback()
        counting.join()
        publishing.join()

    assert counted == [len(ROWS)]


def _wait_until_locks_are_wanted(city: City, waiting: int) -> None:
    wanted = (
        "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        if read(city, Role.OWNER, wanted)[0][0] >= waiting:
            return
        time.sleep(0.02)


def test_a_partition_with_an_index_that_drafts_lack_is_filled_row_by_row(city: City) -> None:
    oid = "SELECT 'city.pipelines_2'::regclass::oid"
    with city.address.connect(Role.OWNER) as connection:
        connection.exec_driver_sql("CREATE INDEX extra ON city.pipelines_2 USING brin (load_id)")
        connection.commit()
    before = read(city, Role.OWNER, oid)

    publish_apart(city)

    assert before == read(city, Role.OWNER, oid)
    assert [(20,)] == read(city, Role.OWNER, "SELECT count(*) FROM city.pipelines")
    with city.address.connect(Role.OWNER) as connection:
        connection.exec_driver_sql("DROP INDEX city.extra")
        connection.commit()


def test_a_draft_whose_load_died_is_dropped_by_the_next(city: City) -> None:
    with city.address.connect(Role.LOADER) as connection:
        connection.execute(text("SELECT city.make_draft('pipelines', 2, 123)"))
        connection.commit()
        drop_leftovers(connection)


@pytest.mark.parametrize(
    "call",
    [
        "city.make_draft('pipelines', 0, 1)",
        "city.make_draft('pipelines', 4, 1)",
        "city.make_draft('observations', 202601, 1)",
        "city.make_draft('pipelines_2; DROP TABLE city.loads', 2, 1)",
        "city.make_draft('loads', 2, 1)",
        "city.index_draft('pg_class', 2, 1, 'btree')",
        "city.adopt_draft('parcels', 2, 99)",
    ],
)
def test_the_loader_cannot_name_another_table(loader_connection: Connection, call: str) -> None:
    with pytest.raises(DBAPIError, match=r"no such partition|does not exist"):
        loader_connection.execute(text(f"SELECT {call}"))


def test_a_draft_never_replaces_rows(city: City) -> None:
    publish_plainly(city)

    with city.address.connect(Role.LOADER) as connection:
        connection.execute(text("SELECT city.make_draft('pipelines', 2, 7)"))
        with pytest.raises(DBAPIError, match="not empty"):
            connection.execute(text("SELECT city.adopt_draft('pipelines', 2, 7)"))

    assert [(20,)] == read(city, Role.OWNER, "SELECT count(*) FROM city.pipelines")


@pytest.mark.parametrize(
    "call",
    [
        "make_draft('pipelines', 2, 1)",
        "index_draft('pipelines', 2, 1, 'btree')",
        "adopt_draft('pipelines', 2, 1)",
        "discard_drafts(1)",
    ],
)
@pytest.mark.parametrize("role", [r for r in Role if r not in (Role.OWNER, Role.LOADER)])
def test_nobody_else_may_ask_for_drafts(city: City, role: Role, call: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        read(city, role, f"SELECT city.{call}")

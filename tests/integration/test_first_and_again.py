"""The quick ways of a load: rows copied straight into drafts, and rows that are known left aside.

Whichever way is taken, the layer is the same in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from layers import publish as publishing
from layers.drafts import Apart
from layers.registry import get_layer
from layers.roles import Role
from layers.undo import undo_load
from loaders import LoadOptions, LoadReport, load, loading
from loaders.checks.staged import check_staged
from loaders.known import Known
from loaders.mapping import parse_mapping
from tests.support import City, pipe

HEAD = "管线编号,管类,管径,建设年代,wkt\n"
TABLES = ("pipelines", "pipelines_past", "pipeline_nodes", "pipeline_nodes_past")


@pytest.fixture(autouse=True)
def empty(city: City) -> Iterator[None]:
    """No pipes before a test, and nothing staged after it."""
    truncate(city)
    yield
    left = "SELECT relname FROM pg_class WHERE relnamespace = 'staging'::regnamespace"
    assert [] == read(city, left)


@pytest.fixture
def small_drafts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drafts become partitions however few rows they hold."""

    monkeypatch.setattr(loading, "Apart", partial(Apart, least_rows=1))


def truncate(city: City) -> None:
    with city.address.connect(Role.OWNER) as connection:
        for table in TABLES:
            connection.exec_driver_sql(f"TRUNCATE city.{table}")
        connection.commit()


def read(city: City, statement: str) -> list[Any]:
    with city.address.connect(Role.OWNER) as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def line(code: str, *, kind: str = "JP", size: str = "300", date: str = "2015-06-01") -> str:
    x = 114 + int(code[1:]) / 1000
    return f'{code},{kind},{size},{date},"LINESTRING Z ({x} 22.5 3,{x} 22.501 4)"\n'


def lines(*codes: str, **more: str) -> str:
    return HEAD + "".join(line(code, **more) for code in codes)


def load_text(city: City, path: Path, content: str, **more: Any) -> LoadReport:
    """Load a table of pipes in EPSG:4490."""
    path.write_text(content, encoding="utf-8")
    options = LoadOptions(city=city.settings.city.frame(), crs="EPSG:4490")
    with city.address.connect_loader() as connections:
        layer = get_layer(more.pop("layer", "pipelines"))
        return load(connections, layer, [path], replace(options, **more))


WHEN = """
    CASE WHEN {0} < now() - interval '1 day' THEN CAST({0} AS text)
         ELSE (SELECT count(*) FROM city.loads
               WHERE layer = 'pipelines' AND recorded_at >= {0})::text END"""
"""A date of the file as it is, an instant of a load as its number from the last one on."""

TIMES = ", ".join(
    WHEN.format(f"{end}({during})")
    for during in ("valid_during", "recorded_during")
    for end in ("lower", "upper")
)
CONTENT = f"""
    SELECT natural_key, kind, category, diameter_mm, installed_on, admin_code, clearance,
           ST_AsEWKT(geom), ST_AsEWKT(geom_3857), z_source, {TIMES}
    FROM city.{{}} v ORDER BY natural_key, lower(valid_during), lower(recorded_during)"""


def content(city: City) -> list[Any]:
    return [read(city, CONTENT.format(name)) for name in ("pipelines", "pipelines_past")]


SHAPE = (
    "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'city' "
    "AND tablename ~ '^pipelines_[0-9]$' ORDER BY indexname",
    "SELECT relname, pg_get_expr(relpartbound, oid), relowner::regrole::text, relpersistence::text,"
    " coalesce(relacl, acldefault('r', relowner))::text FROM pg_class "
    "WHERE relname ~ '^pipelines_[0-9]$' AND relkind = 'r' ORDER BY relname",
    "SELECT conrelid::regclass::text, conname FROM pg_constraint "
    "WHERE conrelid::regclass::text LIKE 'city.pipelines%' AND contype = 'c' ORDER BY 1, 2",
    "SELECT attrelid::regclass::text, attname, attnotnull, attgenerated::text, "
    "format_type(atttypid, atttypmod), pg_get_expr(d.adbin, d.adrelid) "
    "FROM pg_attribute JOIN pg_class c ON c.oid = attrelid AND relkind = 'r' "
    "LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum "
    "WHERE relname ~ '^pipelines_[0-9]$' AND NOT attisdropped ORDER BY 1, 2",
)


def without_drafts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "is_without_rows", lambda *_: False)
    without_knowledge(monkeypatch)


def without_knowledge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Known, "of_last_load", classmethod(lambda *_: None))


DATED = lines("A1", "A2") + line("B3", kind="TR")
MIXED = DATED + line("A4", date="") + line("B5", kind="TR", date="")
UNDATED = lines("A1", "A2", date="")


@pytest.mark.usefixtures("small_drafts")
@pytest.mark.parametrize("rows", [DATED, MIXED, UNDATED])
@pytest.mark.parametrize("valid_from", [None, datetime(2020, 1, 1, tzinfo=UTC)])
def test_a_first_load_through_drafts_is_the_same_as_one_without(
    city: City,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rows: str,
    valid_from: datetime | None,
) -> None:
    with monkeypatch.context() as patched:
        without_drafts(patched)
        plainly = load_text(city, tmp_path / "a.csv", rows, valid_from=valid_from)
    expected, shape = content(city), [read(city, one) for one in SHAPE]
    truncate(city)
    oids = read(city, "SELECT 'city.pipelines_2'::regclass::oid")

    report = load_text(city, tmp_path / "a.csv", rows, valid_from=valid_from)

    assert (plainly.new, plainly.rejected) == (report.new, report.rejected)
    assert expected == content(city)
    assert shape == [read(city, one) for one in SHAPE]
    assert oids != read(city, "SELECT 'city.pipelines_2'::regclass::oid")


@pytest.mark.usefixtures("small_drafts")
def test_segments_made_of_nodes_move_into_the_draft_of_their_clearance(
    city: City, tmp_path: Path
) -> None:
    nodes = "物探点号,管类,lon,lat,地面高程\nW1,JP,114.05,22.54,5\nG1,TR,114.052,22.54,5\n"
    segments = (
        "管线编号,管类,起点点号,终点点号,起点埋深,终点埋深,建设年代\n"
        "A1,JP,W1,G1,1,1,2015-06-01\nA2,JP,W1,X9,1,1,2015-06-01\n"
    )
    load_text(city, tmp_path / "n.csv", nodes, layer="pipeline_nodes")

    report = load_text(city, tmp_path / "a.csv", segments)

    assert (1, 1) == (report.new, report.rejected)
    assert [("A1", 3)] == read(city, "SELECT natural_key, clearance FROM city.pipelines_3")


@pytest.mark.usefixtures("small_drafts")
def test_equal_keys_of_a_first_load_are_found_across_drafts(city: City, tmp_path: Path) -> None:
    rows = lines("A1", "A2") + line("A1", kind="TR")

    report = load_text(city, tmp_path / "a.csv", rows)

    assert (2, 1) == (report.new, report.rejected)
    assert [("A1", 2), ("A2", 2)] == read(city, "SELECT code, clearance FROM city.pipelines")


@pytest.mark.usefixtures("small_drafts")
def test_a_layer_that_is_filled_meanwhile_gets_the_rows_of_drafts_one_by_one(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(*arguments: Any, **words: Any) -> None:
        checked(*arguments, **words)
        city.publish("pipelines", [pipe("A1", "JP", (114.2, 22.5, 1.0), (114.2, 22.6, 1.0))])

    checked = check_staged
    monkeypatch.setattr(loading, "check_staged", check)

    report = load_text(city, tmp_path / "a.csv", DATED)

    assert (2, 1) == (report.new, report.changed)


def test_few_rows_leave_drafts_for_the_partition(city: City, tmp_path: Path) -> None:
    oids = read(city, "SELECT 'city.pipelines_2'::regclass::oid")

    report = load_text(city, tmp_path / "a.csv", MIXED)

    assert report.new == 5
    assert oids == read(city, "SELECT 'city.pipelines_2'::regclass::oid")


@pytest.mark.usefixtures("small_drafts")
def test_a_publication_that_fails_leaves_the_layer_empty(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "_put_in_place", fail)

    with pytest.raises(KeyboardInterrupt):
        load_text(city, tmp_path / "a.csv", DATED)

    assert [[], []] == content(city)


LATER = (
    lines("A1", "A2") + line("A6", size="400") + line("B3", kind="TR", size="99999") + line("A7")
)
FIRST = lines("A1", "A2", "A6") + line("B3", kind="TR")


def _undone(city: City, report: LoadReport) -> None:
    with city.address.connect(Role.LOADER) as connection:
        assert report.load_id is not None
        undo_load(connection, report.load_id)
        connection.commit()


def _changed_by_another(city: City, _: LoadReport) -> None:
    city.publish("pipelines", [pipe("A1", "JP", (114.2, 22.5, 1.0), (114.2, 22.6, 1.0))])


@pytest.mark.parametrize(
    ("between", "left_aside"),
    [(lambda *_: None, 2), (_undone, 0), (_changed_by_another, 0)],
    ids=["nothing", "undo", "another load"],
)
def test_a_load_again_is_the_same_as_one_that_reads_all_rows(
    city: City,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    between: Callable[[City, LoadReport], None],
    left_aside: int,
) -> None:
    between(city, load_text(city, tmp_path / "a.csv", FIRST))
    with monkeypatch.context() as patched:
        without_knowledge(patched)
        plainly = load_text(city, tmp_path / "a.csv", LATER)
    expected = content(city)
    truncate(city)
    between(city, load_text(city, tmp_path / "a.csv", FIRST))
    counted = count_left_aside(monkeypatch)

    report = load_text(city, tmp_path / "a.csv", LATER)

    assert [left_aside] == counted
    assert counts(plainly) == counts(report)
    assert plainly.examples == report.examples
    assert expected == content(city)


def counts(report: LoadReport) -> tuple[int, ...]:
    return (report.read, report.new, report.changed, report.unchanged, report.rejected)


def count_left_aside(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Fills with how many rows each publication from now on was spared."""
    counted: list[int] = []

    def publish(*arguments: Any) -> Any:
        counted.append(arguments[4].ledger.left_aside)
        return published(*arguments)

    published = loading._publish
    monkeypatch.setattr(loading, "_publish", publish)
    return counted


def test_what_was_left_aside_is_left_aside_the_next_time_too(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_text(city, tmp_path / "a.csv", FIRST)
    load_text(city, tmp_path / "a.csv", LATER)
    counted = count_left_aside(monkeypatch)

    report = load_text(city, tmp_path / "a.csv", LATER)

    assert (4, 1) == (report.unchanged, report.rejected)
    assert [4] == counted


def test_a_row_as_it_was_before_the_last_load_is_a_change(city: City, tmp_path: Path) -> None:
    load_text(city, tmp_path / "a.csv", FIRST)
    load_text(city, tmp_path / "a.csv", LATER)

    report = load_text(city, tmp_path / "a.csv", FIRST)

    assert (1, 3) == (report.changed, report.unchanged)


@pytest.mark.parametrize(
    "more",
    [
        {"mapping": parse_mapping({"columns": {"pressure": "管径"}})},
        {"valid_from": datetime(2001, 1, 1, tzinfo=UTC)},
        {"is_complete": True},
        {"is_correction": True},
        {"key": ("code", "kind")},
    ],
    ids=["other mapping", "since earlier", "complete", "correction", "other key"],
)
def test_rows_said_otherwise_are_all_read(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    load_text(city, tmp_path / "a.csv", FIRST)
    counted = count_left_aside(monkeypatch)

    load_text(city, tmp_path / "a.csv", FIRST, **more)

    assert [0] == counted


def test_nothing_is_known_of_a_layer_without_rows(city: City, tmp_path: Path) -> None:
    load_text(city, tmp_path / "a.csv", FIRST)
    truncate(city)

    report = load_text(city, tmp_path / "a.csv", FIRST)

    assert report.new == 4


def test_a_second_row_of_a_known_key_is_rejected_as_ever(city: City, tmp_path: Path) -> None:
    load_text(city, tmp_path / "a.csv", FIRST)

    for second in (line("A1"), line("A1", size="500")):
        report = load_text(city, tmp_path / "a.csv", FIRST + second)

        assert (5, 0, 4, 1) == (report.read, report.changed, report.unchanged, report.rejected)


def test_a_load_is_read_again_if_another_is_published_while_it_is_read(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_text(city, tmp_path / "a.csv", FIRST)
    others = [pipe("A1", "JP", (114.2, 22.5, 1.0), (114.2, 22.6, 1.0))]

    def check(*arguments: Any, **words: Any) -> None:
        checked(*arguments, **words)
        if others:
            city.publish("pipelines", [others.pop()])

    checked = check_staged
    monkeypatch.setattr(loading, "check_staged", check)

    report = load_text(city, tmp_path / "a.csv", FIRST)

    assert (1, 3) == (report.changed, report.unchanged)
    failed = "SELECT message FROM city.loads WHERE state = 'failed' ORDER BY load_id DESC LIMIT 1"
    assert "another load was published meanwhile" in read(city, failed)[0][0]


def test_a_dry_run_leaves_known_rows_aside_and_remembers_nothing(
    city: City, tmp_path: Path
) -> None:
    load_text(city, tmp_path / "a.csv", FIRST)
    kept = read(city, "SELECT load_id FROM city.staged_digests")

    report = load_text(city, tmp_path / "a.csv", LATER, dry_run=True)

    assert (1, 1, 2, 1) == (report.new, report.changed, report.unchanged, report.rejected)
    assert kept == read(city, "SELECT load_id FROM city.staged_digests")

"""Checks of all rows of a load on real PostGIS: each rule finds its fault, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from layers.registry import get_layer
from layers.roles import Role
from loaders import LoadOptions, LoadReport, load
from loaders.checks import geometries
from loaders.findings import Finding
from loaders.rules import Thresholds
from tests.support import City

LoadTable = Callable[..., LoadReport]

NODES = "物探点号,管类,lon,lat,地面高程,特征,附属物"
LINES = (
    "管线编号,管类,起点点号,终点点号,起点埋深,终点埋深,起点高程,终点高程,材质,管径,流向,埋设方式"
)
PARCELS = "宗地代码,不动产单元号,宗地面积,wkt"
METRE_LON = 1 / 102_850
METRE_LAT = 1 / 110_751


@pytest.fixture
def load_table(city: City, tmp_path: Path) -> LoadTable:
    """Loads lines of a table in EPSG:4490: ``load_table(layer, header, *rows, **options)``."""

    def run(layer: str, header: str, *rows: str, **options: object) -> LoadReport:
        path = tmp_path / f"{layer}.csv"
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        told = LoadOptions(
            city=city.settings.city.frame(),
            crs="EPSG:4490",
            **options,  # type: ignore[arg-type]  # options by name
        )
        with city.address.connect_loader() as connections:
            return load(connections, get_layer(layer), [path], told)

    return run


def node(
    name: str,
    x_m: float,
    y_m: float,
    *,
    ground: float = 5.0,
    feature: str = "直通",
    thing: str = "",
) -> str:
    """A row of a point table, so many metres from a corner in the city."""
    lon, lat = 114.05 + x_m * METRE_LON, 22.54 + y_m * METRE_LAT
    return f"{name},WS,{lon:.9f},{lat:.9f},{ground},{feature},{thing}"


def line(code: str, start: str, end: str, *, depth: str = "1,1", elevation: str = "4,4") -> str:
    """A row of a line table between two points."""
    return f"{code},WS,{start},{end},{depth},{elevation},PVC,300,,GM"


def found(report: LoadReport, rule: str) -> list[Finding]:
    """The findings of one rule."""
    return [finding for finding in report.findings.kept if finding.rule == rule]


def test_a_survey_without_a_fault_has_no_finding(load_table: LoadTable) -> None:
    load_table("pipeline_nodes", NODES, *(node(f"A{n}", 30 * n, 0) for n in range(4)))

    report = load_table(
        "pipelines", LINES, *(line(f"A{n}", f"A{n}", f"A{n + 1}") for n in range(3))
    )

    assert (3, {}) == (report.new, dict(report.findings.counts))
    parts = next(c for c in report.checks if c.name == "network: connected parts")
    assert 1 == parts.summary["components"]


def test_each_rule_of_lines_finds_its_fault_at_its_place(load_table: LoadTable) -> None:
    points = (
        node("B1", 0, 100),
        node("B2", 100, 100),
        node("B3", 100.02, 100),
        node("B4", 101, 100, feature="三通"),
        node("B5", 101, 130, ground=9),
        node("B9", 300, 100),
    )
    load_table("pipeline_nodes", NODES, *points)

    report = load_table(
        "pipelines",
        LINES,
        line("long", "B1", "B2"),
        line("short", "B2", "B3"),
        line("steep", "B3", "B4", elevation="4,2"),
        line("ground", "B4", "B5", elevation="2,4", depth="1,1"),
        line("reversed", "B2", "B1"),
    )

    counts = report.findings.counts
    assert {
        "segment_too_long": 2,
        "segment_too_short": 1,
        "segment_too_steep": 1,
        "segment_twice": 1,
        "ways_mismatch": 1,
        "orphan_node": 1,
        "ground_mismatch": 3,
        "sharp_angle": 2,
        "same_geometry": 1,
    } == dict(counts)
    assert ["B9"] == [finding.key for finding in found(report, "orphan_node")]
    (ways,) = found(report, "ways_mismatch")
    assert (3, 2) == (ways.details["expected"], ways.details["found"])
    assert ways.place == pytest.approx((114.05 + 101 * METRE_LON, 22.54 + 100 * METRE_LAT))
    (twice,) = found(report, "segment_twice")
    assert ("reversed", "long") == (twice.key, twice.details["other"])
    assert 5 == report.new


def test_lines_must_agree_at_a_point_they_share(load_table: LoadTable) -> None:
    load_table("pipeline_nodes", NODES, *(node(f"C{n}", 30 * n, 200) for n in range(3)))
    first = line("C1", "C0", "C1", elevation="4,4")
    second = line("C2", "C1", "C2", elevation="4.5,4", depth="0.5,1").replace("PVC,300", "PE,200")

    report = load_table("pipelines", LINES, first, second)

    assert {
        "elevations_at_node": 1,
        "depths_at_node": 1,
        "materials_at_node": 1,
        "sections_at_node": 1,
    } == dict(report.findings.counts)
    (sizes,) = found(report, "sections_at_node")
    assert ["200", "300"] == sizes.details["values"]


def test_depth_and_elevation_are_added_as_decimals(load_table: LoadTable) -> None:
    points = [node(f"D{n}", 30 * n, 300, ground=0.3) for n in range(2)]
    load_table("pipeline_nodes", NODES, *points)
    exact = line("D", "D0", "D1", depth="0.1,0.1", elevation="0.2,0.2")

    report = load_table("pipelines", LINES, exact, thresholds=Thresholds(ground_agreement_m=0))

    assert 0 == report.findings.counts["ground_mismatch"]


def test_sewers_do_not_flow_uphill(load_table: LoadTable) -> None:
    points = [node(f"E{n}", 30 * n, 400, ground=5 - n * 0.5) for n in range(3)]
    load_table("pipeline_nodes", NODES, *points)
    down = line("E1", "E0", "E1", elevation="4,3.5").replace(",,GM", ",+,GM")
    up = line("E2", "E1", "E2", elevation="3.5,3").replace(",,GM", ",-,GM")

    report = load_table("pipelines", LINES, down, up)

    assert ["E2"] == [finding.key for finding in found(report, "flow_uphill")]


def test_pipes_that_cross_at_one_depth_collide_and_at_two_do_not(load_table: LoadTable) -> None:
    crosses = [
        node(f"F{n}", x, y) for n, (x, y) in enumerate([(0, 500), (40, 540), (0, 540), (40, 500)])
    ]
    load_table("pipeline_nodes", NODES, *crosses)
    one = line("F1", "F0", "F1")

    same = load_table(
        "pipelines", LINES, one, line("F2", "F2", "F3", elevation="4.2,4.2", depth="0.8,0.8")
    )
    apart = load_table(
        "pipelines", LINES, one, line("F2", "F2", "F3", elevation="4.4,4.4", depth="0.6,0.6")
    )

    (collision,) = found(same, "pipes_collide")
    assert ("F2", "F1", 0.2) == (
        collision.key,
        collision.details["other"],
        collision.details["gap"],
    )
    assert collision.place == pytest.approx((114.05 + 20 * METRE_LON, 22.54 + 520 * METRE_LAT))
    assert [] == found(apart, "pipes_collide")


def test_a_pipe_that_is_long_collides_too(load_table: LoadTable) -> None:
    header = "管线编号,管类,管径,wkt"
    far = '"LINESTRING Z(114.2 22.50 3,114.3 22.60 3)"'
    short = '"LINESTRING Z(114.2499 22.5501 3,114.2501 22.5499 3)"'

    report = load_table("pipelines", header, f"G1,JP,300,{far}", f"G2,JP,300,{short}")

    assert ["G2"] == [finding.key for finding in found(report, "pipes_collide")]


def test_an_end_meets_its_node_or_is_told_of(load_table: LoadTable) -> None:
    load_table("pipeline_nodes", NODES, node("H1", 0, 700), node("H2", 30, 700))
    header = "管线编号,管类,起点点号,终点点号,wkt"
    x1, x2, y = 114.05, 114.05 + 30 * METRE_LON, 22.54 + 700 * METRE_LAT
    on = f'"LINESTRING Z({x1:.9f} {y:.9f} 3,{x2:.9f} {y:.9f} 3)"'
    off = f'"LINESTRING Z({x1:.9f} {y:.9f} 3,{x2 + METRE_LON:.9f} {y:.9f} 3)"'

    report = load_table(
        "pipelines", header, f"H1,JP,H1,H2,{on}", f"H2,JP,H1,H7,{on}", f"H3,JP,H1,H2,{off}",
        f"H4,JP,,,{off}",
    )  # fmt: skip

    rules = ("unknown_node", "end_off_node", "end_without_node")
    assert [["H2"], ["H3"], ["H4"]] == [[f.key for f in found(report, rule)] for rule in rules]


def test_a_load_is_compared_with_lines_that_are_held(load_table: LoadTable) -> None:
    points = [node("J0", 0, 800, feature="三通"), *(node(f"J{n}", 30 * n, 801) for n in (1, 2, 3))]
    load_table("pipeline_nodes", NODES, *points)
    first = load_table("pipelines", LINES, line("J1", "J0", "J1"), line("J2", "J0", "J2"))

    second = load_table("pipelines", LINES, line("J3", "J0", "J3"))

    assert (1, 0) == tuple(r.findings.counts["ways_mismatch"] for r in (first, second))


def square(code: str, x_m: float, y_m: float, *, size_m: float = 100, area: str = "") -> str:
    """A row of a table of parcels."""
    west, south = 114.1 + x_m * METRE_LON, 22.6 + y_m * METRE_LAT
    east, north = west + size_m * METRE_LON, south + size_m * METRE_LAT
    ring = f"{west} {south},{east} {south},{east} {north},{west} {north},{west} {south}"
    return f'{code},,{area},"POLYGON(({ring}))"'


def test_parcels_that_overlap_or_leave_a_sliver_are_told_of_each_pair_once(
    load_table: LoadTable,
) -> None:
    code = "440304001001GB0000{}".format

    report = load_table(
        "parcels",
        PARCELS,
        square(code(1), 0, 0, area="10000"),
        square(code(2), 100, 0, area="20000"),
        square(code(3), 199, 0),
        square(code(4), 0, 100.1),
        square(code(5), 500, 0, size_m=0.3),
    )

    assert {
        "parcels_overlap": 1,
        "parcels_leave_sliver": 2,
        "sliver_parcel": 1,
        "area_differs": 1,
    } == dict(report.findings.counts)
    (overlap,) = found(report, "parcels_overlap")
    assert (code(3), code(2)) == (overlap.key, overlap.details["other"])
    assert 100 == pytest.approx(overlap.details["area"], rel=0.01)
    assert 5 == report.new


def test_a_parcel_lies_in_the_district_of_its_code(load_table: LoadTable) -> None:
    district = '{},区,district,"POLYGON(({} 22.7,{} 22.7,{} 22.8,{} 22.8,{} 22.7))"'.format
    areas = (
        district("440304", 114.0, 114.1, 114.1, 114.0, 114.0),
        district("440305", 114.1, 114.2, 114.2, 114.1, 114.1),
    )
    load_table("districts", "行政区划代码,名称,级别,wkt", *areas)
    inside = (114.05 - 114.1) / METRE_LON, (22.75 - 22.6) / METRE_LAT

    report = load_table(
        "parcels",
        PARCELS,
        square("440304002001GB00001", *inside),
        square("440305002001GB00001", inside[0] + 500, inside[1]),
        square("110101002001GB00001", inside[0] + 900, inside[1]),
    )

    outside, county = (found(report, r) for r in ("parcel_outside_district", "parcel_county"))
    assert ["440305002001GB00001"] == [finding.key for finding in outside]
    assert ["110101002001GB00001"] == [finding.key for finding in county]


def test_geometries_that_are_nearly_the_same_are_told_of(load_table: LoadTable) -> None:
    rows = ("K1,书吧,114.101,22.601", "K2,书吧,114.1010000001,22.601", "K3,书吧,114.102,22.601")

    report = load_table("facilities", "编码,名称,lon,lat", *rows)

    (same,) = found(report, "same_geometry")
    assert ("K2", "K1") == (same.key, same.details["other"])


def test_findings_are_kept_with_their_load_as_secret_as_their_rows(
    city: City, load_table: LoadTable
) -> None:
    header = "管线编号,管类,wkt"
    near = '"LINESTRING Z(114.4 22.6 3,114.40000001 22.6 3)"'

    report = load_table("pipelines", header, f"L1,TR,{near}", "L2,TR,", "L3,XX,")

    with city.address.connect(Role.OWNER) as connection:
        kept = connection.execute(
            text(
                "SELECT rule, severity, natural_key, clearance, ST_X(place)::numeric(5,2) AS lon "
                "FROM city.findings WHERE load_id = :id ORDER BY row_number, rule"
            ),
            {"id": report.load_id},
        ).all()
        counts = connection.execute(
            text("SELECT source->'findings' FROM city.loads WHERE load_id = :id"),
            {"id": report.load_id},
        ).scalar_one()
    told = [(row.rule, row.severity, row.natural_key, row.clearance) for row in kept]
    assert ("segment_too_short", "warning", "L1", 3) in told
    assert ("no_geometry", "error", "L2", 3) in told
    assert Counter(counts) == report.findings.counts


def test_checks_between_rows_can_be_left_out(load_table: LoadTable) -> None:
    report = load_table(
        "pipelines", "管线编号,管类,wkt", 'M1,JP,"LINESTRING Z(114.41 22.6 3,114.41000001 22.6 3)"',
        checks="rows",
    )  # fmt: skip

    assert {} == dict(report.findings.counts)


def test_findings_are_counted_exactly_and_kept_up_to_a_bound(load_table: LoadTable) -> None:
    rows = [f"N{n},书吧,114.2,22.6" for n in range(1502)]

    report = load_table("facilities", "编码,名称,lon,lat", *rows)

    assert 1501 == report.findings.counts["same_geometry"]
    assert 1000 == len(found(report, "same_geometry"))


def test_a_check_that_cannot_be_run_fails_no_load(
    load_table: LoadTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geometries, "_SAME", "SELECT 1 / 0 AS rule FROM {rows}")

    report = load_table("facilities", "编码,名称,lon,lat", "O1,书吧,114.25,22.6")

    assert 1 == report.new
    assert ["could not be judged"] == [check.note for check in report.checks if check.note]

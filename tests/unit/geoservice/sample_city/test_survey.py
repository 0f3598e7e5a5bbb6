"""The point and line tables against the rules that survey deliveries are checked by."""

import math
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

GRAVITY = {"YS", "WS"}


def test_point_numbers_are_unique_over_all_classes(sample_city: Any) -> None:
    rows = sample_city.rows("pipeline_nodes", "gb18030")

    assert len(sample_city.points) == len(rows)


def test_both_points_of_a_line_exist_in_its_class(sample_city: Any) -> None:
    for file in sample_city.manifest.of_layer("pipelines"):
        category = file.path[-6:-4]
        lines = sample_city.directory / file.path
        points = (sample_city.directory / f"管点_{category}.csv").read_text(encoding="gb18030")
        known = {row.split(",")[0] for row in points.splitlines()[1:]}
        ends = [row.split(",")[:2] for row in lines.read_text(encoding="gb18030").splitlines()[1:]]

        assert {end for pair in ends for end in pair} == known


def test_no_two_lines_join_the_same_points(sample_city: Any) -> None:
    pairs = [frozenset((row["起点点号"], row["终点点号"])) for row in sample_city.lines]

    assert len(set(pairs)) == len(pairs)
    assert all(len(pair) == 2 for pair in pairs)


def test_ground_is_depth_plus_elevation_at_each_end(sample_city: Any) -> None:
    for row in sample_city.lines:
        for end in ("起点", "终点"):
            ground = Decimal(sample_city.points[row[f"{end}点号"]]["地面高程"])

            assert ground == Decimal(row[f"{end}埋深"]) + Decimal(row[f"{end}高程"])


def test_lines_agree_on_depth_where_they_meet(sample_city: Any) -> None:
    depths: dict[str, set[str]] = {}
    for row in sample_city.lines:
        for end in ("起点", "终点"):
            depths.setdefault(row[f"{end}点号"], set()).add(row[f"{end}埋深"])

    assert {len(found) for found in depths.values()} == {1}


def test_gravity_pipes_run_downhill(sample_city: Any) -> None:
    pipes = [row for row in sample_city.lines if row["管线类别"] in GRAVITY]

    for row in pipes:
        fall = Decimal(row["起点高程"]) - Decimal(row["终点高程"])
        assert fall >= 0 if row["流向"] == "+" else fall < 0
    assert {row["流向"] for row in pipes} == {"+", "-"}


def test_pressure_pipes_have_no_direction(sample_city: Any) -> None:
    flows = {row["流向"] for row in sample_city.lines if row["管线类别"] not in GRAVITY}

    assert flows == {"0"}


def test_a_point_is_a_feature_or_an_appurtenance(sample_city: Any) -> None:
    for row in sample_city.points.values():
        assert bool(row["特征"]) != bool(row["附属物"])


@pytest.mark.parametrize(
    ("feature", "degree"), [("预留口", 1), ("三通", 3), ("三分支", 3), ("四通", 4), ("四分支", 4)]
)
def test_points_join_as_many_lines_as_they_say(sample_city: Any, feature: str, degree: int) -> None:
    degrees = Counter(row[name] for row in sample_city.lines for name in ("起点点号", "终点点号"))
    found = [number for number, row in sample_city.points.items() if row["特征"] == feature]

    assert {degrees[number] for number in found} == {degree}


def test_lines_are_neither_too_long_nor_too_short(sample_city: Any) -> None:
    for row in sample_city.lines:
        start, end = (sample_city.points[row[name]] for name in ("起点点号", "终点点号"))
        north, east = (float(end[axis]) - float(start[axis]) for axis in ("X", "Y"))
        rise = float(row["终点高程"]) - float(row["起点高程"])
        length = math.hypot(north, east)

        assert 0.05 <= length <= 75.0
        assert abs(math.degrees(math.atan2(rise, length))) < 10.0


def test_no_two_points_of_a_class_are_in_the_same_place(sample_city: Any) -> None:
    places = Counter((row["管线类别"], row["X"], row["Y"]) for row in sample_city.points.values())

    assert max(places.values()) == 1


def test_a_point_is_not_younger_than_its_lines(sample_city: Any) -> None:
    for row in sample_city.lines:
        for name in ("起点点号", "终点点号"):
            assert sample_city.points[row[name]]["建设年代"] <= row["建设年代"]


def test_x_is_the_northing(sample_city: Any) -> None:
    for row in sample_city.points.values():
        assert 2_478_000 < float(row["X"]) < 2_531_000
        assert 474_000 < float(row["Y"]) < 567_000


def test_round_pipes_have_a_diameter_and_others_a_section(sample_city: Any) -> None:
    for row in sample_city.lines:
        assert bool(row["管径"]) != bool(row["断面"])


def test_ducts_in_use_are_at_most_all_ducts(sample_city: Any) -> None:
    ducts = [row for row in sample_city.lines if row["总孔数"]]

    assert ducts
    assert all(0 <= int(row["已用孔数"]) <= int(row["总孔数"]) for row in ducts)

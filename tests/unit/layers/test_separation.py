"""Separations of pipes: each row of the table just inside and just outside, and random scenes."""

from __future__ import annotations

from itertools import combinations, permutations, product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from layers.separation.bodies import Body
from layers.separation.judging import TOLERANCE_M, judge, separation_of
from layers.separation.table import Measure, PipeClass, Rule, SeparationTable
from layers.underground.pipes import Pipe

TABLE = SeparationTable.shipped()
CLASSES = {one.name: one for one in TABLE.classes}
KIND = {"JS": "JP", "PS": "YS", "RQ": "TR", "RL": "RS", "DL": "GD", "TX": "DH", "GY": "QQ"}
INSIDE, OUTSIDE = -0.003, 0.003


def cases(rules: tuple[Rule, ...]) -> list[Any]:
    found = [(rule, a, b) for rule in rules for a, b in product(rule.a, rule.b)]
    return [pytest.param(*case, id=f"{case[0].clause} {case[1]} {case[2]}") for case in found]


def laid(
    number: int,
    like: PipeClass,
    *points: tuple[float, ...],
    diameter_mm: float | None = 200,
    **more: Any,
) -> Body:
    """A pipe of a class through points: easting, northing and perhaps elevation, metres."""
    attributes = {
        "kind": KIND[like.category],
        "category": like.category,
        "diameter_mm": diameter_mm,
        "burial": next(iter(like.burials), None),
        "pressure": next(iter(like.pressures), None),
        **more,
    }
    places = [(x, y, *(z or [np.nan])) for x, y, *z in points]
    return Body(Pipe(number, attributes, shapely.LineString(places)))


def diameter_for(rule: Rule) -> float:
    return 400 if rule.above_mm is not None else 200


@pytest.mark.parametrize(("rule", "a", "b"), cases(TABLE.horizontal))
def test_beside_each_other_a_row_decides_to_the_millimetre(rule: Rule, a: str, b: str) -> None:
    size = diameter_for(rule)
    for more, clauses in ((INSIDE, [rule.clause]), (OUTSIDE, [])):
        away = rule.required_m + size / 1_000 + more
        one = laid(1, CLASSES[a], (0, 0), (50, 0), diameter_mm=size)
        other = laid(2, CLASSES[b], (10, away), (40, away), diameter_mm=size)

        found = judge(TABLE, [one, other])

        assert clauses == [one.requirement.rule.clause for one in found.breaches]
        for breach in found.breaches:
            assert rule.required_m == breach.requirement.rule.required_m
            assert -INSIDE == pytest.approx(breach.shortfall_m, abs=1e-9)
            assert not breach.requirement.is_strictest


@pytest.mark.parametrize(("rule", "a", "b"), cases(TABLE.vertical))
def test_where_pipes_cross_a_row_decides_to_the_millimetre(rule: Rule, a: str, b: str) -> None:
    for more, clauses in ((INSIDE, [rule.clause]), (OUTSIDE, [])):
        above = rule.required_m + 0.2 + more
        one = laid(1, CLASSES[a], (0, 0, 2), (50, 0, 4))
        other = laid(2, CLASSES[b], (25, -9, 3 + above), (25, 9, 3 + above))

        found = judge(TABLE, [other, one])

        assert clauses == [one.requirement.rule.clause for one in found.breaches]
        assert not found.undecided


WATER, DRAIN, GAS = CLASSES["water"], CLASSES["drainage"], CLASSES["gas_low"]


def test_where_pipes_cross_at_unknown_heights_nothing_is_decided() -> None:
    one = laid(1, WATER, (0, 0), (10, 0))
    other = laid(2, DRAIN, (5, -5, 1), (5, 5, 1))

    found = judge(TABLE, [one, other])

    assert not found.breaches
    (undecided,) = found.undecided
    assert undecided.separation.distance_m is None
    assert (5.0, 0.0) == tuple(undecided.separation.place[0])


def test_depths_below_the_same_ground_do_where_elevations_are_unknown() -> None:
    at_1_m = {"start_depth_m": 1, "end_depth_m": 1}
    one = laid(1, WATER, (0, 0), (10, 0), **at_1_m)
    # Gravity pipes are measured to the invert, which lies at 1.45 m where they cross.
    other = laid(2, DRAIN, (5, -5), (5, 5), start_depth_m=1.25, end_depth_m=1.65)

    found = judge(TABLE, [one, other])

    (breach,) = found.breaches
    assert "depth" == breach.separation.vertical_from
    assert 0.05 == pytest.approx(breach.separation.distance_m)


def test_pipes_of_one_network_that_meet_are_not_too_near() -> None:
    main = laid(1, WATER, (0, 0, 1), (10, 0, 1))
    branch = laid(2, WATER, (4, 0, 1), (4, 8, 1))
    onward = laid(3, WATER, (10, 0, 1), (20, 3, 1))
    drain = laid(4, DRAIN, (10, 0, 1), (12, -9, 1))

    found = judge(TABLE, [main, branch, onward, drain])

    pairs = {tuple(p.pipe.feature_id for p in one.separation.pair) for one in found.breaches}
    assert {(1, 4), (3, 4)} == pairs


def test_where_too_little_is_known_the_strictest_row_counts_and_is_said_to() -> None:
    gas = PipeClass(name="gas", title="gas", category="RQ")
    one, other = laid(1, gas, (0, 0), (9, 0)), laid(2, WATER, (0, 1.4), (9, 1.4))

    (breach,) = judge(TABLE, [one, other]).breaches

    assert (1.5, True) == (breach.requirement.rule.required_m, breach.requirement.is_strictest)


def test_pipes_overhead_and_kinds_without_rows_are_counted_and_not_judged() -> None:
    overhead = PipeClass(name="x", title="x", category="DL", burials=("JK",))
    oxygen = PipeClass(name="y", title="y", category="GY")
    pipes = [laid(1, overhead, (0, 0), (9, 0)), laid(2, WATER, (0, 0.1), (9, 0.1))]

    found = judge(TABLE, [*pipes, laid(3, oxygen, (0, 0.3), (9, 0.3))])

    assert (1, 1, ()) == (found.exempt, found.without_rule, found.breaches)


def test_a_pipe_that_drops_is_everywhere_between_its_heights() -> None:
    drop = laid(1, DRAIN, (0, 0, 5), (5, 0, 5), (5, 0, 1), (9, 0, 1))
    other = laid(2, WATER, (5, -4, 3), (5, 4, 3))

    found = separation_of(drop, other)

    assert (1.0, 5.0) == drop.heights_at(np.array([5.0, 5, 1, 1]), 5, 0)
    assert found.vertical_m is not None
    assert found.vertical_m < -0.2


def test_pipes_that_run_on_top_of_each_other_and_change_places_touch() -> None:
    one = laid(1, WATER, (0, 0, 1), (10, 0, 3))
    other = laid(2, DRAIN, (0, 0, 3), (10, 0, 1))

    found = separation_of(one, other)

    assert -0.2 == pytest.approx(found.vertical_m)


@pytest.mark.parametrize(
    ("diameter_mm", "section", "half"),
    [(300, None, (0.15, 0.15)), (300, "2000x1500", (1.0, 0.75)), (0, None, (0, 0))],
)
def test_a_body_has_half_of_its_size_to_each_side(
    diameter_mm: float | None, section: str | None, half: tuple[float, float]
) -> None:
    assert half == laid(1, WATER, (0, 0), (1, 0), diameter_mm=diameter_mm, section=section).half_m


def scene(seed: int) -> list[Body]:
    random = Random(seed)
    pipes = []
    for number in range(random.randint(2, 12)):
        like = random.choice(TABLE.classes)
        has_z = random.random() < 0.7
        count = random.randint(2, 4)
        points = [
            (random.uniform(0, 25), random.uniform(0, 25), *([random.uniform(0, 3)] * has_z))
            for _ in range(count)
        ]
        size = random.choice([None, 100, 300, 301, 2_000])
        pipes.append(laid(number + 1, like, *points, diameter_mm=size))
    return pipes


def meet(one: Body, other: Body) -> bool:
    """Whether an end of one lies on the other, so that they may be joined."""
    return any(other.line.distance(shapely.Point(xy)) < 0.02 for xy in one.vertices[[0, -1]])


def by_force(pipes: list[Body]) -> dict[tuple[int, int], float | None]:
    """The shortfall of each pair that is too near, None where that is unknown."""
    found: dict[tuple[int, int], float | None] = {}
    for one, other in combinations(pipes, 2):
        crosses = one.line.intersects(other.line)
        required = wanted(Measure.VERTICAL if crosses else Measure.HORIZONTAL, one, other)
        if required is None:
            continue
        pair = (one.pipe.feature_id, other.pipe.feature_id)
        if not crosses:
            radii = ((one["diameter_mm"] or 0) + (other["diameter_mm"] or 0)) / 2_000
            short: float | None = required - (one.line.distance(other.line) - radii)
        elif one.elevation_m is None or other.elevation_m is None:
            short = None
        else:
            short = required - least_gap(one, other)
        if short is None or short > TOLERANCE_M:
            found[pair] = short
    return found


def wanted(measure: Measure, one: Body, other: Body) -> float | None:
    rules = TABLE.horizontal if measure is Measure.HORIZONTAL else TABLE.vertical
    (a,), (b,) = TABLE.classes_of(one), TABLE.classes_of(other)
    sizes = [one["diameter_mm"], other["diameter_mm"]]
    largest = max(size or 0 for size in sizes)
    required = [
        rule.required_m
        for rule in rules
        if (a in rule.a and b in rule.b) or (b in rule.a and a in rule.b)
        if rule.up_to_mm is None or largest <= rule.up_to_mm
        if rule.above_mm is None or largest > rule.above_mm or None in sizes
    ]
    return max(required, default=None)


def least_gap(one: Body, other: Body) -> float:
    radii = ((one["diameter_mm"] or 0) + (other["diameter_mm"] or 0)) / 2_000
    gaps = []
    pieces = [zip(p.vertices, p.elevation_m, strict=True) for p in (one, other)]  # type: ignore[arg-type]
    lines = [shapely.LineString([(*xy, z) for xy, z in piece]) for piece in pieces]
    for point in shapely.get_parts(shapely.intersection(one.line, other.line)):
        # Each run of a line that passes the crossing has a height there.
        heights = [
            [
                part.interpolate(part.project(point)).z
                for part in runs(line)
                if part.distance(point) < 1e-6
            ]
            for line in lines
        ]
        gaps += [abs(a - b) - radii for a, b in product(*heights)]
    return float(min(gaps))


def runs(line: Any) -> list[Any]:
    return [shapely.LineString(pair) for pair in zip(line.coords, line.coords[1:], strict=False)]


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150)
def test_nothing_is_missed_in_a_random_scene_and_the_order_does_not_matter(seed: int) -> None:
    pipes = scene(seed)
    assume(not any(meet(*pair) for pair in permutations(pipes, 2)))

    found = judge(TABLE, pipes)

    told = {
        tuple(p.pipe.feature_id for p in one.separation.pair): one.shortfall_m
        for one in (*found.breaches, *found.undecided)
    }
    expected = by_force(pipes)
    assert expected.keys() == told.keys()
    for pair, short in expected.items():
        assert short == (None if short is None else pytest.approx(told[pair], abs=1e-6))
    turned = judge(TABLE, pipes[::-1])
    assert {one.shortfall_m for one in turned.breaches} == {
        one.shortfall_m for one in found.breaches
    }
    for one, other in combinations(pipes, 2):
        there, back = separation_of(one, other), separation_of(other, one)
        assert (there.horizontal_m, there.vertical_m) == (back.horizontal_m, back.vertical_m)
        assert there.pair == back.pair


def test_every_answer_can_say_that_the_shipped_table_is_not_verified() -> None:
    assert TABLE.named["verified"] is False
    assert "not the edition in force" in TABLE.named["edition"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"required_m": 1.0', '"required_m": -1', r"horizontal\.\d+\.required_m: "),
        ('"category": "JS"', '"category": "XX"', "unknown categories: XX"),
        ('"a": ["drainage"]', '"a": ["sewer"]', "unknown classes: sewer"),
        ('"JS": 1.0, ', "", "strips_m lacks JS"),
        ('"verified"', '"checked"', "verified: "),
        ("{", "", "table: "),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_the_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    shipped = Path("layers/separation/standard.json").read_text(encoding="utf-8")
    file = tmp_path / "separations.json"
    file.write_text(shipped.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(ValueError, match=said):
        SeparationTable.of_file(file)


def test_the_table_of_the_operator_replaces_the_shipped_one(tmp_path: Path) -> None:
    file = tmp_path / "separations.json"
    text = TABLE.model_dump_json().replace('"verified":false', '"verified":true')
    file.write_text(text, encoding="utf-8")

    assert SeparationTable.of_file(file).verified

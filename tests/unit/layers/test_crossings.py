"""Where a drawn line cuts pipes, against shapely's own intersections."""

from __future__ import annotations

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPoint, Point

from layers.underground.crossings import crossings

SHENZHEN_M = (505_000.0, 2_495_000.0)
"""A place in the plane system; coordinates as large as real ones show what rounding does."""

# Whole metres are exact as floats, so that touching and running along are what they seem.
metres = st.integers(0, 60)
vertices = st.tuples(metres, metres).map(lambda at: (SHENZHEN_M[0] + at[0], SHENZHEN_M[1] + at[1]))
lines = (
    st.lists(vertices, min_size=2, max_size=4)
    .map(LineString)
    .filter(lambda line: line.is_simple and line.length > 1)
)


@settings(max_examples=150, deadline=None)
@given(lines, st.lists(lines, min_size=1, max_size=8))
def test_every_place_that_shapely_finds_is_crossed_and_no_other(
    line: LineString, axes: list[LineString]
) -> None:
    found = crossings(line, axes)

    for position, axis in enumerate(axes):
        mine = MultiPoint([(one.x_m, one.y_m) for one in found if one.pipe == position])
        theirs = shapely.intersection(line, axis)
        assert theirs.is_empty == mine.is_empty
        assert theirs.is_empty or all(theirs.distance(point) < 0.001 for point in mine.geoms)
        points = [part for part in shapely.get_parts(theirs) if isinstance(part, Point)]
        assert all(mine.distance(point) < 0.001 for point in points)


@settings(max_examples=100, deadline=None)
@given(lines, st.lists(lines, min_size=1, max_size=8))
def test_distances_are_along_the_line(line: LineString, axes: list[LineString]) -> None:
    found = crossings(line, axes)

    for one in found:
        assert line.interpolate(one.distance_m).distance(Point(one.x_m, one.y_m)) < 0.001


def test_a_pipe_has_its_elevation_and_angle_where_it_is_cut() -> None:
    [one] = crossings(LineString([(0, 0), (10, 0)]), [LineString([(3, -1, 2), (6, 2, 5)])])

    assert (4.0, 3.0, 45.0) == pytest.approx((one.distance_m, one.axis_elevation_m, one.angle_deg))


def test_a_pipe_without_elevation_is_cut_at_an_unknown_one() -> None:
    [one] = crossings(LineString([(0, 0), (10, 0)]), [LineString([(4, -1), (4, 1)])])

    assert one.axis_elevation_m is None


def test_a_drop_in_a_shaft_is_cut_at_an_elevation_left_open() -> None:
    [one] = crossings(LineString([(0, 0), (10, 0)]), [LineString([(4, 0, 1), (4, 0, 7)])])

    assert (4.0, None) == (one.distance_m, one.axis_elevation_m)


def test_a_pipe_along_the_line_is_a_run() -> None:
    [one] = crossings(LineString([(0, 0), (10, 0)]), [LineString([(12, 0, 1), (4, 0, 9)])])

    assert (4.0, 10.0, 9.0, 0.0) == (
        one.distance_m,
        one.end_distance_m,
        one.axis_elevation_m,
        one.angle_deg,
    )


def test_a_pipe_that_bends_in_the_bend_of_the_line_is_cut_once() -> None:
    line = LineString([(0, 0), (5, 0), (10, 1)])

    found = crossings(line, [LineString([(4, -3), (5, 0), (5, 6)])])

    assert [5.0] == [one.distance_m for one in found]


def test_a_line_that_comes_back_cuts_a_pipe_again() -> None:
    line = LineString([(0, 0), (10, 0), (10, 2), (0, 2)])

    found = crossings(line, [LineString([(4, -1), (4, 3)])])

    assert [4.0, 18.0] == [one.distance_m for one in found]


def test_no_pipes_are_no_crossings() -> None:
    assert [] == crossings(LineString([(0, 0), (10, 0)]), [])

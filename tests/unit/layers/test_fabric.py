"""How parcels are parted and joined in the plane."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import LineString, MultiPolygon, Point, Polygon, box

from layers.cadastre.fabric import merge, split, with_vertex
from layers.cadastre.plane import Plane
from layers.errors import InvalidTransaction

EAST, NORTH = 530_000.0, 2_495_000.0


ORIGIN = np.array((EAST, NORTH))


def area(*parts: Polygon) -> MultiPolygon:
    """A parcel near the origin of the test, in metres of the plane."""
    return shapely.transform(MultiPolygon(parts), lambda xy: xy + ORIGIN)


def with_hole(hole: Polygon) -> MultiPolygon:
    """A parcel of 10 by 10 metres."""
    return area(Polygon(box(0, 0, 10, 10).exterior, [hole.exterior]))


def line(*xy: tuple[float, float]) -> LineString:
    return shapely.transform(LineString(xy), lambda places: places + ORIGIN)


def known(plane: Plane, *parcels: MultiPolygon) -> list[MultiPolygon]:
    """The parcels as the plane gives them when they come from degrees."""
    return [plane.project(plane.unproject(one)) for one in parcels]


@pytest.fixture
def plane() -> Plane:
    return Plane(4547)


def test_a_shape_gets_its_degrees_back_to_the_last_bit(plane: Plane) -> None:
    degrees = MultiPolygon([box(114.1234567890123, 22.5, 114.2, 22.6)])

    again = plane.unproject(plane.project(degrees))

    assert shapely.get_coordinates(degrees).tolist() == shapely.get_coordinates(again).tolist()


def test_a_place_on_the_other_side_of_the_earth_has_none_in_the_plane(plane: Plane) -> None:
    with pytest.raises(InvalidTransaction, match="plane system"):
        plane.project(LineString([(113.9, 22.5), (24, 0)]))


def test_the_first_part_is_the_one_to_the_left_of_the_line(plane: Plane) -> None:
    left, right, _ = split(plane, area(box(0, 0, 10, 10)), line((-1, 2), (11, 2)), [])

    assert pytest.approx([80, 20]) == [left.area, right.area]


def test_a_hole_stays_in_the_part_around_it(plane: Plane) -> None:
    parcel = with_hole(box(2, 6, 4, 8))

    left, right, _ = split(plane, parcel, line((-1, 2), (11, 2)), [])

    assert (1, 0) == (len(left.interiors), len(right.interiors))


def test_a_line_that_ends_a_rounding_inside_of_the_boundary_reaches_it(plane: Plane) -> None:
    left, right, _ = split(plane, area(box(0, 0, 10, 10)), line((0.0004, 2), (9.9996, 2)), [])

    assert 100 == pytest.approx(left.area + right.area)


def test_a_corner_of_a_neighbour_is_taken_rather_than_a_new_one_beside_it(plane: Plane) -> None:
    beside = [area(box(10, 0, 20, 5)), area(box(10, 5, 20, 10))]

    _, _, ends = split(plane, area(box(0, 0, 10, 10)), line((-1, 5), (11, 5.0004)), beside)

    assert Point(EAST + 10, NORTH + 5) == ends[1]


@pytest.mark.parametrize(
    ("parcel", "reason"),
    [
        (area(box(0, 0, 10, 10), box(20, 0, 30, 10)), "several pieces"),
        (with_hole(box(4, 1, 6, 3)), "more than twice"),
    ],
)
def test_a_parcel_that_a_line_does_not_part_in_two_is_refused(
    plane: Plane, parcel: MultiPolygon, reason: str
) -> None:
    with pytest.raises(InvalidTransaction, match=reason):
        split(plane, parcel, line((-1, 2), (11, 2)), [])


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        ([(-1, 2), (5, 9.9995), (11, 2)], "touches the boundary"),
        ([(-1, 2), (5, 10), (11, 2)], "more than twice"),
        ([(2, 2), (2, 2)], "no length"),
    ],
)
def test_a_line_that_would_leave_no_good_parts_is_refused(
    plane: Plane, places: list[tuple[float, float]], reason: str
) -> None:
    with pytest.raises(InvalidTransaction, match=reason):
        split(plane, area(box(0, 0, 10, 10)), line(*places), [])


def test_a_line_into_a_hole_parts_nothing(plane: Plane) -> None:
    parcel = with_hole(box(4, 1, 6, 3))

    with pytest.raises(InvalidTransaction, match="ends at a hole"):
        split(plane, parcel, line((-1, 2), (5, 2)), [])


def test_a_vertex_goes_into_the_edge_that_it_lies_on(plane: Plane) -> None:
    taken = with_vertex(plane, area(box(10, 0, 20, 10)), Point(EAST + 10, NORTH + 2))

    assert taken is not None
    assert 6 == len(shapely.get_coordinates(taken))


@pytest.mark.parametrize("x", [9.99, 10])
def test_a_vertex_that_is_there_or_elsewhere_changes_nothing(plane: Plane, x: float) -> None:
    assert with_vertex(plane, area(box(10, 0, 20, 10)), Point(EAST + x, NORTH)) is None


def test_parcels_whose_corners_lie_on_edges_are_joined(plane: Plane) -> None:
    parcels = known(plane, area(box(0, 0, 10, 10)), area(box(10, 2, 20, 5)))

    joined = merge(plane, parcels)

    assert 130 == pytest.approx(joined.area)
    assert 9 == len(shapely.get_coordinates(joined))


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (box(10, 10, 20, 20), "do not touch"),
        (box(10.01, 0, 20, 10), "do not touch"),
        (box(9, 2, 20, 8), "overlap"),
        (box(2, 2, 8, 8), "overlap"),
        (box(0, 0, 10, 10), "overlap"),
        (Polygon([(10, 0), (10, 3), (10.05, 5), (10, 7), (10, 10), (20, 10), (20, 0)]), "gap"),
    ],
)
def test_parcels_that_do_not_share_a_boundary_are_not_joined(
    plane: Plane, other: Polygon, reason: str
) -> None:
    parcels = known(plane, area(box(0, 0, 10, 10)), area(other))

    with pytest.raises(InvalidTransaction, match=reason):
        merge(plane, parcels)

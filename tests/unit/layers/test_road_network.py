"""The network of roads: where lines meet, and where they only cross on a map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from layers.road_network import WALKING_M_S, Edge, Road, make_network


def road(
    number: int, *points: tuple[float, float], road_class: str = "tertiary", oneway: bool = False
) -> Road:
    return Road(number, 0, road_class, oneway, shapely.MultiLineString([list(points)]))


def network(*roads: Road) -> list[Edge]:
    return list(make_network(roads))


def junctions(edges: list[Edge]) -> int:
    return len({number for edge in edges for number in (edge.source, edge.target)})


@pytest.mark.parametrize(
    ("roads", "edges", "nodes"),
    [
        pytest.param([road(1, (0, 0), (100, 0))], 1, 2, id="one"),
        pytest.param([road(1, (0, 0), (100, 0)), road(2, (100, 0), (100, 50))], 2, 3, id="corner"),
        pytest.param([road(1, (0, 0), (100, 0)), road(2, (50, 0), (50, 50))], 3, 4, id="t"),
        pytest.param([road(1, (0, 0), (100, 0)), road(2, (50, 0.3), (50, 50))], 3, 4, id="near t"),
        pytest.param([road(1, (0, 0), (100, 0)), road(2, (50, 2), (50, 50))], 2, 4, id="no t"),
        pytest.param([road(1, (0, 0), (100, 0)), road(2, (100.3, 0.2), (200, 0))], 2, 3, id="near"),
        pytest.param([road(1, (0, 0), (100, 0)), road(2, (50, -50), (50, 50))], 4, 5, id="cross"),
        pytest.param(
            [road(1, (0, 0), (100, 0), road_class="motorway"), road(2, (50, -50), (50, 50))],
            2,
            4,
            id="bridge",
        ),
        pytest.param(
            [
                road(1, (0, 0), (50, 0), (100, 0), road_class="motorway"),
                road(2, (50, -50), (50, 0), (50, 50)),
            ],
            4,
            5,
            id="shared vertex",
        ),
        pytest.param([road(1, (0, 0), (50, 50), (100, 0), (0, 0))], 1, 1, id="ring"),
        pytest.param([], 0, 0, id="none"),
    ],
)
def test_lines_meet_where_they_may(roads: list[Road], edges: int, nodes: int) -> None:
    found = network(*roads)

    assert (edges, nodes) == (len(found), junctions(found))


def test_times_follow_class_and_direction() -> None:
    one, motorway = network(
        road(1, (0, 0), (1000, 0), oneway=True),
        road(2, (0, 500), (1000, 500), road_class="motorway"),
    )

    assert abs(one.length_m - 1000) < 5
    assert one.drive_s == pytest.approx(one.length_m / (30 / 3.6))
    assert -1 == one.drive_back_s
    assert one.walk_s == pytest.approx(one.length_m / WALKING_M_S)
    assert -1 == motorway.walk_s
    assert motorway.drive_back_s == motorway.drive_s


@given(
    st.lists(
        st.tuples(*(st.integers(0, 300).map(float) for _ in range(4))).filter(
            lambda line: line[:2] != line[2:]
        ),
        min_size=1,
        max_size=8,
        unique=True,
    )
)
def test_no_road_is_lost_or_doubled_by_being_cut(lines: list[tuple[float, ...]]) -> None:
    roads = [road(n, line[:2], line[2:]) for n, line in enumerate(lines)]  # type: ignore[arg-type]

    found = network(*roads)

    for one in roads:
        parts: Any = np.array([e.geometry for e in found if e.feature_id == one.feature_id])
        assert shapely.length(parts).sum() == pytest.approx(shapely.length(one.geometry), rel=1e-6)

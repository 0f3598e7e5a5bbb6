"""Pipes that a pit hits or comes too near to."""

from __future__ import annotations

from typing import Any

import pytest
import shapely

from layers.separation.bodies import Body, proposed_body
from layers.separation.excavation import Danger, Pit, endangered_by
from layers.separation.table import SeparationTable

TABLE = SeparationTable.shipped()
PIT = Pit(shapely.box(0, 0, 10, 10), 2.0)
WATER_STRIP_M, DETECTED_M, PRESUMED_M, HALF_M = 1.0, 0.3, 2.0, 0.1


def laid(x: float, start_m: float | None = 1.0, end_m: float | None = None, **more: Any) -> Body:
    """A water main from south to north past or through the pit, its crown at depths of its ends."""
    attributes = {
        "category": "JS",
        "diameter_mm": 200,
        "data_source": "1",
        "start_depth_m": start_m,
        "end_depth_m": start_m if end_m is None else end_m,
        **more,
    }
    nan = float("nan")
    return proposed_body(shapely.LineString([(x, -10, nan), (x, 20, nan)]), attributes)


@pytest.mark.parametrize(
    ("pipe", "danger"),
    [
        (laid(5), Danger.HIT),
        (laid(5, None), Danger.HIT),
        (laid(-HALF_M + 0.001), Danger.HIT),
        (laid(-HALF_M - 0.001), Danger.STRIP),
        (laid(5, 2.001), Danger.STRIP),
        (laid(5, 1.0, 5.8), Danger.STRIP),
        (laid(5, 2 + WATER_STRIP_M + DETECTED_M + 0.001), None),
        (laid(-HALF_M - WATER_STRIP_M - DETECTED_M + 0.001), Danger.STRIP),
        (laid(-HALF_M - WATER_STRIP_M - DETECTED_M - 0.001), None),
        (laid(-HALF_M - WATER_STRIP_M - PRESUMED_M + 0.001, data_source="4"), Danger.STRIP),
        (laid(-HALF_M - WATER_STRIP_M - PRESUMED_M + 0.001, data_source=None), Danger.STRIP),
        (laid(-HALF_M - 0.5, None), Danger.STRIP),
        (laid(-HALF_M - 0.5, 9), None),
    ],
)
def test_a_pit_meets_a_pipe_to_the_millimetre(pipe: Body, danger: Danger | None) -> None:
    found = list(endangered_by(PIT, [pipe], TABLE))

    assert ([] if danger is None else [danger]) == [one.danger for one in found]


def test_the_least_depth_within_the_pit_counts_and_the_length_is_told() -> None:
    (found,) = endangered_by(PIT, [laid(5, 1.0, 4.0)], TABLE)

    # A third of the way there it is a metre deeper; of its width a little lies before that.
    assert 2.0 - HALF_M * 0.1 == pytest.approx(found.depth_m)
    assert (Danger.HIT, 10.0) == (found.danger, found.inside_m)


def test_a_drain_is_measured_to_its_invert() -> None:
    drain = laid(5, 2.15, category="PS")

    (found,) = endangered_by(PIT, [drain], TABLE)

    assert Danger.HIT is found.danger
    assert 1.95 == pytest.approx(found.depth_m)

"""Tiles encoded without a table: values that the encoder would lose, geometries at the edge."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import mapbox_vector_tile
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from tiles.encode import (
    TileFeature,
    encode_layer,
    tile_box,
    tile_value,
    to_tile,
)
from tiles.grids import EARTH_HALF_M
from tiles.matrix import TileAddress
from tiles.vector import TileOptions

OPTIONS = TileOptions(4096, 64)
WORLD = TileAddress(0, 0, 0)


def decoded(content: bytes) -> list[dict[str, Any]]:
    """The features of the layer ``one``."""
    tile = mapbox_vector_tile.decode(content, default_options={"y_coord_down": True})
    features: list[dict[str, Any]] = tile["one"]["features"]
    return features


@pytest.mark.parametrize(
    ("value", "held"),
    [
        (np.int64(7), 7),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("字"), "字"),
        (Decimal("1.25"), 1.25),
        (dt.date(2024, 5, 1), "2024-05-01"),
        (dt.datetime(2024, 5, 1, 8, tzinfo=dt.UTC), "2024-05-01T08:00:00+00:00"),
        (-3, -3),
    ],
)
def test_values_that_the_package_drops_are_converted(value: object, held: object) -> None:
    feature = TileFeature(1, shapely.Point(5, 5), {"value": value, "none": None})

    (found,) = decoded(encode_layer("one", [feature], OPTIONS))

    assert {"value": held} == found["properties"]


@pytest.mark.parametrize("value", [b"bytes", [1], {"a": 1}, float("nan"), float("inf"), object()])
def test_values_that_a_tile_cannot_hold_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="value"):
        tile_value("value", value)


def test_positions_go_to_units_of_the_tile_with_y_downward() -> None:
    corners = shapely.points([[-EARTH_HALF_M, EARTH_HALF_M], [0, 0], [EARTH_HALF_M, -EARTH_HALF_M]])

    moved = to_tile(corners, WORLD, OPTIONS)

    assert [(0, 0), (2048, 2048), (4096, 4096)] == [
        (round(point.x), round(point.y)) for point in moved
    ]


def test_the_box_of_a_tile_is_that_of_its_matrix() -> None:
    assert (0.0, 0.0, EARTH_HALF_M, EARTH_HALF_M) == tile_box(TileAddress(1, 1, 0))
    assert (-EARTH_HALF_M * 1.5, -EARTH_HALF_M * 1.5) == tile_box(WORLD, 0.25)[:2]


def test_geometries_are_cut_to_the_tile_and_its_buffer() -> None:
    line = np.array([shapely.LineString([(-3 * EARTH_HALF_M, 0), (3 * EARTH_HALF_M, 0)])])

    (cut,) = to_tile(line, WORLD, OPTIONS)

    assert (-64, 2048, 4160, 2048) == tuple(round(v) for v in cut.bounds)


def test_what_does_not_touch_the_tile_leaves_an_empty_layer() -> None:
    away = to_tile(np.array([shapely.Point(1, 1)]), TileAddress(5, 0, 0), OPTIONS)

    assert b"" == encode_layer("one", [TileFeature(1, away[0])], OPTIONS)


@given(
    st.lists(
        st.tuples(st.floats(-2e7, 2e7), st.floats(-2e7, 2e7)), min_size=3, max_size=8, unique=True
    ),
    st.integers(0, 4),
)
def test_no_ring_however_tangled_breaks_the_encoder(
    positions: list[tuple[float, float]], zoom: int
) -> None:
    tangled = np.array([shapely.Polygon(positions)])
    address = TileAddress(zoom, 2**zoom // 2, 2**zoom // 2)

    content = encode_layer("one", [TileFeature(1, to_tile(tangled, address, OPTIONS)[0])], OPTIONS)

    assert content == b"" or len(decoded(content)) >= 0

"""Points and lines as bare coordinates: the same as what objects make of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from layers.base import GeometryType
from layers.crs import find_operation
from loaders.findings import Findings
from loaders.geometry import Form, Shaped, parse_wkb, shape
from loaders.plain import Plain, plain_of_wkb, plain_points
from tests.unit.loaders.conftest import SHENZHEN

ORDINATE = st.sampled_from([113.9, 114.0, 114.000001, 114.5, 22.5, 200.0, float("inf")])
LATITUDE = st.sampled_from([22.5, 22.500001, 22.7, 0.0])
HEIGHT = st.sampled_from([0.0, -3.25, 12.5, float("nan")])
VERTEX = st.tuples(ORDINATE, LATITUDE, HEIGHT)
LINES = st.lists(st.none() | st.lists(VERTEX, min_size=2, max_size=5), min_size=1, max_size=8)
POINTS = st.lists(st.none() | st.tuples(st.just(114.0), LATITUDE, HEIGHT), min_size=1, max_size=8)


def column_of(geometries: list[shapely.Geometry | None], *, has_z: bool) -> pa.Array:
    objects = np.array([*geometries, None], object)[:-1]
    wkb = shapely.to_wkb(objects, output_dimension=3 if has_z else 2, flavor="iso")
    return pa.array(wkb, pa.binary())


def shaped_by(form: Form, kind: GeometryType, rows: int) -> tuple[Shaped, Findings]:
    findings = Findings(rows)
    operation = find_operation("EPSG:4490", SHENZHEN, Path("f"))
    return shape(form, kind, operation, SHENZHEN, findings), findings


def assert_same(column: pa.Array, kind: GeometryType) -> None:
    plain = plain_of_wkb(column, kind)
    assert isinstance(plain, Plain)
    rows = len(column)

    quick, found = shaped_by(plain, kind, rows)
    slow, expected = shaped_by(parse_wkb(column, Findings(rows)), kind, rows)

    assert expected.reasons == found.reasons
    assert slow.as_ewkb() == quick.as_ewkb()
    assert slow.has_z.tolist() == quick.has_z.tolist()
    assert slow.missing.tolist() == quick.missing.tolist()
    np.testing.assert_array_equal(slow.inner_positions(), quick.inner_positions())
    every = np.arange(rows)
    assert (
        shapely.to_wkb(slow.objects(every)).tolist()
        == shapely.to_wkb(quick.objects(every)).tolist()
    )


@given(rows=LINES, has_z=st.booleans(), multi=st.booleans())
def test_lines_are_shaped_as_objects_are(
    rows: list[list[tuple[float, float, float]] | None], *, has_z: bool, multi: bool
) -> None:
    kind = GeometryType.MULTI_LINE_STRING if multi else GeometryType.LINE_STRING_Z
    column = column_of([shapely.LineString(r) if r else None for r in rows], has_z=has_z)

    if column.null_count == len(column):
        assert plain_of_wkb(column, kind) is None
    else:
        assert_same(column, kind)


@given(rows=POINTS, has_z=st.booleans())
def test_points_are_shaped_as_objects_are(
    rows: list[tuple[float, float, float] | None], *, has_z: bool
) -> None:
    kind = GeometryType.POINT_Z if has_z else GeometryType.POINT
    column = column_of([shapely.Point(r) if r else None for r in rows], has_z=has_z)

    if column.null_count < len(column):
        assert_same(column, kind)


def test_a_part_of_a_longer_column_is_read_from_its_place() -> None:
    lines = [shapely.LineString([(114, 22.5), (114.1, 22.5 + step / 100)]) for step in range(5)]
    column = column_of([*lines], has_z=False)

    part = plain_of_wkb(column.slice(2, 2), GeometryType.LINE_STRING_Z)

    assert part is not None
    assert part.objects(np.arange(2)).tolist() == lines[2:4]


@pytest.mark.parametrize(
    "values",
    [
        [shapely.Point(114, 22.5).wkb],
        [shapely.from_wkt("LINESTRING (114 22, 114 23)").wkb, shapely.Point(114, 22.5).wkb],
        [shapely.from_wkt("MULTILINESTRING ((114 22, 114 23))").wkb],
        [shapely.to_wkb(shapely.from_wkt("LINESTRING (114 22, 114 23)"), byte_order=0)],
        [shapely.to_wkb(shapely.from_wkt("LINESTRING EMPTY"))],
        [shapely.from_wkt("LINESTRING (114 22, 114 23)").wkb[:-1]],
        [shapely.from_wkt("LINESTRING (114 22, 114 23)").wkb + b"\0" * 8],
        [bytes.fromhex("0102000000ffffffff") + b"\0" * 32],
        [b"", shapely.from_wkt("LINESTRING (114 22, 114 23)").wkb],
        [b"curve"],
        [b"\1"],
        [],
        [None],
    ],
)
def test_what_is_not_all_lines_is_left_to_the_parser(values: list[bytes | None]) -> None:
    assert plain_of_wkb(pa.array(values, pa.binary()), GeometryType.LINE_STRING_Z) is None


def test_areas_and_empty_points_have_no_plain_form() -> None:
    square = pa.array([shapely.box(114, 22, 115, 23).wkb], pa.binary())
    empty = pa.array([shapely.to_wkb(shapely.Point())], pa.binary())

    assert plain_of_wkb(square, GeometryType.MULTI_POLYGON) is None
    assert plain_of_wkb(empty, GeometryType.POINT) is None


def test_points_of_columns_are_missing_where_one_number_is() -> None:
    points = plain_points(np.array([114.0, np.nan, 114.2]), np.array([22.5, 22.6, np.inf]))

    assert points.objects(np.arange(3)).tolist() == [shapely.Point(114, 22.5), None, None]

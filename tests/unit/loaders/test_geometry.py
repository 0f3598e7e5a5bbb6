"""Geometries of files as layers store them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely

from layers.base import GeometryType
from layers.city import CityFrame
from layers.crs import find_operation
from loaders.findings import Findings
from loaders.geometry import Shaped, inner_points, parse_wkb, shape


def run(frame: CityFrame, kind: GeometryType, *texts: str | None) -> tuple[Shaped, Findings]:
    findings = Findings(len(texts))
    with np.errstate(invalid="ignore"):  # a test is about NaN
        geometries = np.array([t and shapely.from_wkt(t) for t in texts], object)
    operation = find_operation("EPSG:4490", frame, Path("f"))
    return shape(geometries, kind, operation, frame, findings), findings


def stored(shaped: Shaped) -> list[Any]:
    """The geometries as they are written, None where there is none."""
    return [None if wkb is None else shapely.from_wkb(wkb) for wkb in shaped.as_ewkb().to_pylist()]


def test_single_parts_become_collections_and_collections_of_one_become_single(
    frame: CityFrame,
) -> None:
    multi, _ = run(frame, GeometryType.MULTI_LINE_STRING, "LINESTRING (114 22.5, 114.1 22.5)")
    single, _ = run(frame, GeometryType.POINT, "MULTIPOINT (114 22.5)")
    wrapped, _ = run(frame, GeometryType.POINT, "GEOMETRYCOLLECTION (POINT (114 22.5))")

    assert stored(multi)[0].wkt == "MULTILINESTRING ((114 22.5, 114.1 22.5))"
    assert stored(single)[0].wkt == stored(wrapped)[0].wkt == "POINT (114 22.5)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("POINT (114 22.5)", "wrong_geometry_type: Point"),
        (
            "MULTILINESTRING ((114 22.5, 114.1 22.5), (114 22.6, 114.1 22.6))",
            "wrong_geometry_type: MultiLineString of 2 parts",
        ),
        ("LINESTRING (114 22.5, 0 0)", "outside_city: 114 22.5"),
        ("LINESTRING Z (114 22.5 1, 114 22.5 1)", "zero_length: the line has one position only"),
        ("LINESTRING (114 22.5, 114 nan)", "invalid_geometry: a coordinate is not finite"),
    ],
)
def test_what_cannot_be_a_pipe_is_rejected(frame: CityFrame, text: str, reason: str) -> None:
    shaped, findings = run(frame, GeometryType.LINE_STRING_Z, text)

    assert findings.reasons == {0: [reason]}
    assert stored(shaped) == [None]


def test_a_vertical_run_has_a_length(frame: CityFrame) -> None:
    _, findings = run(frame, GeometryType.LINE_STRING_Z, "LINESTRING Z (114 22.5 1, 114 22.5 5)")

    assert not findings.reasons


def test_a_bow_tie_is_rejected_with_the_place(frame: CityFrame) -> None:
    bow_tie = "POLYGON ((114 22.5, 114.2 22.7, 114.2 22.5, 114 22.7, 114 22.5))"

    _, findings = run(frame, GeometryType.MULTI_POLYGON, bow_tie)

    assert findings.reasons == {0: ["invalid_geometry: Self-intersection at 114.1 22.6"]}


def test_z_is_kept_added_or_dropped_and_m_always_dropped(frame: CityFrame) -> None:
    kind = GeometryType.LINE_STRING_Z
    shaped, _ = run(
        frame,
        kind,
        "LINESTRING Z (114 22.5 3, 114.1 22.5 4)",
        "LINESTRING (114 22.5, 114.1 22.5)",
        "LINESTRING ZM (114 22.5 3 9, 114.1 22.5 4 9)",
        "LINESTRING M (114 22.5 9, 114.1 22.5 9)",
        "LINESTRING Z (114 22.5 0, 114.1 22.5 0)",
    )

    assert shaped.has_z.tolist() == [True, False, True, False, False]
    z = [shapely.get_coordinates(g, include_z=True)[:, 2].tolist() for g in stored(shaped)]
    assert z == [[3, 4], [0, 0], [3, 4], [0, 0], [0, 0]]
    assert not shapely.has_m(stored(shaped)).any()

    flat, _ = run(frame, GeometryType.POINT, "POINT Z (114 22.5 7)")
    assert stored(flat)[0].wkt == "POINT (114 22.5)"


def test_points_are_raised_to_surveyed_elevations(frame: CityFrame) -> None:
    shaped, _ = run(frame, GeometryType.POINT_Z, "POINT (114 22.5)", None, "POINT (114 22.5)")

    raised = stored(shaped.raised(np.array([12.5, 3.0, np.nan])))

    assert [g and g.z for g in raised] == [12.5, None, 0]


def test_rows_without_geometry_are_left_to_their_callers(frame: CityFrame) -> None:
    shaped, findings = run(frame, GeometryType.POINT, None, "POINT EMPTY")

    assert stored(shaped) == [None, None]
    assert not findings.reasons


def test_bytes_that_are_no_geometry_are_found() -> None:
    findings = Findings(4)

    parse_wkb(pa.array([b"", b"curve", None, shapely.Point(1, 2).wkb], pa.binary()), findings)

    assert [r[0].partition(":")[0] for r in findings.reasons.values()] == [
        "invalid_geometry",
        "curved_geometry",
    ]


def test_ewkb_carries_srid_and_dimension(frame: CityFrame) -> None:
    shaped, _ = run(frame, GeometryType.POINT_Z, "POINT Z (114 22.5 1)", None)

    written = shaped.as_ewkb()

    assert written[0].as_py()[:9].hex() == "01010000a08a110000"
    assert written[1].as_py() is None


def test_inner_points_lie_on_their_geometries() -> None:
    horseshoe = "POLYGON ((0 0, 10 0, 10 10, 9 10, 9 1, 1 1, 1 10, 0 10, 0 0))"
    triangle = "POLYGON ((0 0, 1 0, 1 1, 0 0))"
    texts = ["POINT (1 2)", "LINESTRING (0 0, 1 1, 5 5)", triangle, horseshoe]
    geometries = np.array([*shapely.from_wkt(texts), None], object)

    points = inner_points(geometries)

    assert shapely.intersects(points[:4], geometries[:4]).all()
    assert points[4] is None

"""Checks of single rows: what is doubtful is told, with the row that says it, and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from layers.city import CityFrame
from layers.registry import get_layer
from loaders.checks.rows import check_rows
from loaders.findings import Findings
from loaders.options import LoadOptions
from loaders.pipeline import Pipeline
from loaders.rules import Thresholds


def warned(layer: str, columns: tuple[str, ...] = (), **values: list[Any]) -> dict[str, list[int]]:
    """Rows that breach each rule, for columns of values; others are empty."""
    rows = len(next(iter(values.values())))
    described = get_layer(layer)
    kinds = {
        a.name: pa.float64() if a.type.value == "number" else pa.string()
        for a in described.attributes
    }
    held = {name: pa.array(values.get(name, [None] * rows), kind) for name, kind in kinds.items()}
    findings = Findings(rows)
    check_rows(described, held, {name: name for name in columns}, Thresholds(), findings)
    return {rule: np.flatnonzero(flags).tolist() for rule, flags in findings.warned.items()}


@pytest.mark.parametrize(
    "code",
    [
        "440304001001GB00001",
        "440304001001JA99999",
        "440304001001JC00010",
        "440304001001ZH10000",
        "440304001001GW00100",
    ],
)
def test_a_parcel_code_of_the_grammar_is_fine(code: str) -> None:
    assert {} == warned("parcels", code=[code], unit_code=[f"{code}W00000000"])


@pytest.mark.parametrize(
    "code",
    [
        "44030400100GB00001",
        "440304001001XB00001",
        "440304001001GQ00001",
        "440304001001GB00000",
        "440304001001GB000011",
        "地块一",
    ],
)
def test_a_parcel_code_of_another_form_is_told_of(code: str) -> None:
    assert {"parcel_code_structure": [0]} == warned("parcels", code=[code])


@pytest.mark.parametrize("code", ["440304001001GA00001", "440304001001ZC00001"])
def test_rights_of_collectives_belong_to_collectives(code: str) -> None:
    assert {"parcel_code_right": [0]} == warned("parcels", code=[code])


@pytest.mark.parametrize(
    ("unit", "rule"),
    [
        ("440304001001GB00001F0001000", "unit_code_structure"),
        ("440304001001GB00001X00010001", "unit_code_structure"),
        ("440304001001GB00001W00010001", "unit_code_fixture"),
        ("440304001001GB00002F00010001", "unit_code_parcel"),
    ],
)
def test_a_unit_code_is_of_its_grammar_and_its_parcel(unit: str, rule: str) -> None:
    found = warned("parcels", code=["440304001001GB00001"], unit_code=[unit])

    assert {rule: [0]} == found


def test_exactly_one_of_feature_and_appurtenance_says_what_a_point_is() -> None:
    found = warned(
        "pipeline_nodes",
        feature=["弯头", None, "弯头", None],
        appurtenance=[None, "阀门", "阀门", None],
    )

    assert {"feature_or_appurtenance": [2, 3]} == found


def test_an_element_code_agrees_with_class_and_kind_of_point() -> None:
    found = warned(
        "pipeline_nodes",
        element_code=["52022101", "51022101", "52021101", "52022201", "GS12", None],
        category=["PS"] * 6,
        feature=["弯头"] * 6,
        appurtenance=[None] * 6,
    )

    assert {"element_code_mismatch": [1, 2, 3]} == found


def test_depths_are_plausible_and_below_ground_unless_the_line_is_overhead() -> None:
    found = warned(
        "pipelines",
        start_depth_m=[1.0, 16.0, -2.0, -2.0, None],
        end_depth_m=[1.0, 1.0, 1.0, -2.0, None],
        burial=["ZM", "ZM", "ZM", "JK", None],
    )

    assert {"depth_implausible": [1], "depth_above_ground": [2]} == found


def test_values_that_surveys_give_are_missed_where_their_column_is_there() -> None:
    found = warned(
        "pipelines",
        ("material", "diameter_mm"),
        material=["PE", None, "PE"],
        diameter_mm=[300.0, 300.0, None],
        section=[None, None, "300*200"],
    )

    assert {"empty_value": [1]} == found


def test_a_warning_tells_the_row_its_key_and_its_place(tmp_path: Path, frame: CityFrame) -> None:
    path = tmp_path / "points.csv"
    path.write_text("物探点号,管类,lon,lat,特征\nA,JP,114,22.5,弯头\nB,JP,114.1,22.5,\n", "utf-8")
    pipeline = Pipeline(
        get_layer("pipeline_nodes"), LoadOptions(frame, crs="EPSG:4490"), None, tmp_path
    )

    (batch,) = pipeline.batches([path])

    (finding,) = batch.warnings
    assert (2, "B", (114.1, 22.5)) == (finding.row, finding.key, finding.place)
    assert "neither" in finding.told.en
    assert {"feature_or_appurtenance": 1} == batch.warning_counts


def test_a_repaired_polygon_is_told_of_and_loaded(tmp_path: Path, frame: CityFrame) -> None:
    path = tmp_path / "plots.csv"
    ring = "114 22.5,114.002 22.5,114.001 22.501,114.002 22.502,114 22.502,114.001 22.501,114 22.5"
    path.write_text(f'宗地代码,wkt\n440304001001GB00001,"POLYGON(({ring}))"\n', "utf-8")
    pipeline = Pipeline(get_layer("parcels"), LoadOptions(frame, crs="EPSG:4490"), None, tmp_path)

    (batch,) = pipeline.batches([path])

    assert 1 == batch.accepted.num_rows
    assert {"repaired_geometry": 1} == batch.warning_counts
    assert "Ring Self-intersection" in batch.warnings[0].told.en


def test_a_header_names_each_column_once(tmp_path: Path, frame: CityFrame) -> None:
    path = tmp_path / "places.csv"
    path.write_text("编码,名称,名称,,lon,lat\nA,甲,乙,丙,114,22.5\n", "utf-8")
    pipeline = Pipeline(
        get_layer("facilities"), LoadOptions(frame, crs="EPSG:4490"), None, tmp_path
    )

    (batch,) = pipeline.batches([path])

    assert ["Column 4 of the header has no name."] == [
        finding.told.en for finding in batch.warnings if finding.rule == "unnamed_column"
    ]
    assert {"unnamed_column": 1, "repeated_column": 1} == dict(batch.warning_counts)

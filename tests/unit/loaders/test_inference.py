"""What columns hold, by their values and their names."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from layers.base import AttributeType
from loaders import inference
from loaders.formats.stream import DEFECT, GEOMETRY
from loaders.inference import InferredColumn, infer_columns


def infer(values: list[Any] | pa.Array, name: str = "a") -> InferredColumn:
    column = values if isinstance(values, pa.Array) else pa.array(values)
    (found,) = infer_columns([pa.RecordBatch.from_arrays([column], [name])])
    return found


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2", "-3"], AttributeType.INTEGER),
        (["1", "2.5", "1e3"], AttributeType.NUMBER),
        (["1,234.5", "２００"], AttributeType.NUMBER),
        (["是", "否", "无", ""], AttributeType.BOOLEAN),
        (["2016/8/30", "2015年1月"], AttributeType.DATE),
        (["2016-08-30 10:11:12", "2016-08-30 10:11"], AttributeType.TIMESTAMP),
        (["深南大道", "滨河路"], AttributeType.TEXT),
        ([None, ""], AttributeType.TEXT),
        ([1.0, 2.0], AttributeType.NUMBER),
        ([1, 2], AttributeType.INTEGER),
        ([True, False], AttributeType.BOOLEAN),
        ([date(2016, 8, 30)], AttributeType.DATE),
        ([datetime(2016, 8, 30, tzinfo=UTC)], AttributeType.TIMESTAMP),
        (["3000000000"], AttributeType.NUMBER),
    ],
)
def test_the_narrowest_type_of_all_values_is_found(values: list[Any], kind: AttributeType) -> None:
    assert infer(values).type is kind


@pytest.mark.parametrize(
    ("values", "name"),
    [(["007", "8"], "a"), (["440304001001GB00001"], "a"), (["12345678901234567"], "a")],
)
def test_codes_that_look_like_numbers_are_texts(values: list[str], name: str) -> None:
    assert infer(values, name).type is AttributeType.TEXT


def test_the_name_of_a_column_tells_a_code_and_a_date_from_a_number() -> None:
    assert infer(["101", "102"], "管线编号").type is AttributeType.TEXT
    assert infer(["2015", "2016"], "建设年代").type is AttributeType.DATE
    assert infer(["20150601"], "MDate").type is AttributeType.DATE
    assert infer(["2015", "2016"], "人口").type is AttributeType.INTEGER


@pytest.mark.parametrize(
    ("values", "name", "unit"),
    [
        (["DN300", "φ400"], "管径", "mm"),
        (["0.3m", "0.4 米"], "管径", "m"),
        (["30cm", "300mm"], "管径", "mm"),
        (["300", "400"], "管径(mm)", "mm"),
        (["1.5"], "depth_m", "m"),
        (["300", "400"], "管径", None),
        (["3.2"], "面积（亩）", "mu"),
    ],
)
def test_units_are_found_in_values_and_in_names(
    values: list[str], name: str, unit: str | None
) -> None:
    assert infer(values, name).unit == unit


def test_a_unit_is_no_part_of_the_title() -> None:
    assert infer(["300"], "管径(mm)").title == "管径"
    assert infer(["给水"], "类别(管线)").title == "类别(管线)"


def test_numbers_with_and_without_a_unit_stay_texts() -> None:
    found = infer(["0.3m", "300"])

    assert found.type is AttributeType.TEXT


def test_few_short_texts_that_come_again_are_a_code_list() -> None:
    found = infer(["给水"] * 6 + ["排水"] * 4)

    assert found.codes == ("给水", "排水")
    assert infer([f"路{n}" for n in range(10)]).codes == ()


def test_a_column_without_gaps_or_doubles_may_be_a_key() -> None:
    assert infer(["A1", "A2"]).is_unique is True
    assert infer(["A1", "A1"]).is_unique is False
    assert infer(["A1", None]).is_unique is False
    assert infer([]).is_unique is False


def test_words_for_nothing_are_no_values() -> None:
    found = infer(["1", "无", "<Null>", None])

    assert (found.rows, found.filled, found.type) == (4, 1, AttributeType.INTEGER)


def test_a_few_odd_values_are_shown() -> None:
    found = infer([str(n) for n in range(99)] + ["约5"])

    assert found.type is AttributeType.TEXT
    assert (found.nearly, found.exceptions) == (AttributeType.INTEGER, ("约5",))


def test_numbers_have_a_range_and_texts_a_length() -> None:
    numbers, texts = infer(["1.5", "-2"]), infer(["abc", "深南大道"])

    assert (numbers.minimum, numbers.maximum) == (-2.0, 1.5)
    assert texts.max_chars == 4


def test_batches_are_taken_together_and_own_columns_left_out() -> None:
    def batch(value: str) -> pa.RecordBatch:
        arrays = [pa.array([value]), pa.nulls(1, pa.string()), pa.nulls(1, pa.binary())]
        return pa.RecordBatch.from_arrays(arrays, ["a", DEFECT, GEOMETRY])

    (found,) = infer_columns([batch("1"), batch("x"), batch("1")])

    assert (found.type, found.rows, found.distinct) == (AttributeType.TEXT, 3, 2)


def test_more_distinct_values_than_are_kept_leave_uniqueness_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inference, "MAX_DISTINCT", 2)

    found = infer(["a", "b", "c"])

    assert (found.distinct, found.is_unique, found.filled) == (2, None, 3)


def test_facts_are_given_as_json_without_what_is_empty() -> None:
    found = infer(["300"], "管径(mm)").as_json()

    assert found["type"] == "integer"
    assert found["unit"] == "mm"
    assert "codes" not in found

"""Values of columns as values of attributes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.base import Attribute, AttributeType, Derived, Title
from layers.codes import MATERIALS, PIPE_KINDS
from loaders.columns import USUAL, Converted, Forms
from loaders.convert import convert, derive, parse_boolean
from loaders.dates import parse_date
from loaders.quantities import UNITS

T = Title("T", "题")

LIKELY_TEXTS = [
    *("DN300", "0.3", "0.3m", "300*400", "219*6", "1,234", "12,5", "无", "-9999", "φ50", "1e400"),
    *(
        "2016年8月",
        "3/4/2016",
        "20160830",
        "42612",
        "是",
        "N",
        "2016-08-30 10:11:12",
        "99999999999",
    ),
]


def run(values: list[Any], kind: AttributeType, **facts: Any) -> Converted:
    replacements = facts.pop("replacements", None)
    forms = facts.pop("forms", USUAL)
    column = values if isinstance(values, pa.Array) else pa.array(values)
    attribute = Attribute("a", kind, T, **facts)
    return convert(
        column, attribute, replacements=replacements, time_zone="Asia/Shanghai", forms=forms
    )


def test_text_is_trimmed_and_words_for_nothing_are_null() -> None:
    found = run([" 深南大道 ", "", "<Null>", "-", "无", "N/A", "/", "\u3000"], AttributeType.TEXT)

    assert found.values.to_pylist() == ["深南大道", *[None] * 7]
    assert found.problems == {}


def test_text_from_numbers_keeps_its_digits() -> None:
    assert run([4403.0, 1.5], AttributeType.TEXT).values.to_pylist() == ["4403", "1.5"]


def test_text_with_a_null_character_loses_it() -> None:
    assert run(["a\x00b"], AttributeType.TEXT).values.to_pylist() == ["ab"]


def test_any_word_of_a_code_list_gives_the_code() -> None:
    words = ["JP", "jp", "配水", "Water distribution", None]

    found = run(words, AttributeType.TEXT, codes=PIPE_KINDS)

    assert found.values.to_pylist() == ["JP", "JP", "JP", "JP", None]


def test_a_closed_list_rejects_an_unknown_word_and_an_open_one_keeps_it() -> None:
    closed = run(["JP", "Q9"], AttributeType.TEXT, codes=PIPE_KINDS)
    opened = run(["铸铁", "竹"], AttributeType.TEXT, codes=MATERIALS)

    assert closed.values.to_pylist() == ["JP", None]
    assert closed.problems == {1: "not_in_code_list: a='Q9'"}
    assert opened.values.to_pylist() == ["ZT", "竹"]


def test_words_are_replaced_before_they_are_looked_up() -> None:
    meant = {"1": "JP", "2": ""}

    found = run([" 1 ", "2"], AttributeType.TEXT, codes=PIPE_KINDS, replacements=meant)

    assert found.values.to_pylist() == ["JP", None]


def test_numbers_are_read_from_text_and_from_full_width_digits() -> None:
    found = run(["1.5", " 2 ", "３００", "-4e2", ".5", "5."], AttributeType.NUMBER)

    assert found.values.to_pylist() == [1.5, 2.0, 300.0, -400.0, 0.5, 5.0]


@pytest.mark.parametrize("word", ["abc", "1,00", "12mm", "1e999", "0x10", "1 2", "inf", "１，０"])
def test_what_is_no_number_is_rejected(word: str) -> None:
    found = run([word, "1"], AttributeType.NUMBER)

    assert found.values.to_pylist() == [None, 1.0]
    assert list(found.problems) == [0]


def test_nan_is_nothing_and_infinity_is_rejected() -> None:
    found = run([float("nan"), float("inf"), 1.0], AttributeType.NUMBER)

    assert found.values.to_pylist() == [None, None, 1.0]
    assert list(found.problems) == [1]


def test_numbers_out_of_range_are_rejected_from_text_and_from_numbers() -> None:
    for column in (["-1", "5", "11"], [-1, 5, 11], [-1.0, 5.0, 11.0]):
        found = run(column, AttributeType.NUMBER, minimum=0, maximum=10)
        assert found.values.to_pylist() == [None, 5.0, None]
        assert [r.partition(":")[0] for r in found.problems.values()] == [
            "below_minimum",
            "above_maximum",
        ]


def test_integers_are_whole_and_fit() -> None:
    found = run(["12", "12.0", "12.5", "3000000000"], AttributeType.INTEGER)

    assert found.values.to_pylist() == [12, 12, None, None]
    assert set(found.problems) == {2, 3}


@pytest.mark.parametrize(
    ("word", "value"), [("是", True), ("Y", True), ("1", True), ("否", False), ("no", False)]
)
def test_booleans(word: str, value: bool) -> None:
    assert parse_boolean(word) is value


def test_a_word_that_is_neither_true_nor_false_is_rejected() -> None:
    assert list(run(["maybe", None], AttributeType.BOOLEAN).problems) == [0]


@pytest.mark.parametrize(
    ("word", "day"),
    [
        ("2015-06-01", date(2015, 6, 1)),
        ("2015/6/1", date(2015, 6, 1)),
        ("20150601", date(2015, 6, 1)),
        ("2015年6月1日", date(2015, 6, 1)),
        ("2015年6月", date(2015, 6, 1)),
        ("2015-06", date(2015, 6, 1)),
        ("2015", date(2015, 1, 1)),
        ("2015.0", date(2015, 1, 1)),
        ("2015-06-01 12:00:00", date(2015, 6, 1)),
        ("2015-06-01T12:00:00Z", date(2015, 6, 1)),
    ],
)
def test_dates(word: str, day: date) -> None:
    assert parse_date(word) == day


@pytest.mark.parametrize("word", ["bad", "2015-13-01", "2015-02-30", "0", "15-06-01", "00000000"])
def test_what_is_no_day_is_rejected(word: str) -> None:
    found = run([word], AttributeType.DATE)

    assert found.problems == {0: f"not_a_date: a={word!r}"}


def test_dates_are_read_from_date_columns() -> None:
    column = pa.array([date(2015, 6, 1), None])

    assert run(column, AttributeType.DATE).values.to_pylist() == [date(2015, 6, 1), None]


def test_an_instant_without_offset_is_in_the_time_of_the_city() -> None:
    found = run(["2024-01-01 08:00:00", "2024-01-01T00:00:00+00:00"], AttributeType.TIMESTAMP)

    assert found.values.to_pylist() == [datetime(2024, 1, 1, tzinfo=UTC)] * 2


def test_required_values_must_be_there() -> None:
    assert run(["a", None], AttributeType.TEXT, required=True).problems == {1: "missing: a"}


def test_a_pattern_holds_for_the_whole_text() -> None:
    found = run(["440304", "x440304", None], AttributeType.TEXT, pattern=r"\d{6}")

    assert found.values.to_pylist() == ["440304", None, None]
    assert found.problems == {1: "not_of_pattern: a='x440304'"}


def test_derived_values_follow_by_mapping_or_prefix() -> None:
    by_mapping = Attribute("c", AttributeType.TEXT, T, derived=Derived("a", mapping={"JP": "JS"}))
    by_prefix = Attribute("c", AttributeType.TEXT, T, derived=Derived("a", prefix=2))

    assert derive(pa.array(["JP", "??", None]), by_mapping).to_pylist() == ["JS", None, None]
    assert derive(pa.array(["0701", "H", None]), by_prefix).to_pylist() == ["07", "H", None]


def test_quantities_are_brought_to_the_unit_of_the_attribute() -> None:
    words = ["DN300", "φ300", "0.3 m", "30cm", "300mm", "３００", "1,200", "0.29m", None]

    found = run(words, AttributeType.NUMBER, unit="mm")

    assert found.values.to_pylist() == [300.0] * 6 + [1200.0, 290.0, None]
    assert found.problems == {}


def test_bare_numbers_are_in_the_unit_that_is_said() -> None:
    for column in (["0.3", "4.35", "0.29"], [0.3, 4.35, 0.29]):
        found = run(column, AttributeType.NUMBER, unit="mm", forms=Forms(unit=UNITS["m"]))
        assert found.values.to_pylist() == [300.0, 4350.0, 290.0]
    found = run([57, 100], AttributeType.NUMBER, unit="m", forms=Forms(unit=UNITS["cm"]))
    assert found.values.to_pylist() == [0.57, 1.0]


def test_a_diameter_that_may_be_in_metres_is_kept_aside() -> None:
    for column in (["0.3", "300"], [0.3, 300.0]):
        found = run(column, AttributeType.NUMBER, unit="mm")
        assert found.values.to_pylist() == [None, 300.0]
        assert found.problems[0].startswith("unclear_unit: a='0.3': millimetres, or metres?")


def test_a_unit_of_another_dimension_is_no_number() -> None:
    found = run(["5 m2", "5 m"], AttributeType.NUMBER, unit="m")

    assert found.values.to_pylist() == [None, 5.0]
    assert found.problems == {0: "not_a_number: a='5 m2'"}


def test_ranges_hold_after_conversion() -> None:
    found = run(["5m", "30m"], AttributeType.NUMBER, unit="mm", minimum=0, maximum=20_000)

    assert found.values.to_pylist() == [5000.0, None]
    assert found.problems == {1: "above_maximum: a='30m'"}


def test_a_comma_that_may_be_decimal_is_kept_aside() -> None:
    found = run(["1,234", "12,5", "1,234.5"], AttributeType.NUMBER)

    assert found.values.to_pylist() == [None, None, 1234.5]
    assert found.problems[0].startswith("unclear_number: a='1,234'")


def test_a_decimal_comma_that_is_said_is_read() -> None:
    forms = Forms(decimal_mark=",")

    found = run(["1,234", "1.234,5", "12"], AttributeType.NUMBER, forms=forms)

    assert found.values.to_pylist() == [1.234, 1234.5, 12.0]


@pytest.mark.parametrize("word", ["未知", "不详", "Unknown", "——", "<空>", "None", "待查"])
def test_words_for_nothing_are_null_in_every_type(word: str) -> None:
    for kind in AttributeType:
        found = run([word], kind)
        assert (found.values.to_pylist(), found.problems) == ([None], {})


def test_further_words_for_nothing_may_be_said() -> None:
    forms = Forms(nodata=frozenset(("no", "0")))

    assert run(["No", "0", "1"], AttributeType.TEXT, forms=forms).values.to_pylist() == [
        None,
        None,
        "1",
    ]
    assert run([0, 1], AttributeType.NUMBER, forms=forms).values.to_pylist() == [None, 1.0]


def test_numbers_for_nothing_are_null_unless_they_may_be_values() -> None:
    for column in (
        [-9999.0, -3.4028234663852886e38, 5.0],
        ["-9999", "-3.4028234663852886e38", "5"],
    ):
        assert run(column, AttributeType.NUMBER).values.to_pylist() == [None, None, 5.0]
    assert run([-9999.0], AttributeType.NUMBER, minimum=-10_000).values.to_pylist() == [-9999.0]


def test_a_text_with_a_unit_is_a_section() -> None:
    words = ["300×400", "0.3m*0.4m", "拱形", "219*6", "2*3"]

    found = run(words, AttributeType.TEXT, unit="mm")

    assert found.values.to_pylist() == ["300*400", "300*400", "拱形", None, None]
    assert [r.partition(":")[0] for r in found.problems.values()] == [
        "unclear_section",
        "unclear_unit",
    ]


def test_a_number_is_no_month() -> None:
    found = run([2016.1, 2016.0, 20160830.0], AttributeType.DATE)

    assert found.values.to_pylist() == [None, date(2016, 1, 1), date(2016, 8, 30)]
    assert found.problems[0].startswith("unclear_date: a='2016.1'")


def test_serial_numbers_of_excel_are_days_only_when_that_is_said() -> None:
    usual = run([42612], AttributeType.DATE)
    said = run([42612], AttributeType.DATE, forms=Forms(dates="excel"))

    assert usual.problems[0].startswith("unclear_date: a='42612'")
    assert said.values.to_pylist() == [date(2016, 8, 30)]


@given(
    st.lists(st.none() | st.text(max_size=12) | st.sampled_from(LIKELY_TEXTS), max_size=20),
    st.sampled_from(AttributeType),
    st.sampled_from([None, "mm", "m", "m2"]),
)
def test_every_text_is_a_value_or_nothing_or_has_a_reason(
    texts: list[str | None], kind: AttributeType, unit: str | None
) -> None:
    found = run(pa.array(texts, pa.string()), kind, unit=unit)

    assert len(texts) == len(found.values)
    assert set(found.problems) <= set(range(len(texts)))
    assert all(found.values[at].as_py() is None for at in found.problems)
    assert all(found.values[at].as_py() is None for at, text in enumerate(texts) if text is None)

"""Numbers with units, and widths by heights."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.quantities import (
    UNIT_NAMES,
    UNITS,
    Section,
    UnclearText,
    find_unit,
    has_decimal_comma,
    parse_quantity,
    parse_section,
    unit_in_name,
)

FULL_WIDTH = str.maketrans("0123456789.,", "０１２３４５６７８９．，")


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("300", "300", None),
        ("DN300", "300", "mm"),
        ("dn 300", "300", "mm"),
        ("D300", "300", "mm"),
        ("De110", "110", "mm"),
        ("φ300", "300", "mm"),
        ("Φ300", "300", "mm"),
        ("Ø300", "300", "mm"),
        ("φ300mm", "300", "mm"),
        ("ＤＮ３００", "300", "mm"),
        ("0.3 m", "0.3", "m"),
        ("0.3米", "0.3", "m"),
        ("300mm", "300", "mm"),
        ("300毫米", "300", "mm"),
        ("30cm", "30", "cm"),
        ("1,234.5", "1234.5", None),
        ("1，234", "1234", None),
        ("12,345.6 m²", "12345.6", "m2"),
        ("3.2亩", "3.2", "mu"),
        ("1.2公顷", "1.2", "ha"),
        ("−5", "-5", None),
    ],
)
def test_offices_write_quantities_in_many_ways(text: str, value: str, unit: str | None) -> None:
    found = parse_quantity(text)

    assert found.value == Decimal(value)
    assert (found.unit.name if found.unit else None) == unit


@pytest.mark.parametrize(
    "text", ["", "abc", "DN", "300 bananas", "1,00", "1,2345", "2-DN300", "1 2"]
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_quantity(text)


def test_a_decimal_comma_is_read_where_it_is_said() -> None:
    assert parse_quantity("1.234,5", ",").value == Decimal("1234.5")
    assert parse_quantity("12,5 m", ",").value == Decimal("12.5")


def test_a_comma_that_can_only_be_a_decimal_one_is_noticed() -> None:
    assert has_decimal_comma(["1,234", "12,5"])
    assert not has_decimal_comma(["1,234", "12,345.6", "abc"])


@pytest.mark.parametrize(
    ("text", "width", "height", "unit"),
    [
        ("300*400", "300", "400", None),
        ("300×400", "300", "400", None),
        ("300 X 400", "300", "400", None),
        ("３００＊４００", "300", "400", None),
        ("300x400mm", "300", "400", "mm"),
        ("0.3m*0.4m", "0.3", "0.4", "m"),
    ],
)
def test_sections_are_width_by_height(text: str, width: str, height: str, unit: str | None) -> None:
    expected = Section(Decimal(width), Decimal(height), UNITS[unit] if unit else None)

    assert parse_section(text) == expected


@pytest.mark.parametrize("text", ["300", "300*400*500", "0*400", "a*b", "0.3m*400mm", ""])
def test_other_texts_are_no_sections(text: str) -> None:
    assert parse_section(text) is None


@pytest.mark.parametrize("text", ["φ219×6", "D219*6", "219*6"])
def test_a_diameter_by_a_wall_is_told_from_a_section(text: str) -> None:
    with pytest.raises(UnclearText, match="wall"):
        parse_section(text)


@pytest.mark.parametrize(
    ("column", "title", "unit"),
    [
        ("管径(mm)", "管径", "mm"),
        ("管径（毫米）", "管径", "mm"),
        ("面积(单位:平方米)", "面积", "m2"),
        ("埋深[m]", "埋深", "m"),
        ("长度/km", "长度", "km"),
        ("diameter_mm", "diameter_mm", "mm"),
        ("类别(管线)", "类别(管线)", None),
        ("名称", "名称", None),
    ],
)
def test_a_name_may_bear_a_unit(column: str, title: str, unit: str | None) -> None:
    found_title, found = unit_in_name(column)

    assert (found_title, found.name if found else None) == (title, unit)


def test_a_length_is_no_area() -> None:
    with pytest.raises(ValueError, match="no unit of"):
        UNITS["m"].per(UNITS["m2"])


@given(
    st.decimals(0, 1_000_000, places=3),
    st.sampled_from([name for name in UNIT_NAMES if UNITS[name].dimension == "length"]),
    st.booleans(),
    st.booleans(),
)
def test_a_written_quantity_is_read_back(
    value: Decimal, unit: str, is_grouped: bool, is_wide: bool
) -> None:
    number = f"{value:,}" if is_grouped else f"{value}"
    text = f"{number.translate(FULL_WIDTH) if is_wide else number} {unit}"

    found = parse_quantity(text)

    assert (found.value, found.unit) == (value, UNITS[unit])


@given(st.text(max_size=30))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    for read in (parse_quantity, parse_section, find_unit, unit_in_name):
        try:
            read(text)
        except (ValueError, ArithmeticError):
            continue

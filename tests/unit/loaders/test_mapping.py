"""Which column fills which attribute."""

from __future__ import annotations

from pathlib import Path

import pytest

from layers.errors import InvalidMapping, MissingColumn
from layers.registry import get_layer
from loaders.columns import Forms
from loaders.mapping import ColumnPlan, Mapping, normal_name, parse_mapping, plan_columns
from loaders.quantities import UNITS

FILE = Path("lines.csv")


def plan(*columns: str, layer: str = "pipelines", **options: object) -> ColumnPlan:
    mapping = options.pop("mapping", Mapping())
    return plan_columns(get_layer(layer), columns, mapping, source=FILE, **options)  # type: ignore[arg-type]  # options vary by test


def test_chinese_and_english_names_are_known() -> None:
    found = plan("管线编号", "S_POINT", "E Point", "管径", "Material", "备注")

    assert found.columns == {
        "code": "管线编号",
        "start_node": "S_POINT",
        "end_node": "E Point",
        "diameter_mm": "管径",
        "material": "Material",
    }
    assert found.unmapped == ("备注",)


def test_an_exact_name_wins_over_an_alias() -> None:
    found = plan("id", "code", "名称", "name", layer="facilities")

    assert found.columns == {"code": "code", "name": "name"}
    assert set(found.unmapped) == {"id", "名称"}


def test_a_column_is_used_once() -> None:
    found = plan("名称", layer="roads", mapping=Mapping({"code": "名称"}))

    assert found.columns == {"code": "名称"}


def test_names_are_compared_without_case_width_and_underscores() -> None:
    assert normal_name("Ｓ_Point") == normal_name("s point") == normal_name("S-POINT")


def test_names_cut_by_a_dbf_are_known() -> None:
    # 行政区划代码 is 18 bytes in UTF-8 and 12 in GB18030; ten bytes are kept.
    gb = plan("行政区划代", layer="districts", dbf_encoding="gb18030")
    utf8 = plan("行政区", layer="districts", dbf_encoding="utf-8")

    assert gb.columns == {"code": "行政区划代"}
    assert utf8.columns["code"] == "行政区"


def test_names_are_not_cut_outside_a_dbf() -> None:
    assert plan("行政区划代", layer="districts").columns == {}


def test_the_first_natural_key_that_a_file_has_is_used() -> None:
    assert plan("管线编号", "起点点号", "终点点号").key_attributes == ("code",)
    assert plan("起点点号", "终点点号").key_attributes == ("start_node", "end_node")
    assert plan("管径").key_attributes == ()


def test_a_key_may_name_attributes_or_columns() -> None:
    assert plan("管线编号", "管径", key=("diameter_mm",)).key_attributes == ("diameter_mm",)
    assert plan("管线编号", "备注", key=("备注",)).key_columns == ("备注",)
    with pytest.raises(MissingColumn):
        plan("管线编号", key=("nowhere",))


def test_a_mapped_column_must_exist() -> None:
    with pytest.raises(MissingColumn) as caught:
        plan("管径", mapping=Mapping({"code": "GXBH"}))
    assert caught.value.columns == ("管径",)


@pytest.mark.parametrize(
    "mapping",
    [
        Mapping({"colour": "管径"}),
        Mapping(constants={"colour": "red"}),
        Mapping(values={"colour": {"a": "b"}}),
        Mapping({"category": "管径"}),
    ],
)
def test_unknown_and_derived_attributes_cannot_be_mapped(mapping: Mapping) -> None:
    with pytest.raises(InvalidMapping):
        plan("管径", mapping=mapping)


def test_a_constant_takes_the_place_of_a_column() -> None:
    found = plan("管径", "管线类别", mapping=Mapping(constants={"kind": "JP"}))

    assert "kind" not in found.columns
    assert found.unmapped == ("管线类别",)


def test_a_mapping_is_read_from_a_document() -> None:
    mapping = parse_mapping({"columns": {"code": "A"}, "values": {"status": {1: 0}}})

    assert mapping == Mapping({"code": "A"}, {"status": {"1": "0"}}, {})


def test_a_name_with_a_unit_is_known_and_its_unit_taken() -> None:
    found = plan("管线编号", "管径(m)", "起点埋深（cm）", "面积(亩)")

    assert found.columns == {
        "code": "管线编号",
        "diameter_mm": "管径(m)",
        "start_depth_m": "起点埋深（cm）",
    }
    assert found.forms_of("diameter_mm").unit == UNITS["m"]
    assert found.forms_of("start_depth_m").unit == UNITS["cm"]
    assert found.unmapped == ("面积(亩)",)


def test_the_mapping_stands_over_the_unit_in_a_name() -> None:
    found = plan("管径(m)", mapping=Mapping(units={"diameter_mm": "cm"}))

    assert found.forms_of("diameter_mm").unit == UNITS["cm"]


def test_a_unit_of_another_dimension_is_refused() -> None:
    with pytest.raises(InvalidMapping, match="cannot be brought to mm"):
        plan("管径", mapping=Mapping(units={"diameter_mm": "m2"}))
    with pytest.raises(InvalidMapping, match="no unit"):
        plan("管径", mapping=Mapping(units={"owner": "m"}))


def test_a_mapping_says_how_values_are_written() -> None:
    mapping = parse_mapping(
        {
            "units": {"diameter_mm": "米"},
            "dates": {"installed_on": "dmy"},
            "nodata": ["待定", -1],
            "decimal_mark": ",",
        }
    )

    forms = plan("管径", "建设年代", mapping=mapping).forms_of("diameter_mm")

    assert forms == Forms(UNITS["m"], "ymd", frozenset(("待定", "-1")), ",")
    assert mapping.dates == {"installed_on": "dmy"}


def test_a_mapping_over_another_decides_where_both_speak() -> None:
    first = Mapping({"code": "A", "kind": "K"}, nodata=("x",), decimal_mark=",")
    second = Mapping({"code": "B"}, nodata=("y",))

    found = second.over(first)

    assert found == Mapping({"code": "B", "kind": "K"}, nodata=("x", "y"), decimal_mark=",")


def test_a_mapping_comes_back_from_its_document() -> None:
    mapping = Mapping(
        {"code": "A"}, {"kind": {"给水": "JS"}}, {}, {"diameter_mm": "m"}, {"installed_on": "excel"}
    )

    assert parse_mapping(mapping.as_json()) == mapping
    assert parse_mapping(None) == Mapping()


@pytest.mark.parametrize(
    "document",
    [
        {"units": {"a": "furlong"}},
        {"dates": {"a": "backwards"}},
        {"nodata": "x"},
        {"nodata": [[]]},
        {"decimal_mark": ";"},
    ],
)
def test_what_a_mapping_cannot_say_is_refused(document: object) -> None:
    with pytest.raises(InvalidMapping):
        parse_mapping(document)


@pytest.mark.parametrize("document", [[], {"colums": {}}, {"columns": []}, {"columns": {"a": []}}])
def test_a_document_of_another_shape_is_refused(document: object) -> None:
    with pytest.raises(InvalidMapping):
        parse_mapping(document)

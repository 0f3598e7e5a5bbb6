"""Codes of parcels and units, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.cadastre.parcel_codes import parse_parcel_code

PARCEL = "440304001002GB00017"


def test_a_parcel_code_has_six_parts() -> None:
    parsed = parse_parcel_code(PARCEL)

    assert parsed is not None
    values = {part.name: (part.begin, part.value) for part in parsed.parts}
    assert {
        "county": (1, "440304"),
        "zone": (7, "001"),
        "subzone": (10, "002"),
        "owner": (13, "G"),
        "use": (14, "B"),
        "number": (15, "00017"),
    } == values
    assert () == parsed.breaches


def test_a_unit_of_a_building_has_a_building_and_a_door() -> None:
    parsed = parse_parcel_code(f"{PARCEL}F00020304")

    assert parsed is not None
    assert (True, PARCEL) == (parsed.is_unit, parsed.parcel)
    assert ["F", "0002", "0304"] == [part.value for part in parsed.parts[-3:]]


@pytest.mark.parametrize(
    ("code", "rule", "part"),
    [
        ("44030a001002GB00017", "parcel_code_structure", "county"),
        ("44030٤001002GB00017", "parcel_code_structure", "county"),
        ("440304001002KB00017", "parcel_code_structure", "owner"),
        ("440304001002GK00017", "parcel_code_structure", "use"),
        ("440304001002GB00000", "parcel_code_structure", "number"),
        ("440304001002GC00017", "parcel_code_right", "use"),
        (f"{PARCEL}K00000001", "unit_code_structure", "fixture"),
        (f"{PARCEL}F0002030x", "unit_code_structure", "door"),
        (f"{PARCEL}W00000001", "unit_code_fixture", "unit"),
    ],
)
def test_each_rule_names_the_part_at_fault(code: str, rule: str, part: str) -> None:
    parsed = parse_parcel_code(code)

    assert parsed is not None
    assert [(rule, part)] == [(breach.rule, breach.part) for breach in parsed.breaches]


@given(st.one_of(st.text(max_size=40), st.text(min_size=19, max_size=19)))
def test_the_parts_of_any_text_are_the_text(code: str) -> None:
    parsed = parse_parcel_code(code)

    assert (len(code) in (19, 28)) == (parsed is not None)
    if parsed is not None:
        assert code == "".join(part.value for part in parsed.parts)

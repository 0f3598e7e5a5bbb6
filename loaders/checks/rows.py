"""Checks that look at one row of a batch, on whole columns at once.

What makes a row impossible is found by ``convert`` and ``geometry``; here is what makes one
doubtful.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from layers.base import Layer
from layers.cadastre.parcel_codes import PARCEL_PATTERN
from layers.city import BoolArray, FloatArray
from loaders.findings import Findings
from loaders.rules import Thresholds

Values = Mapping[str, pa.Array]

EXPECTED: Mapping[str, tuple[str, ...]] = {
    "pipelines": (
        *("start_node", "end_node", "start_depth_m", "end_depth_m"),
        *("start_elevation_m", "end_elevation_m", "burial", "material", "diameter_mm"),
        *("owner", "installed_on", "road_name"),
    ),
    "pipeline_nodes": ("code", "map_number", "ground_elevation_m", "element_code"),
}
"""Attributes that no row of a survey lacks (checks of survey tables under CJJ 61-2017); judged
where the file has a column for them."""

_OVERHEAD = ("JK", "SJ", "DM")
"""Burials (CJJ 61-2017 C.0.2) that may lie above ground: overhead, on a rack, on ground."""

_ELEMENT = r"^5\d{7}$"
_ELEMENT_CLASSES = {
    "1": "JS", "2": "PS", "3": "RQ", "4": "RL", "5": "DL", "6": "TX", "7": "GY", "8": "QT",
}  # fmt: skip
"""Second digit of an element code (CJJ 61-2017 Annex F) to class of pipes."""


def check_rows(
    layer: Layer,
    values: Values,
    columns: Mapping[str, str],
    thresholds: Thresholds,
    findings: Findings,
) -> None:
    """Find doubtful rows of a batch.

    Args:
        values: Attributes as the layer holds them.
        columns: Attribute to column of the file.
    """
    _find_empty(EXPECTED.get(layer.name, ()), values, columns, findings)
    check = _OF_LAYER.get(layer.name)
    if check is not None:
        check(values, thresholds, findings)


def _find_empty(
    expected: tuple[str, ...], values: Values, columns: Mapping[str, str], findings: Findings
) -> None:
    for name in expected:
        if name not in columns or not values[name].null_count:
            continue
        empty = values[name].is_null()
        if name == "diameter_mm":
            # A box has a section in the place of a diameter.
            empty = pc.and_(empty, values["section"].is_null())
        findings.warn_all("empty_value", _flags(empty), _constant(f"{name}=''"))


def _check_pipes(values: Values, thresholds: Thresholds, findings: Findings) -> None:
    burial = values["burial"]
    overhead = _flags(pc.is_in(burial, pa.array(_OVERHEAD)))
    limit = thresholds.max_depth_m
    for name in ("start_depth_m", "end_depth_m"):
        depth = np.asarray(values[name].fill_null(np.nan).to_numpy(zero_copy_only=False))
        findings.warn_all(
            "depth_implausible", depth > limit, _of_number(name, depth, f"limit={limit:g}")
        )
        above = (depth < 0) & ~overhead
        findings.warn_all("depth_above_ground", above, _of_burial(name, depth, burial))


def _check_nodes(values: Values, _: Thresholds, findings: Findings) -> None:
    feature, thing = values["feature"].is_valid(), values["appurtenance"].is_valid()
    findings.warn_all(
        "feature_or_appurtenance",
        _flags(pc.equal(feature, thing)),
        lambda row: "both" if feature[row].as_py() else "neither",
    )
    codes = values["element_code"]
    if codes.null_count == len(codes):
        return
    national = pc.match_substring_regex(codes, _ELEMENT).fill_null(False)
    class_of = pa.array(list(_ELEMENT_CLASSES)), pa.array(list(_ELEMENT_CLASSES.values()))
    digit = pc.utf8_slice_codeunits(codes, 1, 2)
    category = class_of[1].take(pc.index_in(digit, class_of[0]))
    kind = pc.utf8_slice_codeunits(codes, 5, 6)
    against = {
        "category": pc.not_equal(category, values["category"]),
        "points": pc.not_equal(pc.utf8_slice_codeunits(codes, 4, 5), "2"),
        "feature": pc.and_(pc.equal(kind, "1"), pc.invert(feature)),
        "appurtenance": pc.and_(pc.equal(kind, "2"), pc.invert(thing)),
    }
    for what, differs in against.items():
        findings.warn_all(
            "element_code_mismatch",
            _flags(pc.and_(national, differs.fill_null(False))),
            _of_element(codes, what),
        )


def _check_parcels(values: Values, _: Thresholds, findings: Findings) -> None:
    codes, units = values["code"], values["unit_code"]
    is_numbered = pc.not_equal(pc.utf8_slice_codeunits(codes, 14, 19), "00000")
    is_parcel = pc.and_(pc.match_substring_regex(codes, f"^{PARCEL_PATTERN}$"), is_numbered)
    is_unit = pc.match_substring_regex(units, rf"^{PARCEL_PATTERN}[FLQW]\d{{8}}$")
    rules = (
        ("parcel_code_structure", pc.invert(is_parcel), codes),
        ("parcel_code_right", pc.and_(is_parcel, _is_of_others(codes)), codes),
        ("unit_code_structure", pc.invert(is_unit), units),
        ("unit_code_fixture", pc.and_(is_unit, _has_numbered_nothing(units)), units),
    )
    for rule, breached, shown in rules:
        findings.warn_all(rule, _flags(breached), _of_text(shown))
    findings.warn_all(
        "unit_code_parcel",
        _flags(pc.and_(is_unit, pc.not_equal(pc.utf8_slice_codeunits(units, 0, 19), codes))),
        lambda row: f"unit_code={units[row].as_py()}; code={codes[row].as_py()}",
    )


def _is_of_others(codes: pa.Array) -> pa.Array:
    """Uses A and C, which only collectives (J) have, with another owner."""
    return pc.match_substring_regex(codes, r"^\d{12}[GZ][AC]")


def _has_numbered_nothing(units: pa.Array) -> pa.Array:
    """Units without fixtures (W) whose number is not zero."""
    number = pc.utf8_slice_codeunits(units, 20, 28)
    fixture = pc.utf8_slice_codeunits(units, 19, 20)
    return pc.and_(pc.equal(fixture, "W"), pc.not_equal(number, "00000000"))


_OF_LAYER: Mapping[str, Callable[[Values, Thresholds, Findings], None]] = {
    "pipelines": _check_pipes,
    "pipeline_nodes": _check_nodes,
    "parcels": _check_parcels,
}


def _flags(column: pa.Array) -> BoolArray:
    return np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False))


def _constant(text: str) -> Callable[[int], str]:
    return lambda _: text


def _of_text(column: pa.Array) -> Callable[[int], str]:
    return lambda row: f"code={column[row].as_py()}"


def _of_number(name: str, numbers: FloatArray, more: str) -> Callable[[int], str]:
    return lambda row: f"{name}={numbers[row]:g}; {more}"


def _of_burial(name: str, depth: FloatArray, burial: pa.Array) -> Callable[[int], str]:
    return lambda row: f"{name}={depth[row]:g}; burial={burial[row].as_py() or '-'}"


def _of_element(codes: pa.Array, against: str) -> Callable[[int], str]:
    return lambda row: f"element_code={codes[row].as_py()}; against={against}"

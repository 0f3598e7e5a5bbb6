"""The catalogue of rules: complete, in both languages, and told without a flaw."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import loaders
from layers.errors import InvalidParameter
from layers.registry import LAYERS
from loaders.findings import finding_of
from loaders.rules import RULES, Rule, Severity, Thresholds, find_rule, parse_thresholds

each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
_SOURCES = sorted(Path(loaders.__file__).parent.rglob("*.py"))
_CALLS = {"add": 1, "warn": 1, "warn_all": 0, "problem": 0, "fault": 0}
"""Functions that name a rule, and which argument does."""


@each_rule
def test_a_rule_says_everything_in_both_languages(rule: Rule) -> None:
    for title in (rule.title, rule.sentence, rule.remedy):
        assert title.en.strip()
        assert re.search(r"[\u4e00-\u9fff]", title.zh)

    assert rule.source
    assert set(rule.layers) <= {layer.name for layer in LAYERS}
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", rule.id)


@each_rule
def test_both_sentences_of_a_rule_show_the_same_details(rule: Rule) -> None:
    def details(text: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}

    assert details(rule.sentence.en) == details(rule.sentence.zh)


def test_every_rule_that_code_names_is_in_the_catalogue() -> None:
    named = {word for path in _SOURCES for word in _words(ast.parse(path.read_text("utf-8")))}
    in_sql = {
        word
        for path in _SOURCES
        for word in re.findall(r"'([a-z_]+)' AS rule", path.read_text("utf-8"))
    }
    unclear = {
        word
        for path in _SOURCES
        for word in re.findall(r'"(unclear_[a-z]+)"', path.read_text("utf-8"))
    }

    assert {"not_in_code_list", "invalid_geometry", "repaired_geometry", "empty_value"} <= named
    assert {"segment_twice", "same_geometry"} <= in_sql
    assert {"unclear_date"} <= unclear
    assert set() == (named | in_sql | unclear) - RULES.keys()


def _words(tree: ast.AST) -> Iterator[str]:
    """Rules that calls name: in a text ``rule: detail``, or alone where the call takes the rule."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        name = call.func.id if isinstance(call.func, ast.Name) else name
        at = _CALLS.get(name)
        if at is None or len(call.args) <= at:
            continue
        argument = call.args[at]
        first = argument.values[0] if isinstance(argument, ast.JoinedStr) else argument
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield from filter(None, [first.value.partition(":")[0]])


def test_a_reason_is_told_with_its_column_and_its_value() -> None:
    finding = finding_of(
        "not_a_number: diameter_mm='粗; x=1'",
        severity=Severity.ERROR,
        row=3,
        key="A",
        clearance=1,
    )

    assert "diameter_mm is not a number: '粗; x=1'." == finding.told.en
    assert "diameter_mm 不是数字:'粗; x=1'。" == finding.told.zh


def test_braces_of_a_file_are_shown_and_not_filled() -> None:
    told = RULES["malformed_row"].told({"detail": "{detail.__class__} {0}"})

    assert "The row cannot be read: {detail.__class__} {0}." == told.en


def test_a_detail_that_is_not_known_is_a_question_mark() -> None:
    assert "A ?" in RULES["ways_mismatch"].told({"node": "A"}).en.replace("is a ?", "A ?")


def test_a_reason_of_another_version_can_still_be_told() -> None:
    assert "something" == find_rule("long_gone").told({"detail": "something"}).en


def test_thresholds_are_set_by_name() -> None:
    chosen = parse_thresholds(["max_segment_m=50", "overlap_m2=1.5"])

    assert (50, 1.5) == (chosen.max_segment_m, chosen.overlap_m2)
    assert Thresholds().max_depth_m == chosen.max_depth_m


@pytest.mark.parametrize("pair", ["max_segment_m", "max_segment_m=x", "no=1", "max_depth_m=nan"])
def test_thresholds_that_are_of_no_use_are_refused(pair: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_thresholds([pair])

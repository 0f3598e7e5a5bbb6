"""The catalogue of rules: everything that a load may find fault with, in one place."""

from __future__ import annotations

from layers.base import Title
from loaders.rules.base import Rule, Severity
from loaders.rules.parcels import PARCELS
from loaders.rules.pipes import PIPES
from loaders.rules.rows import ROWS
from loaders.rules.thresholds import Thresholds, parse_thresholds

__all__ = ["RULES", "Rule", "Severity", "Thresholds", "find_rule", "parse_thresholds"]

RULES: dict[str, Rule] = {rule.id: rule for rule in (*ROWS, *PIPES, *PARCELS)}
"""Every rule by its id, in the order of the reference."""

_UNLISTED = Title("Refused", "被拒绝")


def find_rule(rule_id: str) -> Rule:
    """A rule; for reasons in quarantine that older or newer versions wrote, one made for it."""
    known = RULES.get(rule_id)
    if known is not None:
        return known
    sentence = Title("{detail}", "{detail}")
    return Rule(rule_id, Severity.ERROR, _UNLISTED, sentence, Title("", ""), "not in this version")
